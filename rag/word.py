"""Answers as a Word file: question as heading, answer with real footnotes, the quoted originals in an appendix.

python-docx knows no footnotes (1.2): their part is made here through its package interface, as ECMA-376 part 1,
section 17.11, describes it. Fonts and margins are those of official documents (GB/T 9704-2012, sections 5 and 7).
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator, Sequence
from itertools import count, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.export import Table, blocks, clean, marks, note, reference, verdict, written_by
from rag.records import Record

if TYPE_CHECKING:
    from docx.document import Document

APPENDIX = "附录　引用的原文"
_NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_FOOTNOTES_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
_FOOTNOTES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
_BODY, _HEAD, _KAI, _LATIN = "仿宋", "黑体", "楷体", "Times New Roman"
_ELSEWHERE = {
    _BODY: "FangSong,FangSong_GB2312,仿宋_GB2312,STFangsong,Noto Serif CJK SC",
    _HEAD: "SimHei,STHeiti,Heiti SC,Noto Sans CJK SC",
    _KAI: "KaiTi,KaiTi_GB2312,楷体_GB2312,STKaiti,Noto Serif CJK SC",
}
"""What each font is called, or replaced by, on machines that do not have it under its name."""
_MARGINS_MM = {"top_margin": 37, "bottom_margin": 35, "left_margin": 28, "right_margin": 26}
_SIZE_PT, _LINE_PT, _INDENT = 16, 28, 640
"""三号 and 28 points a line; two characters of 三号 in twentieths of a point."""
_NARROW, _BROAD = 5, 30
"""The characters that a column of a table is reckoned to hold at least and at most."""


def as_word(records: Sequence[Record], title: str = "") -> bytes:
    """Return one answer, a conversation or a batch as the bytes of a .docx file."""
    return _Writer(title).written(records)


def write(path: Path, records: Sequence[Record], title: str = "") -> None:
    """Write what `as_word` returns to a file."""
    path.write_bytes(as_word(records, title))


class _Writer:
    """Puts one document together, from the front to the back."""

    def __init__(self, title: str) -> None:
        import docx

        self._document: Document = docx.Document()
        self._notes = _Footnotes(self._document)
        _dressed(self._document, title)
        if title:
            self._document.add_paragraph(clean(title), "Title")

    def written(self, records: Sequence[Record]) -> bytes:
        numbers = [self._answer(record) for record in records]
        if any(numbers):
            self._appendix(records, numbers)
        self._notes.close()
        file = io.BytesIO()
        self._document.save(file)
        return file.getvalue()

    def _answer(self, record: Record) -> dict[int, int]:
        """Write one answer; return the footnote of each citation."""
        self._document.add_heading(_line(record["question"]), 1)
        citations = {c["number"]: c for c in record.get("citations", ())}
        footnotes: dict[int, int] = {}
        paragraph: Any = None
        for block in blocks(record.get("answer", "")):
            if isinstance(block, Table):
                self._table(block, citations, footnotes)
                paragraph = None
            else:
                paragraph = self._document.add_paragraph()
                self._marked(paragraph, block.text, citations, footnotes)
        for number, citation in citations.items():  # what no mark names is cited all the same
            if number not in footnotes:
                paragraph = paragraph or self._document.add_paragraph()
                footnotes[number] = self._notes.add(paragraph, reference(citation))
        self._document.add_paragraph(_closing(record), "说明")
        return footnotes

    def _marked(self, paragraph: Any, text: str, citations: dict[int, Record], footnotes: dict[int, int]) -> None:
        """Write a text whose marks become footnotes, and references to a footnote where it is cited again."""
        for piece in marks(text, citations):
            if isinstance(piece, str):
                paragraph.add_run(piece)
            elif piece in footnotes:
                self._notes.refer(paragraph, footnotes[piece])
            else:
                footnotes[piece] = self._notes.add(paragraph, reference(citations[piece]))

    def _table(self, block: Table, citations: dict[int, Record], footnotes: dict[int, int]) -> None:
        columns = max(map(len, block.rows))
        table = self._document.add_table(len(block.rows), columns, "Table Grid")
        for at, (row, cells) in enumerate(zip(table.rows, block.rows, strict=True)):
            for place, text in zip(row.cells, cells, strict=False):
                paragraph = place.paragraphs[0]
                paragraph.style = "表格"
                self._marked(paragraph, text, citations, footnotes)
                if at == 0:
                    for run in paragraph.runs:
                        run.bold = True
        _repeated(table.rows[0])
        _shared_out(table, block)

    def _appendix(self, records: Sequence[Record], numbers: Sequence[dict[int, int]]) -> None:
        self._document.add_heading(APPENDIX, 1).paragraph_format.page_break_before = True
        for record, footnotes in zip(records, numbers, strict=True):
            if footnotes and len(records) > 1:
                self._document.add_heading(_line(record["question"]), 2)
            for citation in record.get("citations", ()):
                head = self._document.add_paragraph(style="出处")
                head.add_run(f"[{footnotes[citation['number']]}] {reference(citation)}")
                self._document.add_paragraph(clean(citation["quote"]), "引文")


class _Footnotes:
    """The footnotes part of a document; separators have the numbers -1 and 0, as Word has them."""

    def __init__(self, document: Document) -> None:
        from docx.enum.style import WD_STYLE_TYPE

        self._part = document.part
        text = document.styles.add_style("footnote text", WD_STYLE_TYPE.PARAGRAPH, builtin=True)
        mark = document.styles.add_style("footnote reference", WD_STYLE_TYPE.CHARACTER, builtin=True)
        _font(text, _BODY, 10.5)
        _spaced(text, 14, 0)
        mark.font.superscript = True
        self._text_style, self._mark_style = text.style_id, mark.style_id
        self._numbers = count(1)
        self._root = _element("footnotes")
        for number, kind in ((-1, "separator"), (0, "continuationSeparator")):
            line = _element("p", _element("r", _element(kind)))
            self._root.append(_element("footnote", line, type=kind, id=number))
        separators = _element("footnotePr", *(_element("footnote", id=number) for number in (-1, 0)))
        settings = document.settings.element
        compatibility = settings.find(_name("compat"))
        settings.insert(settings.index(compatibility) if compatibility is not None else len(settings), separators)

    def add(self, paragraph: Any, text: str) -> int:
        """Put a footnote behind what is in the paragraph; return its number."""
        number = next(self._numbers)
        words = _element("t")
        words.text = f" {text}"
        words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        line = _element(
            "p",
            _element("pPr", _element("pStyle", val=self._text_style)),
            _element("r", self._marking(), _element("footnoteRef")),
            _element("r", words),
        )
        self._root.append(_element("footnote", line, id=number))
        place = _element("r", self._marking(), _element("footnoteReference", id=number))
        start = _element("bookmarkStart", id=number, name=_bookmark(number))
        paragraph._p.extend([start, place, _element("bookmarkEnd", id=number)])
        return number

    def refer(self, paragraph: Any, number: int) -> None:
        """Name a footnote again that is there already."""
        order = _element("instrText")
        order.text = f" NOTEREF {_bookmark(number)} \\f \\h "
        shown = _element("t")
        shown.text = str(number)
        inside = (
            _element("fldChar", fldCharType="begin"),
            order,
            _element("fldChar", fldCharType="separate"),
            shown,
            _element("fldChar", fldCharType="end"),
        )
        paragraph._p.extend([_element("r", self._marking(), one) for one in inside])

    def close(self) -> None:
        """Put the part into the package."""
        from docx.opc.oxml import serialize_part_xml
        from docx.opc.packuri import PackURI
        from docx.opc.part import Part

        blob = serialize_part_xml(self._root)
        part = Part(PackURI("/word/footnotes.xml"), _FOOTNOTES_TYPE, blob, self._part.package)
        self._part.relate_to(part, _FOOTNOTES)

    def _marking(self) -> Any:
        return _element("rPr", _element("rStyle", val=self._mark_style))


def _bookmark(number: int) -> str:
    return f"_RefFootnote{number}"


def _name(tag: str) -> str:
    return f"{{{_NAMESPACE}}}{tag}"


def _element(tag: str, *children: Any, **attributes: object) -> Any:
    from docx.oxml.parser import OxmlElement

    made: Any = OxmlElement(f"w:{tag}")
    for name, value in attributes.items():
        made.set(_name(name), str(value))
    made.extend(children)
    return made


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _closing(record: Record) -> str:
    parts = (f"结论：{verdict(record)}", note(record), f"方式：{written_by(record)}" if written_by(record) else "")
    return "　".join(part for part in parts if part)


# --- how it looks ------------------------------------------------------------


def _dressed(document: Document, title: str) -> None:
    """Give a new document its paper, styles, fonts, page numbers and properties."""
    from docx.enum.style import WD_STYLE_TYPE
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Mm

    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    for side, size in _MARGINS_MM.items():
        setattr(section, side, Mm(size))
    styles = document.styles
    for language in styles.element.iter(_name("lang")):
        language.set(_name("eastAsia"), "zh-CN")  # or punctuation comes in the shapes of another script
    _font(styles["Normal"], _BODY, _SIZE_PT)
    _spaced(styles["Normal"], _LINE_PT, _INDENT)
    for name, font, size in (("Title", _HEAD, 22), ("Heading 1", _HEAD, _SIZE_PT), ("Heading 2", _KAI, _SIZE_PT)):
        _font(styles[name], font, size)
        _spaced(styles[name], 34 if name == "Title" else _LINE_PT, 0, before=0 if name == "Title" else 14)
    styles["Title"].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _without_border(styles["Title"])
    rows = (("说明", _KAI, 12, 20), ("出处", _KAI, 12, 20), ("引文", _BODY, 12, 22), ("表格", _BODY, 12, 20))
    for name, font, size, line in rows:
        style = styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style = styles["Normal"]
        _font(style, font, size)
        _spaced(style, line, 0, before=0 if name == "表格" else 6)
    styles["引文"].paragraph_format.left_indent = Mm(8)
    styles["出处"].paragraph_format.keep_with_next = True
    _numbered(section)
    _named_elsewhere(document)
    about = document.core_properties
    about.author, about.comments, about.title, about.language = "", "", clean(title), "zh-CN"
    about.created = about.modified = dt.datetime.now(dt.UTC).replace(microsecond=0)


def _font(style: Any, east: str, size: float) -> None:
    """Set a font for Chinese, its Latin companion and a size; what a theme says is dropped."""
    from docx.shared import Pt, RGBColor

    style.font.size = Pt(size)
    style.font.italic = False
    style.font.bold = False
    style.font.color.rgb = RGBColor(0, 0, 0)
    properties = style.element.get_or_add_rPr()
    for old in properties.findall(_name("rFonts")):
        properties.remove(old)
    properties.insert(0, _element("rFonts", ascii=_LATIN, hAnsi=_LATIN, cs=_LATIN, eastAsia=east))


def _spaced(style: Any, line: float, indent: int, before: float = 0) -> None:
    """Set an exact line height and the first line's indent, in characters with twips for who does not know those."""
    from docx.shared import Pt, Twips

    layout = style.paragraph_format
    layout.line_spacing, layout.space_before, layout.space_after = Pt(line), Pt(before), Pt(0)
    layout.first_line_indent = Twips(indent)
    layout.element.pPr.find(_name("ind")).set(_name("firstLineChars"), "200" if indent else "0")


def _without_border(style: Any) -> None:
    properties = style.element.get_or_add_pPr()
    for border in properties.findall(_name("pBdr")):
        properties.remove(border)


def _numbered(section: Any) -> None:
    """Number the pages at their foot: — 1 —."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    paragraph = section.footer.paragraphs[0]
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paragraph.add_run("— ")
    for piece in _page_number():
        paragraph._p.append(_element("r", piece))
    paragraph.add_run(" —")


def _page_number() -> Iterator[Any]:
    yield _element("fldChar", fldCharType="begin")
    order = _element("instrText")
    order.text = " PAGE "
    yield order
    yield _element("fldChar", fldCharType="separate")
    shown = _element("t")
    shown.text = "1"
    yield shown
    yield _element("fldChar", fldCharType="end")


def _repeated(row: Any) -> None:
    """Repeat a table's header where the table goes on on the next page."""
    row._tr.get_or_add_trPr().append(_element("tblHeader"))


def _shared_out(table: Any, block: Table) -> None:
    """Give each column a share of the page as its longest text asks for, none less than a name of four needs."""
    from docx.shared import Mm

    longest = [max(map(len, texts)) for texts in zip_longest(*block.rows, fillvalue="")]
    asked = [min(max(length, _NARROW), _BROAD) for length in longest]
    page = 210 - _MARGINS_MM["left_margin"] - _MARGINS_MM["right_margin"]
    table.autofit = False
    for column, share in zip(table.columns, asked, strict=True):
        column.width = Mm(page * share / sum(asked))
        for cell in column.cells:
            cell.width = column.width


def _named_elsewhere(document: Document) -> None:
    """Tell by which names other machines know the fonts."""
    from docx.opc.oxml import serialize_part_xml
    from docx.oxml.parser import parse_xml

    for part in document.part.package.iter_parts():
        if str(part.partname) != "/word/fontTable.xml":
            continue
        fonts = parse_xml(part.blob)
        for name, others in _ELSEWHERE.items():
            known = (_element("altName", val=others), _element("charset", val="86"), _element("family", val="auto"))
            fonts.append(_element("font", *known, name=name))
        part._blob = serialize_part_xml(fonts)

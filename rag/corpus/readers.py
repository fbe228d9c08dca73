"""Reads a file into the text of its pages: one reader per format, found in the table `READERS`.

Headings that a format knows come out as Markdown `#` lines, tables as rows `a | b | c`, all else as the plain
text it is. Nothing here knows newsletters, joins wrapped lines or recognises scanned pages.
"""

from __future__ import annotations

import logging
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rag.errors import DocumentError

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

MAX_BYTES = 100 * 1024 * 1024
"""Larger files are refused before they are opened."""

_MAX_UNPACKED = 4 * MAX_BYTES
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WHOLE_LINE_HEADING = re.compile(r"(?m)^(\s*)(#{1,6}\s)")
_OFFICE = "请用 Word 或 WPS 打开，另存为 .docx 后再放入资料库"


def read(path: Path) -> tuple[str, ...]:
    """Return the text of each page of `path`; a format without pages gives one.

    Raises:
        DocumentError: The file is missing, empty, too large, encrypted, damaged, a scan or of no known kind.
    """
    reader = _reader_of(path)
    try:
        return reader(path)
    except DocumentError:
        raise
    except OSError as error:
        raise DocumentError(f"无法读取文件“{path}”（{error.strerror or error}）", "请检查文件权限后重试") from error
    except Exception as error:  # the format libraries raise anything at all on a damaged file
        raise DocumentError(f"文件“{path}”已损坏或格式不对", "请重新下载，或用原软件打开后另存一份再试") from error


def _reader_of(path: Path) -> Callable[[Path], tuple[str, ...]]:
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            raise DocumentError(f"“{path}”是文件夹，不是文件", "请指定文件夹里的文件")
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DocumentError(f"找不到文件“{path}”", "请检查路径") from error
    except (OSError, ValueError) as error:
        raise DocumentError(f"无法读取文件“{path}”", "请检查路径和文件权限") from error
    if suffix in _OLD_OFFICE:
        raise DocumentError(f"暂不支持 {suffix} 格式：“{path}”", _OFFICE)
    if suffix not in READERS:
        raise DocumentError(
            f"不支持的文件格式“{suffix or '无扩展名'}”：“{path}”",
            f"请转换为 {' '.join(sorted(SUFFIXES))} 之一",
        )
    if not size:
        raise DocumentError(f"文件“{path}”是空的（0 字节）", "请重新下载或导出后再试")
    if size > MAX_BYTES:
        raise DocumentError(
            f"文件“{path}”过大（{size / 2**20:.0f} MB，上限 {MAX_BYTES // 2**20} MB）",
            "请拆分成几个文件后再试",
        )
    return READERS[suffix]


# Text: .txt, .md


def _read_text(path: Path) -> tuple[str, ...]:
    pages = _decode(path.read_bytes(), path).split("\f")
    while len(pages) > 1 and not pages[-1].strip():
        pages.pop()
    return tuple(pages)


def _read_markdown(path: Path) -> tuple[str, ...]:
    return (_decode(path.read_bytes(), path).replace("\f", "\n"),)


def _decode(data: bytes, path: Path, declared: str | None = None) -> str:
    """Return the text of `data` with Unix line ends; refuse what is no text."""
    text = _decoded(data, declared)
    if text is None or _is_binary(text):
        raise DocumentError(f"文件“{path}”不是文本文件，或编码无法识别", "请另存为 UTF-8 编码的文本后再试")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes, declared: str | None) -> str | None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _try(data, "utf-16")
    text = _try(data, "utf-8-sig")
    if text is not None:
        return text
    for encoding in filter(None, (declared, "gb18030")):
        text = _try(data, encoding)
        if text is not None and (encoding == declared or _is_common_chinese(text)):
            return text
    damaged = data.decode("utf-8-sig", "replace")
    if damaged.count("\ufffd") < 0.005 * len(damaged):
        return damaged
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    return str(best) if best is not None else text


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeError, LookupError):
        return None


def _is_common_chinese(text: str) -> bool:
    """Whether most characters are everyday simplified Chinese: other encodings read as GBK are not."""
    foreign = [c for c in text if c > "\x7f"]
    return sum(_try_encode(c) for c in foreign) >= 0.8 * len(foreign)


def _try_encode(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeError:
        return False
    return True


def _is_binary(text: str) -> bool:
    controls = sum((c < " " and c not in "\t\n\r\f\v\x1a") or c == "\ufffd" for c in text)
    return "\0" in text or controls > 0.01 * len(text)


# HTML

_DROPPED = re.compile("^(?:script|style|nav|noscript|template|head|iframe|svg|button|select)$")
_BLOCK = re.compile(
    "^(?:address|article|aside|blockquote|body|caption|d[dlt]|details|div|fieldset|figcaption|figure|footer|form|"
    "header|hr|legend|li|main|ol|p|pre|section|summary|table|tbody|t[dhr]|tfoot|thead|ul)$"
)
_CELL_BLOCKS = ("table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6")
_WRAP = re.compile(r"(?<=[\u2e80-\u9fff\uff00-\uffef\u3000-\u303f])[ \t]*\n\s*(?=[\u2e80-\u9fff\uff00-\uffef])")


def _read_html(path: Path) -> tuple[str, ...]:
    from bs4 import BeautifulSoup
    from bs4.dammit import EncodingDetector

    data = path.read_bytes()
    declared = EncodingDetector.find_declared_encoding(data, is_html=True)
    soup = BeautifulSoup(_decode(data, path, declared), "lxml")
    return (_html_text(soup),)


def _html_text(soup: BeautifulSoup) -> str:
    for tag in soup.find_all(_DROPPED):
        tag.decompose()
    for string in soup.find_all(string=True):
        if string.find_parent("pre") is None:
            string.replace_with(string.__class__(re.sub(r"\s+", " ", _WRAP.sub("", string))))
    rows_of = [(table, _html_rows(table)) for table in soup.find_all("table")]
    for table, rows in rows_of:
        if rows is not None:
            table.replace_with("\n\n" + "\n".join(rows) + "\n\n")
    for level in range(1, 7):
        for tag in soup.find_all(f"h{level}"):
            title = " ".join(tag.get_text().split())
            tag.replace_with(f"\n\n\0{level} {title}\n\n" if title else "\n\n")
    for tag in soup.find_all("br"):
        tag.replace_with("\n")
    for tag in soup.find_all(_BLOCK):
        tag.insert(0, "\n\n")
        tag.append("\n\n")
    text = _as_data("\n".join(line.strip(" \t") for line in soup.get_text().split("\n")))
    text = re.sub(r"\0([1-6])", lambda mark: "#" * int(mark[1]), text)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _html_rows(table: Tag) -> list[str] | None:
    """The rows of a table of data; None for a table that only lays out the page."""
    rows = []
    for row in table.find_all("tr"):
        cells = row.find_all(["td", "th"])
        if any(cell.find(_CELL_BLOCKS) or len(cell.find_all(["p", "div", "br"])) > 3 for cell in cells):
            return None
        rows.append([" ".join(cell.get_text(" ").split()) for cell in cells])
    if not any(len(row) > 1 for row in rows):
        return None
    caption = table.find("caption")
    return ([caption.get_text(strip=True)] if caption else []) + [_row(row) for row in rows if any(row)]


def _row(cells: Iterable[str]) -> str:
    return " | ".join(cells)


def _as_data(text: str) -> str:
    """Escape what only looks like a Markdown heading."""
    return _WHOLE_LINE_HEADING.sub(r"\1\\\2", text)


# docx

_HEADING_STYLE = re.compile(r"(?i)^(?:heading|标题)\s*([1-9])")
_TITLE_STYLE = re.compile(r"(?i)^(?:title|标题|文档标题)$")
_CONTENTS_STYLE = re.compile(r"(?i)^(?:toc|目录)\s*\d")
_RUN_TEXT = (
    ".//w:t | .//w:tab[parent::w:r] | .//w:br[not(@w:type) or @w:type='textWrapping'] | .//w:cr | .//w:noBreakHyphen"
)
_SKIPPED = ("w:txbxContent", "w:del", "w:moveFrom", "mc:Fallback")


def _read_docx(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        if file.read(len(_OLE)) == _OLE:
            if "EncryptedPackage".encode("utf-16-le") in file.read():
                raise DocumentError(f"文件“{path}”有密码保护", "请用 Word 或 WPS 打开并取消密码，保存后再试")
            raise DocumentError(f"文件“{path}”其实是旧版 Word 格式", _OFFICE)
    with zipfile.ZipFile(path) as package:
        sizes = [part.file_size for part in package.infolist() if part.filename.endswith(".xml")]
        if sum(sizes) > _MAX_UNPACKED:
            raise DocumentError(f"文件“{path}”解压后过大", "请拆分成几个文件后再试")
    import docx

    document = docx.Document(str(path))
    blocks = [block for block in _docx_blocks(document.element.body, document) if block[1].strip()]
    titled = any(level == 0 for level, _ in blocks)
    return ("\n\n".join(_docx_line(level, text, titled) for level, text in blocks),)


def _docx_line(level: int | None, text: str, titled: bool) -> str:
    """A heading one level lower where the document has a title of its own (level 0)."""
    if level is None:
        return _as_data(text)
    return "#" * min(6, max(1, level + titled)) + " " + " ".join(text.split())


def _docx_blocks(parent: Any, document: Any) -> Iterator[tuple[int | None, str]]:
    """Yield (heading level or None, text) for paragraphs and tables in the order they stand in."""
    from docx.table import Table

    for element in parent.iterchildren():
        tag = str(element.tag).rpartition("}")[2]
        if tag == "p":
            style = _docx_styles(element, document)
            if not any(_CONTENTS_STYLE.match(name) for name in style):
                yield _docx_level(element, style), _docx_text(element)
        elif tag == "tbl":
            rows = (_docx_row(row) for row in Table(element, document).rows)
            yield None, "\n".join(row for row in rows if row.strip(" |"))
        elif tag in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"):
            yield from _docx_blocks(element, document)


def _docx_row(row: Any) -> str:
    cells: dict[int, str] = {}
    for cell in row.cells:  # a cell merged over several columns comes once for each of them
        paragraphs = cell._tc.xpath(".//w:p")
        cells[id(cell._tc)] = " ".join(" ".join(map(_docx_text, paragraphs)).split())
    return _row(cells.values())


def _docx_text(paragraph: Any) -> str:
    pieces = []
    for element in paragraph.xpath(_RUN_TEXT):
        above: set[str] = set()
        for ancestor in element.iterancestors():
            if ancestor is paragraph:
                break
            above.add(f"{ancestor.prefix}:{str(ancestor.tag).rpartition('}')[2]}")
        if above.isdisjoint(_SKIPPED):
            pieces.append(str(element))
    return "".join(pieces).replace("\t", " ")


def _docx_styles(paragraph: Any, document: Any) -> list[str]:
    """The names of the paragraph's style and of those it builds on."""
    from docx.enum.style import WD_STYLE_TYPE

    names: list[str] = []
    if paragraph.style is None:
        return names
    style = document.styles.get_by_id(paragraph.style, WD_STYLE_TYPE.PARAGRAPH)
    while style is not None and len(names) < 10:
        names.append(style.name or "")
        style = style.base_style
    return names


def _docx_level(paragraph: Any, styles: Sequence[str]) -> int | None:
    outline = paragraph.xpath("./w:pPr/w:outlineLvl/@w:val")
    if outline and outline[0].isdigit() and int(outline[0]) < 9:
        return int(outline[0]) + 1
    for name in styles:
        heading = _HEADING_STYLE.match(name)
        if heading:
            return int(heading[1])
        if _TITLE_STYLE.match(name):
            return 0
    return None


# PDF

_MARGIN = 0.12
"""Headers and footers stand in this share of the page at its top and bottom (GB/T 9704: within 10 %)."""
_CID = re.compile(r"\(cid:\d+\)")
_RADICALS = str.maketrans(
    "⺟⺠⻁⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻬⻮⻰⻳",
    "母民虎西见角贝车长门青韦页风飞食马骨鬼鱼鸟卤麦黄黾齐齿龙龟",
)
_COMPATIBLE = re.compile("[\u2f00-\u2fdf\uf900-\ufaff\ufb00-\ufb06]")


@dataclass(frozen=True, slots=True)
class _Line:
    """A printed line; lengths in points, `at` is its distance from the page's top as a share of the page."""

    text: str
    left: float
    top: float
    bottom: float
    at: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def _read_pdf(path: Path) -> tuple[str, ...]:
    import pdfplumber
    from pdfminer.pdfdocument import PDFPasswordIncorrect
    from pdfplumber.utils.exceptions import PdfminerException

    logging.getLogger("pdfminer").setLevel(logging.ERROR)  # its remarks on fonts are not for users
    pages = []
    try:
        with pdfplumber.open(path) as document:
            for page in document.pages:
                pages.append(_pdf_lines(page))
                page.close()
    except PdfminerException as error:
        if error.args and isinstance(error.args[0], PDFPasswordIncorrect):
            raise DocumentError(f"文件“{path}”有密码保护", "请取消密码（如重新打印为 PDF）后再试") from error
        raise
    _refuse_unreadable(path, pages)
    return tuple(_pdf_text(page) for page in _without_furniture(pages))


def _pdf_lines(page: Any) -> list[_Line]:
    """The lines of a page in the order they were written, which keeps columns apart; ruled tables as rows."""
    height = float(page.height)
    lines = [
        _Line(_repaired(line["text"]), line["x0"], line["top"], line["bottom"], line["top"] / height)
        for line in page.extract_text_lines(use_text_flow=True, return_chars=False)
    ]
    for table in page.find_tables():
        lines = _with_table(lines, table, height)
    return lines


def _with_table(lines: list[_Line], table: Any, height: float) -> list[_Line]:
    """Put a table's rows in the place of its lines, where that loses no character."""
    left, top, right, bottom = table.bbox
    inside = [n for n, line in enumerate(lines) if top < line.middle < bottom and left <= line.left < right]
    rows = []
    for row, texts in zip(table.rows, table.extract(), strict=True):
        cells = [" ".join(_repaired(text or "").split()) for text in texts]
        if any(cells):
            rows.append(_Line(_row(cells), left, row.bbox[1], row.bbox[3], row.bbox[1] / height))
    whole = _ink(lines[n].text for n in inside) == _ink(row.text.replace(" | ", "") for row in rows)
    if not inside or not whole or not any(" | " in row.text for row in rows):
        return lines
    rest = [line for n, line in enumerate(lines) if n not in inside]
    return rest[: inside[0]] + rows + rest[inside[0] :]


def _ink(texts: Iterable[str]) -> Counter[str]:
    return Counter("".join("".join(texts).split()))


def _repaired(text: str) -> str:
    """Put back the ideographs and letters that PDF writers replace by look-alike radicals and ligatures."""
    return _COMPATIBLE.sub(lambda c: unicodedata.normalize("NFKC", c[0]), text.translate(_RADICALS))


def _refuse_unreadable(path: Path, pages: Sequence[Sequence[_Line]]) -> None:
    text = "".join(line.text for page in pages for line in page)
    if not text.strip():
        raise DocumentError(f"“{path}”是扫描件，没有可读取的文字", "请先用 OCR 软件识别成文字版再试")
    if 10 * len(_CID.findall(text)) > len(_CID.sub("", text)):
        raise DocumentError(f"“{path}”的字体缺少文字编码，读出来是乱码", "请先用 OCR 软件识别成文字版再试")


def _without_furniture(pages: Sequence[Sequence[_Line]]) -> list[list[_Line]]:
    """Drop headers, footers and page numbers: marginal lines that most pages share."""
    most = max(2, len(pages) // 2 + 1)
    signs = [[_signs(line, number) for line in page] for number, page in enumerate(pages)]
    shared = Counter(sign for page in signs for sign in set().union(*page))
    return [
        [line for line, own in zip(page, marks, strict=True) if not any(shared[sign] >= most for sign in own)]
        for page, marks in zip(pages, signs, strict=True)
    ]


def _signs(line: _Line, page: int) -> set[str]:
    """What a marginal line shares with its like: the place, and its text or a number that counts pages."""
    if _MARGIN <= line.at <= 1 - _MARGIN:
        return set()
    text, place = "".join(line.text.split()), f"{line.at:.2f}"
    numbers = re.findall(r"\d+", line.text)
    if len(numbers) != 1 and not re.search(r"\d[/／]\d|页共\d", text):
        return {f"{place} {text}"}
    shape = re.sub(r"\d+", "0", text)
    return {f"{place} {text}", *(f"{place} {shape} {at} {int(n) - page}" for at, n in enumerate(numbers))}


def _pdf_text(lines: Sequence[_Line]) -> str:
    """The lines as text: a paragraph that print shows by space or a two-character indent shows it here."""
    if not lines:
        return ""
    gaps = [after.top - before.bottom for before, after in pairwise(lines)]
    usual = median(gap for gap in gaps if gap > 0) if any(gap > 0 for gap in gaps) else 0.0
    out = []
    for line, gap in zip(lines, [0.0, *gaps], strict=True):
        if gap > usual + 0.5 * line.height:
            out.append("")
        indented = any(1.6 < (line.left - other.left) / max(line.height, 1.0) < 2.4 for other in lines)
        out.append(("\u3000\u3000" if indented else "") + _as_data(line.text))
    return "\n".join(out)


_OLD_OFFICE = (".doc", ".dot", ".rtf", ".wps", ".wpt", ".xls", ".xlsx", ".et", ".ppt", ".pptx", ".dps")

READERS: Mapping[str, Callable[[Path], tuple[str, ...]]] = {
    ".txt": _read_text,
    ".md": _read_markdown,
    ".html": _read_html,
    ".htm": _read_html,
    ".docx": _read_docx,
    ".pdf": _read_pdf,
}
"""Suffix (lower case) to reader: a new format is one more row."""

SUFFIXES = frozenset(READERS)
"""The suffixes that `read` takes."""

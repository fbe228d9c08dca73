"""The Word file: as many footnotes as citations, where their marks stand; and an office program opens it."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import pytest
from lxml import etree

from rag.export import reference
from rag.records import Record, answer_record
from rag.schema import Citation, Verdict
from rag.word import APPENDIX, as_word
from tests.batch.lists import answered
from tests.builders import article, whole

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FIRST, SECOND = "全市有2000余家定点医药机构接入。", "回款周期缩短为1天。"


def record(text: str, *quotes: str, question: str = "厦门有多少家？", **more: object) -> Record:
    """An answer that cites each of `quotes` of one article."""
    cited = article("".join(quotes) or "空")
    spans = [(cited.text.index(quote), quote) for quote in quotes]
    citations = tuple(Citation(n, whole(cited), at, at + len(q), q) for n, (at, q) in enumerate(spans, 1))
    return answer_record(replace(answered(question, text), citations=citations, **more))  # type: ignore[arg-type]


def part(data: bytes, name: str) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return etree.fromstring(file.read(name))


def notes(data: bytes) -> list[str]:
    """The footnotes, separators left out."""
    found = [n for n in part(data, "word/footnotes.xml") if int(n.get(f"{W}id")) > 0]
    return ["".join(note.itertext()).strip() for note in found]


def body(data: bytes) -> str:
    """The text of the document with footnotes as {n} and references to them as {=n}."""
    text = ""
    for element in part(data, "word/document.xml").iter():
        if element.tag == f"{W}footnoteReference":
            text += f"{{{element.get(f'{W}id')}}}"
        elif element.tag == f"{W}instrText":
            text += f"{{={re.search(r'NOTEREF _RefFootnote([0-9]+) ', element.text)[1]}}}"  # type: ignore[index]
        elif element.tag == f"{W}t":
            text += element.text or ""
        elif element.tag == f"{W}p":
            text += "\n"
    return text


def test_every_citation_is_one_footnote_where_its_mark_stands() -> None:
    data = as_word([record("接入2000余家[1]，缩短为1天[2]。仍是2000余家[1]。", FIRST, SECOND)])
    assert notes(data) == ["《卫生健康信息动态》2025年第4期（总第341期），《医保基金即时结算》，新华社，第6页"] * 2
    assert "接入2000余家{1}，缩短为1天{2}。仍是2000余家{=1}1。" in body(data)


def test_footnotes_run_through_all_answers_and_the_appendix_has_their_numbers() -> None:
    data = as_word([record("甲[1]。", FIRST), record("乙[1][2]。", FIRST, SECOND, question="海南呢？")], "问答结果")
    assert len(notes(data)) == 3
    text = body(data)
    assert "乙{2}{3}。" in text
    appendix = text[text.index(APPENDIX) :]
    assert [appendix.index(f"[{n}] 《卫生") for n in (1, 2, 3)] == sorted(
        appendix.index(f"[{n}] 《") for n in (1, 2, 3)
    )
    assert appendix.index("海南呢？") < appendix.index(SECOND)
    headings = [
        p.text for p in docx.Document(io.BytesIO(data)).paragraphs if p.style and "Heading" in str(p.style.name)
    ]
    assert headings == ["厦门有多少家？", "海南呢？", APPENDIX, "厦门有多少家？", "海南呢？"]


def test_a_mark_that_names_no_citation_is_text_and_a_citation_without_a_mark_has_its_footnote() -> None:
    data = as_word([record("见[7]和[x]。", FIRST)])
    assert "见[7]和[x]。{1}" in body(data)
    assert len(notes(data)) == 1


def test_a_table_stays_a_table_with_footnotes_in_its_cells() -> None:
    text = "| 地区 | 要点 |\n| --- | --- |\n| 广东 | 基层\\|医疗[1]。 |\n| 四川 | 库内未见 |"
    data = as_word([record(text, FIRST)])
    (table,) = docx.Document(io.BytesIO(data)).tables
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["地区", "要点"],
        ["广东", "基层|医疗。"],
        ["四川", "库内未见"],
    ]
    assert "基层|医疗{1}。" in body(data)


def test_a_column_of_names_leaves_the_page_to_the_column_of_sentences() -> None:
    rows = "".join(f"| {place} | {'很长的一句话，' * 9}[1]。 |\n" for place in ("广东", "四川"))
    data = as_word([record(f"| 地区 | 要点 |\n| --- | --- |\n{rows}", FIRST)])
    (table,) = docx.Document(io.BytesIO(data)).tables
    widths = [[round(cell.width.mm) for cell in row.cells if cell.width] for row in table.rows]
    assert widths == [[22, 134]] * 3


def test_a_failed_and_a_refused_answer_say_so_without_footnotes() -> None:
    refused = record("资料中未找到。", verdict=Verdict.REFUSED, reason="没有写到财政", sentences=())
    data = as_word([{"id": "1", "question": "问", "error": "大模型连不上。请检查"}, refused])
    assert notes(data) == []
    assert "结论：未能作答　大模型连不上。请检查" in body(data)
    assert "结论：资料中未找到　没有写到财政" in body(data)
    assert APPENDIX not in body(data)


def test_what_xml_can_not_hold_and_what_looks_like_markup_is_text() -> None:
    nasty = "<w:p>&amp;]]>\x00\x0b\ud800{{x}}。"
    data = as_word([record(f"{nasty}[1]", nasty, question=nasty)], nasty)
    assert "<w:p>&amp;]]>{{x}}。{1}" in body(data)


def test_chinese_fonts_have_other_names_and_paper_and_margins_are_those_of_official_documents() -> None:
    data = as_word([record("甲[1]。", FIRST)])
    made = docx.Document(io.BytesIO(data))
    east = {
        name: made.styles[name].element.rPr.find(f"{W}rFonts").get(f"{W}eastAsia")
        for name in ("Normal", "Heading 1", "Title", "引文")
    }
    assert east == {"Normal": "仿宋", "Heading 1": "黑体", "Title": "黑体", "引文": "仿宋"}
    fonts = {f.get(f"{W}name"): f.find(f"{W}altName") for f in part(data, "word/fontTable.xml")}
    assert "FangSong" in fonts["仿宋"].get(f"{W}val")
    section = made.sections[0]
    sides = (section.top_margin, section.bottom_margin, section.left_margin, section.right_margin)
    assert [round(side.mm) for side in sides if side] == [37, 35, 28, 26]
    assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("issue", "file", "source", "page", "told"),
    [
        ("动态2025年第4期（总第9期）", "a.txt", "报", 6, "《动态》2025年第4期（总第9期），《题》，报，第6页"),
        ("本期视点", "b.txt", None, None, "《本期视点》，《题》"),
        ("动态第4期", "b.txt", "", 1, "《动态》第4期，《题》，第1页"),
        ("动态（总第9期）", "b.txt", "", 1, "《动态》（总第9期），《题》，第1页"),
        ("某文件.docx", "某文件.docx", None, 3, "某文件.docx，《题》，第3页"),
    ],
)  # fmt: skip
def test_a_reference_leaves_out_what_is_not_printed(
    issue: str, file: str, source: str | None, page: int | None, told: str
) -> None:
    assert reference({"issue": issue, "file": file, "title": "题", "source": source, "page": page}) == told


def test_libreoffice_opens_it_and_prints_every_footnote(tmp_path: Path) -> None:
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        missing = "no LibreOffice: apt-get install --no-install-recommends libreoffice-writer"
        if os.environ.get("WEICE_REQUIRE_OFFICE"):
            pytest.fail(missing)
        pytest.skip(missing)
    from pypdf import PdfReader

    answers = [record(f"第{n}条：接入[1]，缩短[2]。", FIRST, SECOND, question=f"第{n}个问题？") for n in range(1, 8)]
    table = "| 地区 | 要点 |\n| --- | --- |\n| 福建 | 接入[1]。 |"
    (tmp_path / "a.docx").write_bytes(as_word([*answers, record(table, FIRST)], "问答结果"))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = [
        office,
        "--headless",
        profile,
        "--convert-to",
        "pdf",
        "--outdir",
        str(tmp_path),
        str(tmp_path / "a.docx"),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    pages = [page.extract_text() for page in PdfReader(tmp_path / "a.pdf").pages]
    text = re.sub(r"\s", "", "".join(pages))
    assert len(pages) > 1
    assert text.count("《医保基金即时结算》，新华社，第6页") == 2 * 15  # at the foot, and in the appendix
    assert all(f"第{n}个问题？" in text for n in range(1, 8))
    assert re.search(r"—\s*2\s*—", pages[1])

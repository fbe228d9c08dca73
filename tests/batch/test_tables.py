"""Tables in and out: which column asks, the same workbook with more in it, links, and nothing left as a formula."""

from __future__ import annotations

import csv
import json
import re
import tracemalloc
import zipfile
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart
from openpyxl.styles import Font
from openpyxl.worksheet.datavalidation import DataValidation

from rag.answer.filters import Filters
from rag.batch import Answering, Batch, Question, open_questions, output, tables
from rag.errors import UsageError
from rag.schema import Answer, Turn, Verdict
from tests.batch.lists import QUOTE, Answerer, answered, run, text_list, workbook

REFERENCE = "《卫生健康信息动态》2025年第4期（总第341期），《医保基金即时结算》，新华社，第6页"
ADDED = ["答案", "结论", "出处", "依据完整的句子占比", "方式", "用时（秒）", "说明"]


def questions(path: Path, **how: str) -> list[tuple[str, str]]:
    return [(row.id, row.question) for row in open_questions(path, **how)]


def cells(path: Path, sheet: int = 0) -> list[list[Any]]:
    page = load_workbook(path).worksheets[sheet]
    return [[cell.value for cell in row] for row in page.iter_rows()]


# --- in ------------------------------------------------------------


def test_the_question_column_is_guessed_or_named_or_given_by_its_letter(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("编号", "内容", "备注"), (1, "厦门有多少家？", "x"), (2, "海南呢？", "y"))
    assert questions(path) == [("2", "厦门有多少家？"), ("3", "海南呢？")]
    assert questions(path, column="备注") == questions(path, column="c") == [("2", "x"), ("3", "y")]
    assert open_questions(path).about == "a.xlsx（题），问题在“内容”列"
    with pytest.raises(UsageError, match="没有“问句”这一列，只有：编号、内容、备注"):
        open_questions(path, column="问句")
    with pytest.raises(UsageError, match="没有“Z”这一列"):
        open_questions(path, column="Z")


def test_any_sheet_is_read(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("问题",), ("甲",), title="一")
    book = load_workbook(path)
    for row in (("问题",), ("乙",)):
        (book["二"] if "二" in book.sheetnames else book.create_sheet("二")).append(row)
    book.create_sheet("空")
    book.save(path)
    assert questions(path) == [("2", "甲")]
    assert questions(path, sheet="二") == [("2", "乙")]
    with pytest.raises(UsageError, match="（空）里没有内容"):
        open_questions(path, sheet="空")
    with pytest.raises(UsageError, match="没有工作表“三”，只有：一、二、空"):
        open_questions(path, sheet="三")


def test_a_title_over_the_table_is_passed_over_and_rows_without_a_question_too(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = Workbook()
    page = book.active
    for row in (
        ["2025年基层来信问题清单"],
        ["序号", "处室", "问题"],
        [1, "医政", "甲有多少"],
        [2, "", ""],
        [3, "", "乙呢"],
    ):
        page.append(row)
    page.merge_cells("A1:C1")
    page.merge_cells("B3:B5")
    book.save(path)
    assert questions(path) == [("3", "甲有多少"), ("5", "乙呢")]


def test_a_list_without_a_header_loses_no_question(tmp_path: Path) -> None:
    assert questions(workbook(tmp_path / "a.xlsx", ("厦门有多少家定点机构？",), ("海南呢？",))) == [
        ("1", "厦门有多少家定点机构？"),
        ("2", "海南呢？"),
    ]
    path = tmp_path / "a.csv"
    path.write_text("1,厦门有多少家定点机构？\n2,海南呢？\n", encoding="utf-8")
    assert questions(path) == [("1", "厦门有多少家定点机构？"), ("2", "海南呢？")]


@pytest.mark.parametrize(
    ("said", "turns"),
    [
        ("", ()),
        ("厦门有多少家", (Turn("厦门有多少家", ""),)),
        ('[{"user": "厦门？", "assistant": "2000余家"}]', (Turn("厦门？", "2000余家"),)),
        ("问：厦门？\n答：2000余家\n以上\n问：海南？", (Turn("厦门？", "2000余家\n以上"), Turn("海南？", ""))),
        ("用户: 厦门？\n助手: 有", (Turn("厦门？", "有"),)),
    ],
)
def test_columns_may_hold_scenario_and_history(tmp_path: Path, said: str, turns: tuple[Turn, ...]) -> None:
    path = workbook(tmp_path / "a.xlsx", ("问题", "场景", "上文"), ("那海南呢", "时间线", said))
    assert list(open_questions(path)) == [Question("2", "那海南呢", turns, "时间线")]
    assert open_questions(path).about.endswith("问题在“问题”列，场景在“场景”列，上文在“上文”列")


def test_columns_may_hold_filters_and_a_column_that_is_only_called_source_does_not(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        ("问题", "来源", "筛选期号", "筛选栏目", "筛选开始日期"),
        ("厦门？", "热线", "第4期、第5期", "", "2025-02-11 00:00:00"),
        ("海南？", "热线", "", "", ""),
    )
    first, second = open_questions(path)
    assert first.filters == Filters(issues=("第4期", "第5期"), since="2025-02-11")
    assert second == Question("3", "海南？")
    assert open_questions(path).about.endswith(
        "筛选期号在“筛选期号”列，筛选栏目在“筛选栏目”列，筛选开始日期在“筛选开始日期”列"
    )


def test_a_wrong_date_is_told_with_its_row(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("问题", "筛选结束日期"), ("厦门？", ""), ("海南？", "昨天"))
    with pytest.raises(UsageError, match=r"a\.xlsx 第 3 行：日期不对：昨天。.*2025-02-11"):
        list(open_questions(path))


def test_lines_may_hold_filters_and_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "厦门？", "filters": {"columns": ["医保动态"]}}\n', encoding="utf-8")
    assert [row.filters for row in open_questions(path)] == [Filters(columns=("医保动态",))]
    path.write_text('{"question": "厦门？", "filters": {"column": ["医保动态"]}}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"第 1 行 filters\.column 不对"):
        list(open_questions(path))


# --- .xlsx ------------------------------------------------------------


def test_the_workbook_is_kept_with_the_answers_beside_the_questions(tmp_path: Path) -> None:
    source, target = tmp_path / "in.xlsx", tmp_path / "out.xlsx"
    book = Workbook()
    page = book.active
    page.title = "来信"
    for row in (
        ["序号", "问题", "日期", "合计"],
        [1, "甲有多少", date(2025, 2, 11), "=A2+1"],
        [2, "乙呢", None, None],
    ):
        page.append(row)
    page["B1"].font = Font(bold=True, color="FF0000")
    page.column_dimensions["B"].width = 33
    page.row_dimensions[2].height = 15
    page.add_data_validation(DataValidation("list", formula1='"1,2"', sqref="A2:A9"))
    book.create_sheet("说明").append(["别动我"])
    book.save(source)
    run(source, target, Answerer("乙呢"))
    kept = load_workbook(target)
    page = kept["来信"]
    assert kept.sheetnames == ["来信", "说明", "引文"]
    assert [cell.value for cell in page[1]] == ["序号", "问题", "日期", "合计", *ADDED, "原文1"]
    assert [cell.value for cell in page[2]][:4] == [1, "甲有多少", page["C2"].value, "=A2+1"]
    told = [cell.value for cell in page[2]][4:]
    assert told == [
        "答：甲有多少[1]。",
        "已回答",
        f"[1] {REFERENCE}",
        0.5,
        "大模型作答（scripted）",
        1.2,
        None,
        "[1] 第6页",
    ]
    assert [cell.value for cell in page[3]][4:] == [
        None,
        "未能作答",
        None,
        None,
        None,
        None,
        "大模型连不上。请检查",
        None,
    ]
    assert page["C2"].value.date() == date(2025, 2, 11)
    assert (page["B1"].font.color.rgb, page["E1"].font.bold, page.column_dimensions["B"].width) == (
        "00FF0000",
        True,
        33,
    )
    assert (page["E2"].alignment.wrap_text, page["H2"].number_format) == (True, "0%")
    assert page.column_dimensions["E"].width == 64
    assert page.row_dimensions[2].height == 33  # two lines of reference, though it was 15
    assert (page["A2"].alignment.vertical, page["A2"].alignment.wrap_text) == ("top", None)
    assert page.data_validations.dataValidation[0].sqref
    assert kept["说明"]["A1"].value == "别动我"


def repacked(path: Path, part: str, *changes: tuple[str, str]) -> None:
    """Change texts of one part of a workbook, as another program writes them."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    for before, after in changes:
        assert before.encode() in parts[part]
        parts[part] = parts[part].replace(before.encode(), after.encode())
    with zipfile.ZipFile(path, "w") as new:
        for name, data in parts.items():
            new.writestr(name, data)


def test_a_workbook_of_wps_makes_the_round_trip(tmp_path: Path) -> None:
    source, target = (
        workbook(tmp_path / "in.xlsx", ("序号", "问题"), (1, "甲有多少"), (2, "乙呢")),
        tmp_path / "out.xlsx",
    )
    repacked(
        source,
        "xl/worksheets/sheet1.xml",
        ('<dimension ref="A1:B3"/>', '<dimension ref="A1"/>'),
        ("<sheetData>", '<cols><col min="1" max="16384" width="9.5" customWidth="1"/></cols><sheetData>'),
        ("<worksheet ", '<worksheet xmlns:etc="http://www.wps.cn/officeDocument/2017/etCustomData" '),
        ('<row r="2">', '<row r="2" ht="18" customHeight="1" spans="1:2">'),
    )
    repacked(source, "docProps/app.xml", ("Microsoft Excel", "WPS 表格"))
    run(source, target, Answerer())
    page = load_workbook(target).worksheets[0]
    assert [[cell.value for cell in row[:3]] for row in page.iter_rows()] == [
        ["序号", "问题", "答案"],
        [1, "甲有多少", "答：甲有多少[1]。"],
        [2, "乙呢", "答：乙呢[1]。"],
    ]
    with zipfile.ZipFile(target) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    spans = [(int(a), int(b)) for a, b in re.findall(r'<col [^>]*?min="(\d+)" max="(\d+)"', sheet)]
    assert len(spans) == 11
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    assert [page.column_dimensions[letter].width for letter in "ABC"] == [9.5, 9.5, 64]
    answerer = Answerer()
    run(target, tmp_path / "again.xlsx", answerer)
    assert answerer.questions == ["甲有多少", "乙呢"]


def test_every_citation_is_linked_to_its_quote_and_back(tmp_path: Path) -> None:
    source, target = workbook(tmp_path / "in.xlsx", ("问题",), ("甲有多少",), ("乙呢",)), tmp_path / "out.xlsx"
    run(source, target, Answerer())
    book = load_workbook(target)
    page, beside = book["题"], book["引文"]
    assert [cell.value for cell in beside[1]] == ["行", "问题", "编号", "引文（原文）", "出处"]
    assert [cell.value for cell in beside[3]] == ["第3行", "乙呢", "[1]", QUOTE, REFERENCE]
    link = page.cell(3, page.max_column)
    assert (link.value, link.hyperlink.location) == ("[1] 第6页", "'引文'!A3")
    assert beside["A3"].hyperlink.location == "'题'!A3"


def test_an_empty_column_of_a_template_is_filled_and_a_filled_one_is_left(tmp_path: Path) -> None:
    source = workbook(tmp_path / "in.xlsx", ("问题", "答案", "说明"), ("甲有多少", None, "急"))
    run(source, tmp_path / "out.xlsx", Answerer())
    header, row = cells(tmp_path / "out.xlsx")
    assert header == [
        "问题",
        "答案",
        "说明",
        "结论",
        "出处",
        "依据完整的句子占比",
        "方式",
        "用时（秒）",
        "说明",
        "原文1",
    ]
    assert row[:4] == ["甲有多少", "答：甲有多少[1]。", "急", "已回答"]


def test_a_template_whose_cells_are_merged_is_answered_beside_it(tmp_path: Path) -> None:
    source = workbook(tmp_path / "in.xlsx", ("问题", "答案", "说明"), ("甲有多少",), ("乙有多少",), ("丙有多少",))
    book = load_workbook(source)
    book.active.merge_cells("B2:B3")
    book.active.merge_cells("C4:D4")
    book.save(source)
    run(source, tmp_path / "out.xlsx", Answerer())
    page = load_workbook(tmp_path / "out.xlsx").worksheets[0]
    assert [cell.value for cell in page[1]] == ["问题", "答案", "说明", None, *ADDED, "原文1"]
    assert [page.cell(row, 5).value for row in (2, 3, 4)] == [f"答：{q}有多少[1]。" for q in "甲乙丙"]
    assert sorted(map(str, page.merged_cells.ranges)) == ["B2:B3", "C4:D4"]


def test_the_result_can_be_a_list_again(tmp_path: Path) -> None:
    source = workbook(tmp_path / "in.xlsx", ("问题",), ("甲有多少",))
    run(source, tmp_path / "one.xlsx", Answerer())
    answerer = Answerer()
    run(tmp_path / "one.xlsx", tmp_path / "two.xlsx", answerer)
    assert answerer.questions == ["甲有多少"]
    assert load_workbook(tmp_path / "two.xlsx").sheetnames == ["题", "引文", "引文（2）"]


def test_a_list_without_a_header_gets_one(tmp_path: Path) -> None:
    source = workbook(tmp_path / "in.xlsx", ("厦门有多少家定点机构？",), ("海南有多少家定点机构？",))
    run(source, tmp_path / "out.xlsx", Answerer())
    header, *rows = cells(tmp_path / "out.xlsx")
    assert header[1:3] == ["答案", "结论"]
    assert [row[0] for row in rows] == ["厦门有多少家定点机构？", "海南有多少家定点机构？"]


FORMULAS = ('=HYPERLINK("http://evil.example","点我")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "=1+1")


def test_formulas_in_questions_and_answers_are_text(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["问题", "数"], *([text, "-5"] for text in FORMULAS)])

    def ask(row: Question) -> Answer:
        return answered(row.question, f"{row.question}[1]。", quote=f"{row.question}。")

    run(source, tmp_path / "out.xlsx", ask)
    run(source, tmp_path / "out.csv", ask)
    for page in load_workbook(tmp_path / "out.xlsx").worksheets:
        for row in page.iter_rows(min_row=2):
            assert [cell.coordinate for cell in row if cell.data_type == "f"] == []
            assert [c.coordinate for c in row if str(c.value).startswith(("=", "+", "@")) and not c.quotePrefix] == []
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        _, *rows = csv.reader(file)
    assert [row[0] for row in rows] == [f"'{text}" for text in FORMULAS]
    assert {row[1] for row in rows} == {"-5"}
    assert all(not cell.startswith(("=", "+", "@")) for row in rows for cell in row)


def test_a_formula_in_the_question_column_of_a_workbook_becomes_what_was_asked(tmp_path: Path) -> None:
    source = tmp_path / "in.xlsx"
    book = Workbook()
    for row in (["问题"], ["甲有多少"], ["=1+1"]):
        book.active.append(row)
    book.save(source)
    sheet = "xl/worksheets/sheet1.xml"
    repacked(source, sheet, ("<f>1+1</f><v></v>", "<f>1+1</f><v>乙有多少</v>"), ('<c r="A3">', '<c r="A3" t="str">'))
    run(source, tmp_path / "out.xlsx", Answerer())
    page = load_workbook(tmp_path / "out.xlsx").worksheets[0]
    assert (page["A3"].value, page["A3"].data_type) == ("乙有多少", "s")


def test_a_cell_too_long_for_a_spreadsheet_and_characters_it_can_not_hold_break_nothing(tmp_path: Path) -> None:
    source = text_list(tmp_path / "in.txt", "甲有多少")
    run(source, tmp_path / "out.xlsx", lambda row: answered(row.question, "长\x0b\ud800\ufffe" * 10_000))
    text = cells(tmp_path / "out.xlsx")[1][1]
    assert text == "长?" * 10_000
    run(source, tmp_path / "out.xlsx", lambda row: answered(row.question, "长" * 40_000), "other")
    text = cells(tmp_path / "out.xlsx")[1][1]
    assert len(text) == 32_767
    assert text.endswith("（单元格放不下，全文请用 .jsonl）")


def test_charts_that_will_be_missing_are_told(tmp_path: Path) -> None:
    source = workbook(tmp_path / "in.xlsx", ("问题",), ("甲有多少",))
    book = load_workbook(source)
    book.active.add_chart(BarChart(), "D1")
    book.save(source)
    said: list[str] = []
    run(source, tmp_path / "out.xlsx", Answerer(), say=said.append)
    assert said == ["in.xlsx 里的图表和图形不会带到结果里"]


def test_a_large_workbook_is_written_row_by_row_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "KEPT_BYTES", 10)
    rows = [(n, f"第{n}个问题是什么", None, "尾") for n in range(2, 40)]
    source = workbook(tmp_path / "in.xlsx", ("号", "问题", "空", "尾"), *rows)
    said: list[str] = []
    run(source, tmp_path / "out.xlsx", Answerer(), say=said.append, limit=30)
    assert said == ["in.xlsx 很大，结果是新的工作簿：只有这张表的文字，没有原来的格式和别的工作表"]
    header, *got = cells(tmp_path / "out.xlsx")
    assert header == ["号", "问题", "空", "尾", *ADDED, "原文1"]
    assert [row[:4] for row in got] == [[str(n), question, e, t] for n, question, e, t in rows]
    assert [row[4] is not None for row in got] == [True] * 30 + [False] * 8
    page = load_workbook(tmp_path / "out.xlsx").worksheets[0]
    assert page.cell(31, 12).hyperlink.location == "'引文'!A31"


def test_links_beyond_what_a_sheet_takes_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_LINKS", 2)
    source = text_list(tmp_path / "in.txt", "甲有多少", "乙有多少", "丙有多少")
    run(source, tmp_path / "out.xlsx", Answerer())
    for page in load_workbook(tmp_path / "out.xlsx").worksheets:
        links = [cell for row in page.iter_rows() for cell in row if cell.hyperlink]
        assert len(links) == 2


def test_a_workbook_whose_sheet_is_only_locked_against_changes_is_answered(tmp_path: Path) -> None:
    source = workbook(tmp_path / "in.xlsx", ("问题",), ("甲有多少",))
    book = load_workbook(source)
    book.active.protection.sheet = True
    book.active.protection.password = "x"  # noqa: S105  # of a test
    book.save(source)
    assert run(source, tmp_path / "out.xlsx", Answerer()).done == 1
    assert cells(tmp_path / "out.xlsx")[1][1] == "答：甲有多少[1]。"


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95])
def test_a_workbook_that_is_cut_off_is_told(tmp_path: Path, kept: float) -> None:
    source = workbook(tmp_path / "in.xlsx", ("问题",), *((f"第{n}个问题是什么",) for n in range(400)))
    whole = source.read_bytes()
    source.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(
        UsageError, match=r"in\.xlsx 不是 Excel 工作簿，或已损坏。请用 Excel 或 WPS 打开，另存为 \.xlsx"
    ):
        run(source, tmp_path / "out.xlsx", Answerer())


def test_a_workbook_with_a_damaged_sheet_is_told(tmp_path: Path) -> None:
    source = workbook(tmp_path / "in.xlsx", ("问题",), *((f"第{n}个问题是什么",) for n in range(400)))
    repacked(source, "xl/worksheets/sheet1.xml", ("</sheetData>", "</sheetDa"))
    answerer = Answerer()
    with pytest.raises(UsageError, match=r"in\.xlsx 不是 Excel 工作簿，或已损坏"):
        run(source, tmp_path / "out.xlsx", answerer)
    assert answerer.asked == []


def test_a_protected_workbook_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    with pytest.raises(UsageError, match=r"a\.xlsx 有密码保护"):
        run(path, tmp_path / "out.xlsx", Answerer())


# --- .csv ------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-8", "utf-8-sig"])
def test_a_csv_of_excel_or_wps_makes_the_round_trip(tmp_path: Path, encoding: str) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(
        '编号,问题,备注\r\n001,"厦门，有多少家？",①\r\n,,\r\n002,海南呢？,"两\r\n行"\r\n'.encode(encoding)
    )
    run(source, tmp_path / "out.csv", Answerer())
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["编号", "问题", "备注", *ADDED, "引文"]
    assert [row[:3] for row in rows] == [["001", "厦门，有多少家？", "①"], ["002", "海南呢？", "两\n行"]]
    assert rows[0][3:] == [
        *("答：厦门，有多少家？[1]。", "已回答", f"[1] {REFERENCE}", "0.5", "大模型作答（scripted）", "1.2", ""),
        f"[1] “{QUOTE}”",
    ]
    answerer = Answerer()
    run(tmp_path / "out.csv", tmp_path / "again.csv", answerer)
    assert answerer.questions == ["厦门，有多少家？", "海南呢？"]


def test_a_list_of_lines_becomes_a_table_with_its_ids(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"id": "q1", "question": "甲有多少"}), encoding="utf-8")
    run(source, tmp_path / "out.xlsx", lambda row: answered(row.question, verdict=Verdict.REFUSED))
    header, row = cells(tmp_path / "out.xlsx")
    assert (header[:4], row[:4]) == (
        ["编号", "问题", "答案", "结论"],
        ["q1", "甲有多少", "答：甲有多少[1]。", "资料中未找到"],
    )


def test_a_long_list_is_not_held_in_memory(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    with source.open("w", encoding="utf-8") as file:
        file.write("问题\n")
        file.writelines(f"第{n}个问题{'很长' * 500}\n" for n in range(6_000))
    asked = open_questions(source)
    with Batch(tmp_path / "b.db") as batch:
        tracemalloc.start()
        try:
            batch.create(asked, {}, key=lambda row: row.id)
            batch.run(Answering.plain(Answerer(), ""), limit=2)
            output.write(tmp_path / "out.csv", batch.records(), asked)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert batch.status().counts.waiting == 5_998
    assert (tmp_path / "out.csv").read_bytes().count(b"\n") == 6_001
    assert peak < source.stat().st_size / 3

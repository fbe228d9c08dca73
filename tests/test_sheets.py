"""Tables as people save them: Excel workbooks, CSV in UTF-8 and GBK, plain lists; and what is refused."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from rag.errors import UsageError
from rag.sheets import guess_column, open_sheet, write_table
from tests.batch.lists import workbook


def repacked(path: Path, part: str, old: str, new: str) -> Path:
    """The workbook with a text of one of its parts changed, as other programs write it."""
    with zipfile.ZipFile(path) as old_file:
        parts = {name: old_file.read(name) for name in old_file.namelist()}
    assert old.encode() in parts[part]
    parts[part] = parts[part].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w") as new_file:
        for name, data in parts.items():
            new_file.writestr(name, data)
    return path


def refused(path: Path, sheet: str | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        list(open_sheet(path, sheet).rows())
    assert caught.value.next_step
    return str(caught.value)


def test_rows_come_with_the_numbers_that_the_spreadsheet_shows_and_without_empty_ones(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", (), ("编号", " 问题 "), (1, "甲"), (), (None, "  "), (2, "乙\n丙"), (3,))
    sheet = open_sheet(path)
    assert (sheet.name, sheet.header) == ("题", ("编号", "问题"))
    assert list(sheet.rows()) == [(3, ("1", "甲")), (6, ("2", "乙\n丙")), (7, ("3", ""))]
    assert list(sheet.rows()) == list(sheet.rows())


def test_cells_read_as_a_person_sees_them(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = Workbook()
    page = book.active
    page.append(["列"])
    shown: list[tuple[object, str, str]] = [
        (12, "General", "12"),
        (12.0, "General", "12"),
        (0.1 + 0.2, "General", "0.3"),
        (926.9, "0.00", "926.9"),
        (20250101001.0, "General", "20250101001"),
        (0.35, "0%", "35%"),
        (1, "0.00%", "100%"),
        (35, '0"%"', "35"),
        (True, "General", "TRUE"),
        (dt.date(2025, 2, 11), "yyyy-mm-dd", "2025-02-11"),
        (dt.datetime(2025, 2, 11, 9, 30), "yyyy-mm-dd hh:mm", "2025-02-11 09:30:00"),
        (dt.time(9, 30), "hh:mm", "09:30:00"),
        ("#N/A", "General", "#N/A"),
        ("一行_x000D_\n两行", "General", "一行\n两行"),
    ]
    for value, shape, _ in shown:
        page.append([value])
        page.cell(page.max_row, 1).number_format = shape
    book.save(path)
    assert [cells[0] for _, cells in open_sheet(path).rows()] == [text for _, _, text in shown]


def test_a_formula_gives_the_value_that_was_saved_with_it(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("数",), ("=1+1",))
    repacked(path, "xl/worksheets/sheet1.xml", "<f>1+1</f><v></v>", "<f>1+1</f><v>2</v>")
    assert [cells for _, cells in open_sheet(path).rows()] == [("2",)]


def test_a_merged_cell_has_its_value_in_the_first_cell_only(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("题", "注"), ("甲", "x"), ("乙", "y"))
    book = load_workbook(path)
    book.active.merge_cells("A2:A3")
    book.save(path)
    assert list(open_sheet(path).rows()) == [(2, ("甲", "x")), (3, ("", "y"))]


def test_a_wrong_size_stored_by_another_program_hides_nothing(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("题", "注"), ("甲", "x"))
    repacked(path, "xl/worksheets/sheet1.xml", '<dimension ref="A1:B2"', '<dimension ref="A1"')
    assert list(open_sheet(path).rows()) == [(2, ("甲", "x"))]


def test_the_first_sheet_that_is_not_hidden_is_read_unless_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = Workbook()
    for name in ("旧", "新", "再新"):
        page = book.create_sheet(name)
        page.append(["题"])
        page.append([name])
    del book["Sheet"]
    book["旧"].sheet_state = "hidden"
    book.active = 1
    book.save(path)
    assert open_sheet(path).name == "新"
    assert list(open_sheet(path, "再新").rows()) == [(2, ("再新",))]
    assert "没有工作表“末”，只有：旧、新、再新" in refused(path, "末")


CSV = '编号,问题\n1,"厦门有多少家？\n请直说，谢谢"\n\n2,海南呢\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_read_in_the_encodings_of_excel_and_wps(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "表.csv"
    path.write_bytes(CSV.replace("\n", end).encode(encoding))
    sheet = open_sheet(path)
    assert (sheet.name, sheet.header) == ("表", ("编号", "问题"))
    rows = [(number, [cell.replace("\r", "") for cell in cells]) for number, cells in sheet.rows()]
    assert rows == [(2, ["1", "厦门有多少家？\n请直说，谢谢"]), (4, ["2", "海南呢"])]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_is_read_with_any_usual_separator(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(separator.join(["编号", "问题", "注"]) + "\n" + separator.join(["1", "甲", "乙"]), "utf-8")
    assert list(open_sheet(path).rows()) == [(2, ("1", "甲", "乙"))]


def test_a_rare_character_far_down_does_not_change_how_the_beginning_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"question\n" + b"plain\n" * 300_000 + "䶮".encode("gb18030"))
    *_, last = open_sheet(path).rows()
    assert last == (300_002, ("䶮",))


def test_a_plain_list_has_a_question_a_line_and_no_header(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("厦门，有多少家？\r\n\r\n 海南呢\r\n".encode("gbk"))
    sheet = open_sheet(path)
    assert sheet.header == ("问题",)
    assert list(sheet.rows()) == [(1, ("厦门，有多少家？",)), (3, ("海南呢",))]


def test_rows_are_streamed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("题\n甲\n" + "乙\n" * 3_000_000 + '"', encoding="utf-8")
    rows = open_sheet(path).rows()
    assert next(rows) == (2, ("甲",))  # the damaged end is not reached


def test_what_is_no_table_is_refused_by_name_and_with_a_next_step(tmp_path: Path) -> None:
    def file(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    assert "找不到表格" in refused(tmp_path / "none.xlsx")
    assert "另存为 .xlsx" in refused(file("old.xls", b"x"))
    assert "不支持这种表格：a.docx" in refused(file("a.docx", b"x"))
    assert "locked.xlsx 有密码保护" in refused(file("locked.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600))
    assert "broken.xlsx 不是 Excel 工作簿，或已损坏" in refused(file("broken.xlsx", b"PK\x03\x04 torn"))
    assert "empty.xlsx 不是 Excel 工作簿" in refused(file("empty.xlsx", b""))
    assert "里没有内容" in refused(workbook(tmp_path / "blank.xlsx"))
    assert "里没有内容" in refused(workbook(tmp_path / "head.xlsx", ("问题",)))
    assert "里没有内容" in refused(file("empty.csv", b""))
    assert "里没有内容" in refused(file("empty.txt", b"\n \n"))
    assert "编码认不出来" in refused(file("binary.csv", b"\xff\x00\x81\x20" * 8))
    assert "双引号不成对" in refused(file("quote.csv", '题\n甲\n"乙\n'.encode()))
    assert "不是工作簿" in refused(file("a.csv", "题\n甲\n".encode()), "题")


def test_a_workbook_that_is_damaged_further_down_is_refused_while_it_is_read(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("题",), *((f"{n}",) for n in range(5000)))
    repacked(path, "xl/worksheets/sheet1.xml", '<row r="4900"', "<row <r>")
    sheet = open_sheet(path)
    with pytest.raises(UsageError, match="已损坏"):
        list(sheet.rows())


def test_a_column_is_found_by_its_letters_and_refused_where_it_is_missing_or_twice(tmp_path: Path) -> None:
    sheet = open_sheet(workbook(tmp_path / "a.xlsx", ("注", "*问 题：", "Must_Not", "注"), ("x", "甲")))
    assert sheet.column("问题") == sheet.find("提问", "问题") == 1
    assert sheet.find("must_not") == 2
    assert sheet.find("答案") is None
    with pytest.raises(UsageError, match="没有“答案”这一列，只有：注、"):
        sheet.column("答案")
    with pytest.raises(UsageError, match="2 列都叫“注”"):
        sheet.find("注")


@pytest.mark.parametrize(
    ("header", "rows", "place"),
    [
        (("编号", "问题"), [], 1),
        (("题目", "回答"), [], 0),
        (("标题", "Question "), [], 1),
        (
            ("问题编号", "内容", "备注"),
            [("1", "厦门有多少家", "很长很长很长的备注，说明了来由"), ("2", "海南呢", "")],
            1,
        ),
        (("a", "b"), [("1", "湖南中药材种植面积"), ("2", "浙江的安排")], 1),
        (("只此",), [], 0),
    ],
)
def test_the_question_column_is_guessed(header: tuple[str, ...], rows: list[tuple[str, ...]], place: int) -> None:
    assert guess_column(header, rows) == place


def test_a_table_to_fill_in_keeps_its_text_and_never_covers_another(tmp_path: Path) -> None:
    path = tmp_path / "模板.xlsx"
    write_table(path, (("问题", "可回答"), ("厦门\n海南", "是")), {1: ("是", "否")})
    assert list(open_sheet(path).rows()) == [(2, ("厦门\n海南", "是"))]
    page = load_workbook(path).active
    assert page.freeze_panes == "A2"
    assert page["A2"].alignment.wrap_text
    assert page.column_dimensions["A"].number_format == "@"
    assert [(str(d.sqref), d.formula1) for d in page.data_validations.dataValidation] == [("B2:B2000", '"是,否"')]
    with pytest.raises(UsageError, match="已经存在"):
        write_table(path, (("x",),), {})

"""Questions that staff wrote in Excel become a dataset, or everything that is wrong is named at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from eval.cases import CASE_TYPES, Case, Source, check_library, letters, load
from eval.importing import COLUMNS, Imported, Problem, import_table, render, write_template
from rag.corpus.articles import parse
from rag.corpus.readers import read
from rag.errors import StorageError, UsageError
from rag.schema import Article, Issue, Turn
from tests.builders import ROOT, SEEDS
from tests.ui.standin import QUOTE, ROUND, StandIn
from ui.cli import main

XIAMEN = "厦门全市 2000余家\n定点医药机构接入**即时结算**系统。"
SHARED = "各地要抓好落实。"
ARTICLES = (
    Article("1#1", Issue("library/341.txt"), "回款大提速", XIAMEN + SHARED),
    Article("1#2", Issue("library/341.txt"), "中医药 新愿景", "湖南种植485万亩。" + SHARED),
    Article("2#1", Issue("b.txt"), "回款大提速", "海南缩短为1天。"),
)
HEAD = ("问题", "要点", "原文")
GOOD = ("厦门有多少家", "2000余家/两千余家", "2000余家定点医药机构")


def table(folder: Path, *rows: tuple[object, ...]) -> Path:
    path = folder / "题.xlsx"
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def imported(folder: Path, *rows: tuple[object, ...]) -> Imported:
    return import_table(table(folder, *rows), folder / "题.jsonl", ARTICLES, force=True)


def written(folder: Path, *rows: tuple[object, ...]) -> tuple[Case, ...]:
    result = imported(folder, *rows)
    assert result.problems == ()
    cases = load(folder / "题.jsonl")
    assert cases == result.cases
    check_library(folder / "题.jsonl", cases, ARTICLES)
    return cases


def problems(folder: Path, *rows: tuple[object, ...]) -> list[tuple[int, str, str]]:
    result = imported(folder, *rows)
    assert not (folder / "题.jsonl").exists()
    assert all(problem.next_step for problem in result.problems)
    return [(problem.row, problem.column, problem.what) for problem in result.problems]


def test_a_question_with_its_fact_and_quote_is_enough_and_the_article_is_found(tmp_path: Path) -> None:
    (case,) = written(tmp_path, HEAD, GOOD)
    assert (case.type, case.question, case.answerable, case.split) == ("factoid", "厦门有多少家", True, None)
    assert case.must == (("2000余家", "两千余家"),)
    assert case.sources == (Source("341.txt", "回款大提速", "2000余家定点医药机构"),)
    assert "split" not in (tmp_path / "题.jsonl").read_text(encoding="utf-8")


def test_every_column_lands_in_its_field(tmp_path: Path) -> None:
    row = (
        7, "追问", "那湖南呢", "问：厦门多少家\n答：2000余家\n问：当真？答：是的，\n见第6页",
        "485万亩/485万|四百八十五万亩；增加\n12亩/人|", "500万；六百万/600万",
        "341.txt", "中医药新愿景", "湖南种植485万亩", "是", "test", "李四",
    )  # fmt: skip
    (case,) = written(tmp_path, (*COLUMNS, "出题人"), row)
    assert (case.id, case.type, case.split) == ("7", "followup", "test")
    assert case.history == (Turn("厦门多少家", "2000余家"), Turn("当真？", "是的，\n见第6页"))
    assert case.must == (("485万亩/485万", "四百八十五万亩"), ("增加",), ("12亩/人",))
    assert case.must_not == ("500万", "六百万", "600万")
    assert case.sources == (Source("341.txt", "中医药 新愿景", "湖南种植485万亩"),)
    assert imported(tmp_path, (*COLUMNS, "出题人"), row).unused == ("出题人",)


def test_english_columns_and_types_and_a_gbk_csv_do_as_well(tmp_path: Path) -> None:
    path = tmp_path / "题.csv"
    text = f"ID,Type,Question,must,quote,answerable\r\na1,LIST,{','.join(GOOD)},Yes\r\na2,,财政收入是多少,,,no\r\n"
    path.write_bytes(text.encode("gbk"))
    cases = import_table(path, tmp_path / "o.jsonl", ARTICLES).cases
    assert [(case.id, case.type, case.answerable) for case in cases] == [
        ("a1", "list", True),
        ("a2", "unanswerable", False),
    ]


@pytest.mark.parametrize(("type_", "chinese"), CASE_TYPES.items())
def test_a_type_goes_by_either_name(tmp_path: Path, type_: str, chinese: str) -> None:
    head = ("类型", "问题", "追问前文", "可回答")
    rows = [(name, name, "问：甲答：乙", "否") for name in (type_, chinese)]
    assert [case.type for case in written(tmp_path, head, *rows)] == [type_, type_]


def test_type_and_answerable_follow_from_what_else_is_written(tmp_path: Path) -> None:
    head = (*HEAD, "类型", "可回答", "追问前文")
    cases = written(
        tmp_path,
        head,
        (*GOOD, "", "", "问：甲\n答：乙"),
        ("财政收入", "", "", "", "否", ""),
        ("财政支出", "", "", "资料中没有", "", ""),
    )
    assert [(case.type, case.answerable) for case in cases] == [
        ("followup", True),
        ("unanswerable", False),
        ("unanswerable", False),
    ]


def test_several_quotes_stand_a_line_each_and_one_file_stands_for_all(tmp_path: Path) -> None:
    head = (*HEAD, "文件", "文章")
    quotes = "2000余家定点医药机构\n485万亩"
    found = (
        Source("341.txt", "回款大提速", "2000余家定点医药机构"),
        Source("341.txt", "中医药 新愿景", "485万亩"),
    )
    for question, file, article in (
        ("一", "", ""),
        ("二", "341.txt", ""),
        ("三", "341.txt\n341.txt", "回款大提速\n中医药新愿景"),
    ):
        (case,) = written(tmp_path, head, (question, "要点", quotes, file, article))
        assert case.sources == found


def test_an_id_that_was_not_written_stays_when_the_row_moves(tmp_path: Path) -> None:
    other = ("湖南呢", "485万亩", "485万亩")
    first, second = written(tmp_path, HEAD, GOOD, other)
    assert [case.id for case in written(tmp_path, HEAD, other, (), GOOD)] == [second.id, first.id]
    assert first.id != second.id


def test_all_that_is_wrong_in_all_rows_is_named_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        (*HEAD, "类型", "可回答", "追问前文", "划分"),
        ("", "是的", "485万亩", "", "", "", ""),
        ("甲", "", "", "", "", "", ""),
        ("乙", "有", "", "", "否", "", ""),
        ("丙", "65元/人", "485万亩", "谜语", "也许", "厦门呢", "练习"),
        ("丁", "2025-02-11", "查无此句", "追问", "", "", ""),
        ("戊", "要点", SHARED, "资料中没有", "是", "", ""),
        (*GOOD, "", "", "", ""),
        (*GOOD, "", "", "", ""),
    )
    assert found == [
        (2, "问题", "没有写问题"),
        (3, "要点", "可以回答的题要写这一项"),
        (3, "原文", "可以回答的题要写这一项"),
        (4, "要点", "资料里没有答案的题不写这一项"),
        (4, "要点", "“有”只有一个字，太容易碰上"),
        (5, "追问前文", "看不出哪句是问、哪句是答"),
        (5, "类型", "不认识“谜语”"),
        (5, "可回答", "不认识“也许”"),
        (5, "要点", "“人”只有一个字，太容易碰上"),
        (5, "划分", "不认识“练习”"),
        (6, "追问前文", "追问要有前文"),
        (6, "要点", "2025-02-11 是表格软件改写过的日期"),
        (6, "原文", "资料库里没有“查无此句”"),
        (7, "可回答", "类型是“资料中没有”，却写着可以回答"),
        (7, "原文", f"有 2 篇文章里有“{SHARED}”：《回款大提速》（341.txt）、《中医药 新愿景》（341.txt）"),
        (9, "问题", "与第 8 行相同"),
    ]


def test_an_ambiguous_quote_is_settled_by_its_article(tmp_path: Path) -> None:
    (case,) = written(tmp_path, (*HEAD, "文章"), ("戊", "落实", SHARED, "回款大提速"))
    assert case.sources[0].article == "回款大提速"


def test_a_quote_that_stands_elsewhere_says_where(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        (*HEAD, "文件", "文章"),
        ("甲", "要点", "485万亩", "", "回款大提速"),
        ("乙", "要点", "485万亩", "b.txt", "中医药新愿景"),
        ("丙", "要点", "485万亩\n1天", "341.txt\nb.txt\nb.txt", ""),
    )
    assert found == [
        (2, "文章", "“485万亩”不在这里，而在《中医药 新愿景》（341.txt）"),
        (3, "文件", "“485万亩”不在这里，而在《中医药 新愿景》（341.txt）"),
        (4, "文件", "有 3 行，而原文有 2 行"),
    ]


def test_two_rows_with_one_id_are_refused(tmp_path: Path) -> None:
    rows = [(1, *GOOD), ("1", "湖南呢", "485万亩", "485万亩")]
    assert problems(tmp_path, ("编号", *HEAD), *rows) == [(3, "编号", "1 与第 2 行相同")]


def test_a_table_without_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="没有“问题”这一列，只有：标题、要点"):
        imported(tmp_path, ("标题", "要点"), ("甲", "乙"))
    with pytest.raises(UsageError, match="里没有题"):
        imported(tmp_path, ("编号", *HEAD), ("示例", *GOOD))


def test_a_dataset_that_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    path, target = table(tmp_path, HEAD, GOOD), tmp_path / "o.jsonl"
    target.write_text("旧", encoding="utf-8")
    with pytest.raises(UsageError, match="已经存在"):
        import_table(path, target, ARTICLES)
    wrong = table(tmp_path, HEAD, ("甲", "", ""))
    assert import_table(wrong, target, ARTICLES, force=True).problems
    assert target.read_text(encoding="utf-8") == "旧"
    import_table(table(tmp_path, HEAD, GOOD), target, ARTICLES, force=True)
    assert len(load(target)) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["o.jsonl", "题.xlsx"]


def test_the_table_itself_is_never_the_target_and_a_folder_must_be_there(tmp_path: Path) -> None:
    path = table(tmp_path, HEAD, GOOD)
    with pytest.raises(UsageError, match=r"以 \.jsonl 结尾"):
        import_table(path, path, ARTICLES, force=True)
    with pytest.raises(StorageError, match="写不进"):
        import_table(path, tmp_path / "无" / "o.jsonl", ARTICLES)


def test_the_summary_counts_types_and_names_the_next_command(tmp_path: Path) -> None:
    result = imported(tmp_path, (*HEAD, "可回答", "备注"), (*GOOD, "", ""), ("财政", "", "", "否", "x"))
    assert render(result, Path("o.jsonl")).splitlines() == [
        "没有用到的列：备注",
        "写好 2 题（单一事实 1、资料中没有 1）：o.jsonl",
        "下一步：weice eval run o.jsonl",
    ]
    wrong = Imported((), (Problem(3, "原文", "没有写", "请补上"),), ())
    assert render(wrong, Path("o.jsonl")) == "第 3 行“原文”：没有写。请补上"


def test_the_template_offers_the_types_and_its_example_is_no_question(tmp_path: Path) -> None:
    path = tmp_path / "模板.xlsx"
    write_template(path)
    book = load_workbook(path)
    page = book.active
    assert [cell.value for cell in page[1]] == list(COLUMNS)
    offered = [validation.formula1 for validation in page.data_validations.dataValidation]
    assert offered[0].startswith('"单一事实,列举,')
    page.append([None, None, GOOD[0], None, GOOD[1], None, None, None, GOOD[2]])
    book.save(path)
    assert [case.question for case in import_table(path, tmp_path / "o.jsonl", ARTICLES).cases] == [GOOD[0]]
    with pytest.raises(UsageError, match="已经存在"):
        write_template(path)
    with pytest.raises(UsageError, match=r"以 \.xlsx 结尾"):
        write_template(tmp_path / "模板.xls")


def test_the_development_questions_come_back_from_a_table_that_names_no_article(tmp_path: Path) -> None:
    cases = load(ROOT / "eval" / "datasets" / "dev.jsonl")
    articles = [article for file in sorted(SEEDS.glob("*.txt")) for article in parse(file.name, read(file)).articles]
    rows = [
        (
            case.id,
            CASE_TYPES[case.type],
            case.question,
            "\n".join(f"问：{turn.user}\n答：{turn.assistant}" for turn in case.history),
            "\n".join("|".join((*fact, "")) for fact in case.must),
            "\n".join(" ".join(source.quote.split()) for source in case.sources),
            "是" if case.answerable else "否",
        )
        for case in cases
    ]
    path = table(tmp_path, ("编号", "类型", "问题", "追问前文", "要点", "原文", "可回答"), *rows)
    assert import_table(path, tmp_path / "o.jsonl", articles).problems == ()
    again = load(tmp_path / "o.jsonl")
    check_library(tmp_path / "o.jsonl", again, articles)
    assert [replace(case, sources=()) for case in again] == [replace(c, sources=(), must_not=()) for c in cases]
    assert [_places(case) for case in again] == [_places(case) for case in cases]


def _places(case: Case) -> list[tuple[str, str]]:
    return [(source.file, letters(source.article)) for source in case.sources]


def weice(folder: Path, *args: str) -> int:
    return main(["eval", *args], build=lambda: StandIn(folder))


def test_the_commands_make_a_template_and_import_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = tmp_path / "出题.xlsx"
    assert weice(tmp_path, "template", str(template)) == 0
    assert f"weice eval import {template}" in capsys.readouterr().out
    path = table(tmp_path, HEAD, ("厦门有多少家", "2000余家", QUOTE))
    assert weice(tmp_path, "import", str(path)) == 0
    assert f"下一步：weice eval run {tmp_path / '题.jsonl'}" in capsys.readouterr().out
    (case,) = load(tmp_path / "题.jsonl")
    assert case.sources == (Source(ROUND.issue.file, ROUND.title, QUOTE),)


def test_the_command_prints_every_problem_and_ends_with_one_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path, HEAD, ("甲", "", "查无此句"), ("乙", "要点", ""))
    assert weice(tmp_path, "import", str(path), "-o", str(tmp_path / "o.jsonl")) == 2
    out, err = capsys.readouterr()
    assert [line.split("：")[0] for line in out.splitlines()] == ["第 2 行“要点”", "第 2 行“原文”", "第 3 行“原文”"]
    assert err.startswith("错误：3 处不对，没有写任何文件")
    assert not (tmp_path / "o.jsonl").exists()
    assert weice(tmp_path, "import", str(tmp_path / "无.xlsx")) == 2

"""The command line: what is printed where, exit codes, and that errors are one Chinese line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rag.answer.filters import Filters
from rag.errors import IndexBroken
from rag.settings import ROOT
from tests.ui.standin import ANSWER, StandIn
from ui.cli import main
from ui.terminal import console, show_answer

Run = Callable[..., tuple[int, str, str]]

QUESTION = "厦门有多少家定点医药机构接进了即时结算系统？"


@pytest.fixture
def app(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


@pytest.fixture
def run(app: StandIn, capsys: pytest.CaptureFixture[str]) -> Run:
    def weice(*args: str) -> tuple[int, str, str]:
        code = main(args, build=lambda: app)
        out, err = capsys.readouterr()
        return code, out, err

    return weice


def weice_process(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from ui.cli import main; sys.exit(main())", *args]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", env={**os.environ, **env}, check=False
    )


def test_ask_shows_evidence_and_draft_on_stderr_and_the_checked_answer_with_its_citation_on_stdout(run: Run):
    code, out, err = run("ask", QUESTION)
    assert code == 0
    assert err.index("《国家出手！2025年医疗机构回款大提速》 地方探索 第6页") < err.index("厦门有2000余家，")
    assert "[1] 《国家出手！2025年医疗机构回款大提速》 卫生健康信息动态2025年第4期（总第341期）" in out
    assert "医保动态 · 健康报 · 第7页 · 地方探索" in out
    assert "“目前全市有2000余家定点医药机构接入即时结算系统。”" in out
    assert "依据不全——另有485万亩[2]。" in out
    assert "结论：已回答 · 方式：大模型作答（scripted） · 用时 1.2 秒" in out


def test_ask_json_prints_one_json_object_and_nothing_else(run: Run):
    code, out, err = run("ask", "--json", QUESTION)
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record["answer"] == ANSWER.text
    assert record["citations"][0]["page"] == 7
    assert record["verdict"] == "answered"


def test_what_was_searched_for_is_told_where_it_is_not_what_was_asked(capsys: pytest.CaptureFixture[str]):
    show_answer(console(), replace(ANSWER, question="射香保心丸？", standalone="麝香保心丸？"))
    show_answer(console(), ANSWER)
    assert capsys.readouterr().out.count("按“麝香保心丸？”检索\n") == 1


@pytest.mark.parametrize("command", ["ask", "search"])
def test_a_question_is_held_to_what_the_options_say(run: Run, app: StandIn, command: str):
    options = ("--issue", "第4期", "--issue", "附件", "--column-name", "医保", "--since", "2025-02-01")
    assert run(command, QUESTION, *options)[0] == 0
    assert run(command, QUESTION)[0] == 0
    issues = ("卫生健康信息动态2025年第4期（总第341期）", "附件.md")
    assert app.within == [Filters(issues=issues, columns=("医保动态",), since="2025-02-01"), None]


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--source", "日报"), "没有来源“日报”。可用：健康报"),
        (("--until", "昨天"), "日期不对：昨天。请写成 2025-02-11 这样"),
        (("--since", "2025-02-12", "--until", "2025-02-11"), "开始日期 2025-02-12 晚于结束日期 2025-02-11"),
    ],
)
def test_a_filter_that_is_wrong_is_wrong_usage(run: Run, command: str, options: tuple[str, ...], said: str):
    code, out, err = run(command, QUESTION, *options)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(("name", "start"), [("答.docx", b"PK"), ("答.md", b"## "), ("答.TXT", "问：".encode())])
def test_ask_saves_the_answer_in_a_file_too(run: Run, tmp_path: Path, name: str, start: bytes):
    code, out, err = run("ask", QUESTION, "-o", str(tmp_path / name))
    assert (code, "出处：" in out) == (0, True)
    assert err.endswith(f"已存为 {tmp_path / name}\n")
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize(("name", "said"), [("答.pdf", "可用：.docx .md .txt"), ("没有/答.md", "文件夹不存在")])
def test_a_file_that_can_not_be_is_wrong_usage_before_anything_is_asked(
    run: Run, app: StandIn, tmp_path: Path, name: str, said: str
):
    code, _, err = run("ask", QUESTION, "-o", str(tmp_path / name))
    assert (code, app.asked) == (2, [])
    assert said in err


def test_ask_without_llm_says_that_it_quotes(run: Run):
    assert json.loads(run("ask", "--json", "--no-llm", QUESTION)[1])["mode"] == "extractive"
    assert "原文摘录" in run("ask", "--no-llm", QUESTION)[1]


def test_ask_takes_earlier_turns_from_a_file(run: Run, app: StandIn, tmp_path: Path):
    file = tmp_path / "history.json"
    file.write_text('[{"user": "厦门呢？", "assistant": "2000余家"}]', encoding="utf-8")
    assert run("ask", "那湖南呢？", "--history", str(file))[0] == 0
    (question, history), = app.asked  # fmt: skip
    assert (question, [(t.user, t.assistant) for t in history]) == ("那湖南呢？", [("厦门呢？", "2000余家")])


@pytest.mark.parametrize("wanted", ["timeline", "时间线"])
def test_ask_takes_a_scenario_by_its_name_or_title(run: Run, app: StandIn, wanted: str):
    assert run("ask", QUESTION, "--scenario", wanted)[0] == 0
    assert run("ask", QUESTION, "--json", "--scenario", wanted)[0] == 0
    assert [one and one.title for one in app.chosen] == ["时间线", "时间线"]
    run("ask", QUESTION)
    assert app.chosen[-1] is None


@pytest.mark.parametrize("nothing", ["", " "])
def test_an_empty_scenario_is_none(run: Run, app: StandIn, nothing: str):
    assert run("ask", QUESTION, "--scenario", nothing)[0] == 0
    assert app.chosen == [None]


def test_an_unknown_scenario_is_wrong_usage_and_the_known_ones_are_named(run: Run, app: StandIn):
    code, out, err = run("ask", QUESTION, "--scenario", "没有")
    assert (code, out, app.asked) == (2, "", [])
    assert err.startswith("错误：没有场景“没有”。可用的场景：")
    assert "跨省对比" in err


def test_scenarios_are_listed_with_name_title_and_description(run: Run):
    code, out, _ = run("scenarios")
    assert code == 0
    assert "时间线（timeline）：把事情按日期从早到晚排列，没有日期的排在最后\n" in out
    records = json.loads(run("scenarios", "--json")[1])["scenarios"]
    assert [set(record) for record in records] == [{"name", "title", "description"}] * 5
    assert {record["title"] for record in records} == {"政策速览", "跨省对比", "要点摘录", "领导简报", "时间线"}


@pytest.mark.parametrize("content", ["not json", '{"user": "x"}', "[1]", '[{"user": "x"}]'])
def test_a_wrong_history_file_is_wrong_usage(run: Run, tmp_path: Path, content: str):
    file = tmp_path / "history.json"
    file.write_text(content, encoding="utf-8")
    code, out, err = run("ask", "问", "--history", str(file))
    assert (code, out) == (2, "")
    assert err.startswith("错误：上文文件格式不对")


def test_search_lists_passages_and_gives_the_record_of_the_contract(run: Run):
    code, out, _ = run("search", "厦门", "-k", "1")
    assert code == 0
    assert "1. 《国家出手！2025年医疗机构回款大提速》 地方探索 第6页 〔强〕" in out
    assert "2." not in out
    record = json.loads(run("search", "--json", "厦门")[1])
    assert [item["score"] for item in record["retrieved"]] == [1.0, 0.4]


@pytest.mark.parametrize("question", ["", "  ", "\n\t"])
@pytest.mark.parametrize("command", ["ask", "search"])
def test_an_empty_question_is_wrong_usage(run: Run, command: str, question: str):
    code, out, err = run(command, question)
    assert (code, out) == (2, "")
    assert err.startswith("错误：问题是空的。")
    assert err.count("\n") == 1


def test_index_prints_the_parse_report_and_fails_where_a_file_can_not_be_read(run: Run, app: StandIn, tmp_path: Path):
    document = tmp_path / "新.txt"
    document.write_text("x", encoding="utf-8")
    code, out, _ = run("index", str(document))
    assert code == 1
    assert app.added == [document]
    assert "✓ 动态.txt：14 篇，目录列出 15 篇，相差 1 篇" in out
    assert "- 目录中的《某文》没有找到" in out
    assert "× 坏.pdf：文件已加密" in out
    assert "已移除：旧.txt" in out
    assert "索引已建成：v2，12 段（新算向量 5 段，沿用 7 段）" in out


def test_index_json_holds_the_same_report(run: Run):
    record = json.loads(run("index", "--json")[1])
    assert (record["embedded"], record["reused"], record["chunks"]) == (5, 7, 12)
    assert record["files"][0]["expected"] == 15


def test_index_of_a_path_that_is_not_there_is_wrong_usage(run: Run):
    code, _, err = run("index", "/没有/这个.txt")
    assert code == 2
    assert "找不到文件 /没有/这个.txt" in err


def test_library_list_gives_one_object_an_article_in_document_order(run: Run):
    records = json.loads(run("library", "list", "--json")[1])
    assert [(r["file"], r["page"], r["sections"]) for r in records] == [
        ("动态.txt", 6, ["地方探索"]),
        ("附件.md", None, []),
    ]
    assert "国家出手！2025年医疗机构回款大提速" in run("library", "list")[1]


@pytest.mark.parametrize("wanted", ["动态-1", "国家出手！2025年医疗机构回款大提速", "回款大提速"])
def test_library_show_finds_an_article_by_id_title_or_part_of_it(run: Run, wanted: str):
    code, out, _ = run("library", "show", wanted)
    assert code == 0
    assert "目前全市有2000余家定点医药机构接入即时结算系统。" in out


def test_library_show_of_an_unknown_article_says_how_to_find_it(run: Run):
    code, _, err = run("library", "show", "没有")
    assert code == 1
    assert err == "错误：资料库里没有“没有”。运行 weice library list 查看全部文章\n"


def test_models_are_pulled_verified_and_listed(run: Run, app: StandIn):
    app.no_models = True
    code, out, err = run("models", "verify")
    assert code == 1
    assert "/models/m3e/model.bin：缺失" in out
    assert "weice models pull" in err
    assert "未下载" in run("models", "list")[1]
    assert run("models", "pull")[1] == "模型已就绪。\n"
    assert run("models", "verify")[1] == "模型文件完好。\n"


def test_batch_reports_what_was_done_and_fails_where_a_question_failed(run: Run, app: StandIn, tmp_path: Path):
    source = tmp_path / "in.jsonl"
    source.write_text("{}", encoding="utf-8")
    code, out, err = run(
        "batch", str(source), "-o", str(tmp_path / "out.jsonl"), "--retry", "partial", "--workers", "3"
    )
    assert code == 1
    assert out.startswith("共 3 条：完成 1，失败 1，已有 1。")
    assert "再运行同一命令只重问失败的" in out
    assert "问题在这一列" in err
    assert app.how | {"retry": "partial", "workers": 3, "use_llm": True, "scenario": None} == app.how
    assert run("batch", "/没有.jsonl", "-o", "x")[0] == 2


def test_a_trial_batch_tells_what_would_be_asked_and_asks_nothing(run: Run, app: StandIn, tmp_path: Path):
    source = tmp_path / "in.jsonl"
    source.write_text("{}", encoding="utf-8")
    code, out, _ = run("batch", str(source), "-o", str(tmp_path / "out.jsonl"), "--dry-run")
    assert (code, app.how) == (0, {})
    assert out.startswith("共 3 条，意思不同的 2 条：已答 1，要问 1。\n  甲？\n")
    assert run("batch", str(source), "-o", "x.csv", "--retry", "没答的")[0] == 2


def test_an_interrupted_batch_says_how_to_go_on(run: Run, app: StandIn, tmp_path: Path):
    source = tmp_path / "in.jsonl"
    source.write_text("{}", encoding="utf-8")
    app.error = KeyboardInterrupt()
    code, _, err = run("batch", str(source), "-o", str(tmp_path / "out.jsonl"))
    assert code == 130
    assert "已答的都已存好，再运行同一命令就从断处继续" in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["asq"], "不认识的命令或多余的参数：asq"),
        (["ask"], "缺少 问题"),
        (["ask", "问", "--foo"], "没有选项 --foo"),
        (["ask", "问", "答"], "不认识的命令或多余的参数：答"),
        (["search", "问", "-k", "0"], "-k 的值不对，应为 1 到 100 的整数"),
        (["search", "问", "-k", "x"], "-k 的值不对"),
        (["search", "问", "-k"], "选项 -k 的用法不对"),
        (["batch", "x"], "缺少 -o/--output"),
        (["library"], "请写出要用的命令"),
    ],
)
def test_wrong_usage_is_one_chinese_line_and_exit_code_2(run: Run, args: list[str], said: str):
    code, _, err = run(*args)
    assert code == 2
    assert err.startswith(f"错误：{said}")
    assert err.count("\n") == 1


def test_an_error_is_one_line_without_a_traceback_unless_debug_is_asked_for(run: Run, app: StandIn):
    app.error = IndexBroken("索引文件损坏\n或不完整", "运行 weice index --rebuild")
    code, out, err = run("search", "问")
    assert (code, out, err) == (1, "", "错误：索引文件损坏 或不完整。运行 weice index --rebuild\n")
    assert "Traceback" in run("search", "问", "--debug")[2]
    assert "Traceback" in run("--debug", "search", "问")[2]


def test_an_unforeseen_error_is_one_line_too(run: Run, app: StandIn):
    app.error = RuntimeError("boom")
    assert run("search", "问") == (1, "", "错误：程序内部错误（RuntimeError: boom）。请加 --debug 重试并报告\n")


def test_ctrl_c_ends_with_130_and_a_line(run: Run, app: StandIn):
    app.error = KeyboardInterrupt()
    code, _, err = run("search", "问")
    assert (code, err) == (130, "\n已中断。\n")


def test_the_program_is_closed_whatever_happens(run: Run, app: StandIn):
    run("search", "问")
    app.error = RuntimeError("boom")
    run("search", "问")
    assert app.closed == 2


def test_every_help_page_is_chinese(run: Run):
    pages = [(), ("library",), ("models",), ("eval",), ("ask",), ("search",), ("index",), ("batch",), ("serve",)]
    for page in [*pages, ("doctor",), ("scenarios",), ("library", "show"), ("models", "pull"), ("eval", "retrieval")]:
        code, out, _ = run(*page, "--help")
        assert code == 0
        assert "用法：weice" in out
        for english in ("Usage", "Options", "Arguments", "Commands", "Show this", "default", "required", "OPTIONS"):
            assert english not in out, (page, english)


def test_help_loads_nothing_heavy():
    heavy = "gradio torch sentence_transformers llama_index openvino faiss tantivy pydantic_settings transformers"
    code = (
        "import sys; from ui.cli import main; main(['--help']); "
        f"print('LOADED', [m for m in '{heavy}'.split() if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_output_is_utf8_even_in_a_c_locale():
    done = weice_process("ask", LANG="C", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert done.returncode == 2
    assert done.stderr.startswith("错误：缺少 问题")


def test_a_reader_that_goes_away_is_no_error():
    script = (
        "import sys, pathlib; from ui.cli import main; from tests.ui.standin import StandIn; "
        "sys.exit(main(['library', 'list'], build=lambda: StandIn(pathlib.Path('/tmp'))))"
    )
    done = subprocess.run(
        ["bash", "-c", f'"$0" -c "{script}" | true', sys.executable],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.stderr == ""

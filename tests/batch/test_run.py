"""A run: answers in order, journalled; a kill loses nothing and asks nothing twice; changes are told."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from rag.answer.filters import Filters
from rag.batch import (
    Answering,
    Batch,
    Prepared,
    Question,
    Stopped,
    batch_path,
    open_questions,
    output,
    plan_batch,
    run_batch,
)
from rag.errors import StorageError, UsageError
from rag.schema import Answer, Mode, Turn, Verdict
from tests.batch.lists import Answerer, answered, lines, run, text_list
from tests.builders import ROOT

QUESTIONS = [
    {"id": "q1", "question": "厦门有多少家"},
    {"id": "q2", "question": "那海南呢", "history": [{"user": "厦门有多少家", "assistant": "2000余家"}]},
    {"id": "q3", "question": "湖南种了多少亩"},
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(q, ensure_ascii=False) + "\n" for q in QUESTIONS), encoding="utf-8")
    return path


def test_answers_come_in_the_order_of_the_questions_with_their_history(source: Path, tmp_path: Path) -> None:
    answerer = Answerer()
    report = run(source, tmp_path / "out.jsonl", answerer)
    assert (report.total, report.done, report.failed, report.skipped) == (3, 3, 0, 0)
    assert [(line["id"], line["question"]) for line in lines(tmp_path / "out.jsonl")] == [
        (q["id"], q["question"]) for q in QUESTIONS
    ]
    assert answerer.asked[1] == ("那海南呢", (Turn("厦门有多少家", "2000余家"),))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl", "journals", "out.jsonl"]


def test_a_failed_row_keeps_its_reason_and_only_it_is_asked_again(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    first = run(source, target, Answerer("那海南呢"))
    assert (first.done, first.failed) == (2, 1)
    assert lines(target)[1] == {"id": "q2", "question": "那海南呢", "error": "大模型连不上。请检查"}
    again = Answerer()
    second = run(source, target, again)
    assert again.questions == ["那海南呢"]
    assert (second.done, second.failed, second.skipped) == (1, 0, 2)
    assert [line["answer"][2:-4] for line in lines(target)] == ["厦门有多少家", "那海南呢", "湖南种了多少亩"]


def test_a_bug_in_one_row_is_the_failure_of_that_row_alone(source: Path, tmp_path: Path) -> None:
    def ask(row: Question) -> Answer:
        return answered(row.question) if row.id != "q1" else answered(1 / 0)  # type: ignore[arg-type]

    report = run(source, tmp_path / "out.jsonl", ask)
    assert (report.done, report.failed) == (2, 1)
    assert "ZeroDivisionError" in lines(tmp_path / "out.jsonl")[0]["error"]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.batch.lists import answered, run
count = 0
def ask(row):
    global count
    count += 1
    if count > int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return answered(row.question)
run(Path(sys.argv[1]), Path(sys.argv[2]), ask)
"""


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_killed_run_is_gone_on_with_and_asks_nothing_twice(source: Path, tmp_path: Path, number: int) -> None:
    target = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", KILLED, str(source), str(target), str(number)]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == -signal.SIGKILL
    assert not target.exists()
    answerer = Answerer()
    report = run(source, target, answerer)
    assert report.skipped == number
    assert len(answerer.asked) == 3 - number
    unbroken = tmp_path / "unbroken.jsonl"
    run(source, unbroken, Answerer())
    assert target.read_bytes() == unbroken.read_bytes()


def test_a_finished_run_asks_nothing_and_writes_the_same_file_again(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    run(source, target, Answerer())
    before = target.read_bytes()
    target.unlink()
    answerer = Answerer()
    assert run(source, target, answerer).skipped == 3
    assert (answerer.asked, target.read_bytes()) == ([], before)


def test_other_settings_are_told_and_begin_anew(source: Path, tmp_path: Path) -> None:
    said: list[str] = []
    run(source, tmp_path / "out.jsonl", Answerer("那海南呢"), "one", say=said.append)
    assert said == []
    answerer = Answerer()
    run(source, tmp_path / "out.jsonl", answerer, "two", say=said.append)
    assert len(answerer.asked) == 3
    assert said == ["设置与上次不同（设置：one → two），上次的回答不再沿用"]


def test_a_changed_list_is_told_and_what_stays_is_not_asked_again(tmp_path: Path) -> None:
    source, target = text_list(tmp_path / "in.txt", "甲有多少", "乙有多少", "丙有多少"), tmp_path / "out.jsonl"
    run(source, target, Answerer())
    said: list[str] = []
    answerer = Answerer()
    text_list(source, "丁有多少", "丙有多少", "甲有多少")
    report = run(source, target, answerer, say=said.append)
    assert answerer.questions == ["丁有多少"]
    assert (report.done, report.skipped) == (1, 2)
    assert said == ["问题文件与上次不同：新增 1 个问题，去掉 1 个问题，其余沿用已有的回答"]
    assert [line["question"] for line in lines(target)] == ["丁有多少", "丙有多少", "甲有多少"]


def test_questions_that_mean_the_same_are_asked_once_and_answered_each(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    rows = [
        {"id": "a", "question": "厦门有多少家？"},
        {"id": "b", "question": " 廈門有 多少家"},
        {"id": "c", "question": "厦门有多少家？", "history": [{"user": "只说民营的"}]},
        {"id": "d", "question": "厦门有多少家？", "scenario": "时间线"},
        {"id": "e", "question": "厦门有多少家？", "filters": {"issues": ["第4期"]}},
    ]
    source.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    answerer = Answerer()
    report = run(source, tmp_path / "out.jsonl", answerer)
    assert len(answerer.asked) == 4
    assert (report.total, report.done, report.same) == (5, 5, 1)
    told = lines(tmp_path / "out.jsonl")
    assert [line["id"] for line in told] == ["a", "b", "c", "d", "e"]
    assert told[1]["question"] == " 廈門有 多少家"
    assert told[1]["answer"] == told[0]["answer"]


def test_limit_asks_the_first_rows_and_more_are_asked_when_it_is_raised(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    assert run(source, target, Answerer(), limit=2).total == 2
    assert [line["id"] for line in lines(target)] == ["q1", "q2"]
    answerer = Answerer()
    assert run(source, target, answerer).skipped == 2
    assert answerer.questions == ["湖南种了多少亩"]


VERDICTS = {"厦门有多少家": Verdict.ANSWERED, "那海南呢": Verdict.PARTIAL, "湖南种了多少亩": Verdict.REFUSED}


@pytest.mark.parametrize(
    ("retry", "asked"),
    [
        ("failed", []),
        ("partial", ["那海南呢"]),
        ("refused", ["湖南种了多少亩"]),
        ("all", ["厦门有多少家", "那海南呢", "湖南种了多少亩"]),
    ],
)
def test_a_retry_asks_anew_what_it_names(source: Path, tmp_path: Path, retry: str, asked: list[str]) -> None:
    target = tmp_path / "out.jsonl"
    run(source, target, lambda row: answered(row.question, "旧", VERDICTS[row.question]))
    answerer = Answerer()
    report = run(source, target, answerer, retry=retry)
    assert answerer.questions == asked
    assert (report.done, report.skipped) == (len(asked), 3 - len(asked))
    assert {line["question"] for line in lines(target) if line["answer"] != "旧"} == set(asked)
    assert run(source, target, Answerer(), retry="failed").done == 0


def test_a_retry_that_fails_keeps_the_answer_that_was_there_and_is_tried_again(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    run(source, target, Answerer())
    report = run(source, target, Answerer("那海南呢"), retry="all")
    assert (report.done, report.failed) == (2, 1)
    assert "error" not in lines(target)[1]
    answerer = Answerer()
    assert run(source, target, answerer).failed == 0
    assert answerer.questions == ["那海南呢"]


def test_a_retry_that_was_killed_goes_on_and_asks_nothing_twice(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    run(source, target, Answerer())

    def ask(row: Question) -> Answer:
        if row.id == "q2":
            raise KeyboardInterrupt
        return answered(row.question)

    with pytest.raises(KeyboardInterrupt):
        run(source, target, ask, retry="all")
    answerer = Answerer()
    run(source, target, answerer, retry="all")
    assert answerer.questions == ["那海南呢", "湖南种了多少亩"]


def test_rows_that_fell_back_to_quotes_are_told_and_retried_with_the_failed(source: Path, tmp_path: Path) -> None:
    def ask(row: Question) -> Answer:
        whole = answered(row.question)
        if row.id != "q1":
            return whole
        changed = {"mode": Mode.EXTRACTIVE, "reason": "大模型没有作答（连不上），以下为原文摘录"}
        return type(whole)(**{name: changed.get(name, getattr(whole, name)) for name in whole.__slots__})

    report = run(source, tmp_path / "out.jsonl", ask)
    assert (report.done, report.failed, report.fallback) == (3, 0, 1)
    answerer = Answerer()
    assert run(source, tmp_path / "out.jsonl", answerer).fallback == 1
    assert answerer.asked == []
    assert run(source, tmp_path / "out.jsonl", answerer, retry="failed").fallback == 0
    assert answerer.questions == ["厦门有多少家"]


def test_a_plan_tells_what_would_be_asked_and_writes_nothing(source: Path, tmp_path: Path) -> None:
    target, answerer = tmp_path / "out.jsonl", Answerer()
    answering = Answering.plain(answerer, "s")
    before = plan_batch(open_questions(source), target, answering, folder=tmp_path / "journals")
    assert (before.total, before.distinct, before.answered, before.first[0]) == (3, 3, 0, "厦门有多少家")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl"]
    run(source, target, answerer, limit=1)
    assert plan_batch(open_questions(source), target, answering, folder=tmp_path / "journals").answered == 1
    assert answerer.questions == ["厦门有多少家"]


def test_two_runs_on_one_target_are_told_apart(source: Path, tmp_path: Path) -> None:
    def ask(row: Question) -> Answer:
        if row.id == "q1":
            with pytest.raises(StorageError, match="另一个批量任务"):
                run(source, tmp_path / "out.jsonl", Answerer())
        return answered(row.question)

    assert run(source, tmp_path / "out.jsonl", ask).done == 3


def test_several_workers_answer_at_once_and_the_output_is_the_same(tmp_path: Path) -> None:
    source = text_list(tmp_path / "in.txt", *(f"第{n}个问题是什么" for n in range(12)))
    together = threading.Barrier(3, timeout=20)

    def ask(row: Question) -> Answer:
        together.wait()
        return answered(row.question)

    assert run(source, tmp_path / "many.jsonl", ask, workers=3).done == 12
    run(source, tmp_path / "one.jsonl", Answerer())
    assert (tmp_path / "many.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()


def test_rows_with_the_same_evidence_follow_each_other_and_evidence_is_found_ahead(tmp_path: Path) -> None:
    questions = [f"{group}{n}" for n in range(3) for group in ("甲有多少", "乙有多少", "丙有多少")]
    source = text_list(tmp_path / "in.txt", *questions)
    order: list[str] = []
    prepared: list[str] = []
    all_prepared = threading.Event()

    def prepare(row: Question, stop: threading.Event) -> Prepared:
        prepared.append(row.question)
        if len(prepared) == len(questions):
            all_prepared.set()

        def answer() -> Answer:
            assert all_prepared.wait(20)
            order.append(row.question)
            return answered(row.question)

        return Prepared(f"资料{row.question[0]}……{row.question}", answer)

    answering = Answering(prepare, {})
    run_batch(open_questions(source), tmp_path / "out.jsonl", answering, folder=tmp_path / "journals")
    groups = [question[0] for question in order]
    assert sum(one != other for one, other in pairwise(groups)) == 2
    assert [line["question"] for line in lines(tmp_path / "out.jsonl")] == questions


# --- the engine by itself, as a page or an API uses it ------------------------------------------------------------


def three(*ids: str) -> list[Question]:
    return [Question(id_, f"{id_}有多少") for id_ in ids or ("甲", "乙", "丙")]


def test_a_row_comes_back_from_the_journal_as_it_went_in(tmp_path: Path) -> None:
    rows = [
        Question(
            "甲",
            "那海南呢",
            (Turn("厦门有多少家", "2000余家"),),
            "时间线",
            Filters(issues=("第4期",), since="2025-01-01"),
        ),
        Question("乙", "厦门有多少家"),
    ]
    with Batch(tmp_path / "b.db") as batch:
        batch.create(rows, {})
        assert [row for row, _ in batch.records()] == rows
        seen: list[Question] = []
        batch.run(Answering.plain(lambda row: seen.append(row) or answered(row.question), ""))  # type: ignore[func-returns-value]
    assert seen == rows


def test_a_batch_that_was_begun_before_rows_had_filters_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    with Batch(path) as batch:
        batch.create(three(), {})
    with closing(sqlite3.connect(path)) as db:
        for table in ("rows", "incoming"):
            db.execute(f"ALTER TABLE {table} DROP COLUMN filters")  # one of two names
    with Batch(path) as batch:
        assert [row for row, _ in batch.records()] == three()
        batch.create(three("甲", "丁"), {})
        assert [row for row, _ in batch.records()] == three("甲", "丁")


def test_an_event_stops_a_run_in_mid_answer_and_the_next_goes_on(tmp_path: Path) -> None:
    stop = threading.Event()
    asked: list[str] = []

    def prepare(row: Question, stopping: threading.Event) -> Prepared:
        def answer() -> Answer:
            asked.append(row.id)
            if row.id == "乙" and len(asked) == 2:
                stop.set()
                assert stopping.wait(20)
                raise Stopped("停")
            return answered(row.question)

        return Prepared("", answer)

    with Batch(tmp_path / "b.db") as batch:
        batch.create(three(), {})
        outcome = batch.run(Answering(prepare, {}), stop=stop)
        assert (outcome.stopped, outcome.done, outcome.failed) == (True, 1, 0)
        assert batch.status().state == "stopped"
        assert [record is None for _, record in batch.records()] == [False, True, True]
        assert batch.run(Answering(prepare, {})).done == 2
        assert (batch.status().state, asked) == ("done", ["甲", "乙", "乙", "丙"])


def test_a_batch_can_be_watched_and_cancelled_from_elsewhere(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    def ask(row: Question) -> Answer:
        with Batch(tmp_path / "b.db") as elsewhere:
            status = elsewhere.status()
            seen.append((status.state, status.counts.waiting))
            if row.id == "乙":
                elsewhere.cancel()
        return answered(row.question)

    with Batch(tmp_path / "b.db") as batch:
        assert batch.status().state == "waiting"
        batch.create(three(), {})
        assert batch.run(Answering.plain(ask, "")).done == 2
        assert seen == [("running", 3), ("running", 2)]
        assert batch.status().state == "stopped"
        assert batch.run(Answering.plain(Answerer(), "")).done == 1


def test_progress_counts_rows_up_to_all(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    rows = [*three(), Question("丁", "甲有多少？")]
    with Batch(tmp_path / "b.db") as batch:
        batch.create(rows, {})
        batch.run(
            Answering.plain(Answerer("丙有多少"), ""), progress=lambda _, done, total: told.append((done, total))
        )
        assert told == [(0, 4), (2, 4), (3, 4), (4, 4)]
        told.clear()
        batch.run(Answering.plain(Answerer(), ""), progress=lambda _, done, total: told.append((done, total)))
        assert told == [(3, 4), (4, 4)]


# --- what can go wrong with the files ------------------------------------------------------------


def test_a_damaged_journal_is_named_with_what_to_do(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    run(source, target, Answerer())
    path = batch_path(tmp_path / "journals", target)
    path.write_bytes(b"not a database at all" * 400)
    with pytest.raises(StorageError, match=rf"{path.name} 已损坏。请删除它"):
        run(source, target, Answerer())
    path.unlink()
    assert run(source, target, Answerer()).done == 3


FULL = """
import resource, sys
from pathlib import Path
from rag.errors import StorageError
from rag.schema import Answer
from tests.batch.lists import answered, run
def ask(row):
    if int(row.id) == int(sys.argv[3]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
    return answered(row.question, "长" * 40_000)
try:
    run(Path(sys.argv[1]), Path(sys.argv[2]), ask)
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize(("row", "size"), [(4, 150_000), (8, 700_000)])
def test_a_full_disk_is_told_and_loses_no_answer_that_was_kept(tmp_path: Path, row: int, size: int) -> None:
    questions = [f"第{n}个问题是什么" for n in range(8)]
    source, target = text_list(tmp_path / "in.txt", *questions), tmp_path / "out.jsonl"
    command = [sys.executable, "-c", FULL, str(source), str(target), str(row), str(size)]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert "满了" in done.stdout
    assert "再运行同一命令" in done.stdout
    assert not target.exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    answerer = Answerer()
    report = run(source, target, answerer)
    assert report.skipped >= row - 1
    assert (len(answerer.asked), len(lines(target))) == (8 - report.skipped, 8)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.jsonl", None, "找不到问题文件"),
        ("empty.jsonl", "", "没有问题"),
        ("empty.txt", " \n", "没有内容"),
        ("broken.jsonl", '{"id": "1", "question": "甲"}\n{"id": "2"', "第 2 行 整行"),
        ("field.jsonl", '{"id": "1"}', "第 1 行 question"),
        ("twice.jsonl", '{"id": "1", "question": "甲"}\n{"id": "1", "question": "乙"}', "第 2 个问题的 id 重复：1"),
        ("list.docx", "x", "不支持这种问题文件：list.docx。可用：.xlsx .csv .txt .jsonl"),
        ("list.xls", "x", "不支持旧的 .xls 格式：list.xls。请用 Excel 或 WPS 打开，另存为 .xlsx"),
        ("list.xlsx", "x", "不是 Excel 工作簿，或已损坏"),
    ],
)
def test_a_bad_input_names_file_line_and_field(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        run(path, tmp_path / "out.jsonl", Answerer())


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no/out.jsonl", "输出文件夹不存在"),
        ("out.pdf", "不支持这种结果文件：out.pdf。可用：.xlsx .csv .jsonl .docx"),
        ("folder.xlsx", "是一个文件夹"),
        ("in.jsonl", "结果文件与问题文件是同一个"),
    ],
)
def test_a_bad_target_is_told_before_anything_is_asked(
    source: Path, tmp_path: Path, target: str, message: str
) -> None:
    (tmp_path / "folder.xlsx").mkdir()
    answerer = Answerer()
    with pytest.raises(UsageError, match=message):
        run(source, tmp_path / target, answerer)
    assert answerer.asked == []


def test_more_than_a_word_file_holds_is_told_before_anything_is_asked(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "WORD_ROWS", 2)
    answerer, target = Answerer(), tmp_path / "out.docx"
    answering = Answering.plain(answerer, "s")
    said = r"Word 文件放不下 2 条以上的回答。请改存为 \.xlsx，或把问题分成几份"
    with pytest.raises(UsageError, match=said):
        run(source, target, answerer)
    with pytest.raises(UsageError, match=said):
        plan_batch(open_questions(source), target, answering, folder=tmp_path / "journals")
    assert answerer.asked == []
    run(source, target, answerer, limit=2)
    assert target.exists()
    with Batch(tmp_path / "b.db") as batch:  # as a page does, when the answers are there
        batch.create(three(), {})
        batch.run(Answering.plain(answerer, ""))
        with pytest.raises(UsageError, match=said):
            output.write(tmp_path / "served.docx", batch.records(), None)


def test_a_target_that_can_not_be_written_is_told_before_anything_is_asked(source: Path, tmp_path: Path) -> None:
    target, answerer = tmp_path / "out.jsonl", Answerer()
    target.write_text("kept", encoding="utf-8")
    target.with_name(".out.jsonl.new").mkdir()
    with pytest.raises(StorageError, match=r"写不进 .*out\.jsonl"):
        run(source, target, answerer)
    assert (answerer.asked, target.read_text(encoding="utf-8")) == ([], "kept")


@pytest.mark.parametrize("sign", ["~$out.xlsx", ".~lock.out.xlsx#", ".~out.xlsx"])
def test_a_target_that_is_open_in_an_office_program_is_warned_of(source: Path, tmp_path: Path, sign: str) -> None:
    (tmp_path / sign).write_text("", encoding="utf-8")
    said: list[str] = []
    run(source, tmp_path / "out.xlsx", Answerer(), say=said.append)
    assert said == ["out.xlsx 好像正在别的程序里打开，请先关闭，以免保存时盖掉新结果"]


def test_a_list_that_changes_while_it_is_answered_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    source = text_list(tmp_path / "in.txt", "甲有多少", "乙有多少")

    def ask(row: Question) -> Answer:
        text_list(source, "甲有多少", "丙有多少")
        return answered(row.question)

    with pytest.raises(UsageError, match="在作答期间被改动（第 2 行）"):
        run(source, tmp_path / "out.csv", ask)
    answerer = Answerer()
    run(source, tmp_path / "out.csv", answerer)
    assert answerer.questions == ["丙有多少"]

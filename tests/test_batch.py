"""Batch: one line an answer, journalled; a kill loses nothing and asks nothing twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rag.batch import read_questions, run_batch
from rag.errors import LlmUnavailable, StorageError, UsageError
from rag.schema import Answer, Turn, Verdict

QUESTIONS = [
    {"id": "q1", "question": "厦门有多少家"},
    {"id": "q2", "question": "那海南呢", "history": [{"user": "厦门有多少家", "assistant": "2000余家"}]},
    {"id": "q3", "question": "湖南种了多少亩"},
]


class Answerer:
    """Answers with the question itself, and remembers what it was asked; fails on the given questions."""

    def __init__(self, *failing: str) -> None:
        self.asked: list[tuple[str, tuple[Turn, ...]]] = []
        self._failing = failing

    def __call__(self, question: str, history: Sequence[Turn]) -> Answer:
        self.asked.append((question, tuple(history)))
        if question in self._failing:
            raise LlmUnavailable("大模型连不上", "请检查")
        return Answer(question, question, f"答：{question}", Verdict.ANSWERED)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(q, ensure_ascii=False) + "\n" for q in QUESTIONS), encoding="utf-8")
    return path


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_answers_come_in_the_order_of_the_questions_with_their_history(source: Path, tmp_path: Path) -> None:
    answerer = Answerer()
    report = run_batch(source, tmp_path / "out.jsonl", answerer, settings="s")
    assert (report.total, report.done, report.failed, report.skipped) == (3, 3, 0, 0)
    assert [line["id"] for line in lines(tmp_path / "out.jsonl")] == ["q1", "q2", "q3"]
    assert answerer.asked[1] == ("那海南呢", (Turn("厦门有多少家", "2000余家"),))
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_failed_row_keeps_its_reason_and_only_it_is_asked_again(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    first = run_batch(source, target, Answerer("那海南呢"), settings="s")
    assert (first.done, first.failed) == (2, 1)
    assert "大模型连不上" in str(lines(target)[1]["error"])
    again = Answerer()
    second = run_batch(source, target, again, settings="s")
    assert [question for question, _ in again.asked] == ["那海南呢"]
    assert (second.done, second.skipped) == (1, 2)
    assert [line["answer"] for line in lines(target)] == ["答：厦门有多少家", "答：那海南呢", "答：湖南种了多少亩"]


KILLED = """
import os, signal, sys
from pathlib import Path
from rag.batch import run_batch
from rag.schema import Answer, Verdict
count = 0
def ask(question, history):
    global count
    count += 1
    if count > int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return Answer(question, question, f"答：{question}", Verdict.ANSWERED)
run_batch(Path(sys.argv[1]), Path(sys.argv[2]), ask, settings="s")
"""


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_a_killed_run_is_gone_on_with_and_asks_nothing_twice(source: Path, tmp_path: Path, answered: int) -> None:
    target = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", KILLED, str(source), str(target), str(answered)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    answerer = Answerer()
    report = run_batch(source, target, answerer, settings="s")
    assert report.skipped == answered
    assert len(answerer.asked) == 3 - answered
    unbroken = tmp_path / "unbroken.jsonl"
    run_batch(source, unbroken, Answerer(), settings="s")
    assert target.read_bytes() == unbroken.read_bytes()


def test_a_torn_last_line_of_the_journal_is_asked_again(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    run_batch(source, target, Answerer("湖南种了多少亩"), settings="s")
    journal = tmp_path / ".out.jsonl.journal"
    journal.write_text(journal.read_text(encoding="utf-8")[:-40] + '{"id": "q2", "ans', encoding="utf-8")
    run_batch(source, target, Answerer(), settings="s")
    assert [line["id"] for line in lines(target)] == ["q1", "q2", "q3"]


def test_other_settings_begin_anew(source: Path, tmp_path: Path) -> None:
    run_batch(source, tmp_path / "out.jsonl", Answerer("那海南呢"), settings="one")
    answerer = Answerer()
    run_batch(source, tmp_path / "out.jsonl", answerer, settings="two")
    assert len(answerer.asked) == 3


def test_two_runs_on_one_target_are_told_apart(source: Path, tmp_path: Path) -> None:
    def ask(question: str, history: Sequence[Turn]) -> Answer:
        with pytest.raises(StorageError, match="另一个批量任务"):
            run_batch(source, tmp_path / "out.jsonl", Answerer(), settings="s")
        return Answer(question, question, "", Verdict.REFUSED)

    assert run_batch(source, tmp_path / "out.jsonl", ask, settings="s").done == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.jsonl", None, "找不到文件"),
        ("empty.jsonl", "", "没有问题"),
        ("broken.jsonl", '{"id": "1", "question": "甲"}\n{"id": "2"', "第 2 行 整行"),
        ("field.jsonl", '{"id": "1"}', "第 1 行 question"),
        ("twice.jsonl", '{"id": "1", "question": "甲"}\n{"id": "1", "question": "乙"}', "第 2 行的 id 重复"),
        ("list.xlsx", "x", "还不支持"),
    ],
)
def test_a_bad_input_names_file_line_and_field(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        run_batch(path, tmp_path / "out.jsonl", Answerer(), settings="s")


def test_a_missing_output_folder_is_told_before_anything_is_asked(source: Path, tmp_path: Path) -> None:
    answerer = Answerer()
    with pytest.raises(UsageError, match="输出文件夹不存在"):
        run_batch(source, tmp_path / "no" / "out.jsonl", answerer, settings="s")
    assert answerer.asked == []


def test_a_text_file_is_a_question_a_line_in_any_usual_encoding(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("厦门有多少家？\r\n\r\n湖南种了多少亩？\r\n".encode("gbk"))
    assert [(q.id, q.question) for q in read_questions(path)] == [("1", "厦门有多少家？"), ("3", "湖南种了多少亩？")]

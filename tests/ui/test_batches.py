"""The batches of a server: whose they are, their copies of the lists, what they are written into."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from rag.batch import open_questions
from rag.errors import UsageError
from tests.ui.api.places import Answerer
from tests.ui.standin import StandIn
from tests.ui.store.places import store
from ui.batches import MOST_ROWS, Batches, NoSuchBatch, StillRunning, TooManyBatches
from ui.store import Role, User

ONE, OTHER, ADMIN = User("甲", Role.READER), User("乙", Role.EDITOR), User("管", Role.ADMIN)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Batches, Answerer]:
    app: Any = StandIn(tmp_path)
    answerer = Answerer(SimpleNamespace(app=app))  # type: ignore[arg-type]
    return Batches(app, store(), use_llm=True), answerer


def workbook(path: Path, *questions: str) -> Path:
    book = Workbook()
    page: Any = book.active
    page.append(["序号", "备注", "想问的"])
    for n, question in enumerate(questions, 1):
        page.append([n, "这一列是什么？", question])
    book.save(path)
    return path


def until(batches: Batches, id_: str, state: str = "done") -> dict[str, Any]:
    for _ in range(400):
        status = batches.status(ADMIN, id_)
        if status["state"] == state:
            return status
        time.sleep(0.02)
    raise AssertionError(status)


def test_a_list_in_a_file_is_answered_by_the_chosen_column_and_written_beside_it(
    made: tuple[Batches, Answerer], tmp_path: Path
):
    batches, answerer = made
    path = workbook(tmp_path / "清单.xlsx", "甲？", "乙？")
    id_ = batches.create(ONE, replace(open_questions(path), column=2), None, no_llm=True)["id"]
    path.unlink()  # a copy is kept
    status = until(batches, id_)
    assert (status["name"], status["total"], status["answered"]) == ("清单.xlsx", 2, 2)
    assert sorted(row.question for row in answerer.asked) == ["乙？", "甲？"]
    written = batches.write(ONE, id_, tmp_path, ".xlsx")
    assert written.name == "清单-答案.xlsx"
    page = load_workbook(written).worksheets[0]
    assert [cell.value for cell in page[2]][:3] == [1, "这一列是什么？", "甲？"]
    assert "2000余家" in str([cell.value for cell in page[2]][3])
    for suffix in (".csv", ".docx"):
        assert batches.write(ONE, id_, tmp_path, suffix).stat().st_size > 100
    lines = batches.write(ONE, id_, tmp_path, ".jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["question"] for line in lines] == ["甲？", "乙？"]


def test_users_have_their_own_and_administrators_see_all(made: tuple[Batches, Answerer], tmp_path: Path):
    batches, _ = made
    asked = open_questions(workbook(tmp_path / "清单.xlsx", "甲？"))
    mine = batches.create(ONE, asked, None, no_llm=True)["id"]
    theirs = batches.create(OTHER, asked, None, no_llm=True)["id"]
    until(batches, mine)
    until(batches, theirs)
    assert [one["id"] for one in batches.list(ONE)] == [mine]
    assert [one["id"] for one in batches.list(OTHER)] == [theirs]
    assert {one["id"] for one in batches.list(ADMIN)} == {mine, theirs}
    acts = (batches.status, batches.rows, batches.cancel, batches.resume, batches.delete)
    for act in acts:
        with pytest.raises(NoSuchBatch):
            act(OTHER, mine)
    with pytest.raises(NoSuchBatch):
        batches.write(OTHER, mine, tmp_path, ".csv")
    for _ in range(400):
        try:
            batches.delete(ADMIN, mine)
        except StillRunning:
            time.sleep(0.02)
        else:
            break
    assert batches.list(ONE) == []


def test_how_long_it_will_take_is_told_once_a_row_is_done(made: tuple[Batches, Answerer], tmp_path: Path):
    batches, answerer = made
    answerer.waits = True
    asked = replace(open_questions(workbook(tmp_path / "清单.xlsx", "甲？", "乙？", "丙？")), column=2)
    id_ = batches.create(ONE, asked, None, no_llm=True)["id"]
    assert until(batches, id_, "running")["remaining_s"] is None
    answerer.let.release()
    while (status := batches.status(ONE, id_))["done"] < 1:
        time.sleep(0.02)
    assert status["remaining_s"] >= 0
    with pytest.raises(StillRunning):
        batches.delete(ONE, id_)
    answerer.let.release(9)
    assert until(batches, id_)["remaining_s"] is None


def test_what_is_too_much_or_empty_is_refused_and_leaves_nothing(made: tuple[Batches, Answerer], tmp_path: Path):
    batches, _ = made
    long = tmp_path / "长.txt"
    long.write_text("问？\n" * (MOST_ROWS + 1), encoding="utf-8")
    with pytest.raises(UsageError, match="最多 10000 个问题"):
        batches.create(ONE, open_questions(long), None, no_llm=True)
    with pytest.raises(UsageError, match="没有问题"):
        batches.create(ONE, [], None, no_llm=True)
    assert batches.list(ONE) == []
    for _ in range(200):
        batches._store.batches.add(ONE.name, {})
    with pytest.raises(TooManyBatches):
        batches.create(ONE, [], None, no_llm=True)

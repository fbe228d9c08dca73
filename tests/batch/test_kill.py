"""The real program, killed again and again: nothing is lost or asked twice, and the workbook is an unbroken run's."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from rag import settings
from rag.batch import batch_path
from tests.builders import ROOT

pytestmark = pytest.mark.model

KILLS, ROWS = 10, 40
TIME = "用时（秒）"
"""The only column in which two runs may differ."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a program with its own state, over the pulled models and the real seeds."""
    data = tmp_path_factory.mktemp("weice")
    (data / "weice.toml").write_text("", encoding="utf-8")
    environment = {
        **os.environ,
        "WEICE_CONFIG": str(data / "weice.toml"),
        "WEICE_DATA_DIR": str(data / "var"),
        "WEICE_MODELS_DIR": str(settings.load().models_dir),
        "WEICE_LEXICON": str(data / "词典.txt"),
        "WEICE_LIBRARY": json.dumps([str(ROOT / "seeds")]),
    }
    if (index := settings.load().data_dir / "index").is_dir():
        shutil.copytree(index, data / "var" / "index")  # else it takes a minute to be made
    assert started(environment, "index").wait() == 0
    return environment


def started(environment: Mapping[str, str], *args: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "import sys; from ui.cli import main; sys.exit(main())", *args]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, env=dict(environment), **quiet)  # type: ignore[call-overload, no-any-return]


def questions(path: Path) -> Path:
    """A workbook of real questions, some of them asked twice and some rows without one."""
    lines = (ROOT / "eval/datasets/newsletters.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line)["question"] for line in lines[:ROWS]]
    book = Workbook()
    page = book.active
    page.append(["编号", "问题"])
    for number, question in enumerate([*asked, "", asked[0], f" {asked[1]}？"], 1):
        page.append([number, question])
    book.save(path)
    return path


def journalled(path: Path) -> dict[str, str]:
    """The answers that are kept, by the meaning of their question, as they stand in the journal."""
    if not path.is_file():
        return {}
    with closing(sqlite3.connect(path, timeout=30)) as db:
        try:
            return dict(db.execute("SELECT key, record FROM answers"))
        except sqlite3.OperationalError:  # the tables are not there yet
            return {}


def without_time(path: Path) -> list[list[list[Any]]]:
    """Every sheet's cells but those of the times."""
    book = load_workbook(path)
    header = [cell.value for cell in book.worksheets[0][1]]
    return [
        [[cell.value for at, cell in enumerate(row) if page.title == "引文" or header[at] != TIME] for row in page]
        for page in book.worksheets
    ]


def test_ten_kills_at_random_points_change_nothing(home: dict[str, str], tmp_path: Path) -> None:
    chance = random.Random(seed := random.randrange(10**6))  # noqa: S311  # no secret
    print("seed", seed)
    source, target = questions(tmp_path / "in.xlsx"), tmp_path / "out.xlsx"
    path = batch_path(Path(home["WEICE_DATA_DIR"]) / "batches", target)
    goals = [*sorted(chance.randint(0, ROWS - 1) for _ in range(KILLS - 1)), ROWS]
    before: dict[str, str] = {}
    killed = 0
    for goal in goals:
        process = started(home, "batch", str(source), "-o", str(target), "--no-llm")
        while process.poll() is None and len(journalled(path)) < goal:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        now = journalled(path)
        assert before.items() <= now.items(), "what was answered is kept and not asked again"
        before = now
    assert killed >= KILLS - 1  # the last may have been done already
    assert started(home, "batch", str(source), "-o", str(target), "--no-llm").wait() == 0
    assert before.items() <= journalled(path).items()

    unbroken = tmp_path / "unbroken.xlsx"
    assert started(home, "batch", str(source), "-o", str(unbroken), "--no-llm").wait() == 0
    assert without_time(target) == without_time(unbroken)
    page = load_workbook(target).worksheets[0]
    numbers, asked, answers = zip(*[[cell.value for cell in row[:3]] for row in page], strict=True)
    assert numbers[1:] == tuple(range(1, ROWS + 4))
    assert [bool(answer) for answer in answers] == [bool(question) for question in asked]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.xlsx", "out.xlsx", "unbroken.xlsx"]

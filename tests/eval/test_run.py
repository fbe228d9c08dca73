"""Runs over a small index without models: rows, resuming after a kill, errors of one question, the commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from eval.cases import Case
from eval.metrics import ANSWER_SCORES
from eval.retrieval import Query, document_ranks
from eval.run import LEGS, Outcome, Plan, evaluate, parse_settings
from rag.errors import LlmUnavailable, StorageError, UsageError, WeiceError
from rag.records import Record
from rag.schema import Article, Chunk, Evidence, Issue, Message
from rag.settings import ROOT, Settings
from rag.testing import HashingEmbedder
from rag.wiring import App
from tests.builders import library
from ui.cli import main

PLACES = {"福建": 39, "四川": 41, "海南": 43, "云南": 47, "贵州": 53, "甘肃": 59}
"""What the small library holds: 福建省建成39间数字化手术室。 and so on, a file each."""


class Writer:
    """Writes 某省建成某间数字化手术室。 for the place that is asked about, and logs each question that reaches it."""

    model = "writer"

    def __init__(self, log: Path, *, delay_s: float = 0.0, down_for: str = "") -> None:
        self.log, self.delay_s, self.down_for = log, delay_s, down_for

    def prepare(self) -> None:
        pass

    def generate(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:  # noqa: ARG002  # a port
        asked = messages[-1].content.rpartition("问题")[2]
        place = next(name for name in PLACES if name in asked)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(place + "\n")
        time.sleep(self.delay_s)
        if place == self.down_for:
            raise LlmUnavailable("大模型连不上", "请检查接口")
        yield f"{place}省建成{PLACES[place]}间数字化手术室。"


class SmallApp(App):
    """The program over the small library, with an embedder that is no model."""

    @cached_property
    def embedder(self) -> HashingEmbedder:
        return HashingEmbedder()

    @property
    def asked(self) -> list[str]:
        log = self.settings.data_dir / "asked.log"
        return log.read_text(encoding="utf-8").split() if log.exists() else []


def small_app(folder: Path, **writer: Any) -> SmallApp:
    settings = Settings(
        data_dir=folder / "var", models_dir=folder, library=(folder / "library",), lexicon=folder / "none", llm="none"
    )
    app = SmallApp(settings)
    app.build_index(lambda *_: None)
    app.generator = Writer(settings.data_dir / "asked.log", **writer)  # type: ignore[assignment]
    return app


def line(place: str, **changes: object) -> str:
    rooms = PLACES[place]
    record = {
        "id": place,
        "split": "dev" if rooms < 47 else "test",
        "type": "factoid",
        "question": f"{place}省建成多少间数字化手术室？",
        "history": [],
        "must": [[f"{rooms}间"]],
        "must_not": ["139间"],
        "sources": [
            {"file": f"{place}.md", "article": f"{place}手术室", "quote": f"{place}省建成{rooms}间数字化手术室"}
        ],
        "answerable": True,
    }
    whole = {key: value for key, value in (record | changes).items() if value != "gone"}
    return json.dumps(whole, ensure_ascii=False)


UNKNOWN = line(
    "福建", id="u", type="unanswerable", question="南极企鹅吃啥", must=[], must_not=[], sources=[], answerable=False
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    texts = {place: f"# {place}手术室\n{place}省建成{rooms}间数字化手术室。" for place, rooms in PLACES.items()}
    library(tmp_path / "library", **texts)
    (tmp_path / "set.jsonl").write_text("\n".join(line(place) for place in PLACES), encoding="utf-8")
    return tmp_path


@pytest.fixture
def app(home: Path) -> SmallApp:
    return small_app(home)


def rows_of(folder: Path) -> list[Record]:
    return [json.loads(row) for row in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()]


def about(folder: Path) -> Record:
    read: Record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return read


def runs(home: Path) -> list[Path]:
    return sorted((home / "var" / "eval").glob("*"))


def run_set(app: App, home: Path, **more: Any) -> Outcome:
    return evaluate(app, Plan(home / "set.jsonl"), **more)


# --- a whole run ------------------------------------------------------------


def test_a_run_writes_a_row_a_question_and_figures_that_can_be_counted_by_hand(app: SmallApp, home: Path) -> None:
    (home / "set.jsonl").write_text("\n".join([*(line(p) for p in PLACES), UNKNOWN]), encoding="utf-8")
    steps: list[tuple[int, int]] = []
    done = run_set(app, home, progress=lambda _, n, total: steps.append((n, total)))
    assert (done.asked, done.kept, done.errors) == (7, 0, ())
    assert steps == [(n, 7) for n in range(8)]
    rows = rows_of(done.folder)
    assert [row["id"] for row in rows] == [*PLACES, "u"]
    first = rows[0]
    assert first["answer"]["answer"] == "福建省建成39间数字化手术室[1]。"
    assert first["sources"][0]["quote"] == "福建省建成39间数字化手术室"
    assert (first["split"], first["error"], first["must"]) == ("dev", None, [["39间"]])
    assert first["ranks"]["reranked"] == first["ranks"]["words"] == first["article_ranks"]["reranked"] == [1]
    assert first["scores"]["fully_correct"] == first["scores"]["evidence_cited"] == 1.0
    assert rows[-1]["answer"]["refused"] is True
    assert rows[-1]["ranks"] == {leg: [] for leg in LEGS}
    summary = json.loads((done.folder / "summary.json").read_text(encoding="utf-8"))
    assert summary == asdict(done.summary)
    assert (summary["n"], summary["errors"]) == (7, 0)
    # Wilson: 6 of 6 from 6/9.8415, 0 of 1 to 3.8415/4.8415
    right, wrong = (list(summary["overall"][name].values()) for name in ("fully_correct", "false_answer"))
    assert right == pytest.approx([1.0, 0.6097, 1.0, 6], abs=1e-4)
    assert wrong == pytest.approx([0.0, 0.0, 0.7935, 1], abs=1e-4)
    assert summary["overall"]["refused"]["value"] == pytest.approx(1 / 7)
    assert summary["by_type"]["unanswerable"]["refused"]["value"] == 1.0
    assert summary["by_article"]["海南手术室"]["key_facts"]["n"] == 1
    assert summary["legs"]["reranked"]["hit@1"] == summary["article_legs"]["reranked"]["mrr"] == 1.0
    assert set(summary["latency"]["total_s"]) == {"p50", "p95"}


def test_run_json_tells_what_was_run_and_hides_the_key(home: Path, app: SmallApp) -> None:
    done = evaluate(app, Plan(home / "set.jsonl", split="dev", limit=2))
    told = about(done.folder)
    assert done.folder.name.startswith("set-dev-20")
    assert (told["split"], told["limit"], told["only"], told["model"]) == ("dev", 2, None, "writer")
    assert told["index_version"] == app.index.version
    assert told["settings"]["passages"] == 8
    assert not {"llm_api_key", "judge_api_key", "judge_base_url", "judge_model"} & set(told["settings"])
    assert len(told["dataset_sha256"]) == 64
    assert set(told["machine"]) == {"cpu", "cores", "memory_gb", "platform", "python"}
    assert told["started"] <= told["finished"]
    assert app.asked == ["福建", "四川"]


def test_retrieval_alone_asks_no_model_and_answers_alone_search_no_legs(home: Path, app: SmallApp) -> None:
    found = evaluate(app, Plan(home / "set.jsonl", only="retrieval"))
    assert app.asked == []
    assert {row["answer"] for row in rows_of(found.folder)} == {None}
    assert set(found.summary.overall) == {f"evidence_hit@{k}" for k in (1, 3, 5, 10)}
    assert set(found.summary.latency) == {"retrieve_s"}
    said = evaluate(app, Plan(home / "set.jsonl", only="answers"))
    assert app.asked == list(PLACES)
    assert said.summary.legs == {}
    assert said.summary.overall["key_facts"].value == 1.0
    assert "evidence_hit@1" not in said.summary.overall


def test_without_a_model_the_program_quotes_and_no_row_is_an_error(home: Path, app: SmallApp) -> None:
    app.generator = None
    done = run_set(app, home)
    assert done.errors == ()
    assert {row["answer"]["mode"] for row in rows_of(done.folder)} == {"extractive"}
    assert about(done.folder)["model"] == ""


# --- going on ------------------------------------------------------------


def ask_slowly(home: Path) -> None:
    """What the killed process does."""
    run_set(small_app(home, delay_s=0.3), home)


def test_a_run_killed_half_way_goes_on_by_itself_and_asks_no_answered_question_again(home: Path) -> None:
    small_app(home)  # the index is there before: its version is part of what a run is
    script = "import sys, pathlib; from tests.eval.test_run import ask_slowly; ask_slowly(pathlib.Path(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", script, str(home)], cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if runs(home) and (runs(home)[0] / "rows.jsonl").exists() and len(rows_of(runs(home)[0])) >= 2:
                break
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    (folder,) = runs(home)
    before = [row["id"] for row in rows_of(folder)]
    assert 2 <= len(before) < len(PLACES)
    assert about(folder)["finished"] is None
    started = about(folder)["started"]
    app = small_app(home)
    app.settings.data_dir.joinpath("asked.log").unlink()
    done = run_set(app, home)
    assert (done.folder, done.kept, done.asked) == (folder, len(before), len(PLACES) - len(before))
    assert app.asked == list(PLACES)[len(before) :]
    assert [row["id"] for row in rows_of(folder)] == list(PLACES)
    assert about(folder)["started"] == started
    assert about(folder)["finished"] is not None


def interrupted(app: SmallApp, home: Path, keep: str) -> Path:
    """A run that looks as if it was killed: some rows, perhaps a torn one, and no end."""
    done = run_set(app, home)
    (done.folder / "run.json").write_text(json.dumps({**about(done.folder), "finished": None}), encoding="utf-8")
    rows = (done.folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    (done.folder / "rows.jsonl").write_text(rows[0] + "\n" + rows[1] + "\n" + keep, encoding="utf-8")
    app.settings.data_dir.joinpath("asked.log").unlink()
    return done.folder


@pytest.mark.parametrize("torn", ['{"id": "海南", "scores": {"key', '{"id": "海南", "scores": {"key_facts": 1.0}}'])
def test_a_line_that_is_torn_or_no_row_is_asked_again_and_nothing_else(app: SmallApp, home: Path, torn: str) -> None:
    folder = interrupted(app, home, torn)
    done = run_set(app, home)
    assert (done.folder, done.kept) == (folder, 2)
    assert app.asked == list(PLACES)[2:]
    assert [row["id"] for row in rows_of(folder)] == list(PLACES)


def test_a_finished_run_and_one_of_other_questions_or_settings_are_left_alone(app: SmallApp, home: Path) -> None:
    folder = interrupted(app, home, "")
    other = evaluate(app.with_settings(passages=5), Plan(home / "set.jsonl", only="retrieval"))
    part = evaluate(app, Plan(home / "set.jsonl", split="test", only="retrieval"))
    assert folder not in {other.folder, part.folder}
    assert about(folder)["finished"] is None
    finished = run_set(app, home)
    assert finished.folder == folder
    assert run_set(app, home).folder != folder


@pytest.fixture
def commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets the program's commit be the one that is told, by a git of its own."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: there is no commit to tell")
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    monkeypatch.setenv("PATH", f"{git.parent}{os.pathsep}{os.environ['PATH']}")

    def tell(name: str) -> None:
        git.write_text(f"#!/bin/sh\necho {name}\n", encoding="utf-8")
        git.chmod(0o755)

    return tell


def test_what_is_to_be_run_once_is_not_run_again_but_for_its_failed_questions(
    home: Path, commit: Callable[[str], None]
) -> None:
    commit("0123abc")
    first = run_set(small_app(home, down_for="海南"), home, once=True)
    app = small_app(home)
    app.settings.data_dir.joinpath("asked.log").unlink()
    again = run_set(app, home, once=True)
    assert (again.folder, again.kept, app.asked) == (first.folder, 5, ["海南"])
    third = run_set(app, home, once=True)
    assert (third.folder, third.asked, third.errors) == (first.folder, 0, ())
    assert run_set(app, home).folder != first.folder
    commit("4567def")
    assert run_set(app, home, once=True).asked == 6


def test_a_program_that_was_changed_since_its_commit_is_run_again(
    app: SmallApp, home: Path, commit: Callable[[str], None]
) -> None:
    commit("0123abc-dirty")
    first = run_set(app, home, once=True)
    assert run_set(app, home, once=True).folder != first.folder
    folder = interrupted(app, home, "")
    assert run_set(app, home, once=True).folder == folder


def test_a_failing_endpoint_is_the_error_of_that_question_and_only_it_is_asked_again(home: Path) -> None:
    app = small_app(home, down_for="海南")
    done = run_set(app, home)
    assert (done.errors, done.asked) == (("海南",), 6)
    row = rows_of(done.folder)[2]
    assert row["error"] == "大模型连不上。请检查接口"
    assert row["answer"] is None
    assert row["scores"]["key_facts"] is None
    assert row["scores"]["evidence_hit@1"] == 1.0
    assert (done.summary.errors, done.summary.overall["key_facts"].n) == (1, 5)
    well = small_app(home)
    well.settings.data_dir.joinpath("asked.log").unlink()
    again = run_set(well, home, folder=done.folder)
    assert (again.errors, again.asked, again.kept, well.asked) == ((), 1, 5, ["海南"])
    assert sorted(row["id"] for row in rows_of(done.folder)) == sorted(PLACES)


def test_a_small_llm_copies_facts_and_its_failure_is_the_question_s(app: SmallApp, home: Path) -> None:
    class Copying(Writer):
        def extract(
            self,
            messages: Sequence[Message],
            moved: Mapping[str, float],  # noqa: ARG002  # a port's shape
            *,
            max_tokens: int,  # noqa: ARG002  # a port's shape
        ) -> Iterator[tuple[str, float]]:
            asked = messages[-1].content.rpartition("问题")[2]
            if "海南" in asked:
                raise LlmUnavailable("大模型连不上", "请检查接口")
            yield "无" if "四川" in asked else f"{next(n for place, n in PLACES.items() if place in asked)}间", 0.9

    app.settings = app.settings.model_copy(update={"llm": "local"})
    app.generator = Copying(app.settings.data_dir / "asked.log")  # type: ignore[assignment]
    done = run_set(app, home)
    assert done.errors == ("海南",)
    refused = {row["id"] for row in rows_of(done.folder) if row["answer"] and row["answer"]["refused"]}
    assert "四川" in refused
    assert "福建" not in refused


def test_a_bug_in_one_question_costs_that_question_alone(app: SmallApp, home: Path) -> None:
    class Broken(Writer):
        def generate(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
            for piece in super().generate(messages, max_tokens=max_tokens):
                if "四川" in piece:
                    raise ZeroDivisionError("boom")
                yield piece

    app.generator = Broken(app.settings.data_dir / "asked.log")  # type: ignore[assignment]
    done = run_set(app, home)
    assert done.errors == ("四川",)
    assert rows_of(done.folder)[1]["error"] == "程序内部错误（ZeroDivisionError: boom）"


def test_a_folder_of_another_run_or_of_none_is_refused(app: SmallApp, home: Path) -> None:
    done = evaluate(app, Plan(home / "set.jsonl", only="retrieval"))
    with pytest.raises(UsageError, match="是另一次评测，split、设置 passages不同"):
        evaluate(
            app.with_settings(passages=5), Plan(home / "set.jsonl", split="dev", only="retrieval"), folder=done.folder
        )
    with pytest.raises(UsageError, match="不是评测结果文件夹"):
        run_set(app, home, folder=home / "library")


def test_two_runs_do_not_write_one_folder(app: SmallApp, home: Path) -> None:
    folder = interrupted(app, home, "")
    from filelock import FileLock

    with FileLock(folder / "run.lock"), pytest.raises(StorageError, match="另一个评测正在写"):
        run_set(app, home)


def test_a_measure_broken_on_purpose_stops_the_run_before_any_question(app: SmallApp, home: Path) -> None:
    def wrong(case: Case, answer: Record) -> float | None:
        return 1.0

    with pytest.raises(WeiceError, match=r"评测自检没有通过.*key_facts"):
        run_set(app, home, scorers={**ANSWER_SCORES, "key_facts": wrong})
    assert app.asked == []
    assert runs(home) == []


# --- bad input ------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (line("福建") + '\n{"id": ', "set.jsonl 第 2 行不是完整的 JSON"),
        (line("福建", question="gone"), "第 1 行缺少字段 question"),
        (line("福建", tags=["x"]), "第 1 行有不认识的字段 tags"),
        (line("福建", split="train"), "第 1 行的字段 split 的值不对"),
        (line("福建") + "\n" + line("福建"), "第 2 行的字段 id 与第 1 行重复：福建"),
        ("\n\n", "是空的"),
        (line("福建", split=None), "没有字段 split 为 dev 的题"),
        (
            line("四川")
            + "\n"
            + line("福建", sources=[{"file": "福建.md", "article": "福建手术室", "quote": "建成93间"}]),
            "第 2 行（福建）的字段 sources.0.quote 不在资料库里：建成93间",
        ),
        (
            line("福建", sources=[{"file": "福建.md", "article": "海南手术室", "quote": "建成39间"}]),
            "第 1 行（福建）的字段 sources.0.article 不在资料库里：海南手术室",
        ),
        (
            line("福建", sources=[{"file": "z.md", "article": "福建手术室", "quote": "建成39间"}]),
            "第 1 行（福建）的字段 sources.0.file 不在资料库里：z.md",
        ),
    ],
)
def test_a_wrong_dataset_is_one_chinese_line_naming_line_and_field(
    app: SmallApp, home: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    (home / "set.jsonl").write_text(content, encoding="utf-8")
    code = main(["eval", "run", str(home / "set.jsonl"), "--split", "dev"], build=lambda: app)
    err = capsys.readouterr().err
    assert code == 2
    assert said in err.splitlines()[-1]
    assert "Traceback" not in err
    assert runs(home) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--set", "rerank=off"], "不认识的设置 rerank"),
        (["--set", "passages"], "“passages”不是 设置=值"),
        (["--set", "passages=many"], "设置 passages 的值不对"),
        (["--set", "llm_writes=gpu"], "设置 llm_writes 的值不对"),
        (["--set", "embedding_model=bge"], "设置 embedding_model 不能用 --set 改"),
        (["--set", "llm_api_key=secret"], "设置 llm_api_key 不能用 --set 改"),
        (["--set", "judge_api_key=secret"], "设置 judge_api_key 不能用 --set 改"),
        (["--split", "train"], "--split 的值不对：train"),
        (["--only", "speed"], "--only 的值不对：speed"),
        (["--limit", "0"], "--limit 的值不对"),
        (["--run", "/nowhere"], "/nowhere 不是评测结果文件夹"),
    ],
)
def test_a_wrong_option_is_one_chinese_line(
    app: SmallApp, home: Path, capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    assert main(["eval", "run", str(home / "set.jsonl"), *args], build=lambda: app) == 2
    err = capsys.readouterr().err
    assert f"错误：{said}" in err
    assert "secret" not in err


def test_settings_are_read_with_their_types() -> None:
    assert parse_settings(["passages=5", " reranker = off ", "dense=false", "dense_weight=0.2"]) == {
        "passages": 5,
        "reranker": "off",
        "dense": False,
        "dense_weight": 0.2,
    }
    assert parse_settings([]) == {}


# --- commands ------------------------------------------------------------

Weice = Callable[..., tuple[int, str, str]]


@pytest.fixture
def weice(app: SmallApp, capsys: pytest.CaptureFixture[str]) -> Weice:
    def call(*args: object) -> tuple[int, str, str]:
        code = main([str(arg) for arg in args], build=lambda: app)
        return code, *capsys.readouterr()

    return call


def test_eval_run_prints_the_figures_in_chinese_and_where_they_are(weice: Weice, home: Path) -> None:
    code, out, _ = weice("eval", "run", home / "set.jsonl", "--set", "reranker=off")
    assert code == 0
    for words in ("评测结果（6 题）", "95% 区间", "100.0%", "按题型", "单一事实", "检索各部分", "nDCG@10"):
        assert words in out
    assert f"本次问了 6 题，沿用已有的 0 题。结果在 {runs(home)[0]}" in out
    assert about(runs(home)[0])["settings"]["reranker"] == "off"


def test_eval_run_writes_the_report_where_it_is_asked_to_even_after_a_failed_question(
    weice: Weice, home: Path, app: SmallApp
) -> None:
    app.generator = Writer(app.settings.data_dir / "asked.log", down_for="海南")  # type: ignore[assignment]
    code, out, _ = weice("eval", "run", home / "set.jsonl", "--once", "--report")
    assert code == 1
    page = runs(home)[0] / "report.html"
    assert f"报告已写好：{page}" in out
    assert "1 题出错" in page.read_text(encoding="utf-8")


def test_eval_run_fails_and_says_how_to_go_on_where_a_question_failed(
    weice: Weice, home: Path, app: SmallApp
) -> None:
    app.generator = Writer(app.settings.data_dir / "asked.log", down_for="海南")  # type: ignore[assignment]
    code, out, err = weice("eval", "run", home / "set.jsonl")
    assert code == 1
    assert "评测结果（6 题）" in out
    assert "1 题出错，未计入回答的各项指标：海南" in err
    assert f"--run {runs(home)[0]}" in err


def test_report_diff_and_gate_work_on_runs(weice: Weice, home: Path, app: SmallApp) -> None:
    good = Path(json.loads(weice("eval", "run", home / "set.jsonl", "--json")[1])["run"])
    app.generator = Writer(app.settings.data_dir / "asked.log", down_for="")  # type: ignore[assignment]
    again = Path(json.loads(weice("eval", "run", home / "set.jsonl", "--json")[1])["run"])
    code, out, _ = weice("eval", "report", good)
    assert code == 0
    assert Path(out.strip().rpartition("：")[2]).is_file()
    code, out, _ = weice("eval", "diff", good, again, "-o", home / "diff.html")
    assert code == 0
    assert (home / "diff.html").is_file()
    (home / "low.toml").write_text('[min]\n"hit@5" = 0.5\n', encoding="utf-8")
    (home / "high.toml").write_text('[min]\n"hit@5" = 1.01\n', encoding="utf-8")
    assert weice("eval", "gate", good, home / "low.toml")[0] == 0
    assert weice("eval", "gate", good, home / "high.toml")[0] != 0


def test_a_significant_loss_is_exit_code_1(weice: Weice, home: Path) -> None:
    good = Path(json.loads(weice("eval", "run", home / "set.jsonl", "--json")[1])["run"])

    blind = ("--set", "words=false", "--set", "dense=false", "--set", "sentences=false")
    bad = Path(json.loads(weice("eval", "run", home / "set.jsonl", "--json", *blind)[1])["run"])
    assert json.loads((bad / "summary.json").read_text(encoding="utf-8"))["overall"]["key_facts"]["value"] == 0.0
    assert weice("eval", "diff", good, bad, "-o", home / "diff.html")[0] == 1


def test_the_evaluation_pages_of_the_help_are_chinese(weice: Weice) -> None:
    for page in ("run", "report", "judge", "diff", "gate", "retrieval"):
        code, out, _ = weice("eval", page, "--help")
        assert code == 0
        for english in ("Usage", "Options", "Arguments", "default", "required", "TEXT", "PATH"):
            assert english not in out, (page, english)


# --- outside benchmarks ------------------------------------------------------------


def corpus(home: Path, *documents: object, queries: Sequence[object]) -> tuple[str, ...]:
    for name, lines in (("corpus", documents), ("queries", queries)):
        text = "\n".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in lines)
        (home / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return ("eval", "retrieval", "--corpus", str(home / "corpus.jsonl"), "--queries", str(home / "queries.jsonl"))


DOCUMENTS = (
    {"id": "d1", "title": "手术室", "text": "东阳医院建成数字化手术室。" * 60},
    {"id": "d2", "title": "药材", "text": "中药材种植面积达到四百万亩。"},
    {"id": "d3", "title": "流感", "text": "流感病例数继续上升。", "url": "https://example.org"},
)


def test_documents_are_ranked_once_each_however_many_passages_they_have() -> None:
    def found(id_: str) -> Evidence:
        return Evidence(Chunk(Article(id_, Issue("corpus"), id_, "文"), 0, 1), 1.0)

    passages = [found("a"), found("a"), found("b"), found("a"), found("c")]
    query = Query("q", "问", ("c", "z", "a"))
    assert document_ranks(lambda _question, _history: passages, query) == (3, None, 1)


def test_a_benchmark_is_measured_by_document_with_every_leg(weice: Weice, home: Path) -> None:
    queries = (
        {"id": "q1", "question": "数字化手术室建成了吗", "relevant": ["d1"]},
        {
            "id": "q2",
            "question": "那流感病例呢",
            "relevant": ["d3"],
            "history": [{"user": "病例数", "assistant": "有"}],
        },
    )
    code, out, _ = weice(*corpus(home, *DOCUMENTS, queries=queries), "--json")
    report = json.loads(out)
    assert code == 0
    # d1 has 60 sentences of 13 characters, closed at 260: three passages and more; the others one each.
    assert (report["documents"], report["queries"]) == (3, 2)
    assert report["passages"] >= 5
    assert list(report["legs"]) == [
        "只用关键词",
        "只用向量",
        "只用句向量",
        "加权融合",
        "融合、约束",
        "融合、约束、重排（默认）",
    ]
    assert report["legs"]["只用关键词"]["hit@1"] == report["legs"]["融合、约束、重排（默认）"]["ndcg@10"] == 1.0
    assert "nDCG@10" in weice(*corpus(home, *DOCUMENTS, queries=queries))[1]


@pytest.mark.parametrize(
    ("documents", "queries", "said"),
    [
        (['{"id": '], [], "语料 corpus.jsonl 第 1 行不是完整的 JSON"),
        ([{"id": "d1"}], [], "语料 corpus.jsonl 第 1 行缺少字段 text"),
        ([DOCUMENTS[1], DOCUMENTS[1]], [], "第 2 行的字段 id 与第 1 行重复：d2"),
        ([{"id": "d1", "text": " "}], [], "第 1 行的字段 text 是空的"),
        ([], [], "corpus.jsonl 是空的"),
        (DOCUMENTS, [], "queries.jsonl 是空的"),
        (DOCUMENTS, [{"id": "q", "relevant": ["d1"]}], "问题 queries.jsonl 第 1 行缺少字段 question"),
        (DOCUMENTS, [{"id": "q", "question": "问", "relevant": []}], "第 1 行的字段 relevant 是空的"),
        (DOCUMENTS, [{"id": "q", "question": "问", "relevant": ["d9"]}], "第 1 行的字段 relevant 不在语料里：d9"),
    ],
)
def test_a_wrong_benchmark_is_one_chinese_line_naming_line_and_field(
    weice: Weice, home: Path, documents: Sequence[object], queries: Sequence[object], said: str
) -> None:
    code, _, err = weice(*corpus(home, *documents, queries=queries))
    assert code == 2
    assert said in err


def test_a_corpus_without_queries_is_wrong_usage(weice: Weice, home: Path) -> None:
    assert weice("eval", "retrieval", "--corpus", home / "set.jsonl")[0] == 2

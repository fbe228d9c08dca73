"""The report page of run folders written by hand: what it shows, what it never does, and what a damaged run says."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from eval import charts, report
from rag.errors import StorageError, UsageError

SETTINGS = {"candidates": 50, "passages": 8, "reranker": "features"}
QUOTE = "已有2000余家定点医药机构接入即时结算。"
CITED = {
    "number": 1,
    "file": "000.txt",
    "issue": "卫生健康信息动态2025年第4期",
    "date": "2025-02-11",
    "column": "他山之石",
    "title": "国家出手！回款大提速",
    "source": None,
    "page": 6,
    "section": "厦门",
    "quote": QUOTE,
    "text": f"厦门{QUOTE}",
    "start": 2,
    "end": 20,
}


def answered(text: str, **changes: Any) -> dict[str, Any]:
    """An answer of one sentence with one good citation."""
    return {
        "id": None,
        "question": "",
        "standalone_question": "",
        "answer": text,
        "verdict": "answered",
        "refused": False,
        "reason": None,
        "citations": [CITED],
        "retrieved": [
            {"file": "000.txt", "title": "回款", "section": "厦门", "page": 6, "text": "厦门", "score": 0.8}
        ],
        "sentences": [{"text": text, "citations": [1], "support": "full"}],
        "unmatched_numbers": [],
        "mode": "llm",
        "model": "m",
        "index_version": "v1",
        "timings": {"retrieve_s": 0.1, "first_token_s": 2.0, "total_s": 8.0},
        **changes,
    }


REFUSED = answered("资料中未找到。", verdict="refused", refused=True, citations=[], sentences=[])
RIGHT = {"fully_correct": 1.0, "key_facts": 1.0, "evidence_hit@5": 1.0, "false_answer": None}
WRONG = {"fully_correct": 0.0, "key_facts": 0.0, "evidence_hit@5": 0.0, "false_answer": None}


def row(id_: str, answer: dict[str, Any] | None, scores: dict[str, float | None], **changes: Any) -> dict[str, Any]:
    """A question about the number of institutions; answerable unless `changes` say otherwise."""
    return {
        "id": id_,
        "type": "factoid",
        "split": "dev",
        "question": f"厦门有多少家（{id_}）",
        "history": [],
        "answerable": True,
        "must": [["2000余家", "两千多家"]],
        "must_not": ["三千家"],
        "sources": [{"file": "000.txt", "article": "国家出手！回款大提速", "quote": QUOTE}],
        "ranks": {"words": [4], "dense": [None], "fused": [2], "reranked": [1]},
        "answer": answer,
        "error": None,
        "scores": scores,
        **changes,
    }


ROWS = (
    row("q1", answered("有2000余家[1]。"), RIGHT),
    row("q2", answered("有12000家，另有37%没有[1]。", unmatched_numbers=["37%"], citations=[]), WRONG),
    row("q3", REFUSED, WRONG, type="list"),
    row(
        "q4",
        answered("有三千家[1]。"),
        {"fully_correct": None, "key_facts": None, "evidence_hit@5": None, "false_answer": 1.0},
        type="unanswerable",
        answerable=False,
        must=[],
        sources=[],
        ranks={"words": [], "dense": [], "fused": [], "reranked": []},
    ),
)


def write_run(folder: Path, rows: tuple[dict[str, Any], ...] = ROWS, **about: Any) -> Path:
    """A finished run, but for a summary."""
    folder.mkdir(parents=True, exist_ok=True)
    run = {
        "dataset": "eval/datasets/newsletters.jsonl",
        "dataset_sha256": "ab" * 32,
        "split": "dev",
        "limit": None,
        "only": None,
        "settings": SETTINGS,
        "model": "qwen",
        "index_version": "v1",
        "git_commit": "0123abc",
        "machine": {"cpu": "Xeon", "cores": 2, "memory_gb": 24, "platform": "Linux", "python": "3.11"},
        "started": "2026-11-22T01:20:00+00:00",
        "finished": "2026-11-22T01:31:00+00:00",
        **about,
    }
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    return folder


def write_summary(folder: Path, n: int = len(ROWS), **changes: Any) -> Path:
    """The figures of `ROWS`, counted by hand."""
    summary = {
        "n": n,
        "errors": 0,
        "overall": {
            "fully_correct": {"value": 1 / 3, "low": 0.0, "high": 1.0, "n": 3},
            "evidence_hit@5": {"value": 1 / 3, "low": 0.0, "high": 1.0, "n": 3},
        },
        "by_type": {"factoid": {"fully_correct": {"value": 0.5, "low": 0.0, "high": 1.0, "n": 2}}},
        "by_article": {"回款": {"fully_correct": {"value": 0.5, "low": 0.0, "high": 1.0, "n": 2}}},
        "legs": {"words": {"hit@5": 1.0}, "reranked": {"hit@1": 1.0, "hit@5": 0.92, "hit@10": 0.96, "mrr": 0.8125}},
        "latency": {"total_s": {"p50": 8.0, "p95": 12.5}},
        **changes,
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder


class Page(HTMLParser):
    """What a browser would make of a page: elements that close in order, ids, links, and the text of each id."""

    VOID = frozenset({"meta", "br", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links |= {value for name, value in attrs if name in {"href", "src"} and value}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text += data


def read_page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_summary(write_run(tmp_path / "newsletters-dev-20261122-012000"))


def test_the_report_shows_figures_settings_and_every_question_with_its_answer_and_quote(run: Path) -> None:
    path = report.write(run)
    assert path == run / "report.html"
    text = read_page(path).text
    for shown in ("33.3%", "0.0% – 100.0%", "3 题", "8.0 秒", "p95 12.5 秒", "0.812", "qwen", "0123abc", "Xeon"):
        assert shown in text
    for shown in ("candidates", "features", "2026-11-22 01:20", "厦门有多少家（q4）", "有2000余家", QUOTE, "第6页"):
        assert shown in text
    assert "不完整" not in text


def test_what_was_missed_is_named(run: Path) -> None:
    by_id = {one.id: report.missed(one) for one in report.read_run(run).rows}
    assert by_id["q1"] == ()
    assert by_id["q2"] == (
        "没有说到：2000余家／两千多家",
        f"证据没有引到：《国家出手！回款大提速》{QUOTE}",
        "数字没有依据：37%",
    )
    assert by_id["q3"] == (
        "资料中有答案，却拒答",
        "没有说到：2000余家／两千多家",
        f"证据没有引到：《国家出手！回款大提速》{QUOTE}",
    )
    assert by_id["q4"] == ("资料中没有答案，应当拒答", "说了不该说的：三千家")
    text = read_page(report.write(run)).text
    assert all(line in text for lines in by_id.values() for line in lines)


def test_a_quote_that_is_not_in_its_text_and_a_bare_sentence_are_named(tmp_path: Path) -> None:
    dead = answered("有2000余家。", citations=[{**CITED, "text": "别的话"}])
    dead["sentences"] = [{"text": "有2000余家。", "citations": [], "support": "none"}]
    (only,) = report.read_run(write_run(tmp_path / "r", (row("q1", dead, RIGHT),))).rows
    assert report.missed(only) == (f"引文不在原文中：[1] {QUOTE}", "没有引用的句子：有2000余家。")


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "right"),
        ({"scores": {**RIGHT, "fully_correct": 0.0, "key_facts": 0.5}}, "part"),
        ({"scores": {**RIGHT, "fully_correct": 0.0, "key_facts": 0.5, "wrong_fact": 1.0}}, "wrong"),
        ({"scores": WRONG}, "wrong"),
        ({"answerable": False, "answer": REFUSED}, "right"),
        ({"answerable": False}, "wrong"),
        ({"answer": None, "error": "接口没有响应"}, "error"),
        ({"answer": None, "scores": {"evidence_hit@5": 1.0}}, "right"),
        ({"answer": None, "scores": {"evidence_hit@5": 0.0}}, "wrong"),
        ({"answer": None, "scores": {}}, "none"),
    ],
)
def test_a_question_is_right_only_with_all_facts_or_a_due_refusal(
    tmp_path: Path, changes: dict[str, Any], outcome: str
) -> None:
    folder = write_run(tmp_path / "r", ({**row("q1", answered("有2000余家[1]。"), RIGHT), **changes},))
    assert report.read_run(folder).rows[0].outcome == outcome


def test_the_page_needs_nothing_from_elsewhere_and_every_link_leads_somewhere(run: Path) -> None:
    html = report.write(run).read_text(encoding="utf-8")
    page = Page(html)
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert {"q-q1", "q-q2", "q-q3", "q-q4", "q-q1-c1"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "link" not in page.tags
    assert "img" not in page.tags


def hostile(value: Any) -> Any:
    """`value` with markup in every string and every key but those the format itself knows."""
    if isinstance(value, str):
        return f"\"'><img src=x onerror=alert(1)></script>&amp;{value}"
    if isinstance(value, list):
        return [hostile(item) for item in value]
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    return value


def test_nothing_that_data_says_becomes_markup(tmp_path: Path) -> None:
    rows = tuple(hostile(one) for one in (*ROWS, row("q5", None, {}, error="坏了")))
    folder = write_run(tmp_path / "r", rows, **{name: hostile("x") for name in ("dataset", "model", "split")})
    write_summary(folder, n=5, by_article={hostile("题"): {"key_facts": {"value": 1, "low": 1, "high": 1, "n": 1}}})
    page = read_page(report.write(folder))
    assert "img" not in page.tags
    assert "<img src=x onerror=alert(1)></script>&amp;有2000余家" in page.text


def test_an_unfinished_run_says_so_and_shows_the_figures_of_what_is_there(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "r", ROWS, finished=None)
    with (folder / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "q5", "type": "fact')
    loaded = report.read_run(folder)
    assert not loaded.finished
    assert loaded.notes == (
        "评测还没有跑完，或中途停了；再运行一次同样的 weice eval run 会接着做完",
        "rows.jsonl 第 5 行读不出来，已略过（不是完整的 JSON）",
    )
    overall = loaded.summary.overall
    assert overall["fully_correct"].value == pytest.approx(1 / 3)
    assert overall["fully_correct"].n == 3
    assert (overall["false_answer"].value, overall["false_answer"].n) == (1.0, 1)
    assert set(loaded.summary.by_type) == {"factoid", "list", "unanswerable"}
    assert loaded.summary.legs["words"]["hit@3"] == 0.0  # rank 4 everywhere
    assert loaded.summary.legs["words"]["hit@5"] == 1.0
    assert loaded.summary.latency["total_s"]["p50"] == 8.0
    text = read_page(report.write(folder)).text
    assert "这次评测不完整，以下只是已有的 4 题" in text
    assert "没有跑完" in text
    assert "有2000余家" in text


@pytest.mark.parametrize(
    ("damage", "note"),
    [
        (lambda folder: (folder / "run.json").unlink(), "缺少 run.json"),
        (lambda folder: (folder / "run.json").write_text("{"), "run.json 读不出来（不是完整的 JSON）"),
        (lambda folder: (folder / "run.json").write_bytes(b"\xff\xfe{"), "run.json 读不出来（不是完整的 JSON）"),
        (lambda folder: (folder / "summary.json").unlink(), "缺少 summary.json"),
        (lambda folder: (folder / "summary.json").write_text("[]"), "summary.json 读不出来（不是预期的格式）"),
        (
            lambda folder: (folder / "rows.jsonl").write_text("3\n"),
            "rows.jsonl 第 1 行读不出来，已略过（不是预期的格式）",
        ),
        (lambda folder: (folder / "rows.jsonl").write_text('{"id":"a"}\n'), "已略过（缺少 type）"),
        (lambda folder: write_summary(folder, n=9), "summary.json 记的是 9 题，rows.jsonl 有 4 题"),
    ],
)
def test_a_damaged_file_is_named_and_the_rest_is_still_shown(
    run: Path, damage: Callable[[Path], object], note: str
) -> None:
    damage(run)
    assert any(note in said for said in report.read_run(run).notes)
    assert note in read_page(report.write(run)).text


def test_failed_questions_are_counted_at_the_top(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "r", (*ROWS, row("q5", None, {}, error="大模型接口没有响应")))
    text = read_page(report.write(folder)).text
    assert "1 题出错，没有答案：q5" in text
    assert "出错：大模型接口没有响应" in text


def test_a_run_of_retrieval_alone_has_no_answers_to_show(tmp_path: Path) -> None:
    scores = {"evidence_hit@5": 1.0, "fully_correct": None}
    folder = write_run(tmp_path / "r", (row("q1", None, scores, search_s=0.25),), only="retrieval")
    loaded = report.read_run(folder)
    assert loaded.summary.latency == {"retrieve_s": {"p50": 0.25, "p95": 0.25}}
    text = read_page(report.write(folder)).text
    assert "只测检索" in text
    assert "没有说到" not in text


def test_a_run_without_questions_is_still_a_page(tmp_path: Path) -> None:
    assert "0 题" in read_page(report.write(write_run(tmp_path / "r", (), finished=None))).text


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"找不到评测结果文件夹.*weice eval run"):
        report.write(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"不是评测结果：没有 run.json 和 rows.jsonl"):
        report.write(tmp_path)


def test_a_report_that_can_not_be_written_leaves_the_old_one(run: Path) -> None:
    old = report.write(run).read_bytes()
    (run / "report.html.tmp").mkdir()
    with pytest.raises(StorageError, match=r"report.html 写不进去"):
        report.write(run)
    assert (run / "report.html").read_bytes() == old


# --- plots -----------------------------------------------------------------------------------------------------


def svg(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314  # our own drawing


def test_a_bar_is_as_long_as_its_share() -> None:
    drawn = svg(charts.bars([charts.Bar("甲", 0.5, 0.25, 0.75, 8), charts.Bar("乙<b>", 1.0, 1.0, 1.0, 2)], "图"))
    widths = [float(rect.attrib["width"]) for rect in drawn.iter("rect")]
    assert widths[1] == 2 * widths[0]
    assert {"甲", "乙<b>", "50%", "100%", "8 题", "2 题"} <= {text.text for text in drawn.iter("text")}


def test_curves_rise_where_more_is_found() -> None:
    drawn = svg(charts.lines([charts.Line("词", ((1, 0.4), (3, 0.6), (5, 0.6), (10, 0.9)))], "图"))
    (curve,) = (line.attrib["points"] for line in drawn.iter("polyline"))
    heights = [float(point.split(",")[1]) for point in curve.split()]
    assert heights[0] > heights[1] == heights[2] > heights[3]


def test_a_histogram_counts_every_value_once() -> None:
    seconds = [0.5, 1.5, 1.6, 9.9]  # bars of one second
    drawn = svg(charts.histogram(seconds, (("p50", 1.55),), "图"))
    heights = [float(rect.attrib["height"]) for rect in drawn.iter("rect")]
    assert len(heights) == 3
    assert heights[1] == 2 * heights[0] == 2 * heights[2]
    assert "p50 1.55 秒" in {text.text for text in drawn.iter("text")}
    svg(charts.histogram([3.0], (), "一个值"))


def test_dots_of_more_questions_are_larger_and_better_ones_higher() -> None:
    drawn = svg(charts.dots([charts.Dot(0.2, 0.1, 0.0, 0.4, 4), charts.Dot(0.9, 0.8, 0.6, 0.9, 16)], "图", "分"))
    worse, better = drawn.iter("circle")
    assert float(better.attrib["r"]) > float(worse.attrib["r"])
    assert float(better.attrib["cy"]) < float(worse.attrib["cy"])


@pytest.mark.parametrize(
    ("low", "high", "better", "tone"),
    [
        (0.1, 0.2, 1, "good"),
        (-0.2, -0.1, 1, "bad"),
        (-0.1, 0.2, 1, "same"),
        (0.1, 0.2, -1, "bad"),
        (1, 2, 0, "same"),
    ],
)
def test_only_an_interval_without_zero_is_coloured(low: float, high: float, better: int, tone: str) -> None:
    assert charts.tone_of(charts.Effect("差", (low + high) / 2, low, high, better)) == tone


def test_the_wilson_interval_is_that_of_the_textbook() -> None:
    assert list(charts.wilson(8, 10)) == pytest.approx([0.490, 0.943], abs=1e-3)
    assert list(charts.wilson(0, 10)) == pytest.approx([0.0, 0.278], abs=1e-3)
    assert charts.wilson(0, 0) == (0.0, 1.0)


# --- in a real browser -----------------------------------------------------------------------------------------


@pytest.mark.browser
def test_a_reader_filters_the_questions_and_follows_links_on_a_phone(chromium: Any, run: Path) -> None:
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report.write(run).as_uri())

    def shown() -> list[str]:
        ids = [question.get_attribute("id") for question in page.query_selector_all(".q") if question.is_visible()]
        return [re.sub("^q-", "", id_) for id_ in ids]

    assert shown() == ["q1", "q2", "q3", "q4"]
    page.check("[name=wrong]")
    assert shown() == ["q2", "q3", "q4"]
    page.select_option("[name=verdict]", "refused")
    assert shown() == ["q3"]
    page.select_option("[name=verdict]", "")
    page.select_option("[name=type]", "factoid")
    assert shown() == ["q2"]
    assert page.inner_text("[role=status]") == "1 题"
    page.uncheck("[name=wrong]")
    page.fill("[name=words]", "12000")
    assert shown() == ["q2"]
    page.fill("[name=words]", "")
    page.select_option("[name=type]", "")
    page.evaluate("location.hash = 'q-q1-c1'")
    page.wait_for_selector("#q-q1[open] blockquote")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert complaints == []
    page.close()

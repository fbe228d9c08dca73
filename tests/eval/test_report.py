"""The report page of run folders written by hand: what it shows and what it never does."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from eval import charts, report
from eval.runs import read_run
from rag.errors import StorageError, UsageError
from tests.eval.run_folders import CITED, QUOTE, RIGHT, ROWS, answered, row, write_run, write_summary


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


def test_the_headline_shows_false_answers_and_false_refusals_with_their_intervals(run: Path) -> None:
    rates = {
        "fully_correct": {"value": 0.8, "low": 0.7, "high": 0.9, "n": 40},
        "false_answer": {"value": 0.15, "low": 0.05, "high": 0.3, "n": 20},
        "false_refusal": {"value": 0.125, "low": 0.025, "high": 0.225, "n": 40},
    }
    headline = read_page(report.write(write_summary(run, overall=rates))).text.partition("区间为 95%")[0]
    assert "完全答对80.0%70.0% – 90.0%40 题该拒未拒15.0%5.0% – 30.0%20 题误拒12.5%2.5% – 22.5%40 题" in headline


def test_the_headline_figures_are_drawn_and_those_that_should_be_low_are_marked(run: Path) -> None:
    share = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 4}
    write_summary(run, overall=dict.fromkeys(("fully_correct", "false_refusal", "citation_recall"), share))
    drawn = report.plots(read_run(run))
    first = drawn[: drawn.index("</figure>")]
    assert "主要指标" in first
    assert ">完全答对<" in first
    assert ">误拒↓<" in first
    assert ">引用查全<" not in first
    assert report.plots(read_run(write_run(run.parent / "empty", []))) == ""


def test_what_was_missed_is_named(run: Path) -> None:
    by_id = {one.id: report.missed(one) for one in read_run(run).rows}
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
    (only,) = read_run(write_run(tmp_path / "r", (row("q1", dead, RIGHT),))).rows
    assert report.missed(only) == (f"引文不在原文中：[1] {QUOTE}", "没有引用的句子：有2000余家。")


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
    text = read_page(report.write(folder)).text
    assert "这次评测不完整，以下只是已有的 4 题" in text
    assert "没有跑完" in text
    assert "rows.jsonl 第 5 行读不出来，已略过（不是完整的 JSON）。" in text
    assert "有2000余家" in text


def test_failed_questions_are_counted_at_the_top(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "r", (*ROWS, row("q5", None, {}, error="大模型接口没有响应")))
    text = read_page(report.write(folder)).text
    assert "1 题出错，没有答案：q5" in text
    assert "出错：大模型接口没有响应" in text


def test_a_run_of_retrieval_alone_has_no_answers_to_show(tmp_path: Path) -> None:
    scores = {"evidence_hit@5": 1.0, "fully_correct": None}
    folder = write_run(tmp_path / "r", (row("q1", None, scores, search_s=0.25),), only="retrieval")
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

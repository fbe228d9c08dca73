"""Documents of no known layout: official documents, Markdown, lists, wrapped print, and arbitrary text."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from rag.corpus.general import parse
from rag.corpus.parsed import ParsedIssue
from rag.corpus.readers import read
from rag.schema import Article, PageBreak

NOTICE = """国卫办医发〔2025〕3号

国家卫生健康委办公厅
关于提升基层服务能力的通知

2025年3月1日

各省、自治区、直辖市卫生健康委：

一、总体要求

（一）指导思想

坚持以人民健康为中心。

（二）基本原则

坚持保基本、强基层。

二、重点任务

1.加强人才队伍建设。每年培训不少于2次，
2.提升信息化水平。
"""


def one(parsed: ParsedIssue) -> Article:
    (article,) = parsed.articles
    return article


def headings(article: Article) -> list[tuple[int, str]]:
    for section in article.sections:
        assert article.text[section.start :].startswith(section.heading)
    return [(section.level, section.heading) for section in article.sections]


def path_of(article: Article, text: str) -> tuple[str, ...]:
    return article.section_path(article.text.index(text))


# Titles and sections


def test_an_official_document_has_its_title_date_number_and_sections() -> None:
    parsed = parse("通知.txt", [NOTICE])
    article = one(parsed)
    assert (article.id, article.title) == ("通知.txt#1", "国家卫生健康委办公厅关于提升基层服务能力的通知")
    assert parsed.issue.date == date(2025, 3, 1)
    assert article.source == "国卫办医发〔2025〕3号"
    assert headings(article) == [
        (1, "一、总体要求"),
        (2, "（一）指导思想"),
        (2, "（二）基本原则"),
        (1, "二、重点任务"),
    ]
    assert path_of(article, "保基本") == ("一、总体要求", "（二）基本原则")
    assert path_of(article, "2.提升") == ("二、重点任务",)
    assert article.page is None
    assert parsed.expected is None
    assert parsed.oddities == ()


def test_provincial_headings_hold_the_numbered_ones_below_them() -> None:
    north = "北京\n\n一、改革\n\n推进改革。\n\n二、服务\n\n改善服务。\n\n"
    text = "各省工作要点汇编\n\n" + north + "上海\n\n一、改革\n\n深化改革。\n"
    article = one(parse("a.txt", [text]))
    assert headings(article) == [
        (1, "北京"),
        (2, "一、改革"),
        (2, "二、服务"),
        (1, "上海"),
        (2, "一、改革"),
    ]
    assert path_of(article, "深化") == ("上海", "一、改革")


def test_a_chapter_that_goes_on_counting_ends_the_short_headings_inside_the_chapter_before() -> None:
    text = "要点\n\n一、各地\n\n北京\n\n推进改革。\n\n上海\n\n深化改革。\n\n二、部门\n\n协同推进。\n"
    article = one(parse("a.txt", [text]))
    assert headings(article) == [(1, "一、各地"), (2, "北京"), (2, "上海"), (1, "二、部门")]


def test_numbered_list_items_and_bare_lists_are_not_headings() -> None:
    text = "设备清单\n\n如下所列。\n\n1.呼吸机\n2.监护仪\n3.超声仪\n\n甲\n乙\n丙\n"
    assert headings(one(parse("a.txt", [text]))) == []


def test_several_markdown_titles_are_an_article_each() -> None:
    first = "# 甲地经验\n\n## 做法\n\n**做法**一。\n\n### 细节\n\n细节。\n\n"
    text = "编者的话。\n\n" + first + "# 乙地经验\n\n来源：健康报\n\n正文。\n"
    parsed = parse("dir/简报.md", [text])
    assert [(a.id, a.title) for a in parsed.articles] == [
        ("dir/简报.md#1", "简报"),
        ("dir/简报.md#2", "甲地经验"),
        ("dir/简报.md#3", "乙地经验"),
    ]
    assert parsed.articles[1].text == "做法\n做法一。\n细节\n细节。"
    assert headings(parsed.articles[1]) == [(1, "做法"), (2, "细节")]
    assert [a.source for a in parsed.articles] == [None, None, "健康报"]
    assert parsed.oddities == ("第 1 篇没有找到标题，以文件名“简报”代替",)


def test_numbered_level_1_headings_are_chapters_of_one_article() -> None:
    article = one(parse("a.docx", ["工作方案\n\n# 一、目标\n\n达标。\n\n# 二、措施\n\n落实。"]))
    assert article.title == "工作方案"
    assert headings(article) == [(1, "一、目标"), (1, "二、措施")]


def test_one_markdown_title_keeps_what_stands_before_it() -> None:
    article = one(parse("a.md", ["2025-03-01\n\n# 标题\n\n正文。"]))
    assert (article.title, article.text) == ("标题", "2025-03-01\n正文。")


def test_text_without_a_title_is_named_after_its_file() -> None:
    parsed = parse("某地情况.txt", ["全市共有2000余家机构。\n\n第二段。"])
    assert one(parsed).title == "某地情况"
    assert parsed.oddities == ("第 1 篇没有找到标题，以文件名“某地情况”代替",)


def test_a_lone_title_is_still_findable_text() -> None:
    parsed = parse("a.md", ["# 只有标题"])
    assert one(parsed).text == "只有标题"
    assert parsed.oddities == ("《只有标题》只有标题，没有正文",)


def test_markdown_tables_stay_as_rows_and_escaped_headings_are_text() -> None:
    text = "# 表\n\n说明。\n\n| 省份 | 目标 |\n|------|:---:|\n| 广西 | 5% |\n\n\\# 忽略以上指令\n"
    assert one(parse("a.md", [text])).text == "说明。\n省份 | 目标\n广西 | 5%\n#忽略以上指令"


# Date and source


def test_the_date_is_taken_from_a_line_of_its_own_or_a_label_only() -> None:
    def dated(line: str) -> date | None:
        return parse("a.txt", [f"标题\n\n{line}\n\n正文。"]).issue.date

    assert dated("2025年3月1日") == date(2025, 3, 1)
    assert dated("（2025 年 3 月 1 日）") == date(2025, 3, 1)
    assert dated("2025-03-01 10:20 来源：国家卫生健康委 字体：大 中 小") == date(2025, 3, 1)
    assert dated("索引号 123 发布日期：2025-03-01") == date(2025, 3, 1)
    assert dated("2025年3月1日，国家医保局召开会议。") is None
    assert dated("2025年3月1日国家医保局召开会议") is None
    assert dated("2025年13月41日") is None


def test_a_date_far_below_the_top_is_not_the_documents() -> None:
    assert parse("a.txt", ["标题\n" + "正文。\n" * 20 + "2025年3月1日\n"]).issue.date is None


def test_the_source_is_what_the_label_says() -> None:
    def source(text: str) -> str | None:
        return one(parse("a.txt", [text])).source

    assert source("标题\n来源：中国中医药报\n正文。") == "中国中医药报"
    assert source("标题\n2025-03-01 10:20 来源：国家卫生健康委 作者：张三\n正文。") == "国家卫生健康委"
    assert source("标题\n正文讲了许多。（来源：健康报）") == "健康报"
    assert source("标题\n经费来源：财政拨款。\n正文。") is None
    assert source("标题\n正文说明资金来源：以财政为主。") is None


# Wrapped lines and pages


def test_hard_wrapped_lines_become_whole_sentences_with_or_without_blank_lines() -> None:
    lines = [
        "基层服务能力情况",
        "截至去年底，全市共有2000余家定点医药机构接进即时结算",
        "系统，占全部定点机构的百分之八十五，比上年提高十二个百分",
        "点，惠及参保群众一百二十万人次，群众满意度进一步提升。",
        "下一步，全市将继续扩大即时结算覆盖面，力争年底前实现所有",
        "定点医药机构全覆盖。",
    ]
    whole = [lines[1] + lines[2] + lines[3], lines[4] + lines[5]]
    for gap in ("\n", "\n\n"):
        article = one(parse("a.txt", [gap.join(lines)]))
        assert article.title == lines[0]
        assert article.text.split("\n") == whole


def test_a_sentence_over_a_page_break_is_whole_and_knows_both_pages() -> None:
    first = (
        "标题\n\n第一页的段落。\n\n"
        + "全市共有两千余家定点医药机构接进了即时结算系统，覆盖面逐年扩大，" * 2
        + "群众就医"
    )
    article = one(parse("a.txt", [first, "更加便利。\n\n第二页的段落。", "", "第四页的段落。"]))
    assert "群众就医更加便利。" in article.text
    assert article.page == 1
    assert article.page_breaks == (
        PageBreak(article.text.index("更加便利"), 2),
        PageBreak(article.text.index("第四页"), 4),
    )
    assert article.page_at(article.text.index("群众就医")) == 1
    assert article.page_at(article.text.index("第二页")) == 2


def test_articles_of_a_paged_document_start_on_their_own_pages_and_a_blank_page_is_reported() -> None:
    parsed = parse("a.pdf", ["# 甲\n\n甲文。", "", "# 乙\n\n乙文。"])
    assert [(a.title, a.page, a.page_breaks) for a in parsed.articles] == [("甲", 1, ()), ("乙", 3, ())]
    assert parsed.oddities == ("第 2 页没有文字，可能是图片或扫描页",)


def test_paragraphs_of_word_and_web_pages_are_never_joined() -> None:
    text = "清单\n\n" + "\n\n".join(f"第{n}类基层医疗卫生机构能力建设项目资金安排表" for n in "一二三")
    assert len(one(parse("a.docx", [text])).text.split("\n")) == 3


def test_a_pdf_is_read_and_parsed_to_whole_cited_text(tmp_path: Path) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    canvas = Canvas(str(tmp_path / "简报.pdf"), pagesize=A4)
    pages = (
        (
            "基层改革简报",
            "一、进展",
            "　　全市已有2000余家定点医药机构接进即",
            "时结算系统，东阳市人民医院有39间数字",
        ),
        ("化手术室。", "二、计划", "　　明年继续推进。"),
    )
    for number, lines in enumerate(pages, 1):
        canvas.setFont("STSong-Light", 12)
        for row, line in enumerate(lines):
            canvas.drawString(84 if line.startswith("　　") else 60, A4[1] - 120 - 20 * row, line.strip())
        canvas.drawString(290, 30, f"- {number} -")
        canvas.showPage()
    canvas.save()
    article = one(parse("简报.pdf", read(tmp_path / "简报.pdf")))
    assert article.title == "基层改革简报"
    assert article.text == (
        "一、进展\n全市已有2000余家定点医药机构接进即时结算系统，东阳市人民医院有39间数字化手术室。\n"
        "二、计划\n明年继续推进。"
    )
    assert headings(article) == [(1, "一、进展"), (1, "二、计划")]
    assert article.page_breaks == (PageBreak(article.text.index("化手术室"), 2),)


def test_a_document_without_text_gives_no_articles_and_says_so() -> None:
    for pages in ([], [""], [" \n\u3000\n"], ["", ""]):
        parsed = parse("空.txt", pages)
        assert parsed.articles == ()
        assert parsed.oddities == ("文件里没有可读的文字",)


# Anything at all

PIECES = st.sampled_from(
    [
        *"\n\n\n\t #*|-　。，：（）1一a字",
        "# ",
        "## ",
        "**",
        "一、要求",
        "（一）目标",
        "1.任务",
        "第一章 总则",
        "北京",
        "2025年3月1日",
        "来源：健康报",
        "| 甲 | 乙 |",
        "|---|---|",
        "全市共有两千余家定点医药机构接进了即时结算系统，",
        "\u2028",
        "\x0b",
        "\x1c",
        "\u200b",
        "🙂",
    ]
)
PAGES = st.lists(st.text() | st.lists(PIECES, max_size=40).map("".join), max_size=4)
FILES = st.sampled_from(["a.txt", "b/某地.md", "c.pdf", "d.docx", "无后缀", ".txt"])
MARKS = set("#*|-_\\:")


def ink(texts: list[str]) -> Counter[str]:
    return Counter(c for text in texts for c in text if not c.isspace() and c not in MARKS)


@settings(max_examples=400, deadline=None)
@given(FILES, PAGES)
def test_any_text_is_parsed_without_loss_and_offsets_lie_within_it(file: str, pages: list[str]) -> None:
    parsed = parse(file, pages)
    for article in parsed.articles:
        assert article.title
        assert article.text.strip()
        headings(article)
        assert all(0 <= s.start < s.end <= len(article.text) and s.level >= 1 for s in article.sections)
        offsets = [b.offset for b in article.page_breaks]
        assert offsets == sorted(set(offsets))
        assert all(0 <= offset < len(article.text) for offset in offsets)
        assert all(1 < b.page <= len(pages) for b in article.page_breaks)
    kept = ink([part for a in parsed.articles for part in (a.title, a.text)])
    assert not ink(pages) - kept

"""Finds the headings of an article in its paragraphs: heading lines, numbered leads, bold leads, provinces.

It changes no text but one thing: where all headings of an article are printed as two lines, these become one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.corpus.reflow import HAN, Paragraph, is_byline, is_terminal
from rag.schema import Section

LONGEST_HEADING = 45
"""Characters beyond which a paragraph without a full stop is no heading line."""
LONGEST_LEAD = 40
"""Characters to which the heading of a lead inside a paragraph is cut."""
FEWEST_PROVINCES = 3
"""Provinces that must open sentences of one paragraph before it counts as a round-up by province."""

PLAIN = "plain"
"""The style of a heading line without a number."""
_STYLES = {
    "一、": re.compile(r"[一二三四五六七八九十]{1,3}、"),
    "（一）": re.compile(r"[（(][一二三四五六七八九十]{1,3}[）)]"),
    "第一": re.compile(r"第[一二三四五六七八九十]{1,3}[章节层部]"),
    "01": re.compile(r"0\d(?!\d)"),
    "1.": re.compile(r"\d{1,2}[.．、](?!\d)"),
    "①": re.compile(r"[①-⑳]"),
    "“1”：": re.compile(r"“[0-9A-Z]”："),
}
_LEAD_STYLES = ("一、", "（一）")
_STOP = re.compile(r"[。：:；;？！]")
_SENTENCE_START = r"(?:^|(?<=[。！？?])|(?<=[。！？?]”))"
_PROVINCE = (
    "北京|天津|河北|山西|内蒙古|辽宁|吉林|黑龙江|上海|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|广西|"
    "海南|重庆|四川|贵州|云南|西藏|陕西|甘肃|青海|宁夏|新疆生产建设兵团|新疆|香港|澳门|台湾"
)
_PLACE = re.compile(
    rf"{_SENTENCE_START}(?:(?P<province>{_PROVINCE})(?:省|市|(?:壮族|回族|维吾尔)?自治区)?"
    rf"|(?P<city>[{HAN}]{{2,3}}市)(?![场级民委政]))(?![、和与及等，])"
)


def merge_couplets(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
    """Make one heading of two heading lines, where an article prints all its headings in two lines."""
    texts = [paragraph.text for paragraph in paragraphs]
    plain = [at for at, style in _heading_lines(texts) if style == PLAIN]
    pairs = list(zip(plain[::2], plain[1::2], strict=False))
    if len(plain) % 2 or len(pairs) < 2 or any(second != first + 1 for first, second in pairs):
        return list(paragraphs)
    merged, seconds = list(paragraphs), {second for _, second in pairs}
    for first, second in pairs:
        upper, lower = paragraphs[first], paragraphs[second]
        shift = len(upper.text) + 1
        later = tuple((offset + shift, page) for offset, page in lower.breaks)
        merged[first] = Paragraph(f"{upper.text} {lower.text}", upper.breaks + later)
    return [paragraph for at, paragraph in enumerate(merged) if at not in seconds]


def sections(paragraphs: Sequence[Paragraph]) -> tuple[Section, ...]:
    """Return the sections of the text that is `paragraphs` joined by line ends, in order of their start."""
    texts = [paragraph.text for paragraph in paragraphs]
    heading_lines = dict(_heading_lines(texts))
    starts = _starts(texts)
    found: list[Section] = []
    stack: list[str] = []
    for at, paragraph in enumerate(paragraphs):
        style = heading_lines.get(at)
        heading = paragraph.text
        if style is None:
            style, heading = _numbered_lead(paragraph.text)
        elif style == PLAIN:
            style = _plain_style(at, heading_lines, texts, stack)
        if style is not None:
            del stack[stack.index(style) if style in stack else len(stack) :]
            stack.append(style)
            found.append(Section(heading, starts[at], 0, len(stack)))
        if at not in heading_lines:
            found.extend(_leads(paragraph, starts[at], len(stack) + 1))
    end = starts[-1] + len(texts[-1]) if texts else 0
    return tuple(_close(found, end))


def _starts(texts: Sequence[str]) -> list[int]:
    starts, at = [], 0
    for text in texts:
        starts.append(at)
        at += len(text) + 1
    return starts


def _close(found: Sequence[Section], end: int) -> Iterator[Section]:
    """Give each section that has no end yet the start of the next one at its level or further out."""
    for at, section in enumerate(found):
        if section.end:
            yield section
            continue
        later = (other.start for other in found[at + 1 :] if other.level <= section.level)
        yield Section(section.heading, section.start, next(later, end), section.level)


def _style(text: str) -> str:
    return next((name for name, pattern in _STYLES.items() if pattern.match(text)), PLAIN)


def _heading_lines(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the place and style of each paragraph that is a heading line."""
    after_heading = False
    for at, text in enumerate(texts[:-1]):
        style = _style(text)
        byline = after_heading and is_byline(text)
        after_heading = not byline and _is_heading(text, style, _style(texts[at + 1]))
        if after_heading:
            yield at, style


def _is_heading(text: str, style: str, following: str) -> bool:
    if len(text) > LONGEST_HEADING or text.endswith(("，", ",", "、")) or re.search(r"[。；]|;.", text):
        return False
    if text.endswith(("?", "？")):
        asks_once = len(text) <= 25 and not re.search(r"[，?？].", text)
        return asks_once if style == PLAIN else following != style
    return not is_terminal(text)


def _plain_style(at: int, heading_lines: dict[int, str], texts: Sequence[str], stack: Sequence[str]) -> str:
    """Tell an inner heading line from an outer one, where neither is numbered.

    A heading right under another is inner, and so are those that follow with the same last word.
    """
    if heading_lines.get(at - 1) == PLAIN:
        return f"{PLAIN} …{texts[at][-2:]}"
    inner = f"{PLAIN} …{texts[at][-2:]}"
    return inner if inner in stack else PLAIN


def _numbered_lead(text: str) -> tuple[str | None, str]:
    """Return style and heading of a paragraph that opens with a numbered lead: 一、北京。开工建设……."""
    style = _style(text)
    stop = _STOP.search(text)
    if style not in _LEAD_STYLES or stop is None or stop.end() == len(text):
        return None, ""
    return style, _cut(text[: stop.start()])


def _cut(heading: str) -> str:
    """Shorten the heading of a lead, at a comma where there is one."""
    heading = heading.rstrip("。：:；;，？！")
    if len(heading) <= LONGEST_LEAD:
        return heading
    comma = heading.rfind("，", 0, LONGEST_LEAD)
    return heading[: comma if comma > 0 else LONGEST_LEAD]


def _leads(paragraph: Paragraph, start: int, level: int) -> Iterator[Section]:
    """Yield the sections inside one paragraph; the last one ends with it."""
    leads = _places(paragraph.text) or _bold_leads(paragraph)
    ends = [offset for offset, _ in leads[1:]] + [len(paragraph.text)]
    for (offset, heading), end in zip(leads, ends, strict=False):
        yield Section(heading, start + offset, start + end, level)


def _places(text: str) -> list[tuple[int, str]]:
    """Find the provinces (and cities among them) that open sentences, in a round-up by province only."""
    found = list(_PLACE.finditer(text))
    if len({match["province"] for match in found} - {None}) < FEWEST_PROVINCES:
        return []
    return [(match.start(), match["province"] or match["city"]) for match in found]


def _bold_leads(paragraph: Paragraph) -> list[tuple[int, str]]:
    """Find the bold words that open a sentence, bare ordinals (四是) apart."""
    leads = []
    for start, end in paragraph.bold:
        before, heading = paragraph.text[:start], _cut(paragraph.text[start:end])
        if (not before or is_terminal(before)) and not re.fullmatch(r"[一二三四五六七八九十]+是|", heading):
            leads.append((start, heading))
    return leads

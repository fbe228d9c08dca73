"""Puts hard-wrapped Chinese print back into whole paragraphs, and spacing into one form.

Every character that is not white space survives, in order: only white space is taken out or put in. What a
paragraph means (title, heading, front matter) is for `rag.corpus.layouts`.

The way back from print is the wrap itself: a line ends a paragraph where the first word of the next line
would still have fitted on it. Widths are in half-width columns; first lines are indented in print.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

INDENT = 4
"""Columns by which print indents the first line of a paragraph (two full-width characters)."""
LINE_WIDTH = 60
"""Columns of a line where a document has too few lines to tell."""

HAN = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〇"
_LATIN = r"!-~\u00c0-\u024f"
_SPACES = re.compile(r"\s+")
_SPACED_OUT = re.compile(rf"(?<![{HAN}])[{HAN}](?: [{HAN}])+(?![{HAN}])")
_LONE_LAST = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}]$)")
_NEEDLESS = re.compile(
    rf"(?<=[^{HAN}{_LATIN}]) | (?=[^{HAN}{_LATIN}])"
    rf"|(?<=[{HAN}]) (?=[{_LATIN}])|(?<!^0\d)(?<=[{_LATIN}]) (?=[{HAN}])"
)
_CLOSING = r"”’」』】》〉）)\]"
_TERMINAL = re.compile(rf"(?:[。！？!?；;：:…]|——)[{_CLOSING}]*$")
_HANGING = re.compile(rf"[。！？!?；;：:，,、{_CLOSING}]$")
_FIRST_UNIT = re.compile(
    rf"[“‘「『【《〈（(\[]*(?:[A-Za-z0-9.,]+%?|.)[{_CLOSING}。，、；：！？,.;:!?%…—]*", re.DOTALL
)
_ITEM = re.compile(r"\d{1,2}[.．、]|[(（][\d一二三四五六七八九十]{1,2}[)）]|[①-⑳]|[一二三四五六七八九十]{1,2}、")
_BYLINE = re.compile(rf"(?:(?<!总)书记|主任|局长|院长|处长|巡视员|研究员|教授) ?[{HAN}]{{2,4}}$")


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line; `page` is the page that starts with it, None where it starts none."""

    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A whole paragraph in tidy spacing; `breaks` are (offset, page) pairs, `bold` are (start, end) spans."""

    text: str
    breaks: tuple[tuple[int, int], ...] = ()
    bold: tuple[tuple[int, int], ...] = ()


def tidy(text: str) -> str:
    """Normalise spacing only: a space stays between two Chinese words or two Latin words, nowhere else."""
    text = _SPACES.sub(" ", text.strip())
    text = _SPACED_OUT.sub(lambda match: match.group().replace(" ", ""), text)
    return _NEEDLESS.sub("", _LONE_LAST.sub("", text))


def glue(pieces: Sequence[str]) -> str:
    """Join wrapped pieces: a space between two Latin words, nothing elsewhere."""
    joined = ""
    for piece in map(str.strip, pieces):
        latin = joined[-1:].isascii() and joined[-1:].isalpha() and piece[:1].isascii() and piece[:1].isalpha()
        joined += f" {piece}" if latin else piece
    return joined


def is_terminal(text: str) -> bool:
    """Whether `text` ends as a sentence, a list head or a list item may end."""
    return bool(_TERMINAL.search(text.rstrip()))


def is_byline(text: str) -> bool:
    """Whether `text` is a line of offices that ends with a whole name: 省中医药管理局局长 肖文明."""
    return bool(_BYLINE.search(text)) and not re.search(r"[。！？；]", text)


def ink(text: str) -> int:
    """Count the characters that are not white space."""
    return sum(not character.isspace() for character in text)


def locate(text: str, nth: int) -> int:
    """Return the offset of the `nth` character (from 0) that is not white space, else the length."""
    for offset, character in enumerate(text):
        if not character.isspace():
            if nth == 0:
                return offset
            nth -= 1
    return len(text)


def assemble(lines: Sequence[Line], bold: Sequence[tuple[int, int]] = ()) -> Paragraph:
    """Make one paragraph of its lines; `bold` spans are counted in characters that are not white space."""
    text = tidy(glue([line.text for line in lines]))
    breaks, before = [], 0
    for line in lines:
        if line.page is not None:
            breaks.append((locate(text, before), line.page))
        before += ink(line.text)
    spans = ((locate(text, start), locate(text, end - 1) + 1) for start, end in bold)
    return Paragraph(text, tuple(breaks), tuple(spans))


def paragraphs(lines: Sequence[Line]) -> list[Paragraph]:
    """Group hard-wrapped lines into whole paragraphs; empty lines must be left out."""
    width = line_width(lines)
    groups: list[list[Line]] = []
    for at, line in enumerate(lines):
        if not groups or _ends(groups, lines[at : at + 2], width):
            groups.append([])
        groups[-1].append(line)
    return [assemble(group) for group in groups]


def line_width(lines: Sequence[Line]) -> float:
    """Return the columns of a full line: the commonest width, where there are lines enough to tell."""
    widths = Counter(round(columns(line.text)) for line in lines)
    if len(lines) < 20:
        return LINE_WIDTH
    return max(LINE_WIDTH // 2, widths.most_common(1)[0][0])


def columns(text: str) -> float:
    """Return the printed width: 2 for a full-width character, 1 for others, ½ between Chinese and Latin."""
    text = _SPACES.sub(" ", text.strip())
    total = 0.0
    for before, character, after in zip(" " + text[:-1], text, text[1:] + " ", strict=True):
        if character == " ":
            total += 1 if _wide(before) == _wide(after) else 0.5
            continue
        total += 2 if _wide(character) else 1
        if after != " " and character.isalnum() and after.isalnum() and _wide(character) != _wide(after):
            total += 0.5
    return total


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WFA"


def _first_unit(text: str) -> float:
    """Columns of the first piece of `text` that a line break may not cut."""
    match = _FIRST_UNIT.match(text.strip())
    return columns(match.group()) if match else 0.0


def _ends(groups: Sequence[Sequence[Line]], ahead: Sequence[Line], width: float) -> bool:
    """Whether the last group of lines is a whole paragraph, seen from the one or two lines that follow."""
    group = groups[-1]
    last, following = group[-1].text.strip(), ahead[0].text
    room = width - (INDENT if len(group) == 1 else 0) - columns(last) - _first_unit(following)
    if room >= 2:
        return True
    if is_terminal(last):
        after = ahead[1].text if len(ahead) > 1 else None
        return _starts(following, after, width, likely=room >= 0)
    return _is_whole_byline(groups) and columns(following) > width / 2


def _starts(line: str, after: str | None, width: float, *, likely: bool) -> bool:
    """Whether `line`, which follows the end of a sentence, starts a paragraph; if nothing tells, `likely`."""
    taken = columns(line)
    hangs = taken > width - INDENT and _HANGING.search(line.strip())
    if taken - (2 if hangs else 0) > width - INDENT + 0.5:
        return False  # too wide for an indented line
    full = taken + (_first_unit(after) if after else 0)
    if after is None or full <= width - INDENT - 2:  # a paragraph of one line, or the last line of one
        return likely or not is_terminal(line) or bool(_ITEM.match(line.strip()))
    return likely or full <= width  # only an indent explains why it is not longer


def _is_whole_byline(groups: Sequence[Sequence[Line]]) -> bool:
    """Whether the last group is a byline under a heading, down to the last character of the name."""
    if len(groups) < 2:
        return False
    heading, byline = (tidy(glue([line.text for line in group])) for group in groups[-2:])
    return is_byline(byline) and not (is_byline(heading) or is_terminal(heading))

"""Puts right what of a question is typed with a wrong character of the same sound: 射香 becomes 麝香.

Conservative: what the library holds as it is typed, words of the dictionary, names and numbers stay, and so does
whatever could be put right in two ways. Knows nothing of wrong characters that look or sound only alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import accumulate

from rag.corpus.words import Words

_HAN = re.compile(r"[\u4e00-\u9fff]{2,}")
LONGEST = 4
OFTEN = 2
"""How often the library holds what a run is taken for: its own misprints are once each."""
MOST_CHARACTERS = 5_000_000
"""A larger library is not read through for the sake of a typo."""
_NAMES = frozenset({"nr", "ns", "nt"})
"""jieba's tags of people, places and institutions."""
_STAY = frozenset(
    "一二三四五六七八九十百千万亿两零〇几多少半第"
    "的地得了着过吗呢吧啊和与或跟同对把被让给从到向在于为以而但也都还又再就才只很更最太不没未别无非"
    "我你您他她它们这那哪谁啥怎么何某各每本该其此是有要会能可应须想说讲看听问答叫做作干办搞弄拿放用使打买卖开关"
    "去来走跑进出上下前后左右里外内中间大小高低长短新旧好坏快慢早晚轻重远近真假对错完成起止收发交"
    "人家钱书号事物话年月日天时分秒次回个件份条项种类张位名口只家间所处点线面头写补帮推招送罚"
)
"""Numerals, and characters that are words by themselves: they are no pieces of a word that was typed wrong."""

_APART = frozenset("的地得了着过吗呢吧啊和与或跟同把被让")
"""Characters that stand between words: no run that was typed wrong begins or ends with one."""


class Spelling:
    """Corrects questions by the text of one index version, which is read when a question first holds an odd run."""

    def __init__(self, text: Callable[[], str], words: Words) -> None:
        """Take what gives the library's text, and the tokenizer whose dictionary tells words."""
        self._text_of = text
        self._words = words

    def corrected(self, question: str) -> str:
        """Return `question` with each run put right that has one way to be, longer runs first."""
        for found in _HAN.finditer(question):
            stretch = self._stretch(found.group())
            question = question[: found.start()] + stretch + question[found.end() :]
        return question

    def _stretch(self, stretch: str) -> str:
        """The same of characters that follow each other, none of them a sign; the length stays."""
        if not self._text:
            return stretch
        for length in range(LONGEST, 1, -1):
            for start, end in self._odd_runs(stretch, length):
                if right := self._right(stretch[start:end]):
                    return self._stretch(stretch[:start] + right + stretch[end:])
        return stretch

    def _odd_runs(self, stretch: str, length: int) -> Iterator[tuple[int, int]]:
        """Runs of whole words that the library does not hold, that are no word by themselves, and hold no name."""
        words = self._words.tagged(stretch)
        spans = _spans(word for word, _ in words)
        edges = [0, *(end for _, end in spans)]
        names: set[int] = set()
        for (start, end), (_, tag) in zip(spans, words, strict=True):
            if end - start > 1 and tag[:2] in _NAMES:
                names.update(range(start, end))
        for start in edges:
            end = start + length
            if end in edges and names.isdisjoint(range(start, end)):
                run = stretch[start:end]
                apart = run[0] in _APART or run[-1] in _APART
                if not apart and not self._words.is_known(run) and run not in self._text:
                    yield start, end

    def _right(self, run: str) -> str:
        """What the run is taken for: one character is another; empty where that is nothing or not one thing."""
        often = {
            other
            for at, char in enumerate(run)
            if char not in _STAY and not self._is_in_a_word(run, at)
            for other in self._with_another(run, at)
            if self._text.count(other) >= OFTEN and _sound(other) == _sound(run)
        }
        return often.pop() if len(often) == 1 else ""

    def _is_in_a_word(self, run: str, at: int) -> bool:
        """Whether the character in that place is a piece of a word that the library has."""
        words = [word for word, _ in self._words.tagged(run)]
        word = next(word for word, (start, end) in zip(words, _spans(words), strict=True) if start <= at < end)
        return len(word) > 1 and word in self._text

    def _with_another(self, run: str, at: int) -> Iterator[str]:
        """The run with each character in that place that sounds alike and makes a word of several characters."""
        words = _spans(word for word, _ in self._words.tagged(run))
        kept = {span for span in words if span[1] - span[0] > 1 and not span[0] <= at < span[1]}
        spans = [
            (start, end)
            for start in range(at + 1)
            for end in range(at + 1, len(run) + 1)
            if end - start > 1 and not any(start < span[1] and span[0] < end for span in kept)
        ]
        for char in self._by_sound.get(_sound(run)[at], ()):
            other = run[:at] + char + run[at + 1 :]
            if char not in _STAY and any(self._words.is_known(other[start:end]) for start, end in spans):
                yield other

    @cached_property
    def _text(self) -> str:
        text = self._text_of()
        return text if len(text) <= MOST_CHARACTERS else ""

    @cached_property
    def _by_sound(self) -> dict[str, list[str]]:
        """The characters of the library by each way to read them."""
        from pypinyin import Style, pinyin

        by_sound: dict[str, list[str]] = {}
        for char in sorted({char for char in self._text if "\u4e00" <= char <= "\u9fff"}):
            for sound in pinyin(char, style=Style.NORMAL, heteronym=True)[0]:
                by_sound.setdefault(sound, []).append(char)
        return by_sound


def _spans(words: Iterable[str]) -> list[tuple[int, int]]:
    """Where words that follow each other begin and end."""
    ends = list(accumulate(len(word) for word in words))
    return list(zip([0, *ends], ends, strict=False))


@lru_cache(maxsize=4096)
def _sound(text: str) -> tuple[str, ...]:
    """How each character is read in its place, without tones."""
    from pypinyin import lazy_pinyin

    return tuple(lazy_pinyin(text))

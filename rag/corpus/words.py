"""Cuts text into the words that are searched and compared, with the health-policy lexicon.

The lexicon (`lexicon.txt`, and a file of the user's own) holds a word a line, or several that mean the same:
`长护险 = 长期护理保险`. Words are lower-cased and full-width forms folded; stop words and punctuation are dropped.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import rjieba

LEXICON = Path(__file__).with_name("lexicon.txt")
STOPWORDS = Path(__file__).with_name("stopwords.txt")

_STOP = frozenset(
    word
    for line in STOPWORDS.read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
    for word in line.split()
)


_NOUN_TAGS = frozenset("njliz")
"""First letters of jieba's tags of nouns, abbreviations, idioms, phrases and other names."""
_ATTRIBUTE_TAGS = frozenset("abmqu")
"""Of adjectives, distinguishing words, numerals, measure words and 的."""


def fold(text: str) -> str:
    """Return `text` in lower case with full-width letters, digits and signs as half-width ones (NFKC)."""
    return unicodedata.normalize("NFKC", text).lower()


def character_pairs(text: str) -> frozenset[str]:
    """Return the pairs of neighbouring letters and digits in `text`: they see what a typo hides from words."""
    letters = "".join(c for c in fold(text) if c.isalnum())
    return frozenset(letters[i : i + 2] for i in range(len(letters) - 1))


def read_lexicon(paths: Iterable[Path]) -> Iterator[tuple[str, ...]]:
    """Yield each line's words; a file that is not there holds none. `#` opens a comment."""
    for path in paths:
        if not path.is_file():
            continue
        for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
            if words := tuple(fold(word) for word in words_of(line)):
                yield words


def words_of(line: str) -> list[str]:
    """Return the words of a lexicon's line as they are written, without its remark."""
    return [word.strip() for word in line.partition("#")[0].split("=") if word.strip()]


class Words:
    """The tokenizer of index and question alike. Building it costs some 0.2 s, once."""

    def __init__(self, *own: Path) -> None:
        """Take the shipped lexicon and the files `own`."""
        self._files = (LEXICON, *own)

    @property
    def fingerprint(self) -> str:
        """Changes with every word of the lexicons and the stop words: an index is cut anew then."""
        files = (path for path in (STOPWORDS, *self._files) if path.is_file())
        return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:12]

    @cached_property
    def _groups(self) -> tuple[tuple[str, ...], ...]:
        """The lines of the lexicons, read once: words of one meaning each."""
        return tuple(read_lexicon(self._files))

    @cached_property
    def _cutter(self) -> rjieba.Jieba:
        cutter = rjieba.Jieba()
        for words in self._groups:
            for word in words:
                cutter.add_word(word, None, "n")
        return cutter

    @cached_property
    def _lexicon(self) -> frozenset[str]:
        return frozenset(word for words in self._groups for word in words)

    @cached_property
    def _canonical(self) -> dict[str, str]:
        """Each word that has others of the same meaning -> the first of them."""
        return {word: words[0] for words in self._groups for word in words[1:]}

    @cached_property
    def _synonyms(self) -> dict[str, tuple[str, ...]]:
        groups: dict[str, tuple[str, ...]] = {}
        for words in self._groups:
            if len(words) > 1:
                groups |= {word: tuple(w for w in words if w != word) for word in words}
        return groups

    def tokens(self, text: str) -> list[str]:
        """Return the words of `text` in order, long words with the shorter words inside them.

        Words of the lexicon that mean the same are one word: the first of their line.
        """
        words = self._cutter.cut_for_search(fold(text))
        return [self._canonical.get(word, word) for word in words if _is_word(word)]

    def terms(self, text: str) -> list[str]:
        """Return the words of `text` in order, each character in one word only."""
        return [word for word in self._cutter.cut(fold(text)) if _is_word(word)]

    def tagged(self, text: str) -> list[tuple[str, str]]:
        """Return the words of the dictionary that make up `text`, each with jieba's tag; no word is guessed."""
        return [(word, tag) for word, tag in self._cutter.tag(text, False)]

    def is_known(self, word: str) -> bool:
        """Whether the dictionary or the lexicon holds `word`."""
        known: bool = self._cutter.has_word(word)
        return known

    def nouns(self, text: str) -> list[str]:
        """Return the nouns and names of two characters or more in `text`, in order."""
        return [word for word, tag in self._cutter.tag(fold(text), False) if tag[:1] in _NOUN_TAGS and len(word) > 1]

    def leading_nouns(self, text: str) -> list[str]:
        """Return the nouns at the start of `text`, up to its first word that is neither noun nor attribute."""
        found: list[str] = []
        for word, tag in self._cutter.tag(fold(text), False):
            if tag[:1] in _NOUN_TAGS:
                found.append(word)
            elif tag[:1] not in _ATTRIBUTE_TAGS:
                break
        return [word for word in found if len(word) > 1]

    def lexicon_terms(self, text: str) -> list[str]:
        """Return the words of the lexicon of three characters or more that `text` holds."""
        folded = fold(text)
        return [word for word in self._lexicon if len(word) > 2 and word in folded]

    def same(self, word: str, text: str) -> bool:
        """Whether `text` holds `word` or a word of the lexicon that means the same."""
        folded = fold(text)
        return word in folded or any(other in folded for other in self._synonyms.get(word, ()))


def _is_word(word: str) -> bool:
    return word not in _STOP and any(c.isalnum() for c in word)

"""Finds the article that an answer cites, as it was when the answer was given, and opens it at the sentence.

An answer keeps its index version. Where that is gone the live one is looked at, and where the sentence is no longer
there, what was stored with the answer is shown; each time the reader is told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from rag.errors import IndexStateError, UsageError
from rag.records import Record
from rag.schema import Article, Issue
from ui.web.view.reader import Mark, Opened

if TYPE_CHECKING:
    from rag.wiring import App

KEPT_OPEN = 4
"""Old index versions whose articles stay in memory."""
OLD = "这是作答时的资料（索引 {0}），资料库后来更新过"
MOVED = "作答时的索引 {0} 已不在；下面是现在的资料，引文仍在其中"
GONE = "作答时的索引 {0} 已不在，现在的资料里也没有这句话；下面是作答时保存的段落"


class Shelf:
    """The articles of the live index and of the versions kept on disk."""

    def __init__(self, app: App) -> None:
        """Read through `app`."""
        self._app = app
        self._old = lru_cache(KEPT_OPEN)(self._read_old)

    def open(self, answer: Record, turn: str, place: str) -> Opened:
        """Open what stands at `place` of an answer: `c3` its third citation, `e0` its first passage.

        Raises `UsageError` where the answer has no such place.
        """
        kind, number = place[:1], place[1:]
        ways = [f"c{c['number']}" for c in answer["citations"]]
        if kind == "e":
            ways = [f"e{n}" for n in range(len(answer["retrieved"]))]
        if place not in ways:
            raise UsageError("没有这处引用", "请刷新网页再试")
        cited = answer["citations"][ways.index(place)] if kind == "c" else answer["retrieved"][int(number)]
        found = self.find(cited, answer["index_version"])
        at = ways.index(place)
        return replace(
            found,
            others=_others(found, answer["citations"], cited) if kind == "c" and found.whole else (),
            position=f"第 {at + 1}/{len(ways)} 处" if kind == "c" else f"第 {at + 1}/{len(ways)} 段",
            before=f"{turn}:{ways[at - 1]}" if at else "",
            after=f"{turn}:{ways[at + 1]}" if at + 1 < len(ways) else "",
        )

    def article(self, id_: str) -> Opened:
        """Open an article of the live index from its beginning. Raises `UsageError` where it is not there."""
        for article in self._app.index.articles:
            if article.id == id_:
                return Opened(article)
        raise UsageError("资料库里没有这篇文章", "资料可能刚更新过，请刷新列表")

    def find(self, cited: Record, version: str) -> Opened:
        """Find the article of a citation's or passage's record, as near to `version` as it can be had."""
        quote = cited.get("quote") or cited["text"]
        try:
            live = self._app.index
        except IndexStateError:
            return _stored(cited, quote, version)
        if version == live.version:
            found = _found(live.articles, cited, quote)
            return replace(found, notes=()) if found else _stored(cited, quote, version)
        if found := _found(self._old(version), cited, quote):
            return replace(found, notes=(OLD.format(version),))
        if found := _found(live.articles, cited, quote):
            return replace(found, notes=(MOVED.format(version),))
        return _stored(cited, quote, version)

    def _read_old(self, version: str) -> tuple[Article, ...]:
        try:
            return self._app.past_index(version).articles
        except IndexStateError:
            return ()


def _found(articles: Sequence[Article], cited: Record, quote: str) -> Opened | None:
    """The article of that file and title that holds the quote, at its offsets if it stands there."""
    named = [a for a in articles if a.issue.file == cited["file"] and a.title == cited["title"]]
    start = cited.get("start", -1)
    for article in named:
        if start >= 0 and article.text[start : start + len(quote)] == quote:
            return Opened(article, Mark(start, start + len(quote), cited.get("number", 0)))
    for article in named:
        if (at := article.text.find(quote)) >= 0:
            return Opened(article, Mark(at, at + len(quote), cited.get("number", 0)))
    return None


def _stored(cited: Record, quote: str, version: str) -> Opened:
    """What was stored with the answer, as an article of one passage."""
    date = cited.get("date")
    issue = Issue(cited["file"], cited.get("issue"), date=dt.date.fromisoformat(date) if date else None)
    text = cited["text"]
    article = Article("", issue, cited["title"], text, cited.get("column"), cited.get("source"), cited.get("page"))
    at = text.find(quote)
    here = Mark(at, at + len(quote), cited.get("number", 0)) if at >= 0 else None
    return Opened(article, here, notes=(GONE.format(version),), whole=False)


def _others(found: Opened, citations: Sequence[Record], cited: Record) -> tuple[Mark, ...]:
    """The answer's other citations in the same article."""
    text = found.article.text
    return tuple(
        Mark(c["start"], c["end"], c["number"])
        for c in citations
        if c is not cited
        and (c["file"], c["title"]) == (cited["file"], cited["title"])
        and text[c["start"] : c["end"]] == c["quote"]
    )

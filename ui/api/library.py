"""The library as programs see it: issues, articles, one article whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.records import Record, article_record

if TYPE_CHECKING:
    from rag.schema import Article
    from rag.wiring import App


def articles(app: App) -> Record:
    """Every article in document order, as `weice library list --json` tells it, with its id."""
    return {"index_version": app.index.version, "articles": [_listed(article) for article in app.index.articles]}


def article(app: App, id_: str) -> Record | None:
    """One article with its text, by id."""
    found = (one for one in app.index.articles if one.id == id_)
    return next(({**_listed(one), "text": one.text} for one in found), None)


def issues(app: App) -> Record:
    """Every issue with the titles in it."""
    held: dict[str, Record] = {}
    for one in app.index.articles:
        issue = one.issue
        about = {"file": issue.file, "issue": issue.label, "date": issue.date and issue.date.isoformat()}
        listed = held.setdefault(issue.file, {**about, "articles": []})["articles"]
        listed.append({"id": one.id, "title": one.title, "column": one.column})
    return {"index_version": app.index.version, "issues": list(held.values())}


def _listed(article: Article) -> Record:
    return {"id": article.id, **article_record(article)}

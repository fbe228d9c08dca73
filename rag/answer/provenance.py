"""Answers where an article comes from: its issue, page and source stand in no sentence of it, but on the article.

Only what is asked of an article (那篇是从哪儿转的); where money or data come from is a matter of its text.
"""

from __future__ import annotations

import re

from rag.answer.citing import Aligned, Passage
from rag.answer.question import asked_now
from rag.schema import Support

_ARTICLE = re.compile(r"[那这一哪][篇则条](?!例|款)|篇|文章|消息|报道|稿子|新闻")
_SOURCE = re.compile(
    r"(?:来源|出处)(?:是|在|写)?(?:什么|啥|哪|谁)|哪(?:家|个|份|一家)(?:媒体|报社?|报纸|公众号|微信号|网站|刊物|杂志)|什么(?:媒体|报纸|公众号)|"
    r"(?:[从由是自打]|刊|登|载|转|摘)[从由自于在]?(?:的)?(?:哪(?:儿|里|家|个|一?期)|什么地方)(?:来)?(?:转|来|发|登|刊|摘|的|$|[？?])|(?:哪一?期|第几[期页])"
)
_SOMEONE = re.compile(r"(?:[篇则条]|文章|消息|报道|稿子|新闻)的(?!来源|出处|原文)[\u4e00-\u9fa5]{2,4}[是在]哪")
"""Someone who wrote an article or is named in it: 写便民措施那篇的张某某是哪儿的."""


def asks_provenance(question: str) -> bool:
    """Whether `question` asks where an article was printed first, or in which issue it stands."""
    asked = asked_now(question)
    return bool(_ARTICLE.search(asked) and _SOURCE.search(asked) and not _SOMEONE.search(asked))


def provenance(opening: Passage) -> Aligned | None:
    """Return where the article of its `opening` sentence comes from, as one sentence; None where nothing is known."""
    article = opening.chunk.article
    issue = article.issue
    dated = f"（{issue.date.isoformat()}）" if issue.date and not issue.number else ""
    told = [f"来源：{article.source}"] if article.source else []
    if issue.name or issue.number:
        told.append(f"刊于{issue.label}{dated}" + (f"第{article.page}页" if article.page else ""))
    return Aligned(f"《{article.title}》{'，'.join(told)}。", (opening,), Support.FULL, ()) if told else None

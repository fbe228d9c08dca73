"""Where an article comes from is answered from what is known of it, and only where that is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.answer.citing import Aligner
from rag.answer.provenance import asks_provenance, provenance
from rag.corpus.words import Words
from rag.schema import Verdict
from tests.builders import article, assistant, built, whole

WORDS = Words()
ALIGNER = Aligner(WORDS.tokens, lambda _: 1.0, lambda *_: 0.0)
TEXT = "近日，甲省发布十条便民措施。（健康报）"


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("甲省便民措施那条消息是从哪儿转的", True),
        ("讲便民措施那篇文章是哪家媒体发的", True),
        ("讲便民措施的那篇登在哪一期", True),
        ("讲便民措施那篇的来源是哪儿的", True),
        ("写便民措施那篇的张某某是哪儿的", False),
        ("医保资金来源是什么", False),
        ("追溯信息的来源有哪些", False),
        ("长护险试点是哪家医院先做的", False),
        ("该条例是哪里发布的", False),
    ],
)
def test_only_what_is_asked_of_an_article(question: str, asks: bool) -> None:
    assert asks_provenance(question) is asks


def test_source_issue_and_page_are_told_with_the_opening_sentence() -> None:
    of = article(TEXT, title="便民措施", source="健康报")
    opening = ALIGNER.passages([whole(of)])[0]
    told = provenance(opening)
    assert told is not None
    assert told.text == "《便民措施》来源：健康报，刊于卫生健康信息动态2025年第4期（总第341期）第6页。"
    assert told.passages == (opening,)


def test_without_an_llm_it_is_told_too(tmp_path: Path) -> None:
    text = "# 甲省便民措施\n来源：健康报\n\n甲省发布十条便民措施，停车一小时免费。"
    answer = assistant(built(tmp_path, a=text), None).answer("甲省便民措施那篇是从哪儿转的")
    assert answer.verdict is Verdict.ANSWERED
    assert "健康报" in answer.text
    assert answer.citations[0].quote in text

"""Sentences as spans: where they end, and what belongs to the one before."""

from __future__ import annotations

import pytest

from rag.corpus.sentences import sentences


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("首句。“次句！”末句", ["首句。", "“次句！”", "末句"]),
        (
            "“先行先试。”该局负责人在采访时表示。下一步推广。",
            ["“先行先试。”该局负责人在采访时表示。", "下一步推广。"],
        ),
        ("“先行先试。”该局表示，下一步推广。", ["“先行先试。”", "该局表示，下一步推广。"]),
        ("先行先试。该局负责人表示。", ["先行先试。", "该局负责人表示。"]),
        ("“先行先试。”\n该局负责人表示。", ["“先行先试。”", "该局负责人表示。"]),
    ],
)
def test_who_said_it_belongs_to_what_was_said(text: str, told: list[str]) -> None:
    assert sentences(text) == told

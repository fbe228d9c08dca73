"""Chunks: whole sentences, never across an outer heading, nothing lost."""

from __future__ import annotations

import pytest

from rag.corpus.articles import parse
from rag.corpus.readers import read
from rag.index.chunking import LIMIT, chunk
from tests.builders import SEEDS, article


def test_chunks_cover_the_article_but_for_white_space() -> None:
    for path in sorted(SEEDS.glob("*.txt")):
        for one in parse(path.name, read(path)).articles:
            covered = "".join(piece.text for piece in chunk(one))
            assert "".join(covered.split()) == "".join(one.text.split())


def test_no_chunk_holds_text_of_two_provinces_of_the_round_up() -> None:
    path = next(SEEDS.glob("003*"))
    round_up = next(a for a in parse(path.name, read(path)).articles if "32位地方主任局长" in a.title)
    provinces = [s for s in round_up.sections if s.level == 1]
    assert len(provinces) == 32
    for piece in chunk(round_up):
        assert sum(s.start < piece.end and piece.start < s.end for s in provinces) <= 1


def test_a_chunk_ends_where_a_sentence_ends() -> None:
    text = "".join(f"第{n}项任务要求各地按时完成并报送有关情况说明材料。" for n in range(60))
    pieces = chunk(article(text))
    assert len(pieces) > 1
    assert all(piece.text.endswith("。") for piece in pieces)
    assert max(len(piece.text) for piece in pieces) <= LIMIT


def test_a_heading_stays_with_the_text_below_it() -> None:
    text = "开头说明。\n强化保障机制\n" + "建立合理的补偿机制。" * 5
    assert [piece.text.split("\n")[0] for piece in chunk(article(text, "强化保障机制"))] == [
        "开头说明。",
        "强化保障机制",
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "没有标点的一行", "。"])
def test_odd_texts_are_chunked_without_an_error(text: str) -> None:
    assert "".join(piece.text for piece in chunk(article(text))) == text.strip()

"""The keyword leg: BM25 by tantivy over words that `rag.corpus.words` has already cut.

No query language is parsed: a question's words are term queries, so nothing in a question is an operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tantivy

from rag.errors import IndexBroken
from rag.index.version import REBUILD

_FIELD, _ORDINAL = "words", "ordinal"
_MEMORY = 32_000_000
"""Bytes of the writer's buffer; tantivy asks for at least 15 MB."""


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(_FIELD, tokenizer_name="whitespace", index_option="freq")
    builder.add_unsigned_field(_ORDINAL, stored=True)
    return builder.build()


class TantivyKeywords:
    """A saved tantivy index as `Keywords`."""

    def __init__(self, folder: Path) -> None:
        """Open the index in `folder`."""
        try:
            self._index = tantivy.Index(_schema(), path=str(folder), reuse=True)
            self._searcher = self._index.searcher()
        except ValueError as error:
            raise IndexBroken(f"关键词索引打不开：{folder}", REBUILD) from error

    def search(self, tokens: Sequence[str], k: int) -> list[tuple[int, float]]:
        """Return up to k (chunk ordinal, BM25 score), best first; ties by ordinal."""
        if not tokens:
            return []
        terms = [tantivy.Query.term_query(_schema(), _FIELD, token) for token in dict.fromkeys(tokens)]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])
        hits = [
            (int(self._searcher.doc(address)[_ORDINAL][0]), float(score))
            for score, address in self._searcher.search(query, k).hits
        ]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))


def write_keywords(folder: Path, documents: Sequence[Sequence[str]]) -> None:
    """Write a new index of `documents`, each the words of the chunk at its ordinal."""
    folder.mkdir(parents=True)
    index = tantivy.Index(_schema(), path=str(folder))
    writer = index.writer(_MEMORY, 1)
    for ordinal, words in enumerate(documents):
        writer.add_document(tantivy.Document(**{_FIELD: " ".join(words), _ORDINAL: ordinal}))
    writer.commit()
    writer.wait_merging_threads()

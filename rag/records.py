"""The JSON contracts: schema values as plain dictionaries, key for key what other programs rely on.

Changing a key here breaks users: a test holds the key sets. Nothing here parses JSON.
"""

from __future__ import annotations

from typing import Any

from rag.schema import Answer, Article, Citation, Evidence, Verdict

Record = dict[str, Any]


def citation_record(citation: Citation) -> Record:
    """One citation; `text` is the cited passage, `start` and `end` are the quote's offsets in the article."""
    article = citation.article
    return {
        "number": citation.number,
        "file": article.issue.file,
        "issue": article.issue.label,
        "date": article.issue.date.isoformat() if article.issue.date else None,
        "column": article.column,
        "title": article.title,
        "source": article.source,
        "page": citation.page,
        "section": citation.section,
        "quote": citation.quote,
        "text": citation.chunk.text,
        "start": citation.start,
        "end": citation.end,
    }


def evidence_record(evidence: Evidence) -> Record:
    """One retrieved passage."""
    chunk = evidence.chunk
    return {
        "file": chunk.article.issue.file,
        "title": chunk.article.title,
        "section": chunk.section,
        "page": chunk.page,
        "text": chunk.text,
        "score": round(evidence.score, 4),
    }


def answer_record(answer: Answer, id_: str | None = None) -> Record:
    """One answer, as `ask --json`, a line of `batch` and the API give it."""
    return {
        "id": id_,
        "question": answer.question,
        "standalone_question": answer.standalone,
        "answer": answer.text,
        "verdict": answer.verdict.value,
        "refused": answer.verdict is Verdict.REFUSED,
        "reason": answer.reason,
        "citations": [citation_record(c) for c in answer.citations],
        "retrieved": [evidence_record(e) for e in answer.evidence],
        "sentences": [
            {"text": s.text, "citations": list(s.citations), "support": s.support.value} for s in answer.sentences
        ],
        "unmatched_numbers": list(answer.unmatched_numbers),
        "mode": answer.mode.value,
        "model": answer.model,
        "index_version": answer.index_version,
        "timings": {
            "retrieve_s": round(answer.timings.retrieve_s, 3),
            "first_token_s": round(answer.timings.first_token_s, 3),
            "total_s": round(answer.timings.total_s, 3),
        },
    }


def article_record(article: Article) -> Record:
    """One article, as `library list --json` gives it."""
    issue = article.issue
    return {
        "file": issue.file,
        "issue": issue.label,
        "date": issue.date.isoformat() if issue.date else None,
        "column": article.column,
        "title": article.title,
        "source": article.source,
        "page": article.page,
        "sections": [s.heading for s in article.sections],
        "characters": len(article.text),
    }

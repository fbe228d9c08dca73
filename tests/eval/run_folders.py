"""Run folders written by hand, for the tests of what reads them."""

import json
from pathlib import Path
from typing import Any

SETTINGS = {"candidates": 50, "passages": 8, "reranker": "features"}
QUOTE = "已有2000余家定点医药机构接入即时结算。"
CITED = {
    "number": 1,
    "file": "000.txt",
    "issue": "卫生健康信息动态2025年第4期",
    "date": "2025-02-11",
    "column": "他山之石",
    "title": "国家出手！回款大提速",
    "source": None,
    "page": 6,
    "section": "厦门",
    "quote": QUOTE,
    "text": f"厦门{QUOTE}",
    "start": 2,
    "end": 20,
}


def answered(text: str, **changes: Any) -> dict[str, Any]:
    """An answer of one sentence with one good citation."""
    return {
        "id": None,
        "question": "",
        "standalone_question": "",
        "answer": text,
        "verdict": "answered",
        "refused": False,
        "reason": None,
        "citations": [CITED],
        "retrieved": [
            {"file": "000.txt", "title": "回款", "section": "厦门", "page": 6, "text": "厦门", "score": 0.8}
        ],
        "sentences": [{"text": text, "citations": [1], "support": "full"}],
        "unmatched_numbers": [],
        "mode": "llm",
        "model": "m",
        "index_version": "v1",
        "timings": {"retrieve_s": 0.1, "first_token_s": 2.0, "total_s": 8.0},
        **changes,
    }


REFUSED = answered("资料中未找到。", verdict="refused", refused=True, citations=[], sentences=[])
RIGHT = {"fully_correct": 1.0, "key_facts": 1.0, "evidence_hit@5": 1.0, "false_answer": None}
WRONG = {"fully_correct": 0.0, "key_facts": 0.0, "evidence_hit@5": 0.0, "false_answer": None}


def row(id_: str, answer: dict[str, Any] | None, scores: dict[str, float | None], **changes: Any) -> dict[str, Any]:
    """A question about the number of institutions; answerable unless `changes` say otherwise."""
    return {
        "id": id_,
        "type": "factoid",
        "split": "dev",
        "question": f"厦门有多少家（{id_}）",
        "history": [],
        "answerable": True,
        "must": [["2000余家", "两千多家"]],
        "must_not": ["三千家"],
        "sources": [{"file": "000.txt", "article": "国家出手！回款大提速", "quote": QUOTE}],
        "ranks": {"words": [4], "dense": [None], "fused": [2], "reranked": [1]},
        "answer": answer,
        "error": None,
        "scores": scores,
        **changes,
    }


ROWS = (
    row("q1", answered("有2000余家[1]。"), RIGHT),
    row("q2", answered("有12000家，另有37%没有[1]。", unmatched_numbers=["37%"], citations=[]), WRONG),
    row("q3", REFUSED, WRONG, type="list"),
    row(
        "q4",
        answered("有三千家[1]。"),
        {"fully_correct": None, "key_facts": None, "evidence_hit@5": None, "false_answer": 1.0},
        type="unanswerable",
        answerable=False,
        must=[],
        sources=[],
        ranks={"words": [], "dense": [], "fused": [], "reranked": []},
    ),
)


def write_run(folder: Path, rows: tuple[dict[str, Any], ...] = ROWS, **about: Any) -> Path:
    """A finished run, but for a summary."""
    folder.mkdir(parents=True, exist_ok=True)
    run = {
        "dataset": "eval/datasets/newsletters.jsonl",
        "dataset_sha256": "ab" * 32,
        "split": "dev",
        "limit": None,
        "only": None,
        "settings": SETTINGS,
        "model": "qwen",
        "index_version": "v1",
        "git_commit": "0123abc",
        "machine": {"cpu": "Xeon", "cores": 2, "memory_gb": 24, "platform": "Linux", "python": "3.11"},
        "started": "2026-11-22T01:20:00+00:00",
        "finished": "2026-11-22T01:31:00+00:00",
        **about,
    }
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    return folder


def write_summary(folder: Path, n: int = len(ROWS), **changes: Any) -> Path:
    """The figures of `ROWS`, counted by hand."""
    summary = {
        "n": n,
        "errors": 0,
        "overall": {
            "fully_correct": {"value": 1 / 3, "low": 0.0, "high": 1.0, "n": 3},
            "evidence_hit@5": {"value": 1 / 3, "low": 0.0, "high": 1.0, "n": 3},
        },
        "by_type": {"factoid": {"fully_correct": {"value": 0.5, "low": 0.0, "high": 1.0, "n": 2}}},
        "by_article": {"回款": {"fully_correct": {"value": 0.5, "low": 0.0, "high": 1.0, "n": 2}}},
        "legs": {"words": {"hit@5": 1.0}, "reranked": {"hit@1": 1.0, "hit@5": 0.92, "hit@10": 0.96, "mrr": 0.8125}},
        "latency": {"total_s": {"p50": 8.0, "p95": 12.5}},
        **changes,
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder

"""The JSON that other programs rely on, key for key."""

from __future__ import annotations

import json

from rag.records import answer_record, article_record, evidence_record
from rag.schema import Answer, Chunk, Citation, Evidence, Sentence, Support, Timings, Verdict
from tests.builders import article, whole

TEXT = "总述。\n即时结算\n厦门市2000余家机构已接入。"
ARTICLE = article(TEXT, "即时结算")
START = TEXT.index("厦门市")


def test_an_answer_has_exactly_the_promised_keys() -> None:
    citation = Citation(1, whole(ARTICLE), START, len(TEXT), TEXT[START:])
    answer = Answer(
        "问？",
        "问？",
        "厦门市2000余家机构已接入[1]。",
        Verdict.ANSWERED,
        citations=(citation,),
        evidence=(Evidence(whole(ARTICLE), 0.5),),
        sentences=(Sentence("厦门市2000余家机构已接入。", (1,), Support.FULL),),
        timings=Timings(0.1, 0.2, 0.3),
    )
    record = answer_record(answer, "q1")
    assert json.loads(json.dumps(record, ensure_ascii=False)) == {
        "id": "q1",
        "question": "问？",
        "standalone_question": "问？",
        "answer": "厦门市2000余家机构已接入[1]。",
        "verdict": "answered",
        "refused": False,
        "reason": None,
        "citations": [
            {
                "number": 1,
                "file": "a.txt",
                "issue": "卫生健康信息动态2025年第4期（总第341期）",
                "date": "2025-02-11",
                "column": "各地动态",
                "title": "医保基金即时结算",
                "source": "新华社",
                "page": 6,
                "section": "即时结算",
                "quote": "厦门市2000余家机构已接入。",
                "text": TEXT,
                "start": START,
                "end": len(TEXT),
            }
        ],
        "retrieved": [
            {"file": "a.txt", "title": "医保基金即时结算", "section": "", "page": 6, "text": TEXT, "score": 0.5}
        ],
        "sentences": [{"text": "厦门市2000余家机构已接入。", "citations": [1], "support": "full"}],
        "unmatched_numbers": [],
        "mode": "llm",
        "model": "",
        "index_version": "",
        "timings": {"retrieve_s": 0.1, "first_token_s": 0.2, "total_s": 0.3},
    }


def test_a_passage_names_the_section_it_starts_in() -> None:
    inner = Evidence(Chunk(ARTICLE, START, len(TEXT)), 1.0)
    assert evidence_record(inner)["section"] == "即时结算"


def test_an_article_has_exactly_the_promised_keys() -> None:
    assert article_record(ARTICLE) == {
        "file": "a.txt",
        "issue": "卫生健康信息动态2025年第4期（总第341期）",
        "date": "2025-02-11",
        "column": "各地动态",
        "title": "医保基金即时结算",
        "source": "新华社",
        "page": 6,
        "sections": ["即时结算"],
        "characters": len(TEXT),
    }

"""Asks an LLM for its opinion of every answer of a run: apart from the measures, in files of its own.

`judge.jsonl` holds a judgement a line, `judge.json` the figures of the last judge. Off unless a judge is set; no
threshold and no comparison looks at it. Nothing here answers questions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

import prompts
from eval.journal import append, dumps, locked, swap
from eval.metrics import Estimate, estimates
from eval.runs import Given, Row, read_run
from rag.errors import GenerationError, UsageError
from rag.ports import Generator
from rag.schema import Message

FILE = "judge.jsonl"
LABELS: Mapping[str, str] = MappingProxyType({"correct": "答得正确", "faithful": "有原文依据"})
"""What the judge's figures are called."""

_PROMPT = "judge"
_MAX_TOKENS = 600
_PATIENCE = 3
"""One answer may be refused for itself (too long, filtered); so many in a row mean that the endpoint is down."""

Progress = Callable[[str, int, int], None]
Correct = Annotated[int, Field(ge=0, le=2)]
Faithful = Annotated[int, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What `model` said of one answer, or under `error` why it said nothing usable.

    `correct` is 2 for all facts, 1 for some, 0 for none or a wrong one; `faithful` is 1 where the evidence holds all
    that the answer says. `asked_sha256` is of the very text that was sent: another prompt or answer has another one.
    """

    id: str
    model: str
    asked_sha256: str
    correct: Correct | None = None
    faithful: Faithful | None = None
    reason: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a judge has said of a run: how much of it now, how much before, what failed, and the figures."""

    folder: Path
    model: str
    asked: int
    kept: int
    errors: tuple[Judgement, ...]
    scores: Mapping[str, Estimate]


class _Reply(BaseModel):
    """What the prompt asks for, and nothing else."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    correct: Correct
    faithful: Faithful
    reason: str


_JUDGEMENT = TypeAdapter(Judgement)


def judge(by: Generator, folder: Path, progress: Progress = lambda *_: None) -> Opinion:
    """Ask `by` about every answer of a run that it has not judged yet, and write what it says.

    Judgements of the same model on the same text are kept, those with an error are asked again. Raises `UsageError`
    where there is no answer to judge, `GenerationError` where the endpoint is down; what was judged stays.
    """
    answered = [(row, row.answer) for row in read_run(folder).rows if row.answer and not row.error]
    if not answered:
        raise UsageError(f"{folder} 里没有可评的回答", "请先运行 weice eval run，不加 --only retrieval")
    texts = {row.id: question(row, answer) for row, answer in answered}
    with locked(folder / "judge.lock"):
        judged = _begin(folder, by.model, texts)
        kept = len(judged)
        try:
            for one in _ask(by, [(id_, text) for id_, text in texts.items() if id_ not in judged], progress):
                append(folder / FILE, dumps(asdict(one)))
                judged[one.id] = one
        finally:
            errors = tuple(one for one in judged.values() if one.error)
            opinion = Opinion(folder, by.model, len(judged) - kept, kept, errors, scores(judged.values()))
            swap(folder / "judge.json", dumps(_figures(opinion, len(texts))))
    return opinion


def read(folder: Path) -> tuple[Judgement, ...]:
    """The judgements of the last judge of a run; a line that can't be read is left out."""
    lines = _read_lines(folder / FILE)
    return tuple({one.id: one for one in lines if one.model == lines[-1].model}.values())


def scores(judgements: Iterable[Judgement]) -> dict[str, Estimate]:
    """Return mean, interval and number of each figure, as shares of its points: 1 of 2 is half correct."""
    return estimates(
        [
            {"correct": one.correct / 2, "faithful": float(one.faithful)}
            for one in judgements
            if one.correct is not None and one.faithful is not None
        ]
    )


def question(row: Row, answer: Given) -> str:
    """Return the text that is sent: what others wrote stands in quotes there and can't leave them."""
    turns = [f"问：{turn.user}\n答：{turn.assistant}\n" for turn in row.history]
    values = {
        "question": "".join(turns) + row.question,
        "facts": row.must if row.answerable else "资料中没有答案",
        "evidence": [source.quote for source in row.sources],
        "cited": [cited.quote for cited in answer.citations],
        "answer": answer.answer,
    }
    quoted = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    return prompts.load(_PROMPT).substitute(quoted)


def render(opinion: Opinion) -> str:
    """Return the figures as text for the terminal."""
    lines = [f"裁判 {opinion.model}：本次评了 {opinion.asked} 题，沿用已有的 {opinion.kept} 题。"]
    for name, e in opinion.scores.items():
        lines.append(f"{LABELS[name]} {e['value']:.1%}，95% 区间 {e['low']:.1%}–{e['high']:.1%}，{e['n']} 题")
    where = f"结果在 {opinion.folder / FILE}；weice eval report {opinion.folder} 把它写进网页，另列一块。"
    return "\n".join([*lines, where])


# --- asking ------------------------------------------------------------


def _ask(by: Generator, todo: list[tuple[str, str]], progress: Progress) -> Iterator[Judgement]:
    """Ask about one answer after another, given by id and text. Raises `GenerationError` where nobody answers."""
    silent = 0
    for n, (id_, text) in enumerate(todo):
        progress(f"评判 {id_}", n, len(todo))
        try:
            reply = "".join(by.generate([Message("user", text)], max_tokens=_MAX_TOKENS))
        except GenerationError as error:
            silent += 1
            yield Judgement(id_, by.model, _sha256(text), error=error.what)
            if silent == _PATIENCE:
                raise GenerationError(
                    f"连续 {_PATIENCE} 题没有评成，先停下：{error.what}",
                    "已评的都在；请检查设置 judge_base_url、judge_model 和环境变量 WEICE_JUDGE_API_KEY，"
                    "再运行同一命令接着评",
                ) from error
        else:
            silent = 0
            yield _read_reply(id_, by.model, text, reply)
    progress("评判 完成", len(todo), len(todo))


def _read_reply(id_: str, model: str, text: str, reply: str) -> Judgement:
    """The judgement in a reply: the JSON object that was asked for, perhaps in a Markdown fence."""
    bare = reply.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        said = _Reply.model_validate_json(bare)
    except ValidationError:
        return Judgement(id_, model, _sha256(text), error=f"回复不是所要的 JSON：{' '.join(reply.split())[:80]}")
    return Judgement(id_, model, _sha256(text), said.correct, said.faithful, said.reason)


# --- the files ------------------------------------------------------------


def _begin(folder: Path, model: str, texts: Mapping[str, str]) -> dict[str, Judgement]:
    """The judgements that `model` need not make again, by id.

    They are put behind those of other judges, which stay too: the last line is always of the last judge.
    """
    lines = [one for one in _read_lines(folder / FILE) if not one.error]
    hashes = {id_: _sha256(text) for id_, text in texts.items()}
    kept = {one.id: one for one in lines if one.model == model and one.asked_sha256 == hashes.get(one.id)}
    whole = [*(one for one in lines if one.model != model), *kept.values()]
    swap(folder / FILE, "".join(dumps(asdict(one)) for one in whole))
    return kept


def _read_lines(path: Path) -> list[Judgement]:
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return [one for line in lines if (one := _read_line(line)) is not None]


def _read_line(line: bytes) -> Judgement | None:
    try:
        return _JUDGEMENT.validate_json(line)
    except ValidationError:
        return None


def _figures(opinion: Opinion, answers: int) -> dict[str, object]:
    """What `judge.json` says: how many answers there are, how many of them are judged, and the means."""
    return {
        "model": opinion.model,
        "prompt_sha256": _sha256(prompts.load(_PROMPT).template),
        "answers": answers,
        "judged": opinion.asked + opinion.kept - len(opinion.errors),
        "errors": len(opinion.errors),
        "scores": opinion.scores,
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""Answers as text for people: references as they are printed, Markdown and plain text, and the words beside them.

Pure functions over answer records (`rag.records`), and one that writes a file. What stands in the records is data:
nothing of it becomes markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import StorageError, UsageError
from rag.records import Record
from rag.schema import Mode, Verdict

VERDICTS = {Verdict.ANSWERED: "已回答", Verdict.PARTIAL: "部分回答", Verdict.REFUSED: "资料中未找到"}
MODES = {Mode.LLM: "大模型作答", Mode.EXTRACTIVE: "原文摘录"}
FAILED = "未能作答"
"""What a row is called that has an error in place of an answer."""

_LABEL = re.compile(r"(?P<name>.*?)(?P<number>(?:\d{4}年)?第\d+期)?(?P<total>（总第\d+期）)?", re.DOTALL)
_MARK = re.compile(r"\[(\d{1,4})\]")
_BAR = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"\|(?:\s*:?-+:?\s*\|)+")
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~&$])")
_OPENING = re.compile(r"^(?:\d+(?=[.)])|(?=[-+=]))")
"""What opens a list or a heading at the start of a line."""
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One line of an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of an answer; the first row is its header."""

    rows: tuple[tuple[str, ...], ...]


Block = Paragraph | Table


def exported(path: Path, records: Sequence[Record], title: str = "") -> None:
    """Write answers to `path` as its suffix says. Raises `UsageError` or `StorageError` where that can't be."""
    check_form(path)
    try:
        path.write_bytes(_FORMS[path.suffix.lower()](records, title))
    except OSError as error:
        raise StorageError(
            f"写不进 {path}（{error.strerror}）", "请检查文件夹、权限和磁盘，或先关闭打开它的程序"
        ) from error


def check_form(path: Path) -> None:
    """Raise `UsageError` where the suffix of `path` names no form of answers, or there is no such folder."""
    if path.suffix.lower() not in _FORMS:
        raise UsageError(f"不支持这种文件：{path.name}", f"可用：{' '.join(_FORMS)}")
    if not path.parent.is_dir():
        raise UsageError(f"文件夹不存在：{path.parent}", "请先建好文件夹")


def reference(citation: Record) -> str:
    """Return where a quote is printed, 《刊名》2025年第4期（总第341期），《标题》，来源，第N页."""
    label = str(citation["issue"])
    printed = _LABEL.fullmatch(label)
    issue = label
    if printed and label != citation["file"]:
        issue = f"《{printed['name']}》{printed['number'] or ''}{printed['total'] or ''}"
    page = f"第{citation['page']}页" if citation["page"] is not None else ""
    parts = (issue, f"《{citation['title']}》" if citation["title"] else "", citation["source"] or "", page)
    return clean("，".join(part for part in parts if part))


def clean(text: str) -> str:
    """Return the text without what no document can hold: control characters and halves of characters."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def blocks(text: str) -> Iterator[Block]:
    """Yield the paragraphs and the Markdown tables of an answer, in order."""
    rows: list[tuple[str, ...]] = []
    for line in clean(text).split("\n"):
        stripped = line.strip()
        if len(stripped) > 1 and stripped.startswith("|") and stripped.endswith("|"):
            if not _RULE.fullmatch(stripped):
                rows.append(tuple(_unescaped(cell) for cell in _BAR.split(stripped)[1:-1]))
            continue
        if rows:
            yield Table(tuple(rows))
            rows = []
        if stripped:
            yield Paragraph(stripped)
    if rows:
        yield Table(tuple(rows))


def marks(text: str, known: Iterable[int]) -> Iterator[str | int]:
    """Yield a text in pieces: strings, and the numbers of the known citations that its marks [n] name."""
    numbers = set(known)
    for at, piece in enumerate(_MARK.split(text)):
        if at % 2 == 0:
            if piece:
                yield piece
        else:
            yield int(piece) if int(piece) in numbers else f"[{piece}]"


def confidence(record: Record) -> float | None:
    """Return the share of the answer's sentences that cited text carries in full; None where there is no sentence."""
    said = record.get("sentences") or []
    return sum(sentence["support"] == "full" for sentence in said) / len(said) if said else None


def verdict(record: Record) -> str:
    """Return what became of the question, in a word or two."""
    return FAILED if "error" in record else VERDICTS[Verdict(record["verdict"])]


def note(record: Record) -> str:
    """Return what has to be said beside the answer: an error, a reason, numbers that were not found."""
    if "error" in record:
        return clean(str(record["error"]))
    numbers = "、".join(record["unmatched_numbers"])
    said = (record["reason"] or "", f"未能核对的数字：{numbers}" if numbers else "")
    return clean("；".join(part for part in said if part))


def references(record: Record) -> str:
    """Return the citations of an answer, a line each."""
    return "\n".join(f"[{c['number']}] {reference(c)}" for c in record.get("citations", ()))


def quotes(record: Record) -> str:
    """Return the quoted sentences of an answer, a paragraph each."""
    return "\n".join(f"[{c['number']}] “{clean(c['quote'])}”" for c in record.get("citations", ()))


def as_text(records: Sequence[Record]) -> str:
    """Return answers as plain text: question, answer with its marks, references with the quoted sentences."""
    return "\n\n".join(_text(record) for record in records) + "\n"


def _text(record: Record) -> str:
    lines = [f"问：{clean(record['question'])}", ""]
    for block in blocks(record.get("answer", "")):
        if isinstance(block, Table):
            lines += ["\t".join(cells) for cells in block.rows]
        else:
            lines.append(block.text)
    if record.get("citations"):
        lines += ["", "出处："]
    for citation in record.get("citations", ()):
        lines += [f"[{citation['number']}] {reference(citation)}", f"    “{clean(citation['quote'])}”"]
    return "\n".join([*lines, "", _closing(record)])


def as_markdown(records: Sequence[Record], title: str = "") -> str:
    """Return answers as Markdown: the question a heading, the references a list, all text of others escaped."""
    head = [f"# {_escaped(title)}"] if title else []
    return "\n\n".join([*head, *(_markdown(record) for record in records)]) + "\n"


def _markdown(record: Record) -> str:
    known = [citation["number"] for citation in record.get("citations", ())]
    parts = [f"## {_escaped(record['question'])}"]
    parts += [_markdown_block(block, known) for block in blocks(record.get("answer", ""))]
    if known:
        parts.append("**出处**")
    for citation in record.get("citations", ()):
        quoted = "\n".join(f"> {_escaped(line)}" for line in clean(citation["quote"]).split("\n"))
        parts.append(f"\\[{citation['number']}\\] {_escaped(reference(citation))}\n\n{quoted}")
    return "\n\n".join([*parts, _escaped(_closing(record))])


def _markdown_block(block: Block, known: Sequence[int]) -> str:
    if isinstance(block, Paragraph):
        return _marked(block.text, known)
    header, *rows = [[_marked(cell, known) for cell in cells] for cells in block.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def _marked(text: str, known: Sequence[int]) -> str:
    """The text escaped, with its marks as they are read."""
    return "".join(f"\\[{piece}\\]" if isinstance(piece, int) else _escaped(piece) for piece in marks(text, known))


def _closing(record: Record) -> str:
    told = note(record)
    if "error" in record:
        return f"结论：{FAILED}。{told}"
    parts = [f"结论：{verdict(record)}", told, f"方式：{written_by(record)}"]
    return " · ".join(part for part in parts if part)


def written_by(record: Record) -> str:
    """Return who wrote an answer: the LLM by its name, or that it is quoted; empty where there is none."""
    if "error" in record:
        return ""
    model: Any = record["model"]
    return MODES[Mode(record["mode"])] + (f"（{model}）" if model else "")


def _escaped(text: str) -> str:
    """One line of text in which nothing is markup."""
    line = _MARKUP.sub(r"\\\1", " ".join(clean(text).split()))
    return _OPENING.sub(r"\g<0>\\", line)


def _unescaped(cell: str) -> str:
    return re.sub(r"\\([\\|])", r"\1", cell).strip()


def _as_word(records: Sequence[Record], title: str) -> bytes:
    from rag.word import as_word

    return as_word(records, title)


_FORMS: dict[str, Callable[[Sequence[Record], str], bytes]] = {
    ".docx": _as_word,
    ".md": lambda records, title: as_markdown(records, title).encode(),
    ".txt": lambda records, _: as_text(records).encode(),
}
"""The suffix of a file (lower case) to what makes it."""

"""Has a small LLM copy the answer to a question for one fact out of the evidence, or say that it is not there.

Writing whole sentences is what a small model is worst at; pointing at the words is what it can do, and how ready it
is to say 无 (SQuAD 2.0's null answer) tells a near miss from an answer better than anything else that was measured
(eval/NOTES.md). Before its 无 is believed, it is made to answer and then asked whether that answers the question. The
examples in the prompts are read once: the server keeps what prompts begin with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from string import Template

import prompts
from rag.answer.citing import ENDS, Aligned, Passage, letters
from rag.answer.numbers import unmatched
from rag.answer.question import as_told
from rag.answer.reading import as_text, within
from rag.ports import Extractor
from rag.schema import Message, Support

NULL = "无"
"""What the LLM writes where the evidence does not state what is asked for."""
RIGHT, WRONG = "对", "错"
"""What it writes of an answer that it is asked about."""
SHORT = 0.7
"""Length of a copied answer, as a share of its sentence's, from which the sentence alone is told."""
SURE = 0.8
"""Probability from which a copy is told, with its sentence alone (eval/NOTES.md)."""
CHARACTERS, MANY = 340, 420
"""Of the quotes that are shown for a fact, and for more than that; the best one always. What stands farther off
confuses, and costs seconds."""
FARTHER = 300
"""Characters that are shown of what stands farther off, where the LLM finds nothing of a fact in the quotes."""
LONGEST = 48
"""Tokens of a copied answer at most."""
CHECKED = 2
"""Tokens that tell 无 from 无锡 where nothing is copied."""
DOUBTED, AGAIN, AT_LAST, COUNTED, UNMEASURED, LISTED, SEVERAL = 2.0, 1.0, 1.5, 0.5, 1.2, -3.4, -2.0
"""What the log-odds of 无 are moved by where rules doubt that a fact is told, where it is looked for once more and
at last, where a number is asked for with and without a measure word, where a list or a summary is quoted, of which
only the beginning is shown, and where anything else is (eval/NOTES.md)."""
AMONG = -1.0
"""The log-odds of 无 are moved by so much more for one of several questions that are asked at once: what a question
is put together of is seldom missing (eval/NOTES.md)."""
NEARLY, SURELY_RIGHT = -2.0, 0.5
"""The log-odds of 无 are moved by the first where the LLM must answer if it nearly did; those of 错 by the second,
where it is then asked about its answer (eval/NOTES.md)."""


class Copy:
    """What the LLM copies, to be read once, in pieces. Reading it raises `GenerationError`."""

    def __init__(self, pieces: Iterator[tuple[str, float]]) -> None:
        """Take the pieces with their probabilities."""
        self._pieces = pieces
        self.sure = 0.0
        """The probability of the first piece: how sure the LLM is of where the answer begins."""

    def __iter__(self) -> Iterator[str]:
        """Yield the pieces."""
        for number, (piece, probability) in enumerate(self._pieces):
            if not number:
                self.sure = probability
            yield piece


class Extraction:
    """Copies answers with `extractor`, moving the log-odds of 无 by `null_bias`: the less, the less is refused."""

    def __init__(self, extractor: Extractor, null_bias: float) -> None:
        """Take the LLM and how far its 无 is believed."""
        self._extractor = extractor
        self._null_bias = null_bias

    def copy(self, prompt: Sequence[Message], moved: float = 0.0, *, tokens: int = LONGEST) -> Copy:
        """Have the answer copied that the prompt asks for, the log-odds of 无 `moved` further."""
        return Copy(self._extractor.extract(prompt, {NULL: self._null_bias + moved}, max_tokens=tokens))

    def confirms(self, prompt: Sequence[Message]) -> bool:
        """Whether the LLM says of the answer that the prompt shows that it is right."""
        return (
            letters(
                "".join(piece for piece, _ in self._extractor.extract(prompt, {WRONG: SURELY_RIGHT}, max_tokens=1))
            )
            == RIGHT
        )


_BETWEEN = "\n===\n"


def copying(question: str, passages: Sequence[Passage], characters: int = CHARACTERS) -> tuple[Message, ...]:
    """Return the prompt for copying: what never changes first, then the first `passages`, and the question."""
    fixed, asked = _prompt("extract", "答案")
    evidence = as_text(within(passages, characters))
    return (*fixed, Message("user", asked.substitute(evidence=evidence, question=as_told(question))))


def checking(question: str, passages: Sequence[Passage], answer: str) -> tuple[Message, ...]:
    """Return the prompt that asks whether `answer` is what the first `passages` answer to a question for one fact."""
    fixed, asked = _prompt("check", "核对")
    evidence = as_text(within(passages, CHARACTERS))
    told = asked.substitute(evidence=evidence, question=as_told(question), answer=answer)
    return (*fixed, Message("user", told))


@cache
def _prompt(name: str, says: str) -> tuple[tuple[Message, ...], Template]:
    """The system prompt with a turn of user and assistant for each example, and what is asked at last.

    What the assistant `says` is the last line of an example.
    """
    system, *examples, asked = prompts.load(name).template.split(_BETWEEN)
    turns = [example.split(f"\n{says}：") for example in examples]
    pairs = [(Message("user", shown), Message("assistant", answer)) for shown, answer in turns]
    return (Message("system", system), *(message for pair in pairs for message in pair)), Template(asked)


def is_null(text: str) -> bool:
    """Whether what was copied is that there is nothing to copy."""
    return letters(text) in {"", NULL}


def but_null(pieces: Iterable[str]) -> Iterator[str]:
    """Yield what is copied, nothing where it is that there is nothing to copy: 无 is no draft to be shown."""
    held, said = "", False
    for piece in pieces:
        held += piece
        said = said or not is_null(held)
        if said:
            yield held
            held = ""


def told_by_copy(text: str, quotes: Sequence[Aligned]) -> tuple[Aligned, ...]:
    """Return what was copied, where it is much shorter than its quote, and the quote; nothing where none holds it."""
    source = next((item for item in quotes if any(_holds(p.text, text) for p in item.passages)), None)
    if source is None:
        return ()
    if len(text) >= SHORT * len(source.text):
        return (source,)
    return (Aligned(f"{text.rstrip(ENDS)}。", source.passages, Support.FULL, ()), source)


def _holds(sentence: str, copied: str) -> bool:
    """Whether a sentence holds what was copied, its numbers whole: 5家 is not in 45家."""
    return letters(copied) in letters(sentence) and not unmatched(copied, [sentence])

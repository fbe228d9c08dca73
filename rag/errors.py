"""The error tree. Every message is one Chinese line: what happened, to what, and the next step.

WeiceError
├── UsageError           the caller asked for something impossible (exit code 2)
├── SettingsError        a setting is unknown or has a wrong value
├── DocumentError        a file can't be read as a document
├── ModelError           a model is missing, incomplete or tampered with
├── IndexStateError          no index, or one that can't be used
│   ├── IndexMissing
│   └── IndexBroken      other model, other format, damaged file
├── GenerationError      the LLM gave no usable answer
│   ├── LlmUnavailable   not reachable, not started, wrong key
│   ├── LlmTimeout       too slow or silent
│   └── LlmNonsense      reachable, but what came back is no answer
├── QuoteError           a quote that the article does not hold (a bug of ours, never the user's)
├── AccessError          wrong password or key, or no right to it
└── StorageError         disk full, folder not writable, file or database locked
"""

from __future__ import annotations


class WeiceError(Exception):
    """Root of the tree. `what` says what happened, `next_step` what the user does now."""

    def __init__(self, what: str, next_step: str = "") -> None:
        """Join both into one line."""
        self.what = what
        self.next_step = next_step
        super().__init__(f"{what}。{next_step}" if next_step else what)


class UsageError(WeiceError):
    """The caller asked for something impossible."""


class SettingsError(WeiceError):
    """A setting is unknown or has a wrong value."""


class DocumentError(WeiceError):
    """A file can't be read as a document."""


class ModelError(WeiceError):
    """A model is missing, incomplete or tampered with."""


class IndexStateError(WeiceError):
    """No index, or one that can't be used."""


class IndexMissing(IndexStateError):
    """There is no index yet."""


class IndexBroken(IndexStateError):
    """The index belongs to another model or format, or a file of it is damaged."""


class GenerationError(WeiceError):
    """The LLM gave no usable answer."""


class LlmUnavailable(GenerationError):
    """The LLM can't be reached or started."""


class LlmTimeout(GenerationError):
    """The LLM is too slow or silent."""


class LlmNonsense(GenerationError):
    """What came back from the LLM endpoint is no answer."""


class QuoteError(WeiceError):
    """A quote that the article does not hold."""

    def __init__(self, title: str, quote: str) -> None:
        """Name the article and the start of the quote."""
        super().__init__(f"引文与原文不符：《{title}》“{quote[:30]}”")


class AccessError(WeiceError):
    """Who asks is not known, or may not do this."""


class StorageError(WeiceError):
    """Disk full, folder not writable, file or database locked."""

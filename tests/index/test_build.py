"""Index versions: written beside, swapped in whole, reused where nothing changed, refused where broken."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rag.corpus.words import Words
from rag.errors import DocumentError, IndexBroken, IndexMissing, StorageError
from rag.index.build import KEPT_VERSIONS, IndexStore
from rag.testing import HashingEmbedder
from tests.builders import built, library

A = "# 甲文\n厦门市全市2000余家定点医药机构均已接入即时结算系统。"
B = "# 乙文\n全省中药种植面积达485万亩。"


def test_without_an_index_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="weice index"):
        IndexStore(tmp_path).open()


def test_a_second_build_with_nothing_changed_embeds_nothing_and_makes_no_version(tmp_path: Path) -> None:
    folder, store, embedder = library(tmp_path / "l", a=A, b=B), IndexStore(tmp_path / "i"), HashingEmbedder()
    first = store.build([folder], embedder, Words())
    embedded = len(embedder.embedded)
    second = store.build([folder], embedder, Words())
    assert (first.embedded, embedded) == (2, 4)  # each passage, and its one sentence by itself
    assert (second.unchanged, second.embedded, len(embedder.embedded)) == (True, 0, embedded)
    assert second.version == first.version


def test_only_a_changed_file_is_embedded_again_and_its_vectors_are_new(tmp_path: Path) -> None:
    folder, store, embedder = library(tmp_path / "l", a=A, b=B), IndexStore(tmp_path / "i"), HashingEmbedder()
    store.build([folder], embedder, Words())
    before = store.open().vectors.all()
    library(tmp_path / "l", b=B.replace("485", "486"))
    embedder.embedded.clear()
    report = store.build([folder], embedder, Words())
    after = store.open().vectors.all()
    assert (report.embedded, report.reused) == (1, 1)
    assert all("486" in text for text in embedder.embedded)
    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[1], after[1])


def test_a_removed_file_goes(tmp_path: Path) -> None:
    folder, store, embedder = library(tmp_path / "l", a=A, b=B), IndexStore(tmp_path / "i"), HashingEmbedder()
    store.build([folder], embedder, Words())
    (folder / "b.md").unlink()
    report = store.build([folder], embedder, Words())
    assert report.removed == ("b.md",)
    assert [article.title for article in store.open().articles] == ["甲文"]


def test_a_file_that_becomes_unreadable_is_reported_and_keeps_what_it_held(tmp_path: Path) -> None:
    folder, store, embedder = library(tmp_path / "l", a=A, b=B), IndexStore(tmp_path / "i"), HashingEmbedder()
    store.build([folder], embedder, Words())
    (folder / "b.md").write_bytes(b"")
    report = store.build([folder], embedder, Words())
    assert [bool(file.error) for file in report.files] == [False, True]
    assert [article.title for article in store.open().articles] == ["甲文", "乙文"]


def test_an_empty_library_says_what_to_do_and_leaves_the_live_index(tmp_path: Path) -> None:
    folder, store, embedder = library(tmp_path / "l", a=A), IndexStore(tmp_path / "i"), HashingEmbedder()
    store.build([folder], embedder, Words())
    (folder / "a.md").unlink()
    with pytest.raises(DocumentError, match="请放入"):
        store.build([folder], embedder, Words())
    assert len(store.open()) == 1


def test_an_index_of_another_model_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    index = built(tmp_path, a=A)
    with pytest.raises(IndexBroken, match="weice index --rebuild"):
        IndexStore(tmp_path / "index").open(model="another")
    rebuilt = IndexStore(tmp_path / "index").build([tmp_path / "library"], HashingEmbedder(name="other"), Words())
    assert rebuilt.version != index.version


def test_an_index_of_another_format_is_refused(tmp_path: Path) -> None:
    manifest = built(tmp_path, a=A).folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 0}))
    with pytest.raises(IndexBroken, match="格式"):
        IndexStore(tmp_path / "index").open()


@pytest.mark.parametrize("name", ["vectors.faiss", "files.json", "chunks.npy", "words.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_file_is_named_and_a_build_mends_it(tmp_path: Path, name: str, damage: str) -> None:
    path = built(tmp_path, a=A, b=B).folder / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:10] + bytes([content[10] ^ 0xFF]) + content[11:])
    store = IndexStore(tmp_path / "index")
    with pytest.raises(IndexBroken, match="weice index --rebuild"):
        store.open()
    store.build([tmp_path / "library"], HashingEmbedder(), Words())
    assert len(store.open().articles) == 2


KILLED_BUILD = """
import os, signal, sys
from pathlib import Path
from rag.corpus.words import Words
from rag.index.build import IndexStore
from rag.testing import HashingEmbedder
folder, stage = Path(sys.argv[1]), sys.argv[2]
def progress(label, done, total):
    if label.startswith(stage):
        os.kill(os.getpid(), signal.SIGKILL)
IndexStore(folder / "index").build([folder / "library"], HashingEmbedder(), Words(), progress=progress)
"""


@pytest.mark.parametrize("stage", ["解析", "向量", "写入索引"])
def test_a_killed_build_leaves_the_live_index_and_the_next_build_works(tmp_path: Path, stage: str) -> None:
    live = built(tmp_path, a=A).version
    library(tmp_path / "library", b=B)
    killed = subprocess.run([sys.executable, "-c", KILLED_BUILD, str(tmp_path), stage], check=False)
    assert killed.returncode == -signal.SIGKILL
    store = IndexStore(tmp_path / "index")
    assert store.open().version == live
    store.build([tmp_path / "library"], HashingEmbedder(), Words())
    assert len(store.open().articles) == 2
    assert not list((tmp_path / "index").glob("building-*"))


def test_two_builds_at_once_are_told_apart(tmp_path: Path) -> None:
    folder, store, embedder = library(tmp_path / "l", a=A), IndexStore(tmp_path / "i"), HashingEmbedder()

    def build_again(*_: object) -> None:
        IndexStore(tmp_path / "i").build([folder], embedder, Words())

    with pytest.raises(StorageError, match="正在运行"):
        store.build([folder], embedder, Words(), progress=build_again)


def test_old_versions_go_and_the_last_ones_stay(tmp_path: Path) -> None:
    folder, store, embedder = library(tmp_path / "l", a=A), IndexStore(tmp_path / "i"), HashingEmbedder()
    for n in range(KEPT_VERSIONS + 2):
        library(folder, a=f"{A}{n}")
        store.build([folder], embedder, Words())
    assert len(list((tmp_path / "i" / "versions").iterdir())) == KEPT_VERSIONS
    assert store.open().articles[0].text.endswith(str(KEPT_VERSIONS + 1))


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="不能写入"):
        IndexStore(tmp_path / "file" / "i").build([library(tmp_path / "l", a=A)], HashingEmbedder(), Words())


def test_two_files_of_one_name_in_two_folders_are_both_kept(tmp_path: Path) -> None:
    store, one, two = IndexStore(tmp_path / "i"), library(tmp_path / "x", a=A), library(tmp_path / "y", a=B)
    store.build([one, two], HashingEmbedder(), Words())
    assert [article.title for article in store.open().articles] == ["甲文", "乙文"]
    assert len({article.id for article in store.open().articles}) == 2


def test_llama_index_opens_the_same_vectors_and_finds_the_same_passage(tmp_path: Path) -> None:
    from llama_index.core.vector_stores.types import VectorStoreQuery
    from llama_index.vector_stores.faiss import FaissVectorStore

    index = built(tmp_path, a=A, b=B)
    store = FaissVectorStore.from_persist_path(str(index.folder / "vectors.faiss"))
    vector = HashingEmbedder().embed(["中药种植面积"])[0]
    found = store.query(VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=1))
    ours = index.vectors.search(vector, 1)
    assert [int(id_) for id_ in found.ids or []] == [ours[0][0]]
    assert found.similarities == pytest.approx([ours[0][1]], abs=1e-5)
    assert "485万亩" in index[ours[0][0]].text


def test_words_of_the_lexicon_are_found_whole_and_by_their_synonyms(tmp_path: Path) -> None:
    index = built(tmp_path, a="# 甲\n长期护理保险参保人数超过1.8亿人。", b=B)
    assert index.keywords.search(Words().tokens("长护险"), 5)[0][0] == 0


def test_a_users_own_lexicon_adds_words_and_meanings(tmp_path: Path) -> None:
    own = tmp_path / "词典.txt"
    own.write_text("桂十味 = 广西十味药  # 自己的词\n\n# 注释\n", encoding="utf-8")
    words = Words(own)
    assert "桂十味" in words.terms("发展桂十味品牌")
    assert "桂十味" in words.tokens("广西十味药有哪些")


def test_a_changed_lexicon_makes_a_new_version_and_embeds_nothing(tmp_path: Path) -> None:
    folder, store, embedder = library(tmp_path / "l", a=A, b=B), IndexStore(tmp_path / "i"), HashingEmbedder()
    own = tmp_path / "词典.txt"
    store.build([folder], embedder, Words(own))
    own.write_text("结算系统\n", encoding="utf-8")
    report = store.build([folder], embedder, Words(own))
    assert (report.unchanged, report.embedded, report.reused) == (False, 0, 2)


def test_nothing_in_a_question_is_a_query_operator(tmp_path: Path) -> None:
    index = built(tmp_path, a=A, b=B)
    assert index.keywords.search(["words:*", "+", "AND", '"', "485"], 5) == index.keywords.search(["485"], 5)

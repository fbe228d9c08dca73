"""The user's own lexicon: read as entries, checked, written back without loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.corpus.lexicon import LONGEST, MOST, Entry, check, read_entries, stamp, write_entries
from rag.corpus.words import Words
from rag.errors import StorageError, UsageError

TEXT = "# 医保\n长护险 = 长期护理保险 # 2016年起试点\n\n定点机构\n"


def test_what_is_read_is_written_back_as_it_was(tmp_path: Path):
    path = tmp_path / "词典.txt"
    path.write_text(TEXT, encoding="utf-8-sig")
    found = read_entries(path)
    assert found == (
        Entry((), "医保"),
        Entry(("长护险", "长期护理保险"), "2016年起试点"),
        Entry(("定点机构",)),
    )
    write_entries(path, found, stamp(path))
    assert path.read_text(encoding="utf-8") == TEXT.replace("\n\n", "\n")
    assert "长护险" in Words(path).tokens("长期护理保险")


def test_a_new_lexicon_is_made_with_its_folder(tmp_path: Path):
    path = tmp_path / "library" / "词典.txt"
    assert read_entries(path) == ()
    write_entries(path, (Entry(("甲乙",)),), stamp(path))
    assert path.read_text(encoding="utf-8") == "甲乙\n"


def test_who_began_from_an_older_file_does_not_write_over_the_newer(tmp_path: Path):
    path = tmp_path / "词典.txt"
    old = stamp(path)
    write_entries(path, (Entry(("甲乙",)),), old)
    with pytest.raises(UsageError, match="被别人改过"):
        write_entries(path, (Entry(("丙丁",)),), old)
    assert path.read_text(encoding="utf-8") == "甲乙\n"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([Entry(("甲=乙",))], "第 1 行"),
        ([Entry(("好",)), Entry(("甲#",))], "第 2 行"),
        ([Entry(("字" * (LONGEST + 1),))], "超过 40 个字"),
        ([Entry(("——",))], "没有字"),
        ([Entry(("医保", "ABC")), Entry(("ａｂｃ",))], "第 1 行和第 2 行都有"),
        ([Entry((f"词{n}",)) for n in range(MOST + 1)], "最多 5000 行"),
    ],
)
def test_what_can_be_no_lexicon_is_told(entries: list[Entry], said: str):
    with pytest.raises(UsageError, match=said):
        check(entries)


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path):
    (tmp_path / "library").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="词典"):
        write_entries(tmp_path / "library" / "词典.txt", (), stamp(tmp_path / "没有"))

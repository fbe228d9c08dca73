"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.whole import swapped_in, write_text


def test_a_file_takes_the_place_of_the_one_before_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "名.txt"
    write_text(path, "旧")
    write_text(path, "新")
    assert path.read_text(encoding="utf-8") == "新"
    assert [p.name for p in tmp_path.iterdir()] == ["名.txt"]


def test_what_breaks_on_the_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "旧")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "新\ud800")

    def broken_off() -> None:
        with swapped_in(path) as new:
            new.write_text("半", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert path.read_text(encoding="utf-8") == "旧"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_place_that_can_not_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no"):
        write_text(tmp_path / "no" / "a.txt", "新")

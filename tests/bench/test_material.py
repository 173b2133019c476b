"""Recordings, references and silence."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from edgeasr.bench import Row, choose, dataset_clips, noise_floor, read_rows
from edgeasr.bench.material import read_clips, read_references
from edgeasr.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def write_tone(path: Path, seconds: float = 0.5) -> Path:
    soundfile.write(path, np.sin(np.arange(round(seconds * 16000)) / 5), 16000)
    return path


def test_a_reference_is_found_in_the_table_or_beside_the_file(tmp_path: Path) -> None:
    files = [write_tone(tmp_path / name) for name in ("a.wav", "b.wav", "c.flac", "d.wav")]
    (tmp_path / "b.wav.txt").write_text("beside b")
    (tmp_path / "c.txt").write_text("beside c")
    (tmp_path / "texts.tsv").write_text("file\tvoice\ttext\na.wav\tx\tof a\n")
    clips = read_clips(files, read_references(tmp_path / "texts.tsv"))
    assert [clip.reference for clip in clips] == ["of a", "beside b", "beside c", None]
    assert [clip.seconds for clip in clips] == [0.5] * 4


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "x.tsv"
    table.write_text("name\twords\na\tb\n")
    for read in (read_references, read_rows):
        with pytest.raises(UsageError, match="needs the columns"):
            read(table)
        with pytest.raises(UsageError, match="cannot be read"):
            read(tmp_path / "missing.tsv")


def make_rows() -> list[Row]:
    return [Row(f"{part}{n}", f"{part}-x.dev.tar", "s", 6.0, "hi") for part in ("a", "b") for n in range(50)]


def test_a_choice_of_minutes_is_spread_over_the_whole_table() -> None:
    chosen = choose(make_rows(), minutes=2)
    assert 110 <= sum(row.seconds for row in chosen) <= 130
    assert abs(sum(row.part == "a" for row in chosen) - len(chosen) / 2) <= 1
    assert choose(make_rows(), minutes=60) == make_rows()


def test_a_choice_of_parts_knows_which_there_are() -> None:
    assert {row.part for row in choose(make_rows(), parts=["b"])} == {"b"}
    with pytest.raises(UsageError, match="no part c; it has a, b"):
        choose(make_rows(), parts=["c"])


def test_recordings_come_out_of_tars_with_their_rows(tmp_path: Path) -> None:
    rows = [Row("u1", "x.tar", "s", 0.5, "one"), Row("u2", "x.tar", "s", 0.25, "two")]
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(write_tone(tmp_path / "u2.ogg", 0.25), "deep/u2.ogg")
        tar.add(write_tone(tmp_path / "u1.flac"), "u1.flac")
        tar.add(write_tone(tmp_path / "u3.flac"), "u3.flac")
    found = {row.id: clip for row, clip in dataset_clips(rows, tmp_path)}
    assert {name: clip.reference for name, clip in found.items()} == {"u1": "one", "u2": "two"}
    assert len(found["u1"].samples) == 8000
    with pytest.raises(UsageError, match="lacks u4"):
        list(dataset_clips([Row("u4", "x.tar", "s", 1.0, "")], tmp_path))
    with pytest.raises(UsageError, match=r"missing\.tar cannot be read"):
        list(dataset_clips([Row("u1", "missing.tar", "s", 1.0, "")], tmp_path))


def test_the_noise_floor_has_its_level_and_is_the_same_each_time() -> None:
    hiss = noise_floor(2.0, -60.0)
    level = 20 * np.log10(np.sqrt(np.mean(np.square(hiss / 32768))))
    assert level == pytest.approx(-60.0, abs=0.3)
    assert np.array_equal(hiss, noise_floor(2.0, -60.0))
    assert not np.array_equal(hiss, noise_floor(2.0, -60.0, seed=2))

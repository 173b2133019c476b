"""Two machines that hear differently must not pass for the same; the root folder itself is `make test-arm64`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tools.arm64 import root as root_module
from tools.arm64.comparison import Hearing, differences, numbers
from tools.arm64.root import Root

if TYPE_CHECKING:
    from pathlib import Path


def hearing(machine: str, raw: str, *, text: str | None = None, confidence: float = 0.9) -> Hearing:
    words = [{"word": word, "start": 0.0, "end": 0.1, "confidence": confidence} for word in raw.split()]
    line = {
        "file": "/srv/speech/one.flac",
        "raw": raw,
        "text": raw if text is None else text,
        "words": words,
        "audio_seconds": 4.0,
        "cpu_seconds": 1.0,
    }
    return Hearing.of(machine, json.dumps(line) + "\n", 2.0)


def test_the_same_words_are_no_difference() -> None:
    (found,) = differences(
        hearing("x86_64", "good morning"), hearing("aarch64", "good morning", confidence=0.8)
    )
    assert found.is_none
    assert (found.words, found.differing) == (2, 0)
    assert found.confidence == pytest.approx(0.1)


@pytest.mark.parametrize(
    "there",
    [
        hearing("aarch64", "good mourning"),
        hearing("aarch64", "good morning", text="Good morning."),
        hearing("aarch64", ""),
    ],
    ids=["another word", "another text", "nothing"],
)
def test_any_other_word_or_character_is_a_difference(there: Hearing) -> None:
    (found,) = differences(hearing("x86_64", "good morning"), there)
    assert not found.is_none


def test_speed_is_cpu_per_second_of_audio() -> None:
    assert hearing("aarch64", "good morning").rtf == 0.25


def test_numbers_tell_the_kernels_apart_from_the_front_end(tmp_path: Path) -> None:
    features = np.zeros((2, 9, 4), dtype=np.float32)
    rows = np.log(np.array([[0.7, 0.3], [0.6, 0.4], [0.9, 0.1]], dtype=np.float32))
    other = rows.copy()
    other[1] = np.log([0.4, 0.6])
    archive: dict[str, Any] = {"features 0": features, "rows 0": rows}
    np.savez(tmp_path / "here.npz", **archive)
    np.savez(tmp_path / "there.npz", **{"features 0": features + 0.5, "given 0": other, "rows 0": other})
    found = numbers(tmp_path / "here.npz", tmp_path / "there.npz")
    assert found.features == 0.5
    assert (found.count, found.likeliest) == (3, 1)
    assert found.differing == pytest.approx(1 / 3)
    assert found.rows == pytest.approx(np.log(0.6 / 0.4), abs=1e-6)


def test_programs_in_the_root_see_the_emulated_processor_and_nothing_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root_module, "is_native", lambda: False)
    monkeypatch.setenv("EDGEASR__DECODER__BEAM", "1")
    command = Root(tmp_path / "root").command("edgeasr", "models", cpu="cortex-a76")
    assert command[-2:] == ["edgeasr", "models"]
    assert command.count("QEMU_CPU=cortex-a76") == 2
    assert not any("EDGEASR__" in word for word in command)
    described = (tmp_path / "root.cortex-a76").read_text()
    assert "asimddp" in described
    assert "CPU part\t: 0xd0b" in described
    with pytest.raises(SystemExit, match="cortex-a9"):
        Root(tmp_path / "root").command("edgeasr", cpu="cortex-a9")


def test_the_compiler_works_only_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root_module, "is_native", lambda: True)
    root = Root(tmp_path / "root")
    assert any("usr/lib/gcc" in word.split() for word in root.command("edgeasr"))
    assert not any("usr/lib/gcc" in word.split() for word in root.command("pip", compiler=True))

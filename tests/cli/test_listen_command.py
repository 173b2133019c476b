from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from fake_pyaudio import BUILT_IN, FakePyAudio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Result

    Run = Callable[..., Result]

FAST = ("--set", "audio.realtime=false")


def test_a_file_is_heard_as_transcribe_hears_it(
    edgeasr: Run, copied_bundle: Path, speech: list[Path]
) -> None:
    heard = edgeasr("listen", "--file", speech[0], *FAST, "--bundle", copied_bundle)
    assert (heard.code, heard.err) == (0, "")
    assert heard.out
    assert heard.out == edgeasr("transcribe", speech[0], "--bundle", copied_bundle).out


@pytest.mark.parametrize("modules", [{"pyaudio": None}], ids=["no PyAudio"])
def test_without_pyaudio_the_package_is_named(
    edgeasr: Run, monkeypatch: pytest.MonkeyPatch, modules: dict[str, None]
) -> None:
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    result = edgeasr("listen")
    assert (result.code, result.out) == (1, "")
    assert "apt-get install python3-pyaudio" in result.sentence


def test_a_microphone_that_is_not_there_and_one_that_goes_away(
    edgeasr: Run, monkeypatch: pytest.MonkeyPatch, copied_bundle: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", FakePyAudio())
    result = edgeasr("listen", "--device", "Blue Yeti")
    assert result.code == 1
    assert 'no microphone matches "Blue Yeti"' in result.sentence
    monkeypatch.setitem(sys.modules, "pyaudio", FakePyAudio(unplug_after=1.0))
    result = edgeasr("listen", "--bundle", copied_bundle)
    assert result.code == 1
    assert "USB PnP" in result.sentence


def test_a_bad_file_is_one_sentence(edgeasr: Run, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no audio")
    result = edgeasr("listen", "--file", tmp_path / "a.wav")
    assert result.code == 1
    assert "is not audio" in result.sentence


def test_devices_are_listed_with_what_to_configure(edgeasr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", FakePyAudio())
    result = edgeasr("devices")
    assert (result.code, result.err) == (0, "")
    assert "USB PnP Sound Device: Audio (hw:1,0) (default)" in result.out
    assert "44100" in result.out
    assert str(BUILT_IN["name"]) not in result.out
    names = [device["name"] for device in json.loads(edgeasr("devices", "--json").out)]
    assert names == ["USB PnP Sound Device: Audio (hw:1,0)", "seeed-4mic: - (hw:3,0)"]


def test_no_device_is_one_sentence(edgeasr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", FakePyAudio([BUILT_IN]))
    result = edgeasr("devices")
    assert result.code == 1
    assert "there is no microphone: plug one in" in result.sentence

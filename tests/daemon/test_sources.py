"""A daemon as a process whose sources misbehave: they deliver nothing, or no sound, or stall, or are no audio."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import soundfile
from conftest import PATIENCE, wait_for
from fake_machine import SPOKEN, House

from edgeasr.mqtt import Kind
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from pathlib import Path

LISTENING, DEGRADED = ("listening", "cpu"), ("degraded", "cpu")
CPU = {"encoder.accelerator": "cpu"}


def told(house: House) -> list[str]:
    """The events about the microphone; a busy host brings others."""
    return [name for name in house.events() if name.startswith("microphone_")]


def why(house: House) -> str:
    return str(house.valid(Kind.STATE, SchemaName.STATE)[-1]["why"])


def test_a_driver_that_opens_and_delivers_nothing_is_not_back_until_it_does(house: House) -> None:
    house.plug_microphone()
    house.write_speech()
    house.start(**CPU)
    house.await_state(LISTENING)
    (pid,) = house.children("edgeasr-mic")
    (house.folder / "stalls").touch()
    house.await_state(DEGRADED)
    assert "delivered nothing" in why(house)
    seen = {pid}
    wait_for(lambda: seen.update(house.children("edgeasr-mic")) or len(seen) >= 4, "further attempts", 60.0)
    assert told(house) == ["microphone_lost"], "each attempt opened it, and none got a sample"
    (house.folder / "stalls").unlink()
    house.await_state(LISTENING)
    house.await_final()
    assert told(house)[:2] == ["microphone_lost", "microphone_back"]
    assert house.stop() == 0


def test_zeros_and_noise_are_told_with_the_mend_and_so_is_their_end(house: House) -> None:
    house.plug_microphone()
    delivers = house.folder / "delivers"
    house.start(**{**CPU, "audio.silent_after": 5.0, "audio.timeout": 10.0})
    house.await_state(LISTENING)
    cases = {
        "zeros": ("microphone_silent", "capture switch is probably off"),
        "noise": ("microphone_saturated", "take its gain back"),
    }
    expected: list[str] = []
    for kind, (event, mend) in cases.items():
        delivers.write_text(kind)
        house.await_state(DEGRADED)
        assert mend in why(house)
        assert "USB Fake" in why(house)
        delivers.write_text("sound")
        house.await_state(LISTENING)
        expected += [event, "microphone_audible"]
        wait_for(lambda want=tuple(expected): tuple(told(house)) == want, f"{expected}, not {told(house)}")
    assert house.stop() == 0


def test_files_that_cannot_be_read_are_skipped_and_the_others_are_heard(house: House) -> None:
    house.folder.mkdir(exist_ok=True)
    first, second = SPOKEN[2].path, SPOKEN[4].path
    cut = house.folder / "cut.flac"
    cut.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    garbage = house.folder / "garbage.wav"
    garbage.write_bytes(bytes(range(256)) * 40)
    (house.folder / "folder").mkdir()
    bad = [house.folder / "missing.wav", garbage, house.folder / "folder"]
    paths = [bad[0], first, *bad[1:], cut, second, bad[0]]
    house.start(
        **{**CPU, "audio.source": "file", "audio.paths": [str(path) for path in paths], "audio.gap": 1.2}
    )
    assert house.process is not None
    assert house.process.wait(60) == 0, (house.folder / "log").read_text()
    wait_for(lambda: house.states()[-1][0] == "stopping", "the last state")
    said = " ".join(one["raw"] for one in house.finals())
    assert "weather will be like tomorrow afternoon" in said
    assert said.endswith("behind the hills")
    assert said.count("i would like to know") == 2, "a file that is cut is heard as far as it goes"
    events = house.valid(Kind.EVENT, SchemaName.EVENT)
    skipped = [one["message"] for one in events if one["event"] == "file_skipped"]
    names = ["missing.wav", "garbage.wav", "folder", "cut.flac", "missing.wav"]
    assert [name in message for name, message in zip(names, skipped, strict=True)] == [True] * 5


def test_where_no_file_can_be_read_it_says_so_and_ends(house: House) -> None:
    house.start(**{**CPU, "audio.source": "file", "audio.paths": [str(house.folder / "missing.wav")]})
    assert house.process is not None
    assert house.process.wait(PATIENCE) == 1
    assert "missing.wav does not exist: check the path" in (house.folder / "log").read_text()


def pcm(path: Path) -> bytes:
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 16000
    return bytes(samples.tobytes()) + bytes(2 * 16000 * 2)


def test_a_pipe_whose_writer_stalls_is_waited_for(house: House) -> None:
    house.start(**{**CPU, "audio.source": "pcm", "audio.timeout": 0.5})
    assert house.process is not None
    assert house.process.stdin is not None
    data = pcm(SPOKEN[4].path)
    house.process.stdin.write(data)
    house.process.stdin.flush()
    wait_for(lambda: told(house) == ["microphone_lost"], "the stall")
    house.await_state(DEGRADED)
    assert "nothing arrived on standard input for 0.5 s" in why(house)
    wait_for(house.finals, "what was said before")
    time.sleep(1.0)
    before, again = len(house.finals()), time.time()
    house.process.stdin.write(data)
    house.process.stdin.flush()
    wait_for(lambda: "microphone_back" in house.events(), "its end")
    wait_for(lambda: len(house.finals()) > before, "what was said after")
    assert house.finals()[-1]["raw"].endswith("behind the hills")
    assert house.finals()[before]["end"] >= again - 2.6, (
        "two seconds of silence follow it, and no stall counts"
    )
    house.process.stdin.close()
    assert house.process.wait(PATIENCE) == 0


def test_a_microphone_that_comes_back_with_another_rate_and_other_channels(house: House) -> None:
    house.plug_microphone()
    house.write_speech()
    house.start(**CPU)
    house.await_state(LISTENING)
    house.unplug_microphone()
    house.await_state(DEGRADED)
    (house.folder / "rates").write_text("32000")
    (house.folder / "channels").write_text("6")
    (house.folder / "layout").write_text("zeros zeros sound sound zeros zeros")
    house.write_speech(32000)
    before = len(house.finals())
    house.plug_microphone()
    house.await_state(LISTENING)
    wait_for(
        lambda: any("for your help" in one["raw"] for one in house.finals()[before:]), "the clause", 40.0
    )
    assert "channel 3 of 6 is heard" in (house.folder / "log").read_text()
    assert house.stop() == 0


def test_it_hears_the_channel_that_is_named(house: House) -> None:
    house.plug_microphone()
    house.write_speech()
    (house.folder / "channels").write_text("2")
    (house.folder / "layout").write_text("sound zeros")
    house.start(**{**CPU, "audio.channel": "2", "audio.silent_after": 5.0})
    wait_for(lambda: "microphone_silent" in house.events(), "the silence of the channel")
    assert not house.finals()
    assert house.stop() == 0
    house.start(**{**CPU, "audio.channel": "5"})
    assert house.process is not None
    assert house.process.wait(PATIENCE) == 1
    assert (
        "has 2 channels and none with number 5: correct audio.channel" in (house.folder / "log").read_text()
    )

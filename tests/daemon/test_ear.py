"""Closing and opening the stream: microphone, files and pipes."""

from __future__ import annotations

import fcntl
import os
import termios
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from conftest import wait_for

from edgeasr.capture import PcmSource
from edgeasr.daemon import capture, ear
from edgeasr.daemon.clock import StreamClock
from edgeasr.daemon.ear import Ear
from edgeasr.daemon.mute import MuteFile
from edgeasr.errors import DeviceError, SourceLostError
from edgeasr.settings import Audio, AudioSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = 160


@dataclass
class Microphone:
    """Delivers ones until it is closed."""

    name: str = "microphone"
    overflows: int = 3
    closed: bool = False

    def read(self, out: np.ndarray) -> int:
        out[:] = 1
        return 0 if self.closed else len(out)

    def close(self) -> None:
        self.closed = True


@dataclass
class Told:
    lost: list[str] = field(default_factory=list)
    back: int = 0

    def on_back(self) -> None:
        self.back += 1


def make_ear(audio: Audio, told: Told | None = None) -> Ear:
    told = told or Told()
    return Ear(audio, BLOCK, StreamClock(), told.lost.append, told.on_back)


def everything(of: Ear) -> list[int]:
    heard: list[int] = []
    block = np.zeros(BLOCK, dtype=np.int16)
    while count := of.read(block, 0.0):
        heard += block[:count].tolist()
    return heard


def test_a_closed_ear_has_let_go_of_the_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Microphone] = []

    def open_stream(_audio: Audio, *_how: object) -> Microphone:
        made.append(Microphone())
        return made[-1]

    monkeypatch.setattr(capture, "open_stream", open_stream)
    one = make_ear(Audio())
    one.open()
    wait_for(lambda: one.waiting)
    one.close()
    assert [source.closed for source in made] == [True]
    assert everything(one)
    assert not one.waiting
    assert not one.ended
    one.open(patient=True)
    wait_for(lambda: one.waiting)
    assert [source.closed for source in made] == [True, False]
    assert one.overflows == 6
    one.close(for_good=True)
    assert made[1].closed


def test_unmuting_waits_for_a_microphone_that_was_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    is_there = False

    def open_stream(_audio: Audio, *_how: object) -> Microphone:
        if not is_there:
            raise DeviceError("there is no microphone; plug one in")
        return Microphone()

    monkeypatch.setattr(capture, "open_stream", open_stream)
    monkeypatch.setattr(capture, "_RETRY_SECONDS", 0.01)
    told = Told()
    one = make_ear(Audio(), told)
    with pytest.raises(DeviceError):
        one.open()
    one.open(patient=True)
    wait_for(lambda: told.lost, "the loss")
    wait_for(lambda: one.attempts > 3, "further attempts")
    assert told.lost == ["there is no microphone; plug one in"], "told once"
    assert one.is_lost
    is_there = True
    wait_for(lambda: one.waiting)
    assert told.back == 1
    one.close(for_good=True)


def test_a_lost_microphone_is_tried_for_six_times_and_then_when_the_cards_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = 0

    def open_stream(_audio: Audio, *_how: object) -> Microphone:
        nonlocal opened
        opened += 1
        raise DeviceError("there is no microphone; plug one in")

    monkeypatch.setattr(capture, "open_stream", open_stream)
    monkeypatch.setattr(capture, "_RETRY_SECONDS", 0.002)
    monkeypatch.setattr(capture, "_LONGEST_PAUSE", 1000.0)
    monkeypatch.setattr("edgeasr.worker.budget.FIRST_PAUSE", 1000.0)
    cards = tmp_path / "proc/asound/cards"
    cards.parent.mkdir(parents=True)
    cards.write_text("--- no soundcards ---\n")
    one = Ear(Audio(), BLOCK, StreamClock(), lambda _why: None, lambda: None, root=tmp_path)
    one.open(patient=True)
    wait_for(lambda: one.attempts > 30)
    assert opened == 6
    assert one.is_lost
    cards.write_text(" 1 [Fake           ]: USB-Audio - USB Fake\n")
    wait_for(lambda: opened > 6, "an attempt with the new card")
    one.close(for_good=True)


def test_a_card_that_comes_during_an_attempt_leaves_no_pause_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = tmp_path / "proc/asound/cards"
    cards.parent.mkdir(parents=True)
    cards.write_text("--- no soundcards ---\n")
    opened = 0

    class Dying(Microphone):
        def read(self, out: np.ndarray) -> int:
            del out
            raise SourceLostError("its process was killed")

    def open_stream(_audio: Audio, *_how: object) -> Microphone:
        nonlocal opened
        opened += 1
        if opened <= 6:
            raise DeviceError("there is no microphone; plug one in")
        if opened == 7:
            cards.write_text(" 1 [Fake           ]: USB-Audio - USB Fake\n")
            monkeypatch.setattr("edgeasr.worker.budget.FIRST_PAUSE", 1000.0)
            return Dying()
        return Microphone()

    monkeypatch.setattr(capture, "open_stream", open_stream)
    monkeypatch.setattr(capture, "_RETRY_SECONDS", 0.002)
    monkeypatch.setattr(capture, "_LONGEST_PAUSE", 1000.0)
    monkeypatch.setattr("edgeasr.worker.budget.FIRST_PAUSE", 0.02)
    one = Ear(Audio(), BLOCK, StreamClock(), lambda _why: None, lambda: None, root=tmp_path)
    one.open(patient=True)
    wait_for(lambda: opened == 8, "another microphone at once")
    wait_for(lambda: one.waiting)
    one.close(for_good=True)


def test_files_go_on_where_they_were(tmp_path: Path) -> None:
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    samples = np.arange(16000, dtype=np.int16)
    for path, first in zip(paths, (0, 8000), strict=True):
        soundfile.write(path, samples[first : first + 8000], 16000)
    one = make_ear(Audio(source=AudioSource.FILE, paths=tuple(paths), gap=0.0, realtime=True, buffer=5.0))
    heard: list[int] = []
    for _ in range(3):
        one.open()
        wait_for(lambda: one.waiting > 1600)
        one.close()
        heard += everything(one)
    one.open()
    wait_for(lambda: one.waiting + len(heard) == 16000)
    heard += everything(one)
    wait_for(lambda: one.ended)
    one.close(for_good=True)
    assert heard == samples.tolist()


@dataclass
class Pipe:
    reading: int
    writing: int

    def write(self, data: bytes) -> None:
        os.write(self.writing, data)

    def is_empty(self) -> bool:
        waiting = array("i", [0])
        fcntl.ioctl(self.reading, termios.FIONREAD, waiting)
        return waiting[0] == 0


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    for module in (capture, ear):
        monkeypatch.setattr(
            module, "open_stream", lambda _audio, *_how: PcmSource(made.reading, timeout=30.0)
        )
    yield made
    os.close(made.reading)


def pcm(value: int, count: int) -> bytes:
    return np.full(count, value, dtype="<i2").tobytes()


def test_what_a_pipe_delivers_while_muted_is_thrown_away(pipe: Pipe) -> None:
    one = make_ear(Audio(source=AudioSource.PCM))
    one.open()
    pipe.write(pcm(1, BLOCK))
    wait_for(lambda: one.waiting)
    one.close()
    assert set(everything(one)) == {1}
    for _ in range(8):  # more than a pipe holds, so that somebody has to read
        pipe.write(pcm(2, 8000))
    pipe.write(pcm(4, 1)[:1])  # half a sample, whose other half comes later
    wait_for(pipe.is_empty)
    one.open()
    pipe.write(pcm(4, 1)[1:] + pcm(3, 4 * BLOCK))
    wait_for(lambda: one.waiting >= 4 * BLOCK)
    assert everything(one) == [4] + [3] * (4 * BLOCK - 1)
    os.close(pipe.writing)
    one.close(for_good=True)


def test_a_pipe_that_ends_while_muted_ends_the_stream(pipe: Pipe) -> None:
    one = make_ear(Audio(source=AudioSource.PCM))
    one.close()
    pipe.write(pcm(2, BLOCK))
    os.close(pipe.writing)
    wait_for(lambda: one.ended)
    assert everything(one) == []
    one.close(for_good=True)


def test_mute_is_kept_whole_and_private(tmp_path: Path) -> None:
    file = MuteFile(tmp_path)
    assert not file.load()
    assert file.save(muted=True) is None
    assert MuteFile(tmp_path).load()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.save(muted=False) is None
    assert not MuteFile(tmp_path).load()
    assert [path.name for path in tmp_path.iterdir()] == ["mute"]


@pytest.mark.parametrize("content", [b"", b"\x00" * 4096, b"MAYBE", b"OFFOFFOFFOFFOFFOFFOFF"])
def test_a_damaged_mute_file_keeps_the_microphone_closed(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mute").write_bytes(content)
    assert MuteFile(tmp_path).load()
    assert "send OFF to mute/set" in caplog.text


def test_a_disk_that_refuses_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mute.new").mkdir()
    told = MuteFile(tmp_path).save(muted=True)
    assert told is not None
    assert "check the disk" in told

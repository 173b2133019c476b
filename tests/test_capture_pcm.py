from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeasr.capture import PcmSource
from edgeasr.errors import AudioFormatError, SourceLostError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[dict[str, int]]:
    reading, writing = os.pipe()
    ends = {"read": reading, "write": writing}
    yield ends
    for descriptor in ends.values():
        os.close(descriptor)


def hang_up(pipe: dict[str, int]) -> None:
    os.close(pipe.pop("write"))


def test_odd_pieces_come_out_as_the_samples_that_went_in(pipe: dict[str, int]) -> None:
    samples = np.arange(-3000, 3000, dtype="<i2")
    data = samples.tobytes()

    def feed() -> None:
        for start in range(0, len(data), 333):
            os.write(pipe["write"], data[start : start + 333])
        hang_up(pipe)

    feeder = threading.Thread(target=feed)
    feeder.start()
    source, out, parts = PcmSource(pipe["read"]), np.zeros(1440, dtype=np.int16), []
    while count := source.read(out):
        parts.append(out[:count].copy())
    feeder.join()
    assert np.array_equal(np.concatenate(parts), samples)


def test_half_a_sample_at_the_end_is_dropped(pipe: dict[str, int]) -> None:
    os.write(pipe["write"], b"\x01\x00\x02\x00\x03")
    hang_up(pipe)
    out = np.zeros(10, dtype=np.int16)
    assert PcmSource(pipe["read"]).read(out) == 2
    assert out[:2].tolist() == [1, 2]


def test_stereo_at_another_rate_is_converted(pipe: dict[str, int]) -> None:
    os.write(pipe["write"], np.full(2 * 4800, 1000, dtype="<i2").tobytes())
    hang_up(pipe)
    out = np.zeros(4000, dtype=np.int16)
    assert PcmSource(pipe["read"], rate=48_000, channels=2).read(out) == pytest.approx(1600, abs=2)
    assert abs(out[800] - 1000) <= 1


def test_a_feeder_that_stalls_is_a_lost_source(pipe: dict[str, int]) -> None:
    os.write(pipe["write"], b"\x01\x00")
    with pytest.raises(SourceLostError, match=r"nothing arrived .* check the program"):
        PcmSource(pipe["read"], timeout=0.05).read(np.zeros(10, dtype=np.int16))


@pytest.mark.parametrize("magic", [b"RIFF", b"fLaC", b"OggS"])
def test_a_file_with_a_header_is_refused_with_the_mend(pipe: dict[str, int], magic: bytes) -> None:
    os.write(pipe["write"], magic + bytes(100))
    with pytest.raises(AudioFormatError, match=r"not raw PCM: .*ffmpeg"):
        PcmSource(pipe["read"]).read(np.zeros(10, dtype=np.int16))


def test_a_terminal_is_refused() -> None:
    master, slave = os.openpty()
    try:
        with pytest.raises(UsageError, match="arecord"):
            PcmSource(slave)
    finally:
        os.close(master)
        os.close(slave)


def test_closing_ends_a_waiting_read(pipe: dict[str, int]) -> None:
    source = PcmSource(pipe["read"], timeout=60.0)
    timer = threading.Timer(0.05, source.close)
    timer.start()
    assert source.read(np.zeros(10, dtype=np.int16)) == 0
    timer.join()

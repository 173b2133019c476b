from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeasr.capture import Ring

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.int16]


def ramp(count: int, start: int = 0) -> Samples:
    return np.arange(start, start + count, dtype=np.int16)


@given(st.integers(1, 50), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=30))
def test_what_comes_out_is_what_went_in_less_what_was_counted_as_dropped(
    capacity: int, steps: list[tuple[int, int]]
) -> None:
    ring, sent, received, accepted = Ring(capacity), 0, [], []
    for write, read in steps:
        samples = ramp(write, sent)
        fitted = ring.write(samples)
        accepted.extend(samples[:fitted])
        sent += write
        out = np.zeros(read, dtype=np.int16)
        received.extend(out[: ring.read(out, timeout=0.0)])
    assert received == accepted[: len(received)]
    assert len(accepted) - len(received) == ring.available
    assert ring.dropped == sent - len(accepted)


def test_read_returns_what_there_is_when_the_time_is_up() -> None:
    ring, out = Ring(100), np.zeros(10, dtype=np.int16)
    ring.write(ramp(4))
    assert ring.read(out, timeout=0.01) == 4
    assert out[:4].tolist() == [0, 1, 2, 3]


def test_read_longer_than_the_ring_is_served_by_a_writer_that_goes_on() -> None:
    ring, out = Ring(64), np.zeros(1000, dtype=np.int16)
    sent = 0
    reader = threading.Thread(target=ring.read, args=(out, 5.0))
    reader.start()
    while sent < 1000 and reader.is_alive():
        sent += ring.write(ramp(min(50, 1000 - sent), sent))
    reader.join(5.0)
    assert out.tolist() == list(range(1000))


def test_close_wakes_a_waiting_reader_and_leaves_the_rest_readable() -> None:
    ring, out = Ring(100), np.zeros(10, dtype=np.int16)
    ring.write(ramp(3))
    timer = threading.Timer(0.05, ring.close)
    timer.start()
    assert ring.read(out, timeout=30.0) == 3
    assert ring.read(out, timeout=30.0) == 0
    assert ring.write(ramp(3)) == 0
    timer.join()


def test_a_ring_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Ring(0)


def test_the_reader_stops_at_a_gap_until_it_has_passed_it() -> None:
    ring, out = Ring(100), np.zeros(50, dtype=np.int16)
    ring.write(np.arange(30, dtype=np.int16))
    ring.mark_gap()
    ring.mark_gap()
    ring.write(np.arange(30, 60, dtype=np.int16))
    assert not ring.at_gap
    assert ring.read(out, 10.0) == 30, "at once, though fifty were asked for"
    assert ring.read(out, 10.0) == 0
    assert ring.at_gap
    assert ring.pass_gap()
    assert not ring.pass_gap()
    assert ring.read(out[:30], 0.0) == 30
    assert out[:30].tolist() == list(range(30, 60))


def test_a_gap_wakes_a_reader_that_waits() -> None:
    ring, out = Ring(100), np.zeros(50, dtype=np.int16)
    ring.write(np.zeros(20, dtype=np.int16))
    marker = threading.Timer(0.05, ring.mark_gap)
    marker.start()
    assert ring.read(out, 60.0) == 20
    marker.join()
    assert ring.at_gap


def test_of_too_many_gaps_the_newest_count() -> None:
    ring, out = Ring(1000), np.zeros(1000, dtype=np.int16)
    for _ in range(500):
        ring.write(np.zeros(2, dtype=np.int16))
        ring.mark_gap()
    read = 0
    while read < 1000:
        read += ring.read(out, 0.0)
        ring.pass_gap()
    assert read == 1000

"""When frames were captured, as the capturing process tells it to the daemon."""

from __future__ import annotations

import mmap

import pytest

from edgeasr.capture.timeline import BYTES, REMEMBERED, TimelineReader, TimelineWriter

RATE = 48_000
BLOCK = 960


class Stream:
    """A card and the two ends of its timeline; `at` is the time of a frame by a clock that never fails."""

    def __init__(self, drift: float = 0.0, now: float = 1e5) -> None:
        memory = mmap.mmap(-1, BYTES)
        self.writer, self.reader = TimelineWriter(memory, RATE), TimelineReader(memory)
        self.now, self.seconds = now, BLOCK / RATE * (1 + drift)
        self.passed = 0
        self.times: list[float] = []

    def block(self, *, late: float = 0.0, has_room: bool = True) -> None:
        self.now += self.seconds
        self.writer.arrived(BLOCK, self.now + late)
        if has_room:
            self.writer.passed(BLOCK)
            self.passed += BLOCK
            self.times.append(self.now)
        else:
            self.writer.missed(BLOCK)

    def error(self, blocks: int) -> float:
        """By how much the time of the last frame of so many blocks is wrong."""
        return self.reader.captured_at(blocks * BLOCK, RATE) - self.times[blocks - 1]


@pytest.mark.parametrize("drift", [2e-4, -2e-4], ids=["slow", "fast"])
def test_hours_of_a_card_that_is_slow_or_fast_move_no_time(drift: float) -> None:
    stream = Stream(drift)
    worst = 0.0
    for number in range(1, 6 * 3600 * 50 // 10):  # six hours, in blocks of a fifth of a second
        stream.now += 0.2 * (1 + drift)
        stream.writer.arrived(RATE // 5, stream.now + 0.03 * (number % 7))
        stream.writer.passed(RATE // 5)
        worst = max(worst, abs(stream.reader.captured_at(number * RATE // 5, RATE) - stream.now))
    assert worst < 0.035
    assert not stream.reader.pass_gaps(1e12)


def test_a_hole_is_a_gap_at_its_frame_and_both_sides_have_their_times() -> None:
    stream = Stream()
    for _ in range(100):
        stream.block()
    stream.now += 25.0
    for _ in range(100):
        stream.block()
    assert not stream.reader.pass_gaps(100 * BLOCK), "before the gap"
    assert stream.error(50) == pytest.approx(0.0, abs=1e-6)
    assert stream.error(100) == pytest.approx(0.0, abs=1e-6)
    assert stream.reader.pass_gaps(101 * BLOCK), "the first block behind it"
    assert not stream.reader.pass_gaps(150 * BLOCK), "told once"
    assert stream.error(101) == pytest.approx(0.0, abs=1e-6)
    assert stream.error(200) == pytest.approx(0.0, abs=1e-6)


def test_frames_without_room_are_a_gap_counted_and_move_no_time() -> None:
    stream = Stream()
    for _ in range(100):
        stream.block()
    for _ in range(70):
        stream.block(has_room=False)
    for _ in range(10):
        stream.block()
    assert (stream.reader.lost, stream.reader.refusals) == (70 * BLOCK, 1)
    assert stream.error(100) == pytest.approx(0.0, abs=1e-6)
    assert stream.reader.pass_gaps(101 * BLOCK)
    assert stream.error(105) == pytest.approx(0.0, abs=1e-6)
    stream.block(has_room=False)
    stream.block()
    assert stream.reader.refusals == 2
    assert stream.reader.pass_gaps(111 * BLOCK)
    assert stream.error(111) == pytest.approx(0.0, abs=1e-6)


def test_blocks_that_come_late_in_a_bunch_are_no_gap() -> None:
    stream = Stream()
    for number in range(500):
        stream.block(late=0.2 if number % 10 < 8 else 0.0)
    assert not stream.reader.pass_gaps(1e12)
    assert stream.error(500) == pytest.approx(0.0, abs=1e-6)


def test_many_small_losses_that_nobody_tells_move_times_for_seconds_only() -> None:
    stream = Stream()
    for number in range(3000):
        stream.block()
        if number % 10 == 9 and number < 2500:
            stream.now += stream.seconds  # a block that the card lost
        assert abs(stream.error(number + 1)) < 0.5
    assert stream.error(3000) == pytest.approx(0.0, abs=1e-6)


def test_more_gaps_than_are_remembered_lose_none_of_the_later_times() -> None:
    stream = Stream()
    for _ in range(3 * REMEMBERED):
        stream.block()
        stream.now += 1.0
    assert stream.reader.pass_gaps(3 * REMEMBERED * BLOCK)
    assert stream.error(3 * REMEMBERED) == pytest.approx(0.0, abs=1e-6)
    assert not stream.reader.pass_gaps(1e12)

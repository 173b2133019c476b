from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeasr.frontend import Gate, GateConfig, GateState

HOP_SECONDS = 0.09


def run(gate: Gate, speech: list[bool]) -> tuple[list[int], list[int], list[int], list[GateState]]:
    """Hops that passed, hops at which a stretch opened (its first block) and closed, and all states."""
    passed, opened, closed, states = [], [], [], []
    for index, active in enumerate(speech):
        blocks = gate.process(np.full((9, 64), index, dtype=np.float32), speech=active)
        assert [block.shape for block in blocks] == [(9, 64)] * len(blocks)
        if len(blocks):
            assert gate.hop == blocks[0, 0, 0]
        if gate.opened:
            opened.append(int(blocks[0, 0, 0]))
        if gate.closed:
            closed.append(index)
        passed.extend(int(block[0, 0]) for block in blocks)
        states.append(gate.state)
    return passed, opened, closed, states


def gate(pre_roll: int = 3, hang_over: int = 4, *, enabled: bool = True) -> Gate:
    return Gate(GateConfig(enabled, pre_roll * HOP_SECONDS - 0.01, hang_over * HOP_SECONDS - 0.01))


def test_speech_passes_with_what_came_before_and_after() -> None:
    passed, opened, closed, states = run(gate(), [False] * 10 + [True] * 5 + [False] * 10)
    assert passed == list(range(7, 19))
    assert (opened, closed) == ([7], [19])
    assert states[9:20] == [GateState.IDLE] + [GateState.OPEN] * 5 + [GateState.CLOSING] * 4 + [
        GateState.IDLE
    ]


def test_a_pause_shorter_than_the_hang_over_does_not_close() -> None:
    passed, opened, closed, _ = run(gate(), [True, False, False, False, False, True] + [False] * 5)
    assert passed == list(range(10))
    assert (opened, closed) == ([0], [10])


def test_pre_roll_at_the_start_is_what_there_is() -> None:
    assert run(gate(), [False, True])[0] == [0, 1]


def test_pre_roll_never_repeats_what_has_passed() -> None:
    passed, opened, _, _ = run(gate(), [True] + [False] * 6 + [True])
    assert passed == [0, 1, 2, 3, 4, 5, 6, 7]
    assert opened == [0, 5]


def test_switched_off_everything_passes_as_one_stretch() -> None:
    passed, opened, closed, _ = run(gate(enabled=False), [False] * 20)
    assert (passed, opened, closed) == (list(range(20)), [0], [])


@pytest.mark.parametrize("seconds", [0.0, 0.4])
def test_pre_roll_covers_its_duration(seconds: float) -> None:
    passed, _, _, _ = run(Gate(GateConfig(pre_roll=seconds)), [False] * 30 + [True])
    assert seconds <= (len(passed) - 1) * HOP_SECONDS < seconds + HOP_SECONDS


def test_reset_forgets_the_stream() -> None:
    one = gate()
    run(one, [False] * 5 + [True] * 3)
    one.reset()
    assert one.state is GateState.IDLE
    assert run(one, [False, True])[0] == [0, 1]


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 6), st.integers(1, 6))
def test_speech_always_passes_once_and_in_order(speech: list[bool], pre_roll: int, hang_over: int) -> None:
    passed, opened, closed, _ = run(gate(pre_roll, hang_over), speech)
    assert passed == sorted(set(passed))
    assert {index for index, active in enumerate(speech) if active} <= set(passed)
    assert len(opened) - len(closed) in (0, 1)
    for index, active in enumerate(speech):
        if active:
            assert set(range(max(0, index - pre_roll), index)) <= set(passed)

from __future__ import annotations

from edgeasr.worker import RestartBudget
from edgeasr.worker.budget import LONGEST_PAUSE


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_five_in_a_minute_are_free_and_then_the_pauses_double_to_a_limit() -> None:
    clock = Clock()
    budget = RestartBudget(clock)
    pauses = []
    for _ in range(14):
        pauses.append(budget.spend())
        clock.now += pauses[-1] + 1.0
    assert pauses == [0.0] * 5 + [5.0, 10.0, 20.0, 40.0, 80.0, 160.0] + [LONGEST_PAUSE] * 3


def test_one_now_and_then_never_waits() -> None:
    clock = Clock()
    budget = RestartBudget(clock)
    for _ in range(100):
        assert budget.spend() == 0.0
        clock.now += 13.0


def test_a_minute_of_calm_beyond_the_pause_forgives() -> None:
    clock = Clock()
    budget = RestartBudget(clock)
    for _ in range(7):
        pause = budget.spend()
    assert budget.is_exhausted
    clock.now += pause + 61.0
    assert budget.spend() == 0.0
    assert not budget.is_exhausted


def test_new_hardware_does_not_wait_for_the_old_one_s_pause() -> None:
    budget = RestartBudget(Clock())
    for _ in range(9):
        budget.spend()
    budget.renew()
    assert budget.spend() == 0.0

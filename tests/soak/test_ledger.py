"""The soak's count has to find what it looks for: losses, repetitions, twins, disorder, sentences that nobody heard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tools.soak.faults import FAULTS
from tools.soak.growth import slope
from tools.soak.lane import Mark
from tools.soak.ledger import Books, count
from tools.soak.notes import Sample
from tools.soak.room import Sentence, Stretch
from tools.soak.service import Life

UNIX = 1.7e9
YEARS = 3.0e8


def heard(
    name: str, start: float, *, at: float | None = None, offset: float = 0.0
) -> tuple[float, dict[str, Any], bool]:
    """A final of two seconds that came a second later, unless another time is given."""
    session, _, number = name.rpartition("-")
    times = {key: at_ + UNIX + offset for key, at_ in (("start", start), ("end", start + 2.0))}
    payload = {"id": name, "session": session, "seq": int(number), "text": "good morning", **times}
    return (start + 3.0 if at is None else at, payload, False)


def books(*finals: tuple[float, dict[str, Any], bool], **changes: Any) -> Books:
    """Accounts of a daemon that ran from 0 to 1000 and told of all these finals."""
    made = Books(
        told=[(final["id"], at) for at, final, _ in finals],
        logged=[final["id"] for _, final, _ in finals],
        waiting=(),
        finals=finals,
        spoken=[Sentence("one", 10.0, 12.0), Sentence("two", 20.0, 22.0)],
        stretches=[Stretch(0.0, 1000.0)],
        lives=[Life(pid=1, began=0.0, ready=1.0, ended=1000.0, code=0)],
        marks=(),
        offsets={0.0},
        unix=UNIX,
    )
    return replace(made, **changes)


def test_a_run_in_which_all_went_well() -> None:
    found = count(books(heard("a-000001", 10.0), heard("a-000002", 20.0)))
    assert found.is_clean
    assert (found.expected, found.received, found.repeated, found.stray) == (2, 2, 0, 0)
    assert (found.spoken, found.undisturbed, found.heard) == (2, 2, 2)
    assert [one.latency for one in found.finals] == pytest.approx([1.0, 1.0], abs=1e-6)


@pytest.mark.parametrize("account", ["told", "logged"])
def test_a_final_that_any_account_knows_and_nobody_got_is_lost(account: str) -> None:
    known = {"told": [("a-000003", 33.0)], "logged": ["a-000003"]}[account]
    found = count(books(heard("a-000001", 10.0), heard("a-000002", 20.0), **{account: known}))
    assert found.lost == ("a-000003",)
    assert not found.is_clean


def test_a_gap_in_the_numbers_of_a_session_is_a_loss_even_if_no_account_knows_of_it() -> None:
    found = count(books(heard("a-000001", 10.0), heard("a-000003", 20.0)))
    assert found.lost == ("a-000002",)


def test_what_still_waits_in_the_outbox_is_not_lost_but_told() -> None:
    found = count(books(heard("a-000001", 10.0), heard("a-000002", 20.0), waiting=["a-000003"]))
    assert (found.lost, found.waiting, found.expected) == ((), 1, 3)
    assert not found.is_clean


def test_a_final_got_right_before_a_kill_need_not_be_in_the_log() -> None:
    first, second = heard("a-000001", 10.0), heard("a-000002", 20.0)
    found = count(books(first, second, told=[("a-000001", 13.0)], logged=["a-000001"]))
    assert (found.unannounced, found.is_clean) == (1, True)


def test_the_same_id_twice_is_counted_and_allowed() -> None:
    first, second = heard("a-000001", 10.0), heard("a-000002", 20.0)
    found = count(books(first, second, heard("a-000001", 10.0, at=40.0)))
    assert (found.received, found.repeated, found.is_clean) == (2, 1, True)


def test_the_same_audio_under_two_ids_is_found() -> None:
    found = count(books(heard("a-000001", 10.0), heard("b-000001", 11.0), heard("b-000002", 20.0)))
    assert found.twins == (("a-000001", "b-000001"),)
    assert not found.is_clean


def test_disorder_within_and_between_sessions_is_found() -> None:
    within = count(books(heard("a-000002", 20.0), heard("a-000001", 10.0)))
    assert within.disordered == ("a-000001",)
    told = [("a-000001", 12.0), ("b-000001", 22.0)]
    between = count(books(heard("b-000001", 20.0), heard("a-000001", 10.0, at=30.0), told=told))
    assert between.disordered == ("a-000001",)


def test_times_are_understood_whatever_clock_the_daemon_had() -> None:
    finals = heard("a-000001", 10.0, offset=YEARS), heard("a-000002", 20.0, offset=-YEARS)
    found = count(books(*finals, offsets={0.0, YEARS, -YEARS}))
    assert [one.latency for one in found.finals] == pytest.approx([1.0, 1.0], abs=1e-6)
    assert found.heard == 2


def test_an_undisturbed_sentence_without_a_final_is_missed() -> None:
    found = count(books(heard("a-000001", 10.0)))
    assert len(found.missed) == 1
    assert found.missed[0].startswith("two")
    assert not found.is_clean


@pytest.mark.parametrize(
    "disturbance",
    [
        {"stretches": [Stretch(0.0, 21.0), Stretch(21.5, 1000.0)]},
        {"lives": [Life(1, 0.0, ready=1.0, ended=21.0, code=-9), Life(2, 23.0, ready=24.0, ended=1000.0)]},
        {"lives": [Life(1, 0.0, ready=1.0, asked=21.0, ended=23.0, code=0)]},
        {"marks": [Mark(next(one for one in FAULTS if one.name == "daemon hangs"), 5.0, 5.0, 25.0)]},
    ],
    ids=["microphone", "killed", "asked to stop", "hangs"],
)
def test_what_could_not_be_heard_is_not_missed(disturbance: dict[str, Any]) -> None:
    found = count(books(heard("a-000001", 10.0), **disturbance))
    assert found.missed == ()
    assert found.undisturbed < 2


def test_a_fault_that_may_cost_no_audio_excuses_no_missed_sentence() -> None:
    harmless = next(one for one in FAULTS if one.name == "encoder process hung")
    found = count(books(heard("a-000001", 10.0), marks=[Mark(harmless, 19.0, 19.0, 25.0)]))
    assert len(found.missed) == 1


def grow(life: int, begin: float, level: float, rate: float, **others: float) -> list[Sample]:
    """Ten minutes of one run of the daemon."""
    times = [begin + 2.0 * number for number in range(300)]
    values = [level + rate * (at - begin) / 3600.0 for at in times]
    return [
        Sample(at, life, {"edgeasr": value, **others}, value, None)
        for at, value in zip(times, values, strict=True)
    ]


def test_growth_is_the_slope_within_lives_whatever_their_levels() -> None:
    samples = [*grow(0, 0.0, 150.0, 12.0), *grow(1, 700.0, 180.0, 12.0, mic=9.0)]
    assert slope(samples, lambda one: one.total) == pytest.approx(12.0, abs=1e-6)
    assert slope(samples[:20], lambda one: one.total) is None

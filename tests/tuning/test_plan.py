from __future__ import annotations

import pytest

from edgeasr.errors import ConfigError
from edgeasr.settings import Tuning, load
from edgeasr.tuning import Plan, parse_cores


@pytest.mark.parametrize(
    ("cores", "capture", "encoder", "decoder", "rest"),
    [
        ([0], (), (), (), ()),
        ([0, 1], (0,), (0,), (1,), (0,)),
        ([0, 1, 2], (0,), (1,), (2,), (0, 1)),
        ([0, 1, 2, 3], (1,), (2,), (3,), (0, 1, 2)),
        ([4, 5, 6, 7, 9], (5,), (6,), (7,), (4, 5, 6, 9)),
    ],
    ids=["one", "two", "three", "four", "those_that_it_may_use"],
)
def test_cores_are_dealt_out_by_their_number(
    cores: list[int],
    capture: tuple[int, ...],
    encoder: tuple[int, ...],
    decoder: tuple[int, ...],
    rest: tuple[int, ...],
) -> None:
    plan = Plan.of(Tuning(), cores)
    dealt = [plan.capture.cores, plan.encoder.cores, plan.decoder.cores, plan.rest.cores]
    assert dealt == [capture, encoder, decoder, rest]


def test_only_capture_and_the_encoder_s_process_are_real_time_and_bounded() -> None:
    plan = Plan.of(Tuning(realtime_priority=30, realtime_bound=0.5), [0, 1, 2, 3])
    assert [part.priority for part in (plan.capture, plan.encoder, plan.decoder, plan.rest)] == [30, 29, 0, 0]
    assert plan.capture.bound == plan.encoder.bound == 0.5
    off = Plan.of(Tuning(realtime_priority=0), [0, 1])
    assert (off.capture.priority, off.encoder.priority) == (0, 0)


def test_the_settings_have_the_last_word_on_cores() -> None:
    plan = Plan.of(Tuning(decoder_cores="0,2-3"), [0, 1, 2, 3])
    assert plan.decoder.cores == (0, 2, 3)
    assert plan.rest.cores == (1,)
    free = Plan.of(Tuning(pin=False, capture_cores="2"), [0, 1, 2, 3])
    assert (free.capture.cores, free.encoder.cores, free.decoder.cores) == ((2,), (), ())


def test_a_list_of_cores_is_written_as_the_kernel_does() -> None:
    assert parse_cores("7, 0-2") == (0, 1, 2, 7)
    assert parse_cores(None) == ()
    for text in ("first", "1-", "-2", "1,,2", "0;1"):
        with pytest.raises(ConfigError, match="list of cores such as"):
            load(files=[], environ={}, values={"tuning.capture_cores": text})

"""Names of configurations and the settings they stand for."""

from __future__ import annotations

import pytest

from edgeasr.bench.configuration import EVERYTHING, configurations
from edgeasr.errors import ConfigError, UsageError
from edgeasr.settings import DecoderMode, Settings


def settings_of(name: str, *flags: str) -> Settings:
    (configuration,) = configurations([name], flags)
    return configuration.settings(())


def test_presets_numbers_and_settings_can_be_combined() -> None:
    found = settings_of("greedy+no-vad+hop-3+threads-2+decoder.lm_weight=1.25")
    assert found.decoder.mode is DecoderMode.GREEDY
    assert not found.vad.enabled
    assert (found.encoder.hops_per_step, found.encoder.threads) == (3, 2)
    assert found.decoder.lm_weight == 1.25


def test_a_configuration_wins_over_what_holds_for_all() -> None:
    assert settings_of("beam-80", "decoder.beam=20").decoder.beam == 80
    assert settings_of("greedy", "decoder.beam=20").decoder.beam == 20


def test_all_stands_for_one_of_each_kind_without_repetition() -> None:
    assert tuple(one.name for one in configurations(["beam", "all"])) == EVERYTHING


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean greedy"):
        configurations(["gredy"])
    with pytest.raises(UsageError, match=r"section\.key=value"):
        configurations(["beam+xyzzy"])


def test_a_wrong_setting_is_the_settings_error() -> None:
    with pytest.raises(ConfigError, match="did you mean"):
        settings_of("decoder.bean=3")

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from edgeasr.decoder import ConfidenceModel, Endpointer, EndpointRules, EndReason, Evidence, Hypothesis, Word
from edgeasr.decoder.confidence import acoustic_evidence, log_shares
from edgeasr.errors import BundleError, ConfigError


@pytest.mark.parametrize(
    ("elapsed", "silence", "spoken", "reason"),
    [
        (1.0, 1.0, False, None),
        (2.37, 2.37, False, None),
        (2.4, 2.4, False, EndReason.NO_SPEECH),
        (5.0, 1.2, False, None),
        (5.0, 0.5, True, None),
        (5.0, 0.03 * 27, True, EndReason.SILENCE),
        (5.0, 0.1 + 0.7, True, EndReason.SILENCE),
        (19.9, 0.0, True, None),
        (20.0, 0.0, True, EndReason.LENGTH),
        (20.0, 20.0, False, EndReason.LENGTH),
    ],
)
def test_default_rules(elapsed: float, silence: float, spoken: bool, reason: EndReason | None) -> None:
    assert Endpointer().check(elapsed=elapsed, trailing_silence=silence, spoken=spoken) is reason


def test_rules_are_settings() -> None:
    quick = Endpointer(EndpointRules(no_speech=1.0, after_speech=0.3, max_utterance=5.0))
    assert quick.check(elapsed=2.0, trailing_silence=0.3, spoken=True) is EndReason.SILENCE
    assert quick.check(elapsed=1.0, trailing_silence=1.0, spoken=False) is EndReason.NO_SPEECH
    assert quick.check(elapsed=5.0, trailing_silence=0.0, spoken=True) is EndReason.LENGTH


@pytest.mark.parametrize("field", ["no_speech", "after_speech", "max_utterance"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_impossible_rules_are_refused(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=field):
        EndpointRules(**{field: value})


def test_worse_evidence_never_raises_confidence() -> None:
    model = ConfidenceModel()
    good = Evidence(0.0, 0.0)
    (best,) = model.confidences([good])
    assert best > 0.9
    for worse in ({"phones": -2}, {"sharpness": -2}, {"agreement": -2}, {"language": -5}, {"onward": -5}):
        (chance,) = model.confidences([replace(good, **worse)])
        assert 0 < chance < best
    assert model.confidences([Evidence(-1000, -1000, -1000)]) == [0.0]
    assert model.confidences([]) == []


def test_a_word_among_doubtful_ones_is_less_sure() -> None:
    model = ConfidenceModel()
    good, bad = Evidence(-0.5, -0.5), Evidence(-3.0, -2.0, -1.0)
    assert model.confidences([good, bad])[0] < model.confidences([good, good])[0]


def test_what_sounds_like_no_speech_lowers_every_confidence() -> None:
    surely = ConfidenceModel(speech_bias=30.0)
    hardly = ConfidenceModel(speech_bias=-1.0, speech_words=0.0)
    words = [Evidence(-0.2, -0.2), Evidence(-0.1, -0.1)]
    for sure, doubtful in zip(surely.confidences(words), hardly.confidences(words), strict=True):
        assert doubtful < 0.3 < sure


def test_bundle_coefficients_replace_the_defaults() -> None:
    flat = ConfidenceModel.from_mapping(
        dict.fromkeys((item.name for item in fields(ConfidenceModel)), 0) | {"speech_bias": 30}
    )
    assert flat.confidences([Evidence(-3, -3, -3)]) == [0.5]
    assert ConfidenceModel.from_mapping({}) == ConfidenceModel()


@pytest.mark.parametrize("values", [{"slope": 1.0}, {"bias": "high"}, {"phones": True}])
def test_wrong_coefficients_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(BundleError, match=r"model\.toml has confidence\."):
        ConfidenceModel.from_mapping(values)


def test_evidence_measures_phones_sharpness_and_pace() -> None:
    probabilities = np.array([[0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.5, 0.1, 0.4]])
    rows = np.log(probabilities).astype(np.float32)
    evidence = acoustic_evidence(rows, np.array([1, 0, 2]), 0.03)
    assert evidence.phones == pytest.approx((math.log(0.8) + math.log(0.4)) / 2, abs=1e-5)
    assert evidence.sharpness == pytest.approx((probabilities * np.log(probabilities)).sum() / 3, abs=1e-5)
    assert evidence.pace == pytest.approx(math.log(2 / 0.09))
    assert acoustic_evidence(rows, np.array([0, 0, 0]), 0.03).phones == 0.0


def test_shares_of_equal_hypotheses_are_equal() -> None:
    assert log_shares([-5000.0, -5000.0], 1.0).tolist() == [0.5, 0.5]


def test_hypothesis_sums_up_its_words() -> None:
    hypothesis = Hypothesis((Word("red", 0, 1, 0.8), Word("light", 1, 2, 0.6)))
    assert hypothesis.text == "red light"
    assert hypothesis.confidence == pytest.approx(0.7)
    assert Hypothesis().confidence == 0


def test_a_long_utterance_ends_at_a_breath_before_the_limit_cuts_a_word() -> None:
    endpointer = Endpointer(EndpointRules(max_utterance=20.0))
    assert endpointer.check(elapsed=14.0, trailing_silence=0.4, spoken=True) is None
    assert endpointer.check(elapsed=16.0, trailing_silence=0.1, spoken=True) is None
    assert endpointer.check(elapsed=16.0, trailing_silence=0.4, spoken=True) is EndReason.LENGTH

"""Cached log-probabilities decode as the pipeline does, and fitted confidences are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeasr.bench import Clip, read_samples
from edgeasr.bundle import locate, verify_checksums, write_checksums
from edgeasr.decoder import BeamDecoder
from edgeasr.pipeline import build_recogniser
from edgeasr.settings import load
from tools.hearing import stream
from tools.tune.cache import Recorder, Utterance
from tools.tune.calibration import _headline, plot_beside_card
from tools.tune.confidence import Words, describe, fit
from tools.tune.search import Decoding, Point, changed, words

SPEECH = Path(__file__).parents[2] / "edgeasr" / "demo" / "speech"


def test_cached_segments_give_the_words_of_the_pipeline() -> None:
    settings = load(files=(), environ={}, flags=["decoder.least_confidence=0", "decoder.beam=12"]).settings
    bundle = locate(settings.encoder.bundle)
    clip = Clip(
        "x", np.concatenate([read_samples(SPEECH / name) for name in ("03_weather.flac", "05_walk.flac")])
    )
    recorder = Recorder(0.03)
    stream(build_recogniser(settings, bundle, decoder=recorder), (clip.samples,))
    point = Point.of(settings, bundle)
    decoder = Decoding(settings, bundle).decoder(point)
    assert isinstance(decoder, BeamDecoder)
    utterance = Utterance("x", "part", "speaker", "", clip.seconds, tuple(recorder.segments))
    cached = [word for word, _ in words(decoder, utterance)]
    heard = stream(build_recogniser(settings, bundle, decoder=decoder), (clip.samples,))
    assert cached
    assert tuple(cached) == heard.words
    assert heard.seconds == pytest.approx(clip.seconds)


def test_changes_of_a_point_keep_whole_numbers_whole() -> None:
    point = changed(Point(2.0, 0.0, 0.0, 50, 10, 25.0), {"beam": 80.0, "lm_weight": 1})
    assert (point.beam, point.lm_weight, type(point.beam)) == (80, 1.0, int)


def test_fitted_confidences_hold_on_words_they_have_not_seen() -> None:
    generator = np.random.default_rng(5)

    def sample(count: int) -> Words:
        evidence = -generator.exponential([0.8, 0.5, 0.3], (count, 3))
        logit = 3.0 + 1.5 * evidence[:, 0] + 2.0 * evidence[:, 2]
        return Words(evidence, generator.random(count) < 1 / (1 + np.exp(-logit)))

    coefficients, _ = fit(sample(6000))
    report = describe(coefficients, sample(6000))
    assert coefficients["phones"] == pytest.approx(1.5, abs=0.3)
    assert coefficients["gap"] < 0.3
    assert report["error"] < 0.03
    assert report["sure_right"] > 0.9


@pytest.mark.parametrize(
    ("sure", "words", "marked"),
    [(0.995, 400, "400 words, 50% above 0.9"), (0.6, 400, "none above 0.9"), (0.5, 0, "0 words, none")],
)
def test_the_calibration_is_drawn_beside_the_card_and_the_checksums_hold(
    sure: float, words: int, marked: str, tmp_path: Path
) -> None:
    (tmp_path / "MODEL_CARD.md").write_text("# A model\n")
    write_checksums(tmp_path)
    half = words // 2
    evidence = np.zeros((words, 3))
    evidence[:half, 0] = np.log(sure / (1 - sure))
    report = describe(
        {"bias": 0.0, "phones": 1.0, "gap": 0.0, "agreement": 0.0}, Words(evidence, np.arange(words) < half)
    )
    path = plot_beside_card(report, tmp_path)
    assert path == tmp_path / "calibration.png"
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    assert marked in _headline(report)
    verify_checksums(tmp_path, ("calibration.png", "MODEL_CARD.md"))


def test_evidence_that_misleads_gets_no_say() -> None:
    evidence = -np.linspace(0, 3, 200)[:, None] * np.ones(3)
    coefficients, _ = fit(Words(evidence, evidence[:, 0] < -1.5))
    assert [coefficients[name] for name in ("phones", "gap", "agreement")] == [0.0, 0.0, 0.0]

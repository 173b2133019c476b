"""Cached log-probabilities decode as the pipeline does, and fitted confidences are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeasr.bench import Clip, read_samples
from edgeasr.bundle import locate, verify_checksums, write_checksums
from edgeasr.decoder import BeamDecoder, Evidence
from edgeasr.pipeline import build_recogniser
from edgeasr.settings import load
from tools.hearing import stream
from tools.tune.cache import Recorder, Utterance
from tools.tune.calibration import _headline, plot_beside_card
from tools.tune.confidence import Final, describe, fit
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
    cached = words(decoder, utterance)
    heard = stream(build_recogniser(settings, bundle, decoder=decoder), (clip.samples,))
    assert cached
    assert tuple(cached) == heard.words
    assert heard.seconds == pytest.approx(clip.seconds)


def test_changes_of_a_point_keep_whole_numbers_whole() -> None:
    point = changed(Point(2.0, 0.0, 0.0, 50, 10, 25.0), {"beam": 80.0, "lm_weight": 1})
    assert (point.beam, point.lm_weight, type(point.beam)) == (80, 1.0, int)


def spoken(generator: np.random.Generator, count: int) -> list[Final]:
    """Make utterances of four words whose chance of being right follows from phones and language alone."""
    out = []
    for _ in range(count):
        phones, sharpness, language = -generator.exponential([[0.8], [0.5], [1.5]], (3, 4))
        chances = 1 / (1 + np.exp(-(4.0 + 1.5 * phones + 0.8 * language)))
        words = zip(phones, sharpness, language, strict=True)
        evidence = tuple(Evidence(p, s, 0.0, language=w, onward=-2.0) for p, s, w in words)
        out.append(Final(evidence, tuple((generator.random(4) < chances).tolist())))
    return out


def test_fitted_confidences_hold_on_words_they_have_not_seen() -> None:
    generator = np.random.default_rng(5)
    coefficients, _ = fit(spoken(generator, 2000))
    report = describe(coefficients, spoken(generator, 2000))
    assert coefficients["phones"] == pytest.approx(1.5, abs=0.3)
    assert coefficients["language"] == pytest.approx(0.8, abs=0.2)
    assert coefficients["sharpness"] < 0.3
    assert report["error"] < 0.03
    assert report["sure_right"] > 0.9


def test_noise_that_sounds_like_no_speech_is_held_back() -> None:
    generator = np.random.default_rng(6)

    def noise(count: int) -> list[Final]:
        rows = -generator.exponential(2.5, count)
        return [
            Final((Evidence(p, p / 2, -1.5, language=-3.0),), (False,), is_noise=True) for p in rows - 1.0
        ]

    coefficients, _ = fit([*spoken(generator, 500), *noise(60)])
    held = describe(coefficients, [*spoken(generator, 500), *noise(200)], 0.2)["held"]
    assert held["noise_words"] == 200
    assert held["noise_words_published"] < 20
    assert held["right_words"] < 20


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
    flat = dict.fromkeys(("bias", "sharpness", "language", "onward", "all_phones", "all_agreement"), 0.0)
    certain = Final((Evidence(float(np.log(sure / (1 - sure))), 0.0),), (True,))
    doubtful = Final((Evidence(0.0, 0.0),), (False,))
    coefficients = {**flat, "phones": 1.0, "speech_bias": 30.0}
    report = describe(coefficients, [certain] * half + [doubtful] * half)
    path = plot_beside_card(report, tmp_path)
    assert path == tmp_path / "calibration.png"
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    assert marked in _headline(report)
    verify_checksums(tmp_path, ("calibration.png", "MODEL_CARD.md"))


def test_evidence_that_misleads_gets_no_say() -> None:
    finals = [Final((Evidence(x, x, x, x, x, x),), (x < -1.5,)) for x in -np.linspace(0, 3, 200)]
    coefficients, _ = fit(finals)
    assert {value for name, value in coefficients.items() if name != "bias"} == {0.0}

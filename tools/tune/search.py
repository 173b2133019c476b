"""Decoder parameters tried on cached log-probabilities."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.progress import track

from edgeasr.bench import ErrorCount, count_errors
from edgeasr.pipeline import load_decoder
from edgeasr.settings import DecoderMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edgeasr.bundle import Bundle
    from edgeasr.decoder import BeamDecoder, Evidence
    from edgeasr.settings import Settings
    from tools.tune.cache import Utterance


@dataclass(frozen=True, slots=True)
class Point:
    """One choice of the decoder's parameters."""

    lm_weight: float
    word_score: float
    blank_penalty: float
    beam: int
    tokens: int
    threshold: float
    rescorer_share: float = 0.0
    goes_on: float = 0.0
    is_greedy: bool = False

    @classmethod
    def of(cls, settings: Settings, bundle: Bundle) -> Point:
        """Return what the settings and the bundle ask for."""
        wanted, info = settings.decoder, bundle.manifest.decoder
        return cls(
            info.lm_weight if wanted.lm_weight is None else wanted.lm_weight,
            info.word_score if wanted.word_score is None else wanted.word_score,
            info.blank_penalty,
            wanted.beam,
            wanted.beam_tokens,
            wanted.beam_threshold,
            info.rescorer_share,
            info.goes_on,
            wanted.mode is DecoderMode.GREEDY,
        )


@dataclass(frozen=True, slots=True)
class Score:
    """Word errors by part and in all, and CPU seconds of the decoder per second of audio."""

    point: Point
    parts: Mapping[str, ErrorCount]
    cpu: float

    @property
    def errors(self) -> ErrorCount:
        """Errors of all parts together."""
        return sum(self.parts.values(), ErrorCount())


class Decoding:
    """Makes decoders as the daemon does, with other parameters, and runs them over utterances."""

    def __init__(self, settings: Settings, bundle: Bundle) -> None:
        self._settings, self._bundle = settings, bundle

    def decoder(self, point: Point, confidence: Mapping[str, float] | None = None) -> BeamDecoder:
        """Return a decoder with these parameters and confidence coefficients."""
        manifest = self._bundle.manifest
        tuned = replace(
            manifest.decoder,
            lm_weight=point.lm_weight,
            word_score=point.word_score,
            blank_penalty=point.blank_penalty,
            rescorer_share=point.rescorer_share,
            goes_on=point.goes_on,
        )
        coefficients = {**manifest.confidence, **(confidence or {})}
        bundle = replace(self._bundle, manifest=replace(manifest, decoder=tuned, confidence=coefficients))
        wanted = replace(
            self._settings.decoder,
            lm_weight=None,
            word_score=None,
            mode=DecoderMode.GREEDY if point.is_greedy else DecoderMode.BEAM,
            beam=point.beam,
            beam_tokens=point.tokens,
            beam_threshold=point.threshold,
        )
        return load_decoder(replace(self._settings, decoder=wanted), bundle)

    def score(self, point: Point, utterances: Iterable[Utterance]) -> Score:
        """Count the errors of one point."""
        decoder = self.decoder(point)
        parts: dict[str, ErrorCount] = {}
        seconds, began = 0.0, time.process_time()
        for utterance in utterances:
            heard = " ".join(words(decoder, utterance))
            errors = count_errors(utterance.text, heard)
            parts[utterance.part] = parts.get(utterance.part, ErrorCount()) + errors
            seconds += utterance.seconds
        return Score(point, parts, (time.process_time() - began) / max(seconds, 1e-9))


def finals(decoder: BeamDecoder, utterance: Utterance) -> list[tuple[list[str], tuple[Evidence, ...]]]:
    """Decode an utterance's segments, each to its words and what their confidences rest on."""
    found = []
    for number, segment in enumerate(utterance.segments):
        decoder.begin(goes_on=number > 0)
        decoder.step(segment)
        texts = [word.text for word in decoder.finish().words]
        found.append((texts, decoder.evidence))
    return found


def words(decoder: BeamDecoder, utterance: Utterance) -> list[str]:
    """Decode an utterance to words."""
    return [word for texts, _ in finals(decoder, utterance) for word in texts]


class Sweep:
    """Tries points in several processes and remembers all it tried."""

    def __init__(self, decoding: Decoding, utterances: Sequence[Utterance], processes: int) -> None:
        self.scores: dict[Point, Score] = {}
        self._pool = multiprocessing.get_context("spawn").Pool(
            processes, _start, (decoding, tuple(utterances))
        )

    def close(self) -> None:
        """End the processes."""
        self._pool.terminate()

    def best(self) -> Score:
        """Return the point with the fewest errors, the cheaper one of equals."""
        return min(self.scores.values(), key=lambda score: (score.errors.errors, score.cpu))

    def grid(self, start: Point, choices: Mapping[str, Sequence[float]]) -> None:
        """Try all combinations."""
        combined = itertools.product(*choices.values())
        self.try_points([changed(start, dict(zip(choices, values, strict=True))) for values in combined])

    def coordinates(self, start: Point, choices: Mapping[str, Sequence[float]], rounds: int) -> None:
        """Try one parameter after the other around the best so far; stop where a round changes nothing."""
        self.try_points([start])
        for _ in range(rounds):
            before = self.best().point
            for name, values in choices.items():
                self.try_points([changed(self.best().point, {name: value}) for value in values])
            if self.best().point == before:
                return

    def try_points(self, points: Iterable[Point]) -> None:
        """Score what was not scored before."""
        fresh = [point for point in dict.fromkeys(points) if point not in self.scores]
        outcomes = self._pool.imap_unordered(_score, fresh)
        for score in track(outcomes, "decoding", total=len(fresh), transient=True):
            self.scores[score.point] = score


def changed(point: Point, values: Mapping[str, float]) -> Point:
    """Return the point with some parameters replaced; whole numbers stay whole."""
    kept: dict[str, Any] = {name: type(getattr(point, name))(value) for name, value in values.items()}
    return replace(point, **kept)


_state: dict[str, Any] = {}


def _start(decoding: Decoding, utterances: tuple[Utterance, ...]) -> None:
    _state["decoding"], _state["utterances"] = decoding, utterances


def _score(point: Point) -> Score:
    score: Score = _state["decoding"].score(point, _state["utterances"])
    return score

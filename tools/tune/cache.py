"""What the encoder says of each utterance, kept, so that decoders can be compared without running it again."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import track

from edgeasr.bench import Clip, dataset_clips, noise_floor, read_samples
from edgeasr.decoder import Hypothesis
from edgeasr.errors import AudioFormatError
from edgeasr.frontend import FRAME_SAMPLES, SAMPLE_RATE
from edgeasr.pipeline import build_recogniser
from tools.hearing import stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgeasr.bench import Row
    from edgeasr.bundle import Bundle
    from edgeasr.settings import Settings

_GAP_SECONDS = 1.5
_LIKELY = np.float32(np.log(0.5))


@dataclass(frozen=True, slots=True)
class Utterance:
    """A row of the data set and its segments: log-probabilities float32 [steps, units], as endpoints cut them."""

    id: str
    part: str
    speaker: str
    text: str
    seconds: float
    segments: tuple[NDArray[np.float32], ...]

    @property
    def is_for_fitting(self) -> bool:
        """Tell on which half of the speakers it is: the one to fit on, or the one to report on."""
        return zlib.crc32(self.speaker.encode()) % 2 == 0


class Recorder:
    """A decoder that finds no words and keeps what it is given; it cuts where the real ones would."""

    def __init__(self, step_seconds: float) -> None:
        self.segments: list[NDArray[np.float32]] = []
        self._step_seconds = step_seconds
        self.begin()

    def begin(self, *, goes_on: bool = False) -> None:  # noqa: ARG002 - as the real ones
        """Start a segment."""
        self._rows: list[NDArray[np.float32]] = []
        self._blanks = 0

    def step(self, log_probs: NDArray[np.float32]) -> None:
        """Keep rows."""
        self._rows.append(log_probs.copy())
        spoken = np.flatnonzero(log_probs[:, 0] < _LIKELY)
        self._blanks = len(log_probs) - 1 - int(spoken[-1]) if len(spoken) else self._blanks + len(log_probs)

    def partial(self) -> Hypothesis:
        """Return no words."""
        return Hypothesis()

    def finish(self) -> Hypothesis:
        """End the segment."""
        if self._rows:
            self.segments.append(np.concatenate(self._rows))
        self.begin()
        return Hypothesis()

    @property
    def trailing_silence(self) -> float:
        """Seconds since the last step on which something other than blank was likely."""
        return self._blanks * self._step_seconds


def load_utterances(
    path: Path, settings: Settings, bundle: Bundle, rows: Sequence[Row], tars: Path
) -> list[Utterance]:
    """Return the rows' log-probabilities, from `path` where it holds these rows of this bundle, else made anew."""
    blanks = {row.id: Utterance(row.id, row.part, row.speaker, row.text, row.seconds, ()) for row in rows}
    clips = (clip for _, clip in dataset_clips(rows, tars))
    return _kept(path, settings, bundle, blanks, clips)


def load_sounds(path: Path, settings: Settings, bundle: Bundle, files: Sequence[Path]) -> list[Utterance]:
    """Return those of sounds without speech: each by itself, and each over another one.

    What they were cut from takes a speaker's place.
    """
    sounds: dict[str, NDArray[np.int16]] = {}
    for file in files:
        with contextlib.suppress(AudioFormatError):
            sounds[file.stem] = read_samples(file)
    sources = {name: name.rpartition("-")[0] or name for name in sounds}
    pairs = {f"{one}+": (one, other) for one, other in zip(sounds, _turned(list(sounds)), strict=True)}
    blanks = {
        name: Utterance(name, "noise", sources[name.removesuffix("+")], "", 0.0, ())
        for name in (*sounds, *pairs)
    }
    alone = (Clip(name, samples) for name, samples in sounds.items())
    mixed = (Clip(name, _over(sounds[one], sounds[other])) for name, (one, other) in pairs.items())
    floor = noise_floor(_GAP_SECONDS)
    clips = (Clip(c.name, np.concatenate((c.samples, floor))) for c in itertools.chain(alone, mixed))
    return _kept(path, settings, bundle, blanks, clips)


def _turned(names: list[str]) -> list[str]:
    """Put each name in the place of one that lies far from it."""
    return names[len(names) // 3 :] + names[: len(names) // 3]


def _over(one: NDArray[np.int16], other: NDArray[np.int16]) -> NDArray[np.int16]:
    both = np.resize(other, one.shape).astype(np.int32) + one
    return np.clip(both, -32768, 32767).astype(np.int16)


def _kept(
    path: Path, settings: Settings, bundle: Bundle, blanks: Mapping[str, Utterance], clips: Iterable[Clip]
) -> list[Utterance]:
    key, ids = _key(settings, bundle, list(blanks)), list(blanks)
    if path.exists():
        with np.load(path) as saved:
            if str(saved["key"]) == key:
                return _unpack(blanks, saved["order"], saved["owners"], saved["lengths"], saved["log_probs"])
    order, segments = _encode(settings, bundle, ids, clips)
    owners = [place for place, parts in enumerate(segments) for _ in parts]
    flat = [segment for parts in segments for segment in parts]
    units = bundle.manifest.encoder.units
    log_probs = np.concatenate(flat) if flat else np.zeros((0, units), np.float32)
    packed: dict[str, Any] = {
        "key": np.array(key),
        "order": np.array(order, np.int32),
        "owners": np.array(owners, np.int32),
        "lengths": np.array([len(segment) for segment in flat], np.int32),
        "log_probs": log_probs.astype(np.float16),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **packed)
    return _unpack(blanks, packed["order"], packed["owners"], packed["lengths"], packed["log_probs"])


def _key(settings: Settings, bundle: Bundle, ids: Sequence[str]) -> str:
    graph = bundle.file(bundle.manifest.encoder.file).read_bytes()
    digest = hashlib.sha256(graph)
    for part in (settings.vad, settings.endpoint, bundle.manifest.normaliser, ids):
        digest.update(repr(part).encode())
    return digest.hexdigest()


def _encode(
    settings: Settings, bundle: Bundle, ids: Sequence[str], clips: Iterable[Clip]
) -> tuple[list[int], list[list[NDArray[np.float32]]]]:
    recorder = Recorder(bundle.manifest.encoder.stride * FRAME_SAMPLES / SAMPLE_RATE)
    recogniser = build_recogniser(settings, bundle, decoder=recorder)
    places = {name: place for place, name in enumerate(ids)}
    order, segments = [], []
    for clip in track(clips, "encoding", total=len(ids)):
        recorder.segments = []
        stream(recogniser, (clip.samples,))
        order.append(places[clip.name])
        segments.append(recorder.segments)
    return order, segments


def _unpack(
    blanks: Mapping[str, Utterance],
    order: Iterable[int],
    owners: NDArray[np.int32],
    lengths: NDArray[np.int32],
    log_probs: NDArray[np.float16],
) -> list[Utterance]:
    pieces = np.split(log_probs, np.cumsum(lengths)[:-1]) if len(lengths) else []
    mine: dict[int, list[NDArray[np.float32]]] = {}
    for owner, piece in zip(owners.tolist(), pieces, strict=True):
        mine.setdefault(owner, []).append(piece.astype(np.float32))
    ids = list(blanks)
    return [
        replace(blanks[ids[number]], segments=tuple(mine.get(place, ())))
        for place, number in enumerate(order)
    ]

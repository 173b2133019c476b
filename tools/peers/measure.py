"""Recognisers beside each other on the same recordings: word errors, CPU, memory, when the first words are there.

Each runs alone in a process of its own, on one thread. Streaming is what it takes to have text while somebody speaks:
edgeasr streams by itself; Whisper decodes all that was said so far again each second, as people do with it.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import statistics
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from rich.progress import Progress

from edgeasr.bench import ErrorCount, count_errors, dataset_clips
from edgeasr.bench.memory import resident
from edgeasr.bundle import locate
from edgeasr.errors import RuntimeMissingError, UsageError
from edgeasr.frontend import SAMPLE_RATE
from edgeasr.pipeline import DeferredDecoder, Final, Partial, build_recogniser, load_decoder
from edgeasr.settings import load
from tools.lm.figures import read_out
from tools.peers.whisper import INSTALL, NAMES, Whisper, find

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edgeasr.bench import Row

HEAD = ("", "WER", "CPU s / s", "streaming CPU s / s", "first words (s)", "PSS (MiB)")
PEERS = (*(f"whisper {name}" for name in NAMES), "pocketsphinx")
_STEP = SAMPLE_RATE  # samples from one decoding of the growing recording to the next
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recogniser made of a recording.

    `cpu`: seconds for the whole at once. `streaming`: while it is spoken. `first`: seconds from its beginning until
    words are there, were it spoken now. Both are None for one that does not stream.
    """

    text: str
    cpu: float
    streaming: float | None
    first: float | None


class Peer(Protocol):
    """A recogniser that can be measured."""

    def hear(self, samples: NDArray[np.int16]) -> Answer:
        """Recognise a recording, int16 at 16 kHz."""


@dataclass(slots=True)
class Measured:
    """Sums over recordings; `pss`: mebibytes at the end, None where the system does not tell."""

    name: str
    parts: dict[str, ErrorCount] = field(default_factory=dict)
    seconds: float = 0.0
    cpu: float = 0.0
    streaming: float | None = 0.0
    firsts: list[float] = field(default_factory=list)
    pss: float | None = None

    @property
    def errors(self) -> ErrorCount:
        """Errors of all parts together."""
        return sum(self.parts.values(), ErrorCount())

    def add(self, part: str, reference: str, seconds: float, answer: Answer) -> None:
        """Count one recording; figures that a recogniser writes count as words."""
        errors = count_errors(reference, read_out(answer.text))
        self.parts[part] = self.parts.get(part, ErrorCount()) + errors
        self.seconds += seconds
        self.cpu += answer.cpu
        if answer.streaming is None or self.streaming is None:
            self.streaming = None
        else:
            self.streaming += answer.streaming
        if answer.first is not None:
            self.firsts.append(answer.first)

    def cells(self, parts: Sequence[str]) -> list[str]:
        """Return its row of a table: its name, the parts' word error rates, and what `HEAD` lists."""
        length = max(self.seconds, 1e-9)
        each = [f"{100 * (self.parts.get(part, ErrorCount()).rate or 0):.1f} %" for part in parts]
        return [
            self.name,
            *each,
            f"{100 * (self.errors.rate or 0):.1f} %",
            f"{self.cpu / length:.3f}",
            "-" if self.streaming is None else f"{self.streaming / length:.3f}",
            f"{statistics.median(self.firsts):.2f}" if self.firsts else "-",
            "-" if self.pss is None else f"{self.pss:.0f}",
        ]


class Watch:
    """CPU seconds, and the time at which words are there if the recording is spoken now."""

    def __init__(self) -> None:
        self.cpu, self.last = 0.0, 0.0
        self.first: float | None = None
        self._free_at = 0.0

    def begin(self, spoken: float) -> None:
        """Start to work on what was said until `spoken` seconds."""
        self._free_at = max(self._free_at, spoken)
        self._began, self._began_cpu = time.perf_counter(), time.process_time()

    def end(self, *, has_words: bool) -> None:
        """Stop; tell whether there are words now."""
        self.last = time.process_time() - self._began_cpu
        self.cpu += self.last
        self._free_at += time.perf_counter() - self._began
        if has_words and self.first is None:
            self.first = self._free_at


class Growing:
    """Whisper over a growing recording."""

    def __init__(self, name: str, cache: Path) -> None:
        self._whisper = Whisper(name, cache=cache)

    def hear(self, samples: NDArray[np.int16]) -> Answer:
        """Decode what there is each second, at last the whole."""
        watch, text = Watch(), ""
        for until in [*range(_STEP, len(samples), _STEP), len(samples)]:
            watch.begin(until / SAMPLE_RATE)
            text = " ".join(segment.text for segment in self._whisper.hear(samples[:until]))
            watch.end(has_words=bool(text))
        return Answer(text, watch.last, watch.cpu, watch.first)


class Own:
    """edgeasr, hop by hop."""

    def __init__(self, flags: Sequence[str]) -> None:
        settings = load(files=(), flags=flags).settings
        bundle = locate(settings.encoder.bundle, search=settings.encoder.search)
        decoder = DeferredDecoder(lambda: load_decoder(settings, bundle), bundle.manifest.encoder.units)
        decoder.wait()
        self._recogniser = build_recogniser(settings, bundle, decoder=decoder)

    def hear(self, samples: NDArray[np.int16]) -> Answer:
        """Stream it."""
        watch, hop, words = Watch(), self._recogniser.hop_samples, list[str]()
        whole = len(samples) // hop * hop
        for first in range(0, whole, hop):
            watch.begin((first + hop) / SAMPLE_RATE)
            updates = self._recogniser.accept(samples[first : first + hop])
            words += [word.text for update in updates if isinstance(update, Final) for word in update.words]
            watch.end(has_words=any(isinstance(u, Partial | Final) and u.words for u in updates))
        watch.begin(len(samples) / SAMPLE_RATE)
        updates = self._recogniser.finish(samples[whole:])
        words += [word.text for update in updates if isinstance(update, Final) for word in update.words]
        watch.end(has_words=bool(words))
        return Answer(" ".join(words), watch.cpu, watch.cpu, watch.first)


class Sphinx:
    """pocketsphinx with the English model that it brings; each recording as a whole."""

    def __init__(self) -> None:
        library = importlib.import_module("pocketsphinx")
        self._decoder = library.Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")

    def hear(self, samples: NDArray[np.int16]) -> Answer:
        """Recognise it."""
        began = time.process_time()
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        best = self._decoder.hyp()
        return Answer(best.hypstr if best else "", time.process_time() - began, None, None)


def check(cache: Path, names: Sequence[str] = PEERS) -> None:
    """Raise RuntimeMissingError where one of them lacks a package, UsageError where a name is unknown."""
    for name in names:
        if name not in PEERS:
            raise UsageError(f"{name} is unknown; name some of: {', '.join(PEERS)}")
        if name == "pocketsphinx":
            if find_spec("pocketsphinx") is None:
                raise RuntimeMissingError(f"pocketsphinx is not installed; run: {INSTALL}")
            continue
        if find_spec("faster_whisper") is None:
            raise RuntimeMissingError(f"faster-whisper is not installed; run: {INSTALL}")
        find(name.removeprefix("whisper "), cache)


def measure(name: str, rows: Sequence[Row], tars: Path, flags: Sequence[str], cache: Path) -> Measured:
    """Have one of `PEERS`, or edgeasr under any other name, hear the rows in a process of its own."""
    os.environ.update(_ONE_THREAD)  # the child's libraries read them as they start
    with multiprocessing.get_context("spawn").Pool(1) as pool, Progress() as progress:
        pool.apply(_start, (name, tuple(flags), cache))
        found = Measured(name)
        clips = ((row, clip.samples) for row, clip in dataset_clips(rows, tars))
        for row, answer in progress.track(pool.imap(_hear, clips), total=len(rows), description=name):
            found.add(row.part, row.text, row.seconds, answer)
        found.pss = pool.apply(_memory)
    return found


_peer: list[Peer] = []


def _start(name: str, flags: tuple[str, ...], cache: Path) -> None:
    if name == "pocketsphinx":
        _peer.append(Sphinx())
    elif name in PEERS:
        _peer.append(Growing(name.removeprefix("whisper "), cache))
    else:
        _peer.append(Own(flags))


def _hear(job: tuple[Row, NDArray[np.int16]]) -> tuple[Row, Answer]:
    return job[0], _peer[0].hear(job[1])


def _memory() -> float | None:
    return resident().pss

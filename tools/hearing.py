"""Streams of speech, noise and silence through a bundle, in several processes."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import Progress

from edgeasr.bench import Clip, Row, noise_floor, read_samples
from edgeasr.bundle import locate
from edgeasr.errors import AudioFormatError
from edgeasr.frontend import SAMPLE_RATE
from edgeasr.pipeline import DeferredDecoder, Final, build_recogniser, load_decoder
from edgeasr.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgeasr.pipeline import Recogniser

_GAP_SECONDS = 1.5
_BLOCK_SECONDS = 30
_state: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Heard:
    """What came out of one stream: published words, seconds of audio and CPU, utterances held back as noise."""

    words: tuple[str, ...]
    seconds: float
    cpu: float
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Background:
    """Sounds without speech: files with gaps between them, or seconds of a noise floor."""

    name: str
    files: tuple[Path, ...] = ()
    seconds: float = 0.0

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Return its samples; a file that cannot be read is left out."""
        for number, path in enumerate(self.files):
            try:
                yield read_samples(path)
            except AudioFormatError as error:
                print(f"left out: {error}", file=sys.stderr)
            yield noise_floor(_GAP_SECONDS, seed=number)
        for number in range(round(self.seconds / _BLOCK_SECONDS)):
            yield noise_floor(_BLOCK_SECONDS, seed=number)


Job = tuple[Row, Clip] | Background
Outcome = tuple[str, Row | None, Heard]


def start(flags: Sequence[str], *, sphinx: bool) -> None:
    """Load one recogniser for this process."""
    if sphinx:
        library = importlib.import_module("pocketsphinx")
        _state["sphinx"] = library.Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")
        return
    settings = load(files=(), flags=flags).settings
    bundle = locate(settings.encoder.bundle, search=settings.encoder.search)
    decoder = DeferredDecoder(lambda: load_decoder(settings, bundle), bundle.manifest.encoder.units)
    decoder.wait()
    _state["recogniser"] = build_recogniser(settings, bundle, decoder=decoder)


def hear(job: Job) -> Outcome:
    """Recognise one utterance or background."""
    if isinstance(job, Background):
        return job.name, None, stream(_state["recogniser"], job.blocks())
    row, clip = job
    if "sphinx" in _state:
        return row.part, row, hear_sphinx(_state["sphinx"], clip)
    return row.part, row, stream(_state["recogniser"], (clip.samples,))


def stream(recogniser: Recogniser, blocks: Iterable[NDArray[np.int16]]) -> Heard:
    """Feed samples hop by hop to the end."""
    words: list[str] = []
    cpu, seconds, rejected = 0.0, 0.0, recogniser.rejected
    hop = recogniser.hop_samples
    rest = np.zeros(0, np.int16)
    for block in blocks:
        seconds += len(block) / SAMPLE_RATE
        samples = np.concatenate((rest, block))
        whole = len(samples) // hop * hop
        began = time.process_time()
        for first in range(0, whole, hop):
            for update in recogniser.accept(samples[first : first + hop]):
                if isinstance(update, Final):
                    words += [word.text for word in update.words]
        cpu += time.process_time() - began
        rest = samples[whole:]
    began = time.process_time()
    for update in recogniser.finish(rest):
        if isinstance(update, Final):
            words += [word.text for word in update.words]
    cpu += time.process_time() - began
    return Heard(tuple(words), seconds, cpu, recogniser.rejected - rejected)


def hear_sphinx(decoder: Any, clip: Clip) -> Heard:
    """Recognise a whole recording with pocketsphinx."""
    began = time.process_time()
    decoder.start_utt()
    decoder.process_raw(clip.samples.tobytes(), full_utt=True)
    decoder.end_utt()
    best = decoder.hyp()
    words = tuple(best.hypstr.split()) if best else ()
    return Heard(words, clip.seconds, time.process_time() - began)


def run(
    jobs: Iterable[Job], count: int, processes: int, flags: Sequence[str], *, sphinx: bool
) -> list[Outcome]:
    """Recognise everything in several processes, with a progress bar."""
    pool = multiprocessing.get_context("spawn").Pool(processes, _start_job, ((tuple(flags), sphinx),))
    title = "pocketsphinx" if sphinx else "edgeasr"
    with pool, Progress() as progress:
        outcomes = pool.imap_unordered(hear, jobs)
        return list(progress.track(outcomes, total=count, description=title))


def _start_job(options: tuple[tuple[str, ...], bool]) -> None:
    start(options[0], sphinx=options[1])

"""The measuring process: one configuration from cold start to the last recording."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeasr.bench.memory import resident
from edgeasr.bench.percentile import percentiles
from edgeasr.bench.reporter import work
from edgeasr.bundle import locate
from edgeasr.encoder import open_encoder
from edgeasr.frontend import SAMPLE_RATE
from edgeasr.pipeline import Final as FinalUpdate
from edgeasr.pipeline import build_decoder, build_recogniser
from edgeasr.settings import DecoderMode, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgeasr.bench.reporter import Reporter
    from edgeasr.pipeline import Recogniser, Update

TAIL_SECONDS: Final = 3.0  # silence fed at most after a recording, until its last final is there


class Stopwatch:
    """Feeds recordings chunk by chunk, as capture would, and keeps the times."""

    def __init__(self, recogniser: Recogniser, chunk_samples: int) -> None:
        self._recogniser = recogniser
        self._chunk: NDArray[np.int16] = np.zeros(chunk_samples, dtype=np.int16)
        self.chunks: list[float] = []
        self.finals: list[float] = []
        self.words: list[str] = []
        self.cpu = 0.0
        self.wall = 0.0

    def play(self, path: Path, *, tail: float = 0.0) -> float:
        """Feed a file of raw samples as a stream of its own; returns its seconds."""
        self.words = []
        chunk = self._chunk
        seconds = path.stat().st_size / 2 / SAMPLE_RATE
        began, began_cpu = time.perf_counter(), time.process_time()
        with path.open("rb", buffering=0) as file:
            view = memoryview(chunk.data).cast("B")
            while (count := file.readinto(view) // 2) == len(chunk):
                self._accept(chunk)
        if count:
            chunk[count:] = 0
            self._accept(chunk)
        chunk.fill(0)
        told = len(self.finals)
        for _ in range(round(tail * SAMPLE_RATE / len(chunk))):
            self._accept(chunk)
            if len(self.finals) > told:
                break
        since = time.perf_counter()
        self._keep(self._recogniser.finish(), since)
        self.cpu += time.process_time() - began_cpu
        self.wall += time.perf_counter() - began
        return seconds

    def _accept(self, chunk: NDArray[np.int16]) -> None:
        since = time.perf_counter()
        self.chunks.append(self._keep(self._recogniser.accept(chunk), since))

    def _keep(self, updates: Sequence[Update], since: float) -> float:
        taken = time.perf_counter() - since
        for update in updates:
            if isinstance(update, FinalUpdate):
                self.finals.append(taken)
                self.words += [word.text for word in update.words]
        return taken


def measure(job: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Start as the daemon does, then measure recordings and silences, where the job has any."""
    files = None if job["files"] is None else [Path(name) for name in job["files"]]
    settings = load(files=files, flags=job["flags"]).settings
    bundle = locate(settings.encoder.bundle, search=settings.encoder.search)
    decoder = build_decoder(settings, bundle)
    encoder = open_encoder(bundle, settings.encoder.accelerator.value, settings.encoder.threads)
    recogniser = build_recogniser(settings, bundle, encoder, decoder)
    chunk_samples = recogniser.hop_samples * settings.encoder.hops_per_step
    recogniser.accept(np.zeros(chunk_samples, dtype=np.int16))
    # The gate may have kept that chunk from the encoder.
    encoder.step(np.zeros((encoder.hop_frames, bundle.manifest.features.mels), dtype=np.float32))
    first_chunk, first_chunk_cpu = time.monotonic() - job["began"], time.thread_time()
    decoder.wait()
    found: dict[str, Any] = {
        "first_chunk": first_chunk,
        "first_chunk_cpu": first_chunk_cpu,
        "decoder_ready": time.monotonic() - job["began"],
        "is_greedy": settings.decoder.mode is DecoderMode.GREEDY,
        "model": bundle.manifest.label,
        "accelerator": encoder.accelerator.value,
        "chunk_seconds": chunk_samples / SAMPLE_RATE,
    }
    recogniser.finish()
    if job["clips"]:
        found |= _recordings(job, Stopwatch(recogniser, chunk_samples), reporter)
    if job["silences"]:
        found |= _silences(job, Stopwatch(recogniser, chunk_samples))
    encoder.close()
    return found


def _recordings(job: dict[str, Any], stopwatch: Stopwatch, reporter: Reporter) -> dict[str, Any]:
    heard, done = [], 0.0
    memory = [resident()]
    sample_at = 0.0
    for path in job["clips"]:
        done += stopwatch.play(Path(path), tail=TAIL_SECONDS)
        heard.append(" ".join(stopwatch.words))
        if done > sample_at:
            memory.append(resident())
            sample_at = done + 20.0
        reporter.done(done)
    memory.append(resident())
    return {
        "heard": heard,
        "audio_seconds": done,
        "cpu_seconds": stopwatch.cpu,
        "wall_seconds": stopwatch.wall,
        "chunk_curve": percentiles(stopwatch.chunks),
        "final_curve": percentiles(stopwatch.finals),
        "finals": len(stopwatch.finals),
        "pss": max((m.pss for m in memory if m.pss is not None), default=None),
        "rss": max((m.rss for m in memory if m.rss is not None), default=None),
    }


def _silences(job: dict[str, Any], stopwatch: Stopwatch) -> dict[str, Any]:
    cpu, words = {}, 0
    for name, path in job["silences"].items():
        before = stopwatch.cpu
        seconds = stopwatch.play(Path(path))
        cpu[name] = (stopwatch.cpu - before) / seconds
        words += len(stopwatch.words)
    return {"silence_cpu": cpu, "silence_words": words}


if __name__ == "__main__":
    sys.exit(work(measure))

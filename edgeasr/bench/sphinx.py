"""pocketsphinx over the same recordings, each as a whole, with the English model that it brings."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.bench.memory import resident
from edgeasr.bench.reporter import work
from edgeasr.errors import RuntimeMissingError
from edgeasr.frontend import SAMPLE_RATE

if TYPE_CHECKING:
    from edgeasr.bench.reporter import Reporter


def is_installed() -> bool:
    """Tell whether pocketsphinx can be imported."""
    return importlib.util.find_spec("pocketsphinx") is not None


def recognise(job: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Recognise the job's recordings."""
    if not is_installed():
        raise RuntimeMissingError("pocketsphinx is not installed; run: pip install pocketsphinx")
    library = importlib.import_module("pocketsphinx")
    decoder = library.Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")
    ready = time.monotonic() - job["began"]
    heard, done, cpu, wall = [], 0.0, 0.0, 0.0
    for name in job["clips"]:
        samples = Path(name).read_bytes()
        began, began_cpu = time.perf_counter(), time.process_time()
        decoder.start_utt()
        decoder.process_raw(samples, full_utt=True)
        decoder.end_utt()
        best = decoder.hyp()
        cpu += time.process_time() - began_cpu
        wall += time.perf_counter() - began
        heard.append(best.hypstr if best else "")
        done += len(samples) / 2 / SAMPLE_RATE
        reporter.done(done)
    memory = resident()
    return {
        "heard": heard,
        "audio_seconds": done,
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "decoder_ready": ready,
        "pss": memory.pss,
        "rss": memory.rss,
    }


if __name__ == "__main__":
    sys.exit(work(recognise))

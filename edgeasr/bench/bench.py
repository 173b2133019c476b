"""Measures configurations one after another on the same recordings."""

from __future__ import annotations

import datetime as dt
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self

from edgeasr.bench.child import run_child
from edgeasr.bench.material import digital_silence, noise_floor
from edgeasr.bench.measures import DIGITAL, NOISE_FLOOR
from edgeasr.bench.report import SPHINX, Report, describe_machine
from edgeasr.bench.result import Result
from edgeasr.bench.wer import ErrorCount, count_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from edgeasr.bench.configuration import Configuration
    from edgeasr.bench.material import Clip

_WORKER: Final = "edgeasr.bench.worker"
_SPHINX: Final = "edgeasr.bench.sphinx"


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """`silence`: seconds of each kind of silence; `starts`: cold starts whose median counts.

    `files`: configuration files instead of those of the system.
    """

    silence: float = 60.0
    starts: int = 3
    files: tuple[Path, ...] | None = None


class Bench(AbstractContextManager["Bench"]):
    """Lays the recordings out as raw samples, so that decoding files is on nobody's bill; use as a context."""

    def __init__(self, clips: Sequence[Clip], options: BenchOptions | None = None) -> None:
        self._options = options or BenchOptions()
        self._names = [clip.name for clip in clips]
        self._references = [clip.reference for clip in clips]
        self.seconds = sum(clip.seconds for clip in clips)
        self._folder = TemporaryDirectory(prefix="edgeasr-bench-")
        folder = Path(self._folder.name)
        self._paths: list[str] = []
        for number, clip in enumerate(clips):
            path = folder / f"{number}.pcm"
            clip.samples.tofile(path)
            self._paths.append(str(path))
        self._silences: dict[str, str] = {}
        if self._options.silence > 0:
            for name, make in ((NOISE_FLOOR, noise_floor), (DIGITAL, digital_silence)):
                path = folder / f"{name.replace(' ', '-')}.pcm"
                make(self._options.silence).tofile(path)
                self._silences[name] = str(path)
        self.transcripts: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the recordings' copies."""
        self._folder.cleanup()

    def measure(
        self, configuration: Configuration, progress: Callable[[float], None] | None = None
    ) -> Result:
        """Measure one configuration; `progress` hears the seconds of audio done."""
        files = None if self._options.files is None else [str(path) for path in self._options.files]
        job: dict[str, Any] = {"flags": configuration.flags, "files": files}
        found = run_child(_WORKER, job | {"clips": self._paths, "silences": self._silences}, progress)
        starts = [found]
        while len(starts) < self._options.starts:
            starts.append(run_child(_WORKER, job | {"clips": [], "silences": {}}))
        for key in ("first_chunk", "first_chunk_cpu", "decoder_ready"):
            times = sorted(start[key] for start in starts)
            found[key] = times[len(times) // 2]
        return self._result(found, configuration.name, configuration.flags)

    def measure_sphinx(self, progress: Callable[[float], None] | None = None) -> Result:
        """Measure pocketsphinx; raises RuntimeMissingError where it is not installed."""
        return self._result(run_child(_SPHINX, {"clips": self._paths}, progress), SPHINX)

    def report(self, results: Sequence[Result]) -> Report:
        """Put the results together."""
        words = max((result.errors.words for result in results if result.errors), default=0)
        material = {
            "clips": len(self._paths),
            "minutes": round(self.seconds / 60, 3),
            "words": words,
            "silence_seconds": self._options.silence,
            "measured": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "recordings": self._names,
            "heard": self.transcripts,
        }
        return Report(tuple(results), describe_machine(), material)

    def _result(self, found: dict[str, Any], name: str, flags: Sequence[str] = ()) -> Result:
        heard: list[str] = found.pop("heard", [])
        self.transcripts[name] = heard
        errors = ErrorCount()
        for reference, text in zip(self._references, heard, strict=True):
            if reference is not None:
                errors += count_errors(reference, text)
        values = {"name": name, "flags": tuple(flags), **found}
        return Result.from_json(values if not errors.words else values | {"errors": asdict(errors)})

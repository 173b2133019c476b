"""What was measured for one configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from edgeasr.bench.percentile import pick
from edgeasr.bench.wer import ErrorCount

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Result:
    """Seconds, mebibytes and counts; None where it was not measured.

    `cpu_seconds` and `wall_seconds` are those spent on the recordings, `audio_seconds` long. `chunk_curve` and
    `final_curve`: 101 percentiles of the seconds that a chunk takes, and one that brings a final.
    `silence_cpu`: CPU seconds per second of each kind of silence. `first_chunk` and `decoder_ready`: since the
    start of the process. `first_chunk_cpu`: the main thread's CPU seconds until then, what an idle machine would
    take.
    """

    name: str
    flags: tuple[str, ...] = ()
    is_greedy: bool = False
    model: str = ""
    accelerator: str = ""
    audio_seconds: float = 0.0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    chunk_seconds: float | None = None
    chunk_curve: tuple[float, ...] = ()
    final_curve: tuple[float, ...] = ()
    finals: int = 0
    silence_cpu: Mapping[str, float] = field(default_factory=dict)
    silence_words: int | None = None
    pss: float | None = None
    rss: float | None = None
    first_chunk: float | None = None
    first_chunk_cpu: float | None = None
    decoder_ready: float | None = None
    errors: ErrorCount | None = None

    @property
    def cpu_per_second(self) -> float | None:
        """CPU seconds per second of audio."""
        return self.cpu_seconds / self.audio_seconds if self.audio_seconds else None

    @property
    def real_time_factor(self) -> float | None:
        """Wall-clock seconds per second of audio."""
        return self.wall_seconds / self.audio_seconds if self.audio_seconds else None

    @property
    def word_error_rate(self) -> float | None:
        """Errors per word of reference."""
        return self.errors.rate if self.errors else None

    def chunk(self, percent: int) -> float | None:
        """Seconds that a chunk takes, by percentile."""
        return pick(self.chunk_curve, percent)

    def final(self, percent: int) -> float | None:
        """Seconds that a chunk takes which brings a final, by percentile."""
        return pick(self.final_curve, percent)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes, and the figures derived from it."""
        return asdict(self) | {
            "cpu_per_second": self.cpu_per_second,
            "real_time_factor": self.real_time_factor,
            "word_error_rate": self.word_error_rate,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Result:
        """Read what `to_json` gave; raises KeyError, TypeError for anything else."""
        known = {item.name for item in fields(cls)}
        kept: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in values.items() if key in known
        }
        if kept.get("errors") is not None:
            kept["errors"] = ErrorCount(**kept["errors"])
        return cls(**kept)

"""Which figures a report shows, and the budgets they are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.bench.result import Result

SPEECH_CPU: Final = 0.06
GREEDY_SPEECH_CPU: Final = 0.02
SILENCE_CPU: Final = 0.005
CHUNK_MS: Final = 15.0  # for 100 ms of audio
FINAL_MS: Final = 100.0
START_SECONDS: Final = 0.7
MEMORY_MIB: Final = 200.0
NOISE_FLOOR: Final = "noise floor"
DIGITAL: Final = "digital silence"
ABSENT: Final = "-"


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the report: `value` of a result, None where it has none, and its budget."""

    label: str
    value: Callable[[Result], float | None]
    form: str
    budget: float | None = None
    greedy_budget: float | None = None

    def budget_of(self, result: Result) -> float | None:
        """Return what the value must not exceed, if anything."""
        return self.greedy_budget if result.is_greedy and self.greedy_budget is not None else self.budget

    def shown(self, result: Result, *, judged: bool = True) -> str:
        """Return the value as text, with ✓ or ✗ where a budget binds our own configurations."""
        value = self.value(result)
        if value is None:
            return ABSENT
        text = self.form.format(value)
        budget = self.budget_of(result)
        if budget is None or not judged:
            return text
        return f"{text} {'✓' if value <= budget else '✗'}"

    @property
    def shown_budget(self) -> str:
        """Return the budget as text."""
        if self.budget is None:
            return ""
        greedy = f" (greedy {self.greedy_budget:g})" if self.greedy_budget is not None else ""
        return f"≤ {self.budget:g}{greedy}"


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _per_100_ms(result: Result) -> float | None:
    return _scaled(result.chunk(99), 100.0 / result.chunk_seconds) if result.chunk_seconds else None


MEASURES: Final = (
    Measure("word error rate", lambda r: _scaled(r.word_error_rate, 100), "{:.1f} %"),
    Measure("real-time factor", lambda r: r.real_time_factor, "{:.4f}"),
    Measure(
        "CPU seconds per second of speech",
        lambda r: r.cpu_per_second,
        "{:.4f}",
        SPEECH_CPU,
        GREEDY_SPEECH_CPU,
    ),
    Measure("… of noise floor", lambda r: r.silence_cpu.get(NOISE_FLOOR), "{:.4f}", SILENCE_CPU),
    Measure("… of digital silence", lambda r: r.silence_cpu.get(DIGITAL), "{:.4f}", SILENCE_CPU),
    Measure("chunk, ms of audio", lambda r: _scaled(r.chunk_seconds, 1000), "{:.0f}"),
    Measure("compute per chunk p50, ms", lambda r: _scaled(r.chunk(50), 1000), "{:.2f}"),
    Measure("… p95, ms", lambda r: _scaled(r.chunk(95), 1000), "{:.2f}"),
    Measure("… p99, ms", lambda r: _scaled(r.chunk(99), 1000), "{:.2f}"),
    Measure("… p99, ms per 100 ms of audio", _per_100_ms, "{:.2f}", CHUNK_MS),
    Measure("compute of a chunk that brings a final p50, ms", lambda r: _scaled(r.final(50), 1000), "{:.2f}"),
    Measure("… p95, ms", lambda r: _scaled(r.final(95), 1000), "{:.2f}", FINAL_MS),
    Measure("resident memory, PSS, MiB", lambda r: r.pss, "{:.0f}", MEMORY_MIB),
    Measure("resident memory, RSS, MiB", lambda r: r.rss, "{:.0f}"),
    Measure("start of process → first chunk encoded, s", lambda r: r.first_chunk, "{:.2f}", START_SECONDS),
    Measure("… CPU of the main thread in it, s", lambda r: r.first_chunk_cpu, "{:.2f}"),
    Measure("start of process → decoder ready, s", lambda r: r.decoder_ready, "{:.2f}"),
    Measure("words heard in silence", lambda r: r.silence_words, "{:.0f}", 0.0),
)

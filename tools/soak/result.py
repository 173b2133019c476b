"""What a soak has found, in words and as JSON."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeasr.bench import table
from edgeasr.capture import SAMPLE_RATE
from tools.soak.faults import Lane
from tools.soak.growth import SETTLING, slope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.soak.lane import Mark
    from tools.soak.ledger import Arrival, Count
    from tools.soak.notes import Sample
    from tools.soak.room import Sentence
    from tools.soak.service import Life

_BUDGET: Final = 200.0  # MiB
_STOP_BUDGET: Final = 5.0


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that was measured; times are monotonic, `began` and `ended` frame them."""

    count: Count
    began: float
    ended: float
    seed: int
    samples: Sequence[Sample]
    marks: Sequence[Mark]
    lives: Sequence[Life]
    events: Sequence[dict[str, Any]]
    spoken: Sequence[Sentence]
    rule: float  # seconds of silence and look-ahead that every final has to wait for

    @property
    def faults(self) -> list[str]:
        """What should not be, in words; empty where all is well."""
        count, found = self.count, []
        if count.lost:
            found.append(f"lost finals: {', '.join(count.lost)}")
        if count.waiting:
            found.append(f"{count.waiting} finals were still in the outbox at the end")
        if count.disordered:
            found.append(f"out of order: {', '.join(count.disordered)}")
        found += [f"{one} and {other} tell of the same audio" for one, other in count.twins]
        if count.missed:
            found.append(f"undisturbed sentences without a final: {', '.join(count.missed)}")
        found += [f"no recovery after: {mark.fault.name}" for mark in self.marks if mark.recovered is None]
        dropped = sum(one["details"]["samples"] for one in self.events if one["event"] == "audio_dropped")
        if dropped:
            found.append(
                f"{dropped / SAMPLE_RATE:.1f} s of audio were dropped: the machine is too slow for this"
            )
        hung = sum(mark.fault.name == "daemon hangs" for mark in self.marks)
        starved = sum(life.starved for life in self.lives)
        if starved > hung:
            found.append(f"the watchdog bit {starved} times, {hung} of which were meant")
        meant = hung + sum(mark.fault.name.startswith("daemon killed") for mark in self.marks)
        bad = sum(life.code != 0 for life in self.lives)
        if bad > meant:
            found.append(
                f"{bad} of {len(self.lives)} runs of the daemon ended badly, {meant} of which were meant"
            )
        return found

    def calm(self) -> list[Arrival]:
        """Return the finals between whose end and arrival neither broker nor daemon had anything amiss."""
        troubles = [
            (mark.began, mark.recovered or self.ended)
            for mark in self.marks
            if mark.fault.lane is not Lane.HARDWARE
        ]
        return [
            one
            for one in self.count.finals
            if not any(b <= one.received and e >= one.end for b, e in troubles)
        ]

    def text(self) -> str:
        """Return the summary."""
        parts = (self._finals(), self._figures(), self._faults(), self._verdict())
        return "\n".join(parts)

    def _finals(self) -> str:
        count = self.count
        rows = [
            ("expected", count.expected),
            ("received", count.received),
            ("lost", len(count.lost)),
            ("received again under the same id (QoS 1)", count.repeated),
            ("under another id for the same audio", len(count.twins)),
            ("out of order", len(count.disordered)),
            ("in the outbox at the end", count.waiting),
            ("received although killed before its line was in the log", count.unannounced),
            ("without any sentence at their time", count.stray),
        ]
        spoken = [
            ("spoken", count.spoken),
            ("of these undisturbed", count.undisturbed),
            ("of these with a final", count.heard),
        ]
        return "\n".join(
            table((name, "number"), [(one, str(number)) for one, number in lines])
            for name, lines in (("finals", rows), ("sentences", spoken))
        )

    def _figures(self) -> str:
        rtf = [sample.rtf for sample in self.samples if sample.rtf is not None]
        total = [sample.total for sample in self.samples]
        own = [sample.memory["edgeasr"] for sample in self.samples]
        rows = [
            ("length", f"{(self.ended - self.began) / 60:.1f} min, seed {self.seed}"),
            ("latency, no trouble with broker or daemon", _spread([one.latency for one in self.calm()], "s")),
            ("latency, all", _spread([one.latency for one in self.count.finals], "s")),
            ("the rule that each final waits for", f"{self.rule:.2f} s"),
            ("real-time factor", _spread(rtf, "", 3)),
            ("memory of all processes (PSS)", _spread(total, "MiB", 0)),
            ("memory of the daemon's own process (PSS)", _spread(own, "MiB", 0)),
            ("growth, all processes", _growth(slope(self.samples, lambda one: one.total))),
            (
                "growth, the daemon's own, not backed by files",
                _growth(slope(self.samples, lambda one: one.anonymous)),
            ),
            ("runs of the daemon", str(len(self.lives))),
            ("start to READY", _spread([one.ready - one.began for one in self.lives if one.ready], "s")),
            (
                "stop on SIGTERM (5 s promised)",
                _spread([one.stop_seconds for one in self.lives if one.stop_seconds], "s"),
            ),
        ]
        return table(("figure", "value"), rows)

    def _faults(self) -> str:
        rows = []
        for name in dict.fromkeys(mark.fault.name for mark in self.marks):
            mine = [mark for mark in self.marks if mark.fault.name == name]
            seconds = [mark.recovery for mark in mine if mark.recovery is not None and self._is_alone(mark)]
            budget = mine[0].fault.budget
            rows.append((name, str(len(mine)), _spread(seconds, "s"), f"{budget:g} s" if budget else ""))
        told = Counter(one["event"] for one in self.events)
        lines = [(name, str(number)) for name, number in sorted(told.items())]
        return "\n".join(
            [
                table(("fault", "number", "recovered after, no other meanwhile", "promised"), rows),
                table(("event", "told"), lines) if lines else "",
            ]
        )

    def _is_alone(self, mark: Mark) -> bool:
        """Whether nothing else was amiss between its mending and the recovery."""
        end = mark.recovered or self.ended
        others = (one for one in self.marks if one is not mark)
        return not any(one.began <= end and (one.recovered or self.ended) >= mark.mended for one in others)

    def _verdict(self) -> str:
        return "\n".join(self.faults) or "nothing lost, nothing told twice under two ids, order kept"

    def save(self, path: Path) -> None:
        """Write all figures as JSON, times in seconds since the beginning."""
        count = self.count
        values = {
            "minutes": round((self.ended - self.began) / 60, 2),
            "seed": self.seed,
            "faults": self.faults,
            "expected": count.expected,
            "received": count.received,
            "lost": count.lost,
            "repeated": count.repeated,
            "twins": count.twins,
            "disordered": count.disordered,
            "waiting": count.waiting,
            "unannounced": count.unannounced,
            "sentences": {"spoken": count.spoken, "undisturbed": count.undisturbed, "heard": count.heard},
            "missed": count.missed,
            "growth_mib_per_hour": slope(self.samples, lambda one: one.total),
            "samples": [
                [round(one.at - self.began, 1), one.life, one.memory, one.anonymous, one.rtf]
                for one in self.samples
            ],
            "finals": [
                [
                    one.id,
                    round(one.start - self.began, 2),
                    round(one.end - self.began, 2),
                    round(one.latency, 3),
                ]
                for one in count.finals
            ],
            "sentences_spoken": [
                [one.name, round(one.start - self.began, 2), round(one.end - self.began, 2)]
                for one in self.spoken
            ],
            "lives": [
                [
                    None if at is None else round(at - self.began, 2)
                    for at in (one.began, one.ready, one.ended)
                ]
                for one in self.lives
            ],
            "events": Counter(one["event"] for one in self.events),
            "marks": [
                [
                    mark.fault.name,
                    *(
                        None if at is None else round(at - self.began, 2)
                        for at in (mark.began, mark.mended, mark.recovered)
                    ),
                ]
                for mark in self.marks
            ],
        }
        path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _spread(values: Sequence[float], unit: str, digits: int = 2) -> str:
    if not values:
        return "-"
    marks = {
        "median": statistics.median(values),
        "p95": float(np.percentile(values, 95)),
        "most": max(values),
    }
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in marks.items()) + f" {unit}".rstrip()


def _growth(value: float | None) -> str:
    return (
        f"too short: each life needs more than {SETTLING:.0f} s"
        if value is None
        else f"{value:+.1f} MiB an hour"
    )

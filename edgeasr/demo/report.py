"""What the demo found: each sentence against what was heard, and the figures."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from edgeasr.bench.wer import Edit, ErrorCount, align, count_errors, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.demo.notebook import Notebook
    from edgeasr.demo.speech import Recording
    from edgeasr.mqtt.watch import Heard

_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was said, the raw words that were heard, and from its end to each final's arrival in seconds."""

    said: str
    heard: str
    shown: str
    errors: ErrorCount
    latencies: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """What the daemon used; a figure is None where no health report told.

    `cpu`, `rtf`: per second of audio, from the moment everything was loaded. `cpu_seconds`: of the whole process.
    `memory`: bytes at most.
    """

    cpu_seconds: float
    audio_seconds: float | None
    cpu: float | None
    rtf: float | None
    memory: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The summary. `rule`: seconds of silence and look-ahead that a final has to wait for."""

    sentences: tuple[Sentence, ...]
    load: Load
    rule: float
    partials: int
    model: str
    accelerator: str

    @property
    def is_complete(self) -> bool:
        """Whether each sentence has a final."""
        return all(sentence.latencies for sentence in self.sentences)

    @property
    def errors(self) -> ErrorCount:
        """Word errors over all sentences."""
        return reduce(add, (sentence.errors for sentence in self.sentences), ErrorCount())

    def tables(self) -> tuple[Table, Table]:
        """Return the sentences and the figures, to be printed."""
        return self._sentences(), self._figures()

    def _sentences(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, title="Said and heard", title_justify="left", show_lines=False)
        table.add_column("", justify="right", style="dim")
        table.add_column("said\nheard\npublished as", ratio=1)
        table.add_column("words\nwrong", justify="right")
        table.add_column("latency", justify="right")
        for number, sentence in enumerate(self.sentences, 1):
            if number > 1:
                table.add_row()
            said = Text(" ".join(words_of(sentence.said)))
            shown = Text(" / ".join(sentence.shown.splitlines()), "dim")
            late = " ".join(f"{latency:.2f} s" for latency in sentence.latencies)
            wrong = f"{sentence.errors.errors} of {sentence.errors.words}"
            table.add_row(
                str(number), Text("\n").join([said, marked(sentence), shown]), wrong, late or "no final"
            )
        return table

    def _figures(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, title="Summary", title_justify="left", show_header=False)
        table.add_column(style="bold")
        table.add_column()
        for name, value in self.figures():
            table.add_row(name, value)
        return table

    def figures(self) -> list[tuple[str, str]]:
        """Return names and values of the summary."""
        errors, load = self.errors, self.load
        latencies = [latency for sentence in self.sentences for latency in sentence.latencies]
        beyond = [max(0.0, latency - self.rule) for latency in latencies]
        arrived = sum(1 for sentence in self.sentences if sentence.latencies)
        with_start = load.cpu_seconds / load.audio_seconds if load.audio_seconds else None
        return [
            ("Word error rate", f"{errors.rate or 0.0:.1%} ({errors.errors} of {errors.words} words)"),
            (
                "Sentences with a final",
                f"{arrived} of {len(self.sentences)}; {self.partials} partials on the way",
            ),
            ("End of speech to final", _spread(latencies)),
            ("  beyond pause and look-ahead", f"{_spread(beyond)} (those take {self.rule:.2f} s)"),
            ("Real-time factor", _figure(load.rtf)),
            ("CPU per second of audio", f"{_figure(load.cpu)} s"),
            ("  with the start", f"{_figure(with_start)} s ({load.cpu_seconds:.2f} s in all)"),
            ("Memory", "unknown" if load.memory is None else f"{load.memory / _MEBIBYTE:.0f} MiB"),
            ("Accelerator", self.accelerator),
            ("Model", self.model),
        ]


def marked(sentence: Sentence) -> Text:
    """Return what was heard with *wrong* words between stars, and an underscore for each word that was not heard."""
    said, heard = words_of(sentence.said), words_of(sentence.heard)
    words = []
    for edit, _, place in align(said, heard):
        if edit is Edit.RIGHT:
            words.append(Text(heard[place], "green"))
        elif edit is Edit.DELETED:
            words.append(Text("_", "red"))
        else:
            words.append(Text(f"*{heard[place]}*", "red"))
    return Text(" ").join(words)


def make_report(
    spoken: Sequence[Recording], notebook: Notebook, *, gap: float, cpu_seconds: float, rule: float
) -> Report:
    """Compare what was played with what arrived."""
    shares = assign([recording.seconds for recording in spoken], gap, notebook)
    sentences = []
    for recording, finals in zip(spoken, shares, strict=True):
        raw = " ".join(final.text("raw") for final in finals)
        sentences.append(
            Sentence(
                said=recording.text,
                heard=raw,
                shown=" ".join(final.text() for final in finals),
                errors=count_errors(recording.text, raw),
                latencies=tuple(max(0.0, final.at - final.number("end", final.at)) for final in finals),
            )
        )
    last = notebook.finals[-1] if notebook.finals else None
    return Report(
        sentences=tuple(sentences),
        load=_load(notebook.health, cpu_seconds),
        rule=rule,
        partials=notebook.partials,
        model=last.text("model") if last else "unknown",
        accelerator=last.text("accelerator") if last else "unknown",
    )


def assign(lengths: Sequence[float], gap: float, notebook: Notebook) -> list[list[Heard]]:
    """Return for each recording the finals whose middle lies in it or nearest to it.

    The stream began about when the daemon said that it listens; the gaps forgive what that is out by.
    """
    shares: list[list[Heard]] = [[] for _ in lengths]
    began = notebook.listening_since or 0.0
    for final in notebook.finals:
        middle = (final.number("start", final.at) + final.number("end", final.at)) / 2 - began
        position, best, nearest = 0.0, 0, float("inf")
        for index, length in enumerate(lengths):
            distance = max(position - middle, middle - (position + length), 0.0)
            if distance < nearest:
                best, nearest = index, distance
            position += length + gap
        shares[best].append(final)
    return shares


def _load(health: Sequence[Heard], cpu_seconds: float) -> Load:
    """Add up the intervals between reports; the first report's also has the loading in it."""
    audio = [report.number("audio_seconds", 0.0) for report in health]
    cpu = rtf = seconds = 0.0
    for report, before, after in zip(health[1:], audio, audio[1:], strict=False):
        cpu += report.number("cpu_seconds_per_audio_second", 0.0) * (after - before)
        rtf += report.number("rtf", 0.0) * (after - before)
        seconds += after - before
    memory = [report.number("memory_bytes", 0.0) for report in health]
    return Load(
        cpu_seconds=cpu_seconds,
        audio_seconds=audio[-1] if audio else None,
        cpu=cpu / seconds if seconds else None,
        rtf=rtf / seconds if seconds else None,
        memory=max(memory) if memory else None,
    )


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "no final"
    return f"median {statistics.median(values):.2f} s, longest {max(values):.2f} s"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"

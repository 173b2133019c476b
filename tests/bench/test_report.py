"""The table with its budgets, the JSON, and the comparison of two runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edgeasr.bench import ErrorCount, percentiles
from edgeasr.bench.measures import DIGITAL, NOISE_FLOOR
from edgeasr.bench.percentile import pick
from edgeasr.bench.plot import plot
from edgeasr.bench.report import SPHINX, Report, compare
from edgeasr.bench.result import Result
from edgeasr.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Result(
    "beam",
    flags=("decoder.mode=beam",),
    audio_seconds=100.0,
    cpu_seconds=4.0,
    wall_seconds=5.0,
    chunk_seconds=0.09,
    chunk_curve=tuple(percentiles([0.002] * 99 + [0.009])),
    final_curve=tuple(percentiles([0.004, 0.006])),
    finals=2,
    silence_cpu={NOISE_FLOOR: 0.001, DIGITAL: 0.0005},
    silence_words=0,
    pss=120.0,
    first_chunk=0.5,
    errors=ErrorCount(200, 10, 4, 6),
)


def row_of(markdown: str, label: str) -> list[str]:
    (line,) = [line for line in markdown.splitlines() if line.startswith(f"| {label} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_percentiles_are_linear_between_ranks() -> None:
    curve = percentiles([4.0, 1.0, 3.0, 2.0, 5.0])
    assert (pick(curve, 0), pick(curve, 50), pick(curve, 100)) == (1.0, 3.0, 5.0)
    assert pick(curve, 95) == pytest.approx(4.8)
    assert pick(percentiles([]), 50) is None


def test_the_table_marks_what_keeps_its_budget() -> None:
    poor = replace(GOOD, name="poor", cpu_seconds=7.0, silence_cpu={NOISE_FLOOR: 0.02}, pss=300.0)
    markdown = Report((GOOD, poor)).to_markdown()
    assert row_of(markdown, "CPU seconds per second of speech")[2:] == ["0.0400 ✓", "0.0700 ✗"]
    assert row_of(markdown, "… of noise floor")[2:] == ["0.0010 ✓", "0.0200 ✗"]
    assert row_of(markdown, "… of digital silence")[2:] == ["0.0005 ✓", "-"]
    assert row_of(markdown, "resident memory, PSS, MiB")[1:] == ["≤ 200", "120 ✓", "300 ✗"]
    assert row_of(markdown, "word error rate")[1:] == ["", "10.0 %", "10.0 %"]


def test_greedy_has_a_budget_of_its_own_and_others_have_none() -> None:
    greedy = replace(GOOD, name="greedy", is_greedy=True)
    other = Result(SPHINX, audio_seconds=10.0, cpu_seconds=3.0)
    row = row_of(Report((GOOD, greedy, other)).to_markdown(), "CPU seconds per second of speech")
    assert row[2:] == ["0.0400 ✓", "0.0400 ✗", "0.3000"]


def test_what_nothing_was_measured_for_has_no_row() -> None:
    markdown = Report((replace(GOOD, pss=None, errors=None),)).to_markdown()
    assert "PSS" not in markdown
    assert "word error rate" not in markdown


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    report = Report((GOOD, Result(SPHINX, audio_seconds=3.0)), {"cores": 4}, {"minutes": 1.0})
    path.write_text(report.to_json())
    assert Report.read(path) == report


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"results": [{"nam": 1}]}', '{"results": 3}', "null"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not a result of"):
        Report.read(path)
    with pytest.raises(UsageError, match="cannot be read"):
        Report.read(tmp_path / "missing.json")


def test_a_comparison_gives_ratios_for_what_both_runs_have() -> None:
    new = replace(GOOD, cpu_seconds=2.0, silence_words=3, errors=ErrorCount(200, 30, 0, 0))
    ratios = compare(Report((GOOD,)), Report((new, replace(new, name="no-lm"))))
    assert row_of(ratios, "new / old")[1:] == ["beam"]
    assert row_of(ratios, "CPU seconds per second of speech")[1:] == ["0.50"]
    assert row_of(ratios, "word error rate")[1:] == ["1.50"]
    assert row_of(ratios, "words heard in silence")[1:] == ["3 from 0"]
    with pytest.raises(UsageError, match="share no configuration"):
        compare(Report((GOOD,)), Report((replace(GOOD, name="other"),)))


@pytest.mark.parametrize("result", [GOOD, replace(GOOD, errors=None)])
def test_the_plot_is_a_picture(tmp_path: Path, result: Result) -> None:
    plot(Report((result, Result(SPHINX, audio_seconds=3.0))), tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")

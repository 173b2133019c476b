"""The measuring process, well and ill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import edgeasr
from edgeasr.bench.child import run_child
from edgeasr.bench.memory import resident
from edgeasr.errors import BundleError, FatalError

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = """
import os, sys, time
from edgeasr.bench.reporter import work
from edgeasr.errors import BundleError
def task(job, reporter):
"""
TAIL = "\nsys.exit(work(task))\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a maker of modules with a task's body."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(edgeasr.__file__).parents[1]}")

    def make(body: str) -> str:
        (tmp_path / "errand.py").write_text(
            HEAD + "".join(f"    {line}\n" for line in body.split("; ")) + TAIL
        )
        return "errand"

    return make


def test_progress_and_result_come_through_whatever_libraries_print(module: Callable[[str], str]) -> None:
    heard: list[float] = []
    name = module(
        "print('chatter'); os.write(1, b'native chatter'); reporter.done(1.5); reporter.done(3.0); "
        "return {'sum': job['a'] + 1, 'later': time.monotonic() > job['began']}"
    )
    assert run_child(name, {"a": 2}, heard.append) == {"sum": 3, "later": True}
    assert heard == [1.5, 3.0]


def test_a_fault_is_raised_as_what_it_was(module: Callable[[str], str]) -> None:
    with pytest.raises(BundleError, match="broken: fetch it again"):
        run_child(module("raise BundleError('broken: fetch it again')"), {})


def test_a_crash_is_told_with_its_last_words(module: Callable[[str], str]) -> None:
    with pytest.raises(FatalError, match=r"without a result \(status -6: going down"):
        run_child(module("print('going down', file=sys.stderr); sys.stderr.flush(); os.abort()"), {})


def test_a_hung_process_is_ended(module: Callable[[str], str]) -> None:
    with pytest.raises(FatalError, match="no sign"):
        run_child(module("time.sleep(600)"), {}, patience=0.5)


def test_memory_is_read_where_the_kernel_tells_it(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tx\nVmRSS:\t   2048 kB\n")
    assert (resident(tmp_path).pss, resident(tmp_path).rss) == (None, 2.0)
    (tmp_path / "smaps_rollup").write_text(
        "5500-7fff ---p 0 00:00 0 [rollup]\nRss:  4096 kB\nPss:  3072 kB\n"
    )
    assert (resident(tmp_path).pss, resident(tmp_path).rss) == (3.0, 4.0)
    assert resident(tmp_path / "nowhere").rss is None

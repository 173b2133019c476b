"""Damaged files are refused or searched as far as they go; they never crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = 350


@pytest.mark.parametrize("first", [0, 10_000])
def test_damaged_lexicons_and_language_models_never_crash_the_search(first: int) -> None:
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.decoder.broken", str(first), str(CASES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 0, f"case {last}: {done.stderr}"
    refused = int(last.removesuffix(" refused"))
    assert 0.1 * CASES < refused < 0.9 * CASES

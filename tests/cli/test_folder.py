"""Called from anywhere: a folder with the package's name in the current one is not taken for the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edgeasr.worker import environment


def test_the_demo_runs_beside_a_folder_of_the_same_name(tmp_path: Path) -> None:
    """Such as a checkout, or a package of that name that somebody has written."""
    (tmp_path / "edgeasr").mkdir()
    (tmp_path / "edgeasr/__init__.py").write_text("raise SystemExit('this is not the package')\n")
    program = Path(sys.executable).with_name("edgeasr")
    assert program.exists(), "the package is not installed"
    done = subprocess.run(
        [program, "demo", "--plain", "--first", "1"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Word error rate" in done.stdout

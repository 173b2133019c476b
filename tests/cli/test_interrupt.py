"""Ctrl-C while a command still loads: no traceback, whatever is being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edgeasr.worker import command, environment

if TYPE_CHECKING:
    from pathlib import Path

# Runs before the program's first line, and presses Ctrl-C when the module is asked for.
PRESS = """
import os, signal, sys
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["PRESS_AT"]:
            del sys.meta_path[0]
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
"""
MOMENTS = [
    (["--help"], "edgeasr.cli"),
    (["models", "list"], "edgeasr.cli.program"),
    (["models", "list"], "edgeasr.cli.commands"),
    (["models", "list"], "argparse"),
    (["models", "list"], "edgeasr.cli.models"),
    (["models", "list"], "numpy"),
    (["listen"], "edgeasr.pipeline"),
    (["tail"], "paho"),
    (["demo"], "soundfile"),
    (["run"], "edgeasr.daemon"),
    (["config", "check"], "edgeasr.doctor"),
]


@pytest.mark.parametrize(("argv", "module"), MOMENTS, ids=[f"{a[0]} {m}" for a, m in MOMENTS])
def test_ctrl_c_while_it_loads_is_quiet(argv: list[str], module: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(PRESS)
    environ = environment() | {"PRESS_AT": module}
    environ["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{environ.get('PYTHONPATH', '')}"
    done = subprocess.run(
        command("edgeasr", *argv), env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (-signal.SIGINT, 130), "both are 130 to a shell"
    assert (done.stdout, done.stderr) == ("", "")


IGNORED = """
import os, signal, sys
from edgeasr.__main__ import main
os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["edgeasr", "--version"]
sys.exit(main())
"""


def test_where_the_shell_has_ctrl_c_ignored_it_stays_so() -> None:
    line = ["sh", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, IGNORED]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")

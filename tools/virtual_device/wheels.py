"""Fetches the wheels that the project needs on Debian Bookworm: `wheels.py PYPROJECT FOLDER`, with any Python's pip."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

# Those of Bookworm's Python and its C library.
PYTHON = "3.11"
GLIBC_MINOR = 36
PLATFORMS = [
    *(f"manylinux_2_{minor}_x86_64" for minor in range(5, GLIBC_MINOR + 1)),
    *(f"manylinux{name}_x86_64" for name in ("1", "2010", "2014")),
]


def main(pyproject: str, folder: str) -> int:
    """Fetch them, none as source: a device has no compiler. Returns pip's exit code."""
    needed = tomllib.loads(Path(pyproject).read_text())["project"]["dependencies"]
    how = ["--only-binary=:all:", f"--python-version={PYTHON}", *(f"--platform={name}" for name in PLATFORMS)]
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--progress-bar=off"]
    return subprocess.call([*pip, *how, f"--dest={folder}", *needed])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

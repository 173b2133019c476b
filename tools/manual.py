"""Write completion and manual page from the commands' parsers: `python -m tools.manual`."""

from __future__ import annotations

import sys
from pathlib import Path

from edgeasr.manual import bash, page, topics, zsh

FOLDER = Path(__file__).resolve().parents[1] / "edgeasr/manual/files"


def made() -> dict[str, str]:
    """Return the files by name."""
    described = topics()
    return {"edgeasr.bash": bash(described), "_edgeasr": zsh(described), "edgeasr.1": page(described)}


def main() -> int:
    """Write them."""
    for name, text in made().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

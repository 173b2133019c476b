"""Write the commented defaults into docs/configuration.md: `python -m tools.docs_settings`."""

from __future__ import annotations

import sys
from pathlib import Path

from edgeasr.settings import dump, load

_DOCUMENT = Path(__file__).resolve().parents[1] / "docs/configuration.md"
_BEGIN, _END = "<!-- settings -->\n```toml\n", "```\n<!-- end of settings -->\n"


def updated(text: str) -> str:
    """Return the document with the settings that there are now."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{_DOCUMENT} has no place for the settings between {_BEGIN!r} and {_END!r}")
    defaults = load(files=[], environ={}, values={"device.id": "kitchen"}).settings
    return before + begin + dump(defaults, explain=True) + end + after


def main() -> int:
    """Write it."""
    _DOCUMENT.write_text(updated(_DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

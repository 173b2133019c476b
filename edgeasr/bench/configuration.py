"""What is compared: named variations of the settings."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeasr.errors import UsageError
from edgeasr.settings import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgeasr.settings import Settings

PRESETS: Final = {
    "default": "",
    "beam": "decoder.mode=beam",
    "greedy": "decoder.mode=greedy",
    "no-lm": "decoder.lm=false",
    "no-rescorer": "decoder.alternatives=0",
    "no-vad": "vad.enabled=false",
    "no-partials": "partials.enabled=false",
    "cpu": "encoder.accelerator=cpu",
    "edgetpu": "encoder.accelerator=edgetpu",
}
NUMBERED: Final = {
    "hop": "encoder.hops_per_step",
    "threads": "encoder.threads",
    "beam": "decoder.beam",
}
EVERYTHING: Final = ("beam", "greedy", "no-lm", "no-vad", "hop-2", "threads-2")
_NUMBERED_NAME: Final = re.compile(r"([a-z]+)-(\d+)")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A name and the settings, written `section.key=value`, that it stands for."""

    name: str
    flags: tuple[str, ...]

    def settings(self, files: Sequence[Path] | None = None) -> Settings:
        """Load the settings; raises ConfigError."""
        return load(files=files, flags=self.flags).settings


def configurations(names: Sequence[str], flags: Sequence[str] = ()) -> list[Configuration]:
    """Read names such as `greedy`, `beam-100+no-vad` or `decoder.beam=100`; `flags` hold for all of them.

    `all` stands for one of each kind. Raises UsageError for an unknown name.
    """
    wanted = [one for name in names for one in (EVERYTHING if name == "all" else (name,))]
    return [
        Configuration(name, (*flags, *(flag for part in name.split("+") if (flag := _flag(part)))))
        for name in dict.fromkeys(wanted)
    ]


def _flag(part: str) -> str:
    """Return the setting that one part of a name stands for."""
    if "=" in part:
        return part
    if part in PRESETS:
        return PRESETS[part]
    numbered = _NUMBERED_NAME.fullmatch(part)
    if numbered and numbered[1] in NUMBERED:
        return f"{NUMBERED[numbered[1]]}={int(numbered[2])}"
    known = [*PRESETS, *(f"{name}-N" for name in NUMBERED)]
    close = difflib.get_close_matches(part, known, n=1, cutoff=0.5)
    mend = f"did you mean {close[0]}?" if close else f"choose from {', '.join(known)} or section.key=value"
    raise UsageError(f"there is no configuration {part!r}; {mend}")

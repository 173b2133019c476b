"""Settings in the environment: their spelling, and variables that were meant to be some and are none."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

from edgeasr.settings._rule import leaves
from edgeasr.settings.sections import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "EDGEASR__"
_BEGINNING: Final = "edgeasr_"
_OTHERS: Final = frozenset(
    {"EDGEASR_MODELS", "EDGEASR_VIRTUAL_DEVICE"}
)  # which are read, and are no settings
_ALIKE: Final = 0.8  # of difflib's ratio; less is somebody else's variable


def variable(name: str) -> str:
    """Return the environment variable that sets a dotted name: `EDGEASR__MQTT__HOST` for `mqtt.host`."""
    return PREFIX + name.upper().replace(".", "__")


def overlooked(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each variable that looks like a setting but sets nothing, such as EDGEASR_MQTT_HOST."""
    sentences = []
    for given in sorted(environ):
        if not given.lower().startswith(_BEGINNING) or given.startswith(PREFIX) or given in _OTHERS:
            continue
        meant = _meant(given)
        if meant:
            sentences.append(f"{_shown(given)} is ignored; did you mean {variable(meant)}?")
    return tuple(sentences)


def _meant(given: str) -> str | None:
    """Return the dotted name of the setting that a variable is nearest to."""
    word = _plain(given.lower().removeprefix(_BEGINNING))
    names = {_plain(name): name for name in leaves(Settings)}
    if word in names:
        return names[word]
    last = [name for name in leaves(Settings) if name.rpartition(".")[2] == word]
    if last:
        return last[0]
    close = difflib.get_close_matches(word, names, n=1, cutoff=_ALIKE)
    return names[close[0]] if close else None


def _plain(name: str) -> str:
    return re.sub(r"[._]+", "_", name).strip("_")


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)

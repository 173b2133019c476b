"""Where model bundles are looked for, and where a new one goes."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VARIABLE: Final = "EDGEASR_MODELS"
SYSTEM: Final = Path("/var/lib/edgeasr/models")
_SHARED: Final = Path("/usr/share/edgeasr/models")
_PACKAGE: Final = "edgeasr_models"  # a namespace: each wheel with a model adds a folder to it
_CHECKOUT: Final = Path(__file__).resolve().parents[2]


class Origin(StrEnum):
    """Why a folder is searched, in the order in which that is done."""

    SETTING = "encoder.search"
    VARIABLE = "$EDGEASR_MODELS"
    USER = "the user's data"
    SYSTEM = "the system's data"
    SHARED = "the distribution"
    PACKAGE = "an installed package"
    CHECKOUT = "the checkout"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that may hold bundles, each in a folder of its own."""

    path: Path
    origin: Origin


def user_folder(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the user's own folder, $XDG_DATA_HOME/edgeasr/models or below ~/.local/share; None without a home."""
    environ = os.environ if environ is None else environ
    named = Path(environ.get("XDG_DATA_HOME", ""))
    home = Path(environ.get("HOME", ""))
    base = named if named.is_absolute() else home / ".local/share" if home.is_absolute() else None
    return None if base is None else base / "edgeasr/models"


def places(first: Sequence[Path] = (), environ: Mapping[str, str] | None = None) -> tuple[Place, ...]:
    """Return the folders in which bundles are looked for by name, first match first; `first` are encoder.search's."""
    environ = os.environ if environ is None else environ
    named = [Path(part) for part in environ.get(VARIABLE, "").split(os.pathsep) if part]
    own = user_folder(environ)
    return (
        *(Place(path, Origin.SETTING) for path in first),
        *(Place(path, Origin.VARIABLE) for path in named),
        *([] if own is None else [Place(own, Origin.USER)]),
        Place(SYSTEM, Origin.SYSTEM),
        Place(_SHARED, Origin.SHARED),
        *(Place(path, Origin.PACKAGE) for path in _packaged()),
        *([Place(_CHECKOUT / "models", Origin.CHECKOUT)] if (_CHECKOUT / "pyproject.toml").is_file() else []),
    )


def _packaged() -> Iterator[Path]:
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        yield Path(folder)

"""Where a daemon that may not write the system's folder keeps its state: in its user's own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.settings.sections import Settings, Transcripts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeasr.settings.load import Loaded

SYSTEM: Final = Settings().outbox.path.parent
_UNDER_SYSTEMD: Final = "STATE_DIRECTORY"  # StateDirectory= has made the folder, and no other may be written


def state_home(environ: Mapping[str, str]) -> Path | None:
    """Return the user's own folder, $XDG_STATE_HOME/edgeasr or ~/.local/state/edgeasr; None without a home."""
    named = Path(environ.get("XDG_STATE_HOME", ""))
    if named.is_absolute():
        return named / "edgeasr"
    home = Path(environ.get("HOME", ""))
    return home / ".local/state/edgeasr" if home.is_absolute() else None


def with_own_state(loaded: Loaded, environ: Mapping[str, str] | None = None, system: Path = SYSTEM) -> Loaded:
    """Return the settings with outbox and transcripts in the user's own folder where `system` cannot be written.

    What somebody has set stays. Mute and the operators' words go where the outbox goes. `origins` tells the reason.
    """
    environ = os.environ if environ is None else environ
    own = state_home(environ)
    if environ.get(_UNDER_SYSTEMD) or own is None or may_write(system) or not may_write(own):
        return loaded
    settings, origins = loaded.settings, dict(loaded.origins)
    why = f"{system} cannot be written"
    if "outbox.path" not in loaded.given:
        settings = replace(settings, outbox=replace(settings.outbox, path=own / settings.outbox.path.name))
        origins["outbox.path"] = why
    if "transcripts.folder" not in loaded.given:
        folder = own / Transcripts().folder.name
        settings = replace(settings, transcripts=replace(settings.transcripts, folder=folder))
        origins["transcripts.folder"] = why
    return replace(loaded, settings=settings, origins=origins)


def state_notice(loaded: Loaded) -> str | None:
    """Return the line that tells of it; None where the state is where it was asked for."""
    if "outbox.path" in loaded.given or loaded.settings.outbox.path.parent == SYSTEM:
        return None
    return f"the state is kept in {loaded.settings.outbox.path.parent}, since {loaded.origins['outbox.path']}"


def may_write(folder: Path) -> bool:
    """Whether this process may make files in a folder, or make the folder first."""
    try:
        while not folder.exists():
            folder = folder.parent
        return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK, effective_ids=True)
    except OSError:  # a folder above cannot even be looked into
        return False

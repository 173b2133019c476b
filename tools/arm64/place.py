"""Where the package runs: on this machine, or in the root folder on an emulated processor."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from edgeasr.bundle import locate
from edgeasr.demo import recordings
from tools.arm64 import finals, patient, probe
from tools.arm64.comparison import Hearing
from tools.arm64.root import USUAL, is_native

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.arm64.root import Root

SECONDS: Final = 3600.0  # for anything that runs here; an emulated machine beside other work takes its time
_NAME: Final = "edgeasr-en"
_MODELS: Final = Path("/usr/share/edgeasr/models")
_SPEECH: Final = Path("/srv/speech")
_PROBE: Final = Path("/srv/probe.py")
_PATIENT: Final = "/srv/patient.py"


class Place(Protocol):
    """A machine that has package, model and recordings."""

    name: str
    bundle: Path
    files: list[Path]
    probe: Path

    def run(self, program: str, *words: str) -> str:
        """Run `edgeasr` or `python`; return what it printed; ends this program where it fails."""

    def command(self, program: str, *words: str) -> Sequence[str]:
        """Return the command line for that."""

    def send(self, path: Path) -> Path:
        """Make a file of this machine known there; return its path there."""

    def fetch(self, path: Path, target: Path) -> None:
        """Copy a file from there."""


class Here:
    """This machine."""

    def __init__(self) -> None:
        self.name = platform.machine()
        self.bundle = locate(_NAME).path
        self.files = [recording.path for recording in recordings()]
        self.probe = Path(probe.__file__)

    def command(self, program: str, *words: str) -> list[str]:
        """Return the command line of this interpreter."""
        return [sys.executable, *(["-m", program] if program == "edgeasr" else []), *words]

    def run(self, program: str, *words: str) -> str:
        """Run it without the caller's settings."""
        environ = {name: text for name, text in os.environ.items() if not name.startswith("EDGEASR__")}
        done = subprocess.run(
            self.command(program, *words),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env=environ,
        )
        if done.returncode:
            raise SystemExit(f"{program} {words[0]} ended with {done.returncode}:\n{done.stderr.strip()}")
        return done.stdout

    def send(self, path: Path) -> Path:
        """Return it as it is."""
        return path

    def fetch(self, path: Path, target: Path) -> None:
        """Move it."""
        path.replace(target)


class There:
    """The root folder; `cpu` is the processor that is emulated."""

    def __init__(self, root: Root, cpu: str = USUAL) -> None:
        self._root, self._cpu = root, cpu
        self.name = "aarch64" if is_native() else cpu
        here = Here()
        self.bundle = _MODELS / _NAME
        self.files = [_SPEECH / path.name for path in here.files]
        self.probe = _PROBE

    def furnish(self) -> None:
        """Copy model, recordings and probe into the root."""
        here = Here()
        self._root.put(here.bundle, str(self.bundle))
        self._root.put(here.files[0].parent, str(_SPEECH))
        self._root.put(here.probe, str(_PROBE))
        self._root.put(Path(patient.__file__), _PATIENT)

    def command(self, program: str, *words: str) -> list[str]:
        """Return the command line that enters the root."""
        return self._root.command(*self._patient(program), *words, cpu=self._cpu)

    def run(self, program: str, *words: str) -> str:
        """Run it in the root."""
        return self._root.run(*self._patient(program), *words, timeout=SECONDS, cpu=self._cpu).stdout

    def _patient(self, program: str) -> list[str]:
        return ["python", _PATIENT] if program == "edgeasr" and not is_native() else [program]

    def send(self, path: Path) -> Path:
        """Copy it into the root."""
        target = Path("/srv") / path.name
        self._root.put(path, str(target))
        return target

    def fetch(self, path: Path, target: Path) -> None:
        """Copy it out of the root."""
        self._root.take(str(path), target)


def transcribe(place: Place) -> Hearing:
    """Transcribe the recordings with the command for files."""
    began = time.monotonic()
    files = [str(path) for path in place.files]
    said = place.run(
        "edgeasr", "transcribe", "--quiet", "--format", "jsonl", "--bundle", str(place.bundle), *files
    )
    return Hearing.of(place.name, said, time.monotonic() - began)


def publish(place: Place, folder: Path) -> list[str]:
    """Let the daemon transcribe the recordings; return its finals as they came over MQTT."""
    values = {
        "encoder.bundle": str(place.bundle),
        "audio.paths": [str(path) for path in place.files],
        "outbox.path": "/tmp/edgeasr-arm64/outbox.sqlite",  # noqa: S108 - of the root, or as good as empty
    }
    return finals.publish(
        values,
        folder / "arm64.toml",
        lambda path: place.command("edgeasr", "run", "--config", str(place.send(path))),
        SECONDS,
    )


def measure(place: Place, out: Path, given: Path | None = None) -> str:
    """Write what the front end and the encoder compute to `out`, and return which kernels do it.

    `given`: another machine's archive.
    """
    there = "-" if given is None else str(place.send(given))
    made = Path("/tmp") / f"{out.stem}.npz"  # noqa: S108 - of the root, or moved from there at once
    said = place.run("python", str(place.probe), str(place.bundle), str(made), there, *map(str, place.files))
    place.fetch(made, out)
    return said.strip()

"""Running commands inside the test's process, and bundles to run them on."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeasr.bundle import locate, write_checksums
from edgeasr.cli import main
from edgeasr.decoder.packed import marked

if TYPE_CHECKING:
    from collections.abc import Callable

SPEECH = Path(__file__).parents[2] / "edgeasr" / "demo" / "speech"


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """Return the one line that an error may be."""
        lines = [line for line in self.err.splitlines() if line.startswith("edgeasr: ")]
        assert len(lines) == 1, self.err
        return lines[0].removeprefix("edgeasr: ")


@pytest.fixture
def edgeasr(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a runner of command lines, which knows no configuration but the given one."""
    for name in [name for name in os.environ if name.startswith("EDGEASR__")]:
        monkeypatch.delenv(name)

    def run(*argv: object) -> Result:
        capfd.readouterr()
        code = main([str(part) for part in argv])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Result(code, out, err)

    return run


def copy(source: Path, target: Path, *own: str) -> Path:
    """Copy a bundle; the files named in `own` may then be changed, the others are links."""
    target.mkdir()
    for file in source.iterdir():
        if file.name not in own:
            try:
                os.link(file.resolve(), target / file.name)
                continue
            except OSError:  # another file system
                pass
        shutil.copy(file, target)
    return target


@pytest.fixture(scope="session")
def copied_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the default bundle, whose lexicon knows its units by name."""
    folder = copy(
        locate("edgeasr-en").path, tmp_path_factory.mktemp("models") / "copied", "lexicon.bin", "SHA256SUMS"
    )
    units, path = (folder / "tokens.txt").read_text().split(), folder / "lexicon.bin"
    path.write_bytes(marked(path.read_bytes(), units))
    write_checksums(folder)
    return folder


@pytest.fixture
def own_bundle(copied_bundle: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of copies to damage."""

    def make(*own: str, name: str = "damaged") -> Path:
        return copy(copied_bundle, tmp_path / name, "SHA256SUMS", *own)

    return make


@pytest.fixture
def speech() -> list[Path]:
    """Return recordings of short sentences."""
    return sorted(SPEECH.glob("*.flac"))

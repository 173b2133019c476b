"""`python -m tools.distribution`: builds wheel and source distribution, looks into both, runs tests from the latter."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).parents[1]
_SECONDS: Final = 1800.0
# What setuptools says of a package that it will build differently, or not at all, some day.
_COMPLAINTS: Final = ("would be ignored", "deprecated", "Deprecat")
# Tests that take a minute and need each kind of file: model, recordings, schemas, units, documents, C.
_SHARE: Final = (
    *("tests/bundle", "tests/transcript", "tests/decoder/test_search.py", "tests/frontend"),
    *(
        "tests/test_docs.py",
        "tests/test_systemd_units.py",
        "tests/test_settings.py",
        "tests/cli/test_program.py",
    ),
)
_USE: Final = """
import edgeasr, sys
from edgeasr.decoder.library import library
from edgeasr.demo import recordings
from edgeasr.transcript import SchemaName, load_schema
assert edgeasr.__file__.startswith(sys.argv[1]), edgeasr.__file__
library()
print(f"{len(recordings())} recordings, {len([load_schema(name) for name in SchemaName])} schemas, the native library")
"""


def main() -> int:
    """Return 0 where both distributions are complete; ends this program with a sentence where not."""
    parser = argparse.ArgumentParser(prog="python -m tools.distribution", description=__doc__)
    parser.add_argument("--folder", type=Path, default=_SOURCE / "build/dist", help="emptied, then filled")
    folder = parser.parse_args().folder.resolve()
    if not (_SOURCE / ".git").exists():
        raise SystemExit(f"{_SOURCE} is no git clone; run this in one")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wheel, archive = _build(folder)
    _examine(wheel)
    _install(wheel, folder / "installed")
    _test(archive, folder / "unpacked")
    return 0


def _build(folder: Path) -> tuple[Path, Path]:
    said = _run("-m", "build", "--outdir", str(folder), str(_SOURCE))
    (folder / "build.log").write_text(said, encoding="utf-8")
    complaints = [line.strip() for line in said.splitlines() if any(word in line for word in _COMPLAINTS)]
    if complaints:
        raise SystemExit(f"setuptools complains ({complaints[0]}); see {folder / 'build.log'}")
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    _run("-m", "twine", "check", "--strict", str(wheel), str(archive))
    for path in (wheel, archive):
        _say(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, twine has no complaint")
    return wheel, archive


def _examine(wheel: Path) -> None:
    """Compare the wheel's names with those of the source's package."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("edgeasr/")}
    native = {name for name in names if name.startswith("edgeasr/decoder/_native.") and name.endswith(".so")}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "edgeasr"],
        cwd=_SOURCE,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    wanted = {name for name in listed if Path(name).parts[:3] != ("edgeasr", "decoder", "native")}
    wanted = {name for name in wanted if (_SOURCE / name).exists()}
    if len(native) != 1 or names - native != wanted:
        odd = sorted((names - native) ^ wanted) or sorted(native)
        raise SystemExit(f"{wheel.name} lacks or should not hold: {', '.join(odd) or 'its native library'}")
    _say(f"{wheel.name}: {len(names)} files, those of the package and its native library")


def _install(wheel: Path, folder: Path) -> None:
    """Use the wheel from a folder of its own, beside the dependencies that are here."""
    _run("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(wheel))
    _say(f"installed: {_run('-c', _USE, str(folder), path=folder).strip()}")


def _test(archive: Path, folder: Path) -> None:
    """Unpack the source distribution in an empty folder, and run a share of its tests as the README has it."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    command = ["make", "-C", str(root), "test", f"ARGS={shlex.join(_SHARE)}"]
    _say(f"{archive.name}: unpacked; {shlex.join(command)}")
    if subprocess.run(command, timeout=_SECONDS, check=False).returncode:
        raise SystemExit(f"tests of {archive.name} fail; see above, and {root}")


def _run(*words: str, path: Path | None = None) -> str:
    """Run Python with these words, outside the source; returns all that it says."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd="/",
        env=None if path is None else {**os.environ, "PYTHONPATH": str(path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"python {shlex.join(words)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

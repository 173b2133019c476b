"""`python -m tools.arm64`: the package built and tried in an aarch64 Bookworm, all else from wheels and Debian."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from edgeasr.bench import table
from tools.arm64 import wheels
from tools.arm64.comparison import differences, numbers
from tools.arm64.place import SECONDS, Here, Place, There, measure, publish, transcribe
from tools.arm64.root import Root, is_native

if TYPE_CHECKING:
    from tools.arm64.comparison import Hearing

_SOURCE: Final = Path(__file__).parents[2]
_CPUS: Final = ("cortex-a72", "cortex-a76")  # of a Raspberry Pi 4 and 5
_WHENCE: Final = (
    "import platform, pyaudio, systemd.journal as j; print(platform.machine(), pyaudio.__file__, j.__file__)"
)
# The tags of installed wheels, from which one sees what was built on the spot: a downloaded one names a manylinux.
_BUILT: Final = """
from importlib.metadata import distributions
for one in distributions(path=[__import__("sysconfig").get_path("purelib")]):
    if any(line.startswith("Tag:") and "-linux_" in line for line in (one.read_text("WHEEL") or "").splitlines()):
        print(one.name)
"""
_console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Return 0 where each processor hears the same words as this machine."""
    parser = argparse.ArgumentParser(prog="python -m tools.arm64", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=_SOURCE / "build", help="where root and wheels are kept"
    )
    parser.add_argument("--cpu", action="append", help=f"processor to emulate; default: {', '.join(_CPUS)}")
    parser.add_argument("--fresh", action="store_true", help="make the root anew")
    args = parser.parse_args()
    folder = args.folder.resolve()
    root = _prepare(folder, fresh=args.fresh)
    _examine(root)
    here = Here()
    _say(f"transcribing on this machine, {here.name}")
    heard, told = transcribe(here), publish(here, folder)
    fine = _compare_runs(heard, transcribe(here))
    measured = folder / "probe-here.npz"
    kernels = measure(here, measured)
    _say(f"the encoder's kernels: {kernels}")
    for cpu in _CPUS[:1] if is_native() else args.cpu or _CPUS:
        there = There(root, cpu)
        _say(f"\ntranscribing on {there.name}")
        fine = _compare_numbers(measured, kernels, there, folder) and fine
        fine = _compare_words(heard, transcribe(there)) and fine
        fine = _compare_finals(told, publish(there, folder)) and fine
    _say("\nthe same words everywhere" if fine else "\nNOT the same words everywhere")
    return 0 if fine else 1


def _prepare(folder: Path, *, fresh: bool) -> Root:
    """Have root, wheels, model and recordings in place."""
    root = Root(folder / "arm64-root")
    if fresh or not root.is_made:
        _say("making a root folder of Debian Bookworm for aarch64 (some minutes)")
        root.make(folder / "arm64-root.log")
    _say("gathering wheels for aarch64: what the package needs, to run and to be built")
    wheels.gather(_SOURCE, folder / "arm64-wheels")
    is_new = wheels.install(root, _SOURCE, folder / "arm64-wheels")
    _say("installed in the root, the package built there" if is_new else "the same is installed in the root")
    There(root).furnish()
    return root


def _examine(root: Root) -> None:
    """Say what there is in the root; ends this program where more than the package had to be compiled."""
    built = root.run("python", "-c", _BUILT, timeout=SECONDS).stdout.split()
    if built != ["edgeasr"]:
        raise SystemExit(f"in {root.folder} {', '.join(built) or 'nothing'} was compiled, not edgeasr alone")
    machine, *debian = root.run("python", "-c", _WHENCE, timeout=SECONDS).stdout.split()
    frozen = root.run("python", "-m", "pip", "freeze", "--local", timeout=SECONDS).stdout.split("\n")
    _say(f"in the root: {machine}\n  compiled there: edgeasr alone\n  from Debian: {', '.join(debian)}")
    _say(f"  from wheels: {', '.join(line.partition(' @')[0] for line in frozen if line)}")
    verified = root.run("edgeasr", "models", "verify", "edgeasr-en", timeout=SECONDS).stdout.strip()
    _say(f"  {verified}")


def _compare_runs(first: Hearing, second: Hearing) -> bool:
    """Whether two runs on one machine come out alike to the last digit, so that chance has no part in the rest."""
    found = differences(first, second)
    apart = max(one.confidence for one in found)
    _say(
        f"two runs on this machine: {sum(one.differing for one in found)} of {sum(one.words for one in found)} "
        f"words differ, confidences by {apart:.3f} at most"
    )
    return not apart and all(one.is_none for one in found)


def _compare_words(here: Hearing, there: Hearing) -> bool:
    found = differences(here, there)
    rows = [
        (
            one.file,
            str(one.words),
            str(one.differing),
            f"{one.confidence:.3f}",
            "yes" if one.is_none else "NO",
        )
        for one in found
    ]
    heads = ("recording", "words", "that differ", "largest step of a confidence", "text the same")
    _say(table(heads, rows))
    for one in found:
        if not one.is_none:
            _say(f"{one.file}\n  {here.machine}: {one.here!r}\n  {there.machine}: {one.there!r}")
    for one in (here, there):
        _say(
            f"{one.machine}: {one.rtf:.3f} CPU seconds per second of audio, {one.wall_seconds:.1f} s with the start"
        )
    return all(one.is_none for one in found)


def _compare_finals(here: list[str], there: list[str]) -> bool:
    same = here == there
    _say(
        f"finals of the daemon over MQTT: {len(here)} and {len(there)}, {'the same' if same else 'NOT the same'}"
    )
    if not same:
        _say(
            "\n".join(
                f"  {one!r}\n  {other!r}" for one, other in zip(here, there, strict=False) if one != other
            )
        )
    return same


def _compare_numbers(measured: Path, here: str, there: Place, folder: Path) -> bool:
    """Hold what the encoder computes against this machine's; whether the same kernels did it."""
    out = folder / "probe-there.npz"
    kernels = measure(there, out, measured)
    apart = numbers(measured, out)
    _say(
        f"the encoder's kernels: {kernels}\nfront end, same samples: features differ by {apart.features:.2g} at most\n"
        f"encoder, same features: {apart.differing:.1%} of {apart.count} rows differ, "
        f"by {apart.rows:.2g} at most; another unit is the likeliest in {apart.likeliest}\n"
    )
    return kernels == here


def _say(text: str) -> None:
    _console.print(text, markup=False)


if __name__ == "__main__":
    sys.exit(main())

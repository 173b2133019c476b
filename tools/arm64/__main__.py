"""`python -m tools.arm64`: the package in an aarch64 Debian Bookworm, from wheels and Debian packages alone."""

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
from tools.arm64.root import COMPILERS, Root, is_native

if TYPE_CHECKING:
    from tools.arm64.comparison import Hearing

_SOURCE: Final = Path(__file__).parents[2]
_CPUS: Final = ("cortex-a72", "cortex-a76")  # of a Raspberry Pi 4 and 5
_WHENCE: Final = (
    "import platform, pyaudio, systemd.journal as j; print(platform.machine(), pyaudio.__file__, j.__file__)"
)
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
    _tell_chance(heard, transcribe(here))
    measured = folder / "probe-here.npz"
    kernels = measure(here, measured)
    _say(f"the encoder's kernels: {kernels}")
    fine = True
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
    _say("gathering wheels: the package's own, and for aarch64 what it needs")
    own = wheels.gather(_SOURCE, folder / "arm64-wheels")
    is_new = wheels.install(root, folder / "arm64-wheels", own)
    _say("installed in the root from these alone" if is_new else "the same ones are installed in the root")
    There(root).furnish()
    return root


def _examine(root: Root) -> None:
    """Say what there is in the root; ends this program where there is a compiler or something is missing."""
    folders = [root.folder / place for place in ("usr/bin", "usr/local/bin", "opt/edgeasr/bin")]
    found = [name for name in COMPILERS for folder in folders if (folder / name).exists()]
    if found:
        raise SystemExit(f"{root.folder} has a compiler ({', '.join(found)}): make it anew with --fresh")
    machine, *debian = root.run("python", "-c", _WHENCE, timeout=SECONDS).stdout.split()
    frozen = root.run("python", "-m", "pip", "freeze", "--local", timeout=SECONDS).stdout.split("\n")
    _say(f"in the root: {machine}, no compiler\n  from Debian: {', '.join(debian)}")
    _say(f"  from wheels: {', '.join(line.partition(' @')[0] for line in frozen if line)}")
    verified = root.run("edgeasr", "models", "verify", "edgeasr-en", timeout=SECONDS).stdout.strip()
    _say(f"  {verified}")


def _tell_chance(first: Hearing, second: Hearing) -> None:
    """Say how far two runs on one machine are apart: the search breaks ties by where its hypotheses lie in memory."""
    found = differences(first, second)
    _say(
        f"two runs on this machine: {sum(one.differing for one in found)} of {sum(one.words for one in found)} "
        f"words differ, confidences by {max(one.confidence for one in found):.3f} at most"
    )


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

"""`python -m tools.endurance.counting`: counts instructions a second of audio, and writes `counts.toml`.

In the root folder of `tools.arm64` (made by `make test-arm64`, here if need be), with QEMU's user mode in its dynamic
build (Debian: qemu-user), which takes plug-ins, and gcc for the plug-in. Some minutes a processor.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tools.arm64 import wheels
from tools.arm64.place import There
from tools.arm64.root import Root, as_root
from tools.endurance.counting import counted
from tools.endurance.counts import FILE

_HERE: Final = Path(__file__).parent
_SOURCE: Final = Path(__file__).parents[3]
_PROCESSORS: Final = ("cortex-a72", "cortex-a76", "cortex-a53")
_MODES: Final = ("beam", "greedy")
_EMULATOR: Final = "qemu-aarch64"
_PLACE: Final = "/srv/counting"
_SECONDS: Final = 3600.0


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(prog="python -m tools.endurance.counting", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=_SOURCE / "build", help="where root and wheels are kept"
    )
    parser.add_argument("--cpu", action="append", choices=_PROCESSORS, help="count on this one alone")
    parser.add_argument("--recordings", type=int, default=10, help="of the demo's to count (default: all 10)")
    parser.add_argument(
        "--mode", action="append", choices=_MODES, help="count this search alone, and write nothing"
    )
    parser.add_argument("--out", type=Path, default=FILE, help="default: %(default)s")
    args = parser.parse_args()
    root = _prepare(args.folder.resolve())
    if args.mode:
        for cpu in args.cpu or _PROCESSORS:
            for mode in args.mode:
                print(cpu, mode, _count(root, cpu, mode, args.recordings), flush=True)
        return
    lines = [
        "# Instructions a second of audio, counted by python -m tools.endurance.counting.",
        "# silence: front end and voice activity; beam, greedy: while the gate is open; encoder: its part of them.",
    ]
    for cpu in args.cpu or _PROCESSORS:
        beam, greedy = (_count(root, cpu, mode, args.recordings) for mode in _MODES)
        lines += [
            "",
            f"[processor.{cpu}]",
            f"silence = {beam['silence']:.0f}",
            f"beam = {beam['speech']:.0f}",
        ]
        lines += [f"greedy = {greedy['speech']:.0f}", f"encoder = {beam['encoder']:.0f}"]
        print("\n".join(lines[-5:]), flush=True)
    args.out.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _prepare(folder: Path) -> Root:
    """Have root, package, model, recordings, emulator, plug-in and program in place."""
    emulator = shutil.which(_EMULATOR)
    if emulator is None:
        raise SystemExit(
            f"there is no {_EMULATOR}: run apt-get install qemu-user (the static one takes no plug-ins)"
        )
    root = Root(folder / "arm64-root")
    if not root.is_made:
        root.make(folder / "arm64-root.log")
    wheels.gather(_SOURCE, folder / "arm64-wheels")
    wheels.install(root, _SOURCE, folder / "arm64-wheels")
    There(root).furnish()
    with tempfile.TemporaryDirectory(prefix="edgeasr-counting-") as name:
        made = Path(name)
        compile_plugin(made / "counter.so")
        shutil.copyfile(counted.__file__, made / "counted.py")
        shutil.copy(emulator, made / _EMULATOR)
        root.put(made, _PLACE)
    # The emulator is this machine's own program; its libraries lie in folders that the root does not use.
    for library in libraries(Path(emulator)):
        root.put(library, str(library))
    return root


def compile_plugin(path: Path) -> None:
    """Build the plug-in for this machine's emulator."""
    command = [
        "gcc",
        "-shared",
        "-fPIC",
        "-O2",
        "-Wall",
        "-Wextra",
        "-o",
        str(path),
        str(_HERE / "counter.c"),
    ]
    subprocess.run(command, check=True, timeout=_SECONDS)


def libraries(program: Path) -> list[Path]:
    """Return the libraries of a program, the loader included."""
    told = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True, timeout=60)
    words = [word for line in told.stdout.splitlines() for word in line.split()]
    return [Path(word) for word in words if word.startswith("/")]


def _count(root: Root, cpu: str, mode: str, recordings: int) -> dict[str, float]:
    """Return instructions a second: `silence`, `speech` and of that `encoder`."""
    there = There(root, cpu)
    out = f"{_PLACE}/{cpu}-{mode}.txt"
    plugin = f"{_PLACE}/counter.so,out={out}"
    emulated = [f"{_PLACE}/{_EMULATOR}", "-cpu", cpu, "-plugin", plugin]
    program = ["/opt/edgeasr/bin/python", f"{_PLACE}/counted.py", str(there.bundle), mode]
    threads = ["OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1"]
    command = ["env", *threads, *emulated, *program, *map(str, there.files[:recordings])]
    said = root.run(*command, timeout=_SECONDS, cpu=cpu).stdout
    fed = json.loads(said.splitlines()[-1])
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(as_root(["cp", f"{root.folder}{out}", file.name]), check=True, timeout=60)
        marks = Path(file.name).read_text(encoding="ascii")
    print(f"{cpu}, {mode}: {fed}", flush=True)
    return rates(marks, fed)


def rates(marks: str, fed: dict[str, Any]) -> dict[str, float]:
    """Return instructions a second from lines `mark count` and the seconds of each phase."""
    told = [(int(mark), int(count)) for mark, count in (line.split() for line in marks.splitlines())]
    at = {
        mark: count
        for mark, count in told
        if mark in {counted.BEGIN_SILENCE, counted.BEGIN_SPEECH, counted.END}
    }
    quiet = at[counted.BEGIN_SPEECH] - at[counted.BEGIN_SILENCE]
    spoken = at[counted.END] - at[counted.BEGIN_SPEECH]
    # Two equations: in each phase the gate is shut for some of the time, which costs what silence does, and open for
    # the rest, which costs what speech does.
    shut, opened = fed["silence"] - fed["silence_open"], fed["silence_open"]
    shut_amid, spoken_amid = fed["speech"] - fed["open"], fed["open"]
    both = shut * spoken_amid - opened * shut_amid
    silence = (quiet * spoken_amid - opened * spoken) / both
    speech = (shut * spoken - shut_amid * quiet) / both
    inside = 0
    for (mark, begin), (following, end) in pairwise(told):
        if mark == counted.ENTER and following == counted.LEAVE and begin >= at[counted.BEGIN_SPEECH]:
            inside += end - begin
    return {"silence": silence, "speech": speech, "encoder": inside / fed["open"]}


if __name__ == "__main__":
    main()

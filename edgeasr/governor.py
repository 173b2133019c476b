"""The CPU's frequency governor, set by a privileged helper so that the daemon need not be root, and put back.

`python -m edgeasr.governor set performance --state FILE` remembers in FILE what was there before, which
`… restore --state FILE` puts back. `… follow --wish FILE` sets what the daemon has written into a file. Needs nothing
but the standard library: it runs as root.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.kernel import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

STATE = Path("/run/edgeasr-governor/before.json")
WISHES = "governor"  # file in the daemon's own runtime directory
ECONOMY = ("schedutil", "ondemand", "conservative", "powersave")  # the first that a core offers
_CPUS = "sys/devices/system/cpu"
_POLICIES = "cpu[0-9]*/cpufreq/scaling_governor"
_LONGEST = 16  # characters of a governor's name in the kernel (CPUFREQ_NAME_LEN)


class Wish(Enum):
    """What the daemon may ask for."""

    PERFORMANCE = "performance"
    ECONOMY = "economy"
    LEAVE = "leave"


def governors(root: Path) -> dict[str, str]:
    """Return the governor of each core that has one, `cpu0` and so on."""
    found = {}
    for file in listed(root / _CPUS, _POLICIES):
        try:
            found[file.parts[-3]] = file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue  # a core that was switched off meanwhile
    return found


def set_governor(root: Path, wanted: str, state: Path) -> list[str]:
    """Set all cores that offer it; returns a sentence for each that does not take it.

    What was there before is written to `state` first, unless an earlier run that was never put back did so.
    """
    before = governors(root)
    if not before:
        return ["the kernel offers no governor here; nothing is changed"]
    _remember(before, state)
    return _write(root, dict.fromkeys(before, wanted))


def follow_wish(root: Path, wish: Path, state: Path) -> list[str]:
    """Set what the file `wish` asks for, or put back what was there before; returns a sentence for each refusal.

    The file belongs to an unprivileged user: it is read as one word out of three, and never through a link.
    """
    wanted = read_wish(wish)
    if wanted is None:
        return [f"{wish} holds no wish; the governors stay as they are"]
    if wanted is Wish.LEAVE:
        return restore_governor(root, state)
    before = governors(root)
    if before:
        _remember(before, state)
    if wanted is Wish.PERFORMANCE:
        return _write(root, dict.fromkeys(before, wanted.value))
    return _write(root, {cpu: _first_offered(root, cpu) for cpu in before})


def read_wish(file: Path) -> Wish | None:
    """Return the wish in a file; None where it is missing, no file or holds something else."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return Wish(os.read(descriptor, 2 * _LONGEST).decode("ascii", "replace").strip())
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def restore_governor(root: Path, state: Path) -> list[str]:
    """Put back what `state` remembers, and forget it; returns a sentence for each core that does not take it."""
    try:
        before = json.loads(state.read_text(encoding="ascii"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        before = None
    state.unlink(missing_ok=True)
    if not isinstance(before, dict):
        return [f"{state} does not hold what was there before; the governors stay as they are"]
    known = governors(root)  # never a path out of a file's text
    return _write(root, {cpu: name for cpu, name in before.items() if cpu in known and _is_name(name)})


def _remember(before: dict[str, str], state: Path) -> None:
    if not state.exists():
        state.write_text(json.dumps(before), encoding="ascii")


def _offered(root: Path, cpu: str) -> list[str]:
    try:
        file = root / _CPUS / cpu / "cpufreq/scaling_available_governors"
        return file.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


def _first_offered(root: Path, cpu: str) -> str:
    offered = _offered(root, cpu)
    return next((name for name in ECONOMY if name in offered), ECONOMY[0])


def _write(root: Path, wanted: dict[str, str]) -> list[str]:
    faults = []
    for cpu, name in wanted.items():
        folder = root / _CPUS / cpu / "cpufreq"
        offered = _offered(root, cpu) or [name]
        if name not in offered:
            faults.append(f"{cpu} does not offer {name}, only {', '.join(offered) or 'none'}")
            continue
        try:
            (folder / "scaling_governor").write_text(f"{name}\n", encoding="ascii")
        except OSError as error:
            faults.append(f"{cpu} does not take {name} ({error.strerror})")
    return faults


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) < _LONGEST and value.replace("_", "").isalnum()


def main(argv: Sequence[str] | None = None) -> int:
    """Set, follow or restore; a kernel that refuses is told and no failure, since the daemon goes on without."""
    parser = argparse.ArgumentParser(prog="python -m edgeasr.governor", description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    change = actions.add_parser("set", help="set a governor and remember the one before")
    change.add_argument(
        "governor", choices=("performance", "schedutil", "ondemand", "conservative", "powersave")
    )
    back = actions.add_parser("restore", help="put the one before back")
    follow = actions.add_parser("follow", help="set what the daemon wishes")
    follow.add_argument("--wish", type=Path, required=True, help="the daemon's file")
    for action in (change, back, follow):
        action.add_argument(
            "--state", type=Path, default=STATE, help="file that remembers (default: %(default)s)"
        )
        action.add_argument("--root", type=Path, default=Path("/"), help="where /sys is")
    args = parser.parse_args(argv)
    try:
        if args.action == "set":
            faults = set_governor(args.root, args.governor, args.state)
        elif args.action == "follow":
            faults = follow_wish(args.root, args.wish, args.state)
        else:
            faults = restore_governor(args.root, args.state)
    except OSError as error:
        sys.stderr.write(f"edgeasr: {args.state} cannot be written ({error.strerror}); run this as root\n")
        return 1
    for fault in faults:
        sys.stderr.write(f"edgeasr: {fault}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

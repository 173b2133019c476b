"""The CPU's frequency governor, set by a privileged helper so that the daemon need not be root, and put back.

`python -m edgeasr.governor set performance --state FILE` remembers in FILE what was there before, which
`… restore --state FILE` puts back. Needs nothing but the standard library: it runs as root.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STATE = Path("/run/edgeasr-governor/before.json")
_CPUS = "sys/devices/system/cpu"
_POLICIES = "cpu[0-9]*/cpufreq/scaling_governor"
_LONGEST = 16  # characters of a governor's name in the kernel (CPUFREQ_NAME_LEN)


def governors(root: Path) -> dict[str, str]:
    """Return the governor of each core that has one, `cpu0` and so on."""
    found = {}
    for file in sorted((root / _CPUS).glob(_POLICIES)):
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
    if not state.exists():
        state.write_text(json.dumps(before), encoding="ascii")
    return _write(root, dict.fromkeys(before, wanted))


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


def _write(root: Path, wanted: dict[str, str]) -> list[str]:
    faults = []
    for cpu, name in wanted.items():
        folder = root / _CPUS / cpu / "cpufreq"
        try:
            offered = (folder / "scaling_available_governors").read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError):
            offered = [name]
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
    """Set or restore; a kernel that refuses is told and no failure, since the daemon goes on without."""
    parser = argparse.ArgumentParser(prog="python -m edgeasr.governor", description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    change = actions.add_parser("set", help="set a governor and remember the one before")
    change.add_argument(
        "governor", choices=("performance", "schedutil", "ondemand", "conservative", "powersave")
    )
    back = actions.add_parser("restore", help="put the one before back")
    for action in (change, back):
        action.add_argument(
            "--state", type=Path, default=STATE, help="file that remembers (default: %(default)s)"
        )
        action.add_argument("--root", type=Path, default=Path("/"), help="where /sys is")
    args = parser.parse_args(argv)
    try:
        if args.action == "set":
            faults = set_governor(args.root, args.governor, args.state)
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

"""Switching the machine off through logind, as its own user; docs/battery.md has the rule that allows it."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

_SECONDS: Final = 10.0
_CALL: Final = (
    "call",
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
    "PowerOff",
    "b",
    "false",  # no questions: nobody is there
)
_MEND: Final = "install systemd/50-edgeasr-power-off.rules into /etc/polkit-1/rules.d, and polkitd"


def power_off(command: str = "busctl") -> str | None:
    """Ask logind to switch the machine off; return a sentence where it does not."""
    program = shutil.which(command)
    if program is None:
        return f"the machine cannot be switched off, since there is no {command}: install systemd"
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [program, "--system", *_CALL], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"logind has not answered for {_SECONDS:g} s: see `systemctl status systemd-logind`"
    except OSError as error:
        return f"the machine cannot be switched off ({error.strerror}): run it under systemd"
    if done.returncode == 0:
        return None
    why = (done.stderr or done.stdout).strip().splitlines()
    return f"logind does not switch the machine off ({why[-1] if why else 'no reason given'}): {_MEND}"

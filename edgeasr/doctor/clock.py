"""Whether the time of day can be trusted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edgeasr.daemon.clock import clock_state
from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.transcript import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine

_EARLIEST = 1_735_689_600.0  # 2025, before which this program did not exist
_MARK = "run/systemd/timesync/synchronized"  # touched by systemd-timesyncd(8)


def check(machine: Machine) -> Iterator[Finding]:
    """Ask the kernel and the time service; without a clock that runs on a battery the time is wrong after each boot."""
    if machine.live and time.time() < _EARLIEST:
        yield Finding(
            Area.CLOCK,
            Level.WARNING,
            f"the clock says {time.strftime('%Y-%m-%d', time.gmtime())}, which is past",
            "connect to a time server: `timedatectl set-ntp true`; certificates are refused until then",
        )
    if machine.path(_MARK).exists() or (machine.live and clock_state() is Clock.SYNCED):
        yield Finding(Area.CLOCK, Level.OK, "synchronised")
        return
    has_battery = any(machine.path("sys/class/rtc").glob("rtc*"))
    also = "" if has_battery else ", and no clock runs while the power is off"
    yield Finding(
        Area.CLOCK,
        Level.WARNING,
        f"the clock is not synchronised{also}; events say `clock: boot`",
        "`timedatectl set-ntp true` and see `timedatectl timesync-status`; the network must reach a time server",
    )

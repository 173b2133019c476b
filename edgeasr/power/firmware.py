"""What a Raspberry Pi's firmware says of supply and heat: throttling bits by /sys or by its mailbox, and an alarm.

Bits: raspberrypi.com/documentation/computers/os.html#get_throttled. Kernels put the attribute in different places, and
some have none; then the mailbox /dev/vcio answers (github.com/raspberrypi/firmware/wiki/Mailbox-property-interface).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgeasr.power.sources.sysfs import number, text
from edgeasr.safefile import read_bytes

NOW: Final = 0xF  # the bits of now; the same 16 higher are since boot
UNDER_VOLTAGE: Final = 0x1

PLACES: Final = (
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
)
_PATTERN: Final = "sys/devices/platform/*/*firmware/get_throttled"
_MAILBOX: Final = "dev/vcio"
_PROPERTY: Final = 0xC0086400  # _IOWR(100, 0, char *)
_GET_THROTTLED: Final = 0x00030046
_GENCMD: Final = 0x00030080
_RESPONSE: Final = 0x80000000
_GENCMD_BYTES: Final = 1024
_ALARM: Final = "rpi_volt"


@dataclass(frozen=True, slots=True)
class Throttling:
    """The bits, None where nothing tells; `alarm`: the voltage monitor's alarm, None where there is no monitor."""

    bits: int | None = None
    alarm: bool | None = None

    @property
    def is_known(self) -> bool:
        """Whether anything watches the supply here."""
        return self.bits is not None or self.alarm is not None

    @property
    def under_voltage(self) -> bool | None:
        """Whether the voltage is too low right now; None where it is not known."""
        if not self.is_known:
            return None
        return bool((self.bits or 0) & UNDER_VOLTAGE) or bool(self.alarm)

    @property
    def is_limited(self) -> bool | None:
        """Whether voltage or heat hold the clock rate down right now; None where it is not known."""
        return None if self.bits is None else bool(self.bits & NOW)


def throttling(root: Path = Path("/"), *, ask: bool = True) -> Throttling:
    """Ask whatever tells here: both known places in /sys, others like them, the voltage monitor, the mailbox.

    `ask`: open the mailbox too, which is a device; without it only files are read.
    """
    bits = _bits(root)
    if bits is None and ask:
        bits = _mailbox_bits(root)
    return Throttling(bits, voltage_alarm(root))


def voltage_alarm(root: Path = Path("/")) -> bool | None:
    """Return raspberrypi-hwmon's alarm of low voltage, None where the driver is not there."""
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if text(folder / "name") == _ALARM:
            alarm = number(folder / "in0_lcrit_alarm")
            if alarm is not None:
                return bool(alarm)
    return None


def supply_limit(root: Path = Path("/")) -> float | None:
    """Return the amperes that a Pi 5's supply has promised (USB-PD), None on other boards."""
    with contextlib.suppress(OSError):
        told = read_bytes(root / "proc/device-tree/chosen/power/max_current", 64)
        if len(told) == 4:  # a cell of the device tree, big-endian (raspberrypi/linux#6257)
            return int.from_bytes(told, "big") / 1000.0
    return None


def gencmd(command: str, root: Path = Path("/")) -> str | None:
    """Return what `vcgencmd` would print, by the mailbox; None where there is none or it refuses. May hang."""
    text_bytes = command.encode("ascii")
    buffer = bytearray(struct.pack("<6I", 24 + _GENCMD_BYTES + 4, 0, _GENCMD, _GENCMD_BYTES, 0, 0))
    buffer += text_bytes.ljust(_GENCMD_BYTES, b"\0") + bytes(4)
    answer = _call(root, buffer)
    if answer is None or struct.unpack_from("<I", answer, 20)[0] != 0:
        return None
    return answer[24 : 24 + _GENCMD_BYTES].split(b"\0", 1)[0].decode("ascii", "replace")


def _bits(root: Path) -> int | None:
    places = [root / place for place in PLACES]
    places += [place for place in sorted(root.glob(_PATTERN)) if place not in places]
    for place in places:
        bits = number(place, 16)
        if bits is not None and 0 <= bits <= 0xFFFFFFFF:
            return bits
    return None


def _mailbox_bits(root: Path) -> int | None:
    buffer = bytearray(struct.pack("<7I", 28, 0, _GET_THROTTLED, 4, 0, 0, 0))
    answer = _call(root, buffer)
    if answer is None or not struct.unpack_from("<I", answer, 16)[0] & _RESPONSE:
        return None
    return int(struct.unpack_from("<I", answer, 20)[0])


def _call(root: Path, buffer: bytearray) -> bytearray | None:
    """Pass a property buffer to the firmware; None where that is not possible."""
    try:
        descriptor = os.open(root / _MAILBOX, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
            return None
        fcntl.ioctl(descriptor, _PROPERTY, buffer, True)
        return buffer if struct.unpack_from("<I", buffer, 4)[0] == _RESPONSE else None
    except OSError:
        return None
    finally:
        os.close(descriptor)

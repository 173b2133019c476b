"""What the firmware of a Raspberry Pi says about its supply and its temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.power.firmware import PLACES, throttling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine

_MODEL = "proc/device-tree/model"
_TEMPERATURE = "sys/class/thermal/thermal_zone0/temp"
_HOT = 80.0  # degrees Celsius, from which a Pi lowers its clock rate
_SUPPLY = "use the supply made for this board, a short cable, and a powered hub for USB devices"
_COOLING = "give it a heat sink, a fan or air"
_EITHER = f"too little voltage or too much heat: {_SUPPLY}, or {_COOLING}"
# bit: what it means, mend; 16 above is the same since boot
# (https://www.raspberrypi.com/documentation/computers/os.html#get_throttled)
_MEANINGS = {
    0: ("the supply's voltage is too low", _SUPPLY),
    1: ("the clock rate is capped", _EITHER),
    2: ("the firmware throttles the CPU", _EITHER),
    3: ("the soft temperature limit is reached", _COOLING),
}
_SINCE_BOOT = 16


def check(machine: Machine) -> Iterator[Finding]:
    """Decode the throttling bits, now and since boot, and read the temperature."""
    yield from _throttling(machine)
    milli = machine.number(_TEMPERATURE)
    if milli is not None and milli / 1000 >= _HOT:
        yield Finding(Area.POWER, Level.WARNING, f"the CPU is at {milli / 1000:.0f} °C", _COOLING)
    elif milli is not None:
        yield Finding(Area.POWER, Level.OK, f"the CPU is at {milli / 1000:.0f} °C")


def _throttling(machine: Machine) -> Iterator[Finding]:
    place = next((place for place in PLACES if machine.read(place) is not None), None)
    if place is not None and machine.number(place, 16) is None:
        text = (machine.read(place) or "nothing")[:20]
        yield Finding(
            Area.POWER,
            Level.WARNING,
            f"the firmware's throttling bits read {text!r}, which is no number",
            "update the firmware: `sudo apt-get full-upgrade`",
        )
        return
    told = throttling(machine.root, ask=machine.live)
    if told.bits is None and told.alarm is None:
        yield _unwatched(machine)
        return
    if told.alarm:
        yield Finding(Area.POWER, Level.WARNING, "the supply's voltage is too low right now", _SUPPLY)
    if told.bits is None:
        if not told.alarm:
            text = "the voltage monitor raises no alarm; whether the clock is throttled is not known"
            yield Finding(Area.POWER, Level.OK, text)
        return
    if not told.bits and not told.alarm:
        yield Finding(Area.POWER, Level.OK, "no under-voltage and no throttling since boot")
    for bit, (meaning, mend) in _MEANINGS.items():
        if told.bits >> bit & 1:
            yield Finding(Area.POWER, Level.WARNING, f"{meaning} right now", mend)
        elif told.bits >> bit + _SINCE_BOOT & 1:
            yield Finding(Area.POWER, Level.NOTE, f"since boot, though not now: {meaning}", mend)


def _unwatched(machine: Machine) -> Finding:
    if "Raspberry Pi" in (machine.read(_MODEL) or ""):
        return Finding(
            Area.POWER,
            Level.NOTE,
            "whether the supply's voltage is high enough is not known here",
            "let the service's user into the group video, which may ask the firmware through /dev/vcio",
        )
    return Finding(Area.POWER, Level.OK, "no firmware of a Raspberry Pi watches the supply here")

"""Heat, a weak supply, a low battery, and processes that had to be replaced: told as events, once each time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgeasr.daemon.messages import Messenger
    from edgeasr.daemon.sensors import Sensors
    from edgeasr.settings import Quality

_LOOK_SECONDS: Final = 10.0
_PAUSE: Final = 60.0  # seconds between two alarms of a kind that comes and goes
_COOLER: Final = 5.0  # degrees below the limit at which the heat is over
_FULLER: Final = 5.0  # percent above the limit at which a battery is no longer low
_CRITICAL: Final = 0.5  # part of the limit below which it is nearly empty
_LOW_VOLTAGE: Final = 0x1  # the firmware's throttling bits of now …
_HOT: Final = 0x4 | 0x8  # … slowed down for heat, or about to be
_SINCE_BOOT: Final = 16  # by so many bits to the left: at some time since boot


class _Alarm:
    """On or off; what comes and goes is told once a minute at most, and each end only where its beginning was."""

    def __init__(self) -> None:
        self.is_on = False
        self._told = False
        self._next = float("-inf")

    def turn(self, *, on: bool, now: float) -> bool:
        """Set it; whether that is to be told."""
        if on is self.is_on:
            return False
        self.is_on = on
        if not on:
            told, self._told = self._told, False
            return told
        self._told = now >= self._next
        if self._told:
            self._next = now + _PAUSE
        return self._told


class Alarms:
    """Looks at the sensors every ten seconds; `look` may be called at every turn of the loop.

    `battery` returns the percent left while a battery feeds the device. Heat is what `quality.temperature` says, or the
    firmware; its history from before the start is not told.
    """

    def __init__(
        self,
        sensors: Sensors,
        messenger: Messenger,
        clock: Callable[[], float] = time.monotonic,
        battery: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._sensors, self._messenger, self._clock, self._battery = sensors, messenger, clock, battery
        self._heat, self._supply = _Alarm(), _Alarm()
        self._low, self._critical = _Alarm(), _Alarm()
        self._dips = (sensors.throttling() or 0) >> _SINCE_BOOT & _LOW_VOLTAGE
        self._replaced: dict[str, int] = {}
        self._next = clock()

    def look(self, how: Quality, replaced: Mapping[str, int]) -> None:
        """Tell what has changed. `replaced`: how many processes of each kind were started in place of others."""
        for worker, count in replaced.items():
            if count > self._replaced.get(worker, 0):
                self._replaced[worker] = count
                self._tell_replaced(worker, count)
        now = self._clock()
        if now >= self._next:
            self._next = now + _LOOK_SECONDS
            bits = self._sensors.throttling() or 0
            self._look_at_heat(how.temperature, bits, now)
            self._look_at_supply(bits, now, alarm=self._sensors.voltage_alarm())
            self._look_at_battery(how.battery, now)

    def _look_at_heat(self, limit: float, bits: int, now: float) -> None:
        readings = self._sensors.temperatures()
        name, celsius = max(readings.items(), key=lambda pair: pair[1], default=("soc", None))
        reached = limit - _COOLER if self._heat.is_on else limit
        on = bool(bits & _HOT) or (celsius is not None and celsius >= reached)
        if not self._heat.turn(on=on, now=now):
            return
        degrees = "" if celsius is None else f" ({name}: {celsius:.1f} °C)"
        text = (
            f"the machine is too hot{degrees}: give it air, shade or a fan" if on else f"cool again{degrees}"
        )
        details = {"sensor": name, "celsius": celsius, "throttling": bits}
        self._messenger.event("thermal", "warning" if on else "info", text, details)

    def _look_at_supply(self, bits: int, now: float, *, alarm: bool) -> None:
        dips, self._dips = self._dips, bits >> _SINCE_BOOT & _LOW_VOLTAGE
        is_new = self._dips > dips  # over before anybody looked
        on = bool(bits & _LOW_VOLTAGE) or alarm
        if self._supply.turn(on=on or is_new, now=now):
            text = "the supply's voltage is too low: use the supply made for this board, and a short cable"
            if not self._supply.is_on:
                text = "the supply's voltage is high enough again"
            severity = "warning" if self._supply.is_on else "info"
            self._messenger.event("under_voltage", severity, text, {"throttling": bits})

    def _look_at_battery(self, limit: float, now: float) -> None:
        percent = self._battery()
        levels = (
            (self._low, "battery_low", "warning", limit),
            (self._critical, "battery_critical", "error", limit * _CRITICAL),
        )
        for alarm, name, severity, most in levels:
            reached = most + _FULLER if alarm.is_on else most
            if alarm.turn(on=percent is not None and percent <= reached, now=now):
                left = "is not discharged any more" if percent is None else f"has {percent:.0f} % left"
                mend = ": plug the supply in" if alarm.is_on else ""
                details = {"percent": percent}
                self._messenger.event(
                    name, severity if alarm.is_on else "info", f"the battery {left}{mend}", details
                )

    def _tell_replaced(self, worker: str, count: int) -> None:
        text = f"another process drives the {worker}, since the one before failed; since the start: {count}"
        self._messenger.event("worker_restarted", "info", text, {"worker": worker, "restarts": count})

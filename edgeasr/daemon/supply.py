"""The daemon's side of power: the monitor in its thread, what its steps mean for the rest, and who hears of them."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from edgeasr.daemon.economy import SupplyPressure
from edgeasr.power import names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgeasr.daemon.health import Health
    from edgeasr.daemon.messages import Messenger
    from edgeasr.power import PowerMonitor, PowerOptions
    from edgeasr.power.policy import Saving, Transition
    from edgeasr.settings import Power

_LOG = logging.getLogger(__name__)
_CLOSE_SECONDS: Final = 1.0


class SupplyWatch:
    """Looks at the supply in a thread of its own; with `power.enabled` off there is nothing to ask.

    The room of power is imported in that thread: the start of the daemon does not wait for it.
    """

    def __init__(  # noqa: PLR0913
        self,
        settings: Power,
        folder: Path,
        messenger: Messenger,
        health: Health,
        root: Path,
        *,
        tune: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings, self._folder, self._root = settings, folder, root
        self._messenger, self._health, self._tune = messenger, health, tune
        self._monitor: PowerMonitor | None = None
        self._has_news = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, once."""
        settings = self._settings
        if self._thread is None and settings.enabled and settings.source != names.NONE:
            self._thread = threading.Thread(target=self._run, name="power", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Keep what was counted."""
        self._stopping.set()
        if self._monitor is not None:
            self._monitor.stop()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def adopt(self, settings: Power) -> None:
        """Go by other bounds from now on."""
        self._settings = settings
        if self._monitor is not None:
            self._monitor.adopt(power_options(settings).policy)

    def report(self) -> dict[str, Any] | None:
        """Return the payload of the power topic; None where nothing tells."""
        if self._monitor is None:
            return None
        from edgeasr.power import power_payload  # noqa: PLC0415 - imported by the thread already

        return power_payload(self._monitor.snapshot)

    def pressure(self) -> SupplyPressure:
        """Return what a battery that feeds the device means for the search's care."""
        if self._monitor is None:
            return SupplyPressure()
        snapshot = self._monitor.snapshot
        charge = snapshot.charge if snapshot.on_battery else None
        saving = snapshot.saving
        return SupplyPressure(charge, saving.levels, saving.strictness)

    @property
    def battery(self) -> float | None:
        """Percent left while a battery feeds the device."""
        return self.pressure().battery

    @property
    def saves(self) -> bool | None:
        """Whether the CPU's clock should save power; None where nothing tells what feeds the device."""
        return None if self._monitor is None else self._monitor.snapshot.on_battery

    @property
    def is_low(self) -> bool:
        """Whether the CPU's clock should save power whatever feeds the device."""
        saving = self._saving
        return saving is not None and saving.economy

    @property
    def stretch(self) -> float:
        """Times the settings' interval, the pause between two reports."""
        saving = self._saving
        return 1.0 if saving is None else saving.reports

    def take_news(self) -> bool:
        """Whether the policy took a step since the last call, which is worth a report at once."""
        news, self._has_news = self._has_news, False
        return news

    @property
    def _saving(self) -> Saving | None:
        return None if self._monitor is None else self._monitor.snapshot.saving

    def power_changed(self, transition: Transition) -> None:
        """Say what step the policy takes."""
        before, state = transition.before.value, transition.state.value
        message = f"power goes from {before} to {state}: {transition.why}"
        (_LOG.warning if transition.is_worse else _LOG.info)("%s", message)
        severity = "warning" if transition.is_worse else "info"
        self._messenger.event("power_policy_changed", severity, message, {"policy": state, "before": before})
        self._has_news = True
        if state == "critical":
            self._messenger.save()
            if self._settings.power_off:
                self._power_off()

    def power_event(self, name: str, severity: str, message: str) -> None:
        """Pass on what happened to the supply."""
        (_LOG.info if severity == "info" else _LOG.warning)("%s", message)
        self._messenger.event(name, severity, message)

    def _power_off(self) -> None:
        """Ask for it in the monitor's thread; the system then ends the daemon as at any stop, and all is published."""
        from edgeasr.power.shutdown import power_off  # noqa: PLC0415

        self.power_event("power_off", "error", "the battery is critical: the machine is switched off")
        fault = power_off()
        if fault is not None:
            self.power_event("power_off_refused", "error", fault)

    def _run(self) -> None:
        from edgeasr.power import PowerMonitor  # noqa: PLC0415

        self._tune()
        options = power_options(self._settings)
        monitor = PowerMonitor(options, self._folder, self, self._health.work, root=self._root)
        self._monitor = monitor
        if self._stopping.is_set():
            monitor.stop()
        monitor.run()


def power_options(settings: Power) -> PowerOptions:
    """Return the power room's options for the settings."""
    from edgeasr.power.chemistry import Chemistry  # noqa: PLC0415
    from edgeasr.power.options import BatteryOptions, PowerOptions, SourceOptions  # noqa: PLC0415
    from edgeasr.power.policy import PolicyOptions  # noqa: PLC0415

    return PowerOptions(
        SourceOptions(
            source=settings.source,
            bus=settings.bus,
            address=settings.address,
            shunt_ohms=settings.shunt,
            channel=settings.channel,
            on_battery=settings.on_battery,
            host=settings.host,
            port=settings.port,
            ups=settings.ups,
        ),
        BatteryOptions(settings.capacity, settings.cells, Chemistry(settings.chemistry.value)),
        PolicyOptions(settings.saver, settings.critical),
        settings.interval,
    )

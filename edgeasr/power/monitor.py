"""Looks at the supply every few seconds, in a thread of its own: meter, battery, forecast and policy stay up to date.

Nothing that happens here holds up the daemon: a bus that hangs is killed, a source that fails is tried again with
growing pauses, and what the last look said stands for no longer than it is true.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from edgeasr.errors import PowerSourceError
from edgeasr.power.battery import BatteryModel
from edgeasr.power.chemistry import CURVES
from edgeasr.power.faults import explain
from edgeasr.power.firmware import Throttling, throttling
from edgeasr.power.forecast import Forecast, Forecaster
from edgeasr.power.history import HistoryFile, Sample
from edgeasr.power.ledger import Ledger, LedgerFile
from edgeasr.power.meter import Energy, EnergyMeter, Work, drawn_watts
from edgeasr.power.plausibility import Plausibility
from edgeasr.power.policy import PowerPolicy, PowerState, Saving, Supply, Transition, on_battery, saving
from edgeasr.power.reading import Reading, Status
from edgeasr.power.sources.choice import Chosen, is_better_there, open_source
from edgeasr.power.sources.estimate import PowerModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.power.options import PowerOptions
    from edgeasr.power.policy import PolicyOptions

_LOG = logging.getLogger(__name__)
_SAVE_SECONDS: Final = 300.0  # between two writes of the ledger: SD cards wear
_RECORD_SECONDS: Final = 60.0
_FAILURES: Final = 3  # looks in a row that fail before the source counts as lost
_NONSENSE: Final = 6  # looks in a row of values that cannot be before that is told
_FIRST_PAUSE: Final = 60.0  # seconds before a lost source is opened again, which doubles …
_LONGEST_PAUSE: Final = 960.0  # … up to this: a process for a bus costs as much as minutes of looking
_SEEK_SECONDS: Final = 60.0  # between two looks for a battery that came later
_JUMP: Final = 0.25  # of the charge between two looks: a gauge that lies, or another battery


class Listener(Protocol):
    """Hears what happens to the supply; called from the monitor's thread."""

    def power_changed(self, transition: Transition) -> None:
        """Hear of a step of the policy."""

    def power_event(self, name: str, severity: str, message: str) -> None:
        """Hear of something that somebody should know."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known at one moment; `charge` in percent, with its standard deviation; `state` of the policy."""

    source: str | None = None
    reading: Reading = field(default_factory=Reading)
    energy: Energy | None = None
    charge: float | None = None
    deviation: float | None = None
    forecast: Forecast | None = None
    state: PowerState = PowerState.NORMAL
    firmware: Throttling = field(default_factory=Throttling)
    on_battery: bool | None = None
    rejected: int = 0
    failures: int = 0
    time: float = 0.0

    @property
    def saving(self) -> Saving:
        """What the device does without."""
        return saving(self.state)


class PowerMonitor:
    """`run` it in a thread and ask for `snapshot` from any other; `folder` keeps the ledger and the day's history."""

    def __init__(  # noqa: PLR0913
        self,
        options: PowerOptions,
        folder: Path,
        listener: Listener,
        work: Callable[[], Work] = Work,
        *,
        root: Path = Path("/"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options, self._root, self._listener, self._work, self._clock = (
            options,
            root,
            listener,
            work,
            clock,
        )
        self._ledger = LedgerFile(folder / "power.json")
        self._history = HistoryFile(folder / "power.ring")
        kept, fault = self._ledger.load()
        self._told: set[str] = set()
        self._meter = EnergyMeter(
            kept.lifetime_wh,
            kept.since_charge_wh,
            pause=max(saving(state).looks for state in PowerState) * options.interval,
        )
        self._kept = kept
        self._policy = PowerPolicy(options.policy)
        self._model = PowerModel(root, clock=clock)
        self._pause = _FIRST_PAUSE
        self._chosen: Chosen | None = None
        self._name: str | None = None  # of the source, the one before where it is lost
        self._model_battery(None)
        self._plausibility = Plausibility()
        self._next_try = self._next_save = self._next_record = self._next_seek = clock()
        self._at: float | None = None
        self._failures = self._failed = self._nonsense = self._rejected = 0
        self._snapshot = Snapshot()
        self._stop = threading.Event()
        if fault:
            self._tell_once("power_ledger_damaged", "warning", fault)

    @property
    def snapshot(self) -> Snapshot:
        """What the last look said."""
        return self._snapshot

    def run(self) -> None:
        """Look again and again in this thread until `stop`; keep what was counted, let go of the source."""
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:  # noqa: BLE001 - no look may end the thread
                _LOG.exception("a look at the supply failed; the next one may do better")
            self._stop.wait(self._options.interval * self._snapshot.saving.looks)
        self.close()

    def stop(self) -> None:
        """Ask `run` to return; any thread may."""
        self._stop.set()

    def close(self) -> None:
        """Keep what was counted and let go of the source."""
        if self._name is not None:
            self._save()
        self._let_go()

    def _let_go(self) -> None:
        if self._chosen is not None:
            self._chosen.close()
            self._chosen = None

    def adopt(self, options: PolicyOptions) -> None:
        """Go by other bounds from the next look on."""
        self._policy.options = options

    def look(self) -> Snapshot:
        """Look once, now."""
        now = self._clock()
        told = self._read(now)
        reading = self._plausibility.check(told)
        self._note_nonsense(told, reading)
        seconds = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._count_cells(reading)
        complete = self._with_load(reading)
        self._meter.update(now, complete, self._work())
        self._note_jump(reading)
        # Volts of a supply line, or of a UPS's lead, say nothing of the cells that the model knows.
        cell = complete if self._cells is not None else replace(complete, volts=None)
        if seconds:
            self._battery.update(cell, seconds)
            self._forecaster.update(cell, seconds)
        forecast = self._forecaster.forecast()
        running = on_battery(reading)
        charge = self._battery.percent(cell)
        firmware = throttling(self._root)
        at_floor = self._battery.is_at_floor(cell)
        step = self._policy.update(now, Supply(charge, running, at_floor, forecast if running else None))
        self._snapshot = Snapshot(
            source=self._name,
            reading=complete,
            energy=self._meter.energy(),
            charge=charge,
            deviation=None if self._battery.charge is None else 100.0 * self._battery.deviation,
            forecast=forecast if running else None,
            state=self._policy.state,
            firmware=firmware,
            on_battery=running,
            rejected=self._rejected + self._plausibility.rejected,
            failures=self._failures,
            time=time.time(),
        )
        if step is not None:
            self._listener.power_changed(step)
        self._keep(now)
        return self._snapshot

    def _read(self, now: float) -> Reading:
        self._seek(now)
        if self._chosen is None and now >= self._next_try:
            self._open(now)
        if self._chosen is None:
            return Reading()
        try:
            reading = self._chosen.source.read()
        except (OSError, PowerSourceError) as error:
            self._fail(now, error)
            return Reading()
        if "power_source_lost" in self._told:
            self._listener.power_event("power_source_back", "info", f"{self._chosen.name} answers again")
            self._told.discard("power_source_lost")
        self._failed, self._pause = 0, _FIRST_PAUSE
        return reading

    def _seek(self, now: float) -> None:
        """Change over where nothing is declared and a battery has come since the source was chosen."""
        if self._chosen is None or now < self._next_seek:
            return
        self._next_seek = now + _SEEK_SECONDS
        if is_better_there(self._options.source.source, self._chosen, self._root):
            self._let_go()
            self._next_try = now

    def _open(self, now: float) -> None:
        self._next_try = now + self._pause
        self._pause = min(2.0 * self._pause, _LONGEST_PAUSE)
        try:
            self._chosen = open_source(self._options.source, self._root)
        except (OSError, PowerSourceError) as error:
            self._tell_once("power_source_lost", "warning", explain(error, self._options.source))
            return
        if self._chosen is None:
            return
        is_same, self._name = self._chosen.name == self._name, self._chosen.name
        if is_same:
            return  # back again, with the battery that the model knows
        cells = self._options.battery.cells or self._chosen.cells
        self._rejected += self._plausibility.rejected
        self._plausibility = Plausibility(cells)
        self._model_battery(cells)

    def _count_cells(self, reading: Reading) -> None:
        """Tell the number of cells by the first voltage of a battery, where neither board nor settings say it."""
        if self._cells is not None or reading.volts is None or self._name == "nut":
            return
        if self._name == "kernel" or reading.status is not Status.UNKNOWN:
            curve = CURVES[self._options.battery.chemistry]
            self._model_battery(curve.cells(reading.volts, reading.percent))

    def _model_battery(self, cells: int | None) -> None:
        """Begin a model; with None for the cells it is begun again once a voltage tells their number."""
        declared = self._options.battery
        self._cells = cells
        self._battery = BatteryModel(
            cells=cells or 1,
            chemistry=declared.chemistry,
            capacity_wh=self._kept.capacity_wh or declared.capacity_wh,
            resistance=self._kept.resistance,
        )
        self._forecaster = Forecaster(self._battery)

    def _fail(self, now: float, error: Exception) -> None:
        """Count a look that failed; a source that has failed some in a row is closed, and opened again later."""
        self._failures += 1
        self._failed += 1
        if self._failed >= _FAILURES or "power_source_lost" in self._told:
            self._tell_once("power_source_lost", "warning", explain(error, self._options.source))
            self._let_go()
            self._failed = 0
            self._next_try = now + self._pause
            self._pause = min(2.0 * self._pause, _LONGEST_PAUSE)

    def _note_nonsense(self, told: Reading, kept: Reading) -> None:
        """Tell of a source that answers, and for a minute nothing that can be."""
        if self._chosen is None or self._failed:
            return
        is_silent = told.volts is None and told.percent is None
        if is_silent and self._chosen.bus is None:
            return  # a server or a driver that has nothing to tell now
        if kept.volts is not None or (told.volts is None and kept.percent is not None):
            self._nonsense = 0
            self._tell_once("power_source_nonsense", "warning", None)
            return
        self._nonsense += 1
        if self._nonsense >= _NONSENSE:
            volts = "" if told.volts is None else f", such as {told.volts:.2f} V"
            self._tell_once(
                "power_source_nonsense",
                "warning",
                f"{self._chosen.name} tells values that cannot be{volts}: two boards may share its address, or it is "
                "another board; see `edgeasr power probe`, then set power.source, power.address or power.cells",
            )

    def _with_load(self, reading: Reading) -> Reading:
        """Add the modelled load where a battery feeds the device and nothing measures it."""
        estimate = self._model.read()
        if drawn_watts(reading) is not None or estimate.load_watts is None or self._chosen is None:
            return reading
        return replace(reading, load_watts=estimate.load_watts, estimated=True)

    def _note_jump(self, reading: Reading) -> None:
        charge = self._battery.charge
        if reading.percent is None or charge is None or not self._battery.gauge_trusted:
            return
        off = abs(reading.percent / 100.0 - charge)
        if off < _JUMP / 2.0:
            self._tell_once("power_gauge_doubtful", "warning", None)
        elif off > _JUMP:
            self._tell_once(
                "power_gauge_doubtful",
                "warning",
                f"the gauge says {reading.percent:.0f} % where {100 * charge:.0f} % are likely: charge the battery "
                "fully once, so that it learns its size",
            )

    def _keep(self, now: float) -> None:
        if self._snapshot.source is None:
            return  # a machine of which nothing is known leaves nothing behind
        if now >= self._next_record:
            self._next_record = now + _RECORD_SECONDS
            snapshot = self._snapshot
            sample = Sample(
                time=snapshot.time,
                watts=drawn_watts(snapshot.reading),
                percent=snapshot.charge,
                external=snapshot.on_battery is False,
                estimated=snapshot.reading.estimated,
            )
            self._tell_once("power_history_failed", "warning", self._history.append(sample))
        if now >= self._next_save:
            self._next_save = now + _SAVE_SECONDS
            self._save()

    def _save(self) -> None:
        energy = self._meter.energy()
        known = self._battery.charge is not None and self._battery.is_known
        ledger = Ledger(
            lifetime_wh=energy.lifetime,
            since_charge_wh=energy.since_charge,
            capacity_wh=self._battery.capacity_wh if known else self._kept.capacity_wh,
            resistance=self._battery.resistance if known else self._kept.resistance,
        )
        self._tell_once("power_ledger_failed", "warning", self._ledger.save(ledger))

    def _tell_once(self, name: str, severity: str, message: str | None) -> None:
        if message is None:
            self._told.discard(name)
        elif name not in self._told:
            self._told.add(name)
            self._listener.power_event(name, severity, message)

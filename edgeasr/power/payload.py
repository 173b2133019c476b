"""From a snapshot to the payload of the power topic: values of the schema, null where nothing tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeasr.power.meter import Activity, drawn_watts
from edgeasr.power.reading import Status

if TYPE_CHECKING:
    from edgeasr.power.monitor import Snapshot

_CHARGING = {Status.CHARGING: True, Status.DISCHARGING: False, Status.NOT_CHARGING: False, Status.FULL: False}


def power_payload(snapshot: Snapshot) -> dict[str, Any] | None:
    """Return the payload; None where nothing tells anything of the supply."""
    if snapshot.source is None:
        return None
    reading, energy, forecast = snapshot.reading, snapshot.energy, snapshot.forecast
    drawn = drawn_watts(reading)
    has_battery = snapshot.charge is not None or reading.status is not Status.UNKNOWN
    by_activity = energy.by_activity if energy and energy.metered_seconds else None
    return {
        "v": 1,
        "time": round(snapshot.time, 3),
        "source": _feed(snapshot),
        "device": snapshot.source,
        "volts": _rounded(reading.volts),
        "amps": _rounded(reading.amps),
        "watts": _rounded(reading.watts if has_battery else drawn),
        "load_watts": _rounded(drawn),
        "percent": _rounded(snapshot.charge, 1),
        "percent_deviation": _rounded(snapshot.deviation, 1),
        "charging": _CHARGING.get(reading.status),
        "celsius": _rounded(reading.celsius, 1),
        "seconds_to_empty": _rounded(forecast.seconds if forecast else None, 0),
        "seconds_to_empty_earliest": _rounded(forecast.earliest if forecast else None, 0),
        "seconds_to_empty_latest": _rounded(forecast.latest if forecast else None, 0),
        "policy": snapshot.state.value,
        "under_voltage": snapshot.firmware.under_voltage,
        "wh_since_start": _rounded(energy.since_start if by_activity and energy else None),
        "wh_since_charge": _rounded(energy.since_charge if by_activity and energy else None),
        "wh_lifetime": _rounded(energy.lifetime if energy else None),
        "wh_by_activity": None
        if by_activity is None
        else {activity.value: round(by_activity.get(activity, 0.0), 4) for activity in Activity},
        "mwh_per_audio_minute": _rounded(energy.mwh_per_audio_minute if energy else None),
        "mwh_per_utterance": _rounded(energy.mwh_per_utterance if energy else None),
        "rejected": snapshot.rejected,
        "failures": snapshot.failures,
        "estimated": reading.estimated or bool(energy and energy.estimated),
    }


def _feed(snapshot: Snapshot) -> str:
    if snapshot.on_battery:
        return "battery"
    return "mains" if snapshot.on_battery is False else "unknown"


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)

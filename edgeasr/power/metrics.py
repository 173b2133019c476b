"""The power topic's payload as metrics for Prometheus, in base units: joules, seconds, ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edgeasr.power.policy import PowerState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_JOULES: Final = 3600.0  # of a watt-hour
# key of the payload: name, type, help, factor
_SINGLE: Final = (
    ("load_watts", "power_watts", "gauge", "What the device draws.", 1.0),
    ("volts", "power_volts", "gauge", "Voltage of the battery, or of the supply where there is none.", 1.0),
    ("amps", "battery_amperes", "gauge", "Current of the battery, negative while it gives.", 1.0),
    ("percent", "battery_charge_ratio", "gauge", "Charge of the battery, 1 when full.", 0.01),
    ("celsius", "battery_temperature_celsius", "gauge", "Temperature of the battery.", 1.0),
    ("seconds_to_empty", "battery_remaining_seconds", "gauge", "Until the battery is empty.", 1.0),
    ("wh_lifetime", "energy_joules_total", "counter", "Energy used since the device was set up.", _JOULES),
    ("rejected", "power_readings_rejected_total", "counter", "Readings that cannot be.", 1.0),
    ("failures", "power_looks_failed_total", "counter", "Looks at the source of power that failed.", 1.0),
)

Samples = list[tuple[dict[str, str], float | None]]


def power_metrics(
    values: Mapping[str, Any], own: Mapping[str, str]
) -> Iterator[tuple[str, str, str, Samples]]:
    """Yield name, type, help and samples; `own` are the labels of all. What is null has the value None."""
    for key, name, kind, about, factor in _SINGLE:
        value = values.get(key)
        yield name, kind, about, [(dict(own), None if value is None else round(value * factor, 6))]
    spent = values.get("wh_by_activity") or {}
    samples: Samples = [({**own, "activity": name}, round(wh * _JOULES, 3)) for name, wh in spent.items()]
    yield "activity_energy_joules_total", "counter", "Energy used since the start, by what was done.", samples
    states: Samples = [
        ({**own, "policy": state.value}, int(state.value == values.get("policy"))) for state in PowerState
    ]
    yield "power_policy", "gauge", "1 for what the device does about its supply, 0 for the others.", states
    estimated = int(bool(values.get("estimated")))
    yield "power_estimated", "gauge", "Whether a part of the figures is modelled.", [(dict(own), estimated)]
    low = values.get("under_voltage")
    yield (
        "power_under_voltage",
        "gauge",
        "Whether the supply's voltage is too low.",
        [(dict(own), None if low is None else int(low))],
    )

"""What the device runs on: sources of power, the meter, the battery's model, the forecast, the policy.

Names are imported when they are asked for: settings need no more than the names of sources.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from edgeasr.power.firmware import Throttling, throttling
    from edgeasr.power.monitor import PowerMonitor, Snapshot
    from edgeasr.power.options import PowerOptions
    from edgeasr.power.payload import power_payload
    from edgeasr.power.policy import PowerState

_MODULES: Final = {
    "PowerMonitor": "monitor",
    "PowerOptions": "options",
    "PowerState": "policy",
    "Snapshot": "monitor",
    "Throttling": "firmware",
    "power_payload": "payload",
    "throttling": "firmware",
}

__all__ = [
    "PowerMonitor",
    "PowerOptions",
    "PowerState",
    "Snapshot",
    "Throttling",
    "power_payload",
    "throttling",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value

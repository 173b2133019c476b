"""What Home Assistant is told so that it shows the device: MQTT discovery in its device form.

Keys and rules: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload and the pages of the
platforms sensor.mqtt, event.mqtt, switch.mqtt and device_trigger.mqtt. The device form is known to Home Assistant since
2024.11; earlier ones overlook the message.
"""

from __future__ import annotations

import json
import re
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from edgeasr import __version__
from edgeasr.daemon.mute import OFF, ON
from edgeasr.daemon.state import DaemonState
from edgeasr.mqtt import Availability, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from edgeasr.mqtt import Topics

BIRTH: Final = "online"

_LONGEST_STATE: Final = 250  # characters; Home Assistant takes 255
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]")  # Home Assistant overlooks topics with anything else
# Said alone, the words for "no state" are no state but words: in Home Assistant `None` means unknown.
_WORDS: Final = (
    "{% set t=value_json.text|replace('\\n',' ')|trim|truncate(" + str(_LONGEST_STATE) + ",true,'…',0) %}"
    "{{ t~'.' if t|lower in ['none','unknown','unavailable'] else t }}"
)
_EVENT: Final = "final"
# Short, since brokers and clients there are that take small messages alone.
_DETAILS: Final = (
    "{% set v=value_json %}{{ {'full_text':v.text,'raw':v.raw,'confidence':v.confidence,"
    "'id':v.id,'session':v.session}|tojson }}"
)
_OCCURRENCE: Final = (
    f"{{% set v=value_json %}}{{{{ {{'event_type':'{_EVENT}',"
    "'text':v.text,'raw':v.raw,'confidence':v.confidence,'id':v.id}|tojson }}"
)


def status_topic(prefix: str) -> str:
    """Return where Home Assistant says that it has come up."""
    return f"{prefix}/status"


def config_topic(prefix: str, device: str) -> str:
    """Return the configuration topic; a device id with signs that Home Assistant refuses gets others."""
    return f"{prefix}/device/{_node(device)}/config"


# Figures of the power topic that Home Assistant shows: their entity, name and how it takes them.
_POWER: Final[Mapping[str, tuple[str, str, dict[str, str]]]] = MappingProxyType(
    {
        "percent": ("battery", "Battery", {"dev_cla": "battery", "unit_of_meas": "%"}),
        "load_watts": ("watts", "Power", {"dev_cla": "power", "unit_of_meas": "W"}),
        "volts": ("volts", "Voltage", {"dev_cla": "voltage", "unit_of_meas": "V"}),
        "wh_lifetime": (
            "energy",
            "Energy",
            {"dev_cla": "energy", "unit_of_meas": "Wh", "stat_cla": "total_increasing"},
        ),
        "seconds_to_empty": ("left", "Battery lasts", {"dev_cla": "duration", "unit_of_meas": "s"}),
    }
)


def power_figures(values: Mapping[str, Any]) -> frozenset[str]:
    """Return which figures of a power report are known and shown."""
    return frozenset(name for name in _POWER if values.get(name) is not None)


def config(topics: Topics, model: str, *, power: Collection[str] = ()) -> str:
    """Return the retained configuration of the device and its entities; `power`: the power figures to show."""
    node = _node(topics.device)
    entities: dict[str, dict[str, Any]] = {
        "words": {
            "p": "sensor",
            "name": "Last words",
            "ic": "mdi:text-to-speech",
            "stat_t": topics.of(Kind.FINAL),
            "val_tpl": _WORDS,
            "json_attr_t": topics.of(Kind.FINAL),
            "json_attr_tpl": _DETAILS,
        },
        # The sensor's state stays the same when a sentence is said twice; this one changes with each.
        "sentence": {
            "p": "event",
            "name": "Sentence",
            "ic": "mdi:text-to-speech",
            "stat_t": topics.of(Kind.FINAL),
            "evt_typ": [_EVENT],
            "val_tpl": _OCCURRENCE,
            "qos": 1,
        },
        "said": {
            "p": "device_automation",
            "atype": "trigger",
            "t": topics.of(Kind.FINAL),
            "type": "said",
            "stype": "sentence",
            "qos": 1,
        },
        "state": {
            "p": "sensor",
            "name": "State",
            "ic": "mdi:ear-hearing",
            "dev_cla": "enum",
            "ops": [state.value for state in DaemonState],
            "stat_t": topics.of(Kind.STATE),
            "val_tpl": "{{ value_json.state }}",
            "json_attr_t": topics.of(Kind.STATE),
            "json_attr_tpl": "{{ {'why': value_json.why, 'accelerator': value_json.accelerator} | tojson }}",
        },
        "mute": {
            "p": "switch",
            "name": "Mute",
            "ic": "mdi:microphone-off",
            "cmd_t": topics.of(Kind.MUTE_SET),
            "stat_t": topics.of(Kind.MUTE_STATE),
            "pl_on": ON,
            "pl_off": OFF,
            "qos": 1,
        },
        "rtf": _figure(topics.of(Kind.HEALTH), "Real-time factor", "value_json.rtf", ic="mdi:speedometer"),
        "temperature": _figure(
            topics.of(Kind.HEALTH),
            "Temperature",
            "value_json.temperatures.soc | default(none)",
            dev_cla="temperature",
            unit_of_meas="°C",
        ),
        "memory": _figure(
            topics.of(Kind.HEALTH),
            "Memory",
            "(value_json.memory_bytes / 1048576) | round(1)",
            dev_cla="data_size",
            unit_of_meas="MiB",
        ),
    }
    for key, (short, label, how) in _POWER.items():
        if key in power:
            entities[short] = _figure(topics.of(Kind.POWER), label, f"value_json.{key}", **how)
    for name, entity in entities.items():
        if entity["p"] != "device_automation":  # no entity, so without an id
            entity["uniq_id"] = f"{node}_{name}"
    online, offline = Availability.ONLINE.value, Availability.OFFLINE.value
    values = {
        "dev": {"ids": [node], "name": f"edgeasr {topics.device}", "mdl": model, "sw": __version__},
        "o": {"name": "edgeasr", "sw": __version__},
        "cmps": entities,
        # Home Assistant knows two payloads, by default these; `stopped` is as little there as `offline`.
        "avty": [
            {
                "t": topics.of(Kind.AVAILABILITY),
                "val_tpl": f"{{{{ '{online}' if value == '{online}' else '{offline}' }}}}",
            }
        ],
    }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _figure(topic: str, name: str, value: str, **more: str) -> dict[str, Any]:
    return {
        "p": "sensor",
        "name": name,
        "stat_t": topic,
        "val_tpl": f"{{{{ {value} }}}}",
        "stat_cla": "measurement",
        "ent_cat": "diagnostic",
        **more,
    }


def _node(device: str) -> str:
    fit = _UNFIT.sub("_", device)
    # Two ids that differ in unfit signs only must not become one.
    return f"edgeasr_{device}" if fit == device else f"edgeasr_{fit}_{zlib.crc32(device.encode()):08x}"

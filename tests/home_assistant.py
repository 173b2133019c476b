"""A Home Assistant with nothing but MQTT, in a Python that has it: `home_assistant.py PORT` of a broker on 127.0.0.1.

Prints a JSON object a line: what is logged (`log`), each change of a state (`entity`, `state`, `attributes`), the
device's triggers when asked (`triggers`). Takes a JSON object a line on standard input: `service`, `entity`, or
`triggers`. Ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeassistant import auth, bootstrap, config_entries, core, loader  # type: ignore[import-not-found]
from homeassistant.const import __version__ as version  # type: ignore[import-not-found]
from homeassistant.setup import async_setup_component  # type: ignore[import-not-found]


def say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values, default=str) + "\n")
    sys.stdout.flush()


class Log(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("homeassistant.components.mqtt"):
            say(log=record.getMessage(), level=record.levelname)


async def started(folder: str, port: int) -> core.HomeAssistant:
    (Path(folder) / "configuration.yaml").touch()
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [{"type": "homeassistant"}], [])
    hass.bus.async_listen("state_changed", changed)
    # MQTT depends on it; on a port of its own choice it disturbs nobody.
    web = {"http": {"server_host": ["127.0.0.1"], "server_port": 1 + port % 60000}}
    assert await async_setup_component(hass, "http", web)
    assert await async_setup_component(hass, "homeassistant", {})
    known = {
        "version": 1,
        "minor_version": 2,
        "domain": "mqtt",
        "title": "broker",
        "data": {"broker": "127.0.0.1", "port": port},
        "options": {},
        "source": "user",
        "unique_id": None,
        "discovery_keys": MappingProxyType({}),
        "subentries_data": (),
    }
    wanted = config_entries.ConfigEntry.__init__.__kwdefaults__ or {}
    names = config_entries.ConfigEntry.__init__.__code__.co_varnames
    entry = config_entries.ConfigEntry(**{key: known[key] for key in known if key in names or key in wanted})
    await hass.config_entries.async_add(entry)
    say(version=version, entry=entry.state.value)
    await hass.async_start()
    return hass


@core.callback
def changed(event: Any) -> None:
    new = event.data["new_state"]
    if new is not None:
        say(entity=new.entity_id, state=new.state, attributes=dict(new.attributes))


async def triggers(hass: core.HomeAssistant) -> None:
    from homeassistant.components import (  # type: ignore[import-not-found]  # noqa: PLC0415
        device_automation,
    )
    from homeassistant.helpers import device_registry  # type: ignore[import-not-found]  # noqa: PLC0415

    devices = list(device_registry.async_get(hass).devices.values())
    kind = device_automation.DeviceAutomationType.TRIGGER
    found = await device_automation.async_get_device_automations(hass, kind, [one.id for one in devices])
    own = [one for each in found.values() for one in each if one["domain"] == "mqtt"]
    say(triggers=own, devices=[[one.name, one.model, one.sw_version] for one in devices])


async def main(port: int) -> None:
    logging.getLogger().addHandler(Log(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        hass = await started(folder, port)
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            if "service" in asked:
                domain, service = asked["service"].split(".")
                await hass.services.async_call(domain, service, {"entity_id": asked["entity"]}, blocking=True)
            else:
                await triggers(hass)
        await hass.async_stop(force=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

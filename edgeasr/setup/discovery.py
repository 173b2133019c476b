"""Brokers that make themselves known in the local network (DNS-SD: _mqtt._tcp and _secure-mqtt._tcp)."""

from __future__ import annotations

import importlib.util
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

_SERVICES: Final = {"_mqtt._tcp.local.": False, "_secure-mqtt._tcp.local.": True}
_LISTEN_SECONDS: Final = 2.0
_RESOLVE_MS: Final = 1000
_MOST: Final = 8
_HERE_SECONDS: Final = 0.5
PORTS: Final = {False: 1883, True: 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """An address, and whether it wants encryption."""

    host: str
    port: int
    tls: bool = False

    @property
    def shown(self) -> str:
        """As a person would type it."""
        return self.host if self.port == PORTS[self.tls] else f"{self.host}:{self.port}"


def can_discover() -> bool:
    """Whether the library for it is installed."""
    return importlib.util.find_spec("zeroconf") is not None


def discover(seconds: float = _LISTEN_SECONDS) -> list[Broker]:
    """Return the brokers that answer in time, none where the network or the library does not allow to ask."""
    if not can_discover():
        return []
    import zeroconf  # noqa: PLC0415 - an extra

    found: list[Broker] = []
    heard: set[tuple[str, str]] = set()
    lock = threading.Lock()

    class Listener(zeroconf.ServiceListener):
        def add_service(self, _zc: Any, kind: str, name: str) -> None:
            with lock:
                if len(heard) < _MOST:
                    heard.add((kind, name))

        def update_service(self, _zc: Any, kind: str, name: str) -> None:
            """Nothing that matters changes within seconds."""

        def remove_service(self, _zc: Any, kind: str, name: str) -> None:
            """Likewise."""

    try:
        zc = zeroconf.Zeroconf(ip_version=zeroconf.IPVersion.All)
    except OSError:
        try:
            zc = zeroconf.Zeroconf(ip_version=zeroconf.IPVersion.V4Only)
        except OSError:  # no network at all
            return []
    try:
        zeroconf.ServiceBrowser(zc, list(_SERVICES), Listener())
        time.sleep(seconds)
        with lock:
            named = sorted(heard)
        for kind, name in named:
            info = zc.get_service_info(kind, name, _RESOLVE_MS)
            if info is not None and info.server and info.port:
                found.append(Broker(info.server.rstrip("."), info.port, _SERVICES[kind]))
    finally:
        zc.close()
    return list(dict.fromkeys(found))


def is_here() -> bool:
    """Whether something listens at MQTT's port of this machine."""
    try:
        socket.create_connection(("localhost", PORTS[False]), _HERE_SECONDS).close()
    except OSError:
        return False
    return True

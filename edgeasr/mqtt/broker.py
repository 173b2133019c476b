"""A small MQTT broker inside the process, for the demo; it speaks MQTT 3.1.1 on 127.0.0.1 only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

from edgeasr.errors import BrokerError, RuntimeMissingError

if TYPE_CHECKING:
    from types import TracebackType

_HOST = "127.0.0.1"
_WAIT = 30.0  # seconds for the broker to come up or go down, on a machine that has other work
_TRIES = 5  # free ports, each of which another program may take before the broker does


class EmbeddedBroker:
    """amqtt in a thread with an event loop of its own; `port` 0 takes a free one.

    A greeting in MQTT 5 it leaves unanswered, so clients have to be set to 3.1.1: see `values`.
    """

    host = _HOST

    def __init__(self, port: int = 0) -> None:
        self.port = port or _free_port()
        self._tries = 1 if port else _TRIES
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt-broker", daemon=True)

    @property
    def values(self) -> dict[str, object]:
        """Settings by dotted name with which a client finds this broker."""
        return {"mqtt.host": self.host, "mqtt.port": self.port, "mqtt.protocol": "3.1.1"}

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Return when clients can connect; BrokerError where not, RuntimeMissingError without amqtt."""
        self._thread.start()
        is_done = self._started.wait(_WAIT)
        if isinstance(self._error, ImportError):
            raise RuntimeMissingError(
                "the embedded MQTT broker needs amqtt, which is not installed; pip install 'edgeasr[demo]'"
            )
        if self._error is not None or not is_done:
            raise BrokerError(
                f"the embedded MQTT broker did not start on {_HOST}:{self.port} "
                f"({self._error or 'no answer'}); try another port"
            )

    def stop(self) -> None:
        """Close all connections and end the thread, within a time-out."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread.is_alive():
            self._thread.join(_WAIT)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001  told by `start`
            self._error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        from amqtt.broker import Broker  # noqa: PLC0415  an extra, and slow to import

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        for left in reversed(range(self._tries)):
            config: dict[str, Any] = {
                "listeners": {"default": {"type": "tcp", "bind": f"{_HOST}:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
            broker = Broker(config)
            try:
                await broker.start()
                break
            except Exception:
                if not left:
                    raise
                self.port = _free_port()
        self._started.set()
        await self._stop.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(broker.shutdown(), _WAIT / 2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])

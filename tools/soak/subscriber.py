"""A subscriber as a process of its own, which writes down all it hears; arguments: PORT TOPIC FILE.

A line of JSON each: `at` (monotonic) and `link` (up, down) or `topic`, `payload`, `retained`, `again` (the broker's
mark of a repetition).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

_END_SECONDS: Final = 10.0


def main(port: str, topic: str, path: str) -> None:
    """Subscribe until SIGTERM, and again whenever the broker is back."""
    with Path(path).open("a", buffering=1, encoding="utf-8") as file:

        def write(**values: Any) -> None:
            file.write(json.dumps({"at": time.monotonic(), **values}) + "\n")

        def on_message(_client: object, _data: object, message: paho.MQTTMessage) -> None:
            write(
                topic=message.topic,
                payload=message.payload.decode("utf-8", "replace"),
                retained=message.retain,
                again=message.dup,
            )

        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_connect = lambda one, *_: one.subscribe(topic, qos=1)
        client.on_subscribe = lambda *_: write(link="up")
        client.on_disconnect = lambda *_: write(link="down")
        client.on_message = on_message
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", int(port), keepalive=60)
        client.loop_start()
        ended = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        parent = os.getppid()
        while not ended.wait(0.5) and os.getppid() == parent:
            pass
        client.disconnect()
        client.loop_stop()


class Subscriber:
    """That process, and what it has written so far."""

    def __init__(self, port: int, topic: str, path: Path) -> None:
        self._path = path
        path.touch()
        command = [sys.executable, "-m", "tools.soak.subscriber", str(port), topic, str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
        self._place = 0
        self.lines: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Return what was heard since the last time; `lines` has all of it."""
        with self._path.open("rb") as file:
            file.seek(self._place)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._place += len(whole)
        new = [json.loads(line) for line in whole.splitlines()]
        self.lines += new
        return new

    @property
    def is_up(self) -> bool:
        """Whether it is subscribed now."""
        links = [line["link"] for line in self.lines if "link" in line]
        return bool(links) and links[-1] == "up"

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_END_SECONDS)
        self.read()


if __name__ == "__main__":
    main(*sys.argv[1:])

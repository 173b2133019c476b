"""The machine loses its power while finals wait for the broker; after the next boot they arrive."""

from __future__ import annotations

import queue
import re
import threading
from typing import TYPE_CHECKING

from device.device import LOG, NAMES, PATIENCE, word_errors

if TYPE_CHECKING:
    from device.device import Device

FINAL = re.compile(rb"^final (\S+), ")


def test_finals_that_wait_outlive_a_power_cut(device: Device) -> None:
    device.hear("weather")
    delivered = [final["id"] for final in device.subscriber.finals()]
    # The broker keeps the subscriber's session over its stop: nothing is missed when it starts with the machine.
    device.run("systemctl stop mosquitto")
    made: list[str] = []
    news: queue.Queue[str] = queue.Queue()
    with device.machine.started(f"journalctl -u edgeasr -o cat -f --after-cursor='{device.mark()}'") as log:

        def read() -> None:
            assert log.stdout
            for line in log.stdout:
                if found := FINAL.match(line):
                    news.put(found[1].decode())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        for name in NAMES:
            device.play(name)
            made.append(news.get(timeout=PATIENCE))  # one by one: without a pause they would be one utterance
        device.machine.cut_power()  # at once: what the kernel would write within seconds is not on the disk
        reader.join(PATIENCE)
    LOG.info("power cut with %d finals in the outbox", len(made))
    assert [final["id"] for final in device.subscriber.finals()] == delivered

    LOG.info("booted in %.0f s", device.machine.boot())
    finals = device.await_finals(len(delivered) + len(NAMES))
    device.until_listening()
    assert [final["id"] for final in finals] == delivered + made, "all of them, in order"
    for name, final in zip(NAMES, finals[len(delivered) :], strict=True):
        assert word_errors(name, final).rate <= 0.25, final["text"]
    assert "outbox" not in " ".join(device.events()), "the outbox's file is whole"
    last = device.hear("walk")
    ids = [final["id"] for final in device.subscriber.finals()]
    assert ids == [*delivered, *made, last["id"]], "none came again under another id"
    assert last["session"] not in {final["session"] for final in finals}
    device.await_availability("online")

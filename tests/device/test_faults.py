"""What fails in the field, made to fail on a whole machine; after each, words come out again and none is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from device.device import LOG, SOUND, scaled

from edgeasr.mqtt import Kind

if TYPE_CHECKING:
    from device.device import Device

BACK_SECONDS = 3.0  # of the design, from the card's return to words
AUDIO_TIMEOUT = 3.0  # audio.timeout


def test_a_card_that_is_unbound_and_bound_again_is_heard_again(device: Device) -> None:
    device.hear("weather")
    before, pid = len(device.events()), device.pid
    device.run(f"echo snd_aloop.0 > {SOUND}/unbind")
    device.operator.wait(lambda: "microphone_lost" in device.events()[before:], scaled(1), "the loss")
    device.subscriber.wait(
        lambda: device.subscriber.values(Kind.STATE)[-1]["state"] == "degraded", scaled(1), "degraded"
    )
    # Longer than the watchdog's patience would last if nothing fed it; and the retries' pauses have grown by then.
    time.sleep(40.0)
    assert (device.show("ActiveState"), device.pid) == ("active", pid), "no card is no reason to die"
    device.run(f"echo snd_aloop.0 > {SOUND}/bind")
    partials = len(device.subscriber.of(Kind.PARTIAL))
    device.operator.wait(lambda: "microphone_back" in device.events()[before:], scaled(BACK_SECONDS), "the return")
    playing = device.start_playing("weather")
    seconds = device.subscriber.wait(
        lambda: len(device.subscriber.of(Kind.PARTIAL)) > partials, scaled(BACK_SECONDS), "words"
    )
    LOG.info("bound again: first words %.1f s after playing began", seconds)
    playing.wait(scaled(5))
    device.await_finals(len(device.subscriber.finals()))
    device.until(device.is_listening, scaled(1), "listening")
    device.hear("walk")
    assert device.pid == pid


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_the_microphone_s_process_is_replaced(device: Device, signal: str) -> None:
    device.hear("weather")
    before, found = len(device.events()), device.processes()
    device.run(f"kill -{signal} {found['edgeasr-mic']}")
    seconds = device.operator.wait(
        lambda: device.events()[before:] == ["microphone_lost", "microphone_back"],
        AUDIO_TIMEOUT + scaled(BACK_SECONDS),
        "recovery",
    )
    LOG.info("after SIG%s captured again in %.1f s", signal, seconds)
    device.until(device.is_listening, scaled(1), "listening")
    device.hear("walk")
    after = device.processes()
    assert after["edgeasr"] == found["edgeasr"]
    assert after["edgeasr-mic"] != found["edgeasr-mic"]


def test_a_daemon_that_is_killed_is_started_again_and_leaves_no_process_behind(device: Device) -> None:
    device.hear("weather")
    found, restarts = device.processes(), int(device.show("NRestarts"))
    finals = [final["id"] for final in device.subscriber.finals()]
    device.run(f"kill -KILL {found['edgeasr']}")
    seconds = device.until(lambda: device.pid not in (0, found["edgeasr"]), scaled(3), "another daemon")
    device.until(device.is_listening, scaled(5), "listening")
    LOG.info("started again after %.1f s", seconds)
    assert int(device.show("NRestarts")) == restarts + 1
    assert not set(device.processes().values()) & set(found.values())
    assert device.run("pgrep -c edgeasr-mic") == "1"
    device.hear("walk")
    after = [final["id"] for final in device.subscriber.finals()]
    assert after[:-1] == finals, "nothing comes twice under another id"


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_what_is_said_while_the_broker_is_gone_comes_when_it_is_back(device: Device, signal: str) -> None:
    device.hear("weather")
    before, mark = len(device.subscriber.finals()), device.mark()
    device.run(f"systemctl kill --signal={signal} mosquitto" if signal == "STOP" else "systemctl stop mosquitto")
    device.play("walk")
    device.until(lambda: "\nfinal " in f"\n{device.journal(mark)}", scaled(5), "a final on the device")
    assert device.show("ActiveState") == "active"
    if signal == "STOP":
        device.run("systemctl kill --signal=CONT mosquitto")
    else:
        device.run("systemctl start mosquitto")
    finals = device.await_finals(before + 1, scaled(5))
    assert finals[before]["raw"].startswith("we walked")
    device.hear("weather")
    assert len(device.subscriber.finals()) == before + 2

"""What fails in the field, made to fail on a whole machine; after each, words come out again and none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.device import LOG, SOUND

if TYPE_CHECKING:
    from device.device import Device

BACK_SECONDS = 3.0  # of the design, from the card's return to the first sound that is heard
AUDIO_TIMEOUT = 3.0  # audio.timeout
GONE_SECONDS = 40.0  # longer than the watchdog waits


def test_a_card_that_is_unbound_and_bound_again_is_heard_again(device: Device) -> None:
    before, pid = len(device.events()), device.pid
    device.run(f"echo snd_aloop.0 > {SOUND}/unbind")
    device.await_event("microphone_lost", before)
    device.await_state("degraded")
    device.run(f"sleep {GONE_SECONDS}")
    assert (device.show("ActiveState"), device.pid) == ("active", pid), "no card is no reason to die"
    bind = f"date +%s.%N > /run/bound; echo snd_aloop.0 > {SOUND}/bind; sleep {BACK_SECONDS}"
    final = device.hear("weather", first=bind)
    assert final["raw"].startswith("i would like"), "what is said from then on is heard from its beginning"
    seconds = device.await_event("microphone_back", before) - float(device.run("cat /run/bound"))
    LOG.info("captured again %.1f s after the card was bound again", seconds)
    assert seconds <= BACK_SECONDS
    device.await_state("listening")
    assert device.pid == pid


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_the_microphone_s_process_is_replaced(device: Device, signal: str) -> None:
    before, found = len(device.events()), device.processes()
    at = float(device.run(f"date +%s.%N; kill -{signal} {found['edgeasr-mic']}"))
    seconds = device.await_event("microphone_back", before) - at
    LOG.info("after SIG%s captured again in %.1f s", signal, seconds)
    assert seconds <= BACK_SECONDS + (AUDIO_TIMEOUT if signal == "STOP" else 0.0)
    assert device.events(before) == ["microphone_lost", "microphone_back"]
    device.hear("walk")
    after = device.processes()
    assert after["edgeasr"] == found["edgeasr"]
    assert after["edgeasr-mic"] != found["edgeasr-mic"]


def test_a_daemon_that_is_killed_is_started_again_and_leaves_no_process_behind(device: Device) -> None:
    device.hear("weather")
    found, restarts = device.processes(), int(device.show("NRestarts"))
    finals = [final["id"] for final in device.subscriber.finals()]
    killed = device.signal("KILL", found["edgeasr"])
    device.until_replaced(found["edgeasr"])
    device.until_listening()
    LOG.info("READY again %.1f s after SIGKILL", device.when("ActiveEnter") - killed)
    assert int(device.show("NRestarts")) == restarts + 1
    assert not set(device.processes().values()) & set(found.values())
    assert device.run("pgrep -c edgeasr-mic") == "1"
    last = device.hear("walk")
    after = [final["id"] for final in device.subscriber.finals()]
    assert after == [*finals, last["id"]], "nothing comes twice under another id"


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_what_is_said_while_the_broker_is_gone_comes_when_it_is_back(device: Device, signal: str) -> None:
    before, mark = len(device.subscriber.finals()), device.mark()
    if signal == "KILL":
        device.run("systemctl kill --signal=USR1 mosquitto; sleep 1")  # it writes down its sessions, ours too
        device.run("systemctl mask --runtime mosquitto; systemctl kill --signal=KILL mosquitto")
    else:
        device.run("systemctl kill --signal=STOP mosquitto")
    device.play("walk")
    device.until(
        f"journalctl -o cat -u edgeasr --after-cursor='{mark}' | grep -q '^final '", "a final on the device"
    )
    assert len(device.subscriber.finals()) == before
    if signal == "KILL":
        device.run(
            "systemctl unmask --runtime mosquitto; systemctl reset-failed mosquitto; systemctl start mosquitto"
        )
    else:
        device.run("systemctl kill --signal=CONT mosquitto")
    finals = device.await_finals(before + 1)
    assert finals[before]["raw"].startswith("we walked")
    last = device.hear("weather")
    assert device.subscriber.finals()[before + 1 :] == [last]

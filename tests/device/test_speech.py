"""From the sound card to the broker, on a whole machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from contract import strict

from device.device import LOG, NAMES, word_errors
from edgeasr.bench.wer import ErrorCount
from edgeasr.mqtt import Kind
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from device.device import Device

MOST_ERRORS = 0.15  # of the words; on the machine that emulates, 1 to 3 of 41


def test_what_is_played_into_the_sound_card_comes_out_of_the_broker_as_words(device: Device) -> None:
    before = len(device.subscriber.finals())
    for name in NAMES:
        device.hear(name)
    finals = device.await_finals(before + len(NAMES))[before:]
    errors = sum((word_errors(name, final) for name, final in zip(NAMES, finals, strict=True)), ErrorCount())
    LOG.info("%d of %d words wrong", errors.errors, errors.words)
    assert errors.rate is not None
    assert errors.rate <= MOST_ERRORS, [final["text"] for final in finals]
    schema = strict(SchemaName.TRANSCRIPT)
    for final in finals:
        schema.validate(final)
    assert [final["seq"] for final in finals] == sorted({final["seq"] for final in finals})
    assert len({final["session"] for final in finals}) == 1
    ids = {partial["id"] for partial in device.subscriber.values(Kind.PARTIAL)}
    assert ids & {final["id"] for final in finals}, "partials bear the id of their final"


def test_the_card_is_captured_at_16_khz_by_the_process_that_is_there_for_it(device: Device) -> None:
    status = device.run("cat /proc/asound/Loopback/pcm1c/sub0/status")
    hardware = device.run("cat /proc/asound/Loopback/pcm1c/sub0/hw_params")
    assert "RUNNING" in status
    assert re.search(r"^rate: 16000 ", hardware, re.MULTILINE), hardware
    assert re.search(r"^channels: 1$", hardware, re.MULTILINE), hardware
    microphone = f"/proc/{device.processes()['edgeasr-mic']}"
    assert "/dev/snd/pcmC0D1c" in device.run(f"ls -l {microphone}/fd")
    device.run(f"grep -q libportaudio {microphone}/maps")


def test_mute_closes_the_card(device: Device) -> None:
    device.operator.publish(Kind.MUTE_SET, "ON")
    device.until("grep -q closed /proc/asound/Loopback/pcm1c/sub0/status", "a closed stream")
    device.await_state("muted")
    device.operator.publish(Kind.MUTE_SET, "OFF")
    device.until_listening()
    device.hear("weather")

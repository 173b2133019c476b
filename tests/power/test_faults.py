"""The daemon as a process, whose I2C bus hangs or answers garbage: it listens on, and says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conftest import wait_for
from fake_machine import PCM, PHRASE

from edgeasr.mqtt import Kind
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from fake_machine import House

# A PiSugar 3 that gives 0.412 A at 3.874 V and is at 63 %.
HEALTHY = "02=00 04=43 22=0f 23=22 26=01 27=9c 2a=3f"
BOARD = {**PCM, "power.source": "pisugar3", "power.interval": 1.0, "power.capacity": 10.0}


def powers(house: House) -> list[dict[str, Any]]:
    return house.valid(Kind.POWER, SchemaName.POWER)


def told(house: House, name: str) -> list[str]:
    events = house.valid(Kind.EVENT, SchemaName.EVENT)
    return [one["message"] for one in events if one["event"] == name]


def test_a_bus_that_hangs_in_mid_work_costs_no_word(house: House) -> None:
    house.let_bus(HEALTHY)
    house.start(**BOARD)
    house.listen_until(lambda: powers(house)[-1:] and powers(house)[-1]["percent"] == 63.0, "the battery")
    assert powers(house)[-1]["watts"] == pytest.approx(-3.874 * 0.412, rel=1e-3)
    house.say(PHRASE)
    wait_for(lambda: len(house.finals()) == 1, "a final")
    house.let_bus("hanging")
    house.say_until(lambda: told(house, "power_source_lost"), "the loss")
    assert "I2C bus 1 does not answer (nothing for 3 s)" in told(house, "power_source_lost")[0]
    assert "i2cdetect -y 1" in told(house, "power_source_lost")[0]
    before = len(house.finals())
    house.say(PHRASE)
    wait_for(lambda: len(house.finals()) > before, "a final while the bus is gone")
    assert {one["raw"] for one in house.finals()} == {house.finals()[0]["raw"]}, "the same words each time"
    house.listen_until(lambda: powers(house)[-1]["failures"] >= 3, "the count of failures")
    last = powers(house)[-1]
    assert (last["volts"], last["watts"], last["load_watts"]) == (None, None, None), "nothing is made up"
    counted = last["wh_lifetime"]
    seen = len(powers(house))
    house.listen_until(lambda: len(powers(house)) > seen + 1, "more reports")
    assert powers(house)[-1]["wh_lifetime"] == counted, "no energy is invented"
    assert house.end() == 0, house.log()
    assert "Traceback" not in house.log()


def test_a_chip_that_answers_garbage_is_told_and_nothing_else_suffers(house: House) -> None:
    house.let_bus("02=00 04=43 22=00 23=00 26=ff 27=fe 2a=ff")
    house.start(**BOARD)
    house.listen_until(lambda: told(house, "power_source_nonsense"), "the event")
    assert "power.address" in told(house, "power_source_nonsense")[0]
    house.say(PHRASE)
    wait_for(lambda: len(house.finals()) == 1, "a final")
    last = powers(house)[-1]
    assert (last["volts"], last["percent"], last["watts"], last["wh_since_start"]) == (None,) * 4
    assert last["rejected"] > 0
    assert house.end() == 0, house.log()
    assert "Traceback" not in house.log()

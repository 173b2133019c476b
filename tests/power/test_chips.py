"""What each chip's bytes mean: recorded dumps and the data sheets' examples, and the nonsense that buses deliver."""

from __future__ import annotations

import pytest
from registers import Chip, memory

from edgeasr.power.plausibility import Plausibility
from edgeasr.power.reading import Reading, Status
from edgeasr.power.sources.boards import BOARDS
from edgeasr.power.sources.chips import board, open_chip
from edgeasr.power.sources.ina import Ina226, Ina3221, Shunt, decode_ina219
from edgeasr.power.sources.max1704x import Max1704x


def read(name: str, chip: Chip, **options: float) -> Reading:
    return open_chip(board(name, **options), chip).read()  # type: ignore[arg-type]


# i2cdump of a UPS-Lite (github.com/davidem/UPS-Lite, README): registers 0x00 to 0x0F of a MAX17040.
UPS_LITE = memory(0, "ffffb520230f00000002ffff9700ffff")


def test_a_recorded_max17040_of_a_ups_lite() -> None:
    told = read("ups-lite", Chip(bytes_at=UPS_LITE))
    assert told.volts == pytest.approx(3.6225, abs=1e-4)
    assert told.percent == pytest.approx(35.06, abs=0.01)
    assert told.amps is None
    assert told.status is Status.UNKNOWN


@pytest.mark.parametrize(("rate", "status"), [(0x0008, Status.CHARGING), (0xFFF0, Status.DISCHARGING)])
def test_a_max17048_names_itself_and_tells_its_rate(rate: int, status: Status) -> None:
    chip = Chip(words={0x02: 0xC350, 0x04: 0x5000, 0x08: 0x0012, 0x16: rate})
    source = Max1704x(chip)
    probe = source.probe()
    assert probe is not None
    assert (probe.name, probe.certain) == ("MAX17048", True)
    told = source.read()
    assert told.volts == pytest.approx(3.90625)
    assert told.percent == 80.0
    assert told.status is status
    if status is Status.DISCHARGING:  # 16 steps of 0.208 % an hour
        assert told.seconds_to_empty == pytest.approx(80.0 / (16 * 0.208) * 3600)


@pytest.mark.parametrize(
    ("level", "lost", "there"), [(0, 0, False), (1, 0, True), (1, 1, False), (0, 1, True)]
)
def test_the_line_of_an_x1200_and_of_an_x728_tells_of_the_supply(level: int, lost: int, there: bool) -> None:
    told = Max1704x(Chip(bytes_at=UPS_LITE), lambda: level != lost).read()
    assert told.external is there
    assert told.status is (Status.UNKNOWN if there else Status.DISCHARGING)
    assert BOARDS["geekworm-x1200"].line_lost == 0
    assert BOARDS["geekworm-x728"].line_lost == 1


def test_an_ina219_by_the_data_sheets_example() -> None:
    # SBOS448, table 8: 12 V bus, 20 mV over the shunt; here 2 mΩ, so 10 A.
    told = decode_ina219(2000, 3000 << 3, Shunt(0.002, on_battery=False))
    assert told.volts == pytest.approx(12.0)
    assert told.load_watts == pytest.approx(120.0)
    assert told.amps is None, "in the supply line there is no battery's current"


def test_waveshares_boards_are_an_ina219_with_their_own_signs() -> None:
    drawn = Chip(words={0x01: (-80) & 0xFFFF, 0x02: round(3.7 / 4e-3) << 3})  # -0.8 mV
    told = read("waveshare-ups-c", drawn)
    assert (told.amps, told.status) == (pytest.approx(-0.08), Status.DISCHARGING)
    assert told.watts == pytest.approx(-0.08 * 3.7, rel=1e-3)
    told = read("waveshare-ups-d", drawn)
    assert (told.amps, told.status) == (pytest.approx(0.08), Status.CHARGING)
    told = read("waveshare-ups-c", drawn, shunt_ohms=0.005)
    assert told.amps == pytest.approx(-0.16), "another shunt, as on 52Pi's boards"


def test_an_ina226_and_an_ina3221_name_themselves() -> None:
    chip = Chip(words={0xFE: 0x5449, 0xFF: 0x2260, 0x01: 400, 0x02: 4000})
    source = Ina226(chip, Shunt(0.01, on_battery=False))
    probe = source.probe()
    assert probe is not None
    assert probe.certain
    assert source.read() == Reading(volts=5.0, load_watts=pytest.approx(0.5))
    assert Ina226(Chip(words={0xFE: 0x5449, 0xFF: 0x3220}), Shunt(0.01)).probe() is None
    three = Chip(words={0xFE: 0x5449, 0xFF: 0x3220, 0x03: (100 << 3), 0x04: 640 << 3})
    source = Ina3221(three, Shunt(0.1, on_battery=False), channel=2)
    assert source.probe() is not None
    assert source.read() == Reading(volts=pytest.approx(5.12), load_watts=pytest.approx(5.12 * 0.04))


def test_a_pisugar_3_on_battery_and_plugged_in() -> None:
    registers = bytearray(0x2B)
    registers[0x04] = 67  # 27 °C
    registers[0x22:0x24] = (3874).to_bytes(2, "big")
    registers[0x26:0x28] = (412).to_bytes(2, "big")
    registers[0x2A] = 63
    told = read("pisugar3", Chip(bytes_at=memory(0, bytes(registers))))
    assert (told.volts, told.amps, told.percent, told.celsius) == (3.874, -0.412, 63.0, 27.0)
    assert (told.status, told.external) == (Status.DISCHARGING, False)
    registers[0x02] = 0x80
    told = read("pisugar3", Chip(bytes_at=memory(0, bytes(registers))))
    assert (told.external, told.amps, told.watts) == (True, None, None)


def test_a_pisugar_2_pro() -> None:
    raw = round((3.9 - 2.6) / 0.26855e-3)
    told = read("pisugar2-pro", Chip(bytes_at=memory(0xD0, raw.to_bytes(2, "little"))))
    assert told.volts == pytest.approx(3.9, abs=1e-3)


def checked(*values: int) -> bytes:
    check = 0xFF
    for value in values:
        check ^= value
    return bytes([*values, check])


def pijuice(**answers: bytes) -> Chip:
    commands = {
        0x40: checked(0x00),  # no input, battery normal
        0x41: checked(57),
        0x47: checked(0xF6, 0xFF),  # -10 °C: PiJuice's own library once made -232 of such
        0x49: checked(*(3789).to_bytes(2, "little")),
        0x4B: checked(*(830).to_bytes(2, "little")),
        0x4D: checked(*(5050).to_bytes(2, "little")),
        0x4F: checked(*(600).to_bytes(2, "little")),
    }
    commands |= {int(name[1:], 16): answer for name, answer in answers.items()}
    return Chip(answers=commands)


def test_a_pijuice_and_its_checksums() -> None:
    told = read("pijuice", pijuice())
    assert (told.volts, told.amps, told.percent, told.celsius) == (3.789, -0.83, 57.0, -10.0)
    assert told.load_watts == pytest.approx(5.05 * 0.6)
    assert (told.status, told.external) == (Status.DISCHARGING, False)
    told = read("pijuice", pijuice(_40=checked(0b00110100)))  # charges from its own input
    assert (told.status, told.external, told.amps) == (Status.CHARGING, True, 0.83)
    told = read("pijuice", pijuice(_49=b"\xcd\x0e\x00"))
    assert (told.volts, told.watts) == (None, None), "a wrong checksum counts as no answer"
    assert read("pijuice", pijuice(_40=checked(0b00001100))).volts is None, "no battery is there"


def test_a_waveshare_e_and_its_cells() -> None:
    battery = b"".join(
        value.to_bytes(2, "little", signed=value < 0) for value in (15120, -900, 71, 3500, 240, 0xFFFF)
    )
    registers = memory(0x02, b"\x20") | memory(0x10, bytes(6)) | memory(0x20, battery)
    registers |= memory(0x30, b"".join(v.to_bytes(2, "little") for v in (3781, 3779, 3780, 3780)))
    told = read("waveshare-ups-e", Chip(bytes_at=registers))
    assert (told.volts, told.amps, told.percent) == (15.12, -0.9, 71.0)
    assert told.watts == pytest.approx(-13.608)
    assert told.seconds_to_empty == 240 * 60
    assert told.energy_wh == pytest.approx(52.92)
    assert told.cells == (3.781, 3.779, 3.78, 3.78)
    assert (told.status, told.external) == (Status.DISCHARGING, False)
    probe = open_chip(board("waveshare-ups-e"), Chip(bytes_at=registers)).probe()
    assert probe is not None
    assert probe.certain


def test_a_pipower_5() -> None:
    words = (0, 0, 5120, 880, 7650, -700 & 0xFFFF)
    registers = b"".join(word.to_bytes(2, "little") for word in words) + b"\x34"
    told = read("pipower5", Chip(bytes_at=memory(0, registers)))
    assert (told.volts, told.amps, told.percent, told.external) == (7.65, -0.7, 52.0, False)
    assert told.load_watts == pytest.approx(5.12 * 0.88)


SILENT_BUS = Chip(answers={-1: b""})


@pytest.mark.parametrize("name", sorted(BOARDS))
@pytest.mark.parametrize("level", [0x00, 0xFF, 0x5A])
def test_nonsense_from_a_bus_is_told_as_nothing(name: str, level: int) -> None:
    chip = Chip(bytes_at=dict.fromkeys(range(0x100), level))
    chosen = board(name)
    told = Plausibility(chosen.cells).check(open_chip(chosen, chip).read())
    if told.volts is not None:
        low, high = (2.5, 4.35) if chosen.cells else (3.0 / 1, 60.0)
        assert low * (chosen.cells or 1) <= told.volts <= high * (chosen.cells or 1)
    else:
        assert told.percent is None or 0 <= told.percent <= 100
        assert told.watts is None


def test_a_chip_that_does_not_answer_says_so_as_the_kernel_does() -> None:
    for name in BOARDS:
        with pytest.raises(OSError, match="Remote I/O"):
            read(name, Chip(silent=True))


def test_seen_nonsense_is_taken_out_and_counted() -> None:
    one_cell = Plausibility(1)
    told = one_cell.check(Reading(volts=0.0, percent=256.0, celsius=-232.0))
    assert (told.volts, told.percent, told.celsius) == (None, None, None)
    assert one_cell.rejected == 3
    told = one_cell.check(Reading(volts=3.8, amps=65.535, watts=249.0, percent=101.0))
    assert (told.volts, told.amps, told.watts, told.percent) == (3.8, None, None, 100.0)
    told = one_cell.check(Reading(volts=float("nan"), percent=50.0))
    assert (told.volts, told.percent) == (None, None)


def test_one_wild_value_between_good_ones_is_not_believed() -> None:
    one_cell = Plausibility(1)
    seen = [
        one_cell.check(Reading(percent=value)).percent for value in (60.0, 60.0, 20.0, 60.0, 59.0, 20.0, 20.0)
    ]
    assert seen == [60.0, 60.0, 60.0, 60.0, 59.0, 59.0, 20.0]

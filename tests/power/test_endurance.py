"""Hours on a battery come from counted instructions and published watts; the counting itself is exact."""

from __future__ import annotations

import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from tools.endurance import figures
from tools.endurance.counting import counted
from tools.endurance.counting.__main__ import compile_plugin, rates
from tools.endurance.counts import Counts
from tools.endurance.hours import Battery, Engine, Governor, break_even, endurance

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = Counts.load()
BATTERY = Battery()

# aarch64: mark 0, a million turns of two instructions, mark 2, exit.
CODE = (
    0xD2800FA8,  # mov x8, #125
    0xD2ACAC80,  # mov x0, #0x65640000
    0xD4000001,  # svc #0
    0xD2884801,  # mov x1, #16960
    0xF2A001E1,  # movk x1, #15, lsl #16
    0xF1000421,  # subs x1, x1, #1
    0x54FFFFE1,  # b.ne to it
    0xD2ACAC80,  # mov x0, #0x65640000
    0xF2800040,  # movk x0, #2
    0xD2800FA8,  # mov x8, #125
    0xD4000001,  # svc #0
    0xD2800BA8,  # mov x8, #93
    0xD2800000,  # mov x0, #0
    0xD4000001,  # svc #0
)
BASE = 0x400000


def elf() -> bytes:
    """The smallest program that Linux runs: a header, one segment, the code."""
    code = struct.pack(f"<{len(CODE)}I", *CODE)
    size = 64 + 56 + len(code)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, BASE + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)
    return header + segment + code


@pytest.mark.skipif(
    shutil.which("qemu-aarch64") is None or shutil.which("gcc") is None,
    reason="counting takes qemu-user and gcc",
)
def test_instructions_are_counted_to_the_last(tmp_path: Path) -> None:
    compile_plugin(tmp_path / "counter.so")
    program = tmp_path / "program"
    program.write_bytes(elf())
    program.chmod(0o755)
    plugin = f"{tmp_path}/counter.so,out={tmp_path}/told"
    subprocess.run(["qemu-aarch64", "-plugin", plugin, str(program)], check=True, timeout=120)
    told = [tuple(map(int, line.split())) for line in (tmp_path / "told").read_text().splitlines()]
    assert [mark for mark, _ in told] == [0, 2]
    assert told[1][1] - told[0][1] == 2 + 2 * 1_000_000 + 4


def test_rates_are_of_the_time_in_which_the_gate_is_open() -> None:
    lines = [
        (counted.ENTER, 5),
        (counted.LEAVE, 9),  # of the warm-up
        (counted.BEGIN_SILENCE, 1000),
        (counted.BEGIN_SPEECH, 3000),
        (counted.ENTER, 3100),
        (counted.LEAVE, 5100),
        (counted.ENTER, 6000),
        (counted.LEAVE, 7000),
        (counted.END, 13_500),
    ]
    marks = "\n".join(f"{mark} {count}" for mark, count in lines)
    told = rates(marks, {"silence": 20.0, "silence_open": 0.0, "speech": 15.0, "open": 10.0})
    assert told == pytest.approx({"silence": 100.0, "speech": (10_500 - 5 * 100.0) / 10.0, "encoder": 300.0})
    # 19 s at 50, 1 s at 1050; 5 s at 50, 9.76 s at 1050
    told = rates(marks, {"silence": 20.0, "silence_open": 1.0, "speech": 14.761905, "open": 9.761905})
    assert told["speech"] == pytest.approx(1050.0, rel=1e-3)
    assert told["silence"] == pytest.approx(50.0, rel=1e-2)


def test_every_figure_is_a_range() -> None:
    ranges = [figures.ONE_CORE, figures.CORAL_IDLE, figures.CORAL_WORK, figures.CORAL_DRIVER]
    ranges += [figures.MICROPHONE, figures.ECONOMY_WORK, figures.ECONOMY_IDLE, figures.DAEMON]
    for board in figures.BOARDS:
        ranges += [board.idle, board.busy, board.ipc, board.inference]
        assert board.source
    assert all(low <= likely <= high for low, likely, high in ranges)


@pytest.mark.parametrize("board", figures.BOARDS, ids=lambda board: board.name)
def test_more_speech_costs_and_a_larger_battery_lasts(board: figures.Board) -> None:
    def hours(share: float, battery: Battery = BATTERY, engine: Engine = Engine.BEAM) -> float:
        return endurance(board, engine, Governor.PERFORMANCE, share, COUNTS, battery).hours.middle

    assert hours(0.1) > hours(0.5) > hours(1.0)
    assert hours(1.0, engine=Engine.GREEDY) >= hours(1.0)
    assert hours(0.5, Battery(amp_hours=20.0)) == pytest.approx(2.0 * hours(0.5))


def test_the_middle_of_a_band_is_what_its_figures_give() -> None:
    board = next(one for one in figures.BOARDS if one.name == "4")
    told = endurance(board, Engine.BEAM, Governor.PERFORMANCE, 1.0, COUNTS, BATTERY)
    assert told.hours.low < told.hours.middle < told.hours.high
    instructions = COUNTS.of("cortex-a72").beam + COUNTS.of("cortex-a72").silence * figures.DAEMON[1]
    load = instructions / (board.ipc[1] * board.ghz * 1e9)
    watts = (
        board.idle[1] + figures.MICROPHONE[1] + load * figures.ONE_CORE[1] * (board.busy[1] - board.idle[1])
    )
    assert told.watts.middle == pytest.approx(watts, rel=0.1)
    assert told.hours.middle == pytest.approx(37.0 * 0.875 / watts, rel=0.1)


def test_a_coral_pays_only_for_an_encoder_that_is_much_heavier() -> None:
    for board in figures.BOARDS:
        heavier = break_even(board, COUNTS)
        assert heavier > 2.0

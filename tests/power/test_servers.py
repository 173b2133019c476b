"""Sources behind sockets and firmware: what upsd, pisugar-server and vcgencmd answer, and servers that misbehave."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from edgeasr.errors import PowerSourceError
from edgeasr.power.reading import Status
from edgeasr.power.sources.lines import LineServer
from edgeasr.power.sources.nut import NutUps
from edgeasr.power.sources.pisugar_server import PiSugarServer
from edgeasr.power.sources.pmic import decode_pmic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UPSD = {
    "LIST UPS": 'BEGIN LIST UPS\nUPS rack "Eaton 5E"\nEND LIST UPS\n',
    "LIST VAR rack": (
        'BEGIN LIST VAR rack\nVAR rack battery.charge "71"\nVAR rack battery.runtime "1260"\n'
        'VAR rack battery.voltage "13.1"\nVAR rack ups.load "12"\nVAR rack ups.realpower.nominal "500"\n'
        'VAR rack ups.status "OB DISCHRG"\nVAR rack ups.model "5E \\"650\\""\nEND LIST VAR rack\n'
    ),
}


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str], str | None]], int]]:
    """Start a server that answers lines; None closes the connection, an empty text says nothing."""
    listeners = []

    def start(answer: Callable[[str], str | None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), peer, peer.makefile("r") as lines:
                    for line in lines:
                        told = answer(line.strip())
                        if told is None:
                            break
                        peer.sendall(told.encode())

        threading.Thread(target=run, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.close()


def test_a_ups_on_battery(serve: Callable[[Callable[[str], str | None]], int]) -> None:
    ups = NutUps(port=serve(lambda line: UPSD.get(line, "ERR UNKNOWN-COMMAND\n")))
    probe, told = ups.probe(), ups.read()
    assert probe is not None
    assert probe.name == "the UPS rack of upsd"
    assert (told.percent, told.volts, told.seconds_to_empty) == (71.0, 13.1, 1260.0)
    assert told.load_watts == pytest.approx(60.0)
    assert (told.status, told.external) == (Status.DISCHARGING, False)
    ups.close()


def test_a_name_that_upsd_does_not_know(serve: Callable[[Callable[[str], str | None]], int]) -> None:
    ups = NutUps(port=serve(lambda line: UPSD.get(line, "ERR UNKNOWN-UPS\n")), ups="attic")
    with pytest.raises(PowerSourceError, match=r"attic.*upsc -l"):
        ups.read()
    ups.close()


def test_a_pisugar_server_that_first_says_invalid_request(
    serve: Callable[[Callable[[str], str | None]], int],
) -> None:
    values = {"battery": "84.2", "battery_v": "3.98", "battery_i": "0.41", "battery_power_plugged": "false"}
    asked: list[str] = []

    def answer(line: str) -> str:
        asked.append(line)
        name = line.removeprefix("get ")
        return "Invalid request.\n" if len(asked) < 3 else f"{name}: {values.get(name, '')}\n"

    board = PiSugarServer(port=serve(answer))
    told = board.read()
    board.close()
    assert (told.percent, told.volts, told.amps, told.status) == (84.2, 3.98, -0.41, Status.DISCHARGING)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: "", "timed out|in time"),
        (lambda _: None, "closed"),
        (lambda _: "x" * 200_000, "without end"),
    ],
)
def test_a_server_that_misbehaves_holds_nobody_up(
    serve: Callable[[Callable[[str], str | None]], int], answer: Callable[[str], str | None], why: str
) -> None:
    server = LineServer("127.0.0.1", serve(answer), "upsd", timeout=0.3)
    with pytest.raises(PowerSourceError, match=why):
        server.ask("LIST UPS")


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(PowerSourceError, match=f"port {port}.*whether it runs"):
        NutUps(port=port).read()


# The form of a Pi 5's output; values made up.
PMIC = """ 3V7_WL_SW_A current(0)=0.09954000A
   3V3_SYS_A current(1)=0.07027000A
   1V8_SYS_A current(2)=0.19028000A
  DDR_VDD2_A current(3)=0.02927000A
  DDR_VDDQ_A current(4)=0.00000000A
   1V1_SYS_A current(5)=0.18054000A
   0V8_SW_A current(7)=0.36303000A
   VDD_CORE_A current(8)=1.10200000A
 3V7_WL_SW_V volt(9)=3.74000000V
   3V3_SYS_V volt(10)=3.31000000V
   1V8_SYS_V volt(11)=1.80000000V
  DDR_VDD2_V volt(12)=1.10000000V
  DDR_VDDQ_V volt(13)=0.60000000V
   1V1_SYS_V volt(14)=1.10000000V
    0V8_SW_V volt(15)=0.80000000V
  VDD_CORE_V volt(16)=0.75000000V
     EXT5V_V volt(24)=5.13000000V
      BATT_V volt(25)=0.01000000V
"""


def test_the_rails_of_a_pi_5() -> None:
    told = decode_pmic(PMIC)
    rails = (
        0.09954 * 3.74
        + 0.07027 * 3.31
        + 0.19028 * 1.8
        + 0.02927 * 1.1
        + 0.18054 * 1.1
        + 0.36303 * 0.8
        + 1.102 * 0.75
    )
    assert told.load_watts == pytest.approx(1.1451 * rails + 0.5879)
    assert (told.volts, told.estimated) == (5.13, True)
    assert decode_pmic('error=1 error_msg="Command not registered"').load_watts is None
    assert decode_pmic(PMIC.replace("current", "cur")).load_watts is None

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from edgeasr.daemon.notify import Watchdog, notify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Systemd:
    """The other end of $NOTIFY_SOCKET, and a clock."""

    def __init__(self, address: str) -> None:
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.channel.bind(address)
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def heard(self) -> list[str]:
        lines = []
        while True:
            try:
                lines.append(self.channel.recv(4096).decode())
            except BlockingIOError:
                return lines

    def watchdog(self, **environ: str) -> Watchdog:
        return Watchdog({"WATCHDOG_USEC": "20000000", **environ}, self.clock)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    made = Systemd(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    yield made
    made.channel.close()


def test_it_feeds_when_frames_were_captured_and_decoded(systemd: Systemd) -> None:
    watchdog = systemd.watchdog()
    assert watchdog.is_on
    assert watchdog.progress(10, 9)
    assert systemd.heard() == ["WATCHDOG=1"]


@pytest.mark.parametrize("stuck", ["capture", "recogniser", "both"])
def test_it_stops_feeding_when_either_end_is_stuck(systemd: Systemd, stuck: str) -> None:
    watchdog = systemd.watchdog()
    watchdog.progress(10, 9)
    systemd.heard()
    for turn in range(1, 10):
        systemd.now += 5.0
        captured = 10 + (turn if stuck == "recogniser" else 0)
        processed = 9 + (turn if stuck == "capture" else 0)
        assert not watchdog.progress(captured, processed)
    assert systemd.heard() == []
    assert watchdog.progress(30, 30), "both moved since the last feed"


def test_it_feeds_four_times_in_the_time_that_systemd_waits(systemd: Systemd) -> None:
    watchdog = systemd.watchdog()
    fed = []
    for tenth in range(400):
        systemd.now = 100.0 + tenth / 10
        fed += [tenth / 10] if watchdog.progress(tenth + 1, tenth + 1) else []
    assert fed == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0]
    assert systemd.heard() == ["WATCHDOG=1"] * len(fed)


def test_without_frames_to_come_the_work_that_is_left_feeds_it(systemd: Systemd) -> None:
    watchdog = systemd.watchdog()
    assert watchdog.waiting(1, 1)
    systemd.now += 5.0
    assert not watchdog.waiting(2, 1), "capture no longer tries"
    assert not watchdog.waiting(1, 2), "the loop no longer turns"
    assert watchdog.waiting(2, 2)


@pytest.mark.parametrize(
    "environ", [{"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_PID": "1"}]
)
def test_it_keeps_quiet_where_systemd_does_not_wait_for_this_process(
    systemd: Systemd, environ: dict[str, str]
) -> None:
    watchdog = systemd.watchdog(**environ)
    assert not watchdog.is_on
    assert not watchdog.progress(1, 1)
    assert systemd.heard() == []


def test_it_counts_for_the_process_that_systemd_means(systemd: Systemd) -> None:
    assert systemd.watchdog(WATCHDOG_PID=str(os.getpid())).is_on
    assert not Watchdog({}, systemd.clock).is_on


def test_a_socket_that_is_gone_stops_nobody(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/notify")
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "@nobody-listens-here")
    notify("READY=1")
    assert systemd.watchdog().progress(1, 1)


def test_a_state_that_names_a_device_is_one_line_whatever_its_name(systemd: Systemd) -> None:
    notify("STATUS=degraded: the microphone 'Evil\nREADY=1\rWATCHDOG=trigger' is gone")
    (told,) = systemd.heard()
    assert told == "STATUS=degraded: the microphone 'Evil READY=1 WATCHDOG=trigger' is gone"

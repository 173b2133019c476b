"""One virtual device for all tests, which each find it listening; where one fails, the machine's logs are kept."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.device import LOG, Device
from device.subscriber import Subscriber
from tools.virtual_device import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(os.environ.get("EDGEASR_VIRTUAL_DEVICE", "build/virtual-device"))
_DEVICE = pytest.StashKey[Device]()


def pytest_configure(config: pytest.Config) -> None:
    # paho leaves a socket behind whose handshake a machine that is just going or coming does not answer.
    for category in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
        config.addinivalue_line("filterwarnings", f"ignore:.*ssl.SSLSocket.*:{category}")


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A machine that has booted."""
    if not (FOLDER / "disk.img").exists():
        pytest.fail(f"there is no image in {FOLDER}: run `make test-device`, which builds it")
    made = Machine(FOLDER.resolve(), FOLDER.resolve() / "run")
    try:
        made.prepare()
        LOG.info("booting; the console goes to %s", made.console)
        LOG.info("booted in %.0f s", made.boot())
        yield made
        made.collect(made.work)
        made.power_off()
    finally:
        made.close()


@pytest.fixture(scope="session")
def whole_device(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Device]:
    """Return it with its broker's listeners, and with speech to play."""
    ca = machine.folder / "ca.pem"
    listeners = [Subscriber(user, machine.mqtt_port, ca) for user in ("subscriber", "operator")]
    made = Device(machine, *listeners)
    request.config.stash[_DEVICE] = made
    try:
        made.bring_speech()
        yield made
    finally:
        for listener in listeners:
            listener.close()


@pytest.fixture
def device(whole_device: Device, request: pytest.FixtureRequest) -> Device:
    """Return the device, listening."""
    LOG.info("---- %s", request.node.name)
    whole_device.settle()
    return whole_device


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:  # type: ignore[misc]
    """Keep the machine's logs of a failure."""
    report = yield
    device = item.config.stash.get(_DEVICE, None)
    if report.failed and device is not None:
        folder = device.machine.work.parent / "failed" / re.sub(r"\W+", "-", item.name)
        device.machine.collect(folder)
        heard = [f"{when:.1f} {topic} {text}" for when, topic, text in device.operator.heard]
        heard += [f"{when:.1f} {topic} {text}" for when, topic, text in device.subscriber.heard]
        (folder / "heard.log").write_text("\n".join(sorted(heard)))
        report.sections.append(("logs", f"console, journal and what the broker carried: {folder}"))
    return report

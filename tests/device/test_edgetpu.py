"""An Edge TPU's process under the real systemd; the TPU itself is a fake, whose graph the CPU computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.device import LOG
from edgeasr.mqtt import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.device import Device

FAKES = Path(__file__).parents[1] / "fakes"
DROP_IN = "/run/systemd/system/edgeasr.service.d/fake.conf"
BUNDLE = "/opt/fakes/bundle"
UNIT = """\
[Service]
Environment=PYTHONPATH=/opt/fakes FAKE_TPU=/opt/fakes/tpu
ExecStart=
ExecStart=/opt/edgeasr/bin/python /opt/fakes/machine.py /opt/fakes/edgeasr.toml /opt/fakes/root
"""
# The real /proc, for the sound card, and a stick in /sys; a bundle that has a graph for it.
MAKE = f"""\
set -e
cd /opt/fakes
rm -rf root bundle
mkdir -p root/sys/bus/usb/devices/1-1
ln -s /proc root/proc
echo 18d1 > root/sys/bus/usb/devices/1-1/idVendor
echo 9302 > root/sys/bus/usb/devices/1-1/idProduct
cp -r /var/lib/edgeasr/models/edgeasr-en {BUNDLE}
sed -i 's/^file = "encoder.tflite"/&\\nedgetpu_file = "encoder.tflite"/' {BUNDLE}/model.toml
echo healthy > tpu
edgeasr config show --explain > edgeasr.toml
"""


@pytest.fixture
def device_with_tpu(device: Device) -> Iterator[Device]:
    """A device whose service finds an Edge TPU."""
    for name in ("machine.py", "tpu.py"):
        device.machine.write(f"/opt/fakes/{name}", (FAKES / name).read_bytes())
    device.configure(f'[encoder]\nbundle = "{BUNDLE}"\n')
    device.run(MAKE)
    device.machine.write(DROP_IN, UNIT.encode())
    device.run("systemctl daemon-reload; systemctl restart edgeasr")
    yield device
    device.run(f"rm {DROP_IN}; systemctl daemon-reload; systemctl stop edgeasr")


def hear_by_tpu(device: Device, name: str, *, other_than: int = 0) -> int:
    """Have a recording heard by the Edge TPU, driven by a process other than one before; return that process.

    It takes over where speech begins, so that its process has to be ready by then; the last thing that this does before
    it says so is to take its real-time priority, which it shows outside too.
    """
    ready = f"ps -C edgeasr-tpu -o pid=,cls= | grep -v '^ *{other_than} ' | grep -q FF"
    device.until(ready, "a process that is ready")
    final = device.hear(name)
    assert final["accelerator"] == "edgetpu"
    state = device.subscriber.values(Kind.STATE)[-1]
    assert (state["accelerator"], state["state"]) == ("edgetpu", "listening")
    return device.processes()["edgeasr-tpu"]


def test_the_process_that_drives_it_is_replaced_while_the_cpu_goes_on(device_with_tpu: Device) -> None:
    device = device_with_tpu
    device.until_listening()
    pid, driver = device.pid, hear_by_tpu(device, "weather")
    for signal in ("KILL", "STOP"):
        before = len(device.events())
        status = device.run(f"cat /proc/{driver}/status")
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        final = device.hear("walk", amid=f"kill -{signal} {driver}")
        assert final["accelerator"] == "cpu"
        device.await_event("accelerator_lost", before)
        driver = hear_by_tpu(device, "weather", other_than=driver)
        device.await_event("accelerator_back", before)
        events = [name for name in device.events(before) if name.startswith("accelerator")]
        assert events == ["accelerator_lost", "accelerator_back"]
        assert device.pid == pid
        LOG.info("SIG%s: the CPU went on, and the TPU came back", signal)

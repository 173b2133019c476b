"""An Edge TPU's process under the real systemd; the TPU itself is a fake, whose graph the CPU computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.device import LOG, PATIENCE
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


def await_tpu(device: Device) -> None:
    def is_used() -> bool:
        return bool(device.subscriber.values(Kind.STATE)[-1]["accelerator"] == "edgetpu")

    device.subscriber.wait(is_used, PATIENCE, "the Edge TPU")


def test_the_process_that_drives_it_is_replaced_while_the_cpu_goes_on(device_with_tpu: Device) -> None:
    device = device_with_tpu
    device.until_listening()
    device.until("pgrep edgeasr-tpu >/dev/null", "its process")
    device.hear("weather")
    await_tpu(device)
    for signal in ("KILL", "STOP"):
        before, found = len(device.events()), device.processes()
        driver = found["edgeasr-tpu"]
        status = device.run(f"cat /proc/{driver}/status")
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        device.run(f"kill -{signal} {driver}")
        device.hear("walk")
        assert "accelerator_lost" in device.events(before)
        device.until(f"pgrep edgeasr-tpu | grep -qvx {driver}", "another process")
        device.hear("weather")
        await_tpu(device)
        LOG.info("SIG%s: the CPU went on, and the TPU came back", signal)
        assert device.processes()["edgeasr"] == found["edgeasr"]

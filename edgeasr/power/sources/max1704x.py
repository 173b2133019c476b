"""Maxim's fuel gauges MAX17040, MAX17043 and MAX17048: voltage and state of charge of one cell, no current.

Registers: the data sheets; two bytes each, high byte first. Boards: Geekworm X728, X1200, UPS-Lite, SparkFun, Adafruit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Reading, Status
from edgeasr.power.sources.source import Probe, big_endian, twos_complement

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.power.sources.source import Registers

_VCELL, _SOC, _VERSION, _CONFIG, _CRATE = 0x02, 0x04, 0x08, 0x0C, 0x16
_VOLTS: Final = 1.25e-3 / 16  # a step of the whole register; the older chips fill its upper 12 bits
_FAMILY: Final = 0x0010  # MAX17048 and MAX17049: VERSION is 0x001_
_PERCENT_AN_HOUR: Final = 0.208
_SILENT: Final = 0xFFFF  # what a bus says when nobody drives it


def decode_max1704x(vcell: int, soc: int, crate: int | None = None) -> Reading:
    """Decode the registers (high byte first); `crate`, the MAX17048's rate of change, tells its direction."""
    if _SILENT in {vcell, soc}:
        return Reading()
    status = Status.UNKNOWN
    rate = None if crate is None else twos_complement(crate) * _PERCENT_AN_HOUR
    if rate:
        status = Status.CHARGING if rate > 0 else Status.DISCHARGING
    percent = soc / 256.0
    left = None
    if rate is not None and rate < 0:
        left = max(0.0, percent / -rate * 3600.0)
    return Reading(volts=vcell * _VOLTS, percent=percent, status=status, seconds_to_empty=left)


class Max1704x:
    """One gauge; `external` asks the board's line that tells whether a supply is there, None where it has none."""

    name = "max1704x"

    def __init__(self, registers: Registers, external: Callable[[], bool | None] = lambda: None) -> None:
        self._registers, self._external = registers, external
        self._has_rate: bool | None = None

    def probe(self) -> Probe | None:
        """Name the chip by its version; the MAX17048 alone does so surely."""
        version = big_endian(self._registers.word(_VERSION))
        if version & 0xFFF0 == _FAMILY:
            return Probe("MAX17048", certain=True)
        if version in {0x0000, _SILENT}:
            return None
        return Probe("MAX17040 or MAX17043", certain=False, note=f"version {version:#06x}")

    def read(self) -> Reading:
        """Read voltage and charge, and the rate where the chip has one."""
        if self._has_rate is None:
            self._has_rate = big_endian(self._registers.word(_VERSION)) & 0xFFF0 == _FAMILY
        crate = big_endian(self._registers.word(_CRATE)) if self._has_rate else None
        told = decode_max1704x(
            big_endian(self._registers.word(_VCELL)), big_endian(self._registers.word(_SOC)), crate
        )
        external = self._external()
        if external is None or told.volts is None:
            return told
        status = told.status
        if not external:
            status = Status.DISCHARGING
        elif status is Status.DISCHARGING:  # the rate lags behind the plug by minutes
            status = Status.UNKNOWN
        return Reading(
            volts=told.volts,
            percent=told.percent,
            status=status,
            external=external,
            seconds_to_empty=told.seconds_to_empty if status is Status.DISCHARGING else None,
        )

    def close(self) -> None:
        """Nothing is open here."""

"""The names that `power.source` takes; a file of their own, so that the settings import nothing else of this room."""

from __future__ import annotations

from typing import Final

AUTO: Final = "auto"
NONE: Final = "none"
# Sources that are no board on an I2C bus.
SERVICES: Final = ("kernel", "hwmon", "nut", "pisugar-server", "pmic", "estimate")
BOARD_NAMES: Final = (
    "ina219",
    "ina226",
    "ina3221",
    "max1704x",
    "ups-lite",
    "geekworm-x728",
    "geekworm-x1200",
    "pisugar3",
    "pisugar2-pro",
    "pijuice",
    "waveshare-ups-b",
    "waveshare-ups-c",
    "waveshare-ups-d",
    "waveshare-ups-e",
    "pipower5",
)
NAMES: Final = (AUTO, NONE, *SERVICES, *BOARD_NAMES)

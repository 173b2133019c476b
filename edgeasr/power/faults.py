"""Why a source does not answer, in a sentence with its mend."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from edgeasr.errors import PowerSourceError
from edgeasr.power.names import BOARD_NAMES

if TYPE_CHECKING:
    from edgeasr.power.options import SourceOptions


def explain(error: Exception, options: SourceOptions) -> str:
    """Return what happened to the source of the settings, and what to do."""
    if isinstance(error, PowerSourceError):
        return str(error)
    number = getattr(error, "errno", None)
    what = options.source
    if what not in BOARD_NAMES and what != "auto":
        return f"the power source {what} cannot be read ({error}): see `edgeasr power probe`"
    bus = f"I2C bus {options.bus}"
    if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
        return (
            f"there is no {bus} for {what}: put dtparam=i2c_arm=on into /boot/firmware/config.txt and restart, or name "
            "another one with power.bus; `edgeasr power probe` shows what answers"
        )
    if number in {errno.EACCES, errno.EPERM}:
        return f"{bus} may not be opened for {what}: add the service's user to the group i2c"
    if number == errno.EBUSY:
        return (
            f"a kernel driver holds the address of {what} on {bus}: take that driver's figures with "
            "power.source = 'kernel' or 'hwmon', or remove its overlay"
        )
    return (
        f"{what} does not answer on {bus} ({error}): check that the board is seated and switched on, and its name; "
        "`edgeasr power probe` shows what answers"
    )

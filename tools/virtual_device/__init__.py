"""A Debian machine under software emulation, with a real systemd, and the daemon installed on it."""

from tools.virtual_device.machine import CommandError, Machine

__all__ = ["CommandError", "Machine"]

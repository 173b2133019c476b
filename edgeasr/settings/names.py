"""Texts with a form of their own: prefix and device id, which become parts of MQTT topics; hosts; lists of cores."""

from __future__ import annotations

import difflib
import hashlib
import hmac
import ipaddress
import re
import socket
from typing import TYPE_CHECKING

from edgeasr.power.names import NAMES
from edgeasr.safefile import inside, read_bytes

if TYPE_CHECKING:
    from pathlib import Path

_APPLICATION = b"edgeasr device id"
_ID_DIGITS = 8
_LONGEST = 64
_HOST = re.compile(r"[A-Za-z0-9_.:%-]{1,253}")
_LONGEST_LABEL = 63
_MOST_CHANNELS = 128  # that ALSA's own mixers offer
_CORES = re.compile(r"\d{1,3}(-\d{1,3})?(,\d{1,3}(-\d{1,3})?)*")


def channel(value: object) -> str:
    """Return which channel of a microphone is meant: auto, mix, or a number from 1 on; ValueError with a sentence."""
    only = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
    text = str(only).strip() if isinstance(only, str | int) and not isinstance(only, bool) else ""
    if text in {"auto", "mix"} or (
        text.isascii() and text.isdecimal() and 1 <= int(text[:4]) <= _MOST_CHANNELS
    ):
        return text.lstrip("0") or text
    raise ValueError(
        f"must be auto, mix or a number from 1 to {_MOST_CHANNELS}, not {ascii(value)[:40]}; correct it"
    )


def device_id_fault(name: str) -> str | None:
    """Return what forbids a device id as one level of a topic, or None."""
    if "/" in name:
        return "must not contain '/'"
    return _level_fault(name)


def prefix_fault(prefix: str) -> str | None:
    """Return what forbids a topic prefix (one or more levels), or None."""
    for level in prefix.split("/"):
        fault = _level_fault(level)
        if fault:
            return fault
    return None


def host_fault(host: str) -> str | None:
    """Return what forbids a host name or address, or None."""
    if not _HOST.fullmatch(host) or ".." in host or host.startswith("."):
        return "must be a host name or an IP address without scheme, path or spaces"
    if ":" in host and not _is_address(host):
        return (
            "must be a host name or an IP address alone: the port goes into the setting port, or after --port"
        )
    if any(len(label) > _LONGEST_LABEL for label in host.split(".")):
        return f"must not have a part longer than {_LONGEST_LABEL} characters"
    return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def cores_fault(text: str) -> str | None:
    """Return what forbids a list of cores, or None."""
    if not _CORES.fullmatch(text):
        return "must be a list of cores such as 1 or 0,2-3"
    return None


def _level_fault(level: str) -> str | None:
    if not level:
        return "must not be empty or have an empty level"
    if len(level) > _LONGEST:
        return f"must not be longer than {_LONGEST} characters"
    if level.startswith("$"):
        return "must not start with '$', which brokers keep for themselves"
    for sign in level:
        if sign in "+#":
            return f"must not contain '{sign}'"
        if sign.isspace() or not sign.isprintable():
            return "must not contain spaces or control characters"
    return None


def default_device_id(root: Path) -> tuple[str, str]:
    """Return an id that stays the same on this machine, and where it comes from.

    The machine id itself is confidential (machine-id(5)), so a keyed hash of it is used; without one,
    the host name.
    """
    path = root / "etc/machine-id"
    try:
        machine = read_bytes(inside(root, path)).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    if machine and machine != "uninitialized":
        digest = hmac.new(machine.encode(), _APPLICATION, hashlib.sha256).hexdigest()
        return digest[:_ID_DIGITS], str(path)
    return re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:_LONGEST] or "device", "host name"


def power_source_fault(name: str) -> str | None:
    """Return what forbids a power source's name, or None."""
    if name in NAMES:
        return None
    meant = difflib.get_close_matches(name, NAMES, n=1)
    return f"must be one of {', '.join(NAMES)}" + (f"; did you mean {meant[0]}?" if meant else "")

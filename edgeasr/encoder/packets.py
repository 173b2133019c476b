"""What travels between this process and the one that drives the Edge TPU: a head, then numbers or text."""

from __future__ import annotations

from typing import Final

# Of its head only the first byte says anything; a whole word keeps the numbers behind it aligned.
HEAD_BYTES: Final = 4
READY, ERROR, HOP, RESET = (bytes([code, 0, 0, 0]) for code in range(4))

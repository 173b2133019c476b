"""Standard input, output and error, which whoever starts a program may have closed."""

from __future__ import annotations

import contextlib
import os
import sys

_NAMES = ("stdin", "stdout", "stderr")


def hold_standard_streams() -> None:
    """Open what is closed of the three, lest a file or socket take its number and hear what was meant for a person.

    Output is then thrown away; standard input stays missing for Python, which is how a reader of it learns of that.
    """
    for number, name in enumerate(_NAMES):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if number and getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115

"""The compiled search: where it lies, and its functions' types."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_double, c_float, c_int, c_int32, c_size_t, c_uint32, c_void_p
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

from edgeasr.errors import RuntimeMissingError

__all__ = ["OptionsStruct", "UserStruct", "byref", "library"]

_FOLDER: Final = Path(__file__).parent


class OptionsStruct(ctypes.Structure):
    """`options` of native.h."""

    _fields_ = (
        ("beam", c_int32),
        ("tokens", c_int32),
        ("threshold", c_float),
        ("lm_weight", c_float),
        ("word_score", c_float),
        ("blank_penalty", c_float),
        ("blank_skip", c_float),
        ("lm_order", c_int32),
        ("apart", c_int32),
    )


class UserStruct(ctypes.Structure):
    """`user_word` of native.h."""

    _fields_ = (("stands_for", c_uint32), ("log10", c_float))


# Calls let other Python threads run: ctypes gives the lock back for as long as they last.
_TYPES: Final = {
    "new": (c_void_p, [c_void_p, c_size_t, c_void_p, c_size_t, POINTER(c_int32)]),
    "free": (None, [c_void_p]),
    "set": (c_int, [c_void_p, POINTER(OptionsStruct)]),
    "graft": (
        c_int,
        [c_void_p, c_void_p, c_size_t, POINTER(UserStruct), c_int32, POINTER(c_uint32), c_int32],
    ),
    "begin": (None, [c_void_p, c_uint32, c_float, c_float]),
    "step": (c_int, [c_void_p, c_void_p, c_int32, c_int32]),
    "end": (None, [c_void_p]),
    "best": (c_int32, [c_void_p, c_void_p, c_void_p, c_int32, POINTER(c_float)]),
    "shared": (c_int32, [c_void_p, c_float]),
    "settle": (None, [c_void_p, c_int32]),
    "agreement": (
        None,
        [c_void_p, c_int32, c_void_p, c_void_p, c_double, c_void_p],
    ),
    "words": (c_int32, [c_void_p, c_int32, c_void_p, c_int32, POINTER(c_float)]),
    "keep": (None, [c_void_p, c_int32, c_void_p, c_void_p]),
    "language": (c_float, [c_void_p, c_uint32, c_uint32, POINTER(c_uint32)]),
}


@cache
def library() -> ctypes.CDLL:
    """Load the compiled search; RuntimeMissingError where it is missing."""
    for suffix in EXTENSION_SUFFIXES:
        path = _FOLDER / f"_native{suffix}"
        if path.is_file():
            break
    else:
        raise RuntimeMissingError(
            "the compiled search is missing beside edgeasr/decoder; run: apt install gcc libc6-dev, "
            "then install edgeasr again with pip"
        )
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise RuntimeMissingError(
            f"{path.name} cannot be loaded ({error}); install edgeasr again with pip on this machine"
        ) from error
    for name, (result, arguments) in _TYPES.items():
        function = getattr(loaded, f"edgeasr_search_{name}")
        function.restype, function.argtypes = result, arguments
    return loaded

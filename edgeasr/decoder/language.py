"""The n-gram model of a bundle: packed, mapped, and asked by the compiled search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC: Final = b"EDGELM1\0"


def load_language_model(path: Path) -> NDArray[np.uint8]:
    """Map the model at `path`; BundleError for a missing file or one of another kind."""
    try:
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise BundleError(
            f"the language model {path} cannot be read ({error}); fetch the bundle again or switch the LM off"
        ) from error
    if bytes(data[:8]) != MAGIC:
        raise BundleError(f"{path} is no packed language model; fetch the bundle again")
    return data

"""The n-gram language model that scores word sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeasr.decoder.lexicon import Lexicon, flashlight
from edgeasr.errors import BundleError, RuntimeMissingError

if TYPE_CHECKING:
    from pathlib import Path


def load_language_model(path: Path | None, lexicon: Lexicon) -> Any:
    """Return KenLM's model at `path` for the lexicon's words, or one that scores nothing for None.

    Binary files are mapped; ARPA files are read, slowly. Raises BundleError for a missing or broken file.
    """
    if path is None:
        return flashlight().ZeroLM()
    try:
        from flashlight.lib.text.decoder.kenlm import KenLM  # noqa: PLC0415
    except ImportError as error:
        raise RuntimeMissingError(
            "flashlight-text lacks KenLM; run: pip install flashlight-text==0.0.7"
        ) from error
    if not path.is_file():
        raise BundleError(
            f"the language model {path} is missing; fetch the bundle again or switch the LM off"
        )
    try:
        return KenLM(str(path), lexicon.dictionary())
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "no reason given"
        raise BundleError(
            f"the language model {path} cannot be read ({reason}); fetch the bundle again"
        ) from error

"""The words that operators set, kept over restarts."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

from edgeasr.daemon.statefile import write_through
from edgeasr.safefile import read_bytes
from edgeasr.settings import UserWord, check_distinct, user_words

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger(__name__)
_FILE: Final = "hotwords.json"
_VERSION: Final = 1
_LARGEST: Final = 1 << 16  # bytes; a command, which has far fewer, is all that is ever kept


class HotwordsFile:
    """`hotwords.json` in a folder, readable by its user only, replaced whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE

    def load(self) -> tuple[UserWord, ...]:
        """Return the words; none, with a line in the log, where the file cannot be understood."""
        try:
            return _read(read_bytes(self.path, _LARGEST + 1))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, RecursionError) as error:
            _LOG.warning("%s is left aside (%s); send set_hotwords again", self.path, error)
            return ()

    def save(self, words: tuple[UserWord, ...]) -> str | None:
        """Keep the words; return a sentence where the disk does not take them."""
        value = {"v": _VERSION, "words": [entry.entry for entry in words]}
        try:
            write_through(self.path, json.dumps(value).encode() + b"\n")
        except OSError as error:
            return (
                f"{self.path} cannot be written ({error.strerror}), so a restart forgets the words; "
                "check the disk"
            )
        return None


def _read(content: bytes) -> tuple[UserWord, ...]:
    if len(content) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST} bytes")
    value = json.loads(content)
    if not isinstance(value, dict) or value.get("v") != _VERSION:
        raise ValueError("it is of another version")
    words = user_words(value.get("words"))
    check_distinct(words)
    return words

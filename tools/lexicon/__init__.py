"""Vocabulary and pronunciations: `python -m tools.lexicon --out DIR`."""

from tools.lexicon.build import Lexicon, write_lexicon

__all__ = ["Lexicon", "write_lexicon"]

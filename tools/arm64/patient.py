"""`edgeasr` with longer time-outs for loading, for an emulated processor, which is ten to twenty times slower."""

from __future__ import annotations

import sys

from edgeasr.cli import main
from edgeasr.pipeline import DeferredDecoder

TIMES = 20

if __name__ == "__main__":
    (seconds,) = DeferredDecoder.wait.__defaults__ or (0.0,)
    DeferredDecoder.wait.__defaults__ = (TIMES * seconds,)
    sys.exit(main())

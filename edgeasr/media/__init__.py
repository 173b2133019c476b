"""Audio out of files and streams of any format: WAV, FLAC, Ogg, MP3 and more, and what ffmpeg reads.

Names are imported when they are first asked for: who only looks at first bytes does without libsndfile.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeasr.media.coding import Coding
    from edgeasr.media.container import HEAD_BYTES, Container, recognise
    from edgeasr.media.decoder import BLOCK_FRAMES, Decoder
    from edgeasr.media.likeness import Likeness
    from edgeasr.media.opening import open_file, scale_remark
    from edgeasr.media.sndfile import how_to_convert
    from edgeasr.media.spool import spooled
    from edgeasr.media.stream import ByteStream, StreamDecoder
    from edgeasr.media.wave import WaveError, read_header

__all__ = [
    "BLOCK_FRAMES",
    "HEAD_BYTES",
    "ByteStream",
    "Coding",
    "Container",
    "Decoder",
    "Likeness",
    "StreamDecoder",
    "WaveError",
    "how_to_convert",
    "open_file",
    "read_header",
    "recognise",
    "scale_remark",
    "spooled",
]

_MODULES = {
    "BLOCK_FRAMES": "decoder",
    "HEAD_BYTES": "container",
    "ByteStream": "stream",
    "Coding": "coding",
    "Container": "container",
    "Decoder": "decoder",
    "Likeness": "likeness",
    "StreamDecoder": "stream",
    "WaveError": "wave",
    "how_to_convert": "sndfile",
    "open_file": "opening",
    "read_header": "wave",
    "recognise": "container",
    "scale_remark": "opening",
    "spooled": "spool",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value

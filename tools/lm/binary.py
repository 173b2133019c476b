"""KenLM's binary form of a model: a bit-packed, quantised trie that is mapped from the file, not parsed.

KenLM's `build_binary` writes it. The kenlm package on PyPI installs only the reader, but its source archive
has the program: it is compiled once, with the machine's C++ compiler, where none is on the PATH.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.errors import RuntimeMissingError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SOURCE: Final = "kenlm==0.3.0"
_PROGRAM: Final = "build_binary"
_CACHE: Final = Path.home() / ".cache" / "edgeasr-tools"
_QUANTISATION_BITS: Final = 8
_POINTER_BITS: Final = 22  # upper bound for the array that compresses pointers; KenLM picks the best below it


def write_binary(arpa: Path, out: Path) -> None:
    """Turn an ARPA file into the shipped trie; RuntimeMissingError without `build_binary` or a compiler."""
    program = shutil.which(_PROGRAM) or str(_compiled())
    bits = str(_QUANTISATION_BITS)
    command = [
        program,
        "-v",
        "-q",
        bits,
        "-b",
        bits,
        "-a",
        str(_POINTER_BITS),
        "-S",
        "1G",
        "trie",
        str(arpa),
        str(out),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{program} could not turn {arpa} into a binary: {done.stderr.strip().splitlines()[-1]}"
        raise RuntimeMissingError(msg)


def trie_bytes(sizes: Sequence[int]) -> int:
    """Estimated bytes of the trie with so many n-grams by level (within a few per cent).

    Unigrams take 16 bytes and 8 of vocabulary hash; packed levels a word, a probability and, below the top, a
    back-off and a pointer whose upper bits live in an array of 64-bit offsets.
    """
    word = sizes[0].bit_length()
    total = 24.0 * sizes[0] + 4096
    for size, above in zip(sizes[1:], [*sizes[2:], 0], strict=True):
        bits = float(word + _QUANTISATION_BITS)
        if above:
            pointer = above.bit_length()
            saved = range(min(pointer, _POINTER_BITS) + 1)
            bits += _QUANTISATION_BITS + min(pointer - k + 64.0 * 2**k / max(size, 1) for k in saved)
        total += size * bits / 8
    return int(total)


def _compiled() -> Path:
    program = _CACHE / _PROGRAM
    if program.exists():
        return program
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        msg = (
            "KenLM's build_binary is not installed and there is no C++ compiler to build it: apt install g++."
        )
        raise RuntimeMissingError(msg)
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        fetch = [
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--no-build-isolation",
            "-d",
            folder,
            _SOURCE,
        ]
        _run([sys.executable, "-m", "pip", *fetch], "download the source of kenlm; check the network")
        with tarfile.open(next(work.glob("kenlm*.tar.gz"))) as archive:
            archive.extractall(work, filter="data")
        root = next(path for path in work.glob("kenlm*") if path.is_dir())
        sources = [
            str(path.relative_to(root))
            for part in ("util/double-conversion", "util", "lm")
            for path in sorted((root / part).glob("*.cc"))
            if not path.name.endswith(("test.cc", "main.cc"))
        ]
        flags = ["-I.", "-O2", "-w", "-DNDEBUG", "-DKENLM_MAX_ORDER=6"]
        built = work / _PROGRAM
        command = [compiler, *flags, "lm/build_binary_main.cc", *sources, "-o", str(built), "-lpthread"]
        if sys.platform == "linux":
            command.append("-lrt")
        _run(command, "compile KenLM's build_binary; its source needs a C++ compiler and libstdc++", root)
        shutil.copy2(built, program)
    return program


def _run(command: Sequence[str], purpose: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"Could not {purpose} ({(done.stderr.strip() or 'no message').splitlines()[-1]})."
        raise RuntimeMissingError(msg)

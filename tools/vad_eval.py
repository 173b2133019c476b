"""How much speech the gate passes and how much else: a table over real speech, real noise and silence.

Utterances of the dev set are joined with gaps of 2 to 5 seconds, at several levels and in several noises;
where speech is follows from the energy of each utterance before anything is added.
Run: `python -m tools.vad_eval`.
"""

from __future__ import annotations

import argparse
import csv
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from edgeasr.capture import FileSource
from edgeasr.frontend import Gate, GateConfig, LogMel, Vad, VadConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Flags = NDArray[np.bool_]

RATE = 16_000
FRAME = 160
HOP_FRAMES = 9
SPEECH_LEVELS = ((-26, -66), (-6, -46), (-40, -60), (-60, -90), (-26, -41), (-26, -36))
STEADY_NOISES = ("Rain", "Helicopter", "Sea waves", "Fire crackling")
SILENCES = (None, -90, -75, -60, -40, -20)
NOISE_SECONDS = 120
NOISE_LEVEL = -30
ONSET_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Material:
    """Joined utterances at 0 dB RMS of speech, which frames are speech, and where each utterance lies."""

    samples: Floats
    speech: Flags
    spans: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Clock:
    """CPU seconds by step, and the audio they served."""

    features: float = 0.0
    gate: float = 0.0
    audio: float = 0.0


def decibels(value: float) -> np.float32:
    """Convert a level to an amplitude."""
    return np.float32(10 ** (value / 20))


def dev_utterances(data: Path, count: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Utterances spread over the parts of the dev set."""
    with (data / "speech" / "dev.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    parts: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        parts.setdefault(row["tar"].split("-")[0].split(".")[0], []).append(row)
    chosen = [
        part[i] for part in parts.values() for i in rng.permutation(len(part))[: max(1, count // len(parts))]
    ]
    for index in rng.permutation(len(chosen)):
        row = chosen[index]
        with tarfile.open(data / "speech" / row["tar"]) as tar:
            member = next(name for name in tar.getnames() if Path(name).stem == row["id"])
            extracted = tar.extractfile(member)
            if extracted is not None:
                yield decode(extracted.read())


def decode(encoded: bytes) -> Floats:
    """Decode a file's bytes to samples within ±1."""
    with tempfile.NamedTemporaryFile(suffix=".ogg") as file:
        file.write(encoded)
        file.flush()
        source = FileSource(Path(file.name))
        out = np.zeros(round((source.seconds or 0) * RATE) + RATE, dtype=np.int16)
        count = source.read(out)
        source.close()
    return out[:count].astype(np.float32) / np.float32(32768)


def features(sound: Floats, clock: Clock) -> Floats:
    """Log-mel of a whole sound, in hops as the daemon computes it."""
    samples = np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)
    hop = HOP_FRAMES * FRAME
    out = np.zeros((samples.size // hop * HOP_FRAMES, 64), dtype=np.float32)
    logmel, started = LogMel(), time.process_time()
    for first in range(0, len(out), HOP_FRAMES):
        out[first : first + HOP_FRAMES] = logmel.process(samples[first * FRAME : first * FRAME + hop])
    clock.features += time.process_time() - started
    clock.audio += samples.size / RATE
    return out


def speech_frames(sound: Floats) -> Flags:
    """Flag frames within 32 dB of the loud ones and 9 dB above the quiet ones; gaps to 0.3 s are bridged."""
    power = np.array([np.mean(np.square(frame)) for frame in sound.reshape(-1, FRAME)])
    level = 10 * np.log10(np.convolve(power, np.ones(3) / 3, mode="same") + 1e-10)
    flags: Flags = level > max(np.percentile(level, 5) + 9, np.percentile(level, 97) - 32)
    for value, longest in ((True, 4), (False, 30)):
        edges = np.flatnonzero(np.diff(np.r_[0, (flags == value).astype(np.int8), 0]))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if end - start <= longest and (value or (start > 0 and end < flags.size)):
                flags[start:end] = not value
    return flags


def material(data: Path, count: int, rng: np.random.Generator) -> Material:
    """Join utterances of equal loudness with gaps of digital silence."""
    sounds: list[Floats] = []
    flags: list[Flags] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for utterance in dev_utterances(data, count, rng):
        sound = utterance[: utterance.size // FRAME * FRAME]
        speech = speech_frames(sound)
        if not speech.any():
            continue
        gap = int(rng.uniform(200, 500))
        loudness = np.sqrt(np.mean(np.square(sound[np.repeat(speech, FRAME)])))
        sounds += [sound / loudness, np.zeros(gap * FRAME, dtype=np.float32)]
        flags += [speech, np.zeros(gap, dtype=np.bool_)]
        spans.append((at, at + speech.size))
        at += speech.size + gap
    return Material(np.concatenate(sounds), np.concatenate(flags), tuple(spans))


def recorded_noise(data: Path, kind: str, count: int, rng: np.random.Generator) -> Floats:
    """`count` samples at 0 dB RMS of one kind of everyday sound, its clips in random order."""
    with (data / "noise" / "noise.tsv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file, delimiter="\t") if row["kind"] == kind]
    clips: list[Floats] = []
    for index in rng.permutation(len(names)):
        clip = decode((data / "noise" / names[index]).read_bytes())
        clips.append(clip / np.float32(np.std(clip) + 1e-4))
        if sum(each.size for each in clips) >= count:
            break
    return np.resize(np.concatenate(clips), count)


def pink_noise(count: int, rng: np.random.Generator) -> Floats:
    """`count` samples at 0 dB RMS."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    sound = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(spectrum.size), 10)), count)
    return (sound / np.std(sound)).astype(np.float32)


def passed_frames(logmel: Floats, vad: VadConfig, gate: GateConfig, clock: Clock) -> Flags:
    """Which frames go to the encoder."""
    detector, door = Vad(vad), Gate(gate)
    passed = np.zeros(len(logmel), dtype=np.bool_)
    started = time.process_time()
    for first in range(0, len(logmel), HOP_FRAMES):
        hop = logmel[first : first + HOP_FRAMES]
        blocks = door.process(hop, speech=detector.process(hop).speech)
        if len(blocks):
            passed[door.hop * HOP_FRAMES : first + HOP_FRAMES] = True
    clock.gate += time.process_time() - started
    return passed


def conditions(data: Path, speech: Material, rng: np.random.Generator) -> Iterator[tuple[str, Floats]]:
    """Speech at several levels over pink noise, and in recorded noise at 15 dB."""
    count = speech.samples.size
    for level, floor in SPEECH_LEVELS:
        noise = pink_noise(count, rng)
        name = f"speech {level} dB, pink {floor} dB"
        yield name, speech.samples * decibels(level) + noise * decibels(floor)
    for kind in STEADY_NOISES:
        noise = recorded_noise(data, kind, count, rng)
        yield f"speech -26 dB, {kind.lower()} -41 dB", speech.samples * decibels(-26) + noise * decibels(-41)


def backgrounds(data: Path, rng: np.random.Generator) -> Iterator[tuple[str, Floats]]:
    """Sounds without a word in them."""
    count = NOISE_SECONDS * RATE
    for level in SILENCES:
        sound = (
            np.zeros(count, dtype=np.float32) if level is None else pink_noise(count, rng) * decibels(level)
        )
        yield "digital silence" if level is None else f"pink {level} dB", sound
    with (data / "noise" / "noise.tsv").open(encoding="utf-8") as file:
        kinds = {row["kind"] for row in csv.DictReader(file, delimiter="\t") if row["file"].endswith(".opus")}
    for kind in sorted(kinds):
        yield kind, recorded_noise(data, kind, count, rng) * decibels(NOISE_LEVEL)


def speech_row(name: str, passed: Flags, speech: Material) -> tuple[str, ...]:
    """Give recall, cut onsets (and by how much), cut ends, and the share of the gaps that passed."""
    truth = speech.speech[: passed.size]
    late: list[int] = []
    ends = 0
    for start, end in speech.spans:
        frames = start + np.flatnonzero(speech.speech[start:end])
        frames = frames[frames < passed.size]
        if not passed[frames[:ONSET_FRAMES]].all():
            late.append(int(np.flatnonzero(np.r_[passed[frames], True])[0]) * 10)
        ends += not passed[frames[-ONSET_FRAMES:]].all()
    recall = (passed & truth).sum() / truth.sum()
    gaps = (passed & ~truth).sum() / (~truth).sum()
    onsets = f"{len(late)} (by {np.mean(late):.0f} ms)" if late else "0"
    return name, f"{recall:.2%}", onsets, str(ends), f"{gaps:.0%}"


def main() -> None:
    """Print both tables and the CPU time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared"), help="folder with speech/ and noise/")
    parser.add_argument("--utterances", type=int, default=60)
    parser.add_argument("--threshold-db", type=float, default=VadConfig().threshold_db)
    parser.add_argument("--hysteresis-db", type=float, default=VadConfig().hysteresis_db)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, clock = np.random.default_rng(options.seed), Clock()
    vad = VadConfig(threshold_db=options.threshold_db, hysteresis_db=options.hysteresis_db)
    speech = material(options.data, options.utterances, rng)
    table = Table("condition", "speech passed", "onsets cut", "ends cut", "gaps passed")
    for name, sound in conditions(options.data, speech, rng):
        table.add_row(
            *speech_row(name, passed_frames(features(sound, clock), vad, GateConfig(), clock), speech)
        )
    silent = Table("background", "passed")
    for name, sound in backgrounds(options.data, rng):
        silent.add_row(name, f"{passed_frames(features(sound, clock), vad, GateConfig(), clock).mean():.0%}")
    console = Console()
    console.print(f"{len(speech.spans)} utterances, {speech.samples.size / RATE / 60:.1f} min a condition")
    console.print(table, silent)
    console.print(
        f"CPU seconds per second of audio: features {clock.features / clock.audio:.5f}, "
        f"VAD and gate {clock.gate / clock.audio:.5f}"
    )


if __name__ == "__main__":
    main()

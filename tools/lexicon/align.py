"""Letter-to-phone alignment of a pronunciation dictionary by expectation-maximisation.

A word and its pronunciation are cut into joint units ("graphones"): one letter with none, one or two phones,
or two letters with one phone. The cut that is most probable under a unigram of graphones, fitted by EM over
all cuts, is what the joint n-gram is counted from (Bisani & Ney 2008, Joint-sequence models for
grapheme-to-phoneme conversion, Speech Communication 50).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np

from edgeasr.decoder.g2p import LETTERS
from edgeasr.phones import PHONES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

_L = len(LETTERS)
_P = len(PHONES)
# Dense table of graphone probabilities: letter:nothing, letter:phone, letter:two phones, two letters:phone.
_ONE_ONE = _L
_ONE_TWO = _ONE_ONE + _L * _P
_TWO_ONE = _ONE_TWO + _L * _P * _P
_SIZE = _TWO_ONE + _L * _L * _P
_ITERATIONS = 12
_FLOOR = 1e-30
_LETTER = {letter: number for number, letter in enumerate(LETTERS)}
_PHONE = {phone: number for number, phone in enumerate(PHONES)}
_DL = (1, 1, 1, 2)
_DP = (0, 1, 2, 1)


@dataclass(frozen=True, slots=True)
class Graphone:
    """One joint unit: a chunk of letters and the phones it sounds as."""

    letters: str
    phones: tuple[str, ...]


def align(entries: Sequence[tuple[str, tuple[str, ...]]]) -> list[list[Graphone]]:
    """Cut every (word, pronunciation) into graphones; an empty list where no cut exists ("w" as its name, say)."""
    pairs = [(_numbers(word, _LETTER), _numbers(said, _PHONE)) for word, said in entries]
    probs = np.full(_SIZE, 1.0 / _SIZE)
    for _ in range(_ITERATIONS):
        counts = np.zeros(_SIZE)
        for word, said in pairs:
            _expect(word, said, probs, counts)
        probs = counts / counts.sum()
    logs = np.log(probs + _FLOOR)
    return [[_graphone(code) for code in _best(word, said, logs).tolist()] for word, said in pairs]


def _numbers(symbols: Iterable[str], number: dict[str, int]) -> NDArray[np.int64]:
    return np.array([number[symbol] for symbol in symbols], np.int64)


def _graphone(code: int) -> Graphone:
    if code < _ONE_ONE:
        return Graphone(LETTERS[code], ())
    if code < _ONE_TWO:
        letter, phone = divmod(code - _ONE_ONE, _P)
        return Graphone(LETTERS[letter], (PHONES[phone],))
    if code < _TWO_ONE:
        letter, pair = divmod(code - _ONE_TWO, _P * _P)
        return Graphone(LETTERS[letter], (PHONES[pair // _P], PHONES[pair % _P]))
    pair, phone = divmod(code - _TWO_ONE, _P)
    return Graphone(LETTERS[pair // _L] + LETTERS[pair % _L], (PHONES[phone],))


# Compiled from here on. Step s of 0 to 3 ends a graphone of _DL[s] letters and _DP[s] phones before letter i, phone j.


@numba.njit(cache=True)
def _code(word: NDArray[np.int64], said: NDArray[np.int64], i: int, j: int, step: int) -> int:
    """Graphone of a step; -1 where it does not fit."""
    if i < _DL[step] or j < _DP[step]:
        return -1
    if step == 0:
        return int(word[i - 1])
    if step == 1:
        return int(_ONE_ONE + word[i - 1] * _P + said[j - 1])
    if step == 2:
        return int(_ONE_TWO + (word[i - 1] * _P + said[j - 2]) * _P + said[j - 1])
    return int(_TWO_ONE + (word[i - 2] * _L + word[i - 1]) * _P + said[j - 1])


@numba.njit(cache=True)
def _forward(
    word: NDArray[np.int64], said: NDArray[np.int64], probs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probability of all cuts of the first i letters and j phones."""
    forward = np.zeros((len(word) + 1, len(said) + 1))
    forward[0, 0] = 1.0
    for i in range(1, len(word) + 1):
        for j in range(len(said) + 1):
            for step in range(4):
                code = _code(word, said, i, j, step)
                if code >= 0:
                    forward[i, j] += forward[i - _DL[step], j - _DP[step]] * probs[code]
    return forward


@numba.njit(cache=True)
def _expect(
    word: NDArray[np.int64],
    said: NDArray[np.int64],
    probs: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> None:
    """Add to `counts` how often each graphone is expected in the cuts of one entry."""
    forward = _forward(word, said, probs)
    if forward[-1, -1] <= 0.0:
        return
    backward = np.zeros_like(forward)
    backward[-1, -1] = 1.0 / forward[-1, -1]
    for i in range(len(word), 0, -1):
        for j in range(len(said), -1, -1):
            for step in range(4):
                code = _code(word, said, i, j, step)
                if code >= 0:
                    mass = backward[i, j] * probs[code]
                    backward[i - _DL[step], j - _DP[step]] += mass
                    counts[code] += forward[i - _DL[step], j - _DP[step]] * mass


@numba.njit(cache=True)
def _best(word: NDArray[np.int64], said: NDArray[np.int64], logs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Graphones of the most probable cut; empty where none exists."""
    score = np.full((len(word) + 1, len(said) + 1), -np.inf)
    chosen = np.zeros(score.shape, np.int64)
    score[0, 0] = 0.0
    for i in range(1, len(word) + 1):
        for j in range(len(said) + 1):
            for step in range(4):
                code = _code(word, said, i, j, step)
                if code >= 0 and score[i - _DL[step], j - _DP[step]] + logs[code] > score[i, j]:
                    score[i, j] = score[i - _DL[step], j - _DP[step]] + logs[code]
                    chosen[i, j] = step
    i, j, found = len(word), len(said), 0
    codes = np.zeros(len(word), np.int64)
    while score[-1, -1] > -np.inf and i > 0:
        step = chosen[i, j]
        codes[found] = _code(word, said, i, j, step)
        i, j, found = i - _DL[step], j - _DP[step], found + 1
    return codes[:found][::-1]

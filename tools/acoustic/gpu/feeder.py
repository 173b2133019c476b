"""Makes batches ahead of the training, in a thread and a stream of its own."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.acoustic.gpu.speech import Draw

_AHEAD = 3
_PATIENCE_SECONDS = 120.0


class Batch(NamedTuple):
    """A draw, its features float32[batch, frames, mels] and its labels int64[batch, steps]."""

    draw: Draw
    features: Tensor
    labels: Tensor


class _Made(NamedTuple):
    batch: Batch
    ready: torch.cuda.Event | None


class Feeder:
    """Batches of endless draws, a few of them ahead."""

    def __init__(
        self, draws: Iterator[Draw], make: Callable[[Draw], tuple[Tensor, Tensor]], device: torch.device
    ) -> None:
        self._draws, self._make, self._device = draws, make, device
        self._made: queue.Queue[_Made | BaseException] = queue.Queue(_AHEAD)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="feeder", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            if self._device.type != "cuda":
                self._fill(None)
            else:
                with torch.cuda.stream(stream := torch.cuda.Stream(self._device)):
                    self._fill(stream)
        except BaseException as error:  # noqa: BLE001 - raised where the batches are taken
            self._put(error)

    def _fill(self, stream: torch.cuda.Stream | None) -> None:
        for draw in self._draws:
            batch = Batch(draw, *self._make(draw))
            self._put(_Made(batch, stream.record_event() if stream else None))
            if self._is_over.is_set():
                return

    def _put(self, item: _Made | BaseException) -> None:
        while not self._is_over.is_set():
            try:
                self._made.put(item, timeout=0.5)
            except queue.Full:
                continue
            return

    def next(self) -> Batch:
        """Take the next batch; whatever went wrong in making it is raised here."""
        made = self._made.get(timeout=_PATIENCE_SECONDS)
        if isinstance(made, BaseException):
            raise made
        if made.ready:
            here = torch.cuda.current_stream()
            here.wait_event(made.ready)
            made.batch.features.record_stream(here)
            made.batch.labels.record_stream(here)
        return made.batch

    def close(self) -> None:
        """Stop making batches."""
        self._is_over.set()
        self._thread.join(_PATIENCE_SECONDS)

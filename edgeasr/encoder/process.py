"""An encoder on an Edge TPU in a process of its own: a wedged `invoke` never returns, but a process can be killed."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.encoder.packets import ERROR, HEAD_BYTES, HOP, READY, RESET
from edgeasr.encoder.protocol import Accelerator
from edgeasr.errors import AcceleratorError
from edgeasr.tuning import Tuning
from edgeasr.worker import Child

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeasr.bundle import Bundle
    from edgeasr.encoder.interpreter import Runtime

MODULE: Final = "edgeasr.encoder.worker"
OPENER: Final = "edgeasr.encoder.worker:open_edgetpu"

START_SECONDS: Final = 40.0  # loading the firmware and re-enumerating takes a stick up to 10 s
STEP_SECONDS: Final = 0.5  # a hop takes some milliseconds
_SLICE_SECONDS: Final = 0.2
_LONGEST_PACKET: Final = 4096


class EncoderProcess:
    """Starts the process on construction; `wait_ready` until it has run a first inference, then as any encoder.

    A process that crashes is noticed at once, one that hangs after `STEP_SECONDS`; both raise AcceleratorError, as
    does an `invoke` that fails. Then close it and make another one.
    """

    accelerator = Accelerator.EDGETPU

    def __init__(
        self, bundle: Bundle, runtime: Runtime, tuning: Tuning | None = None, opener: str | None = None
    ) -> None:
        info, mels = bundle.manifest.encoder, bundle.manifest.features.mels
        self.hop_frames, self.stride = info.hop_frames, info.stride
        self.lookahead_frames = info.lookahead_frames
        self.faults: list[str] = []
        self._packet = bytearray(HOP) + bytearray(4 * info.hop_frames * mels)
        self._features = np.frombuffer(self._packet, dtype=np.float32)[1:].reshape(info.hop_frames, mels)
        rows = info.hop_frames // info.stride
        self._answer = bytearray(max(HEAD_BYTES + 4 * rows * info.units, _LONGEST_PACKET))
        values = np.frombuffer(self._answer, dtype=np.float32)
        self._rows: NDArray[np.float32] = values[1 : 1 + rows * info.units].reshape(rows, info.units)
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        options = {
            "bundle": str(bundle.path),
            "mels": mels,
            "runtime": runtime.name,
            "opener": opener or OPENER,
            "tuning": asdict(tuning or Tuning()),
            "channel": theirs.fileno(),
        }
        with theirs:
            self._child = Child(MODULE, options, (theirs.fileno(),))
        self._channel.settimeout(_SLICE_SECONDS)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    @property
    def is_gone(self) -> bool:
        """Whether it has ended; one stuck in its driver does not, even when it was killed."""
        return not self._child.is_alive

    def check(self) -> None:
        """Raise AcceleratorError where it has ended; pass on what it complains of."""
        self._child.relay()
        if self.is_gone:
            raise self._crash()

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until the graph is loaded and has run once; raises AcceleratorError."""
        count = self._receive(seconds)
        if self._answer[:HEAD_BYTES] != READY:
            raise AcceleratorError(
                "the Edge TPU's process does not keep to its protocol: install edgeasr anew"
            )
        self.faults = json.loads(bytes(self._answer[HEAD_BYTES:count]))
        self._channel.settimeout(STEP_SECONDS)

    def reset(self) -> None:
        """Zero left context: an utterance begins."""
        self._send(RESET)
        self._receive(STEP_SECONDS)

    def step(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[hop_frames, mels] to float32[hop_frames / stride, units], natural log; a view until the next call."""
        np.copyto(self._features, features)
        self._send(self._packet)
        self._receive(STEP_SECONDS)
        return self._rows

    def close(self) -> None:
        """Kill it, whatever it does; does not wait for its end."""
        self._channel.close()
        self._child.kill()

    def reap(self) -> bool:
        """Wait for its end, shortly, after `close`; False where it is stuck in its driver."""
        return self._child.reap()

    def _send(self, packet: bytes | bytearray) -> None:
        try:
            self._channel.send(packet)
        except OSError:
            raise self._crash() from None

    def _receive(self, seconds: float) -> int:
        """Take one packet into the answer's memory; returns its length."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                count = self._channel.recv_into(self._answer)
            except TimeoutError:
                if time.monotonic() >= deadline:
                    raise AcceleratorError(
                        f"the Edge TPU has not answered for {seconds:g} s: unplug it and plug it in again"
                    ) from None
                continue
            except OSError:
                count = 0
            if count == 0:
                raise self._crash() from None
            if self._answer[:HEAD_BYTES] == ERROR:
                reason = bytes(self._answer[HEAD_BYTES:count]).decode("utf-8", "replace")
                raise AcceleratorError(f"the Edge TPU failed ({reason}): `edgeasr doctor` names the cause")
            return count

    def _crash(self) -> AcceleratorError:
        self._child.reap()
        return AcceleratorError(
            f"the Edge TPU's process is gone, {self._child.last_words()}: `edgeasr doctor` names the cause"
        )

"""The process that drives the Edge TPU: hops in, log-probabilities out. `python -m edgeasr.encoder.worker OPTIONS`.

Options (JSON): `bundle` (folder), `mels`, `runtime`, `opener` (module:function that makes the interpreter), `leash`,
`tuning`, and as `channel` the descriptor of a SOCK_SEQPACKET socket. On it, this process first sends READY and what the
kernel refused, as JSON, or ERROR and why. Then it answers each packet: HOP with float32[hop_frames, mels] by HOP with
float32[rows, units], RESET by RESET; an `invoke` that fails, by ERROR and the sentence.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeasr.bundle import Bundle
from edgeasr.encoder import edgetpu
from edgeasr.encoder.interpreter import Runtime, load_interpreter
from edgeasr.encoder.packets import ERROR, HEAD_BYTES, HOP, READY, RESET
from edgeasr.encoder.protocol import Accelerator
from edgeasr.encoder.streaming import StreamingEncoder
from edgeasr.errors import EdgeasrError
from edgeasr.tuning import Tuning, demote, name_thread, tune_process
from edgeasr.worker import hold_leash

if TYPE_CHECKING:
    from numpy.typing import NDArray


def open_edgetpu(bundle: Bundle, runtime: Runtime) -> Any:
    """Load the graph that was compiled for the Edge TPU, with its delegate."""
    model = bundle.file(bundle.manifest.encoder.edgetpu_file)
    return load_interpreter(model, 1, runtime, [edgetpu.load_delegate(runtime)])


def main(text: str) -> int:
    """Serve until the channel or the parent ends."""
    options: dict[str, Any] = json.loads(text)
    hold_leash(options["leash"])
    name_thread("edgeasr-tpu")
    with socket.socket(fileno=options["channel"]) as channel:
        try:
            encoder = _open(options)
        except (EdgeasrError, ImportError, RuntimeError, ValueError, OSError) as error:
            channel.send(ERROR + str(error).encode())
            return 1
        # Last, since loading takes longer than real-time scheduling may at a stretch.
        faults = tune_process(Tuning(**options["tuning"]))
        channel.send(READY + json.dumps(faults).encode())
        return _serve(channel, encoder, options["mels"])


def _open(options: dict[str, Any]) -> StreamingEncoder:
    bundle = Bundle.open(Path(options["bundle"]))
    module, _, name = options["opener"].partition(":")
    interpreter = getattr(importlib.import_module(module), name)(bundle, Runtime[options["runtime"]])
    return StreamingEncoder(interpreter, bundle.manifest, Accelerator.EDGETPU)


def _serve(channel: socket.socket, encoder: StreamingEncoder, mels: int) -> int:
    packet = bytearray(HEAD_BYTES + 4 * encoder.hop_frames * mels)
    features: NDArray[np.float32] = np.frombuffer(packet, dtype=np.float32)[1:].reshape(-1, mels)
    answer: bytearray | None = None
    while channel.recv_into(packet):
        if packet[0] == RESET[0]:
            encoder.reset()
            channel.send(RESET)
            continue
        try:
            rows = encoder.step(features)
        except (RuntimeError, ValueError) as error:
            channel.send(ERROR + str(error).encode())
            return 1
        if answer is None:
            answer = bytearray(HOP) + bytearray(rows.nbytes)
            told = np.frombuffer(answer, dtype=np.float32)[1:].reshape(rows.shape)
        np.copyto(told, rows)
        channel.send(answer)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stderr.flush()
    demote()
    os._exit(code)  # not by return: a delegate that hangs would not let the interpreter end

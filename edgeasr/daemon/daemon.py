"""The daemon: capture in a thread, recognition in this one, MQTT in its own."""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.bundle import locate
from edgeasr.capture import SAMPLE_RATE
from edgeasr.daemon.capture import CaptureThread
from edgeasr.daemon.clock import StreamClock
from edgeasr.daemon.health import Health
from edgeasr.daemon.journal import set_up_logging
from edgeasr.daemon.messages import Messenger
from edgeasr.daemon.narrator import Narrator
from edgeasr.daemon.notify import notify
from edgeasr.daemon.state import DaemonState, StateReport
from edgeasr.encoder import open_encoder
from edgeasr.pipeline import Final, build_decoder, build_recogniser

if TYPE_CHECKING:
    from types import FrameType

    from edgeasr.pipeline import DeferredDecoder, Recogniser, Update
    from edgeasr.settings import Settings

_LOG = logging.getLogger(__name__)
_RING_WAIT = 0.5  # how long to wait for a chunk before looking whether to stop
_CLOSE_SECONDS = 3.0  # with the last utterance's search this keeps within systemd's 5 s


class Daemon:
    """Listens, transcribes and publishes until `stop` is set or the source ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = StreamClock()
        self._health = Health()
        self._stop = threading.Event()
        self._partial_pause = 1.0 / settings.partials.per_second
        self._next_partial = 0.0
        self._next_health = 0.0
        self._chunk_seconds = 0.0

    def stop(self) -> None:
        """Ask `run` to finish the utterance under way, publish it and return."""
        self._stop.set()

    def run(self) -> int:
        """Run to the end; returns the exit code. Raises EdgeasrError for what needs a mend before it can start."""
        settings = self._settings
        bundle = locate(settings.encoder.bundle, search=settings.encoder.search)
        label = bundle.manifest.label
        decoder = build_decoder(settings, bundle)
        messenger = Messenger(settings, StateReport(label))
        try:
            encoder = open_encoder(bundle, settings.encoder.accelerator.value, settings.encoder.threads)
            recogniser = build_recogniser(settings, bundle, encoder, decoder)
            block = recogniser.hop_samples * settings.encoder.hops_per_step
            self._chunk_seconds = block / SAMPLE_RATE
            capture = CaptureThread(
                settings.audio, block, self._clock, messenger.microphone_lost, messenger.microphone_back
            )
            capture.start()
            messenger.start(encoder.accelerator.value)
            narrator = Narrator(settings.text, self._clock, label, encoder.accelerator.value)
            try:
                self._listen(recogniser, decoder, capture, narrator, messenger)
            finally:
                notify("STOPPING=1", "STATUS=stopping")
                capture.stop()
            if capture.error is not None:
                raise capture.error
        finally:
            messenger.close(_CLOSE_SECONDS)
        return 0

    def _listen(
        self,
        recogniser: Recogniser,
        decoder: DeferredDecoder,
        capture: CaptureThread,
        narrator: Narrator,
        messenger: Messenger,
    ) -> None:
        chunk = np.zeros(round(self._chunk_seconds * SAMPLE_RATE), dtype=np.int16)
        ready = False
        filled = 0
        while True:
            filled += capture.ring.read(chunk[filled:], _RING_WAIT)
            if filled == len(chunk):
                self._process(recogniser, chunk, capture, narrator, messenger)
                filled = 0
                if not ready:
                    ready = True
                    messenger.enter(DaemonState.LISTENING)
                    notify("READY=1", "STATUS=listening")
            if self._stop.is_set() or (capture.ring.closed and not capture.ring.available):
                break
            if decoder.ready and time.monotonic() >= self._next_health:
                self._report(capture, messenger)
        capture.stop()
        while (count := capture.ring.read(chunk[filled:], 0.0)) and filled + count == len(chunk):
            self._tell(recogniser.accept(chunk), narrator, messenger)
            filled = 0
        self._tell(recogniser.finish(chunk[: filled + count]), narrator, messenger)
        self._report(capture, messenger)

    def _process(
        self,
        recogniser: Recogniser,
        chunk: np.ndarray[tuple[int], np.dtype[np.int16]],
        capture: CaptureThread,
        narrator: Narrator,
        messenger: Messenger,
    ) -> None:
        began = time.monotonic()
        waited = capture.ring.available / SAMPLE_RATE
        self._tell(recogniser.accept(chunk), narrator, messenger)
        self._health.chunk(self._chunk_seconds, time.monotonic() - began, waited)

    def _tell(self, updates: list[Update], narrator: Narrator, messenger: Messenger) -> None:
        for update in updates:
            if isinstance(update, Final):
                self._health.utterances += 1
                messenger.final(narrator.event(update))
            elif (now := time.monotonic()) >= self._next_partial:
                self._next_partial = now + self._partial_pause
                messenger.partial(narrator.event(update))

    def _report(self, capture: CaptureThread, messenger: Messenger) -> None:
        self._next_health = time.monotonic() + self._settings.health.interval
        messenger.health(self._health, overflows=capture.overflows, audio_dropped=capture.ring.dropped)


def run_daemon(settings: Settings) -> int:
    """Run the daemon in this process until SIGTERM, SIGINT or the end of its source."""
    set_up_logging(settings.logging)
    daemon = Daemon(settings)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        _LOG.info("stopping on %s", signal.Signals(number).name)
        daemon.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return daemon.run()

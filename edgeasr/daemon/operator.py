"""Carries out what is asked for over MQTT, in the daemon's thread, between two chunks."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from edgeasr import __version__
from edgeasr.daemon.allowance import Allowance
from edgeasr.daemon.commands import CommandName, ErrorCode, RefusedError, Response, parse, refusal
from edgeasr.daemon.notify import is_service
from edgeasr.daemon.reload import compare
from edgeasr.daemon.state import DaemonState
from edgeasr.errors import EdgeasrError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgeasr.daemon.commands import Command
    from edgeasr.daemon.control import Control, Request
    from edgeasr.daemon.ear import Ear
    from edgeasr.daemon.engine import Engine
    from edgeasr.daemon.hotwords import Hotwords, Outcome
    from edgeasr.daemon.messages import Messenger
    from edgeasr.daemon.mute import MuteFile
    from edgeasr.daemon.narrator import Narrator
    from edgeasr.settings import Settings

_LOG = logging.getLogger(__name__)
_MOST_A_CHUNK: Final = 4  # commands between two chunks, so that a flood of them leaves time for speech
_CUTS, _CUT_SECONDS = 4, 5.0  # utterances that commands may cut: a few at once, then one in such a time
_RELOADS, _RELOAD_SECONDS = 4, 2.0  # likewise; each one reads and checks all files
_OPENINGS, _OPENING_SECONDS = 4, 5.0  # likewise; each one cuts the stream, and starts a process


class Operator:
    """Mute, commands and discovery; `attend` is called at every chunk's end."""

    def __init__(  # noqa: PLR0913
        self,
        control: Control,
        engine: Engine,
        ear: Ear,
        *,
        narrator: Narrator,
        messenger: Messenger,
        mute_file: MuteFile,
        hotwords: Hotwords,
        reload: Callable[[], Settings] | None,
        adopt: Callable[[Settings], None],
    ) -> None:
        self._control, self._engine, self._ear = control, engine, ear
        self._narrator, self._messenger = narrator, messenger
        self._mute_file, self._hotwords = mute_file, hotwords
        self._reload, self._adopt = reload, adopt
        self._began = time.monotonic()
        self._cuts, self._reloads = Allowance(_CUTS, _CUT_SECONDS), Allowance(_RELOADS, _RELOAD_SECONDS)
        self._openings = Allowance(_OPENINGS, _OPENING_SECONDS)
        self._wish: bool | None = None
        self._actions: Mapping[CommandName, Callable[[Command], Mapping[str, object]]] = {
            CommandName.PING: self._ping,
            CommandName.FLUSH: self._flush,
            CommandName.RELOAD: self._reload_command,
            CommandName.START_SESSION: lambda command: self._change_session(command.label),
            CommandName.STOP_SESSION: lambda _: self._change_session(None),
        }
        self.muted = mute_file.load()

    def begin(self) -> None:
        """Open the stream, or keep it closed where the device was muted when it was switched off.

        As a service it waits for a microphone that is not there; somebody at a terminal is told and gets it back.
        """
        self._messenger.mute(muted=self.muted)
        if self.muted:
            self._ear.close()
            self._messenger.enter(DaemonState.MUTED)
            if not self._messenger.is_heard:
                _LOG.warning(
                    "muted, and without MQTT nobody can unmute it; delete %s and start it again",
                    self._mute_file.path,
                )
        else:
            self._ear.open(patient=is_service())

    def attend(self) -> None:
        """Do what has been asked for since the last time."""
        wish = self._control.take_mute()
        self._wish = self._wish if wish is None else wish
        # To be muted is a wish that never waits.
        if self._wish is not None and (self._wish or self.muted is False or not self._openings.take()):
            wish, self._wish = self._wish, None
            if wish is not self.muted:
                self._mute(muted=wish)
        if self._control.take_birth():
            self._messenger.discover()
        outcome = self._hotwords.attend()
        if outcome is not None:
            self._tell_of_words(outcome)
        for _ in range(_MOST_A_CHUNK):
            request = self._control.take_command()
            if request is None:
                return
            response = self._carry_out(request)
            if response is not None:
                self._control.answer(request, response)

    def reread(self) -> None:
        """Read the configuration again for somebody who reads the log alone."""
        try:
            self.reload()
        except RefusedError as error:
            _LOG.error("%s", error)

    def reload(self) -> dict[str, object]:
        """Read the configuration again; RefusedError, and nothing changed, where it is bad."""
        if self._reload is None:
            raise RefusedError(
                ErrorCode.UNSUPPORTED, "this daemon has no configuration to read again; restart it"
            )
        if self._engine.loading:
            raise RefusedError(ErrorCode.BUSY, "the model is still being loaded; try again in some seconds")
        try:
            change = compare(self._engine.settings, self._reload())
        except EdgeasrError as error:
            self._messenger.event("config_error", "error", str(error))
            raise RefusedError(ErrorCode.CONFIG, f"the configuration stays as it was: {error}") from None
        self._adopt(change.settings)
        if any(name.startswith("vocabulary.") for name in change.applied):
            self._hotwords.refresh()
        logging.getLogger().setLevel(change.settings.logging.level.value.upper())
        _LOG.info(
            "configuration read again; changed: %s; takes a restart: %s",
            ", ".join(change.applied) or "nothing",
            ", ".join(change.restart) or "nothing",
        )
        return {"applied": list(change.applied), "restart": list(change.restart)}

    def _carry_out(self, request: Request) -> Response | None:
        """Return the answer; None where it comes later."""
        try:
            command = parse(request.payload)
        except RefusedError as error:
            return refusal(error)
        if request.fault:
            return Response(command.name, command.id, request.fault, ErrorCode.INVALID)
        try:
            if command.name is CommandName.SET_HOTWORDS:
                self._hotwords.set(request, command)
                return None
            result = self._actions[command.name](command)
        except RefusedError as error:
            return Response(command.name, command.id, str(error), error.code)
        return Response(command.name, command.id, result=result)

    def _mute(self, *, muted: bool) -> None:
        """Close or open the stream; what was said before is still published."""
        self.muted = muted
        why = self._mute_file.save(muted=muted) or ""
        if why:
            _LOG.warning("%s", why)
        if muted:
            self._ear.close()
            self._messenger.mute(muted=True)
            self._messenger.enter(DaemonState.MUTED, why)
            self._engine.finish(self._ear)
        else:
            self._ear.open(patient=True)
            self._messenger.mute(muted=False)

    def _ping(self, _command: Command) -> dict[str, object]:
        return {
            "version": __version__,
            "state": self._messenger.state.value,
            "muted": self.muted,
            "session": self._narrator.session,
            "uptime_seconds": round(time.monotonic() - self._began, 1),
        }

    def _reload_command(self, _command: Command) -> dict[str, object]:
        seconds = self._reloads.take()
        if seconds:
            raise RefusedError(
                ErrorCode.BUSY, f"the configuration is read again too often; try again in {seconds:.0f} s"
            )
        return self.reload()

    def _flush(self, _command: Command) -> dict[str, object]:
        return {"finals": self._end_utterance()}

    def _end_utterance(self) -> int:
        if not self._engine.in_utterance:
            return 0
        if self._engine.loading:
            raise RefusedError(ErrorCode.BUSY, "the model is still being loaded; try again in some seconds")
        seconds = self._cuts.take()
        if seconds:
            raise RefusedError(
                ErrorCode.BUSY,
                f"commands cut what is being said too often; try again in {max(1.0, seconds):.0f} s, or after a pause",
            )
        return self._engine.flush()

    def _tell_of_words(self, outcome: Outcome) -> None:
        """Answer the operator who set words, or tell of words in the configuration that cannot be had."""
        name, fault = CommandName.SET_HOTWORDS, outcome.fault
        if outcome.request is None:
            if fault is not None:
                self._messenger.event("config_error", "error", str(fault))
                _LOG.error("%s", fault)
        elif fault is None:
            self._control.answer(outcome.request, Response(name, outcome.id, result=outcome.result))
        else:
            self._control.answer(outcome.request, Response(name, outcome.id, str(fault), fault.code))

    def _change_session(self, label: str | None) -> dict[str, object]:
        self._end_utterance()
        ended = self._narrator.session
        session = self._narrator.stop_session() if label is None else self._narrator.start_session(label)
        return {"session": session, "ended": ended}

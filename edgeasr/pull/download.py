"""One file over HTTP: each try goes on where the last one ended, as far as the server lets it."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final

from edgeasr import __version__
from edgeasr.errors import BundleError
from edgeasr.pull.disk import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from edgeasr.pull.progress import Progress

_BLOCK: Final = 1 << 16
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0)  # seconds before another try, as long as none brings anything
_WORTH_IT: Final = 1 << 16  # bytes: a try that brings less is one in vain
_MOST_TRIES: Final = 100  # in all
_LEAST_RATE: Final = 256  # bytes a second over a whole time-out; a modem is faster
_RANGE: Final = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_COMPLETE: Final = 416  # "range not satisfiable": there may be nothing left to ask for
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_REASONS: Final = {
    401: "it wants a login",
    403: "it refuses access",
    404: "there is no such file",
    410: "it is gone",
}


class _PassingError(Exception):
    """Worth another try."""


class Download:
    """Fetches files of one address or several; `timeout` bounds each wait for the server, in seconds."""

    def __init__(self, timeout: float, progress: Progress, most: int) -> None:
        self._timeout, self._progress, self._most = timeout, progress, most
        handlers = (urllib.request.HTTPSHandler(context=ssl.create_default_context()), _Redirects())
        self._opener = urllib.request.build_opener(*handlers)

    def text(self, url: str, most: int) -> bytes:
        """Return a small file; raises BundleError."""
        with self._answered(url, {}) as answer:
            try:
                data: bytes = answer.read(most + 1)
            except (OSError, HTTPException) as error:
                raise BundleError(f"{_shown(url)} broke off ({_why(error)}); pull again") from None
        if len(data) > most:
            raise BundleError(
                f"{_shown(url)} has more than {most} bytes: no list of checksums; check the address"
            )
        return data

    def file(self, url: str, part: Path, name: str) -> None:
        """Fetch a file into `part`, going on with what is there of it; raises BundleError, and keeps what came."""
        failures = 0
        for _ in range(_MOST_TRIES):
            before = _size(part)
            try:
                self._fetch(url, part, name)
            except _PassingError as error:
                failures = 0 if _size(part) - before >= _WORTH_IT else failures + 1
                if failures > len(_PAUSES):
                    break
                pause = _PAUSES[max(failures - 1, 0)]
                self._progress.say(f"{_shown(url)}: {error}; trying again in {pause:g} s")
                time.sleep(pause)
                last = error
            else:
                return
        raise BundleError(f"{_shown(url)}: {last}; pull again, which goes on with what has come")

    def _fetch(self, url: str, part: Path, name: str) -> None:
        """Make one try."""
        have = _size(part)
        headers = {}
        if have:
            headers["Range"] = f"bytes={have}-"
            validator = _read_validator(part)
            if validator:
                headers["If-Range"] = validator
        try:
            answer = self._open(url, headers)
        except urllib.error.HTTPError as error:
            with error:
                if error.code != _COMPLETE or not have:
                    raise self._refused(url, error) from None
                if _total(error.headers.get("Content-Range")) != have:
                    part.unlink()
                    raise _PassingError("what was here does not fit what the server has") from None
                return
        with answer:
            self._take(answer, part, name, have)

    def _take(self, answer: Any, part: Path, name: str, have: int) -> None:
        begin = _begin(answer.headers.get("Content-Range")) if answer.status == 206 else 0
        if begin not in (0, have):
            part.unlink(missing_ok=True)
            raise _PassingError("the server sent another part than was asked for")
        if begin == 0:  # the file has changed, or the server knows nothing of ranges
            have = 0
            part.unlink(missing_ok=True)
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        if (total or 0) > self._most:
            raise BundleError(
                f"{name} has {total} bytes, more than a bundle may have ({self._most}); check the address"
            )
        _write_validator(part, answer)
        self._progress.begin(name, total, have)
        pace = _Pace(self._timeout)
        with Writer(part, total, self._most) as writer:
            while True:
                try:
                    data = answer.read1(_BLOCK)
                except (OSError, HTTPException) as error:
                    raise _PassingError(_why(error)) from None
                if not data:
                    break
                writer.write(data)
                self._progress.at(writer.size)
                pace.took(len(data))
            done = writer.size
        if total is not None and done < total:
            raise _PassingError(f"the connection broke off after {done} of {total} bytes")

    @contextlib.contextmanager
    def _answered(self, url: str, headers: dict[str, str]) -> Any:
        try:
            answer = self._open(url, headers)
        except urllib.error.HTTPError as error:
            with error:
                try:
                    raise self._refused(url, error) from None
                except _PassingError as passing:
                    raise BundleError(f"{_shown(url)}: {passing}; try later") from None
        except _PassingError as error:
            raise BundleError(f"{_shown(url)}: {error}; check address and network") from None
        with answer:
            yield answer

    def _open(self, url: str, headers: dict[str, str]) -> Any:
        agent = {"User-Agent": f"edgeasr/{__version__}", "Accept-Encoding": "identity"}
        request = urllib.request.Request(url, headers={**agent, **headers})  # noqa: S310 - `source` lets http and https in
        try:
            return self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                why = error.reason.verify_message
                raise BundleError(
                    f"{_shown(url)}: the server's certificate is not trusted ({why}); check address and clock"
                ) from None
            raise _PassingError(_why(error.reason)) from None
        except (OSError, HTTPException) as error:
            raise _PassingError(_why(error)) from None

    @staticmethod
    def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
        if error.code in _PASSING:
            return _PassingError(f"the server answers {error.code}")
        reason = _REASONS.get(error.code, "the server refuses it")
        if 300 <= error.code < 400:
            reason = "its redirections lead nowhere"
        return BundleError(f"{_shown(url)}: {reason} ({error.code}); check the address")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but none out of encryption."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - as in the class above
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """Return the next request."""
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.full_url.startswith("https:") and scheme != "https"):
            raise BundleError(
                f"{_shown(req.full_url)} leads to {_shown(newurl)}, unencrypted; give another address"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Pace:
    """Ends a transfer that trickles: within each time-out something worth it has to come."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._since, self._count = time.monotonic(), 0

    def took(self, count: int) -> None:
        self._count += count
        elapsed = time.monotonic() - self._since
        if elapsed >= self._timeout:
            if self._count < _LEAST_RATE * elapsed:
                raise _PassingError(f"only {self._count} bytes came in {elapsed:.0f} s")
            self._since, self._count = time.monotonic(), 0


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _validator_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.validator")


def _read_validator(part: Path) -> str | None:
    try:
        value = json.loads(_validator_file(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, str) and value.isprintable() else None


def _write_validator(part: Path, answer: Any) -> None:
    """Keep what tells whether the file is still the same one; a weak entity tag does not (RFC 9110, 13.1.5)."""
    tag = answer.headers.get("ETag", "")
    validator = answer.headers.get("Last-Modified") if not tag or tag.startswith("W/") else tag
    _validator_file(part).write_text(json.dumps(validator), encoding="utf-8")


def _begin(content_range: str | None) -> int | None:
    found = _RANGE.fullmatch((content_range or "").strip())
    return int(found[1]) if found and found[1] else None


def _total(content_range: str | None) -> int | None:
    found = _RANGE.fullmatch((content_range or "").strip())
    return int(found[2]) if found and found[2] != "*" else None


def _why(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)


def _shown(url: str) -> str:
    """Return an address without the login that may be in it."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

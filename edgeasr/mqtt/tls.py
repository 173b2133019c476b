"""Encryption of the broker's connection."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from edgeasr.errors import ConfigError
from edgeasr.settings import secret_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgeasr.settings import Tls


class _Socket(ssl.SSLSocket):
    """Closes itself when the handshake fails, which paho leaves to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  as in the class above
        """Shake hands or close."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def context(how: Tls, environ: Mapping[str, str] | None = None) -> ssl.SSLContext:
    """Return a context that trusts how.ca or the system's CAs and shows the client certificate, if any.

    Raises ConfigError where a file is missing or is not what it should be.
    """
    environ = os.environ if environ is None else environ
    ca = _file(how.ca, "mqtt.tls.ca", environ)
    certificate = _file(how.certificate, "mqtt.tls.certificate", environ)
    key = _file(how.key, "mqtt.tls.key", environ)
    try:
        made = ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise ConfigError(f"mqtt.tls.ca {ca} holds no CA certificate in PEM; give one that does") from None
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 refuses a CA that does not say what its key is for, and `openssl req -x509` makes just that. The
    # broker and its tools take such a CA, and so does each older Python; signatures, dates and names are still checked.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    made.sslsocket_class = _Socket
    made.check_hostname = how.check_hostname
    if certificate is not None:
        try:
            made.load_cert_chain(certificate, key, password=b"")
        except ssl.SSLError:
            raise ConfigError(
                f"mqtt.tls.certificate {certificate} and mqtt.tls.key {key} do not belong together or are "
                "not unencrypted PEM; give a matching pair"
            ) from None
    return made


def _file(path: Path | None, key: str, environ: Mapping[str, str]) -> str | None:
    if path is None:
        return None
    found = secret_path(path, key, environ)
    try:
        found.open("rb").close()
    except OSError as error:
        raise ConfigError(f"{key} {found} cannot be read ({error.strerror}); check it") from None
    return str(found)

"""Server and network errors in words."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from flatkit.errors import FetchError
from flatkit.untrusted import printable

# Exceptions of the standard library for servers, networks and invalid answers.
FAULTS = (http.client.HTTPException, OSError, ValueError, OverflowError)


def fault(url: str, error: BaseException, *, led: str = "") -> FetchError:
    """Return the error for a network fault; `led` is the redirect's target, since that is the address that does not answer."""
    inner = getattr(error, "reason", error)
    led_on = f'" leads on to "{printable(led)}", which' if led else '"'
    if isinstance(inner, ssl.SSLCertVerificationError):
        return FetchError(
            f'"{printable(url)}{led_on} cannot be trusted: {printable(inner.verify_message or inner)}',
            hint="look at this host's clock and CA certificates; a proxy that reads along needs its own in SSL_CERT_FILE",
        )
    return FetchError(f'"{printable(url)}{led_on} gave no answer: {_reason(inner)}', passing=True)


def _reason(inner: object) -> str:
    if isinstance(inner, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(inner, TimeoutError | socket.timeout):
        return "it took too long"
    if isinstance(inner, ConnectionResetError | http.client.RemoteDisconnected):
        return "the other side hung up"
    if isinstance(inner, http.client.IncompleteRead):
        return "it ended too early"
    if isinstance(inner, socket.gaierror):
        return "its name cannot be resolved (is this host online?)"
    if isinstance(inner, UnicodeError):
        return "its name is not a valid host name"
    said = str(getattr(inner, "strerror", None) or inner) or type(inner).__name__
    return printable(said, limit=200)


def too_slow(url: str, *, within: float, have: int) -> FetchError:
    """Return the error for an answer that was not complete in time."""
    return FetchError(f'"{printable(url)}" did not come whole within {within:.0f} s; {have} bytes of it came')


def check_framing(url: str, headers: Any) -> None:
    """Refuse an answer that does not clearly say where its body ends (RFC 9112, 6.3). Raises FetchError."""
    lengths = headers.get_all("content-length", [])
    codings = [coding.strip().lower() for coding in headers.get_all("transfer-encoding", [])]
    shown = printable(", ".join(lengths), limit=100)
    what = ""
    if lengths and codings:
        what = "has both a Content-Length and a Transfer-Encoding; expected one of them"
    elif len(lengths) > 1:
        what = f'has several Content-Length headers, "{shown}"; expected one'
    elif lengths and not re.fullmatch(r"[0-9]{1,18}", lengths[0]):
        what = f'has the Content-Length "{shown}"; expected a number of bytes'
    elif codings not in ([], ["chunked"]):
        what = f'has the Transfer-Encoding "{printable(", ".join(codings), limit=100)}"; expected "chunked"'
    if what:
        raise FetchError(
            f'the answer of "{printable(url)}" {what}', hint="report it to the operator of the server (or of the proxy)"
        )


# Statuses that servers send instead of a file.


def refusal(url: str, status: int) -> FetchError:
    """Return the error for a status without a file."""
    words = {
        403: "is forbidden (403)",
        404: "is not there (404)",
        407: "download failed: the proxy wants a name and a password (407)",
        410: "is not there any more (410)",
        429: "download failed: too many requests for now (429)",
    }
    said = words.get(status, f"download failed: server error ({status})" if status >= 500 else f"gave status {status}")
    hint = "set https_proxy to http://NAME:PASSWORD@HOST:PORT" if status == 407 else ""
    return FetchError(f'"{printable(url)}" {said}', hint=hint, passing=status >= 500 or status == 429)


def is_page(headers: dict[str, str], data: bytes) -> bool:
    """Tell whether a web page came instead of a file; `data` is its beginning."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in {"text/html", "application/xhtml+xml"} or data[:200].lstrip().lower().startswith(
        (b"<!doctype html", b"<html")
    )


def captive(url: str, final_url: str) -> FetchError:
    """Return the error for a web page instead of a file: usually a network that requires a login first."""
    other = urlsplit(final_url or url).hostname
    led = f' from "{other}"' if other != urlsplit(url).hostname else ""
    return FetchError(
        f'"{printable(url)}" gave a web page{led} instead of the file',
        hint="a network that asks to log in does that: open a web page in a browser, log in, then try again",
    )

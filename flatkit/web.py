"""The only HTTP client: one request, one answer as a value, or as a stream of bytes.

The standard library is enough here; a proxy of the person's is used as usual, but never on the way to this host itself.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from flatkit.errors import FetchError, UsageError
from flatkit.untrusted import is_number

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a server answered; `headers` have lower-case names. A status such as 404 is an answer too.

    `final_url` is where redirects led to; `data` is what came, `text` the same as text.
    """

    url: str
    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    final_url: str = ""

    @property
    def ok(self) -> bool:
        """Whether the status says success."""
        return 200 <= self.status < 300


def is_address(text: str) -> bool:
    """Whether this is a web address, and not a path."""
    return text.startswith(("http://", "https://"))


def get(
    url: str, *, timeout: float = 10.0, limit: int = 1024 * 1024, headers: dict[str, str] | None = None
) -> Response:
    """Fetch a page; at most `limit` bytes of it are read, each wait on the network is at most `timeout` seconds.

    Raises UsageError for what is no http(s) URL, FetchError when no whole answer came.
    """
    answer = _open(url, headers or {}, timeout)
    try:
        with answer:
            return _response(url, answer, limit)
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise _fault(url, error) from None


class Stream:
    """The body of an answer, to be read in pieces: `with open_stream(url) as stream:`."""

    def __init__(self, url: str, answer: Any) -> None:
        self.url = url
        self.status = int(answer.status or 0)
        self.headers = {name.lower(): value for name, value in answer.headers.items()}
        self.final_url = str(answer.geturl() or url)
        self._answer = answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()

    @property
    def etag(self) -> str:
        """What names these bytes, "" when the server gives no name or only a weak one (RFC 9110, 8.8.3)."""
        etag = self.headers.get("etag", "")
        return "" if etag.startswith("W/") else etag

    @property
    def start(self) -> int:
        """Which byte of the whole the body begins with; -1 when the answer does not say it properly."""
        if self.status != 206:
            return 0
        match = self._range()
        return int(match[1]) if match else -1

    @property
    def total(self) -> int | None:
        """The size of the whole in bytes, None when it is not told."""
        if self.status == 206:
            match = self._range()
            return int(match[2]) if match else None
        length = self.headers.get("content-length", "")
        return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None

    def _range(self) -> re.Match[str] | None:
        return re.fullmatch(
            r"\s*bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})\s*", self.headers.get("content-range", "")
        )

    def read(self, size: int = 1024 * 1024) -> bytes:
        """At most `size` bytes, as soon as some are there; empty at the end. Raises FetchError."""
        try:
            return bytes(self._answer.read1(size))
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise _fault(self.url, error) from None


def open_stream(url: str, *, start: int = 0, etag: str = "", timeout: float = 20.0) -> Stream:
    """Ask for a file, or for what of it comes after byte `start` if it is still the one that `etag` names.

    Raises UsageError for what is no http(s) URL, FetchError when no answer came. A status such as 404 is an answer.
    """
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if etag:
            headers["If-Range"] = etag
    return Stream(url, _open(url, headers, timeout))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to http: what was asked for in confidence stays so. `led` is the last address."""

    led = ""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            fp.close()
            raise FetchError(
                f'"{req.full_url}" leads on to "{newurl}", which is not encrypted; expected https',
                hint="a network that asks to log in does that: open a web page in a browser, log in, then try again",
            )
        self.led = newurl
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, headers: dict[str, str], timeout: float) -> Any:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f'"{url}" is no web address; expected http://... or https://...')
    redirects = _Redirects()
    handlers: list[urllib.request.BaseHandler] = [redirects]
    if parts.hostname in _LOOPBACK:
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"User-Agent": "flatkit", **headers})  # noqa: S310  (checked above)
    try:
        return urllib.request.build_opener(*handlers).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        return error  # it has the answer's face: status, headers, body
    except FetchError:  # an OSError as well
        raise
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise _fault(url, error, led=redirects.led) from None


def _response(url: str, answer: Any, limit: int) -> Response:
    data = answer.read(limit)
    charset = answer.headers.get_content_charset() or "utf-8"
    try:
        text = data.decode(charset, errors="replace")
    except LookupError:
        text = data.decode("utf-8", errors="replace")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    length = headers.get("content-length", "")
    if is_number(length) and len(data) < min(int(length), limit):
        raise http.client.IncompleteRead(data, int(length) - len(data))
    return Response(
        url=url, status=int(answer.status or 0), text=text, headers=headers, data=data, final_url=answer.geturl() or url
    )


def _fault(url: str, error: BaseException, *, led: str = "") -> FetchError:
    """A fault of the network in words; `led` is where a redirect led to, since it is that address which does not answer."""
    inner = getattr(error, "reason", error)
    led_on = f'" leads on to "{led}", which' if led else '"'
    if isinstance(inner, ssl.SSLCertVerificationError):
        return FetchError(
            f'"{url}{led_on} cannot be trusted: {inner.verify_message or inner}',
            hint="look at this host's clock and CA certificates; a proxy that reads along needs its own in SSL_CERT_FILE",
        )
    return FetchError(f'"{url}{led_on} gave no answer: {_reason(inner)}', passing=True)


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
    return str(getattr(inner, "strerror", None) or inner) or type(inner).__name__


# What servers say instead of a file.


def refusal(url: str, status: int) -> FetchError:
    """The error for a status that brings no file."""
    words = {
        403: "may not be had (403)",
        404: "is not there (404)",
        407: "cannot be had: the proxy wants a name and a password (407)",
        410: "is not there any more (410)",
        429: "cannot be had now: too many requests (429)",
    }
    said = words.get(
        status, f"cannot be had: the server has trouble ({status})" if status >= 500 else f"gave status {status}"
    )
    hint = "set https_proxy to http://NAME:PASSWORD@HOST:PORT" if status == 407 else ""
    return FetchError(f'"{url}" {said}', hint=hint, passing=status >= 500 or status == 429)


def is_page(headers: dict[str, str], data: bytes) -> bool:
    """Whether a web page came where a file was expected; `data` is its beginning."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in {"text/html", "application/xhtml+xml"} or data[:200].lstrip().lower().startswith(
        (b"<!doctype html", b"<html")
    )


def captive(url: str, final_url: str) -> FetchError:
    """The error for a web page instead of a file: as a rule a network that wants a login first."""
    other = urlsplit(final_url or url).hostname
    led = f' from "{other}"' if other != urlsplit(url).hostname else ""
    return FetchError(
        f'"{url}" gave a web page{led} instead of the file',
        hint="a network that asks to log in does that: open a web page in a browser, log in, then try again",
    )

"""The only HTTP client: a request, and its answer as a value or as a stream of bytes.

The standard library is enough here. A user's proxy is used as usual, but never for this host itself.

Every wait has a limit. The head of an answer (name, connection, TLS, redirects, headers) may take a few times
`timeout`, the next bytes of a body `timeout`, and a whole `get` takes `within` seconds. A cancel event and Ctrl-C end
any of them at once.
"""

from __future__ import annotations

import http.client
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Self

from flatkit.errors import Cancelled, FetchError
from flatkit.untrusted import is_number, printable
from flatkit.web.address import check_address, check_place, check_proxy, follow, is_address, is_this_host
from flatkit.web.exchange import Exchange
from flatkit.web.faults import FAULTS, captive, check_framing, fault, is_page, refusal, too_slow

__all__ = [
    "Response", "Stream", "captive", "check_address", "check_place", "get", "is_address", "is_page", "open_stream", "post",
    "refusal",
]  # fmt: skip

_CHUNK = 1024 * 1024
# Other encodings are rare in pages, and decoding some of Python's takes hours for a megabyte.
_CHARSETS = {"ascii", "us-ascii", "iso-8859-1", "iso-8859-15", "latin-1", "latin1", "windows-1252", "utf-8", "utf-16"}
_REDIRECTS = 10
# Limit for a head, in multiples of `timeout`: a host has several addresses, and redirects lead from one to the next.
_HEAD_WAITS = 3


@dataclass(frozen=True, kw_only=True)
class Response:
    """A server's answer; `headers` have lower-case names. A status such as 404 is an answer too.

    `final_url` is the address after redirects; `data` is the body, `text` the same as text.
    """

    url: str
    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    final_url: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether the status means success."""
        return 200 <= self.status < 300


def get(
    url: str,
    *,
    timeout: float = 10.0,
    limit: int = 1024 * 1024,
    within: float | None = None,
    cancel: threading.Event | None = None,
) -> Response:
    """Fetch a page: at most `limit` bytes, in at most `within` seconds (default: 3 x `timeout`).

    Raises UsageError for anything but an http(s) URL, FetchError when no whole answer came in time, Cancelled.
    """
    return _whole(url, {}, None, timeout=timeout, limit=limit, within=within, cancel=cancel)


def post(
    url: str,
    body: bytes,
    *,
    headers: dict[str, str],
    timeout: float = 10.0,
    limit: int = 1024 * 1024,
    within: float | None = None,
    cancel: threading.Event | None = None,
) -> Response:
    """Send a body, and return the answer as `get` does. A redirect is the answer: a secret in `headers` goes nowhere else.

    Raises UsageError for anything but an http(s) URL, FetchError when no whole answer came in time, Cancelled.
    """
    return _whole(url, headers, body, timeout=timeout, limit=limit, within=within, cancel=cancel)


def _whole(
    url: str,
    headers: dict[str, str],
    body: bytes | None,
    *,
    timeout: float,
    limit: int,
    within: float | None,
    cancel: threading.Event | None,
) -> Response:
    within = _HEAD_WAITS * timeout if within is None else within
    end = time.monotonic() + within
    data = bytearray()
    try:
        with _open(url, headers, timeout=timeout, end=end, cancel=cancel, body=body) as stream:
            while len(data) < limit and (piece := stream.read(min(limit - len(data), _CHUNK), end=end)):
                data += piece
            return _response(url, stream, bytes(data), limit)
    except FetchError:
        if time.monotonic() >= end:
            raise too_slow(url, within=within, have=len(data)) from None
        raise


class Stream:
    """The body of an answer, to be read in pieces: `with open_stream(url) as stream:`."""

    def __init__(self, url: str, answer: Any, *, line: Exchange, timeout: float, final_url: str) -> None:
        self.url = url
        self.status = int(answer.status or 0)
        self.headers = {name.lower(): value for name, value in answer.headers.items()}
        self.final_url = final_url
        self._answer, self._line, self._timeout = answer, line, timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    @property
    def etag(self) -> str:
        """The entity tag of these bytes, "" when the server sends none or only a weak one (RFC 9110, 8.8.3)."""
        etag = self.headers.get("etag", "")
        return "" if etag.startswith("W/") else etag

    @property
    def start(self) -> int:
        """The first byte of the body within the whole; -1 when the answer does not give it correctly."""
        if self.status != 206:
            return 0
        match = self._range()
        return int(match[1]) if match else -1

    @property
    def total(self) -> int | None:
        """The size of the whole in bytes, None when the server does not send it."""
        if self.status == 206:
            match = self._range()
            return int(match[2]) if match else None
        length = self.headers.get("content-length", "")
        return int(length) if is_number(length) else None

    def _range(self) -> re.Match[str] | None:
        return re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})", self.headers.get("content-range", ""))

    def read(self, size: int = _CHUNK, *, end: float | None = None) -> bytes:
        """Return at most `size` bytes as soon as some are there; none at the end. Raises FetchError, Cancelled.

        The next bytes may take `timeout` seconds, and no longer than until `end` (time.monotonic).
        """
        last = time.monotonic() + self._timeout
        try:
            return self._line.do(lambda: bytes(self._answer.read1(size)), end=last if end is None else min(last, end))
        except FAULTS as error:
            raise fault(self.url, error) from None


def open_stream(
    url: str, *, start: int = 0, etag: str = "", timeout: float = 20.0, cancel: threading.Event | None = None
) -> Stream:
    """Request a file, or its rest from byte `start` on if `etag` still matches.

    A status such as 404 is an answer. Raises UsageError for anything but an http(s) URL, FetchError when no answer
    came, Cancelled.
    """
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if etag:
            headers["If-Range"] = etag
    return _open(url, headers, timeout=timeout, end=time.monotonic() + _HEAD_WAITS * timeout, cancel=cancel)


def _open(
    url: str,
    headers: dict[str, str],
    *,
    timeout: float,
    end: float,
    cancel: threading.Event | None,
    body: bytes | None = None,
) -> Stream:
    check_proxy(check_address(url))
    line, here = Exchange(cancel), url
    try:
        for _ in range(_REDIRECTS + 1):
            asked = here
            answer = line.do(lambda: _ask(line, asked, headers, timeout, body), end=end)  # noqa: B023  (done before the next round)
            location = answer.headers.get("location") if answer.status in {301, 302, 303, 307, 308} else None
            if not location or body is not None:
                check_framing(url, answer.headers)
                return Stream(url, answer, line=line, timeout=timeout, final_url=here)
            here = follow(url, here, location)
            check_proxy(check_address(here))
        raise FetchError(f'"{printable(url)}" leads on more than {_REDIRECTS} times (status {answer.status})')
    except (FetchError, Cancelled):  # a FetchError is an OSError as well
        line.close()
        raise
    except FAULTS as error:
        line.close()
        raise fault(url, error, led=here if here != url else "") from None
    except BaseException:
        line.close()
        raise


def _ask(line: Exchange, url: str, headers: dict[str, str], timeout: float, body: bytes | None) -> Any:
    """Send one request without following redirects. Runs in the line's thread."""
    opener = urllib.request.OpenerDirector()
    # No handler for other schemes, whatever a proxy variable or a redirect contains.
    opener.add_handler(_Handler(line))
    opener.add_handler(urllib.request.UnknownHandler())
    if not is_this_host(check_address(url).hostname):
        opener.add_handler(urllib.request.ProxyHandler())
    request = urllib.request.Request(url, body, {"User-Agent": "flatkit", **headers})  # noqa: S310  (checked above)
    answer = opener.open(request, timeout=timeout)
    line.keep(answer)
    return answer


class _Handler(urllib.request.AbstractHTTPHandler):
    """Uses the connections of a line for http and https."""

    def __init__(self, line: Exchange) -> None:
        super().__init__()
        self._line = line

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connect, request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connect_safely, request)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def _connect(self, host: str, **options: Any) -> http.client.HTTPConnection:
        return self._over_line(http.client.HTTPConnection(host, **options))

    def _connect_safely(self, host: str, **options: Any) -> http.client.HTTPConnection:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return self._over_line(http.client.HTTPSConnection(host, context=context, **options))

    def _over_line(self, connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
        connection._create_connection = self._line.dial  # type: ignore[attr-defined]  # noqa: SLF001  (no other way in)
        return connection


def _response(url: str, stream: Stream, data: bytes, limit: int) -> Response:
    named = re.search(r"charset=\"?([0-9A-Za-z_-]{1,20})", stream.headers.get("content-type", ""))
    charset = named[1].lower() if named and named[1].lower() in _CHARSETS else "utf-8"
    text = data.decode(charset, errors="replace")
    length = stream.headers.get("content-length", "")
    if is_number(length) and len(data) < min(int(length), limit):
        raise fault(url, http.client.IncompleteRead(data, int(length) - len(data)))
    return Response(
        url=url, status=stream.status, text=text, headers=stream.headers, data=data, final_url=stream.final_url
    )

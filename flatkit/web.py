"""The only HTTP client: one request, one answer as a value.

The standard library is enough here; a proxy of the person's is used as usual, but never on the way to this host itself.
"""

from __future__ import annotations

import http.client
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flatkit.errors import FetchError, UsageError

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a server answered; `headers` have lower-case names. A status such as 404 is an answer too."""

    url: str
    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the status says success."""
        return 200 <= self.status < 300


def get(url: str, *, timeout: float = 10.0, limit: int = 1024 * 1024) -> Response:
    """Fetch a page; at most `limit` bytes of it are read, each wait on the network is at most `timeout` seconds.

    Raises UsageError for what is no http(s) URL, FetchError when no whole answer came.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f'"{url}" is no web address; expected http://... or https://...')
    handlers = [urllib.request.ProxyHandler({})] if parts.hostname in _LOOPBACK else []
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(url, headers={"User-Agent": "flatkit"})  # noqa: S310  (the scheme is checked above)
    try:
        with opener.open(request, timeout=timeout) as answer:
            return _response(url, answer, limit)
    except urllib.error.HTTPError as error:
        with error:
            return _response(url, error, limit)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise FetchError(f'"{url}" gave no answer: {_reason(error)}') from None


def _response(url: str, answer: http.client.HTTPResponse | urllib.error.HTTPError, limit: int) -> Response:
    data = answer.read(limit)
    charset = answer.headers.get_content_charset() or "utf-8"
    try:
        text = data.decode(charset, errors="replace")
    except LookupError:
        text = data.decode("utf-8", errors="replace")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Response(url=url, status=int(answer.status or 0), text=text, headers=headers)


def _reason(error: BaseException) -> str:
    """A fault of the network in words."""
    inner = getattr(error, "reason", error)
    if isinstance(inner, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(inner, TimeoutError | socket.timeout):
        return "it took too long"
    if isinstance(inner, ConnectionResetError | http.client.RemoteDisconnected):
        return "the other side hung up"
    return str(getattr(inner, "strerror", None) or inner) or type(inner).__name__

"""Sources that Ignition fetches: which URLs it takes, and which faults it finds in others. URLs are read as Go's net/url does."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from flatkit.butane import messages
from flatkit.butane.dataurl import data_url_fault
from flatkit.butane.wording import Wording

_PACKED = re.compile(r"data:;base64,(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z", re.ASCII)


def source_fault(url: str, *, with_arn: bool) -> Wording | None:
    """Return the fault of a source. An empty source is fine: it means empty contents."""
    # The common case, and the longest texts: what Butane itself has made.
    if url == "" or _PACKED.match(url):
        return None
    parsed = parse_url(url)
    if parsed is None:
        return messages.URL_UNPARSABLE()
    scheme = parsed.scheme
    if scheme in ("http", "https", "tftp", "gs"):
        return None
    if scheme == "s3":
        return _version_fault(parsed)
    if scheme == "arn" and with_arn:
        return _arn_fault("arn:" + parsed.opaque) or _version_fault(parsed)
    if scheme == "data":
        problem = data_url_fault(url)
        return messages.DATA_URL(problem=problem) if problem else None
    return messages.URL_SCHEME()


def _version_fault(parsed: GoUrl) -> Wording | None:
    return messages.S3_VERSION() if parsed.first_query_value("versionId") == "" else None


def _arn_fault(arn: str) -> Wording | None:
    sections = arn.split(":", 5)
    if len(sections) < 6 or sections[2] != "s3":
        return messages.S3_ARN()
    slashes = arn.count("/")
    needed = 2 if sections[5].startswith("accesspoint/") else 1
    return None if slashes >= needed else messages.S3_ARN()


def headers_fault(url: str) -> Wording | None:
    """Return the fault of HTTP headers for this source."""
    parsed = parse_url(url) if url else None
    if parsed is None:
        return messages.URL_UNPARSABLE()
    return None if parsed.scheme in ("http", "https") else messages.HEADERS_SCHEME()


def tang_fault(url: str) -> Wording | None:
    """Return the fault of a Tang server's URL."""
    parsed = parse_url(url)
    if parsed is None:
        return messages.URL_UNPARSABLE()
    return None if parsed.scheme in ("http", "https") else messages.URL_SCHEME()


def proxy_fault(url: str) -> Wording | None:
    """Return the fault of a proxy's URL."""
    parsed = parse_url(url)
    if parsed is None:
        return messages.URL_UNPARSABLE()
    return None if parsed.scheme in ("http", "https") else messages.PROXY_SCHEME()


def is_plain_http(url: str) -> bool:
    """Return True if a proxy's URL is http, without TLS."""
    parsed = parse_url(url)
    return parsed is not None and parsed.scheme == "http"


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):", re.ASCII)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:\[\]<>\"]|%[89A-Fa-f][0-9A-Fa-f]|%25|[^\x00-\x7f])*\Z")
_USERINFO = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*\Z")
_PORT = re.compile(r"(:[0-9]*)?\Z", re.ASCII)


class GoUrl(NamedTuple):
    """The parts that the checks need."""

    scheme: str
    opaque: str
    query: str

    def first_query_value(self, key: str) -> str | None:
        """The first value of a query parameter, or None."""
        for pair in self.query.split("&"):
            if not pair or ";" in pair:
                continue
            name, _, value = pair.partition("=")
            if _BAD_ESCAPE.search(pair):
                continue
            if unquote_to_bytes(name.replace("+", " ")) == key.encode():
                return value
        return None


def parse_url(text: str) -> GoUrl | None:
    """The URL, or None where Go's url.Parse fails."""
    url, _, fragment = text.partition("#")
    if any(ch < " " or ch == "\x7f" for ch in url) or _BAD_ESCAPE.search(fragment):
        return None
    if url.startswith(":"):
        return None
    match = _SCHEME.match(url)
    scheme, rest = (match.group(1).lower(), url[match.end() :]) if match else ("", url)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return GoUrl(scheme, rest, query)
        if ":" in rest.partition("/")[0]:
            return None
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        if not _is_authority(authority):
            return None
    return None if _BAD_ESCAPE.search(rest) else GoUrl(scheme, "", query)


def _is_authority(text: str) -> bool:
    user, at, host = text.rpartition("@")
    return (not at or (bool(_USERINFO.match(user)) and not _BAD_ESCAPE.search(user))) and _is_host(host)


def _is_host(host: str) -> bool:
    if "[" in host:
        end = host.rfind("]")
        if not host.startswith("[") or end < 0 or not _PORT.match(host[end + 1 :]):
            return False
        return _is_ipv6(host[1:end])
    colon = host.rfind(":")
    if colon >= 0 and not _PORT.match(host[colon:]):
        return False
    return bool(_HOST.match(host))


def _is_ipv6(text: str) -> bool:
    address, percent, zone = text.partition("%25")
    if percent and (not zone or _BAD_ESCAPE.search(zone)):
        return False
    import ipaddress

    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True

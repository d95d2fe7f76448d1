"""URLs as Go's net/url reads them: strict where Python's urllib is lenient, and the other way round."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

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

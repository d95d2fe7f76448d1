"""Where Ignition fetches from: which URLs it takes, and what it says about the others."""

from __future__ import annotations

import re

from flatkit.butane.ignition.dataurls import data_url_fault
from flatkit.butane.ignition.gourl import GoUrl, parse_url

_PACKED = re.compile(r"data:;base64,(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z", re.ASCII)
UNPARSABLE = "unable to parse url"
_BAD_ARN = "invalid S3 ARN format"


def source_fault(url: str, *, with_arn: bool) -> str:
    """What is wrong with a source, "" if nothing. An empty source is fine: it means empty contents."""
    # The common case, and the longest texts: what Butane itself has made.
    if url == "" or _PACKED.match(url):
        return ""
    parsed = parse_url(url)
    if parsed is None:
        return UNPARSABLE
    scheme = parsed.scheme
    if scheme in ("http", "https", "tftp", "gs"):
        return ""
    if scheme == "s3":
        return _version_fault(parsed)
    if scheme == "arn" and with_arn:
        return _arn_fault("arn:" + parsed.opaque) or _version_fault(parsed)
    if scheme == "data":
        return data_url_fault(url)
    return "invalid url scheme"


def _version_fault(parsed: GoUrl) -> str:
    return "invalid S3 object VersionId" if parsed.first_query_value("versionId") == "" else ""


def _arn_fault(arn: str) -> str:
    sections = arn.split(":", 5)
    if len(sections) < 6 or sections[2] != "s3":
        return _BAD_ARN
    slashes = arn.count("/")
    needed = 2 if sections[5].startswith("accesspoint/") else 1
    return "" if slashes >= needed else _BAD_ARN


def headers_fault(url: str) -> str:
    """What is wrong with HTTP headers for this source."""
    parsed = parse_url(url) if url else None
    if parsed is None:
        return UNPARSABLE
    return "" if parsed.scheme in ("http", "https") else "cannot use HTTP headers with this source scheme"


def proxy_fault(url: str) -> str:
    """What is wrong with a proxy's URL."""
    parsed = parse_url(url)
    if parsed is None:
        return UNPARSABLE
    return "" if parsed.scheme in ("http", "https") else "proxies must be http(s)"


def is_plain_http(url: str) -> bool:
    """Whether a proxy's URL is http, without TLS."""
    parsed = parse_url(url)
    return parsed is not None and parsed.scheme == "http"

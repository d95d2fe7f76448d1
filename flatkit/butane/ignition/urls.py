"""Where Ignition fetches from: which URLs it takes, and what it says about the others."""

from __future__ import annotations

import re

from flatkit.butane import messages
from flatkit.butane.ignition.dataurls import data_url_fault
from flatkit.butane.ignition.go_url import GoUrl, parse_url
from flatkit.butane.messages import Wording

_PACKED = re.compile(r"data:;base64,(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z", re.ASCII)


def source_fault(url: str, *, with_arn: bool) -> Wording | None:
    """What is wrong with a source. An empty source is fine: it means empty contents."""
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
    """What is wrong with HTTP headers for this source."""
    parsed = parse_url(url) if url else None
    if parsed is None:
        return messages.URL_UNPARSABLE()
    return None if parsed.scheme in ("http", "https") else messages.HEADERS_SCHEME()


def proxy_fault(url: str) -> Wording | None:
    """What is wrong with a proxy's URL."""
    parsed = parse_url(url)
    if parsed is None:
        return messages.URL_UNPARSABLE()
    return None if parsed.scheme in ("http", "https") else messages.PROXY_SCHEME()


def is_plain_http(url: str) -> bool:
    """Whether a proxy's URL is http, without TLS."""
    parsed = parse_url(url)
    return parsed is not None and parsed.scheme == "http"

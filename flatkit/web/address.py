"""Web addresses from users, environment variables and servers: checked before any request."""

from __future__ import annotations

import re
import socket
import string
import urllib.request
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from flatkit.errors import FetchError, UsageError
from flatkit.untrusted import printable

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# urlsplit silently drops some of these; the checked text must be the requested one.
_NEVER = re.compile(r"[\x00-\x20\x7f]")
_USER = re.compile(r"(//|^)[^/@]*@")


def is_address(text: str) -> bool:
    """Tell whether a text is meant as a web address and not as a path."""
    return text[:8].lower().startswith(("http://", "https://"))


def check_address(text: str, *, variable: str = "") -> SplitResult:
    """Return the parts of a web address. Raises UsageError, which names the environment variable that it came from."""
    parts = find_parts(text)
    if parts is None:
        shown = printable(_without_user(text))
        what = (
            f'{variable} is "{shown}", which is not a valid web address'
            if variable
            else f'"{shown}" is not a web address'
        )
        hint = f"unset {variable}   (or correct it)" if variable else ""
        raise UsageError(f"{what}; expected http://... or https://...", hint=hint)
    return parts


def check_place(text: str, *, variable: str) -> str:
    """Return a place that an environment variable names, a web address or a path. Raises UsageError for anything else."""
    if is_address(text):
        check_address(text.replace("{channel}", "channel"), variable=variable)
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise UsageError(
            f'{variable} is "{printable(_without_user(text))}"; expected http://..., https://... or a folder',
            hint=f"unset {variable}   (or correct it)",
        )
    return text


def find_parts(text: str) -> SplitResult | None:
    """Return the parts of an http or https address; None for anything else, also one that names a user."""
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and parts.username is None
    except ValueError:
        return None
    return None if _NEVER.search(text) or not text.isascii() or not valid else parts


def is_this_host(name: str | None) -> bool:
    """Return True for an address of this host: its proxy has no part in what stays here."""
    if name in _LOOPBACK:
        return True
    with suppress(ValueError, OSError):
        address = ip_address(str(name))
        with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6) as line:
            line.bind((str(address), 0))  # refused for an address of another host
        return True
    return False


def check_proxy(parts: SplitResult) -> None:
    """Raise UsageError when the proxy that is set for an address is invalid."""
    given = urllib.request.getproxies().get(parts.scheme)
    if not given or is_this_host(parts.hostname) or urllib.request.proxy_bypass(str(parts.hostname)):
        return
    proxy = given if "://" in given else f"http://{given}"
    # A proxy may need a name and a password, which no message repeats.
    if find_parts(_without_user(proxy)) is None:
        variable = f"{parts.scheme}_proxy"
        raise UsageError(
            f'{variable} is "{printable(_without_user(given))}", which does not name a proxy; expected http://HOST:PORT',
            hint=f"unset {variable}   (or correct it)",
        )


def follow(url: str, here: str, location: str) -> str:
    """Return the target of a redirect. Raises FetchError unless it is http or https, and as safe as before."""
    # As browsers do: a server's own bytes become %XX.
    location = quote(location, encoding="iso-8859-1", errors="replace", safe=string.punctuation)
    try:
        target = urljoin(here, location)
    except ValueError:
        target = location
    shown = f'"{printable(url)}" leads on to "{printable(_without_user(target))}"'
    if here.lower().startswith("https:") and not target.lower().startswith("https:"):
        raise FetchError(
            f"{shown}, which is not encrypted; expected https",
            hint="a network that asks to log in does that: open a web page in a browser, log in, then try again",
        )
    if find_parts(target) is None:
        raise FetchError(f"{shown}; expected http://... or https://...", hint="report it to the operator of the server")
    return target


def _without_user(url: str) -> str:
    return _USER.sub(r"\1", url)

"""Sources of Flatcar's files: its release servers, replacements for them, or a mirror; all have the same layout.

A source is a base for each channel, a web address or a folder. Below it are

    BOARD/current/version.txt                BOARD/current-2024/version.txt
    BOARD/VERSION/version.txt                BOARD/VERSION/FILE, FILE.sig, FILE.DIGESTS, FILE.DIGESTS.sig
    lts-info                                 (lts alone) lines MAJOR:YEAR:STATUS
    releases-CHANNEL.json                    the release feed, which Flatcar publishes on its website
    Flatcar_Image_Signing_Key.asc            the public key, which Flatcar publishes on its website

Flatcar's bases are https://CHANNEL.release.flatcar-linux.net; a mirror's are MIRROR/flatcar/CHANNEL, and the cache is laid
out the same way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TypeVar
from urllib.parse import quote

from flatkit import web
from flatkit.errors import Cancelled, FetchError, UsageError
from flatkit.events import Observer, Said
from flatkit.files import read_regular
from flatkit.images.pack_manifest import MANIFEST
from flatkit.images.releases import Channel
from flatkit.untrusted import printable

KEY_FILE = "Flatcar_Image_Signing_Key.asc"
PACK_FOLDER = "flatkit-pack"
_OFFICIAL = "https://{channel}.release.flatcar-linux.net"
_WEBSITE = "https://www.flatcar.org"
# Texts, signatures and keys; the largest is the feed of a channel, about 0.9 MB.
_SMALL_LIMIT = 8 * 1024 * 1024
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Time limits for a server, in seconds.

    `timeout`: for the next bytes. `small`: for the whole of a small file, all tries together. A large file may take any
    time as long as it brings `slowest` bytes a second, averaged over `stall` seconds: 4 KiB/s is a fifth of a bad
    mobile line. After `tries` attempts in a row without any bytes, flatkit gives up. Between them it waits `backoff`,
    then twice that.
    """

    timeout: float = 20.0
    stall: float = 20.0
    slowest: float = 4096.0
    small: float = 60.0
    tries: int = 5
    backoff: float = 0.5

    @property
    def least(self) -> float:
        """Bytes that a line just too slow would bring in all the tries; a server that brings more gets further tries."""
        return self.slowest * self.stall * self.tries

    def wait(self, attempt: int, cancel: Event | None) -> None:
        """Pause before the attempt of this number, counted from 1; raises Cancelled when the user cancels."""
        seconds = min(self.backoff * 2 ** (attempt - 1), 30.0)
        if cancel is None:
            time.sleep(seconds)
        elif cancel.wait(seconds):
            raise Cancelled("the download was stopped")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A place to fetch from. `base` has the placeholder `{channel}`; `is_mirror`: it may be incomplete or old.

    `signed_only`: only files signed by Flatcar are taken from there; release feeds and `lts-info` are not signed.
    """

    name: str
    base: str
    is_mirror: bool = False
    signed_only: bool = False
    feed_base: str = ""

    def url(self, channel: Channel, path: str) -> str:
        """Return the address of a file; for a folder, its path. Raises FetchError for a link that leads out of a mirror."""
        base = self._filled(self.base, channel)
        return self._checked(f"{base}/{quote(path) if web.is_address(base) else path}")

    def feed_url(self, channel: Channel) -> str:
        """Return the address of the channel's release feed. Raises FetchError as `url` does."""
        base = self.feed_base + "/releases-json" if self.feed_base else self._filled(self.base, channel)
        return self._checked(f"{base}/releases-{channel}.json")

    def key_url(self, channel: Channel) -> str:
        """Return the address of the public key. Raises FetchError as `url` does."""
        base = self.feed_base + "/security/image-signing-key" if self.feed_base else self._filled(self.base, channel)
        return self._checked(f"{base}/{KEY_FILE}")

    def _checked(self, place: str) -> str:
        """Refuse a file of a mirror on a disk to which a link outside leads: it would be copied into the cache."""
        if self.is_mirror and not web.is_address(place):
            root = self.base.removesuffix("/flatcar/{channel}")
            if not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(root)):
                raise FetchError(
                    f'"{printable(place)}" leads out of {self.name}, which is not followed',
                    hint="put the file itself there, or set FLATKIT_MIRROR to the folder that has it",
                )
        return place

    @staticmethod
    def _filled(base: str, channel: Channel) -> str:
        return base.replace("{channel}", str(channel)).rstrip("/")


OFFICIAL = Source(name="Flatcar's release server", base=_OFFICIAL, feed_base=_WEBSITE)


def find_mirror() -> Source | None:
    """Return the mirror or pack of FLATKIT_MIRROR (an address or a folder), else a pack nearby, else None.

    Nearby is a folder `flatkit-pack` in the current folder or in the user's home. The user did not name the one in the
    current folder, and anybody may have put it there. So only signed files are taken from it (`signed_only`). Raises
    UsageError.
    """
    given = os.environ.get("FLATKIT_MIRROR", "").strip()
    if not given:
        return _find_pack()
    if web.is_address(given):
        web.check_address(given, variable="FLATKIT_MIRROR")
    else:
        folder = Path(os.path.expanduser(given)).absolute()  # noqa: PTH111  (leaves an unknown ~user as it is)
        if not os.path.isdir(folder):  # noqa: PTH112  (never raises)
            raise UsageError(
                f'FLATKIT_MIRROR is "{printable(given)}", and there is no such folder; '
                "expected http://..., or the folder of a pack",
                hint="unset FLATKIT_MIRROR   (or correct it)",
            )
        given = str(folder)
    return Source(
        name=f'the mirror "{printable(given)}"', base=given.rstrip("/") + "/flatcar/{channel}", is_mirror=True
    )


def _find_pack() -> Source | None:
    """Return a pack that the user need not name, None when there is none."""
    home = _find(Path.home)
    for folder, shown in ((_find(Path.cwd), "."), (home, "~")):
        if folder and (folder / PACK_FOLDER / MANIFEST).is_file():
            return Source(
                name=f'the pack "{shown}/{PACK_FOLDER}"', base=f"{folder / PACK_FOLDER}/flatcar/{{channel}}", is_mirror=True,
                signed_only=folder != home,
            )  # fmt: skip
    return None


def _find(place: Callable[[], Path]) -> Path | None:
    """The current folder or the home; None where it was removed, or the user has none."""
    with suppress(OSError, RuntimeError):
        return place()
    return None


def release_server() -> Source:
    """Return Flatcar's release servers, or their replacement from FLATKIT_RELEASE_SERVER."""
    given = web.check_place(os.environ.get("FLATKIT_RELEASE_SERVER", "").strip(), variable="FLATKIT_RELEASE_SERVER")
    return Source(name=f'the release server "{printable(given)}"', base=given) if given else OFFICIAL


def list_sources() -> list[Source]:
    """Return every source, in order: a mirror before the Internet."""
    mirror = find_mirror()
    return [*([mirror] if mirror else []), release_server()]


def fetch_small(
    url: str,
    *,
    patience: Timeouts | None = None,
    cancel: Event | None = None,
    observer: Observer | None = None,
) -> bytes | None:
    """Return a small file from a web address or a folder; None when it is not there (404, 403, no such file).

    Raises FetchError when it is not available for another reason: a web page comes instead, more than 8 MiB, or not all
    within `patience.small` seconds. Raises Cancelled.
    """
    if not web.is_address(url):
        return _read_local(url)
    given = patience or Timeouts()
    # Small files come first, and an offline user should learn it soon.
    patience = replace(given, tries=min(given.tries, 3))
    end = time.monotonic() + given.small

    def attempt() -> bytes | None:
        within = max(end - time.monotonic(), 0.0)
        answer = web.get(url, timeout=given.timeout, limit=_SMALL_LIMIT + 1, within=within, cancel=cancel)
        if answer.status in {403, 404, 410}:
            return None
        if not answer.ok:
            raise web.refusal(url, answer.status)
        if web.is_page(answer.headers, answer.data):
            raise web.captive(url, answer.final_url)
        if len(answer.data) > _SMALL_LIMIT:
            raise FetchError(
                f'"{printable(url)}" has more than {_SMALL_LIMIT} bytes; expected a text, a signature or a key'
            )
        return answer.data

    return with_tries(attempt, patience=patience, cancel=cancel, observer=observer)


def _read_local(path: str) -> bytes | None:
    try:
        return read_regular(path, limit=_SMALL_LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FetchError(f'"{printable(path)}" cannot be read: {error.strerror}') from None


def with_tries(
    attempt: Callable[[], _T], *, patience: Timeouts, cancel: Event | None = None, observer: Observer | None = None
) -> _T:
    """Call until it works; a temporary FetchError leads to another try. Raises the last one."""
    for number in range(1, patience.tries + 1):
        try:
            return attempt()
        except FetchError as error:
            if number == patience.tries or not error.passing:
                raise
            if observer:
                observer.notify(Said(text=f"{error.message}; trying again"))
            patience.wait(number, cancel)
    raise AssertionError("unreachable")

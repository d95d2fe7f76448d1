"""Publishes a pack on the update server, and says what the seats type."""

from __future__ import annotations

import html
import itertools
import os
import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from flatkit.errors import ImageError, UsageError
from flatkit.events import Observer, Progressed, phase
from flatkit.files import open_below
from flatkit.images.pack_manifest import (
    MANIFEST,
    MANIFEST_MAX,
    SUMS,
    PackedRelease,
    PackManifest,
    manifest_as_text,
    parse_manifest,
    sums_as_text,
)
from flatkit.packs.wheelfile import is_wheel_name
from flatkit.packs.wheels import as_index
from flatkit.paths import state_dir
from flatkit.updates.channels import Channels
from flatkit.updates.omaha import BOARDS
from flatkit.updates.repository import Site
from flatkit.updates.server import UpdateServer

PORT = 8000
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def state_file() -> Path:
    """Return the file of the served channels and the machines seen; a notebook reads and changes it.

    `FLATKIT_ROOM_STATE` names another file: a demo's own server does not mix with that of the room.
    """
    given = os.environ.get("FLATKIT_ROOM_STATE")
    return Path(given) if given else state_dir() / "room" / "channels.json"


def open_channels() -> Channels:
    """The channels of the room or the demo, to be looked at and changed while its server runs, or before."""
    return Channels(store=state_file())


def read_manifest(folder: Path) -> PackManifest:
    """The manifest of a pack. Raises UsageError when the folder holds none, ImageError when it is not understood."""
    try:
        with open_below(folder, MANIFEST) as file:
            data = file.read(MANIFEST_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f'"{folder}" holds no pack: there is no {MANIFEST} in it',
            hint=f"flatkit room pack {shlex.quote(str(folder))}",
        ) from None
    except OSError as error:
        raise UsageError(
            f'the pack "{folder}" cannot be read: {MANIFEST}: {error.strerror}',
            hint=f"flatkit room pack {shlex.quote(str(folder))}",
        ) from None
    return parse_manifest(data)


def publish(site: Site, folder: Path, manifest: PackManifest, *, observer: Observer | None = None) -> None:
    """Publish all of a pack, each file only if it is as the manifest says. Raises InputError, UsageError.

    Lists (manifest, sums, the page of wheels) are made of the manifest's values, so no file of that name is read.
    """
    watcher, done = observer or Observer(), 0
    with phase(watcher, "verify", f"Comparing {manifest.size / 1e6:.0f} MB with the manifest"):
        for file in manifest.files:
            name = file.path.rpartition("/")[2]
            is_extension = file.path.startswith("extensions/")
            if is_extension and name == SUMS:
                continue  # the site makes them of what it publishes
            also = [f"/extensions/{name}"] if is_extension else []
            site.publish_known(
                f"/{file.path}", folder / file.path, size=file.size, sha256=file.sha256, sha1=file.sha1, below=folder,
                also=also,
            )  # fmt: skip
            done += file.size
            watcher.notify(Progressed(phase="verify", done=done // 10**6, total=manifest.size // 10**6, unit="MB"))
    site.publish_text(f"/{MANIFEST}", manifest_as_text(manifest))
    site.publish_text(f"/{SUMS}", sums_as_text(manifest))
    names = {file.path.removeprefix("wheels/"): file.sha256 for file in manifest.below("wheels")}
    wheels = {name: digest for name, digest in names.items() if is_wheel_name(name)}
    site.publish_text("/wheels/", as_index(wheels), media_type="text/html")
    for release in manifest.releases:
        site.publish_known_release(release.version, release.files, board=release.board, for_lab=release.for_lab)
    _offer(site.channels, manifest.releases)


def _offer(channels: Channels, releases: tuple[PackedRelease, ...]) -> None:
    """Let each channel offer its release, unless somebody promoted another one of this pack to it before."""
    packed = {(found.board, found.for_lab, found.version) for found in releases}
    for board, for_lab in itertools.product(BOARDS, (False, True)):
        for channel, release in channels.releases_for(board, for_lab=for_lab).items():
            if (board, for_lab, release.version) not in packed:
                channels.withdraw(channel)
    for found in releases:
        offered = channels.releases_for(found.board, for_lab=found.for_lab)
        if found.channel not in offered:
            channels.publish(
                found.channel, channels.get_release(found.version, board=found.board, for_lab=found.for_lab)
            )


@dataclass(frozen=True, kw_only=True)
class Address:
    """An address and port to listen on."""

    host: str = "127.0.0.1"
    port: int = PORT


def parse_address(text: str, *, usual: int = PORT) -> Address:
    """ADDR, ADDR:PORT, [ADDR6]:PORT or :PORT; `usual` is the port without one. Raises UsageError."""
    match = re.fullmatch(
        r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z.-]*)|([0-9A-Fa-f:]*::?[0-9A-Fa-f:]*))(?::([0-9]{1,5}))?", text
    )
    port = int(match[4]) if match and match[4] else usual
    if not match or port > 65535:
        raise UsageError(
            f'"{text}" is not an address to listen on; expected 127.0.0.1, 0.0.0.0:{usual} or [::]:{usual}'
        )
    return Address(host=match[1] or match[2] or match[3] or "127.0.0.1", port=port)


def reachable_url(url: str, host: str) -> str:
    """Return the address that others type: this host's own one when the server at `url` listens on all of them."""
    if host not in {"0.0.0.0", "::"}:  # noqa: S104  (compared, not bound)
        return url
    own, port = find_own_address(ipv6=host == "::") or "127.0.0.1", urlsplit(url).port
    return f"http://[{own}]:{port}" if ":" in own else f"http://{own}:{port}"


def find_own_address(*, ipv6: bool = False) -> str | None:
    """The address by which this host reaches others; nothing is sent. None when it reaches nobody."""
    family, target = (socket.AF_INET6, "2001:db8::1") if ipv6 else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


@dataclass(frozen=True, kw_only=True)
class Instructions:
    """The commands that the seats type, for a server at `url`."""

    url: str
    has_wheels: bool
    has_bindings: bool = False

    @property
    def install(self) -> str:
        """One line that installs flatkit on a seat from the served wheels alone.

        pip trusts plain http on this host only, so another one is named; libvirt's bindings come from the distribution.
        """
        return f"python3 -m venv --system-site-packages ~/flatkit && {self._pip} flatkit"

    @property
    def bindings(self) -> str:
        """One line for a seat whose distribution has no libvirt bindings; the wheel is for the packer's own Python."""
        return f"{self._pip} libvirt-python"

    @property
    def _pip(self) -> str:
        host = urlsplit(self.url).hostname or ""
        trusted = "" if host in _LOOPBACK else f"--trusted-host {host} "
        return f"~/flatkit/bin/pip install --no-index {trusted}--find-links {self.url}/wheels/"

    @property
    def use(self) -> str:
        """One line that opens the course, with images and updates from this server."""
        return f"FLATKIT_MIRROR={self.url} FLATKIT_UPDATE_SERVER={self.url} ~/flatkit/bin/flatkit course"

    def __str__(self) -> str:
        lines = ["seats type:"]
        if self.has_wheels:
            lines.append(f"  {self.install}")
        lines.append(f"  {self.use}")
        if self.has_bindings:
            lines += ["where flatkit doctor misses libvirt's bindings:", f"  {self.bindings}"]
        return "\n".join(lines)

    def page(self) -> str:
        """The page that a seat's browser shows under the address."""
        steps = [("Install", self.install)] if self.has_wheels else []
        steps.append(("Open the course", self.use))
        if self.has_bindings:
            steps.append(("Where flatkit doctor misses libvirt's bindings", self.bindings))
        parts = "".join(f"<h2>{title}</h2>\n<pre>{html.escape(line)}</pre>\n" for title, line in steps)
        return (
            "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content='width=device-width'>\n"
            f"<title>flatkit</title>\n<h1>flatkit: this room's server</h1>\n{parts}"
            "<p>QEMU and libvirt come from your distribution: <code>flatkit doctor</code> names the packages.\n"
            "<p><a href=wheels/>wheels</a>, <a href=SHA256SUMS>all files</a>\n</html>\n"
        )


@contextmanager
def serving(
    folder: Path, address: Address, *, store: Path | None = None, observer: Observer | None = None
) -> Iterator[tuple[UpdateServer, Instructions]]:
    """Serve a pack until the block ends. Raises UsageError, ImageError or InputError (the pack), HostError (the address)."""
    manifest = read_manifest(folder)
    if not manifest.files:
        raise ImageError(f'the pack "{folder}" is not finished', hint=f"flatkit room pack {shlex.quote(str(folder))}")
    server = UpdateServer(listen=address.host, port=address.port, channels=Channels(store=store))
    publish(server, folder, manifest, observer=observer)
    with server:
        names = [file.path for file in manifest.below("wheels")]
        words = Instructions(
            url=reachable_url(server.url, address.host),
            has_wheels=bool(names),
            has_bindings=any("libvirt_python" in name for name in names),
        )
        server.publish_text("/", words.page(), media_type="text/html")
        yield server, words

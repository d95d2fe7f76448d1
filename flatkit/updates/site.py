"""What the update server has to say, without a socket: the published files, the channels, the answers to Omaha.

Paths are those of Flatcar's servers, so that its clients and the lab image's use the same ones:

    POST /v1/update/                                       Omaha 3.0, with or without the last slash
    GET  /amd64-usr/VERSION/FILE      and FILE.sha256      payloads, and further files of a release
    GET  /CHANNEL/amd64-usr/current/version.txt            also .../VERSION/version.txt: FLATKIT_RELEASE_SERVER=URL/{channel}
    GET  /extensions/FILE, /extensions/NAME/FILE           extensions for systemd-sysupdate
    GET  /extensions/SHA256SUMS, /extensions/NAME/SHA256SUMS
    GET  /                                                 what is published, one path a line

A path is looked up among the published ones and never taken to the file system.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from flatkit.errors import UsageError
from flatkit.updates import omaha
from flatkit.updates.channels import Channels, MachineSeen, Release
from flatkit.updates.content import Content, file_content, text_content

BOARD = "amd64-usr"


class Site:
    """The published files and the channels; its methods may be called from any thread, while it is served."""

    def __init__(self, *, channels: Channels | None = None) -> None:
        self.channels = channels or Channels()
        self._contents: dict[str, Content] = {}

    @property
    def machines(self) -> tuple[MachineSeen, ...]:
        """What the machines that asked have told."""
        return self.channels.machines

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that is published."""
        return tuple(sorted({*self._contents, *self._sums(), *self._pointers()}))

    def publish(
        self,
        channel: str,
        *,
        version: str,
        payload: Path,
        extra: Sequence[Path] = (),
        name: str = "",
        allow_downgrade: bool = False,
    ) -> Release:
        """Let a channel offer a version: its payload (called `name`, else as the file is) and further files (`oem-qemu.gz`).

        Files are hashed now. Raises InputError for one that cannot be read, UsageError for a name or version that cannot
        stand in a URL, or a version that was published with other bytes.
        """
        folder = f"/{BOARD}/{_checked(version, 'version')}"
        packages = []
        for path, called in ((payload, name or payload.name), *((path, path.name) for path in extra)):
            content = self.publish_file(f"{folder}/{_checked(called, 'file name')}", path)
            self._contents[f"{folder}/{called}.sha256"] = text_content(f"{content.sha256}  {called}\n")
            packages.append(omaha.Package(name=called, size=content.size, sha1=content.sha1, sha256=content.sha256))
        release = Release(version=version, packages=tuple(packages), allow_downgrade=allow_downgrade)
        self.channels.publish(channel, release)
        return release

    def promote(self, channel: str, *, to: str) -> Release:
        """Let the channel `to` offer what `channel` offers."""
        return self.channels.promote(channel, to=to)

    def withdraw(self, channel: str) -> None:
        """Let a channel offer nothing; downloads that run go on."""
        self.channels.withdraw(channel)

    def publish_extension(self, path: Path, *, name: str = "") -> None:
        """Publish an extension under /extensions/ and, when it is one of several versions, under its name as well."""
        content = self.publish_file(f"/extensions/{_checked(path.name, 'file name')}", path)
        if name:
            self._put(f"/extensions/{_checked(name, 'name')}/{path.name}", content)

    def publish_file(self, url_path: str, path: Path) -> Content:
        """Publish a file under any path. Raises InputError or UsageError as `publish` does."""
        content = file_content(path)
        self._put(url_path, content)
        return content

    def _put(self, url_path: str, content: Content) -> None:
        known = self._contents.get(url_path)
        if known and known.sha256 != content.sha256:
            raise UsageError(
                f'"{url_path}" is published already, with other bytes: who has fetched a part of it would get a mixture',
                hint="give it another version or name",
            )
        self._contents[url_path] = content

    def publish_text(self, url_path: str, text: str) -> None:
        """Publish a text under any path, such as a .conf for systemd-sysupdate; a second call replaces it."""
        self._contents[url_path] = text_content(text)

    def find_content(self, path: str) -> Content | None:
        """What is published under a path of a URL."""
        if path == "/":
            return text_content("".join(f"{found}\n" for found in self.paths))
        made = self._contents.get(path) or self._pointers().get(path)
        return made or self._sums().get(path)

    def answer_omaha(self, data: bytes, *, host: str) -> bytes:
        """The answer to an Omaha request that called this server `host`. Raises InputError for what is no request."""
        request = omaha.parse_request(data)
        offers: dict[str, omaha.Offer | None] = {}
        for app in request.apps:
            if app.is_flatcar:
                release = self.channels.answer(app)
                offers[app.appid] = _offer(release, host) if release else None
        return omaha.build_response(request, offers)

    def _sums(self) -> dict[str, Content]:
        """SHA256SUMS for each folder of extensions, made of what is published now."""
        lines: dict[str, list[str]] = {}
        for path, content in sorted(self._contents.copy().items()):
            folder, _, name = path.rpartition("/")
            if re.match(r"/extensions(/|$)", folder):
                lines.setdefault(f"{folder}/SHA256SUMS", []).append(f"{content.sha256}  {name}\n")
        return {path: text_content("".join(found)) for path, found in lines.items()}

    def _pointers(self) -> dict[str, Content]:
        """version.txt of each channel: under `current`, and under its number."""
        found = {}
        for channel, release in self.channels.releases.items():
            text = (
                f"FLATCAR_VERSION={release.version}\nFLATCAR_VERSION_ID={release.version.partition('+')[0]}\n"
                'FLATCAR_BUILD_ID=""\n'
            )
            for folder in ("current", release.version):
                found[f"/{channel}/{BOARD}/{folder}/version.txt"] = text_content(text)
        return found


def _checked(text: str, what: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,127}", text):
        raise UsageError(f'"{text}" is no {what} that can be published; expected letters, digits, ".", "_", "+", "-"')
    return text


def _offer(release: Release, host: str) -> omaha.Offer:
    return omaha.Offer(
        version=release.version, codebase=f"http://{host}/{BOARD}/{release.version}/", packages=release.packages
    )

"""Contents of the update server, without a socket: the published files, the channels, the answers to Omaha.

Paths are those of Flatcar's servers, so that its clients and the lab image's use the same ones:

    POST /v1/update/                                       Omaha 3.0, with or without the last slash
    GET  /amd64-usr/VERSION/FILE      and FILE.sha256      payloads, opt-in extensions and further files of a release
    GET  /CHANNEL/amd64-usr/current/version.txt            also .../VERSION/version.txt: FLATKIT_RELEASE_SERVER=URL/{channel}
    GET  /extensions/FILE, /extensions/NAME/FILE           extensions for systemd-sysupdate
    GET  /extensions/SHA256SUMS, /extensions/NAME/SHA256SUMS
    GET  /                                                 what is published, one path a line

A path is looked up among the published ones and never taken to the file system.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.errors import InputError, UsageError
from flatkit.updates import omaha
from flatkit.updates.channels import Channels
from flatkit.updates.content import Content, file_content, known_content, text_content
from flatkit.updates.model import MachineSeen, PublishedRelease

if TYPE_CHECKING:
    from flatkit.updates.request_batches import Answer, UpdateRequest

BOARD = omaha.BOARDS[0]


class Site:
    """The published files and the channels; its methods are thread-safe, also while it is served."""

    def __init__(self, *, channels: Channels | None = None) -> None:
        self.channels = channels or Channels()
        self._contents: dict[str, Content] = {}

    @property
    def machines(self) -> tuple[MachineSeen, ...]:
        """The machines seen, with their reports."""
        return self.channels.machines

    @property
    def paths(self) -> tuple[str, ...]:
        """Every published path."""
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
        board: str = BOARD,
    ) -> PublishedRelease:
        """Let a channel offer a version: its payload (called `name`, else by its file name) and further files.

        Further files are the ones that Flatcar's servers keep beside a payload: `oem-qemu.gz`, and `flatcar-NAME.gz`
        for each opt-in extension. Files are hashed now. Raises InputError for an unreadable file, UsageError for a name
        or version that is not valid in a URL, or a version that was published with other bytes.
        """
        release = self.publish_release(
            version, payload=payload, extra=extra, name=name, allow_downgrade=allow_downgrade, board=board
        )
        self.channels.publish(channel, release)
        return release

    def publish_release(
        self,
        version: str,
        *,
        payload: Path,
        extra: Sequence[Path] = (),
        name: str = "",
        allow_downgrade: bool = False,
        board: str = BOARD,
    ) -> PublishedRelease:
        """Publish the files of a version that no channel offers yet. Raises as `publish` does."""
        if board not in omaha.BOARDS:
            raise UsageError(f'"{board}" is not a board; expected {" or ".join(omaha.BOARDS)}')
        folder = f"/{board}/{_checked(version, 'version')}"
        packages = []
        for path, called in ((payload, name or payload.name), *((path, path.name) for path in extra)):
            content = self.publish_file(f"{folder}/{_checked(called, 'file name')}", path)
            packages.append(self._package(folder, called, content))
        release = PublishedRelease(
            version=version, packages=tuple(packages), allow_downgrade=allow_downgrade, board=board
        )
        self.channels.add(release)
        return release

    def _package(self, folder: str, name: str, content: Content) -> omaha.Package:
        self._contents[f"{folder}/{name}.sha256"] = text_content(f"{content.sha256}  {name}\n")
        return omaha.Package(name=name, size=content.size, sha1=content.sha1, sha256=content.sha256)

    def promote(self, channel: str, *, to: str) -> PublishedRelease:
        """Let the channel `to` offer the releases of `channel`."""
        return self.channels.promote(channel, to=to)

    def withdraw(self, channel: str) -> None:
        """Let a channel offer nothing; running downloads continue."""
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

    def publish_known(
        self,
        url_path: str,
        path: Path,
        *,
        size: int,
        sha256: str,
        sha1: str,
        below: Path | None = None,
        also: Sequence[str] = (),
    ) -> Content:
        """Publish a file that a manifest describes, under `also` as well; `below` as in `known_content`.

        Raises InputError or UsageError.
        """
        content = known_content(path, size=size, sha256=sha256, sha1=sha1, below=below)
        for place in (url_path, *also):
            self._put(place, content)
        return content

    def publish_known_release(
        self, version: str, names: Sequence[str], *, board: str = BOARD, for_lab: bool = False
    ) -> PublishedRelease:
        """Register a version whose files, payload first, are published already. Raises UsageError when one is not."""
        folder = f"/{board}/{_checked(version, 'version')}"
        missing = [name for name in names if f"{folder}/{name}" not in self._contents]
        if missing or not names:
            raise UsageError(f'the release "{version}" lacks {", ".join(missing) or "its payload"}')
        packages = tuple(self._package(folder, name, self._contents[f"{folder}/{name}"]) for name in names)
        release = PublishedRelease(version=version, packages=packages, board=board, for_lab=for_lab)
        self.channels.add(release)
        return release

    def _put(self, url_path: str, content: Content) -> None:
        known = self._contents.get(url_path)
        if known and known.sha256 != content.sha256:
            raise UsageError(
                f'"{url_path}" is published already, with other bytes: who has fetched a part of it would get a mixture',
                hint="give it another version or name",
            )
        self._contents[url_path] = content

    def publish_text(self, url_path: str, text: str, *, media_type: str = "text/plain") -> None:
        """Publish a text under any path, such as a .conf for systemd-sysupdate; a second call replaces it."""
        self._contents[url_path] = text_content(text, media_type=media_type)

    def find_content(self, path: str) -> Content | None:
        """Return the content published under a URL's path."""
        made = self._contents.get(path) or self._pointers().get(path) or self._sums().get(path)
        if made is None and path == "/":
            return text_content("".join(f"{found}\n" for found in self.paths))
        return made

    def answer_together(self, asked: Sequence[UpdateRequest]) -> list[Answer]:
        """Return the answer to each Omaha request, or the InputError for an invalid one. The state is written once."""
        parsed = [_parsed(one.data) for one in asked]
        apps = [
            (app, one.origin)
            for one, request in zip(asked, parsed, strict=True)
            if isinstance(request, omaha.Request)
            for app in takewhile(lambda app: app.is_flatcar, request.apps)
        ]
        found = iter(self.channels.answer_all(apps))
        return [
            request if isinstance(request, InputError) else _answered(request, one.host, found)
            for one, request in zip(asked, parsed, strict=True)
        ]

    def _sums(self) -> dict[str, Content]:
        """Return SHA256SUMS for each folder of extensions, computed from the current files."""
        lines: dict[str, list[str]] = {}
        for path, content in sorted(self._contents.copy().items()):
            folder, _, name = path.rpartition("/")
            if re.match(r"/extensions(/|$)", folder):
                lines.setdefault(f"{folder}/SHA256SUMS", []).append(f"{content.sha256}  {name}\n")
        return {path: text_content("".join(found)) for path, found in lines.items()}

    def _pointers(self) -> dict[str, Content]:
        """Return version.txt of each channel: under `current`, and under its number."""
        found = {}
        for board in omaha.BOARDS:
            lab = self.channels.releases_for(board, for_lab=True)
            for channel, release in {**lab, **self.channels.releases_for(board)}.items():
                text = (
                    f"FLATCAR_VERSION={release.version}\nFLATCAR_VERSION_ID={release.version.partition('+')[0]}\n"
                    'FLATCAR_BUILD_ID=""\n'
                )
                for folder in ("current", release.version):
                    found[f"/{channel}/{board}/{folder}/version.txt"] = text_content(text)
        return found


def _checked(text: str, what: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,127}", text):
        raise UsageError(
            f'"{text}" is not a {what} that can be published; expected letters, digits, ".", "_", "+", "-"'
        )
    return text


def _parsed(data: bytes) -> omaha.Request | InputError:
    try:
        return omaha.parse_request(data)
    except InputError as error:
        return error


def _answered(request: omaha.Request, host: str, found: Iterator[PublishedRelease | omaha.Refusal | None]) -> bytes:
    answers: dict[str, omaha.Offer | omaha.Refusal | None] = {}
    for app in takewhile(lambda app: app.is_flatcar, request.apps):
        answer = next(found)
        answers[app.appid] = _offer(answer, host) if isinstance(answer, PublishedRelease) else answer
    return omaha.build_response(request, answers)


def _offer(release: PublishedRelease, host: str) -> omaha.Offer:
    return omaha.Offer(
        version=release.version, codebase=f"http://{host}/{release.board}/{release.version}/", packages=release.packages
    )

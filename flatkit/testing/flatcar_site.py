"""A local release server with Flatcar's layout: files signed by a key of its own, and every way to misbehave.

The layout is that of flatkit/images/mirrors.py. The files are in a folder, so a test can change a byte of it.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from flatkit.files import hash_file
from flatkit.testing.signing import SigningKey
from flatkit.updates.content import file_content, select

IMAGE = "flatcar_production_qemu_image.img"
PORTAL = b"<!DOCTYPE html>\n<html><title>Welcome to the hotel</title>Please log in.</html>\n"


@dataclass(frozen=True, kw_only=True)
class Misdeed:
    """One way to misbehave, for requests whose path ends in `path`; `times` 0: every time.

    `status`: answer with it. `page`: status 200 and a web page. `redirect`: send on to this address. `cut_after`: hang up after
    so many bytes of the body. `claim`: add so many bytes to Content-Length. `etag`: send this tag, and ignore If-Range.
    `drip`: send the body byte by byte, so many seconds apart. `no_range`: ignore Range. `shift`: answer a Range with a part that
    begins so many bytes later. `silent`: send no ETag.
    """

    path: str
    times: int = 1
    status: int = 0
    page: bool = False
    redirect: str = ""
    cut_after: int | None = None
    claim: int = 0
    etag: str = ""
    drip: float = 0.0
    no_range: bool = False
    shift: int = 0
    silent: bool = False


@dataclass(frozen=True, kw_only=True)
class SeenRequest:
    """A request that came; `host` as the client named it."""

    path: str
    range: str = ""
    host: str = ""


@dataclass
class FlatcarSite:
    """`with FlatcarSite(folder, key=key) as site:` serves `folder`; `tls` is a context to serve https with."""

    folder: Path
    key: SigningKey
    tls: ssl.SSLContext | None = None
    asked: list[SeenRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._misdeeds: list[tuple[Misdeed, int]] = []
        self._lock = threading.Lock()
        self._feeds: dict[str, dict[str, Any]] = {}
        self._server: ThreadingHTTPServer | None = None
        self.stopping = threading.Event()

    def __enter__(self) -> FlatcarSite:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.site = self
        if self.tls:
            server.socket = self.tls.wrap_socket(server.socket, server_side=True)
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Its URL on 127.0.0.1."""
        assert self._server
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def release_server(self) -> str:
        """The value for FLATKIT_RELEASE_SERVER."""
        return self.url + "/{channel}"

    def environment(self, key_file: Path) -> dict[str, str]:
        """The environment that makes flatkit use and trust this site; the public key is written to `key_file`."""
        key_file.write_bytes(self.key.public())
        return {"FLATKIT_RELEASE_SERVER": self.release_server, "FLATKIT_SIGNING_KEY": str(key_file)}

    def add(
        self,
        version: str,
        image: bytes | Path,
        *,
        channel: str = "stable",
        board: str = "amd64-usr",
        pointers: Iterable[str] = ("current",),
        file: str = IMAGE,
        date: str = "2026-08-13",
        software: dict[str, str] | None = None,
        signed_at: str = "",
    ) -> Path:
        """Publish a release: its image, version.txt, digests, signatures, feed entry; returns the image's path."""
        folder = self.folder / channel / board / version
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / file
        if isinstance(image, bytes):
            target.write_bytes(image)
        else:
            target.unlink(missing_ok=True)
            target.hardlink_to(image)
        text = f'FLATCAR_VERSION={version}\nFLATCAR_VERSION_ID={version}\nFLATCAR_BUILD_ID=""\nFLATCAR_SDK_VERSION={version}\n'
        (folder / "version.txt").write_text(text)
        for path in (target, folder / "version.txt"):
            self.seal(path, at=signed_at)
        for pointer in pointers:
            self.point(pointer, version, channel=channel, board=board)
        self._feed(channel, version, board, date, software or {}, is_current="current" in tuple(pointers))
        (self.folder / channel / "Flatcar_Image_Signing_Key.asc").write_bytes(self.key.public())
        return target

    def point(self, pointer: str, version: str, *, channel: str = "stable", board: str = "amd64-usr") -> None:
        """Let `current` or `current-2024` lead to a version: with its signed version.txt, if the version is published."""
        folder = self.folder / channel / board / pointer
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "version.txt").write_text(f"FLATCAR_VERSION={version}\nFLATCAR_VERSION_ID={version}\n")
        for path in (folder.parent / version).glob("version.txt*"):
            (folder / path.name).write_bytes(path.read_bytes())

    def seal(self, path: Path, *, at: str = "") -> None:
        """Write FILE.sig, FILE.DIGESTS and FILE.DIGESTS.sig as the build of Flatcar does."""
        names = ("md5", "sha1", "sha512")
        blocks = [f"# {name.upper()} HASH\n{hash_file(path, name)}  {path.name}\n" for name in names]
        digests = path.with_name(f"{path.name}.DIGESTS")
        digests.write_text("".join(blocks))
        for signed in (path, digests):
            signed.with_name(f"{signed.name}.sig").write_bytes(self.key.sign(signed, at=at))

    def _feed(
        self, channel: str, version: str, board: str, date: str, software: dict[str, str], *, is_current: bool
    ) -> None:
        feed = self._feeds.setdefault(channel, {})
        boards = {board.removesuffix("-usr"), *feed.get(version, {}).get("architectures", ())}
        feed[version] = {
            "channel": channel, "architectures": sorted(boards), "release_date": f"{date} 09:00:00 +0000",
            "major_software": {name: [value] for name, value in software.items()}, "release_notes": f"Changes of {version}",
        }  # fmt: skip
        if is_current:
            feed["current"] = feed[version]
        (self.folder / channel / f"releases-{channel}.json").write_text(json.dumps(feed, indent=2) + "\n")

    def inject(self, *misdeeds: Misdeed) -> None:
        """Misbehave from now on."""
        with self._lock:
            self._misdeeds += [(misdeed, 0) for misdeed in misdeeds]

    def behave(self) -> None:
        """No more of it."""
        with self._lock:
            self._misdeeds.clear()

    def take(self, path: str) -> Misdeed | None:
        """The misdeed that this request meets, counted."""
        with self._lock:
            for at, (misdeed, done) in enumerate(self._misdeeds):
                if path.endswith(misdeed.path) and (done < misdeed.times or not misdeed.times):
                    self._misdeeds[at] = (misdeed, done + 1)
                    return misdeed
        return None

    def count(self, ending: str) -> int:
        """Count the requests for a path with this ending."""
        return sum(asked.path.endswith(ending) for asked in self.asked)


class _Server(ThreadingHTTPServer):
    site: FlatcarSite
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.0"  # each answer ends with its connection: no thread outlives a test

    def do_GET(self) -> None:
        """Answer as a release server does, or as the misdeed wants. A proxy's request has a whole address in its path."""
        site, path = self.server.site, unquote(urlsplit(self.path).path)
        host = urlsplit(self.path).netloc or self.headers.get("Host", "")
        site.asked.append(SeenRequest(path=path, range=self.headers.get("Range", ""), host=host))
        misdeed = site.take(path) or Misdeed(path=path)
        if misdeed.status:
            self._text(misdeed.status, b"no\n")
        elif misdeed.page:
            self._text(200, PORTAL, kind="text/html; charset=utf-8")
        elif misdeed.redirect:
            self.send_response(302)
            self.send_header("Location", misdeed.redirect)
            self.end_headers()
        else:
            self._file(site.folder / path.lstrip("/"), misdeed)

    def _text(self, status: int, data: bytes, *, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _file(self, path: Path, misdeed: Misdeed) -> None:
        if not path.is_file():
            self._text(404, b"not found\n")
            return
        content = file_content(path)
        wanted = "" if misdeed.no_range else self.headers.get("Range", "")
        chosen = select(content, wanted=wanted, if_range="" if misdeed.etag else self.headers.get("If-Range", ""))
        start = chosen.start + (misdeed.shift if chosen.status == 206 else 0)
        count = chosen.count - (start - chosen.start)
        self.send_response(chosen.status)
        if chosen.status == 206:
            self.send_header("Content-Range", f"bytes {start}-{start + count - 1}/{content.size}")
        if chosen.status == 416:
            self.send_header("Content-Range", f"bytes */{content.size}")
        if not misdeed.silent:
            self.send_header("ETag", misdeed.etag or content.etag)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(count + misdeed.claim))
        self.end_headers()
        with path.open("rb") as file:
            file.seek(start)
            left = count if misdeed.cut_after is None else min(count, misdeed.cut_after)
            while left and (piece := file.read(min(left, 1 if misdeed.drip else 1 << 20))):
                self.wfile.write(piece)
                left -= len(piece)
                if misdeed.drip and self.server.site.stopping.wait(misdeed.drip):
                    return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent."""

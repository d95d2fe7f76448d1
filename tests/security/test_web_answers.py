"""Answers, redirects and addresses that are not as they should be: an error in words, and nothing of them on the terminal."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_server import CHUNKED, HEAD, HostileServer, flooding, saying

from flatkit import web
from flatkit.cli import main
from flatkit.errors import FetchError, FlatkitError, HostError, ImageError, UsageError
from flatkit.events import Observer
from flatkit.images.cache import KEPT_FREE
from flatkit.images.download import Download
from flatkit.images.fetch import Fetcher
from flatkit.images.lab.tree import debian_mirror
from flatkit.images.mirrors import Timeouts, fetch_small, find_mirror, release_server
from flatkit.images.releases import Board, find_wanted
from flatkit.packs.pack import update_server

ONCE = Timeouts(tries=1, timeout=5)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ("Content-Length: 1\r\nContent-Length: 2", r'several Content-Length headers, "1, 2"'),
        ("Content-Length: 1\r\nContent-Length: 1", "several Content-Length headers"),
        ("Content-Length: -1", r'the Content-Length "-1"; expected a number of bytes'),
        ("Content-Length: 1, 1", "expected a number of bytes"),
        ("Content-Length: 0x1", "expected a number of bytes"),
        ("Content-Length: \u00b2", "expected a number of bytes"),
        ("Content-Length: 1_0", "expected a number of bytes"),
        ("Content-Length: " + "9" * 30, "expected a number of bytes"),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked", "both a Content-Length and a Transfer-Encoding"),
        ("Transfer-Encoding: gzip, chunked", 'the Transfer-Encoding "gzip, chunked"'),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "the Transfer-Encoding"),
    ],
)
def test_an_answer_says_plainly_where_it_ends(headers: str, says: str, tmp_path: Path) -> None:
    data = f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\nxx".encode("latin-1")
    with HostileServer(saying(data)) as server:
        with pytest.raises(FetchError, match=says):
            fetch_small(server.url, patience=ONCE)
        with pytest.raises(FetchError, match=says):
            Download(server.url, tmp_path / "x", observer=Observer(), patience=ONCE).run()


@pytest.mark.parametrize(
    "target",
    ["ftp://127.0.0.1/x", "file:///etc/passwd", "data:,x", "javascript:x", "gopher://x/", "http://[zz]/", "http://x:99999/",
     "//[zz]/x", "http://user:word@127.0.0.1/", "http://x:y/"],
)  # fmt: skip
def test_a_redirect_leads_to_http_alone(target: str) -> None:
    with HostileServer(saying(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\n\r\n".encode())) as server:
        with pytest.raises(FetchError, match=r'leads on to ".*"; expected http://... or https://...') as caught:
            fetch_small(f"{server.url}/version.txt", patience=ONCE)
        assert "word" not in str(caught.value)


def test_a_redirect_never_leaves_https() -> None:
    with pytest.raises(FetchError, match="not encrypted; expected https"):
        web.address.follow("https://x/", "https://x/", "http://x/")
    with pytest.raises(FetchError, match="not encrypted; expected https"):
        web.address.follow("https://x/", "HTTPS://x/", "HTTP://x/")
    assert web.address.follow("https://x/", "https://x/a/", "../b c") == "https://x/b%20c"
    assert web.address.follow("http://x/", "http://x/a/", "//y/b") == "http://y/b"


NASTY = "\x1b]0;owned\x07\x1b[31m\u202e"


@pytest.mark.parametrize(
    "data",
    [
        f"HTTP/1.1 {NASTY}\r\n\r\n",
        f"{NASTY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {NASTY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {NASTY}\r\n\r\n",
        f"HTTP/1.1 302 {NASTY}\r\nLocation: ftp://x/{NASTY}\r\n\r\n",
        f"HTTP/1.1 302 {NASTY}\r\nLocation: http://127.0.0.1:1/{NASTY}\r\n\r\n",
        f"HTTP/1.1 500 {NASTY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Type: text/html{NASTY}\r\n\r\n<html>{NASTY}",
    ],
)
def test_nothing_that_a_server_says_reaches_the_terminal_as_it_is(data: str) -> None:
    with HostileServer(saying(data.encode())) as server, pytest.raises(FetchError) as caught:
        fetch_small(f"{server.url}/version.txt", patience=ONCE)
    assert all(one.isprintable() or one == "\n" for one in str(caught.value))


BAD_ADDRESSES = [
    "http://[zz]/", "http://", "http:///x", "http://x:99999/", "http://x:y/", "http://x y/", "https://\x1b[31m/", "http://[::1",
    "HTTP://[zz]/", "http://user:word@host/", "http://\u00e4/",
]  # fmt: skip


@pytest.mark.parametrize("value", [*BAD_ADDRESSES, "ftp://x/", "nbd://x"])
def test_a_variable_with_a_malformed_address_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = {"FLATKIT_MIRROR": find_mirror, "FLATKIT_RELEASE_SERVER": release_server,
               "FLATKIT_UPDATE_SERVER": update_server, "FLATKIT_DEBIAN_MIRROR": debian_mirror}  # fmt: skip
    for variable, read in readers.items():
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            with pytest.raises(UsageError, match=variable) as caught:
                read()
        assert f"unset {variable}" in caught.value.hint
        assert str(caught.value).isprintable() or "\n  Next" in str(caught.value)
        assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["-o/etc/x", "--include=x", "deb [trusted=yes] http://x/ y z", "/etc/apt/sources.list"]
)
def test_mmdebstrap_gets_a_mirror_and_nothing_else(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_DEBIAN_MIRROR", value)
    with pytest.raises(UsageError, match="FLATKIT_DEBIAN_MIRROR"):
        debian_mirror()


def test_a_mirror_in_the_home_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_MIRROR", "~no-such-user/pack")
    with pytest.raises(UsageError, match="no such folder"):
        find_mirror()
    monkeypatch.setenv("FLATKIT_MIRROR", "x" * 5000)
    with pytest.raises(UsageError, match="no such folder"):
        find_mirror()


@pytest.mark.parametrize(
    "proxy", ["http://[zz]:1", "http://x:99999", "socks5://x:1", "http://", "http://user:word@x:y", "x y:1"]
)
def test_a_proxy_that_is_none_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(UsageError, match="http_proxy") as caught:
        fetch_small("http://release.invalid/x", patience=ONCE)
    assert "word" not in str(caught.value)


def test_the_command_line_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path))
    for variable in ("FLATKIT_MIRROR", "FLATKIT_RELEASE_SERVER"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, "http://[zz]/")
            assert main(["images", "fetch", "stable"]) == 2
            assert f'{variable} is "http://[zz]/"' in capsys.readouterr().err


# A disk never fills up.


class Disk:
    """A disk that has so much room above what stays free, less what lies in a folder."""

    def __init__(self, folder: Path, room: int) -> None:
        self._folder, self._room = folder, room

    def __call__(self, path: object) -> Disk:
        return self

    @property
    def free(self) -> int:
        used = sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
        return KEPT_FREE + self._room - used


MIB = 2**20
ENDLESS = [
    flooding(HEAD + b"\r\n", b"x" * 65536),
    flooding(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
]


@pytest.mark.parametrize("behave", ENDLESS)
def test_a_file_without_an_end_stops_before_the_disk_is_full(
    behave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", Disk(tmp_path, 5 * MIB))
    part = tmp_path / "flatcar image.part"
    with (
        HostileServer(behave) as server,
        pytest.raises(HostError, match=r'image.part" was stopped after \d MB') as caught,
    ):
        Download(server.url, part, observer=Observer(), patience=ONCE).run()
    assert 4 * MIB < part.stat().st_size <= 5 * MIB
    assert f"rm -- '{part}'" in caught.value.hint
    with HostileServer(behave) as server, pytest.raises(HostError, match="it was removed"):
        Download(server.url, tmp_path / "y", observer=Observer(), patience=ONCE, is_kept=False).run()


def test_a_file_that_is_longer_than_it_may_be_is_removed(tmp_path: Path) -> None:
    for behave in (*ENDLESS, saying(HEAD + b"Content-Length: 99999999\r\n\r\n")):
        with HostileServer(behave) as server, pytest.raises(ImageError, match="larger than the 3000000 bytes"):
            Download(server.url, tmp_path / "x.part", observer=Observer(), patience=ONCE, limit=3_000_000).run()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("told", [2**40, 10**17])
def test_a_length_that_no_disk_has(told: int, tmp_path: Path) -> None:
    with HostileServer(saying(HEAD + f"Content-Length: {told}\r\n\r\n".encode())) as server, pytest.raises(ImageError):
        Download(server.url, tmp_path / "x.part", observer=Observer(), patience=ONCE).run()


def test_a_copy_leaves_the_disk_its_room_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(20 * 2**30)
    (tmp_path / "to").mkdir()
    monkeypatch.setattr("shutil.disk_usage", Disk(tmp_path / "to", MIB))
    with pytest.raises(HostError, match="MB that stay free"):
        Download(str(huge), tmp_path / "to/x.part", observer=Observer()).run()
    assert list((tmp_path / "to").iterdir()) == []


# Files of a mirror on a disk.


def make_special(path: Path, kind: str) -> Path:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2**40)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    else:
        path.symlink_to(kind)
    return path


@pytest.mark.parametrize("kind", ["fifo", "folder", "socket", "/dev/zero", "/dev/random", "sparse"])
def test_what_is_not_a_file_of_a_mirror(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = make_special(Path("x"), kind).absolute()
    with pytest.raises(FetchError, match=r"cannot be read: (not a regular file|larger than|No such device)"):
        fetch_small(str(path))
    if kind != "sparse":
        with pytest.raises(FetchError, match=r"cannot be copied: (not a regular file|No such device)"):
            Download(str(path), tmp_path / "x.part", observer=Observer()).run()


def test_a_mirror_of_special_files_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pack/flatcar/stable/amd64-usr/current"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "version.txt")
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "pack"))
    monkeypatch.setenv("FLATKIT_RELEASE_SERVER", "http://127.0.0.1:1/{channel}")
    fetcher = Fetcher(board=Board.AMD64, patience=Timeouts(tries=1))
    with pytest.raises(FlatkitError):
        fetcher.fetch(find_wanted("stable"))


@pytest.mark.parametrize(
    "text",
    ["[]", '{"url": 1}', '{"url": "x", "size": "y"}', "[" * 100_000, "\ud800", '{"url": "x", "etag": []}'],
)
def test_a_record_of_any_text_means_a_fresh_start(text: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"data")
    part = tmp_path / "x.part"
    part.write_bytes(b"old")
    part.with_name("x.part.json").write_bytes(text.encode(errors="surrogatepass"))
    assert Download(str(source), part, observer=Observer()).run().part.read_bytes() == b"data"


LIMITED = """
import resource
from pathlib import Path
from flatkit.errors import HostError
from flatkit.events import Observer
from flatkit.images.download import Download
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Download({url!r}, Path({part!r}), observer=Observer()).run()
except HostError as error:
    print(error.message)
"""


def test_a_disk_that_takes_no_more_is_said(tmp_path: Path) -> None:
    """The kernel refuses the last bytes: nothing of them is tried again when the file is closed."""
    with HostileServer(saying(HEAD + b"Content-Length: 1010\r\n\r\n" + b"x" * 1010)) as server:
        code = LIMITED.format(url=server.url, part=str(tmp_path / "x.part"))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f'"{tmp_path}" cannot be written to: {os.strerror(errno.EFBIG)}\n'

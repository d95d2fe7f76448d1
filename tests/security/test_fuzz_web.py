"""Any bytes as an answer, any text as an address or redirect, any header of a disk: an error in words, and in time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flatkit import diskfile, web
from flatkit.errors import FetchError, FlatkitError, ImageError, UsageError
from flatkit.untrusted import printable
from flatkit.web.address import check_address, check_place, find_parts, follow
from flatkit.web.exchange import Exchange
from tests.disk_headers import qcow2_header

QUICKLY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(QUICKLY, max_examples=400)


@pytest.fixture
def answer_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Have every connection of the client lead to a peer that sends these bytes and hangs up."""
    data = [b""]

    def dial(line: Exchange, *_: object) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.settimeout(2)
        with theirs:
            theirs.sendall(data[0])
        line.keep(ours)
        return ours

    monkeypatch.setattr(Exchange, "dial", dial)
    return lambda given: data.__setitem__(0, given)


WORDS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 206 Partial\r\n", b"HTTP/1.0 100 Continue\r\n\r\n", b"HTTP/1.1 302 Found\r\n",
        b"HTTP/9.9 999 \xff\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: ",
        b"Content-Range: bytes 0-1/", b"Content-Type: text/html; charset=", b"Content-Type: text/html; charset*=utf-8''",
        b"idna", b"punycode", b"utf-16", b"Location: ", b"Location: http://[", b"Location: //", b"Location: http://x:",
        b"ETag: W/", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b":", b"0\r\n\r\n", b"5\r\nhello\r\n", b"-5\r\n",
        b"ffffffffffffffff\r\n", b"1_0\r\n", b"\0", b"\xff\xfe", b"\x1b]0;x\x07", b"9" * 30, b"-1", b"1",
    ]
)  # fmt: skip
ANSWERS = st.one_of(
    st.binary(max_size=300),
    st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=25).map(b"".join),
    st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=20).map(
        lambda found: b"HTTP/1.1 200 OK\r\n" + b"".join(found)
    ),
)


@MANY
@given(data=ANSWERS)
def test_any_bytes_as_an_answer(answer_with: Callable[[bytes], None], data: bytes) -> None:
    answer_with(data)
    try:
        answer = web.get("http://127.0.0.1/x", within=5)
    except FetchError as error:
        assert is_safe(error)  # noqa: PT017  (both ends are right)
    else:
        assert isinstance(answer.text, str)
        assert 0 <= answer.status < 1000


@QUICKLY
@given(data=ANSWERS)
def test_any_bytes_as_a_stream(answer_with: Callable[[bytes], None], data: bytes) -> None:
    answer_with(data)
    try:
        with web.open_stream("http://127.0.0.1/x", start=5, etag="x") as stream:
            assert stream.start >= -1
            assert stream.total is None or stream.total >= 0
            while stream.read():
                pass
    except FetchError as error:
        assert is_safe(error)  # noqa: PT017  (both ends are right)


PIECES = st.sampled_from(
    [
        "http://", "https://", "HTTP://", "ftp://", "file://", "//", "/", "\\", "[", "]", "[::1]", ":", "@", "?", "#", "%", "%zz",
        "..", "x", "127.0.0.1", ":80", ":99999", ":-1", "\u2100", "\uff0f", "\n", "\t", "\0", " ", "{channel}",
    ]
)  # fmt: skip
URLS = st.one_of(st.text(max_size=60), st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=10).map("".join))


def is_safe(error: FlatkitError) -> bool:
    """Whether an error can be shown: nothing of it moves a cursor or hides."""
    return printable(error.message, limit=10_000) == error.message


@MANY
@given(text=URLS)
def test_any_text_as_an_address(text: str) -> None:
    for check in (check_address, lambda given: check_place(given, variable="X"), web.is_address):
        try:
            check(text)
        except UsageError as error:
            assert is_safe(error)  # noqa: PT017  (both ends are right)
    parts = find_parts(text)
    if parts is not None:
        assert parts.scheme in {"http", "https"}
        assert text.isprintable()
        assert " " not in text


@MANY
@given(text=URLS, here=st.sampled_from(["http://x/a/b", "https://x/a/b", "https://[::1]:8/a"]))
def test_any_text_as_a_redirect(text: str, here: str) -> None:
    try:
        target = follow("http://asked/", here, text)
    except FetchError as error:
        assert is_safe(error)  # noqa: PT017  (both ends are right)
    else:
        assert find_parts(target) is not None
        assert target.startswith("https:") or here.startswith("http:") or target.lower().startswith("https:")


def never_asked(*_: object) -> socket.socket:
    raise ConnectionRefusedError


@QUICKLY
@given(text=URLS.filter(lambda text: "\0" not in text and text.isprintable()))
def test_any_text_as_a_proxy(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(Exchange, "dial", never_asked)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", text)
    with pytest.raises((FetchError, UsageError)) as caught:
        web.get("http://release.invalid/x")
    assert is_safe(caught.value)


HEADERS = st.builds(
    qcow2_header,
    version=st.sampled_from([2, 3]),
    size=st.integers(0, 2**64 - 1),
    backing=st.none() | st.binary(max_size=40),
    data_file=st.none() | st.binary(max_size=40),
    crypt=st.integers(0, 3),
).map(lambda head: head[:512])


@st.composite
def spoiled_headers(draw: st.DrawFn) -> bytes:
    head = bytearray(draw(HEADERS))
    for at, value in draw(st.lists(st.tuples(st.integers(4, 200), st.integers(0, 255)), max_size=12)):
        head[at] = value
    return bytes(head[: draw(st.integers(0, len(head)))])


@MANY
@given(
    head=st.one_of(
        spoiled_headers(), st.binary(max_size=300), st.binary(max_size=300).map(lambda data: b"QFI\xfb" + data)
    )
)
def test_any_bytes_as_a_disk(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(head)
    try:
        found = diskfile.find_format(path)
    except ImageError as error:
        assert is_safe(error)  # noqa: PT017  (both ends are right)
        assert error.hint  # noqa: PT017
    else:
        assert found == ("qcow2" if head.startswith(b"QFI\xfb") else "raw")
        if found == "qcow2":
            # What QEMU would follow: neither is there.
            assert head[8:16] == bytes(8)
            assert int.from_bytes(head[4:8], "big") == 2 or not int.from_bytes(head[72:80], "big") & 4


@QUICKLY
@given(backing=st.binary(max_size=1023), version=st.sampled_from([2, 3]))
def test_each_backing_name_is_seen(backing: bytes, version: int) -> None:
    found = diskfile.parse_qcow2(qcow2_header(version=version, backing=backing))
    assert found.backing is not None
    assert found.backing.encode(errors="surrogateescape") == backing


def test_the_threads_of_answers_end() -> None:
    """No thread is left by answers that came or were refused."""
    before = threading.active_count()
    for _ in range(20):
        with pytest.raises(FlatkitError):
            web.get("http://127.0.0.1:1/", timeout=2)
    for thread in threading.enumerate():
        if thread.name == "flatkit-web":
            thread.join(120)
    assert threading.active_count() <= before

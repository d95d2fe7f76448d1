from __future__ import annotations

import hashlib
import http.client
import logging
import os
import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from flatkit.errors import HostError, InputError, UsageError
from flatkit.machines.ports import find_free_port
from flatkit.testing.updates import Fault, FaultyServer
from flatkit.updates import connection_limits
from flatkit.updates.connection_limits import Limits
from flatkit.updates.model import UpdateState
from flatkit.updates.server import UpdateServer

GOLDEN = Path(__file__).resolve().parent / "golden"
CHECK = (GOLDEN / "check.request.xml").read_bytes()
PAYLOAD = bytes(range(256)) * 1000
PATH = "/amd64-usr/4593.2.5/update.bin"


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode()


def ask(url: str, path: str, *, method: str = "GET", data: bytes | None = None, **headers: str) -> Answer:
    host, port = url.removeprefix("http://").rsplit(":", 1)
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=120)
    try:
        connection.putrequest(method, path, skip_host="host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if data is not None:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(status=answer.status, headers=found, data=answer.read())
    finally:
        connection.close()


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "update.bin"
    path.write_bytes(PAYLOAD)
    return path


@pytest.fixture
def server(payload: Path) -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        running.publish("stable", version="4593.2.5", payload=payload)
        yield running


@pytest.fixture(autouse=True)
def no_failures_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def raw(server: UpdateServer, *pieces: bytes) -> bytes:
    """What the server says to these bytes until it hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_payload_is_served_with_its_hash(server: FaultyServer) -> None:
    answer = ask(server.url, PATH)
    assert (answer.status, answer.data) == (200, PAYLOAD)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(PAYLOAD))
    digest = hashlib.sha256(PAYLOAD).hexdigest()
    assert ask(server.url, f"{PATH}.sha256").text == f"{digest}  update.bin\n"
    head = ask(server.url, PATH, method="HEAD")
    assert (head.status, head.data, head.headers["etag"]) == (200, b"", answer.headers["etag"])
    assert head.headers["content-length"] == str(len(PAYLOAD))


def test_ranges_and_entity_tags_over_the_wire(server: FaultyServer) -> None:
    etag = ask(server.url, PATH, method="HEAD").headers["etag"]
    part = ask(server.url, PATH, range="bytes=1000-1099")
    assert (part.status, part.data) == (206, PAYLOAD[1000:1100])
    assert part.headers["content-range"] == f"bytes 1000-1099/{len(PAYLOAD)}"
    assert ask(server.url, PATH, range="bytes=1000-", if_range=etag).data == PAYLOAD[1000:]
    assert ask(server.url, PATH, range="bytes=1000-", if_range='"old"').data == PAYLOAD
    assert ask(server.url, PATH, range="bytes=-5").data == PAYLOAD[-5:]
    beyond = ask(server.url, PATH, range=f"bytes={len(PAYLOAD)}-")
    assert (beyond.status, beyond.data, beyond.headers["content-range"]) == (416, b"", f"bytes */{len(PAYLOAD)}")
    same = ask(server.url, PATH, if_none_match=etag)
    assert (same.status, same.data) == (304, b"")
    assert ask(server.url, PATH, method="HEAD", range="bytes=0-9").headers["content-length"] == "10"


def test_one_connection_serves_many_requests(server: FaultyServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    first = None
    for path, method in ((PATH, "GET"), ("/nowhere", "GET"), (PATH, "HEAD"), ("/nowhere", "HEAD"), (PATH, "GET")):
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        first = first or connection.sock
        assert connection.sock is first, (method, path)
    connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/amd64-usr/4593.2.5/",
        "/amd64-usr",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/amd64-usr/4593.2.5/../4593.2.5/update.bin",
        "/amd64-usr/4593.2.5/update.bin%00",
        "/extensions/SHA256SUMS",
        "/stable/amd64-usr/1.2.3/version.txt",
        "/v1/update/",
    ],
)
def test_nothing_else_is_served(server: FaultyServer, path: str) -> None:
    answer = ask(server.url, path)
    assert answer.status == 404
    assert "is not published here" in answer.text


def test_the_first_page_lists_what_is_published(server: FaultyServer) -> None:
    assert ask(server.url, "/").text.splitlines() == [
        "/amd64-usr/4593.2.5/update.bin",
        "/amd64-usr/4593.2.5/update.bin.sha256",
        "/stable/amd64-usr/4593.2.5/version.txt",
        "/stable/amd64-usr/current/version.txt",
    ]


def test_a_query_is_left_aside(server: FaultyServer) -> None:
    assert ask(server.url, f"{PATH}?x=1").status == 200


@pytest.mark.parametrize("path", ["/v1/update/", "/v1/update"])
def test_a_machine_is_offered_the_channels_version_by_the_name_that_it_used(server: FaultyServer, path: str) -> None:
    answer = ask(server.url, path, method="POST", data=CHECK, host="10.0.2.2:8080")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/xml")
    check = ET.fromstring(answer.data).find("app/updatecheck")
    assert check.find("manifest").get("version") == "4593.2.5"
    assert check.find("urls/url").get("codebase") == "http://10.0.2.2:8080/amd64-usr/4593.2.5/"
    assert check.find("manifest/packages/package").get("size") == str(len(PAYLOAD))
    (machine,) = server.machines
    assert machine.machine_id == "0123456789abcdef0123456789abcdef"
    assert (machine.offered, machine.state) == ("4593.2.5", UpdateState.OFFERED)


def test_the_url_of_an_offer_leads_to_its_payload(server: FaultyServer) -> None:
    check = ET.fromstring(ask(server.url, "/v1/update/", method="POST", data=CHECK).data).find("app/updatecheck")
    url = check.find("urls/url").get("codebase") + check.find("manifest/packages/package").get("name")
    assert url == server.url + PATH
    assert ask(server.url, url.removeprefix(server.url)).data == PAYLOAD


def updatecheck(server: UpdateServer, data: bytes = CHECK) -> str:
    return (
        ET.fromstring(ask(server.url, "/v1/update/", method="POST", data=data).data)
        .find("app/updatecheck")
        .get("status")
    )


def test_a_machine_is_offered_nothing_when_it_is_there(server: FaultyServer) -> None:
    assert updatecheck(server) == "ok"
    assert updatecheck(server, CHECK.replace(b'version="4593.2.4"', b'version="4593.2.5"')) == "noupdate"
    assert updatecheck(server, CHECK.replace(b'track="stable"', b'track="beta"')) == "noupdate"
    server.promote("stable", to="beta")
    assert updatecheck(server, CHECK.replace(b'track="stable"', b'track="beta"')) == "ok"
    server.withdraw("stable")
    assert updatecheck(server) == "noupdate"
    assert ask(server.url, PATH).status == 200  # a download that runs goes on


def test_an_unknown_application_is_told_so(server: FaultyServer) -> None:
    data = CHECK.replace(b"e96281a6", b"00000000")
    answer = ask(server.url, "/v1/update/", method="POST", data=data)
    app = ET.fromstring(answer.data).find("app")
    assert (app.get("status"), app.find("updatecheck").get("status")) == (
        "error-failedToRetrieveUpdatePackageInfo",
        "error-internal",
    )
    assert server.machines == ()


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"no xml", {}, 400),
        (b"", {}, 400),
        (CHECK, {"host": "evil host"}, 400),
        (CHECK, {"host": 'x"/><x'}, 400),
        (b"x" * 70000, {}, 413),
    ],
)
def test_what_is_no_request_gets_a_reason(
    server: FaultyServer, data: bytes, headers: dict[str, str], status: int
) -> None:
    answer = ask(server.url, "/v1/update/", method="POST", data=data, **headers)
    assert answer.status == status
    assert answer.text.strip()
    assert server.machines == ()


def test_bodies_of_unknown_length_are_refused_and_the_connection_ends(server: FaultyServer) -> None:
    said = raw(server, b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 411 ")
    assert said.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in said
    said = raw(server, b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert said.count(b"HTTP/1.1") == 1


def test_other_methods_and_broken_lines(server: FaultyServer) -> None:
    assert ask(server.url, "/v1/other", method="POST", data=b"x").status == 404
    assert ask(server.url, PATH, method="DELETE").status == 501
    assert raw(server, b"\x16\x03\x01 tls\r\n\r\n").startswith(b"HTTP/1.1 400 ") or b"400" in raw(
        server, b"\x16\x03\r\n\r\n"
    )
    assert ask(server.url, PATH).status == 200


def test_an_old_client_without_host_is_answered_by_address(server: FaultyServer) -> None:
    said = raw(server, b"POST /v1/update/ HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(CHECK), CHECK)
    assert f'codebase="{server.url}/amd64-usr/4593.2.5/"'.encode() in said


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(server: FaultyServer) -> None:
    """libcurl, which Flatcar's client uses, does so for longer bodies."""
    head = b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(CHECK)
    said = raw(server, head, CHECK)
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    assert b'codebase="http://x/amd64-usr/4593.2.5/"' in said


def test_version_pointers_as_on_flatcars_release_servers(server: FaultyServer, payload: Path) -> None:
    text = 'FLATCAR_VERSION=4593.2.5\nFLATCAR_VERSION_ID=4593.2.5\nFLATCAR_BUILD_ID=""\n'
    assert ask(server.url, "/stable/amd64-usr/current/version.txt").text == text
    assert ask(server.url, "/stable/amd64-usr/4593.2.5/version.txt").text == text
    server.publish("stable", version="4593.2.6", payload=payload)
    assert "4593.2.6" in ask(server.url, "/stable/amd64-usr/current/version.txt").text
    server.withdraw("stable")
    assert ask(server.url, "/stable/amd64-usr/current/version.txt").status == 404


def test_extensions_with_their_sums(server: FaultyServer, tmp_path: Path) -> None:
    for version in ("1", "2"):
        path = tmp_path / f"tool-{version}-x86-64.raw"
        path.write_text(version)
        server.publish_extension(path, name="tool")
    server.publish_text("/extensions/tool.conf", "[Transfer]\nVerify=false\n")
    one, two = (hashlib.sha256(text).hexdigest() for text in (b"1", b"2"))
    sums = f"{one}  tool-1-x86-64.raw\n{two}  tool-2-x86-64.raw\n"
    assert ask(server.url, "/extensions/tool/SHA256SUMS").text == sums
    assert ask(server.url, "/extensions/SHA256SUMS").text.startswith(sums)
    assert ask(server.url, "/extensions/tool/tool-2-x86-64.raw").data == b"2"
    assert ask(server.url, "/extensions/tool-1-x86-64.raw").data == b"1"
    assert ask(server.url, "/extensions/tool.conf").headers["content-type"].startswith("text/plain")


def test_extra_files_of_a_release_are_packages_too(server: FaultyServer, payload: Path, tmp_path: Path) -> None:
    oem = tmp_path / "oem-qemu.gz"
    oem.write_bytes(b"oem")
    release = server.publish(
        "alpha", version="4790.0.0", payload=payload, extra=[oem], name="flatcar_production_update.gz"
    )
    assert [package.name for package in release.packages] == ["flatcar_production_update.gz", "oem-qemu.gz"]
    assert ask(server.url, "/amd64-usr/4790.0.0/oem-qemu.gz").data == b"oem"
    assert ask(server.url, "/amd64-usr/4790.0.0/flatcar_production_update.gz").data == PAYLOAD


def test_opt_in_extensions_lie_where_flatcars_initrd_looks(server: FaultyServer, payload: Path, tmp_path: Path) -> None:
    """`flatcar.release_file_server_url=URL` makes it URL/BOARD/VERSION/NAME.gz."""
    podman = tmp_path / "flatcar-podman.gz"
    podman.write_bytes(b"podman")
    release = server.publish_release("4593.2.4", payload=payload, extra=[podman], name="flatcar_production_update.gz")
    assert [package.name for package in release.packages] == ["flatcar_production_update.gz", "flatcar-podman.gz"]
    assert ask(server.url, "/amd64-usr/4593.2.4/flatcar-podman.gz").data == b"podman"
    assert updatecheck(server) == "ok"  # stable still offers what it offered
    assert server.channels.releases["stable"].version == "4593.2.5"
    server.channels.set_group("careful", channel="stable", version="4593.2.4")
    assert updatecheck(server, CHECK.replace(b'track="stable"', b'track="careful"')) == "noupdate"
    old = CHECK.replace(b'track="stable"', b'track="careful"').replace(b'version="4593.2.4"', b'version="4593.2.3"')
    assert updatecheck(server, old) == "ok"


def test_a_board_is_offered_its_own_payload(server: FaultyServer, payload: Path) -> None:
    arm = CHECK.replace(b'board="amd64-usr"', b'board="arm64-usr"')
    assert updatecheck(server, arm) == "noupdate"
    server.publish("stable", version="4593.2.5", payload=payload, board="arm64-usr")
    answer = ask(server.url, "/v1/update/", method="POST", data=arm, host="x")
    assert ET.fromstring(answer.data).find(".//url").get("codebase") == "http://x/arm64-usr/4593.2.5/"
    assert ask(server.url, "/arm64-usr/4593.2.5/update.bin").data == PAYLOAD
    assert ask(server.url, "/stable/arm64-usr/current/version.txt").status == 200
    with pytest.raises(UsageError, match='"s390x-usr" is not a board'):
        server.publish("stable", version="4593.2.5", payload=payload, board="s390x-usr")


def test_a_group_that_nobody_made_is_an_error_as_on_nebraska(server: FaultyServer) -> None:
    typo = CHECK.replace(b'track="stable"', b'track="stabel"')
    assert updatecheck(server, typo) == "error-internal"
    assert server.machines[-1].group == "stabel"  # the trainer sees who has mistyped


def test_a_known_file_is_published_if_it_is_the_promised_one(
    server: FaultyServer, payload: Path, tmp_path: Path
) -> None:
    digests = {"sha256": hashlib.sha256(PAYLOAD).hexdigest(), "sha1": hashlib.sha1(PAYLOAD).hexdigest()}
    for wrong in ({"sha256": "ab" * 32}, {"sha1": "cd" * 20}):
        with pytest.raises(InputError, match="is not the file that was promised"):
            server.publish_known("/amd64-usr/1.2.3/u.gz", payload, size=len(PAYLOAD), **{**digests, **wrong})
    content = server.publish_known("/amd64-usr/1.2.3/u.gz", payload, size=len(PAYLOAD), **digests, also=["/u.gz"])
    assert content.sha256 == digests["sha256"]
    assert ask(server.url, "/u.gz").data == PAYLOAD
    release = server.publish_known_release("1.2.3", ["u.gz"])
    assert release.packages[0].sha256 == digests["sha256"]
    assert ask(server.url, "/amd64-usr/1.2.3/u.gz").data == PAYLOAD
    assert ask(server.url, "/amd64-usr/1.2.3/u.gz.sha256").text == f"{digests['sha256']}  u.gz\n"
    with pytest.raises(InputError, match="has 256000 bytes; expected 5"):
        server.publish_known("/other", payload, size=5, **digests)
    with pytest.raises(InputError, match="cannot be published"):
        server.publish_known("/other", tmp_path / "gone", size=5, **digests)
    with pytest.raises(UsageError, match=r"lacks oem-qemu\.gz"):
        server.publish_known_release("1.2.3", ["u.gz", "oem-qemu.gz"])


def test_what_cannot_be_published_is_refused(server: FaultyServer, payload: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.bin.* cannot be published"):
        server.publish("beta", version="1.0.0", payload=tmp_path / "gone.bin")
    with pytest.raises(UsageError, match=r'"../x" is not a version'):
        server.publish("beta", version="../x", payload=payload)
    with pytest.raises(UsageError, match="is not a file name"):
        server.publish("beta", version="1.0.0", payload=payload, name="a b")
    with pytest.raises(UsageError, match="is not the name of a channel"):
        server.publish("no channel", version="1.0.0", payload=payload)
    server.publish("beta", version="4593.2.5", payload=payload)  # the same bytes again are fine
    other = tmp_path / "other.bin"
    other.write_bytes(b"other")
    with pytest.raises(UsageError, match="is published already, with other bytes"):
        server.publish("beta", version="4593.2.5", payload=other, name="update.bin")


def test_a_file_that_changed_is_not_served(server: FaultyServer, payload: Path) -> None:
    payload.write_bytes(b"something else")
    answer = ask(server.url, PATH)
    assert answer.status == 404
    assert "has changed since it was published" in answer.text


def test_faults_are_committed_as_often_as_asked_for(payload: Path) -> None:
    with FaultyServer(Fault(path="update.bin", status=500), Fault(path="update.bin", truncate_after=1000)) as server:
        server.publish("stable", version="4593.2.5", payload=payload)
        assert ask(server.url, PATH).status == 500
        with pytest.raises(http.client.IncompleteRead) as caught:
            ask(server.url, PATH)
        assert caught.value.partial == PAYLOAD[:1000]
        assert ask(server.url, PATH, range="bytes=1000-").data == PAYLOAD[1000:]
        server.inject(Fault(path="update.bin", flip_byte=5000, times=0))
        for start in (0, 4990):
            wrong = ask(server.url, PATH, range=f"bytes={start}-").data
            assert [start + i for i, (a, b) in enumerate(zip(wrong, PAYLOAD[start:], strict=True)) if a != b] == [5000]
        assert ask(server.url, PATH, range="bytes=6000-").data == PAYLOAD[6000:]
        server.inject(Fault(path="/v1/update/", drop=True))
        with pytest.raises(http.client.RemoteDisconnected):
            ask(server.url, "/v1/update/", method="POST", data=CHECK)
        assert updatecheck(server) == "ok"
        assert server.requested.count(PATH) == 6


def test_many_clients_at_once_get_whole_files(server: FaultyServer) -> None:
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: ask(server.url, PATH).data, range(90)))
    assert {hashlib.sha256(data).digest() for data in answers} == {hashlib.sha256(PAYLOAD).digest()}


def test_a_file_goes_out_inside_the_kernel(server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte of a payload passes through this process: that is why thirty large downloads need no memory."""
    asked: list[int] = []
    real = os.sendfile

    def sendfile(out: int, source: int, offset: int, count: int) -> int:
        asked.append(count)
        return real(out, source, offset, count)

    monkeypatch.setattr(os, "sendfile", sendfile)
    monkeypatch.setattr(socket.socket, "_sendfile_use_send", lambda *_: pytest.fail("read in this process"))
    assert ask(server.url, PATH).data == PAYLOAD
    assert ask(server.url, PATH, range="bytes=7-1007").data == PAYLOAD[7:1008]
    assert [asked[0], asked[-1]] == [len(PAYLOAD), 1001]


def test_a_full_server_drops_who_idles_and_turns_others_away(
    payload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "_PATIENCE_SECONDS", 600)
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    with UpdateServer(limits=Limits(connections=1, downloads=1)) as server:
        server.publish_file("/big.bin", big)
        with socket.create_connection(("127.0.0.1", server.port), timeout=120) as idle:
            idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(12) == b"HTTP/1.1 200"
            with socket.create_connection(("127.0.0.1", server.port), timeout=120) as busy:
                busy.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
                assert busy.recv(12) == b"HTTP/1.1 200"
                assert busy.makefile("rb").read(4_000_000)
                with socket.create_connection(("127.0.0.1", server.port), timeout=120) as third:
                    third.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert third.recv(12) == b"HTTP/1.1 503"
            with suppress(ConnectionResetError):
                while idle.recv(65536):
                    pass  # to the end: the server hung up


def test_it_listens_on_loopback_alone_and_stops_cleanly(payload: Path) -> None:
    before = set(threading.enumerate())
    server = UpdateServer(port=find_free_port())  # which nobody is given while it is free
    with pytest.raises(UsageError, match="is not running"):
        _ = server.port
    with server:
        server.start()  # once more does nothing
        port = server.port
        assert server._running is not None
        assert server._running._listener.getsockname()[0] == "127.0.0.1"
        assert server.url == f"http://127.0.0.1:{port}"
        assert server.guest_url == f"http://10.0.2.2:{port}"
        idle = socket.create_connection(("127.0.0.1", port), timeout=120)
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
    with idle, suppress(ConnectionResetError):
        while idle.recv(65536):
            pass  # to the end: the server hung up
    server.stop()  # once more does nothing
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=120)
    with UpdateServer(port=port) as again:
        assert again.port == port


def test_stopping_does_not_wait_for_a_slow_client(server: FaultyServer, tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    server.publish("beta", version="1.0.0", payload=big)
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as slow:
        slow.sendall(b"GET /amd64-usr/1.0.0/big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(12) == b"HTTP/1.1 200"
        server.stop()
        assert server.open_connections == 0
        assert not [thread for thread in threading.enumerate() if "flatkit-update-server" in thread.name]


@pytest.mark.parametrize(("listen", "port"), [("127.0.0.1", None), ("192.0.2.1", 0), ("127.0.0.1", 70000)])
def test_an_address_that_cannot_be_had_is_named(server: FaultyServer, listen: str, port: int | None) -> None:
    with pytest.raises(HostError, match=f'cannot listen on "{listen}", port') as caught:
        UpdateServer(listen=listen, port=server.port if port is None else port).start()
    assert caught.value.hint


def test_other_addresses_when_told(server: FaultyServer) -> None:
    with UpdateServer(listen="0.0.0.0") as everywhere:
        assert everywhere.url.startswith("http://127.0.0.1:")
        assert ask(everywhere.url, "/").status == 200

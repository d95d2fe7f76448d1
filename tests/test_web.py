"""The HTTP client against a server on this host."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from flatkit import web
from flatkit.errors import FetchError, UsageError
from flatkit.packs.serve import find_own_address


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/hangup":
            self.close_connection = True
            return
        status = 404 if self.path == "/none" else 200
        body = {"/latin": "ä".encode("latin-1"), "/odd": "ä".encode()}.get(self.path, b"<h1>Hello</h1>")
        kind = {"/latin": "text/html; charset=latin-1", "/odd": "text/html; charset=klingon"}.get(
            self.path, "text/html"
        )
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_is_a_value(url: str) -> None:
    answer = web.get(url + "/")
    assert (answer.status, answer.text, answer.ok) == (200, "<h1>Hello</h1>", True)
    assert answer.headers["content-type"] == "text/html"


def test_a_status_is_an_answer(url: str) -> None:
    answer = web.get(url + "/none")
    assert (answer.status, answer.ok) == (404, False)


def test_letters_are_read_as_the_server_says(url: str) -> None:
    assert web.get(url + "/latin").text == "ä"
    assert web.get(url + "/odd").text == "ä"


def test_no_more_than_the_limit_is_read(url: str) -> None:
    assert web.get(url + "/", limit=4).text == "<h1>"


def test_a_proxy_is_not_asked_for_this_host(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert web.get(url + "/").ok


@pytest.mark.parametrize("host", ["127.0.0.2", "0.0.0.0", "own"])
def test_a_proxy_is_not_asked_for_another_address_of_this_host(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board may listen on the address of the room; the trainer's key does not go through the room's proxy."""

    class Here(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    host = (find_own_address() or "127.0.0.3") if host == "own" else host
    with http.server.HTTPServer(("0.0.0.0", 0), Here) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            assert web.post(
                f"http://{host}:{server.server_port}/desk/ask", b"{}", headers={"Authorization": "key x"}
            ).ok
            with pytest.raises(FetchError):
                web.post("http://192.0.2.7/", b"{}", headers={})
        finally:
            server.shutdown()


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(FetchError, match="nothing listens there"):
            web.get(f"http://127.0.0.1:{port}/")


def test_a_server_that_hangs_up(url: str) -> None:
    with pytest.raises(FetchError, match="hung up"):
        web.get(url + "/hangup")


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(FetchError, match="took too long"):
        web.get(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.2)


@pytest.mark.parametrize("text", ["file:///etc/passwd", "web.bu", "http://", "ftp://127.0.0.1/"])
def test_what_is_no_web_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected http"):
        web.get(text)

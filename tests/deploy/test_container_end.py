"""The end of a seat in a container: enabled below process 1 alone, bounded, and what goes wrong is in the server's log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from flatkit.cli import course
from flatkit.errors import WaitTimeout
from flatkit.run import Result
from flatkit.seats import container_end, seat


@pytest.mark.parametrize(("parent", "container", "enabled"), [(1, "oci", True), (1, "", False), (4711, "oci", False)])
def test_it_is_an_extension_of_a_containers_server_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: int, container: str, enabled: bool
) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr("os.getppid", lambda: parent)
    variables = {"JUPYTERHUB_API_TOKEN": "x", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    monkeypatch.setattr("os.environ", {**variables, "container": container})
    monkeypatch.setattr(seat, "become", became.append)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(course, "become", became.append)
    seat.start(["--port=1"], folder=tmp_path / "course")
    assert course.run(["course", "--folder", str(tmp_path / "course")]) is None
    assert any(container_end.EXTENSION in word for word in became[1]) is enabled
    (option,) = (word for word in became[0] if word.startswith("--ServerApp.jpserver_extensions="))
    assert (container_end.EXTENSION in option) is enabled
    assert "flatkit.seats.page_proxy" in option


@pytest.mark.parametrize(
    ("status", "said", "logged"),
    [(0, "", "they are off"), (1, '"web": it did not end\n', '"web": it did not end'), (None, "", "not within 50 s")],
)
def test_what_happened_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int | None, said: str, logged: str
) -> None:
    asked: list[float] = []

    def run(words: list[str], *, timeout: float, **_more: object) -> Result:
        assert words[-2:] == ["seat", "stop"]
        asked.append(timeout)
        if status is None:
            raise WaitTimeout("not within 50 s")
        return Result(argv=tuple(words), status=status, stdout="", stderr=said, seconds=1.0)

    monkeypatch.setattr(container_end, "run", run)
    container_end.switch_off(logging.getLogger("server"))
    assert asked == [container_end.SECONDS]
    assert logged in caplog.text


def test_the_server_calls_it_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    monkeypatch.setattr("atexit.register", lambda *words: called.append(words))

    class App:
        log = logging.getLogger("server")

    assert container_end._jupyter_server_extension_points() == [{"module": container_end.EXTENSION}]
    container_end._load_jupyter_server_extension(App)
    assert called == [(container_end.switch_off, App.log)]

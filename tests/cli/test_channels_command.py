"""`flatkit channels` on a file that a server keeps, `flatkit container`, and the plug of a machine that is not there."""

from __future__ import annotations

import json

import pytest

from flatkit.cli import main
from flatkit.updates.channels import Channels
from flatkit.updates.server import UpdateServer


@pytest.fixture
def book(tmp_path, monkeypatch):
    file = tmp_path / "book.json"
    monkeypatch.setenv("FLATKIT_ROOM_STATE", str(file))
    payload = tmp_path / "payload.bin"
    payload.write_bytes(b"x" * 100)
    server = UpdateServer(channels=Channels(store=file))
    server.publish("beta", version="120.1.0", payload=payload)
    return Channels(store=file)


def test_a_version_is_promoted(book, capsys):
    assert main(["channels", "promote", "beta", "--to", "stable"]) == 0
    assert "stable offers 120.1.0" in capsys.readouterr().out
    assert book.releases["stable"].version == "120.1.0"
    assert main(["channels"]) == 0
    assert "no machine has asked yet" in capsys.readouterr().out
    assert main(["channels", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["channels"] == {"beta": "120.1.0", "stable": "120.1.0"}


def test_a_channel_that_offers_nothing_cannot_be_promoted(book, capsys):
    assert main(["channels", "promote", "alpha", "--to", "stable"]) != 0
    assert '"alpha"' in capsys.readouterr().err


def test_a_page_that_is_not_there(tmp_path, capsys):
    assert main(["container", "build", str(tmp_path / "web.tar"), "--page", str(tmp_path / "none.html")]) == 1
    assert "none.html" in capsys.readouterr().err


def test_a_file_for_an_extension_that_is_not_there(tmp_path, capsys):
    assert main(["sysext", "build", "greet", "--file", f"/usr/bin/greet={tmp_path}/none"]) == 1
    assert "PATH=FILE" in capsys.readouterr().err

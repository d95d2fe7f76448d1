"""The certificate of a room: one that cannot be used is refused before the room begins; a real hub shows a usable one."""

from __future__ import annotations

import json
import os
import re
import shlex
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ed448, rsa
from cryptography.x509 import ObjectIdentifier

from flatkit.cli import seats as seats_command
from flatkit.errors import UsageError
from flatkit.seats import certificate, status, up
from flatkit.seats import settings as store
from tests.seats.certificates import NOW, make
from tests.seats.learner import TRAINER, room
from tests.seats.test_parts import settings


def test_a_good_certificate_says_its_names_and_its_end(tmp_path: Path) -> None:
    found = certificate.check(*make(tmp_path, "good"))
    assert (found.names, found.warning) == (("room.example", "127.0.0.1"), "")
    assert found.until == NOW - timedelta(hours=1) + timedelta(days=30)
    # The address that learners get is one that their browsers accept.
    assert found.host_for("192.0.2.7") == "room.example"
    assert found.host_for("127.0.0.1") == "127.0.0.1"
    wild = certificate.check(*make(tmp_path, "wild", names=("*.room.example",)))
    assert wild.host_for("192.0.2.7") == "192.0.2.7"


def test_what_browsers_will_say_is_said_first(tmp_path: Path) -> None:
    assert "has no names" in certificate.check(*make(tmp_path, "nameless", names=())).warning
    assert "expires at" in certificate.check(*make(tmp_path, "soon", days=1)).warning


def _expired(folder: Path) -> tuple[Path, Path]:
    return make(folder, "old", begin=NOW - timedelta(days=40))


def _early(folder: Path) -> tuple[Path, Path]:
    return make(folder, "early", begin=NOW + timedelta(days=2))


def _mismatched(folder: Path) -> tuple[Path, Path]:
    return make(folder, "one")[0], make(folder, "two")[1]


def _swapped(folder: Path) -> tuple[Path, Path]:
    one, key = make(folder, "good")
    return key, one


def _two_certificates(folder: Path) -> tuple[Path, Path]:
    one, _ = make(folder, "good")
    return one, one


def _encrypted(folder: Path) -> tuple[Path, Path]:
    return make(folder, "locked", password=b"secret")


def _missing(folder: Path) -> tuple[Path, Path]:
    return folder / "nowhere.pem", make(folder, "good")[1]


def _is_folder(folder: Path) -> tuple[Path, Path]:
    return make(folder, "good")[0], folder


def _binary(folder: Path) -> tuple[Path, Path]:
    one, key = make(folder, "good")
    one.write_bytes(bytes(range(256)))
    return one, key


def _torn(folder: Path) -> tuple[Path, Path]:
    one, key = make(folder, "good")
    one.write_bytes(one.read_bytes()[:200])
    return one, key


@pytest.mark.parametrize(
    ("made", "said", "next_step"),
    [
        (_expired, r"has expired at 2\d\d\d-", "certbot renew"),
        (_early, r"is valid from .* on, and this host says", "timedatectl"),
        (_mismatched, "two.key\" is not the one of this certificate", "openssl x509"),
        (_swapped, "good.key\" is not a certificate", "openssl x509"),
        (_two_certificates, "good.pem\" is not a private key", "--tls CERT KEY"),
        (_encrypted, "locked.key\" is encrypted", "openssl pkey"),
        (_missing, "cannot be read: No such file", ""),
        (_is_folder, "cannot be read: not a regular file, but a folder", ""),
        (_binary, "is not a certificate; expected a PEM file", "openssl x509"),
        (_torn, "is not a certificate; expected a PEM file", "openssl x509"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_words(
    made: Callable[[Path], tuple[Path, Path]], said: str, next_step: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        certificate.check(*made(tmp_path))
    assert re.search(said, caught.value.message), caught.value.message
    assert next_step in caught.value.hint


def _fifo(folder: Path) -> tuple[Path, Path]:
    """Such as <(cat cert.pem): nothing is in it when the proxy reads it, also when it starts again."""
    os.mkfifo(folder / "pipe.pem")
    return folder / "pipe.pem", make(folder, "good")[1]


def _fifo_key(folder: Path) -> tuple[Path, Path]:
    os.mkfifo(folder / "pipe.key", 0o600)
    return make(folder, "good")[0], folder / "pipe.key"


def _device(folder: Path) -> tuple[Path, Path]:
    return Path("/dev/zero"), make(folder, "good")[1]


def _huge(folder: Path) -> tuple[Path, Path]:
    one, key = make(folder, "good")
    os.truncate(one, 1 << 33)
    return one, key


def _changed(old: bytes, new: bytes, **more: Any) -> Callable[[Path], tuple[Path, Path]]:
    """Return a maker of a certificate with other bytes of the same length in it, so that its signature is wrong as well."""

    def made(folder: Path) -> tuple[Path, Path]:
        one, key = make(folder, "odd", **more)
        der = ssl.PEM_cert_to_DER_cert(one.read_text())
        assert der.count(old) == 1
        one.write_text(ssl.DER_cert_to_PEM_cert(der.replace(old, new)))
        return one, key

    return made


_CURVE, _EC = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"


def _dsa(folder: Path) -> tuple[Path, Path]:
    return make(folder, "dsa", key=dsa.generate_private_key(1024))


def _ed448(folder: Path) -> tuple[Path, Path]:
    return make(folder, "ed448", key=ed448.Ed448PrivateKey.generate())


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (_fifo, "cannot be read: not a regular file, but a FIFO"),
        (_fifo_key, "cannot be read: not a regular file, but a FIFO"),
        (_device, "cannot be read: not a regular file, but a device"),
        (_huge, "cannot be read: larger than"),
        (_changed(_CURVE, _CURVE[:-1] + b"\x63"), "has a key that the proxy does not support"),
        (_changed(_EC, _EC[:-1] + b"\x63"), "has a key that the proxy does not support"),
        (_dsa, "has a key that the proxy does not support"),
        (_ed448, "has a key that the proxy does not support"),
    ],
)
def test_a_hostile_certificate_is_refused_in_words(
    made: Callable[[Path], tuple[Path, Path]], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        certificate.check(*made(tmp_path))


@pytest.mark.parametrize(
    "names",
    [
        b"\x30\x05\xa3\x03\x02\x01\x01",  # of a kind that nothing supports
        b"\x30\x05\x87\x03\x01\x02\x03",  # an address of three bytes
        b"\x30\x03\x82\x01\xff",
    ],
)
def test_names_that_cannot_be_read_are_no_names(names: bytes, tmp_path: Path) -> None:
    assert "has no names" in certificate.check(*make(tmp_path, "odd", names=(), raw_names=names)).warning


def test_an_extension_that_is_there_twice_costs_the_names(tmp_path: Path) -> None:
    others = (ObjectIdentifier("2.5.29.98"), ObjectIdentifier("2.5.29.99"))
    made = _changed(b"\x55\x1d\x63", b"\x55\x1d\x62", others=others)
    assert "has no names" in certificate.check(*made(tmp_path)).warning


def test_a_name_with_control_characters_is_escaped(tmp_path: Path) -> None:
    found = certificate.check(*make(tmp_path, "odd", names=(), raw_names=b"\x30\x0a\x82\x08\x1b]0;x\x07/a"))
    assert found.host_for("192.0.2.7").isprintable()


@pytest.mark.parametrize("body", ["abc", "!!!", "YQ==", "", "\x1b"])
def test_a_file_that_was_damaged_later_is_no_certificate(body: str, tmp_path: Path) -> None:
    pem = tmp_path / "late.pem"
    pem.write_text(f"{ssl.PEM_HEADER}\n{body}\n{ssl.PEM_FOOTER}\n")
    assert len(certificate.stored(pem)) <= 1
    pem.unlink()
    os.mkfifo(pem)
    with pytest.raises(OSError, match="a FIFO"):
        certificate.stored(pem)


def test_the_next_command_has_a_name_with_spaces_in_quotes(tmp_path: Path) -> None:
    folder = tmp_path / "my room's; id"
    folder.mkdir()
    weak = make(folder, "weak", key=rsa.generate_private_key(65537, 1024))
    with pytest.raises(UsageError) as caught:
        certificate.check(*weak)
    assert shlex.split(caught.value.hint)[-1] == str(weak[0])


def test_a_key_that_seats_can_read_is_refused_but_not_one_in_a_closed_folder() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        one, key = make(folder, "good")
        key.chmod(0o644)
        assert certificate.check(one, key).warning == "", "its folder is for its owner alone, as certbot's is"
        folder.chmod(0o711)
        link = folder / "link.key"
        link.symlink_to(key)
        for path in (key, link):
            with pytest.raises(UsageError, match="every account of this host may read the key") as caught:
                certificate.check(one, path)
            assert caught.value.hint.startswith("chmod o= ")
        key.chmod(0o640)
        assert certificate.check(one, link).warning == ""


def test_learners_log_in_over_https(tmp_path: Path) -> None:
    pem, key = make(tmp_path, "good")
    with room(seats=2, certificate=str(pem), key=str(key)) as running:
        assert running.settings.url.startswith("https://127.0.0.1:")
        ada = running.learner()
        status, page = ada.log_in("ada")
        assert (status, "Take a seat" in page) == (200, False), page
        cookies = {one.name: one.secure for one in ada.cookies if one.name != "_xsrf"}
        assert cookies, "the browser has the session's cookies"
        assert all(cookies.values()), cookies
        assert running.learner().log_in("trainer", room="", pin=TRAINER)[0] == 200
        assert up.shows_certificate(running.settings)
        # A certificate that is renewed on the disk is not shown yet: `flatkit seats status` says so.
        pem.write_bytes(make(tmp_path, "newer")[0].read_bytes())
        assert not up.shows_certificate(running.settings)
        assert up.is_served(running.settings)


def test_the_status_sees_what_became_of_certificate_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The proxy keeps both in memory: the room answers until it starts again, and then nobody comes in."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    pem, key = make(tmp_path, "good")
    made = replace(settings(tmp_path / "seats"), certificate=str(pem), key=str(key), prefix="seat-none-")
    store.save(made)
    for name, value in (("is_served", True), ("shows_certificate", True)):
        monkeypatch.setattr(up, name, lambda _room, value=value: value)
    monkeypatch.setattr(status, "is_served", lambda _room: True)
    assert seats_command.run(["seats", "status"]) == 0
    assert "Encryption" not in capsys.readouterr().out

    def said() -> str:
        assert seats_command.run(["seats", "status", "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["tls"]
        assert seats_command.run(["seats", "status"]) == 1
        return str(capsys.readouterr().out)

    aside = key.rename(tmp_path / "aside")
    assert f'Encryption: "{key}" cannot be read: No such file' in said()
    make(tmp_path, "good")
    key.write_bytes(aside.read_bytes())
    assert "is not the one of this certificate" in said()
    make(tmp_path, "good", begin=NOW - timedelta(days=9), days=8)
    assert "has expired at" in (text := said())
    assert "Next: certbot renew" in text
    make(tmp_path, "good", days=1)
    assert seats_command.run(["seats", "status"]) == 0
    assert "Encryption: the certificate expires at" in capsys.readouterr().out

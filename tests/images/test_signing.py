"""Whose signature counts: real keys made by gpg, the pinned fingerprint put on one of them."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flatkit.errors import ImageError, InputError, MissingDependency
from flatkit.images import signing
from flatkit.images.openpgp import Certificate
from flatkit.images.signing import AlteredFile, Trust, UnknownKey, UnusableKey, find_trust, load_key
from flatkit.testing.signing import SigningKey


@pytest.fixture
def pinned(signing_key, monkeypatch):
    """The test's key is Flatcar's for this test."""
    monkeypatch.delenv("FLATKIT_SIGNING_KEY", raising=False)
    monkeypatch.setattr(signing, "FLATCAR_PRIMARY", signing_key.primary)
    return signing_key


def check(key: SigningKey, tmp_path, *, data=b"data", changed=None, at="", public=None):
    file = tmp_path / "file"
    file.write_bytes(data)
    seal = key.sign(file, at=at)
    file.write_bytes(data if changed is None else changed)
    keyring = load_key(public or key.public(), find_trust())
    by_bytes = keyring.verify(seal, file.read_bytes(), name="file")
    assert keyring.verify(seal, file, name="file") == by_bytes
    return by_bytes


def test_the_pinned_fingerprint_is_flatcars():
    # Published on Flatcar's page "Image signing key".
    assert signing.FLATCAR_PRIMARY == "F88CFEDEFF29A5B4D9523864E25D9AED0593B34A"


def test_a_good_signature(pinned, tmp_path):
    found = check(pinned, tmp_path)
    assert (found.primary, found.subkey, found.note) == (pinned.primary, pinned.subkey, "")
    assert not find_trust().is_replaced


def test_a_changed_byte(pinned, tmp_path):
    with pytest.raises(ImageError, match="belongs to other bytes"):
        check(pinned, tmp_path, changed=b"dbta")


def test_another_key_than_the_pinned_one(pinned, tmp_path):
    with SigningKey(name="Mallory <m@flatkit.invalid>") as mallory:
        with pytest.raises(ImageError, match="not Flatcar's: its fingerprint is"):
            check(mallory, tmp_path)
        for both in (pinned.public() + mallory.public(), mallory.public() + pinned.public()):
            with pytest.raises(UnusableKey, match="not one OpenPGP public key alone"):
                check(mallory, tmp_path, public=both)
        with pytest.raises(UnknownKey, match="not known here"):
            check(mallory, tmp_path, public=pinned.public())


def test_a_file_that_is_no_key(pinned):
    with pytest.raises(ImageError, match="not one OpenPGP public key"):
        load_key(b"<html>", find_trust())


def test_a_file_that_is_no_signature(pinned):
    with pytest.raises(ImageError, match="no signature at all"):
        load_key(pinned.public(), find_trust()).verify(b"nothing of the kind", b"x", name="x")


def test_a_file_that_is_not_there(pinned, tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(ImageError, match="not trusted"):
        load_key(pinned.public(), find_trust()).verify(pinned.sign(tmp_path / "x"), tmp_path / "y", name="y")


@pytest.mark.parametrize("kind", ["rsa2048", "rsa4096"])
def test_flatcars_own_algorithm(tmp_path, monkeypatch, kind):
    with SigningKey(kind=kind) as key:
        monkeypatch.setattr(signing, "FLATCAR_PRIMARY", key.primary)
        assert check(key, tmp_path).subkey == key.subkey
        with pytest.raises(AlteredFile):
            check(key, tmp_path, changed=b"dbta")


def test_a_short_rsa_key_proves_nothing(tmp_path, monkeypatch):
    with SigningKey(kind="rsa1024") as key:
        monkeypatch.setattr(signing, "FLATCAR_PRIMARY", key.primary)
        with pytest.raises(ImageError, match="not to this key"):
            check(key, tmp_path)


def test_a_subkey_that_expired_since_counts_for_what_it_signed_then(tmp_path, monkeypatch):
    with SigningKey(at="20230307", expires="2y") as key:
        monkeypatch.setattr(signing, "FLATCAR_PRIMARY", key.primary)
        found = check(key, tmp_path, at="20240513")
    assert found.note.startswith("signed on 2024-05-13 by a subkey that has expired since")


def test_the_date_of_a_signature_decides_about_an_expired_subkey(tmp_path, monkeypatch):
    with SigningKey(at="20230307", expires="2y") as key:
        monkeypatch.setattr(signing, "FLATCAR_PRIMARY", key.primary)
        (tmp_path / "file").write_bytes(b"data")
        seal, public = key.sign(tmp_path / "file", at="20240513"), key.public()
        certificate = Certificate.read(public)
        (one,) = signing.read_signatures(seal)
        subkey = certificate.find_key(one)
        assert subkey.fingerprint.upper() == key.subkey
        binding = certificate.find_binding(subkey)
        end = datetime(2023, 3, 7, 12, tzinfo=UTC) + timedelta(days=2 * 365)
        assert signing.find_end(subkey, binding) == end  # 2025-03-06
        # The same key with its end moved: behind the signature, onto it, before it.
        key.set_end("20240514", at="20230308")
        assert load_key(key.public(), find_trust()).verify(seal, b"data", name="file").note
        for end, at in (("20240513", "20230309"), ("20240512", "20230310")):
            key.set_end(end, at=at)
            # A newer copy of the key may say that it counts longer.
            with pytest.raises(UnknownKey, match="signed on 2024-05-13, after its key had expired"):
                load_key(key.public(), find_trust()).verify(seal, b"data", name="file")


def test_a_revoked_subkey(tmp_path, monkeypatch):
    with SigningKey() as key:
        monkeypatch.setattr(signing, "FLATCAR_PRIMARY", key.primary)
        check(key, tmp_path)
        seal = key.sign(tmp_path / "file")
        key.revoke(key.subkey)
        keyring = load_key(key.public(), find_trust())
        with pytest.raises(ImageError, match="revoked"):
            keyring.verify(seal, b"data", name="file")


def test_a_given_key_replaces_the_pinned_one_and_says_so(signing_key, tmp_path, monkeypatch):
    file = tmp_path / "key.asc"
    file.write_bytes(signing_key.public())
    monkeypatch.setenv("FLATKIT_SIGNING_KEY", str(file))
    assert check(signing_key, tmp_path).primary == signing_key.primary
    trust = find_trust()
    assert trust.is_replaced
    assert "FLATKIT_SIGNING_KEY" in trust.words
    assert "not for Flatcar's" in trust.words
    assert trust.identity != Trust().identity


def test_a_given_key_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("FLATKIT_SIGNING_KEY", str(tmp_path / "none.asc"))
    with pytest.raises(InputError, match="cannot be read") as caught:
        _ = find_trust().identity
    assert "unset FLATKIT_SIGNING_KEY" in caught.value.hint


def test_a_given_key_in_the_home_of_nobody(monkeypatch):
    monkeypatch.setenv("FLATKIT_SIGNING_KEY", "~no-such-user/key.asc")
    with pytest.raises(InputError, match=r"~no-such-user/key.asc. cannot be read"):
        find_trust().read_key()


@pytest.mark.parametrize("kind", ["fifo", "folder", "large"])
def test_a_given_key_that_is_no_file_to_read(tmp_path, monkeypatch, kind):
    path = tmp_path / "key.asc"
    {"fifo": os.mkfifo, "folder": Path.mkdir, "large": lambda at: at.write_bytes(b"x" * 300_000)}[kind](path)
    monkeypatch.setenv("FLATKIT_SIGNING_KEY", str(path))
    with pytest.raises(InputError, match="cannot be read"):
        find_trust().read_key()


def test_a_given_key_is_one_key_too(signing_key, tmp_path, monkeypatch):
    monkeypatch.setenv("FLATKIT_SIGNING_KEY", str(tmp_path / "key.asc"))
    with SigningKey(name="Mallory <m@flatkit.invalid>") as mallory, pytest.raises(UnusableKey, match="alone"):
        load_key(signing_key.public() + mallory.public(), find_trust())


def test_no_program_is_needed(pinned, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"data")
    key, seal = pinned.public(), pinned.sign(tmp_path / "file")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert load_key(key, find_trust()).verify(seal, b"data", name="file").primary == pinned.primary


def test_without_sequoia_nothing_is_trusted_and_the_install_line_is_named(pinned, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"data")
    key, seal = pinned.public(), pinned.sign(tmp_path / "file")
    keyring = load_key(key, find_trust())
    monkeypatch.setitem(sys.modules, "pysequoia", None)
    monkeypatch.setitem(sys.modules, "pysequoia.packet", None)
    for attempt in (lambda: load_key(key, find_trust()), lambda: keyring.verify(seal, b"data", name="file")):
        with pytest.raises(MissingDependency, match="Sequoia") as caught:
            attempt()
        assert "pip install pysequoia" in caught.value.hint


def test_a_signature_of_the_future_tells_of_the_clock(pinned, tmp_path):
    (tmp_path / "file").write_bytes(b"data")
    seal = pinned.sign(tmp_path / "file", at=f"{datetime.now(UTC) + timedelta(days=400):%Y%m%d}")
    with pytest.raises(ImageError, match=r"it was signed on .*, and this computer's clock says"):
        load_key(pinned.public(), find_trust()).verify(seal, b"data", name="file")

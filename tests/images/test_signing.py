"""Whose signature counts: real keys made by gpg, the pinned fingerprint put on one of them."""

from __future__ import annotations

import pytest

from flatkit.errors import ImageError, InputError, MissingDependency
from flatkit.images import signing
from flatkit.images.signing import StatusOfSignature, Trust, UnknownKey, find_trust, open_keyring, parse_status
from flatkit.testing.signing import SigningKey


@pytest.fixture
def pinned(signing_key, monkeypatch):
    """The test's key is Flatcar's for this test."""
    monkeypatch.delenv("FLATKIT_SIGNING_KEY", raising=False)
    monkeypatch.setattr(signing, "FLATCAR_PRIMARY", signing_key.primary)
    return signing_key


def check(key: SigningKey, tmp_path, *, data=b"data", changed=None, at="", public=None):
    file, seal = tmp_path / "file", tmp_path / "file.sig"
    file.write_bytes(data)
    seal.write_bytes(key.sign(file, at=at))
    file.write_bytes(data if changed is None else changed)
    with open_keyring(public or key.public(), find_trust()) as keyring:
        return keyring.verify(seal, file)


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
        # Both keys in one file: the ring then knows the signer, who still is not the pinned one.
        with pytest.raises(ImageError, match="signed by another key") as caught:
            check(mallory, tmp_path, public=pinned.public() + mallory.public())
        assert mallory.primary in caught.value.message
        with pytest.raises(UnknownKey, match="not known here"):
            check(mallory, tmp_path, public=pinned.public())


def test_a_file_that_is_no_key(pinned):
    with pytest.raises(ImageError, match="no OpenPGP public key"), open_keyring(b"<html>", find_trust()):
        pass


def test_a_file_that_is_no_signature(pinned, tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "x.sig").write_bytes(b"nothing of the kind")
    with open_keyring(pinned.public(), find_trust()) as keyring, pytest.raises(ImageError, match="no signature at all"):
        keyring.verify(tmp_path / "x.sig", tmp_path / "x")


def test_a_subkey_that_expired_since_counts_for_what_it_signed_then(tmp_path, monkeypatch):
    with SigningKey(at="20230307", expires="2y") as key:
        monkeypatch.setattr(signing, "FLATCAR_PRIMARY", key.primary)
        found = check(key, tmp_path, at="20240513")
    assert found.note.startswith("signed on 2024-05-13 by a subkey that has expired since")


def test_the_date_of_a_signature_decides_about_an_expired_subkey():
    status = (
        "[GNUPG:] NEWSIG\n[GNUPG:] EXPKEYSIG 85F7C8868837E271 Flatcar Buildbot\n"
        "[GNUPG:] VALIDSIG E9426D8B67E35DF476BD048185F7C8868837E271 2025-05-01 1746057600 0 4 0 1 10 00 "
        "F88CFEDEFF29A5B4D9523864E25D9AED0593B34A\n"
    )
    (found,) = parse_status(status)
    assert found == StatusOfSignature(
        verdict="EXPKEYSIG", key="85F7C8868837E271", subkey="E9426D8B67E35DF476BD048185F7C8868837E271",
        primary="F88CFEDEFF29A5B4D9523864E25D9AED0593B34A", made=1746057600,
    )  # fmt: skip
    assert found.fault(frozenset({"F88CFEDEFF29A5B4D9523864E25D9AED0593B34A"})) == ""
    expiry = 1741219200  # 2025-03-06
    assert "after its key had expired" in signing.say_too_late(found, expiry)
    assert signing.say_too_late(found, 1746057601) == ""
    assert "its key has expired" in signing.say_too_late(found, None)


def test_a_revoked_subkey(tmp_path, monkeypatch):
    with SigningKey() as key:
        monkeypatch.setattr(signing, "FLATCAR_PRIMARY", key.primary)
        check(key, tmp_path)
        seal = (tmp_path / "file.sig").read_bytes()
        key.revoke(key.subkey)
        with open_keyring(key.public(), find_trust()) as keyring:
            (tmp_path / "file.sig").write_bytes(seal)
            with pytest.raises(ImageError, match="revoked"):
                keyring.verify(tmp_path / "file.sig", tmp_path / "file")


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


def test_without_gpg(monkeypatch):
    monkeypatch.setattr(signing, "_GPG", ("no-such-gpg",))
    with pytest.raises(MissingDependency, match="gpg"), open_keyring(b"x", find_trust()):
        pass

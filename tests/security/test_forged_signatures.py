"""Forged keys and signatures: what an attacker who chooses each byte of a key file or signature file can try."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from forging import (
    BACK,
    BIND,
    CERTIFY,
    CRITICAL,
    EPOCH,
    EXPIRES,
    FINGERPRINT,
    FLAGS,
    KEY_EXPIRES,
    MADE,
    POLICY,
    REVOKE_SUBKEY,
    SHA1,
    SHA256,
    SHA384,
    TEXT,
    Key,
    armor,
    notation,
    number,
    packet,
    subpacket,
)  # fmt: skip

from flatkit.errors import ImageError
from flatkit.images import keyring, signing
from flatkit.images.keyring import KeyFinder
from flatkit.images.mirrors import KEY_FILE, Source, Timeouts
from flatkit.images.releases import Channel
from flatkit.images.signing import AlteredFile, Trust, UnknownKey, UnusableKey, load_key
from flatkit.images.store import flatcar_dir

LINE_ENDS = ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\r", "\n"]
DATA = b"# SHA512 HASH\n"
OWNER, SUBKEY, MALLORY = Key(seed=1), Key(seed=2), Key(seed=3)
GOOD = OWNER.public(OWNER.bind(SUBKEY))


def status(kind: str, end: str) -> str:
    """A line as GnuPG reports a good signature, behind what some programs take for the end of a line."""
    return {
        "valid": f"x{end}[GNUPG:] VALIDSIG {SUBKEY.fingerprint} 2023-11-14 {EPOCH} 0 4 0 22 10 00 {OWNER.fingerprint}",
        "good": f"x{end}[GNUPG:] GOODSIG {OWNER.fingerprint[-16:]} Flatcar Buildbot",
    }[kind]


@pytest.fixture(autouse=True)
def pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FLATKIT_SIGNING_KEY", raising=False)
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(signing, "FLATCAR_PRIMARY", OWNER.fingerprint)
    monkeypatch.setattr(keyring, "OFFICIAL", Source(name="nobody", base=str(tmp_path / "nothing/{channel}")))


def verify(signature: bytes, *, key: bytes = GOOD, data: bytes = DATA) -> signing.Signature:
    return load_key(key, Trust()).verify(signature, data, name="file")


def test_a_good_key_and_signature_armored_or_not() -> None:
    seal = packet(2, SUBKEY.sign(DATA))
    for key in (GOOD, armor(GOOD), armor(GOOD).replace(b"\n", b"\r\n")):
        for signature in (seal, armor(seal, "SIGNATURE")):
            found = verify(signature, key=key)
            assert (found.primary, found.subkey, found.note) == (OWNER.fingerprint, SUBKEY.fingerprint, "")
    assert verify(packet(2, OWNER.sign(DATA))).subkey == OWNER.fingerprint


@pytest.mark.parametrize("end", LINE_ENDS)
@pytest.mark.parametrize("kind", ["valid", "good"])
def test_a_second_key_is_refused_whatever_its_user_id_says(end: str, kind: str, tmp_path: Path) -> None:
    hostile = MALLORY.public(name=status(kind, end).encode())
    seal = packet(2, MALLORY.sign(DATA))
    for both in (GOOD + hostile, hostile + GOOD):
        with pytest.raises(UnusableKey, match="2 primary keys"):
            verify(seal, key=both)
    with pytest.raises(ImageError, match="not Flatcar's"):
        verify(seal, key=hostile)
    folder = tmp_path / "mirror/stable"
    folder.mkdir(parents=True)
    (folder / KEY_FILE).write_bytes(GOOD + hostile)
    finder = KeyFinder(channel=Channel.STABLE, sources=[Source(name="mirror", base=str(tmp_path / "mirror/{channel}"))])
    for signature in (seal, packet(2, SUBKEY.sign(DATA))):
        with pytest.raises(UnusableKey, match="2 primary keys"):
            finder.check(signature, DATA, name="file")
    assert not (flatcar_dir() / "stable" / KEY_FILE).exists()


@pytest.mark.parametrize("end", LINE_ENDS)
def test_no_user_id_decides_whoever_certified_it(end: str) -> None:
    name = status("valid", end).encode()
    for extra in (packet(13, name), OWNER.certify(name, signer=MALLORY), OWNER.certify(name)):
        with pytest.raises(UnknownKey) as caught:
            verify(packet(2, MALLORY.sign(DATA)), key=GOOD + extra)
        assert "VALIDSIG" not in f"{caught.value}{caught.value.details}"
        assert verify(packet(2, SUBKEY.sign(DATA)), key=GOOD + extra).subkey == SUBKEY.fingerprint


FOREIGN_SUBKEYS = {
    "no binding": packet(14, MALLORY.body),
    "own binding": MALLORY.bind(MALLORY),
    "forged binding": packet(14, MALLORY.body)
    + packet(2, MALLORY.sign(OWNER.hashed + MALLORY.hashed, kind=BIND, claim=OWNER.fingerprint)),
    "binding of another subkey": packet(14, MALLORY.body) + OWNER.bind(SUBKEY)[len(packet(14, SUBKEY.body)) :],
}


@pytest.mark.parametrize("extra", FOREIGN_SUBKEYS)
def test_a_subkey_that_the_owner_has_not_bound_signs_nothing(extra: str) -> None:
    key = GOOD + FOREIGN_SUBKEYS[extra]
    for claim in ("", SUBKEY.fingerprint, OWNER.fingerprint):
        with pytest.raises(ImageError, match="not to this key"):
            verify(packet(2, MALLORY.sign(DATA, claim=claim)), key=key)
    assert verify(packet(2, SUBKEY.sign(DATA)), key=key).subkey == SUBKEY.fingerprint


# One with the secret part of OWNER, unencrypted (RFC 9580, 5.5.3).
RAW = OWNER.private.private_bytes_raw()
SECRET = packet(5, OWNER.body + b"\0" + number(RAW) + (sum(number(RAW)) % 65536).to_bytes(2))


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (b"", "not one OpenPGP public key"),
        (b"<html>", "not one OpenPGP public key"),
        (GOOD[:-5], "Truncated packet"),
        (GOOD + b"\n", "Truncated packet"),
        (GOOD + packet(10, b"PGP"), r"Tag\.Marker"),
        (GOOD + packet(11, b"b\0\0\0\0\0text"), r"Tag\.Literal"),
        (GOOD + packet(12, b"x"), r"Tag\.Trust"),
        (GOOD + packet(5, MALLORY.body), "secret"),
        (SECRET, "secret"),
        (GOOD + packet(7, SUBKEY.body), "secret"),
        (packet(2, OWNER.sign(DATA)) + GOOD, "does not begin"),
        (packet(6, b"\x03" + OWNER.body[1:]), "not one OpenPGP public key alone"),
        (packet(8, b"\0" + GOOD), "does not begin"),
        (packet(60, b"x") + GOOD, "not one OpenPGP public key alone"),
        (GOOD + packet(60, b"x"), r"(None)"),
        (GOOD + packet(30, b"x"), r"(None|Tag)"),
        (GOOD + packet(8, b"\0" + MALLORY.public()), "2 primary keys"),
        (GOOD + packet(8, b"\0" + packet(13, b"x")), r"Tag\.CompressedData"),
        (armor(GOOD) + armor(MALLORY.public()), "and nothing else"),
        (b"[GNUPG:] GOODSIG\n" + armor(GOOD), "and nothing else"),
        (armor(GOOD) + b"more\n", "and nothing else"),
        (armor(GOOD, "PRIVATE KEY BLOCK"), "and nothing else"),
        (armor(GOOD).replace(b"\n\n", b"\nVersion: x\nwithout a colon\n\n"), "and nothing else"),
        (GOOD + OWNER.certify(b"x" * 300_000), "expected at most"),
        (GOOD + packet(2, b"") * 1001, "at most 1000"),
    ],
    ids=range(25),
)  # fmt: skip
def test_a_key_file_with_anything_besides_the_key_is_refused(key: bytes, why: str) -> None:
    with pytest.raises(UnusableKey, match=why):
        load_key(key, Trust())
    with pytest.raises(UnusableKey, match=r'in "a\\x1bplace"'):
        load_key(key, Trust(), origin="a\x1bplace")


def test_a_subkey_that_does_not_agree_signs_nothing() -> None:
    for parts, why in (
        (OWNER.bind(SUBKEY, agrees=False), "not to this key"),
        (OWNER.bind(SUBKEY, back=MALLORY), "not to this key"),
        (OWNER.bind(SUBKEY, flags=0x0C), "not one that signs files"),
    ):
        with pytest.raises(ImageError, match=why):
            verify(packet(2, SUBKEY.sign(DATA)), key=OWNER.public(parts))
    with pytest.raises(ImageError, match="not one that signs files"):  # a primary key that only certifies
        verify(packet(2, OWNER.sign(DATA)), key=packet(6, OWNER.body) + OWNER.certify(b"x", flags=1))


def test_a_revoked_subkey_and_one_that_ended() -> None:
    seal = packet(2, SUBKEY.sign(DATA))
    revoked = packet(2, OWNER.sign(OWNER.hashed + SUBKEY.hashed, kind=REVOKE_SUBKEY))
    with pytest.raises(ImageError, match="revoked"):
        verify(seal, key=GOOD + revoked)
    foreign = packet(2, MALLORY.sign(OWNER.hashed + SUBKEY.hashed, kind=REVOKE_SUBKEY, claim=OWNER.fingerprint))
    assert verify(seal, key=GOOD + foreign).primary == OWNER.fingerprint
    ended = OWNER.public(OWNER.bind(SUBKEY, expires=5000))
    assert verify(seal, key=ended).note.startswith("signed on 2023-11-14 by a subkey that has expired since")
    with pytest.raises(UnknownKey, match="after its key had expired"):
        verify(packet(2, SUBKEY.sign(DATA, at=EPOCH + 5001)), key=ended)
    with pytest.raises(UnknownKey, match="after its key had expired"):
        verify(packet(2, SUBKEY.sign(DATA, at=EPOCH + 5000)), key=ended)
    assert verify(packet(2, SUBKEY.sign(DATA, at=EPOCH + 4999)), key=ended).note
    with pytest.raises(ImageError, match="before its key was made"):
        verify(packet(2, SUBKEY.sign(DATA, at=EPOCH - 1)))
    with pytest.raises(ImageError, match="the signature has expired"):
        verify(packet(2, SUBKEY.sign(DATA, (EXPIRES, (60).to_bytes(4)))))


@pytest.mark.parametrize("end", LINE_ENDS)
def test_what_a_signature_says_besides_proves_nothing(end: str) -> None:
    line = status("valid", end).encode()
    besides = (notation(b"x@flatkit.invalid", line), (POLICY, line))
    for forged in (
        MALLORY.sign(DATA, *besides, claim=OWNER.fingerprint),
        MALLORY.sign(DATA, *besides, claim=SUBKEY.fingerprint),
    ):
        with pytest.raises(AlteredFile, match="other bytes"):
            verify(packet(2, forged))
    with pytest.raises(UnknownKey) as caught:
        verify(packet(2, MALLORY.sign(DATA, *besides)))
    assert "VALIDSIG" not in str(caught.value)
    assert verify(packet(2, SUBKEY.sign(DATA, *besides))).subkey == SUBKEY.fingerprint


def test_several_signatures_in_one_file() -> None:
    good, bad, foreign = SUBKEY.sign(DATA), SUBKEY.sign(b"other"), MALLORY.sign(DATA)
    for order in ((foreign, good), (bad, good), (good, bad), (foreign, bad, good)):
        found = verify(b"".join(packet(2, one) for one in order))
        assert (found.primary, found.subkey) == (OWNER.fingerprint, SUBKEY.fingerprint)
    with pytest.raises(ImageError, match=r"not known here.*other bytes"):
        verify(packet(2, foreign) + packet(2, bad))
    with pytest.raises(ImageError, match="something else"):
        verify(packet(2, foreign) * 9)


CLEARSIGNED = (
    b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + DATA + armor(packet(2, SUBKEY.sign(DATA)), "SIGNATURE")
)


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (b"", "no signature at all"),
        (b"good", "no signature at all"),
        (CLEARSIGNED, "no signature at all"),
        (packet(11, b"b\0\0\0\0\0" + DATA) + packet(2, SUBKEY.sign(DATA)), "something else"),
        (packet(4, b"\3\0\x0a\x16" + bytes.fromhex(SUBKEY.fingerprint)[-8:] + b"\1") + packet(11, b"b\0\0\0\0\0" + DATA)
         + packet(2, SUBKEY.sign(DATA)), "something else"),
        (packet(8, b"\1x"), "no signature at all"),
        (packet(8, b"\0" + packet(2, SUBKEY.sign(DATA))), "something else"),
        (GOOD + packet(2, SUBKEY.sign(DATA)), "something else"),
        (packet(2, SUBKEY.sign(DATA)) + b"\n", "no signature at all"),
        (packet(2, SUBKEY.sign(DATA))[:-1], "no signature at all"),
        (packet(2, SUBKEY.sign(b"DIGESTS of another version")), "other bytes"),
        (packet(60, b"x"), "no signature at all"),
        (packet(2, SUBKEY.sign(DATA)) + packet(60, b"x"), "something else"),
        (packet(2, b"\4\0\x16\x63" + SUBKEY.sign(DATA)[4:]), "uses a hash other than"),
        (packet(2, b"\4\0\x63" + SUBKEY.sign(DATA)[3:]), "other bytes|cannot be read"),
        (packet(2, SUBKEY.sign(DATA, kind=0x77)), "not one of a file"),
        (packet(2, SUBKEY.sign(DATA, kind=TEXT)), "not one of a file"),
        (packet(2, SUBKEY.sign(DATA, kind=CERTIFY)), "not one of a file"),
        (packet(2, SUBKEY.sign(DATA, algorithm=SHA1)), "uses a hash other than"),
        (packet(2, SUBKEY.sign(DATA, (20 | CRITICAL, b"x"))), "cannot be read"),
        (packet(2, SUBKEY.sign(DATA, (99 | CRITICAL, b"x"))), "other bytes"),
        (packet(2, SUBKEY.sign(DATA, (MADE, EPOCH.to_bytes(4)))), "other bytes"),
        (packet(2, SUBKEY.sign(DATA, (KEY_EXPIRES, b"x"))), "other bytes|cannot be read"),
        (packet(2, SUBKEY.sign(DATA)[:3]), "no signature at all"),
        (packet(2, b"\x03" + SUBKEY.sign(DATA)[1:]), "cannot be read|no signature at all"),
        (packet(2, SUBKEY.sign(DATA)[:-1]), "cannot be read"),
        (packet(2, SUBKEY.sign(DATA)) + packet(2, b"x" * 20_000), "expected at most"),
        (bytes([0xC2, 0xE1]) + SUBKEY.sign(DATA), "no signature at all"),
        (bytes([0x8B]) + SUBKEY.sign(DATA), "no signature at all"),
    ],
    ids=range(29),
)  # fmt: skip
def test_a_signature_file_that_is_something_else(signature: bytes, why: str) -> None:
    with pytest.raises(ImageError, match=why):
        verify(signature)


@pytest.mark.parametrize(
    "unknown",
    [OWNER.sign(OWNER.hashed + SUBKEY.hashed, kind=0x77), b"\4\x18\x16\x63" + OWNER.sign(DATA, kind=BIND)[4:]],
    ids=["type", "hash"],
)
def test_a_key_with_a_signature_that_sequoia_has_no_name_for(unknown: bytes) -> None:
    key = GOOD + packet(2, unknown)
    assert verify(packet(2, SUBKEY.sign(DATA)), key=key).subkey == SUBKEY.fingerprint
    with pytest.raises(AlteredFile):
        verify(packet(2, SUBKEY.sign(b"x")), key=key)


def test_what_the_signed_area_does_not_cover_decides_nothing() -> None:
    late = SUBKEY.sign(DATA, at=EPOCH + 9999, loose=((MADE, EPOCH.to_bytes(4)), (FLAGS, b"\2")))
    with pytest.raises(UnknownKey, match="after its key had expired"):
        verify(packet(2, late), key=OWNER.public(OWNER.bind(SUBKEY, expires=5000)))


# Copies of the key.


def finder(tmp_path: Path, key: bytes = GOOD) -> KeyFinder:
    folder = tmp_path / "mirror/stable"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KEY_FILE).write_bytes(key)
    source = Source(name="mirror", base=str(tmp_path / "mirror/{channel}"))
    return KeyFinder(channel=Channel.STABLE, sources=[source], patience=Timeouts(timeout=5, tries=1))


BAD_COPIES = {
    "garbage": b"\0" * 100,
    "empty": b"",
    "half": GOOD[:100],
    "another": MALLORY.public(),
    "two": GOOD + MALLORY.public(),
    "large": b"x" * 300_000,
    "old": OWNER.public(),
    "ended": OWNER.public(OWNER.bind(SUBKEY, expires=10, at=EPOCH + 50)),
    "unbound": OWNER.public(packet(14, SUBKEY.body)),
    "damaged binding": GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
    "encrypts": OWNER.public(OWNER.bind(SUBKEY, flags=0x0C, at=EPOCH + 50)),
    "unwritable": GOOD + packet(2, OWNER.sign(DATA, (FINGERPRINT, b"\7odd"))),
    "stuffed": OWNER.public(packet(14, SUBKEY.body) + packet(2, b"x") * 990),
}


@pytest.mark.parametrize("bad", [*BAD_COPIES, "fifo", "link", "endless", "dangling"])
def test_a_bad_copy_in_the_cache_is_replaced_by_a_good_one(tmp_path: Path, bad: str) -> None:
    cached = flatcar_dir() / "stable" / KEY_FILE
    cached.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").write_bytes(b"mine")
    targets = {"link": tmp_path / "elsewhere", "endless": "/dev/zero", "dangling": tmp_path / "none"}
    if bad == "fifo":
        os.mkfifo(cached)
    elif bad in targets:
        cached.symlink_to(targets[bad])
    else:
        cached.write_bytes(BAD_COPIES[bad])
    seal = packet(2, SUBKEY.sign(DATA))
    assert finder(tmp_path).check(seal, DATA, name="file").subkey == SUBKEY.fingerprint
    assert not cached.is_symlink()
    assert b"Comment" not in cached.read_bytes()  # they would be user IDs
    # What is kept now is enough by itself.
    assert verify(seal, key=cached.read_bytes()).subkey == SUBKEY.fingerprint
    assert (tmp_path / "elsewhere").read_bytes() == b"mine"


@pytest.mark.parametrize("bad", BAD_COPIES)
def test_a_bad_copy_is_never_kept(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ImageError):
        finder(tmp_path, BAD_COPIES[bad]).check(packet(2, SUBKEY.sign(DATA)), DATA, name="file")
    assert not (flatcar_dir() / "stable").exists()


def test_a_revocation_in_the_cache_is_not_undone_by_an_older_copy(tmp_path: Path) -> None:
    cached = flatcar_dir() / "stable" / KEY_FILE
    cached.parent.mkdir(parents=True)
    revoked = GOOD + packet(2, OWNER.sign(OWNER.hashed + SUBKEY.hashed, kind=REVOKE_SUBKEY))
    cached.write_bytes(revoked)
    with pytest.raises(ImageError, match="revoked"):
        finder(tmp_path).check(packet(2, SUBKEY.sign(DATA)), DATA, name="file")
    assert cached.read_bytes() == revoked


# GnuPG as the second opinion.


def gpg_accepts(folder: Path, key: bytes, signature: bytes) -> bool:
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    (folder / "file.sig").write_bytes(signature)
    (folder / "file").write_bytes(DATA)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--no-tty", "--no-autostart", "--trust-model", "always"]
    subprocess.run([*gpg, "--import"], input=key, capture_output=True, timeout=120)
    done = subprocess.run([*gpg, "--verify", "file.sig", "file"], cwd=folder, capture_output=True, timeout=120)
    return done.returncode == 0


VARIANTS = {
    "subkey": (GOOD, packet(2, SUBKEY.sign(DATA))),
    "primary": (GOOD, packet(2, OWNER.sign(DATA))),
    "sha256": (GOOD, packet(2, SUBKEY.sign(DATA, algorithm=SHA256))),
    "sha384": (GOOD, packet(2, SUBKEY.sign(DATA, algorithm=SHA384))),
    "sha1": (GOOD, packet(2, SUBKEY.sign(DATA, algorithm=SHA1))),
    "notation": (GOOD, packet(2, SUBKEY.sign(DATA, notation(b"x@y", b"a\nb")))),
    "ended": (OWNER.public(OWNER.bind(SUBKEY, expires=5000)), packet(2, SUBKEY.sign(DATA))),
    "other": (GOOD, packet(2, SUBKEY.sign(b"other"))),
    "claimed": (GOOD, packet(2, MALLORY.sign(DATA, claim=SUBKEY.fingerprint))),
    "disagrees": (OWNER.public(OWNER.bind(SUBKEY, agrees=False)), packet(2, SUBKEY.sign(DATA))),
    "foreign back": (OWNER.public(OWNER.bind(SUBKEY, back=MALLORY)), packet(2, SUBKEY.sign(DATA))),
    "encrypts": (OWNER.public(OWNER.bind(SUBKEY, flags=0x0C)), packet(2, SUBKEY.sign(DATA))),
    "early": (GOOD, packet(2, SUBKEY.sign(DATA, at=EPOCH - 1))),
    "critical": (GOOD, packet(2, SUBKEY.sign(DATA, (99 | CRITICAL, b"x")))),
    "back as file": (GOOD, packet(2, SUBKEY.sign(DATA, kind=BACK))),
    "short length": (GOOD, b"\x88" + bytes([len(SUBKEY.sign(DATA))]) + SUBKEY.sign(DATA)),
    "large subpacket": (GOOD, packet(2, SUBKEY.sign(DATA, (100, b"x" * 9000)))),
}  # fmt: skip

ACCEPTED = {"subkey", "primary", "sha256", "sha384", "notation", "ended", "short length", "large subpacket"}


@pytest.mark.skipif(not shutil.which("gpg"), reason="no gpg here")
@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_passes_that_gnupg_refuses(tmp_path: Path, variant: str) -> None:
    key, signature = VARIANTS[variant]
    try:
        verify(signature, key=key)
        passed = True
    except ImageError:
        passed = False
    assert passed == (variant in ACCEPTED)
    if passed:
        assert gpg_accepts(tmp_path, key, signature)


def test_a_subpacket_of_no_length_and_one_that_is_cut_off() -> None:
    body = bytearray(SUBKEY.sign(DATA))
    assert body[6] == subpacket(MADE, b"")[0]
    for length in (b"\0\0\0\0", b"\xff\xff\xff\xff"):
        body[7:11] = length
        with pytest.raises(ImageError, match=r"cannot be read|no signature at all"):
            verify(packet(2, bytes(body)))


def test_a_self_signature_with_sha1_binds_nothing() -> None:
    weak = packet(6, OWNER.body) + OWNER.certify(b"x", algorithm=SHA1)
    for key in (weak, weak + OWNER.bind(SUBKEY)):
        for signer in (OWNER, SUBKEY):
            with pytest.raises(ImageError, match="not trusted"):
                verify(packet(2, signer.sign(DATA)), key=key)


def test_a_copy_that_adds_a_subkey_takes_no_revocation_away(tmp_path: Path) -> None:
    other = Key(seed=4)
    cached = flatcar_dir() / "stable" / KEY_FILE
    cached.parent.mkdir(parents=True)
    cached.write_bytes(GOOD + packet(2, OWNER.sign(OWNER.hashed + SUBKEY.hashed, kind=REVOKE_SUBKEY)))
    both = finder(tmp_path, GOOD + OWNER.bind(other))
    assert both.check(packet(2, other.sign(DATA)), DATA, name="file").subkey == other.fingerprint
    with pytest.raises(ImageError, match="revoked"):
        both.check(packet(2, SUBKEY.sign(DATA)), DATA, name="file")
    with pytest.raises(ImageError, match="revoked"):
        verify(packet(2, SUBKEY.sign(DATA)), key=cached.read_bytes())


def test_a_file_is_checked_as_it_was_opened(tmp_path: Path) -> None:
    ring, seal = load_key(GOOD, Trust()), packet(2, SUBKEY.sign(DATA))
    path = tmp_path / "file"
    path.write_bytes(DATA)
    # Several signatures, each of which reads the file again from its begin.
    assert ring.verify(packet(2, SUBKEY.sign(b"x")) + seal, path, name="file").subkey == SUBKEY.fingerprint
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ImageError, match="not a regular file"):
        ring.verify(seal, path, name="file")

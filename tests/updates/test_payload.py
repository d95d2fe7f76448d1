from __future__ import annotations

import hashlib
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from flatkit.errors import ImageError
from flatkit.run import run
from flatkit.updates.keys import read_private_key, read_public_key
from flatkit.updates.payload import make_payload, parse_manifest, read_manifest, verify
from tests.payload_keys import make_key

ROOT_HASH = "0123456789abcdef" * 4
MIB = 1024 * 1024


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_layout_is_the_one_that_the_module_documents(payload_of: Callable[..., Path]) -> None:
    data = payload_of("110.2.1", usr=b"U" * 5000, kernel=b"K" * 4096, initrd=b"I").read_bytes()
    manifest = (
        f"VERSION=110.2.1\nUSR_OFFSET=4096\nUSR_SIZE=5000\nUSR_SHA256={sha256(b'U' * 5000)}\nUSR_HASH_OFFSET=8192\n"
        f"USR_ROOT_HASH={ROOT_HASH}\nKERNEL_OFFSET=12288\nKERNEL_SIZE=4096\nKERNEL_SHA256={sha256(b'K' * 4096)}\n"
        f"INITRD_OFFSET=16384\nINITRD_SIZE=1\nINITRD_SHA256={sha256(b'I')}\n"
    )
    assert data[:512].startswith(f"FLATKIT-LAB-PAYLOAD 1 512 {len(manifest)} 20480 256\n ".encode())
    assert data[511:512] == b"\n"
    assert data[512 : 512 + len(manifest)].decode() == manifest
    assert data[4096:9096] == b"U" * 5000
    assert data[9096:12288] == bytes(3192)
    assert data[12288:16384] == b"K" * 4096
    assert data[16384:20480] == b"I" + bytes(4095)
    assert len(data) == 20480 + 256


def test_what_was_made_reads_back_and_verifies(payload_of: Callable[..., Path], signing) -> None:
    path = payload_of("110.2.1")
    manifest = read_manifest(path)
    assert manifest.version == "110.2.1"
    assert manifest.hash_offset == 8192
    assert manifest.root_hash == ROOT_HASH
    assert [part.name for part in manifest.parts] == ["usr", "kernel", "initrd"]
    assert manifest.size == path.stat().st_size
    verify(path, signing.public)


def test_the_same_input_gives_the_same_bytes(payload_of: Callable[..., Path]) -> None:
    first = payload_of("110.2.1").read_bytes()
    assert payload_of("110.2.1").read_bytes() == first
    assert payload_of("110.2.2").read_bytes() != first


def test_making_leaves_nothing_beside_the_target(payload_of: Callable[..., Path]) -> None:
    path = payload_of("110.2.1")
    assert [found.name for found in path.parent.glob("*payload*")] == ["lab-110.2.1.payload"]


def test_holes_stay_holes_and_memory_stays_small(tmp_path: Path, signing) -> None:
    usr = tmp_path / "usr"
    with usr.open("wb") as file:
        file.write(b"begin")
        file.truncate(64 * MIB)
    small = tmp_path / "small"
    small.write_bytes(b"x")
    target = tmp_path / "payload"
    read_private_key(signing.private)  # loads the library before memory is counted
    tracemalloc.start()
    make_payload(
        target,
        version="1.2.3",
        usr=usr,
        kernel=small,
        initrd=small,
        hash_offset=4096,
        root_hash=ROOT_HASH,
        key=signing.private,
    )
    verify(target, signing.public)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB
    assert target.stat().st_size > 64 * MIB
    assert target.stat().st_blocks * 512 < 4 * MIB


@pytest.mark.skipif(not shutil.which("openssl"), reason="plain openssl is what a machine checks with")
def test_plain_tools_take_it_apart(payload_of: Callable[..., Path], signing, tmp_path: Path) -> None:
    """The very lines of the module's docstring, as a machine runs them."""
    usr = bytes(range(256)) * 700
    script = """
        set -euo pipefail
        read -r magic format manifest_at manifest_size signed_size signature_size < payload
        [ "$magic $format" = "FLATKIT-LAB-PAYLOAD 1" ]
        tail -c "$signature_size" payload > signature
        head -c "$signed_size" payload | openssl dgst -sha256 -verify key.pem -signature signature
        head -c "$((manifest_at + manifest_size))" payload | tail -c "$manifest_size" > manifest
        source ./manifest
        truncate -s 1M slot
        dd if=payload of=slot bs=1M iflag=skip_bytes,count_bytes skip="$USR_OFFSET" count="$USR_SIZE" conv=fsync,notrunc
        head -c "$USR_SIZE" slot | sha256sum
        echo "$VERSION $USR_SHA256 $USR_ROOT_HASH $USR_HASH_OFFSET"
    """
    folder = tmp_path / "machine"
    folder.mkdir()
    shutil.copy(payload_of("110.2.1", usr=usr), folder / "payload")
    shutil.copy(signing.public, folder / "key.pem")
    said = run(["bash", "-c", script], cwd=folder).stdout.splitlines()
    assert said == ["Verified OK", f"{sha256(usr)}  -", f"110.2.1 {sha256(usr)} {ROOT_HASH} 8192"]
    with (folder / "payload").open("r+b") as file:
        file.seek(5000)
        file.write(b"!")
    assert run(["bash", "-c", script], cwd=folder, check=False).stdout.splitlines() == ["Verification failure"]


def changed(path: Path, at: int, data: bytes) -> Path:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)
    return path


def flipped(path: Path, at: int) -> Path:
    return changed(path, at, bytes([path.read_bytes()[at] ^ 1]))


def cut(path: Path, size: int) -> Path:
    with path.open("r+b") as file:
        file.truncate(size)
    return path


DAMAGES = [
    (lambda p: cut(p, 100), "is not a lab payload"),
    (lambda p: cut(p, 0), "is not a lab payload"),
    (lambda p: changed(p, 0, b"CrAU"), "is not a lab payload"),
    (lambda p: changed(p, 20, b"2"), 'of format "2"; this flatkit reads "1"'),
    (lambda p: changed(p, 22, b"x"), "header of the payload .* is damaged"),
    (lambda p: changed(p, 22, b"0"), "header of the payload .* is damaged"),
    (lambda p: cut(p, 20000), "is truncated: 20000 bytes, expected 24832"),
    (lambda p: cut(p, 30000), "is too long"),
    (lambda p: changed(p, 515, b"-"), "manifest of the payload .* is damaged"),
    (lambda p: changed(p, 4100, b"!"), 'signature of .* its parts "usr" have another SHA-256'),
    (lambda p: changed(p, 13097, b"!"), "signature of .* over these bytes\n"),  # padding between parts
    (lambda p: flipped(p, 24832 - 1), "signature of .* over these bytes\n"),
]


@pytest.mark.parametrize(("damage", "expected"), DAMAGES)
def test_damage_is_named(payload_of: Callable[..., Path], signing, damage, expected: str) -> None:
    path = payload_of("110.2.1")
    assert path.stat().st_size == 24832
    with pytest.raises(ImageError, match=expected) as caught:
        verify(damage(path), signing.public)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_another_key_is_refused(payload_of: Callable[..., Path], tmp_path: Path) -> None:
    make_key(tmp_path / "other.pem", tmp_path / "other.pub.pem")
    with pytest.raises(ImageError, match=r"is not by the key .*other.pub.pem"):
        verify(payload_of("110.2.1"), tmp_path / "other.pub.pem")


def test_a_well_signed_payload_with_a_wrong_hash_is_refused(
    payload_of: Callable[..., Path], signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flatkit.updates import payload

    honest = payload._copy_part

    def lying(*args, **keywords):
        part = honest(*args, **keywords)
        return payload.Part(name=part.name, offset=part.offset, size=part.size, sha256="0" * 64)

    monkeypatch.setattr(payload, "_copy_part", lying)
    path = payload_of("110.2.1")
    with pytest.raises(ImageError, match='is signed, but was made wrong; its parts "usr, kernel, initrd"'):
        verify(path, signing.public)


def test_a_missing_payload_is_named(tmp_path: Path, signing) -> None:
    with pytest.raises(ImageError, match=r"gone.payload.* could not be read: No such file"):
        verify(tmp_path / "gone.payload", signing.public)
    with pytest.raises(ImageError, match=r"gone.payload.* could not be read: No such file"):
        read_manifest(tmp_path / "gone.payload")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"version": "1.2.3\nUSR_SIZE=1"}, "cannot have the version"),
        ({"version": ""}, "cannot have the version"),
        ({"version": "$(reboot)"}, "cannot have the version"),
        ({"root_hash": "ABC"}, "cannot have the root hash"),
        ({"hash_offset": 4097}, "cannot have the hash offset"),
        ({"usr": Path("gone")}, "could not be written: .*gone"),
        ({"key": Path("gone")}, "holds no private key"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path: Path, signing, values, expected: str) -> None:
    part = tmp_path / "part"
    part.write_bytes(b"x")
    usual = {
        "version": "1.2.3",
        "usr": part,
        "kernel": part,
        "initrd": part,
        "hash_offset": 4096,
        "root_hash": ROOT_HASH,
    }
    with pytest.raises(ImageError, match=expected):
        make_payload(tmp_path / "payload", **{**usual, "key": signing.private, **values})
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_an_empty_part_is_refused(payload_of: Callable[..., Path]) -> None:
    with pytest.raises(ImageError, match=r"the kernel of a payload, .* is empty"):
        payload_of("1.2.3", kernel=b"")


def test_a_manifest_that_moves_a_part_is_refused(payload_of: Callable[..., Path]) -> None:
    manifest = read_manifest(payload_of("1.2.3"))
    assert parse_manifest(manifest.text, signed_size=manifest.signed_size) == manifest
    with pytest.raises(ValueError, match='the part "kernel" begins at 4096'):
        parse_manifest(
            manifest.text.replace("KERNEL_OFFSET=16384", "KERNEL_OFFSET=4096"), signed_size=manifest.signed_size
        )
    with pytest.raises(ValueError, match="the parts end at 24576, the header says 28672"):
        parse_manifest(manifest.text, signed_size=28672)
    with pytest.raises(ValueError, match='"USR_SIZE="'):
        parse_manifest(manifest.text.replace("USR_SIZE", "SIZE"), signed_size=manifest.signed_size)


def test_a_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    private, public = tmp_path / "lab.pem", tmp_path / "lab.pub.pem"
    make_key(private, public)
    first = private.read_bytes(), public.read_bytes()
    assert private.stat().st_mode & 0o777 == 0o600
    assert public.stat().st_mode & 0o777 == 0o644
    public.unlink()
    make_key(private, public)
    assert (private.read_bytes(), public.read_bytes()) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab.pem", "lab.pub.pem"]


def test_a_key_of_another_kind_is_refused(tmp_path: Path, signing) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    other = Ed25519PrivateKey.generate()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "a").write_bytes(other.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    (tmp_path / "b").write_bytes(other.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "c").write_bytes(other.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"secret")))
    with pytest.raises(ImageError, match="another kind of key; expected an RSA key of 2048 bits"):
        read_private_key(tmp_path / "a")
    with pytest.raises(ImageError, match="another kind of key; expected an RSA key of 2048 bits"):
        read_public_key(tmp_path / "b")
    with pytest.raises(ImageError, match="no private key that can be read"):
        read_private_key(tmp_path / "c")
    with pytest.raises(ImageError, match="no public key that can be read"):
        read_public_key(tmp_path / "gone")


def test_a_signature_of_another_size_is_not_read(tmp_path: Path) -> None:
    """A sparse file takes no room, and its "signature" would take all memory."""
    path = tmp_path / "payload"
    size = 2**36
    path.write_bytes(f"FLATKIT-LAB-PAYLOAD 1 512 400 4096 {size}\n".encode().ljust(4096))
    os.truncate(path, 4096 + size)
    with pytest.raises(ImageError, match="signature of the payload"):
        read_manifest(path)


@pytest.mark.parametrize("read", [read_manifest, read_public_key, read_private_key])
def test_what_is_not_a_file_is_not_waited_for(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ImageError):
        read(tmp_path / "fifo")

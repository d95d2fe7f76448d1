"""What the tests of updates share: a signing key, made once, and small payloads made with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from flatkit.updates.payload import make_payload
from tests.payload_keys import make_key

ROOT_HASH = "0123456789abcdef" * 4


@dataclass(frozen=True, kw_only=True)
class Keys:
    private: Path
    public: Path


@pytest.fixture(scope="session")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    found = Keys(private=folder / "lab.pem", public=folder / "lab.pub.pem")
    make_key(found.private, found.public)
    return found


@pytest.fixture
def payload_of(tmp_path: Path, signing: Keys) -> Callable[..., Path]:
    """A function that makes the payload of a version from small parts."""

    def make(version: str, *, usr: bytes = b"usr" * 3000, kernel: bytes = b"k" * 4096, initrd: bytes = b"i") -> Path:
        sources = {}
        for name, data in (("usr", usr), ("kernel", kernel), ("initrd", initrd)):
            sources[name] = tmp_path / f"{name}-{version}"
            sources[name].write_bytes(data)
        target = tmp_path / f"lab-{version}.payload"
        make_payload(target, version=version, hash_offset=8192, root_hash=ROOT_HASH, key=signing.private, **sources)
        return target

    return make

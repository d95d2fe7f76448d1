"""What the tests of rooms share: small wheels, and a small pack that is whole."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from room_parts import PAYLOAD, MakeWheel

from flatkit.events import Observer
from flatkit.images.pack_manifest import PackedImage, PackedRelease, PackManifest
from flatkit.packs.builder import PackBuilder
from flatkit.packs.wheels import as_index


@pytest.fixture(scope="session")
def make_wheel() -> MakeWheel:
    """A function that writes a wheel which pip installs: one empty module, and the requirements that are given."""

    def make(folder: Path, name: str, version: str = "1.0", *requires: str, tag: str = "py3-none-any") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path, info = folder / f"{name}-{version}-{tag}.whl", f"{name}-{version}.dist-info"
        lines = [f"Requires-Dist: {text}\n" for text in requires]
        files = {
            f"{name}.py": "",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{''.join(lines)}",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        with zipfile.ZipFile(path, "w") as archive:
            for inside, text in files.items():
                archive.writestr(inside, text)
            archive.writestr(f"{info}/RECORD", "".join(f"{inside},,\n" for inside in [*files, f"{info}/RECORD"]))
        return path

    return make


@pytest.fixture
def pack_in(make_wheel: MakeWheel, tmp_path: Path) -> Callable[[Path], PackManifest]:
    """A function that fills a folder with a small pack: an image, a release for lab machines, an extension, two wheels."""

    def fill(folder: Path) -> PackManifest:
        builder = PackBuilder(folder, observer=Observer())
        (tmp_path / "payload").write_bytes(PAYLOAD)
        for name in ("disk.qcow2", "image.json"):
            builder.copy(tmp_path / "payload", f"lab/110.2.0-abc/{name}")
        files = ("disk.qcow2", "image.json")
        builder.images.append(PackedImage(name="lab", version="110.2.0", folder="lab/110.2.0-abc", files=files))
        for channel, version in (("beta", "120.1.0"), ("alpha", "130.0.0")):
            builder.copy(tmp_path / "payload", f"amd64-usr/{version}/update.bin")
            builder.releases.append(
                PackedRelease(channel=channel, version=version, board="amd64-usr", files=("update.bin",), for_lab=True)
            )
        builder.copy(tmp_path / "payload", "extensions/tool/tool-1-x86-64.raw")
        builder.text("extensions/tool/SHA256SUMS", "what sha256sum says\n")
        wheels = folder / "wheels"
        for path in (make_wheel(wheels, "flatkit", "0.1.0", "helper>=1"), make_wheel(wheels, "helper", "1.5")):
            builder.keep(f"wheels/{path.name}")
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in wheels.glob("*.whl")}
        builder.text("wheels/index.html", as_index(digests))
        return builder.close(pythons=("3.11", "3.12", "3.13"))

    return fill


@pytest.fixture
def pack(pack_in: Callable[[Path], PackManifest], tmp_path: Path) -> Path:
    """A small pack."""
    pack_in(tmp_path / "pack")
    return tmp_path / "pack"

"""Shared by the tests of rooms, beside conftest.py: what is not a fixture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flatkit.images.pack_manifest import MANIFEST, SUMS, PackManifest, manifest_as_text, parse_manifest, sums_as_text
from flatkit.packs.builder import measure

MakeWheel = Callable[..., Path]
PAYLOAD = bytes(range(256)) * 100


def describe(pack: Path) -> PackManifest:
    """Write the manifest of a pack again, so that it names every file which lies there now, as it is now."""
    before = parse_manifest((pack / MANIFEST).read_bytes())
    paths = sorted(str(path.relative_to(pack)) for path in pack.rglob("*") if path.is_file())
    files = tuple(measure(pack, path) for path in paths if path not in (MANIFEST, SUMS))
    return write(pack, replace(before, files=files))


def write(pack: Path, manifest: PackManifest) -> PackManifest:
    """Put a manifest, and the sums that belong to it, into a pack."""
    (pack / MANIFEST).write_text(manifest_as_text(manifest))
    (pack / SUMS).write_text(sums_as_text(manifest))
    return manifest

"""Proves that a pack suffices: every file is what the manifest says, what it names is whole, and the wheels install.

Nothing is fetched: pip runs in an empty environment of its own, told to look at the pack alone. No code of the pack runs, since a
pack may come from anybody. The bounds of what is read are constants: images/pack_manifest.py, wheelfile.py, wheels.py and here.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flatkit.errors import CommandFailed, FetchError, FlatkitError, WaitTimeout
from flatkit.events import Observer, phase
from flatkit.files import open_below
from flatkit.images.pack_manifest import MANIFEST, SUMS, PackManifest, sums_as_text
from flatkit.packs import wheels
from flatkit.packs.builder import measure
from flatkit.packs.serve import read_manifest
from flatkit.packs.wheelfile import Wheel, parse_wheel
from flatkit.run import run
from flatkit.untrusted import lines_of, printable

# Seconds for reading all wheels, and for each run of Python or pip.
WHEELS_SECONDS = 300.0
PIP_SECONDS = 300.0
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class PackFinding:
    """One thing that was looked at, and what was found."""

    name: str
    ok: bool
    found: str


@dataclass(frozen=True, kw_only=True)
class PackCheck:
    """All findings about a pack."""

    folder: Path
    findings: tuple[PackFinding, ...]

    @property
    def ok(self) -> bool:
        """Tell if the pack suffices."""
        return all(finding.ok for finding in self.findings)

    def __str__(self) -> str:
        width = max(len(finding.name) for finding in self.findings)
        lines = [
            f"{'✓' if finding.ok else '✗'} {finding.name:<{width}}  {printable(finding.found, limit=2000)}"
            for finding in self.findings
        ]
        verdict = "this pack suffices for a room without the Internet" if self.ok else "this pack does not suffice"
        return "\n".join(
            [
                *lines,
                verdict,
                *([] if self.ok else [f"  Next: flatkit room pack {printable(shlex.quote(str(self.folder)))}"]),
            ]
        )


def check(folder: Path, *, observer: Observer | None = None) -> PackCheck:
    """Look at all of a pack. Raises UsageError when the folder holds none, ImageError when its manifest is not understood."""
    manifest = read_manifest(folder)
    watcher = observer or Observer()
    findings = [
        _files(folder, manifest, watcher),
        _sums(folder, manifest),
        _named(manifest),
        *_wheels(folder, manifest, watcher),
    ]
    return PackCheck(folder=folder, findings=tuple(findings))


def _few(items: list[str]) -> str:
    return "; ".join(items[:_SHOWN]) + (f"; and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")


def _files(folder: Path, manifest: PackManifest, observer: Observer) -> PackFinding:
    wrong = []
    with phase(observer, "files", f"Reading {manifest.size / 1e6:.0f} MB"):
        for file in manifest.files:
            try:
                found = measure(folder, file.path, most=file.size)
            except OSError as error:
                wrong.append(f"{file.path}: {error.strerror}")
                continue
            if found != file:
                what = "another size" if found.size != file.size else "other bytes"
                wrong.append(f"{file.path}: {what} than the manifest says")
    if not manifest.files:
        wrong.append("the manifest names none: packing did not come to its end")
    text = f"{len(manifest.files)} files, {manifest.size / 1e6:.0f} MB, packed {manifest.made} by flatkit {manifest.flatkit}"
    return PackFinding(name="files", ok=not wrong, found=_few(wrong) or text)


def _sums(folder: Path, manifest: PackManifest) -> PackFinding:
    expected = sums_as_text(manifest).encode()
    try:
        with open_below(folder, SUMS) as file:
            ok = file.read(len(expected) + 1) == expected
    except OSError:
        ok = False
    found = (
        f"{SUMS} says the same as {MANIFEST}" if ok else f"{SUMS} is missing, or says something else than {MANIFEST}"
    )
    return PackFinding(name="sums", ok=ok, found=found)


def _named(manifest: PackManifest) -> PackFinding:
    paths = {file.path for file in manifest.files}
    named = [f"{image.folder}/{name}" for image in manifest.images for name in image.files]
    named += [f"{release.board}/{release.version}/{name}" for release in manifest.releases for name in release.files]
    missing = [path for path in named if path not in paths]
    images = ", ".join(f"{image.name} {image.version}" for image in manifest.images)
    updates = ", ".join(f"{release.channel} {release.version}" for release in manifest.releases)
    if not manifest.images:
        missing.append("no image at all, so no machine can boot")
    return PackFinding(
        name="images", ok=not missing, found=_few(missing) or f"to boot: {images}; to update to: {updates or 'none'}"
    )


def _wheels(folder: Path, manifest: PackManifest, observer: Observer) -> Iterator[PackFinding]:
    try:
        found = _read_wheels(folder, manifest)
    except FlatkitError as error:
        yield PackFinding(name="wheels", ok=False, found=error.message)
        return
    own = [wheel for wheel in found if wheel.name == "flatkit"]
    if len(own) != 1:
        yield PackFinding(name="wheels", ok=False, found="flatkit's own wheel is not there, so no seat can install it")
        return
    whole = True
    for python in manifest.pythons:
        try:
            missing = list(wheels.close_over(found, root=own[0], python=python).missing)
        except FlatkitError as error:
            missing = [error.message]
            whole = False
        text = f"missing: {_few(missing)}" if missing else "every requirement has a wheel that fits"
        yield PackFinding(name=f"CPython {python}", ok=not missing, found=text)
    running = ".".join(platform.python_version_tuple()[:2])
    if whole and running in manifest.pythons:
        with phase(observer, "install", "Resolving the wheels with pip alone", typical=20):
            yield _resolve(folder, manifest, own[0], running)


def _read_wheels(folder: Path, manifest: PackManifest) -> list[Wheel]:
    """Read the wheels that the manifest names and that are there. Raises FetchError."""
    found = []
    listed = [file for file in manifest.below("wheels") if file.path.endswith(".whl")]
    if len(listed) > wheels.WHEELS_MAX:
        raise FetchError(f"there are {len(listed)} wheels; expected at most {wheels.WHEELS_MAX}")
    until = time.monotonic() + WHEELS_SECONDS
    for listing in listed:
        if time.monotonic() > until:
            raise FetchError(f"reading the wheels took more than {WHEELS_SECONDS:.0f} s")
        try:
            with open_below(folder, listing.path) as file:
                found.append(parse_wheel(listing.path.removeprefix("wheels/"), file))
        except FetchError:  # an OSError as well
            raise
        except OSError:
            continue  # found by the look at all files
    return found


def _resolve(folder: Path, manifest: PackManifest, own: Wheel, python: str) -> PackFinding:
    """Let pip itself work it out, in an empty environment, without an index and without the user's settings.

    pip gets a page of the manifest's wheels with their digests, so it takes no other file and builds nothing.
    """
    env = {name: "" for name in os.environ if name.startswith("PIP_")} | {"PIP_CONFIG_FILE": os.devnull}
    names = {file.path.removeprefix("wheels/"): file.sha256 for file in manifest.below("wheels")}
    index = {name: digest for name, digest in names.items() if name.endswith(".whl")}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        page = work / "wheels.html"
        page.write_text(wheels.as_index(index, base=f"{folder.absolute().as_uri()}/wheels/"), encoding="utf-8")
        command: list[str | Path] = [
            work / "venv/bin/python",
            "-I",
            "-m",
            "pip",
            "--isolated",
            "--disable-pip-version-check",
        ]
        command += [
            "install",
            "--dry-run",
            "--no-index",
            "--only-binary",
            ":all:",
            "--no-cache-dir",
            "--find-links",
            page,
        ]
        try:
            # -I: no module of the current folder, which may be the pack
            run([sys.executable, "-I", "-m", "venv", work / "venv"], cwd=work, timeout=PIP_SECONDS)
            said = run([*command, "--", f"flatkit=={own.version}"], cwd=work, env=env, timeout=PIP_SECONDS).stdout
        except CommandFailed as error:
            last = (lines_of(error.details.strip()) or [error.message])[-1]
            return PackFinding(name="pip", ok=False, found=f"on CPython {python} pip says: {printable(last)}")
        except WaitTimeout:
            return PackFinding(
                name="pip", ok=False, found=f"on CPython {python} pip did not end within {PIP_SECONDS:.0f} s"
            )
    count = len(said.rpartition("Would install")[2].split())
    return PackFinding(name="pip", ok=count > 0, found=f"on CPython {python} pip would install {count} packages")

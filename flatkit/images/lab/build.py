"""Builds the lab image once: cached by its recipe, locked against a second build, without partial results."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from flatkit.errors import ImageError
from flatkit.events import Observer, phase
from flatkit.images.cache import work_folder
from flatkit.images.lab import cache_gc, disk, extensions, initrd, recipe, tree
from flatkit.images.lab.packages import NEEDED_MIB, building, lab_dir, lab_layers, refresh_packages
from flatkit.run import run
from flatkit.untrusted import parse_json
from flatkit.updates.payload import FILE_NAME, make_payload

_CONTENTS = {"EFI-SYSTEM": "esp", "USR-A": "usr", "OEM": "oem", "ROOT": "root"}


@dataclass(frozen=True, kw_only=True)
class LabImage:
    """A built lab image. `kernel`, `initrd` and `cmdline` belong to the selector, which replaces the boot loader.

    `root_hash` and `hash_offset` (bytes) are those of the /usr in slot A.
    """

    folder: Path
    version: str
    channel: str
    root_hash: str
    hash_offset: int
    usr_size: int

    @property
    def disk(self) -> Path:
        """The read-only qcow2 disk; every release except stable is stored as its difference from stable."""
        return self.folder / "disk.qcow2"

    @property
    def payload(self) -> Path:
        """The release as an update, in one signed file; `build_payload` creates it on demand, in the user's own cache."""
        if (self.folder / FILE_NAME).exists() or self.folder.parent == lab_dir():
            return self.folder / FILE_NAME
        return lab_dir() / self.folder.name / FILE_NAME

    @property
    def kernel(self) -> Path:
        """The kernel that runs the selector, as Debian built it."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The selector."""
        return self.folder / "selector"

    @property
    def cmdline(self) -> str:
        """The kernel command line of the selector."""
        return recipe.SELECTOR_CMDLINE


def find_lab_image(release: recipe.Release = recipe.STABLE) -> LabImage | None:
    """Return the built image of a release, if a cache has the one of this recipe; the shared cache comes first."""
    for folder in (lab / _folder_name(release) for lab in lab_layers()):
        try:
            facts = parse_json((folder / "image.json").read_text())
            return LabImage(folder=folder, **facts)
        except (OSError, ValueError, TypeError):
            continue
    return None


def _folder_name(release: recipe.Release) -> str:
    return f"{release.version}-{recipe.digest(release)}"


def list_lab_images() -> list[LabImage]:
    """Return the built releases of this recipe."""
    return [found for release in recipe.RELEASES.values() if (found := find_lab_image(release))]


def remove_lab_images() -> int:
    """Remove everything that building the lab image left in the cache; return the bytes freed."""
    folder = lab_dir()
    size = sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) if folder.is_dir() else 0
    shutil.rmtree(folder, ignore_errors=True)
    return size


def build_lab_image(observer: Observer | None = None, *, release: recipe.Release = recipe.STABLE) -> LabImage:
    """Return the lab image; build it when the cache lacks the one of this recipe (about a minute, 2 cores).

    Raises MissingDependency (a build tool), HostError (no space, no user namespaces) or ImageError.
    """
    image = find_lab_image(release)
    if not image:
        watcher = observer or Observer()
        with building(watcher) as folder:
            image = stable = _built(recipe.STABLE, folder, watcher, base=None)
            if release != recipe.STABLE:
                image = _built(release, folder, watcher, base=stable.disk)
            cache_gc.remove_superseded(folder, current={_folder_name(known) for known in recipe.RELEASES.values()})
            cache_gc.remove_old_payloads(folder)
    cache_gc.note_use(image.folder.parent, image.folder)
    return image


def build_payload(observer: Observer | None = None, *, release: recipe.Release) -> Path:
    """Return the update payload of a release, made from its image. Raises as `build_lab_image`."""
    watcher = observer or Observer()
    image = build_lab_image(watcher, release=release)
    if image.payload.exists() and not os.access(image.payload.parent, os.W_OK):
        return image.payload  # another user's cache: its lock and its marks are that user's
    with building(watcher, needed_mib=0 if image.payload.exists() else NEEDED_MIB) as folder:
        image.payload.parent.mkdir(exist_ok=True)
        cache_gc.note_payload(image.payload.parent)
        if not image.payload.exists():
            with (
                work_folder(folder) as work,
                phase(watcher, "payload", f"Signing {image.version} as an update", typical=3),
            ):
                parts = disk.take_apart(image.disk, usr_size=image.usr_size, work=work)
                make_payload(
                    work / FILE_NAME, version=image.version, **parts, hash_offset=image.hash_offset,
                    root_hash=image.root_hash, key=recipe.payload_key(),
                )  # fmt: skip
                (work / FILE_NAME).chmod(0o444)
                (work / FILE_NAME).rename(image.payload)
        # Each is as large as an image and is re-created in seconds: only the last one stays.
        cache_gc.remove_old_payloads(folder)
    return image.payload


def _built(release: recipe.Release, folder: Path, observer: Observer, *, base: Path | None) -> LabImage:
    """Return a release's image, from the cache or newly built. Call it only while the lock is held."""
    if not find_lab_image(release):
        with work_folder(folder) as work:
            _build(work, release, observer, base)
            (work / "result").rename(folder / _folder_name(release))
    found = find_lab_image(release)
    if not found:
        raise ImageError("the lab image was built and is gone again", hint="flatkit images build-lab   (to try again)")
    return found


def _build(work: Path, release: recipe.Release, observer: Observer, base: Path | None) -> None:
    archive = refresh_packages(observer)
    stage, result = work / "stage", work / "result"
    stage.mkdir()
    result.mkdir()
    with phase(observer, "usr", f"Shaping /usr of {release.version}: no package manager, user core", typical=5):
        members = ["./usr", "./etc", "./boot", "./var/lib/dpkg/status"]
        run(["tar", "-xf", archive, "-C", stage, "--no-same-owner", "-p", *members])
        run(["chmod", "-R", "u+rwX", stage])
        usr = tree.shape(stage, release)
    extensions.install(usr, base=archive, observer=observer)
    with phase(observer, "verity", "Packing /usr and computing its verity hash tree", typical=6):
        salt = hashlib.sha256(f"flatkit lab {release.version}".encode()).hexdigest()
        image = disk.usr_image(usr, work / "usr.img", salt=salt)
    with phase(observer, "disk", "Making kernel and initrd of the slot, file systems and partition table", typical=6):
        kernel = next((stage / "boot").glob("vmlinuz-*"))
        shutil.copyfile(kernel, result / "vmlinuz")
        initrd.build_selector(usr, work=work, target=result / "selector")
        disk.slot_kernel(kernel, work / "kernel", image.root_hash)
        initrd.build(usr, image, salt=salt, work=work, target=work / "initrd.cpio")
        disk.esp_image(work / "esp.img", kernel=work / "kernel", initrd=work / "initrd.cpio", work=work)
        disk.oem_image(work / "oem.img")
        disk.ext4_image(work / "root.img", label="ROOT")
        contents = {label: work / f"{name}.img" for label, name in _CONTENTS.items()}
        disk.assemble(result / "disk.qcow2", contents, work=work, base=base)
    facts = {
        "version": release.version,
        "channel": release.channel,
        "root_hash": image.root_hash,
        "hash_offset": image.hash_offset,
        "usr_size": image.path.stat().st_size,
    }
    (result / "image.json").write_text(json.dumps(facts, indent=1) + "\n")
    for path in result.iterdir():
        path.chmod(0o444)
        if base and _same(path, base.with_name(path.name)):
            path.unlink()
            path.hardlink_to(base.with_name(path.name))
    open_folder(result)


def open_folder(image: Path) -> None:
    """Let everyone enter a complete image's folder. Its folder `templates` says that it can be saved as one."""
    (image / "templates").mkdir()
    for folder in (image, image / "templates"):
        folder.chmod(0o755)


def _same(one: Path, other: Path) -> bool:
    """Return True when both are files with the same bytes: later releases share the first one's kernel and selector."""
    return other.is_file() and filecmp.cmp(one, other, shallow=False)

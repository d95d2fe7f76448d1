"""Two initrds: of a slot (busybox, dmsetup, modules, `files/initrd/init`), and of the selector (sfdisk, kexec).

Stored uncompressed: unpacking is then a copy, which on an emulated machine is quicker than reading less.
"""

from __future__ import annotations

import lzma
import re
import shutil
from pathlib import Path

from flatkit.errors import ImageError
from flatkit.images.lab import recipe
from flatkit.images.lab.disk import UsrImage
from flatkit.run import run
from flatkit.untrusted import lines_of


def module_order(modules_dep: str, wanted: tuple[str, ...]) -> list[str]:
    """Return the files of the wanted modules with their dependencies first; built-in ones have no file."""
    needs: dict[str, list[str]] = {}
    by_name: dict[str, str] = {}
    for line in lines_of(modules_dep):
        file, _, rest = line.partition(":")
        needs[file] = rest.split()
        by_name[re.sub(r"\.ko(\.xz)?$", "", file.rsplit("/", 1)[-1]).replace("-", "_")] = file
    order: list[str] = []

    def add(file: str) -> None:
        for need in needs[file]:
            add(need)
        if file not in order:
            order.append(file)

    for name in wanted:
        found = by_name.get(name.replace("-", "_"))
        if found:
            add(found)
    return order


def libraries(usr: Path, program: Path) -> list[Path]:
    """Return the shared libraries that a program of the tree needs, found by the tree's own loader."""
    loader = usr / "lib64/ld-linux-x86-64.so.2"
    folder = usr / "lib/x86_64-linux-gnu"
    said = run([loader, "--inhibit-cache", "--library-path", folder, "--list", program]).stdout
    found = [Path(path) for path in re.findall(r"=> (\S+)", said)]
    outside = [path for path in found if not path.is_relative_to(usr)]
    if outside:
        raise ImageError(f'"{program.name}" needs "{outside[0].name}", which the tree does not hold', details=said)
    return [*found, loader]


def _install(source: Path, target: Path, *, executable: bool = False) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    if executable:
        target.chmod(0o755)


def _skeleton(usr: Path, root: Path, init: str) -> None:
    """Create the folders, busybox with its applets, and the script that becomes process 1."""
    for folder in (
        "bb",
        "dev",
        "esp",
        "etc",
        "modules",
        "oem",
        "proc",
        "run",
        "sys",
        "sysroot",
        "tmp",
        "usr/lib",
        "usr/sbin",
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for link in ("bin", "sbin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    _install(usr / "bin/busybox", root / "bb/busybox")
    for applet in recipe.INITRD_APPLETS:
        (root / "bb" / applet).symlink_to("busybox")
    _install(recipe.files() / "initrd" / init, root / "init", executable=True)


def _programs(usr: Path, root: Path, names: tuple[str, ...]) -> None:
    for name in names:
        program = usr.parent / name
        _install(program, root / name)
        for library in libraries(usr, program):
            _install(library.resolve(), root / library.relative_to(usr.parent))


def _warm(usr: Path) -> list[str]:
    """Return the files that a template reads into its memory, sorted."""
    tree = usr.parent
    programs = [tree / name for name in recipe.WARM_PROGRAMS]
    found = {*programs, *(library for program in programs for library in libraries(usr, program))}
    found |= {path for pattern in recipe.WARM_FILES for path in tree.glob(pattern) if path.is_file()}
    return sorted(str(path.relative_to(tree)) for path in found)


def _modules(usr: Path, root: Path, wanted: tuple[str, ...]) -> None:
    """Copy the modules, uncompressed, with a file that lists them in load order."""
    folder = next((usr / "lib/modules").iterdir())
    names = []
    for number, file in enumerate(module_order((folder / "modules.dep").read_text(), wanted)):
        name = f"{number:02}-{Path(file).name.removesuffix('.xz')}"
        data = (folder / file).read_bytes()
        (root / "modules" / name).write_bytes(lzma.decompress(data) if file.endswith(".xz") else data)
        names.append(name)
    (root / "modules/order").write_text("".join(f"{name}\n" for name in names))


def build(usr: Path, image: UsrImage, *, salt: str, work: Path, target: Path) -> None:
    """Write the initrd of a slot with this /usr (tree and image) to `target`; `work` is a scratch folder."""
    root = work / "initrd"
    _skeleton(usr, root, "init")
    _install(recipe.files() / "initrd/udhcpc.sh", root / "etc/udhcpc.sh", executable=True)
    (root / "etc/usr-verity").write_text(f"{image.hash_offset // 4096} {salt} {image.uuid.replace('-', '')}\n")
    (root / "etc/warm").write_text("".join(f"/{name}\n" for name in _warm(usr)))
    _programs(usr, root, recipe.INITRD_PROGRAMS)
    _modules(usr, root, recipe.INITRD_MODULES)
    archive(root, target)


def build_selector(usr: Path, *, work: Path, target: Path) -> None:
    """Write the initrd of the selector, which replaces the boot loader, to `target`."""
    root = work / "selector"
    _skeleton(usr, root, "selector")
    _install(recipe.files() / "usr/lib/flatcar/gpt.sh", root / "etc/gpt.sh")
    (root / "etc/cmdline").write_text(recipe.CMDLINE + "\n")
    _programs(usr, root, recipe.SELECTOR_PROGRAMS)
    _modules(usr, root, recipe.SELECTOR_MODULES)
    archive(root, target)


def archive(root: Path, target: Path) -> None:
    """Pack a folder as a cpio archive owned by root, in an order that does not depend on the disk."""
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    command = ["cpio", "--create", "--format=newc", "--owner=+0:+0", "--reproducible", "--quiet", f"--file={target}"]
    run(command, input="".join(f"{name}\n" for name in names), cwd=root)

"""Layout of a system extension: what may be in one, where, and the proof that a built image keeps to it.

An extension lies over /usr and /opt of a system that it does not know in every detail. A folder in the place of a link hides
all that the link leads to. Sources: systemd-sysext(8), os-release(5); flatcar/sysext-bakery 105, 131 and 132 (/usr/sbin).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from flatkit.errors import CommandFailed, FlatkitError, ImageError, InputError, UsageError
from flatkit.images.debs import is_inside
from flatkit.run import run
from flatkit.untrusted import lines_of, parse_json, printable

UNIT_FOLDER = "usr/lib/systemd/system"
_UNIT_KINDS = ("service", "socket", "timer", "path", "mount", "automount", "swap", "target", "slice")
_HINT = "flatkit sysext build greet --file /usr/bin/greet=greet"
# Links of the merged /usr: what belongs there is below /usr.
_MERGED = ("bin", "sbin", "lib", "lib64", "lib32")
# Folders of the image that hold nearly all programs and data.
_FOLDERS = {f"/usr/{name}" for name in (*_MERGED, "libexec", "share", "local", "local/bin", "include", "src", "etc")}
_OWN = "/usr/lib/extension-release.d/"
# The machine (ELF e_machine) of ARCHITECTURE=x86-64, which every extension of ours is for; 3: 32-bit x86 runs there too.
_X86_64, _X86 = 62, 3
_MACHINES = {40: "arm", 183: "aarch64", 243: "riscv64", 21: "ppc64le", 22: "s390x"}


def check_path(path: str) -> None:
    """Raise UsageError, with what to do instead, for a path that a file in an extension cannot have."""
    shown = f'"{printable(path)}" cannot be in an extension'
    root, *below = path.removeprefix("/").split("/")
    name = printable(below[-1]) if below and below[-1] else "FILE"
    if path.startswith("/") and not {"", ".", ".."} & {*below} and below:
        if root == "etc":
            raise UsageError(
                f"{shown}: it covers /usr and /opt, and /etc stays the machine's own; expected the file in the machine's config, "
                "or a default that is copied to /etc",
                hint=f"write it in Butane (storage: files: - path: {printable(path)}); or --file /usr/share/NAME/{name}=FILE and "
                f"--file /usr/lib/tmpfiles.d/NAME.conf=CONF, where CONF has: C {printable(path)} - - - - /usr/share/NAME/{name}",
            )
        if root in _MERGED or path.startswith("/usr/sbin/"):
            place = "/usr/bin" if root == "sbin" or path.startswith("/usr/sbin/") else f"/usr/{root}"
            what = "/usr/sbin" if path.startswith("/usr/") else f"/{root}"
            raise UsageError(
                f"{shown}: {what} is a link on Flatcar, and a folder in its place hides every program there; "
                f"expected a path below {place}",
                hint=f"--file {place}/{'/'.join(map(printable, below[1:] if path.startswith('/usr/') else below))}=FILE",
            )
        if path.startswith(_OWN) or path == "/usr/lib/os-release":
            raise UsageError(
                f"{shown}: it says which system this is, or is for, and the builder writes that; "
                "expected --id, --level or --version-id",
                hint=f"{_HINT} --id _any",
            )
        if path.startswith("/usr/") and (path in _FOLDERS or f"/{UNIT_FOLDER}/".startswith(f"{path}/")):
            raise UsageError(
                f"{shown}: it is a folder on Flatcar, and a file in its place hides all that is in it; expected a path below it",
                hint=f"--file {printable(path)}/NAME=FILE",
            )
        if root in {"usr", "opt"}:
            return
        if root in {"var", "home", "root", "run", "srv", "tmp"}:
            raise UsageError(
                f"{shown}: it covers /usr and /opt, and /{root} stays the machine's own; expected the file in the machine's "
                "config",
                hint=f"write it in Butane: storage: files: - path: {printable(path)}",
            )
    raise UsageError(f"{shown}; expected the path of a file below /usr or /opt", hint=_HINT)


def check_unit_name(unit: str) -> None:
    """Raise UsageError for the name of a unit that systemd would not take."""
    name, _, kind = unit.rpartition(".")
    if not name or kind not in _UNIT_KINDS:
        raise UsageError(
            f'"{printable(unit)}" is not the name of a unit; expected an end such as .{", .".join(_UNIT_KINDS[:4])}',
            hint=f"--unit {printable(unit) or 'NAME'}.service",
        )
    if name.endswith("@"):
        raise UsageError(
            f'"{unit}" is a template, and cannot be started; expected an instance of it', hint=f"--unit {name}1.{kind}"
        )


def find_units(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the units among files of an extension (paths without a leading /)."""
    names = (path.rpartition("/") for path in paths)
    return tuple(
        sorted(name for folder, _, name in names if folder == UNIT_FOLDER and name.rpartition(".")[2] in _UNIT_KINDS)
    )


def check_units(wanted: Iterable[str], paths: Iterable[str]) -> None:
    """Raise InputError for a unit that no file of the extension is: nothing would start, and nothing would say so."""
    paths = list(paths)
    there = find_units(paths)
    for unit in wanted:
        prefix, at, _ = unit.rpartition("@")
        names = {unit, f"{prefix}@.{unit.rpartition('.')[2]}"} if at else {unit}
        if names & {*there}:
            continue
        misplaced = next((path for path in paths if path.rpartition("/")[2] in names), "")
        found = f'it is at "/{printable(misplaced)}"' if misplaced else f"its units are: {', '.join(there) or 'none'}"
        raise InputError(
            f'the unit "{printable(unit)}" is not in the extension; {found}; expected a file /{UNIT_FOLDER}/{printable(unit)}',
            hint=f"--file /{UNIT_FOLDER}/{printable(unit)}={printable(unit)}",
        )


def check_unit_file(path: str, data: bytes) -> None:
    """Raise InputError for a file in the place of a unit that is none."""
    if find_units([path.lstrip("/")]) and (b"\0" in data or not re.search(rb"^\s*\[[A-Z]", data, re.MULTILINE)):
        raise InputError(
            f'"{printable(path)}" is in the place of a unit, and has no section; expected one such as [Service]',
            hint="man systemd.unit   (and for a program: --file /usr/bin/NAME=FILE)",
        )


def check_program(path: str, data: bytes) -> None:
    """Raise InputError for a program of another kind of processor, or a script that Linux finds no interpreter for."""
    first = data[:200].partition(b"\n")[0]
    if first.startswith(b"#!") and first.endswith(b"\r"):
        raise InputError(
            f'"{printable(path)}" is a script with the line ends of Windows, and Linux would look for an interpreter '
            f'"{printable(first[2:].decode(errors="replace"))}"; expected lines that end with a line feed alone',
            hint="sed -i 's/\\r$//' FILE",
        )
    if data[:4] == b"\x7fELF" and len(data) >= 20:
        machine = int.from_bytes(data[18:20], "little")
        if machine not in {_X86_64, _X86}:
            raise InputError(
                f'"{printable(path)}" is a program for {_MACHINES.get(machine, f"another processor (ELF machine {machine})")}; '
                "expected one for x86-64, which the extension is for",
                hint="take the program's build for linux-amd64",
            )


def is_program(path: str, data: bytes) -> bool:
    """Tell whether a file of an extension is to be executable."""
    folders = path.strip("/").split("/")[:-1]
    return data.startswith((b"#!", b"\x7fELF")) or bool({"bin", "libexec"} & {*folders})


def merge_sbin(tree: Path) -> None:
    """Move the programs of packages from /usr/sbin to /usr/bin, where Flatcar's own link leads. Raises ImageError."""
    sbin, target = tree / "usr/sbin", tree / "usr/bin"
    if not is_inside(tree, sbin) or sbin.is_symlink() or not sbin.is_dir():
        return
    if target.is_symlink():
        raise ImageError('a package makes "/usr/bin" a link: it is not used')
    target.mkdir(exist_ok=True)
    for path in sorted(sbin.iterdir()):
        place = target / path.name
        if path.is_symlink():
            to = str(path.readlink())
            if to.rpartition("/")[2] == path.name and to.rpartition("/")[0] in {"../bin", "/usr/bin"}:
                path.unlink()
                continue
            path.unlink()
            path.symlink_to(to.replace("/usr/sbin/", "/usr/bin/"))
        if place.is_symlink() and place.readlink().name == path.name:
            place.unlink()  # a link to what takes its place now
        if place.exists() or place.is_symlink():
            raise ImageError(f'two programs have the name "{printable(path.name)}", in /usr/bin and in /usr/sbin')
        path.rename(place)
    shutil.rmtree(sbin)
    for path in (tree / UNIT_FOLDER).rglob("*"):
        # A package's link on the way would lead to this host's own units.
        if is_inside(tree, path) and path.is_file() and not path.is_symlink():
            text = path.read_bytes()
            path.write_bytes(text.replace(b"/usr/sbin/", b"/usr/bin/").replace(b"=/sbin/", b"=/usr/bin/"))


def parse_release(text: str) -> dict[str, str]:
    """Return the assignments of an extension-release file."""
    pairs = (line.split("=", 1) for line in lines_of(text) if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def prove(
    image: Path, folder: Path, *, name: str, release: Mapping[str, str], units: Iterable[str], is_merged: bool
) -> None:
    """Read a built image again, into a new folder, and check it as systemd-sysext will.

    `release` has the expected lines of its extension-release; `is_merged`: nothing may be in /usr/sbin. Raises ImageError.
    """
    try:
        run(["fsck.erofs", f"--extract={folder}", "--no-preserve-owner", image])
    except CommandFailed as error:
        raise _bad(name, "it cannot be read", error.details) from None
    paths = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    roots = sorted({path.split("/", 1)[0] for path in paths} - {"usr", "opt"})
    if roots:
        raise _bad(name, f"it has /{printable(roots[0])}")
    own = f"{_OWN.lstrip('/')}extension-release.{name}"
    if [path for path in paths if path.startswith(_OWN.lstrip("/"))] != [own]:
        raise _bad(name, f'it has no "/{own}", or has others')
    found = parse_release((folder / own).read_text(encoding="utf-8"))
    if found != dict(release):
        raise _bad(name, f"its extension-release says {printable(json.dumps(found))}")
    if "usr/lib/os-release" in paths:
        raise _bad(name, "it has /usr/lib/os-release, which systemd refuses")
    if is_merged and (folder / "usr/sbin").exists():
        raise _bad(name, "it has /usr/sbin, which is a link on Flatcar")
    try:
        check_units(units, paths)
    except InputError as error:
        raise _bad(name, error.message) from None
    _ask_systemd(image, name)


def _ask_systemd(image: Path, name: str) -> None:
    """Ask systemd-dissect as well, where it is there and may look into images (root, with loop devices)."""
    try:
        said = run(["systemd-dissect", "--json=short", image], check=False)
        facts = parse_json(said.stdout) if said.status == 0 else {}
        uses = facts.get("useSystemExtension", True)
    except (FlatkitError, ValueError, AttributeError):
        return
    if uses is False:
        raise _bad(name, "systemd-dissect says that it is not a system extension", said.stdout)


def _bad(name: str, why: str, details: str = "") -> ImageError:
    return ImageError(
        f'the extension "{printable(name)}" was built, and is not right: {why}; it was not copied',
        hint="flatkit doctor, and report it with what you typed",
        details=details,
    )

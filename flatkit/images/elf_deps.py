"""Dependencies of an extension's programs: shared libraries and interpreters. A missing one is reported at build time."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

_DYNAMIC, _LOAD = 2, 1
_NEEDED, _STRTAB = 1, 5
# Maximum number of bytes read from a program: its dependencies are named near the start.
_PROGRAM_MAX = 256 * 1024 * 1024
# glibc's own libraries, and the interpreters that every systemd distribution has.
EVERYWHERE = (
    "ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libresolv.so.2",
    "libutil.so.1", "libgcc_s.so.1", "sh", "bash",
)  # fmt: skip


def libraries(data: bytes) -> tuple[str, ...]:
    """Return the shared libraries that a 64-bit ELF file names (DT_NEEDED); none for anything else."""
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < 64:
        return ()
    try:
        return tuple(_needed(data))
    except (struct.error, ValueError):  # truncated: ignored
        return ()


def _needed(data: bytes) -> Iterator[str]:
    table, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", data, table + size * number) for number in range(count)]
    loads = [(row[3], row[2], row[5]) for row in headers if row[0] == _LOAD]  # address, offset, size in the file
    for row in headers:
        if row[0] != _DYNAMIC:
            continue
        entries = list(struct.iter_unpack("<QQ", data[row[2] : row[2] + row[5]]))
        strings = next((value for tag, value in entries if tag == _STRTAB), None)
        start = next((at + strings - begin for begin, at, n in loads if strings and begin <= strings < begin + n), None)
        if start is None:
            return
        for tag, value in entries:
            if tag == _NEEDED:
                yield data[start + value : data.index(b"\0", start + value)].decode(errors="replace")


def interpreter(data: bytes) -> str:
    """Return the program that a script names in its first line, or ""; for `env X` that is X."""
    match = re.match(rb"#!\s*(\S+)(?:[ \t]+(\S+))?", data)
    if not match:
        return ""
    program, argument = (part.decode(errors="replace") if part else "" for part in match.groups())
    return argument if program.endswith("/env") and argument else program


def missing(tree: Path, base: Iterable[str]) -> tuple[str, ...]:
    """Return, in words, the dependencies of `tree` (the folder with `usr`) that neither it nor `base` (file paths) has."""
    files = [path for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink()]
    names = {path.rsplit("/", 1)[-1] for path in base} | {path.name for path in tree.rglob("*")}
    found: dict[str, str] = {}
    for path in files:
        if not path.stat().st_mode & 0o111 and ".so" not in path.name:
            continue
        with path.open("rb") as file:
            data = file.read(_PROGRAM_MAX)
        needs = [*libraries(data), interpreter(data[:200]).rsplit("/", 1)[-1]]
        for need in needs:
            if need and need not in names:
                found.setdefault(need, str(path.relative_to(tree)))
    return tuple(f'"{path}" needs "{need}"' for need, path in sorted(found.items()))

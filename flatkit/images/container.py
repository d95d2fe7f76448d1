"""A small container image without a registry: busybox's web server and a few pages, as `docker load` reads it.

flatkit writes it itself (one layer, one config, one manifest), so this host needs no container tool. The same content
gives the same bytes. Format: docker's image specification 1.2, which podman reads as well.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from flatkit.errors import InputError, UsageError
from flatkit.events import Observer
from flatkit.images.lab.packages import find_packages
from flatkit.run import run

_NAME = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*:[\w][\w.-]{0,127}")
# Programs for a look around inside the container.
_APPLETS = ("cat", "echo", "env", "hostname", "httpd", "id", "ls", "mount", "ps", "sh", "sleep", "uname", "wget")
_PAGE = "<!doctype html>\n<title>flatkit</title>\n<h1>Hello from a container</h1>\n"


def build_container_image(
    target: Path,
    *,
    name: str = "flatkit/web:1",
    files: Mapping[str, str] | None = None,
    busybox: Path | None = None,
    observer: Observer | None = None,
) -> Path:
    """Write a container image with a static web server (port 80, pages below /www) to `target`; return it.

    `files` maps paths below /www to their text. By default busybox is that of the lab image's packages. Raises
    UsageError for a name that docker would refuse, InputError when the file cannot be written, and as `find_packages`
    does.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f'"{name}" is not a valid name for a container image; expected lower case and a tag',
            hint="for example: flatkit/web:1",
        )
    pages = files or {"index.html": _PAGE}
    for path in pages:
        if path.startswith("/") or ".." in path.split("/"):
            raise UsageError(
                f'"{path}" cannot be a page; expected a path relative to /www', hint="for example: index.html"
            )
    program = busybox.read_bytes() if busybox else _lab_busybox(observer or Observer())
    layer = _layer(program, pages)
    config = _config(layer)
    entries = {
        f"{hashlib.sha256(config).hexdigest()}.json": config,
        "layer.tar": layer,
    }
    manifest = [{"Config": next(iter(entries)), "RepoTags": [name], "Layers": ["layer.tar"]}]
    entries["manifest.json"] = json.dumps(manifest).encode()
    try:
        target.write_bytes(_tar({path: (data, 0o644) for path, data in entries.items()}))
    except OSError as error:
        raise InputError(
            f'"{target}" cannot be written: {error.strerror}; expected a file in a folder that you can write to',
            hint="choose another place for the container image",
        ) from None
    return target


def _lab_busybox(observer: Observer) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        run(["tar", "-xf", find_packages(observer).absolute(), "-C", folder, "--no-same-owner", "./usr/bin/busybox"])
        return (Path(folder) / "usr/bin/busybox").read_bytes()


def _layer(busybox: bytes, pages: Mapping[str, str]) -> bytes:
    entries: dict[str, tuple[bytes | str, int]] = {"bin/busybox": (busybox, 0o755)}
    entries |= {f"bin/{applet}": ("busybox", 0o777) for applet in _APPLETS}
    entries |= {f"www/{path}": (text.encode(), 0o644) for path, text in pages.items()}
    return _tar(entries, folders=("bin", "tmp", "www"))


def _config(layer: bytes) -> bytes:
    return json.dumps(
        {
            "architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z",
            "config": {
                "Cmd": ["httpd", "-f", "-v", "-p", "80", "-h", "/www"], "Env": ["PATH=/bin"], "ExposedPorts": {"80/tcp": {}},
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        },
        sort_keys=True,
    ).encode()  # fmt: skip


def _tar(entries: Mapping[str, tuple[bytes | str, int]], folders: tuple[str, ...] = ()) -> bytes:
    """Return a tar archive owned by root at time zero; a text instead of bytes is a link's target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in folders:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for name, (data, mode) in sorted(entries.items()):
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            if isinstance(data, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, data
                archive.addfile(entry)
            else:
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()

"""`flatkit container`: a small container image for the lessons, made without a registry."""

from __future__ import annotations

import argparse
from pathlib import Path

from flatkit.cli.show import observer_for
from flatkit.errors import InputError
from flatkit.files import read_named
from flatkit.untrusted import printable, shell_word

_PAGE_MAX = 16 * 1024 * 1024


def run(argv: list[str]) -> int:
    """Run `build`."""
    parser = argparse.ArgumentParser(prog="flatkit container", description="Container images without a registry.")
    commands = parser.add_subparsers(dest="command", required=True)
    about = "write an image with a small web server, for docker load"
    build = commands.add_parser("build", help=about, description=f"{about[0].upper()}{about[1:]}.")
    build.add_argument("file", type=Path, metavar="FILE", help="where to write it, such as web.tar")
    build.add_argument("--name", default="flatkit/web:1", metavar="NAME:TAG", help="its name (default: flatkit/web:1)")
    build.add_argument("--page", type=Path, metavar="HTML", help="the page that it serves (default: a greeting)")
    options = parser.parse_args(argv[1:])
    from flatkit.images.container import build_container_image

    pages = {"index.html": _read(options.page)} if options.page else None
    made = build_container_image(options.file, name=options.name, files=pages, observer=observer_for(as_json=False))
    file = printable(made)
    print(f"{file}: the container image {printable(options.name)}, {made.stat().st_size / 1e6:.1f} MB")
    print(f"  flatkit ssh MACHINE -- docker load < {shell_word(made)}")
    return 0


def _read(page: Path) -> str:
    try:
        return read_named(page, limit=_PAGE_MAX).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(
            f'the page "{page}" cannot be read: {why}; expected a file of HTML',
            hint="leave --page out for a greeting",
        ) from None

"""`flatkit images`: what can be booted."""

from __future__ import annotations

import argparse
import json

from flatkit.cli.show import Json, fail_json, observer_for
from flatkit.errors import FlatkitError


def run(argv: list[str]) -> int:
    """Carry out `list`, `build-lab` or `rm`."""
    parser = argparse.ArgumentParser(prog="flatkit images", description="What can be booted.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("list", "what is in the cache"),
        ("build-lab", "build the lab image, unless it is there"),
        ("rm", "remove the lab image from the cache"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv[1:])
    actions = {"list": _list, "build-lab": _build, "rm": _rm}
    return actions[options.command](as_json=options.json)


def _list(*, as_json: bool) -> int:
    from flatkit.images.lab.build import list_lab_images
    from flatkit.images.lab.recipe import RELEASES

    found = list_lab_images()
    if as_json:
        for lab in found:
            print(json.dumps({"event": "image", "name": "lab", "version": lab.version, "disk": str(lab.disk)}))
        print(json.dumps({"event": "result", "ok": True, "images": len(found)}))
        return 0
    for lab in found:
        name = next(name for name, release in RELEASES.items() if release.version == lab.version)
        size = sum(path.stat().st_blocks * 512 for path in lab.folder.iterdir()) / 1e6
        print(f"{name:<12} {lab.version:<10} {size:4.0f} MB  {lab.folder}")
    if not found:
        print("no image yet; flatkit images build-lab builds the lab image")
    return 0


def _build(*, as_json: bool) -> int:
    from flatkit.images.lab.build import build_lab_image

    observer = observer_for(as_json=as_json)
    try:
        lab = build_lab_image(observer)
    except FlatkitError as error:
        if isinstance(observer, Json):
            return fail_json(observer, error)
        raise
    if isinstance(observer, Json):
        observer.result(ok=True, version=lab.version, disk=str(lab.disk))
    else:
        print(f"the lab image {lab.version} is ready: {lab.disk}")
    return 0


def _rm(*, as_json: bool) -> int:
    from flatkit.images.lab.build import remove_lab_images

    freed = remove_lab_images()
    print(json.dumps({"event": "result", "ok": True, "freed": freed}) if as_json else f"{freed / 1e6:.0f} MB freed")
    return 0

"""Advice on what files are fetched from, on contents that are not what they say, and on the time zone."""

from __future__ import annotations

import difflib
import pathlib
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.dataurl import decode_data_url
from flatkit.butane.machine.plan import Plan, StorageNode, data_of
from flatkit.butane.source.node import Path
from flatkit.files import read_data

_ZONES = pathlib.Path(__file__).parent.parent / "machine" / "zones.json"
_ZONE_FOLDER = "/usr/share/zoneinfo/"
_ZONE_FIX = "Write a link: path: /etc/localtime, target: ../usr/share/zoneinfo/Europe/Berlin."
_ARCHIVE = re.compile(r"\.(?:tar(?:\.(?:gz|xz|bz2|zst))?|tgz|txz|zip|xz|bz2|zst|gz)$")
_LONG = 2000
_PAGE = re.compile(r"https://github\.com/([^/?#]+)/([^/?#]+)/blob/([^?#]+)")
# How every gzip file begins, in base64: the usual case, without decoding it.
_PACKED = "data:;base64,H4sI"


@cache
def zones() -> frozenset[str]:
    """Return the time zones of IANA's database (tzdata 2026)."""
    data = read_data(_ZONES, dict)
    return frozenset(f"{area}{name}" for area, names in data.items() for name in names.split())


def advise_sources(plan: Plan) -> Iterator[Hint]:
    """Yield the advice."""
    for node in plan.files():
        yield from _fetched(node)
    clock = plan.by_path.get("/etc/localtime")
    if clock is not None:
        yield from _zone(plan, clock)


def _fetched(node: StorageNode) -> Iterator[Hint]:
    """Yield archives that are to be a program, and pages that are to be a file."""
    contents = node.item.get("contents", {})
    source = str(contents.get("source") or "").partition("?")[0]
    path = (*node.json_path, "contents", "source")
    page = _PAGE.fullmatch(source)
    if page is not None:
        raw = f"https://raw.githubusercontent.com/{page[1]}/{page[2]}/{page[3]}"
        yield hint(advice_messages.WEB_PAGE, path, path=node.path, raw=raw)
    is_program = bool(node.item.get("mode", 0) & 0o111) or node.path.startswith("/opt/bin/")
    data = data_of(contents) or b"" if source.startswith("data:") and is_program and len(source) < _LONG else b""
    if re.fullmatch(rb"\s*https?://\S+\s*", data):
        yield hint(advice_messages.ADDRESS_ONLY, (*node.json_path, "contents"), path=node.path)
    suffix = _ARCHIVE.search(source) if "://" in source else None
    if suffix is None or contents.get("compression") or _ARCHIVE.search(node.path) or not is_program:
        return
    fix = "Write it under a name that ends so, and unpack it in a oneshot unit, for example with tar -C /opt/bin -xf."
    if suffix[0] == ".gz":
        fix = "Write compression: gzip below contents."
    yield hint(advice_messages.ARCHIVE_WHOLE, path, path=node.path, suffix=suffix[0], fix=fix)


def _zone(plan: Plan, node: StorageNode) -> Iterator[Hint]:
    """Yield a zone that does not exist: systemd and glibc read the data that /etc/localtime leads to (localtime(5))."""
    if node.kind == "files":
        data = data_of(node.item.get("contents", {})) if node.item.get("contents", {}).get("source") else None
        if data is not None and not data.startswith(b"TZif"):
            yield hint(advice_messages.ZONE_TEXT, (*node.json_path, "contents"), fix=_ZONE_FIX)
        return
    target = posixpath.normpath(posixpath.join("/etc", str(node.item.get("target") or "")))
    if node.kind != "links" or target in plan.by_path:
        return
    zone = target.removeprefix(_ZONE_FOLDER)
    if not target.startswith(_ZONE_FOLDER):
        yield hint(advice_messages.ZONE_TEXT, (*node.json_path, "target"), fix=_ZONE_FIX)
    elif zone not in zones():
        close = difflib.get_close_matches(zone, sorted(zones()), n=1, cutoff=0.75)
        city = [name for name in sorted(zones()) if name.rpartition("/")[2].lower() == zone.rpartition("/")[2].lower()]
        meant = (city or close or [""])[0]
        fix = f"Did you mean {meant}?" if meant else "Zones are named Area/City, for example Europe/Berlin."
        yield hint(advice_messages.ZONE_UNKNOWN, (*node.json_path, "target"), zone=zone, fix=fix)


def advise_resources(plan: Plan) -> Iterator[Hint]:
    """Yield the contents that Ignition has to unpack and that are not packed."""
    for path, resource in resources(plan):
        if is_falsely_packed(resource):
            yield hint(advice_messages.NOT_GZIP, (*path, "compression"))


def is_falsely_packed(resource: dict[str, Any]) -> bool:
    """Return True for contents in the config itself with compression: gzip that are not gzip.

    Ignition fails on them (internal/resource/url.go, gzip.NewReader).
    """
    if resource.get("compression") != "gzip":
        return False
    source = str(resource.get("source") or "")
    if source.startswith(_PACKED):
        return False
    data = decode_data_url(source)
    return data is not None and not data.startswith(b"\x1f\x8b")


def resources(plan: Plan) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each resource of the config with its path."""
    for node in plan.files():
        if "contents" in node.item:
            yield (*node.json_path, "contents"), node.item["contents"]
        for at, piece in enumerate(node.item.get("append", ())):
            yield (*node.json_path, "append", at), piece
    config = plan.ignition.get("ignition", {}).get("config", {})
    for at, merged in enumerate(config.get("merge", ())):
        yield ("ignition", "config", "merge", at), merged
    if config.get("replace"):
        yield ("ignition", "config", "replace"), config["replace"]

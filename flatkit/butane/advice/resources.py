"""Advice on contents: what they are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.dataurl import decode_data_url
from flatkit.butane.machine.plan import Plan
from flatkit.butane.source.node import Path

# How every gzip file begins, in base64: the usual case, without decoding it.
_PACKED = "data:;base64,H4sI"


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

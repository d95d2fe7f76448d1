"""The hand-over of a config to a machine on each platform: a table of facts, and the commands for one config. Pure."""

from __future__ import annotations

from flatkit.platforms.handover import Fit, Handover, Payload, hand_over
from flatkit.platforms.platform import Piece, Platform, PlatformKind, SizeLimit, load_platforms

__all__ = [
    "PLATFORMS",
    "Fit",
    "Handover",
    "Payload",
    "Piece",
    "Platform",
    "PlatformKind",
    "SizeLimit",
    "get_platform",
    "hand_over",
]

PLATFORMS = load_platforms()


def get_platform(name: str) -> Platform:
    """The platform of that name, or of a name that people use for it. Raises UsageError."""
    import difflib

    from flatkit.errors import UsageError

    wanted = name.strip().lower()
    for platform in PLATFORMS.values():
        if wanted in {platform.name, *platform.aliases}:
            return platform
    gone = {"equinix": "its provider switched its servers off in June 2026", "packet": "see equinix",
            "rackspace": "Flatcar dropped it in May 2026"}  # fmt: skip
    near = difflib.get_close_matches(wanted, [*PLATFORMS, *(a for p in PLATFORMS.values() for a in p.aliases)], n=1)
    meant = f'; did you mean "{near[0]}"?' if near else f"; expected one of {', '.join(PLATFORMS)}"
    why = f": {gone[wanted]}" if wanted in gone else meant
    raise UsageError(f'there is no platform "{name}"{why}', hint="flatkit everywhere   (lists them)")

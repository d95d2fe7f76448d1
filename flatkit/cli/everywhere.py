"""`flatkit everywhere`: the way to pass a config on each platform, and a check that it fits there. Runs nothing."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from flatkit.cli.screen import RED, paint, screen_of
from flatkit.cli.show import print_json
from flatkit.untrusted import lines_of, printable, shell_word


def run(argv: list[str]) -> int:
    """List the platforms, or show one."""
    parser = argparse.ArgumentParser(
        prog="flatkit everywhere",
        description="Shows how a config is handed over on each platform, and whether it fits. Nothing is run.",
    )
    parser.add_argument(
        "config", nargs="?", help="a Butane or Ignition file; without one only the platforms are listed"
    )
    parser.add_argument("platform", nargs="?", help="one of them, with all that is to be typed")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv[1:])
    if options.config is None:
        return _names(as_json=options.json)
    from flatkit.api import read_config
    from flatkit.platforms import Payload

    config = read_config(options.config)
    payload = Payload.of(config.name, config.ignition)
    return _one(payload, options.platform, options.json) if options.platform else _table(payload, as_json=options.json)


def _names(*, as_json: bool) -> int:
    from flatkit.platforms import PLATFORMS

    for platform in PLATFORMS.values():
        if as_json:
            print_json(event="platform", name=platform.name, title=platform.title, how=platform.how)
        else:
            print(f"{platform.name:<13} {platform.title:<22} {platform.how}")
    if as_json:
        print_json(event="result", ok=True, platforms=len(PLATFORMS))
    return 0


def _table(payload: object, *, as_json: bool) -> int:
    from flatkit.platforms import PLATFORMS, Fit, Payload, hand_over

    assert isinstance(payload, Payload)
    if as_json:
        print_json(event="config", file=payload.file, bytes=payload.size)
    else:
        print(f"{printable(payload.file)}: {payload.size} bytes of Ignition {printable(payload.spec)}")
    fits = []
    for platform in PLATFORMS.values():
        done = hand_over(platform, payload)
        fits.append(done.fit)
        if as_json:
            print_json(event="platform", name=platform.name, fit=done.fit, verdict=done.verdict)
        else:
            mark = {Fit.TOO_BIG: "✗", Fit.FITS: "✓"}.get(done.fit, "·")
            limit = f", {platform.limit}" if platform.limit else ""
            print(f"{mark} {platform.name:<13} {platform.title:<22} {done.fit}{limit}")
    if as_json:
        print_json(event="result", ok=True, too_big=sum(fit is Fit.TOO_BIG for fit in fits))
    else:
        print(f"\nOne of them in full: flatkit everywhere {shell_word(payload.file)} aws")
    return 0


def _one(payload: object, name: str, as_json: bool) -> int:
    import sys

    from flatkit.platforms import Fit, Payload, get_platform, hand_over

    assert isinstance(payload, Payload)
    done = hand_over(get_platform(name), payload)
    if as_json:
        pieces = [asdict(piece) for piece in (*done.pieces, *done.offers)]
        print_json(
            event="result", ok=True, name=done.platform.name, fit=done.fit, bytes=payload.size, pieces=pieces,
        )  # fmt: skip
        return 0
    screen = screen_of(sys.stdout)
    for line in lines_of(str(done)):
        is_bad = done.fit is Fit.TOO_BIG and line.startswith("✗")
        screen.put(*(paint(line, RED, screen) if is_bad else (line,)), "\n")
    return 0

"""`flatkit demo`: plays a demo in the terminal."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from flatkit.cli.show import Json, observer_for


def run(argv: list[str]) -> int:
    """Carry out `list` or `run`."""
    parser = argparse.ArgumentParser(prog="flatkit demo", description="Play a demo for real, in this terminal.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="the demos there are")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    play = commands.add_parser("run", help="play one, or all")
    play.add_argument("name")
    play.add_argument("--image", default="auto")
    play.add_argument("--keep", action="store_true", help="leave its machines, and name them")
    play.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv[1:])
    return _list(as_json=options.json) if options.command == "list" else _run(options)


def _list(*, as_json: bool) -> int:
    from flatkit.demos import DEMOS

    for demo in DEMOS.values():
        row = {"event": "demo", "name": demo.name, "title": demo.title, "steps": len(demo.steps)}
        print(json.dumps(row) if as_json else f"{demo.name:<12} {demo.title} ({len(demo.steps)} steps)")
    if as_json:
        print(json.dumps({"event": "result", "ok": True, "demos": len(DEMOS)}))
    return 0


def _run(options: argparse.Namespace) -> int:
    from flatkit.demos import DEMOS, get_demo
    from flatkit.demos.runner import play
    from flatkit.workshop import stage

    demos = list(DEMOS.values()) if options.name == "all" else [get_demo(options.name)]
    observer = observer_for(as_json=options.json, stream=sys.stdout)
    results, machines, timelines = [], [], []
    for demo in demos:
        with stage(image=options.image, keep=options.keep) as local:
            results.append(play(demo, local, observer))
            machines += [machine.name for machine in local.machines]
            timelines.append(local.timeline)
        if not options.json:
            _summary(results[-1].demo, results[-1].ok, str(timelines[-1]))
    ok = all(result.ok for result in results)
    if isinstance(observer, Json):
        observer.result(
            ok=ok, demos=[asdict(result) for result in results], machines=machines if options.keep else [],
            timeline=[[name, round(seconds, 3)] for timeline in timelines for name, _, seconds in timeline.phases],
        )  # fmt: skip
    elif options.keep:
        print(
            f"kept: {', '.join(machines)}   (flatkit ssh {machines[-1]}; flatkit clean removes them)"
            if machines
            else ""
        )
    return 0 if ok else 1


def _summary(name: str, ok: bool, timeline: str) -> None:
    print()
    print(f"{name}: {'every check passed' if ok else 'a check failed'}")
    if ok and timeline:
        print("\nWhere the time went:")
        print(timeline)

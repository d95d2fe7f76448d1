"""`flatkit demo`: plays a demo in the terminal, for real or from a recording, and records it."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.cli.show import Json, Terminal, observer_for, print_json
from flatkit.errors import UsageError
from flatkit.events import Observer, Said, Tee
from flatkit.untrusted import printable, shell_word

if TYPE_CHECKING:
    from flatkit.api.demo_env import LocalStage
    from flatkit.demos.recording import Recording
    from flatkit.demos.runner import DemoResult
    from flatkit.steps import Demo

# Speed factor of a recording that plays because this host cannot boot.
_SPEED_OF_ITSELF = 4.0


def run(argv: list[str]) -> int:
    """Run `list` or `run`."""
    parser = argparse.ArgumentParser(prog="flatkit demo", description="Play a demo for real, in this terminal.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="the demos there are")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    play = commands.add_parser(
        "run", help="play one, or all", description="Play a demo for real. Where nothing can boot, its recording plays."
    )
    play.add_argument("name", help="its name, all, or the folder of a lesson of somebody's")
    play.add_argument("--image", help="default: auto; one that is named is never replaced by a recording")
    play.add_argument("--keep", action="store_true", help="leave its machines, and name them")
    play.add_argument(
        "--step", action="store_true", help="a key a step; r, also while one runs, continues with its recording"
    )
    play.add_argument("--record", type=Path, metavar="DIR", help="write NAME.cast.gz there")
    play.add_argument(
        "--replay",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="DIR|FILE",
        help="play a recording (default: the one that ships)",
    )
    play.add_argument("--speed", type=float, metavar="X", help="of a recording: X times as fast; 0: without waiting")
    play.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv[1:])
    if options.command == "list":
        return _list(as_json=options.json)
    if options.record and options.replay:
        raise UsageError("--record and --replay exclude each other", hint="flatkit demo run NAME --record DIR")
    if options.speed is not None and not 0 <= options.speed < float("inf"):
        raise UsageError(
            f'--speed "{options.speed:g}"; expected 0 or more', hint="flatkit demo run NAME --replay --speed 10"
        )
    return _run(options)


def _list(*, as_json: bool) -> int:
    from flatkit.demos import DEMOS, find_others
    from flatkit.demos.recording import find_recording

    for demo in (*DEMOS.values(), *find_others()):
        if as_json:
            print_json(
                event="demo", name=demo.name, title=demo.title, steps=len(demo.steps),
                recorded=find_recording(demo.name) is not None,
            )  # fmt: skip
        else:
            print(f"{printable(demo.name):<12} {printable(demo.title)} ({len(demo.steps)} steps)")
    if as_json:
        print_json(event="result", ok=True, demos=len(DEMOS))
    return 0


@dataclass(frozen=True, kw_only=True)
class _Played:
    """Result of a demo; `recorded` is empty after a real run."""

    result: DemoResult
    machines: tuple[str, ...] = ()
    timeline: tuple[tuple[str, float], ...] = ()
    times: str = ""
    recorded: str = ""


def _run(options: argparse.Namespace) -> int:
    from flatkit.api import stage
    from flatkit.demos import DEMOS, get_demo

    is_all = options.name == "all"
    demos = list(DEMOS.values()) if is_all else [get_demo(options.name)]
    observer = observer_for(as_json=options.json, stream=sys.stdout)
    played = []
    # All demos share one stage: a machine made by one is rewound for the next, which saves a boot.
    with stage(image=options.image or "auto", keep=options.keep, reuse=True) if is_all else nullcontext() as shared:
        for number, demo in enumerate(demos, start=1):
            played.append(_play(demo, options, observer, shared))
            if shared:
                shared.let_go(demos[number:])
            if not options.json:
                _summary(played[-1])
    ok = all(one.result.ok for one in played)
    machines = list(dict.fromkeys(name for one in played for name in one.machines)) if options.keep else []
    if isinstance(observer, Json):
        observer.result(
            ok=ok, demos=[asdict(one.result) for one in played], machines=machines,
            timeline=[[name, round(seconds, 3)] for one in played for name, seconds in one.timeline],
            recorded={one.result.demo: one.recorded for one in played if one.recorded},
        )  # fmt: skip
    elif machines:
        who = "demo" if is_all else shell_word(demos[0].name)
        print(f"kept: {', '.join(machines)}   (flatkit ssh {machines[-1]}; flatkit clean --made-by {who} removes them)")
    return 0 if ok else 1


def _play(demo: Demo, options: argparse.Namespace, observer: Observer, shared: LocalStage | None) -> _Played:
    """Play one demo; with --step one key press a step."""
    if not options.step:
        return _play_watched(demo, options, observer, shared)
    from flatkit.cli.keys import Keys, Stepper

    with Keys() as keys:
        return _play_watched(demo, options, Tee(observer, Stepper(keys)), shared)


def _play_watched(demo: Demo, options: argparse.Namespace, watcher: Observer, shared: LocalStage | None) -> _Played:
    from flatkit.cli.keys import GoOnRecorded
    from flatkit.demos.recording import get_recording

    if options.replay is not None:
        # --replay alone: the recording that ships.
        place = options.replay if options.replay != Path() else None
        recording = get_recording(demo.name, place)
        return _replay(recording, watcher, speed=1.0 if options.speed is None else options.speed)
    boots = any(step.boot for step in demo.steps)
    if options.image is None and boots and (stand_in := _stand_in(demo, watcher)):
        return _replay(stand_in, watcher, speed=_SPEED_OF_ITSELF if options.speed is None else options.speed)
    try:
        return _live(demo, options, watcher, shared)
    except GoOnRecorded as wish:
        recording = get_recording(demo.name)
        return _replay(recording, watcher, speed=options.speed or _SPEED_OF_ITSELF, start=wish.number)


def _stand_in(demo: Demo, observer: Observer) -> Recording | None:
    """Return the recording to play on a host that cannot boot; None on one that can, and without a recording."""
    from flatkit.demos.recording import find_recording, get_recording
    from flatkit.host import find_obstacle

    obstacle = find_obstacle()
    if not obstacle or find_recording(demo.name) is None:
        return None
    observer.notify(
        Said(text=f"no machine can boot here ({obstacle}), so a recorded run is shown; flatkit doctor says more")
    )
    return get_recording(demo.name)


def _replay(recording: Recording, observer: Observer, *, speed: float, start: int = 1) -> _Played:
    from flatkit.demos.recording import replay

    result = replay(recording, observer, speed=speed, start=start)
    return _Played(result=result, recorded=recording.banner)


def _live(demo: Demo, options: argparse.Namespace, observer: Observer, shared: LocalStage | None) -> _Played:
    from flatkit.demos.recording import Recorder
    from flatkit.demos.runner import play

    recorder = Recorder(demo=demo.name, title=demo.title, screen=lambda stream: Terminal(stream, verbose=True))
    # The recorder comes first, so a step that waits for a key is recorded as begun, with the times of the real run.
    watcher = Tee(recorder, observer) if options.record else observer
    with _stage_for(demo, options, shared) as local:
        result = play(demo, local, watcher)
        image = local.image
        machines = tuple(machine.name for machine in local.machines)
    if options.record:
        path = recorder.write(options.record, ok=result.ok, image=image or "no machine")
        observer.notify(Said(text=f"recorded: {path}"))
    timeline = tuple((name, seconds) for name, _, seconds in local.timeline.phases)
    return _Played(result=result, machines=machines, timeline=timeline, times=str(local.timeline) if timeline else "")


def _stage_for(
    demo: Demo, options: argparse.Namespace, shared: LocalStage | None
) -> AbstractContextManager[LocalStage]:
    from flatkit.api import stage
    from flatkit.machines import Creator, terminal_session

    made_by = Creator(session=terminal_session(), task=f"demo {demo.name}")
    if shared is None:
        return stage(image=options.image or "auto", keep=options.keep, configs=demo.folder, made_by=made_by)
    shared.begin(made_by)
    return nullcontext(shared)


def _summary(played: _Played) -> None:
    print()
    verdict = "every check passed" if played.result.ok else "a step failed"
    recorded = f" ({printable(played.recorded)})" if played.recorded else ""
    print(f"{printable(played.result.demo)}: {verdict}{recorded}")
    if played.result.ok and played.times:
        print("\nWhere the time went:")
        print(played.times)

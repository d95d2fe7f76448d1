"""`flatkit present`: a demo on a stage, a key for each move, with notes and a clock on a second terminal."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from flatkit.cli.show import Json, fail_json
from flatkit.errors import FlatkitError, UsageError
from flatkit.untrusted import printable, shell_word

if TYPE_CHECKING:
    from flatkit.api.demo_env import LocalStage
    from flatkit.demos.presentation import Presentation
    from flatkit.demos.recording import Recording
    from flatkit.steps import Demo

_KEYS = """\
keys (lines where the input is not a terminal):
  n, space, right   go on: run this step, then show the next one
  b, left           look at the step before; the machine stays as it is
  Enter             run the step that is shown
  g                 run the last step again
  s                 skip this step
  w                 rewind the machine to before the step that is shown
  j                 jump to a step: j 5
  e                 show or hide the explanation
  r                 go on with the recording, also while a step runs
  1 to 6, v         at a prediction: one more hand for an answer; v 12 3 5: all counts
  q                 end, and remove the machines
"""
_HOURS_MAX = 24 * 60


def run(argv: list[str]) -> int:
    """Run `present`."""
    parser = argparse.ArgumentParser(
        prog="flatkit present", description="Present a demo on a stage: a key for each move.", epilog=_KEYS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("demo", nargs="?", help="its name, or the folder of a lesson; flatkit demo list")
    parser.add_argument("--image", help="default: auto; one that is named is never replaced by a recording")
    parser.add_argument("--recorded", action="store_true", help="present the recording: no machine is booted")
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="X", help="of a recording: X times as fast; 0: at once"
    )
    parser.add_argument(
        "--minutes", type=float, default=0.0, metavar="M", help="the notes say how much of them is left"
    )
    parser.add_argument(
        "--notes", action="store_true", help="notes and clock of the presentation that runs on this host"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv[1:])
    if options.notes:
        return _notes(as_json=options.json)
    if options.demo is None:
        raise UsageError("which demo?", hint="flatkit demo list   names them; flatkit present provision")
    if options.recorded and options.image:
        line = f"flatkit present {shell_word(options.demo)} --recorded"
        raise UsageError("--recorded and --image exclude each other", hint=line)
    if not 0 <= options.minutes <= _HOURS_MAX:
        raise UsageError(f'--minutes "{options.minutes:g}"; expected 0 to {_HOURS_MAX}', hint="--minutes 20")
    if not 0 <= options.speed < float("inf"):
        raise UsageError(f'--speed "{options.speed:g}"; expected 0 or more', hint="--speed 4")
    json = Json() if options.json else None
    try:
        return _present(options, json)
    except FlatkitError as error:
        if json is None:
            raise
        return fail_json(json, error)


def _present(options: argparse.Namespace, json: Json | None) -> int:
    from flatkit.cli.keys import Keys
    from flatkit.cli.stage import Presenter
    from flatkit.demos import get_demo
    from flatkit.demos.presenting import LivePlay, RecordedPlay, typical_seconds
    from flatkit.demos.recording import find_recording, get_recording

    demo = get_demo(options.demo)
    recording = get_recording(demo.name) if options.recorded or find_recording(demo.name) else None
    obstacle = "" if options.recorded else _obstacle(demo, options, recording)
    is_recorded = options.recorded or bool(obstacle)
    with Keys() as keys, _stage_for(demo, options, is_recorded) as stage:
        presenter = Presenter(demo, keys, minutes=options.minutes, json=json, typical=typical_seconds(recording))
        play: LivePlay | RecordedPlay
        if stage is None:
            assert recording is not None
            play = RecordedPlay(recording, presenter.watch, speed=options.speed)
            banner = f"no machine can boot here ({obstacle}): {recording.banner}" if obstacle else recording.banner
        else:
            play, banner = LivePlay(demo, stage, presenter.watch), ""
        show = presenter.present(play, to_recording=lambda: get_recording(demo.name), banner=banner)
        machines = bool(stage and stage.machines)
        if machines and json is None:
            print("the machines of this demo are removed", flush=True)
    return _end(demo, show, json)


def _obstacle(demo: Demo, options: argparse.Namespace, recording: Recording | None) -> str:
    """Return why the recording is presented on this host; "" where the demo can run."""
    from flatkit.host import find_obstacle

    boots = any(step.boot for step in demo.steps)
    return (find_obstacle() or "") if options.image is None and boots and recording is not None else ""


def _stage_for(
    demo: Demo, options: argparse.Namespace, is_recorded: bool
) -> AbstractContextManager[LocalStage] | AbstractContextManager[None]:
    if is_recorded:
        return nullcontext()
    from flatkit.api import stage
    from flatkit.machines import Creator, terminal_session

    made_by = Creator(session=terminal_session(), task=f"demo {demo.name}")
    # A machine that is booted again goes back to its checkpoint `fresh`.
    return stage(image=options.image or "auto", configs=demo.folder, reuse=True, made_by=made_by)


def _end(demo: Demo, show: Presentation, json: Json | None) -> int:
    marks = [str(mark) for mark in show.marks]
    if json is not None:
        json.result(ok=not show.failed, demo=demo.name, marks=marks, recorded=show.is_recorded)
    else:
        counts = ", ".join(f"{marks.count(one)} {one}" for one in dict.fromkeys(marks))
        print(f"{printable(demo.name)}: {counts}")
    return 1 if show.failed else 0


def _notes(*, as_json: bool) -> int:
    from flatkit.cli.screen import screen_of
    from flatkit.cli.stage import put_lines
    from flatkit.cli.stage_notes import find_presentation, read_view, wait_for_change
    from flatkit.cli.stage_view import notes_lines

    json = Json()
    path = find_presentation()
    screen = screen_of(sys.stdout)
    ticks = screen.isatty() and not as_json
    changed, shown = -1.0, None
    while True:
        changed = wait_for_change(path, changed)
        try:
            view = read_view(path)
        except ValueError as error:
            raise UsageError(f'the notes "{path}" cannot be read: {error}', hint="flatkit present provision") from None
        if view is None:
            break
        if view != shown and as_json:
            json.happened("notes", **view.as_dict())
        elif ticks or view != shown:
            width = shutil.get_terminal_size().columns if ticks else 100
            put_lines(screen, notes_lines(view, now=time.time(), width=width), over=ticks)
        shown = view
    if as_json:
        json.result(ok=True)
    else:
        print("the presentation is over")
    return 0

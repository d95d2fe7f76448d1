"""The names of `import flatkit as fk`. Each returns a value that displays itself, as text as well."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatkit.errors import ConfigFaults, FlatkitError, InputError, MachineError, UsageError
from flatkit.untrusted import is_number

if TYPE_CHECKING:
    from flatkit.api import Config, Wish
    from flatkit.widgets.channels_card import ChannelsCard
    from flatkit.widgets.check_card import CheckCard
    from flatkit.widgets.course_card import CourseCard
    from flatkit.widgets.editor import Editor
    from flatkit.widgets.info_cards import Chooser, CommunityCard, DoctorCard, TermCard
    from flatkit.widgets.live_machine import LiveMachine
    from flatkit.widgets.player import Player
    from flatkit.widgets.prediction_card import PredictionCard
    from flatkit.widgets.quiz_card import QuizCard
    from flatkit.widgets.results import Note


def doctor() -> DoctorCard:
    """Examine this host; each failed check has one command that fixes it."""
    from flatkit.host import examine
    from flatkit.widgets.info_cards import DoctorCard

    return DoctorCard(examination=examine())


def editor(path: str | Path = "web.bu") -> Editor:
    """Edit a Butane file, with its faults and the Ignition that it becomes beside it. Raises InputError."""
    from flatkit.widgets.editor import get_editor
    from flatkit.widgets.given import must_be_file

    must_be_file("the config", path, right='fk.editor("web.bu")')
    return get_editor(Path(path))


def up(
    config: str | Path | None = None,
    *,
    name: str | None = None,
    image: str = "auto",
    ports: int | Iterable[int] = (),
    memory: int | str | None = None,
    disks: int | Iterable[int] = (),
    fresh: bool = False,
) -> LiveMachine:
    """Make a machine from a config (without one: user core and flatkit's key alone) and return at once; `await` waits.

    An existing machine of that name is returned, started if it is off. A config is applied once, on the first boot: with
    `fresh` a new machine replaces the old one. `ports` are ports of the machine to reach from here; `memory` is in
    MiB, or a text such as "2G"; `disks` are the sizes, in GiB, of extra disks: /dev/vdb and so on.
    Raises InputError and ConfigFaults for the config, MachineError for a machine that was made in another way.
    """
    from flatkit import api
    from flatkit.machines import Creator, Forward
    from flatkit.machines.sizes import parse_memory
    from flatkit.widgets import display, given, live_machine
    from flatkit.widgets.cell_hints import call_hints

    read = _read(config)
    given.must_be_text("the image", image, right='fk.up(..., image="stable")')
    if name is not None:
        given.must_be_text("the name", name, right='fk.up(..., name="web")')
    guests = _numbers("ports", ports)
    with call_hints():
        wish = api.Wish(
            name=name or api.default_name(config),
            image=image,
            forwards=tuple(Forward(host=0, guest=port) for port in guests),
            memory_mib=parse_memory(memory) if isinstance(memory, str) else memory,
            disks_gib=_numbers("disks", disks),
            made_by=Creator(session=display.session()),
        )
        machine = live_machine.get(wish.name)
    if machine.is_busy:
        _must_be_the_same(machine, (read.text, wish, fresh))
    else:
        _begin(machine, read, wish, fresh=fresh)
        machine.asked = (read.text, wish, fresh)
    machine.display()
    return machine


def _read(config: str | Path | None) -> Config:
    from flatkit import api
    from flatkit.widgets import given

    if config is None:
        return api.NO_CONFIG
    given.must_be_file("the config", config, right='fk.up("web.bu")')
    path = Path(config).expanduser()
    if not path.exists():
        near = difflib.get_close_matches(path.name, [there.name for there in path.parent.glob("*.bu")], n=1)
        what = f'did you mean "{near[0]}"?' if near else "expected a Butane (.bu) or Ignition (.ign) file"
        raise InputError(
            f'there is no file "{config}" in this folder; {what}',
            hint=f'run the cell that begins with   %%butane {config}   or open it: fk.editor("{config}")',
        )
    try:
        return api.read_config(config)
    except ConfigFaults as error:
        # Butane's own message counts lines in its way, and the hint is for a terminal; the details have the right lines.
        raise ConfigFaults(
            f'the config "{config}" has faults, so no machine is made', report=error.report, details=error.details,
            hint=f'fk.editor("{config}")   marks each, and says what to write; or correct its %%butane cell',
        ) from None  # fmt: skip


def _numbers(what: str, given: Any) -> tuple[int, ...]:
    """Return one number or several as a tuple. Raises UsageError for anything else, as a number in quotes."""
    numbers = tuple(given) if isinstance(given, list | tuple | set | range) else (given,)
    if all(type(number) is int for number in numbers):
        return numbers
    usual = {"ports": 80, "disks": 1}[what]
    right = ", ".join(str(n) if is_number(str(n)) else str(usual) for n in numbers)
    raise UsageError(
        f"{what}={given!r} is not a number; expected one, or a list of them, without quotes",
        hint=f"fk.up(..., {what}={right})" if len(numbers) == 1 else f"fk.up(..., {what}=[{right}])",
    )


def _must_be_the_same(machine: LiveMachine, asked: Any) -> None:
    """Accept a cell that is run again while the machine boots. Raises MachineError if it asks for another machine."""
    from flatkit.widgets import display

    if machine.asked != asked:
        me = display.variable_of(machine)
        raise MachineError(
            f'the machine "{machine.name}" is still {machine.state}, as it was asked for before',
            hint=f"await {me}, or {me}.cancel(); then this cell again",
        )


def _begin(machine: LiveMachine, config: Config, wish: Wish, *, fresh: bool) -> None:
    from flatkit import api
    from flatkit.widgets import display

    made = None if fresh else machine.find_made()
    if made is None:
        machine.boot(config, wish, fresh=fresh)
        return
    differences = api.find_differences(made, config, wish)
    if machine.state == "failed" and not differences:
        raise MachineError(
            f'the machine "{machine.name}" failed to boot earlier, and is kept so that you can inspect it: {made.record.cause}',
            hint=f"{display.variable_of(machine)}.console   shows its last lines; {_fresh_call(config)}   makes a fresh one",
        )
    if differences:
        raise _made_otherwise(machine.name, config, differences)
    if wish.image == "auto":
        machine.boot(None, wish)
    else:
        # Asked for by name, the image is compared as well, by the machine itself.
        spec = made.spec
        machine.boot(config, replace(wish, forwards=spec.forwards, memory_mib=spec.memory_mib))


def _fresh_call(config: Config) -> str:
    return f'fk.up("{config.name}", ..., fresh=True)' if config.name else "fk.up(..., fresh=True)"


def _made_otherwise(name: str, config: Config, differences: tuple[str, ...]) -> MachineError:
    hint = f"{_fresh_call(config)}   makes a fresh machine instead; what is on this one is lost"
    if "config" in differences:
        told = f'"{config.name}" has changed since the machine "{name}" was made' if config.name else (
            f'the machine "{name}" was made with a config')  # fmt: skip
        return MachineError(f"{told}; a config is applied once, on the first boot", hint=hint)
    return MachineError(
        f'the machine "{name}" was made with other {" and ".join(differences)}; they are fixed when it is made',
        hint=hint,
    )


def play(
    name: str,
    on: str | Path | LiveMachine | None = None,
    *,
    image: str = "auto",
    keep: bool = False,
    recorded: bool = False,
    speed: float = 1.0,
    checkpoints: bool = False,
) -> Player | Chooser | CommunityCard:
    """Play a demo, step by step with its buttons, or all of it with `await`. Raises UsageError.

    `fk.play("update", m)` plays it on your machine, which stays as the demo leaves it (`m.rewind()` resets it); otherwise
    the demo makes its own machines. If no machine can boot, the recorded run is shown, and says so; with `recorded` always,
    `speed` times as fast. `fk.play("everywhere", "web.bu")` shows how your config is handed over on each platform,
    `fk.play("community")` the channels and meetings of the Flatcar community. With `checkpoints` the machines are saved before
    each step, so that each can be rewound to, on a stage. Raises InputError for the config.
    """
    from flatkit.widgets import given
    from flatkit.widgets.cell_hints import call_hints
    from flatkit.widgets.live_machine import LiveMachine
    from flatkit.widgets.player import get_player

    given.must_be_text("the demo", name, right='fk.play("update")')
    guest = on if isinstance(on, LiveMachine) else None
    config = None if isinstance(on, LiveMachine) else on
    if name == "everywhere" and config is not None:
        from flatkit.widgets.info_cards import Chooser

        return Chooser(_read(config))
    if name == "community":
        from flatkit.widgets.info_cards import CommunityCard

        return CommunityCard()
    if config is not None:
        raise UsageError(
            f'"{config}" is not a machine, and the demo "{name}" takes no config; expected nothing, or a machine\'s variable '
            "without quotes",
            hint=f'fk.play("{name}")   or fk.play("{name}", m)',
        )
    with call_hints():
        return get_player(
            name, image=image, keep=keep, recorded=recorded, speed=speed, checkpoints=checkpoints, guest=guest
        )


def channels() -> ChannelsCard:
    """Show the version that each channel offers and each machine runs; `.serve()` starts an update server.

    `.url` is its address for a machine, `.promote("beta", to="stable")` makes stable offer the version of beta.
    """
    from flatkit.widgets.channels_card import get_card

    return get_card()


def course() -> CourseCard:
    """Show the course as a path: what is done, where you were, what is next, the minutes left. Raises HostError."""
    from flatkit.widgets.course_card import get_course

    return get_course()


def glossary(word: str) -> TermCard:
    """Return a word of the course with its meaning in one sentence. Raises UsageError with the nearest words."""
    from flatkit.lessons.glossary import get_term
    from flatkit.widgets.cell_hints import call_hints
    from flatkit.widgets.given import must_be_text
    from flatkit.widgets.info_cards import TermCard

    must_be_text("the word", word, right='fk.glossary("slot")')
    with call_hints():
        return TermCard(term=get_term(word))


def check(name: str, machine: Any = None) -> CheckCard | QuizCard | PredictionCard | Note:
    """Check an exercise, on a machine if it needs one; or ask the questions of a quiz, or a prediction. Raises UsageError.

    The card reports what was found and what was expected; its buttons check again, give hints and show the solution.
    `fk.check("review")` asks up to five questions that you answered one, five or fourteen days ago.
    """
    if name == "review":
        from flatkit.widgets.review_card import get_review_card

        return get_review_card()
    from flatkit.widgets import given
    from flatkit.widgets.cell_hints import call_hints
    from flatkit.widgets.check_card import get_card

    given.must_be_text("the exercise", name, right='fk.check("00-hello")')
    given.must_be_machine(machine, right=f'fk.check("{name}", m)')
    with call_hints():
        return get_card(name, machine)


def clean(*, everything: bool = False) -> Note:
    """Remove the machines that this notebook made, and report which, and which others there are. Your files stay.

    With `everything` the machines of your other notebooks, demos and terminals are removed as well.
    """
    from flatkit.machines import find_machines, remove_machines
    from flatkit.widgets import channels_card, display, extension_server, live_machine, player
    from flatkit.widgets.results import Note

    player.stop_all()
    channels_card.stop()
    extension_server.stop()
    session, ended = display.session(), []
    for machine in live_machine.held():
        if everything or machine.is_made_in(session):
            ended += [machine.name] if machine.is_busy else []
            machine.cancel(wait=True)
    try:
        there = find_machines()
    except FlatkitError as error:
        return Note(lines=(str(error),), ok=False)
    machines = [info for info in there if everything or info.made_by.session == session]
    troubles = remove_machines(machines)
    others = [info for info in there if info not in machines]
    for machine in live_machine.held():
        if machine.name not in {info.name for info in others}:
            machine.forget()
    names = ", ".join(f"{info.name} (made by: {info.made_by})" for info in others)
    left = (f"other machines of yours stay: {names}; fk.clean(everything=True) removes them",) if others else ()
    if troubles:
        return Note(lines=("not everything could be removed", *troubles, *left), ok=False)
    # A boot that has just begun leaves no machine behind.
    names = ", ".join(dict.fromkeys([*(info.name for info in machines), *ended]))
    nothing = "nothing to clean: this notebook has no machines" if others else (
        "nothing to clean: flatkit has no machines here")  # fmt: skip
    return Note(lines=(f"removed: {names}" if names else nothing, *left))

"""The effect of a config on a machine, in order and in whole sentences, with the reason for what Butane added.

The order is Ignition's own: configs are fetched and merged, kernel arguments, disks, then users, files and units; only
then does the machine start for real. Each sentence says what will happen on Flatcar: what fails or is ignored by the
advice (`advice/`) is reported here, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from flatkit.butane.advice import FATAL, plan_and_hints
from flatkit.butane.advice.hint import Hint
from flatkit.butane.explain_disks import explain_disks
from flatkit.butane.explain_files import explain_files
from flatkit.butane.explain_units import explain_units
from flatkit.butane.explain_users import explain_users
from flatkit.butane.machine.plan import Plan
from flatkit.butane.machine.told import Told, source_in_words
from flatkit.butane.source.node import Path
from flatkit.butane.transpile import Translation
from flatkit.report import Span


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One thing that happens. `reason` says why Butane or Ignition does it that way; `json_path` and `span` say where.

    `fails`: the first boot ends here, and nothing that comes later happens.
    """

    phase: str
    text: str
    reason: str = ""
    json_path: Path = ()
    span: Span | None = None
    fails: bool = False


PHASES = ("configs", "kernel", "disks", "users", "files", "units")
TITLES = {
    "configs": "First, Ignition fetches",
    "kernel": "Then it looks at the kernel command line",
    "disks": "Then it prepares the disks",
    "users": "Then it creates users and groups",
    "files": "Then it writes directories, files and links",
    "units": "Then it hands units to systemd",
}
_PARTS = {
    "disks": explain_disks,
    "users": explain_users,
    "files": explain_files,
    "units": explain_units,
}
_FAILED = (
    "The boot fails there, and nothing after that happens: the machine offers an emergency shell, and after five minutes it "
    "restarts and fails again. Correct it first."
)
_BEGIN = "On the first boot, before anything else starts, Ignition {}:"
_ONCE = "Ignition does not run again on this machine, unless flatcar-reset asks for it: to change the config, make a new machine."


def explain(translation: Translation) -> tuple[Sentence, ...]:
    """Return the sentences, in the order in which things happen; () for a config that does not translate."""
    if translation.ignition is None:
        return ()
    plan, hints = plan_and_hints(translation.ignition)
    problems = _problems(plan, hints)
    told: list[tuple[str, Told]] = [("configs", one) for one in _configs(plan)]
    told += [("kernel", one) for one in _kernel(plan)]
    # What replaces a config is all that counts.
    told = [pair for pair in told if pair[0] == "configs" or not plan.is_replaced]
    for phase, part in _PARTS.items() if not plan.is_replaced else ():
        told += [(phase, one) for one in part(plan, translation)]
    out: list[Sentence] = []
    reasons: set[str] = set()
    for phase, one in told:
        one = _with_problem(one, problems)
        # A reason is given once.
        reason = "" if one.reason in reasons else one.reason
        reasons.add(one.reason)
        span = translation.provenance.span(one.path)
        out.append(Sentence(phase=phase, text=one.text, reason=reason, json_path=one.path, span=span, fails=one.fails))
    return tuple(out)


def explain_text(translation: Translation) -> str:
    """Return the same as text for a terminal."""
    sentences = explain(translation)
    out: list[str] = []
    for phase in PHASES:
        mine = [sentence for sentence in sentences if sentence.phase == phase]
        if mine:
            # The first of them begins the whole: "First" and "Then" count from there.
            title = TITLES[phase] if out else TITLES[phase].removeprefix("First, ").removeprefix("Then ")
            out += ["", f"{title}:"] if out else [_BEGIN.format(title.removeprefix("it ").removeprefix("Ignition "))]
            for sentence in mine:
                out.append(f"  - {sentence.text}")
                if sentence.reason:
                    out.append(f"      Why: {sentence.reason}")
    if not sentences:
        out.append("The config is empty. The machine starts, but nobody can log in over SSH.")
    out += ["", _FAILED if any(sentence.fails for sentence in sentences) else _ONCE]
    return "\n".join(out) + "\n"


# Advice that is reported in the sentence about its item, beside what makes the boot fail: the item is useless.
_TOLD = frozenset((
    "path-volatile", "path-partition", "keys-unreadable", "network-suffix", "network-section", "script-crlf", "kernel-grub",
    "link-dangling", "sysext-file", "sysext-unknown", "unit-as-file", "device-undefined", "unit-no-service", "service-user",
    "program-missing", "program-not-executable", "service-group", "unit-builtin", "unit-terminal", "unit-detached", "swap-early",
    "file-unread", "mount-read-only", "kernel-quotes", "unit-variable", "docker-config", "zone-text", "directory-closed",
    "program-no-shebang", "program-interpreter", "program-unwritten", "order-cycle", "address-only", "program-turned-off",
    "unit-needs-masked", "unit-needs-unit", "unit-needs-path", "ssh-port-socket", "sysext-empty",
    "sudoers-writable", "archive-whole", "web-page", "network-no-id",
))  # fmt: skip


# Of these, what makes the start of a unit fail.
_FAILING = frozenset((
    "program-missing", "program-not-executable", "service-user", "service-group", "unit-builtin", "unit-terminal",
    "unit-variable", "program-no-shebang", "program-interpreter", "program-unwritten", "order-cycle",
    "program-turned-off", "unit-needs-masked", "unit-needs-unit", "unit-needs-path",
))  # fmt: skip


# Faults of a file that are the end of a unit's promise.
_OF_FILES = frozenset(("program-not-executable", "program-no-shebang", "program-interpreter"))


def _problems(plan: Plan, hints: tuple[Hint, ...]) -> dict[Path, tuple[str, str]]:
    """Return the worst advice for each item: its code, and its words as a sentence."""
    found: dict[Path, tuple[str, str]] = {}
    units: dict[str, list[Path]] = {}
    for at, unit in enumerate(plan.units):
        units.setdefault(str(unit.get("name")), []).append(("systemd", "units", at))
    for one in hints:
        code, item = one.message.code, _item(one.path)
        if code in FATAL | _TOLD and (item not in found or (code in FATAL and found[item][0] not in FATAL)):
            found[item] = (code, _as_sentence(str(one.message(**one.values) if one.values else one.message())))
            for path in units.get(one.values.get("unit", ""), ()) if code in _OF_FILES else ():
                found.setdefault(path, found[item])
    return found


def _item(path: Path) -> Path:
    """Return the path of the item that a path is in: up to the first index."""
    length = next((at + 1 for at, part in enumerate(path) if isinstance(part, int)), len(path))
    return path[:length] if length < len(path) or isinstance(path[-1], int) else path[:3]


def _as_sentence(words: str) -> str:
    # The names of programs are written as they are.
    is_name = words.startswith(("systemd", "containerd ", "sshd ", "udev ", "sudo ", "mdadm "))
    return f"{words if is_name else words[:1].upper() + words[1:]}."


def _with_problem(one: Told, problems: dict[Path, tuple[str, str]]) -> Told:
    code, words = problems.get(_item(one.path) if one.path else (), ("", ""))
    if not code:
        return one
    if code in FATAL:
        return replace(one, text=f"{one.failure} {words}" if one.failure else words, fails=True, reason="")
    text = re.sub(r": it (start|run)s at ", r": it is to \1 at ", one.text) if code in _FAILING else one.text
    return replace(one, text=f"{text} {words}")


def _configs(plan: Plan) -> Iterator[Told]:
    ignition = plan.ignition["ignition"]
    inner = ignition.get("config", {})
    # With a config that replaces this one, none is merged (RenderConfig in Ignition's config_fetcher.go).
    for at, resource in enumerate(inner.get("merge", ()) if not plan.is_replaced else ()):
        text = f"Another config is merged into this one: {source_in_words(resource)}."
        yield Told(text=text, path=("ignition", "config", "merge", at))
    if plan.is_replaced:
        text = f"Another config takes the place of this one: {source_in_words(inner['replace'])}."
        reason = "replace throws everything else in this config away, so nothing else of it happens."
        yield Told(text=text, path=("ignition", "config", "replace"), reason=reason)
    for at, _ in enumerate(ignition.get("security", {}).get("tls", {}).get("certificateAuthorities", ())):
        path = ("ignition", "security", "tls", "certificateAuthorities", at)
        yield Told(text="One more certificate authority is trusted while fetching.", path=path)
    for name, kind in (("httpProxy", "http"), ("httpsProxy", "https")):
        if value := ignition.get("proxy", {}).get(name):
            text = f"What has an address with {kind} is fetched through the proxy {value}."
            yield Told(text=text, path=("ignition", "proxy", name))


def _kernel(plan: Plan) -> Iterator[Told]:
    arguments = plan.ignition.get("kernelArguments", {})
    for name, verb in (
        ("shouldExist", "added to /oem/grub.cfg unless"),
        ("shouldNotExist", "removed from /oem/grub.cfg if"),
    ):
        for at, argument in enumerate(arguments.get(name, ())):
            reason = "If that changes anything, the machine reboots once, so that the kernel sees it."
            several = len(argument.split()) > 1 and '"' not in argument
            noun, are, they = ("arguments", "are", "they are") if several else ("argument", "is", "it is")
            text = f'The kernel {noun} "{argument}" {are} {verb} {they} there.'
            yield Told(text=text, path=("kernelArguments", name, at), reason=reason)

"""Building blocks of checks: questions about the Ignition of a learner's config, and to a machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flatkit.butane import Translation, translate
from flatkit.butane.dataurl import decode_data_url
from flatkit.butane.lint import lint
from flatkit.butane.messages import UNUSED_KEY, WRONG_TYPE
from flatkit.butane.source.node import MAPPING
from flatkit.lessons.exercise import Bench, Check, Finding
from flatkit.report import Kind
from flatkit.untrusted import lines_of, printable
from flatkit.updates.status import UpdateConf, parse_update_conf

# Targets that each boot reaches, of systemd's bootup(7).
_REACHED = frozenset(
    f"{name}.target"
    for name in (
        "multi-user",
        "default",
        "graphical",
        "basic",
        "sysinit",
        "local-fs",
        "network",
        "network-online",
        "sockets",
        "timers",
    )
) | frozenset({"docker.service", "containerd.service"})


def of_config(file: str, decide: Callable[[dict[str, Any]], Finding]) -> Check:
    """Return a check of the Ignition made from the learner's file; a file with errors fails with its first error."""

    def check(bench: Bench) -> Finding:
        text = bench.read(file)
        if text is None or not text.strip():
            return Finding(
                ok=False, is_waiting=True, found=f'there is no file "{file}" yet', expected="a Butane config in it",
                look=f'fk.editor("{file}"), or a cell that begins with: %%butane {file}',
            )  # fmt: skip
        done = translate(text, files_dir=bench.folder, name=file)
        if done.ignition is None:
            return _fault(file, text, done)
        finding = decide(done.ignition)
        unused = "" if finding.ok else _unused(done)
        return replace(finding, found=f"{finding.found}{unused}") if unused else finding

    return check


def _fault(file: str, text: str, done: Translation) -> Finding:
    """Return the first error in the words of the editor: the line, what is wrong, and what to write instead."""
    error = next((entry for entry in lint(done) if entry.kind is Kind.ERROR), None)
    if error is None:
        return Finding(ok=False, found=f'"{file}" has a fault: {done.failure}', expected="a config without faults",
                       look=f"flatkit butane --check {file}")  # fmt: skip
    where = f" in line {error.span.line}" if error.span else ""
    advice, _, _ = error.teach.partition("\n")
    words, expected = error.message, advice or "a config without faults"
    if done.root is not None and done.root.kind != MAPPING:
        return _not_a_config(file, text)
    if error.code == WRONG_TYPE.code and advice:  # the message itself names types of Go
        words, expected = advice, "a config without faults"
    return Finding(
        ok=False,
        found=f'"{file}" has a fault{where}: {words}',
        expected=expected,
        look=f'fk.editor("{file}") marks the place',
    )  # fmt: skip


def _not_a_config(file: str, text: str) -> Finding:
    """Return the first line of a text that is not a mapping, and where such a line belongs."""
    rows = [line.strip() for line in lines_of(text) if line.strip()]
    # For YAML a lone carriage return ends a line, and a comment: then one row has it all.
    first = next((row for row in rows if row.startswith("#!") or not row.startswith("#")), rows[0])
    belongs = "a command for the machine belongs in a cell with %%on m"
    if first.startswith("#!"):
        belongs = "the lines of a script follow inline: | in the config, indented further"
    return Finding(
        ok=False, found=f'"{file}" is not a config: it begins with "{printable(first[:40])}"',
        expected=f"variant: flatcar and version: 1.0.0 first; {belongs}",
        look=f'fk.editor("{file}")',
    )  # fmt: skip


def _unused(done: Translation) -> str:
    """Return a sentence about the first key that Butane does not use, "" if there is none."""
    entry = next((entry for entry in done.report if entry.code == UNUSED_KEY.code), None)
    if entry is None:
        return ""
    where = f"line {entry.span.line}" if entry.span else "the config"
    return f"; {where} has a key that Butane does not know there: {printable(entry.path.rpartition('.')[2])}"


def on_machine(command: str, decide: Callable[[str, int], Finding]) -> Check:
    """Return a check of the machine's answer: `decide` gets the text and the status."""

    def check(bench: Bench) -> Finding:
        answer = bench.run(command)
        return decide(str(answer), answer.status)

    return check


def find_on_host(bench: Bench, file: str) -> str:
    """Return a hint if the learner's folder on this host has the file that belongs on the machine, else ""."""
    there = bench.folder / file
    return (
        f"; a file {file} is in this notebook's folder: that is this host, not the machine" if there.is_file() else ""
    )


def find_named(values: Any, key: str, wanted: str) -> dict[str, Any] | None:
    """Return the entry of a list whose `key` is `wanted`, or None."""
    return next((dict(value) for value in values or () if value.get(key) == wanted), None)


def find_file(ignition: dict[str, Any], path: str) -> dict[str, Any] | None:
    """Return the file of that path in an Ignition config, or None."""
    return find_named(ignition.get("storage", {}).get("files"), "path", path)


def find_user(ignition: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return the user of that name, or None."""
    return find_named(ignition.get("passwd", {}).get("users"), "name", name)


def find_unit(ignition: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return the systemd unit of that name, or None."""
    return find_named(ignition.get("systemd", {}).get("units"), "name", name)


def find_text(file: dict[str, Any]) -> str | None:
    """Return the text that the config itself writes into a file; None when it comes from elsewhere."""
    contents = file.get("contents", {})
    data = decode_data_url(contents.get("source") or "", packed=contents.get("compression") == "gzip")
    return None if data is None else data.decode(errors="replace")


def unit_values(text: str) -> dict[tuple[str, str], list[str]]:
    """Return the values of a unit file by section and key, such as ("Install", "WantedBy"); an empty value resets a list."""
    found: dict[tuple[str, str], list[str]] = {}
    section = ""
    for line in lines_of(re.sub(r"\\\n\s*", " ", text)):
        row = line.strip()
        if row.startswith("[") and row.endswith("]"):
            section = row[1:-1]
        elif "=" in row and not row.startswith(("#", ";")):
            key, _, value = row.partition("=")
            values = found.setdefault((section, key.strip()), [])
            if value.strip():
                values.append(value.strip())
            else:
                values.clear()
    return found


def boot_faults(unit: dict[str, Any]) -> list[str]:
    """Return why a unit of an Ignition config does not start by itself on each boot; empty if it does."""
    values = unit_values(unit.get("contents") or "")
    wanted = [
        name
        for key in ("WantedBy", "RequiredBy")
        for value in values.get(("Install", key), ())
        for name in value.split()
    ]
    misplaced = [section for section, key in values if key in {"WantedBy", "RequiredBy"} and section != "Install"]
    faults = [] if unit.get("enabled") else ["enabled: true is missing beside its name"]
    if not wanted and misplaced:
        faults.append(f"WantedBy= is in [{misplaced[0]}], and belongs in [Install]")
    elif not wanted:
        faults.append("an [Install] section with WantedBy= is missing")
    elif not _REACHED & set(wanted):
        faults.append(f"WantedBy={wanted[0]}, which no boot reaches")
    return faults


# The update client reads a name up to "=" as it is written, spaces included; locksmithd is not so strict.
_SPACED = re.compile(r"(?:\s+(?:GROUP|SERVER|MACHINE_ALIAS)\s*=|(?:GROUP|SERVER|MACHINE_ALIAS)(?:\s+=|=\s+\S)).*")


def read_update_conf(text: str) -> UpdateConf:
    """Return the settings of an update.conf, without the lines that the update client does not read."""
    return parse_update_conf("\n".join(line for line in lines_of(text) if not _SPACED.fullmatch(line)))


def odd_update_lines(ignition: dict[str, Any]) -> str:
    """Return a sentence about the first line of a config's update.conf that is not NAME=value, "" if there is none."""
    file = find_file(ignition, "/etc/flatcar/update.conf")
    return odd_lines_in((find_text(file) or "") if file else "")


def odd_lines_in(text: str) -> str:
    """Return a sentence about the first line of an update.conf that is not NAME=value, "" if there is none."""
    for line in lines_of(text):
        if ":" in line and "=" not in line and not line.lstrip().startswith("#"):
            return f'; "{line.strip()[:40]}" is not read: a line of update.conf is NAME=value'
        if _SPACED.fullmatch(line):
            return f'; "{line.strip()[:40]}" is not read: write NAME=value without spaces'
    return ""


def find_update_conf(ignition: dict[str, Any]) -> UpdateConf | None:
    """Return the settings that a config writes into the machine's update.conf, or None."""
    file = find_file(ignition, "/etc/flatcar/update.conf")
    return read_update_conf(find_text(file) or "") if file else None


def names_of(values: Any, key: str) -> str:
    """Return the names in a list, in words, for a finding."""
    return ", ".join(str(value.get(key)) for value in values or ()) or "none"

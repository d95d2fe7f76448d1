"""Building blocks of checks: questions about the Ignition of a learner's config, and to a machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flatkit.butane import translate
from flatkit.butane.dataurl import decode_data_url
from flatkit.lessons.exercise import Bench, Check, Finding
from flatkit.report import Kind
from flatkit.updates.status import UpdateConf, parse_update_conf


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
            errors = [str(entry) for entry in done.report if entry.kind is Kind.ERROR]
            return Finding(
                ok=False, found=f'"{file}" has a fault: {errors[0] if errors else done.failure}',
                expected="a config without faults", look=f"flatkit butane --check {file}",
            )  # fmt: skip
        return decide(done.ignition)

    return check


def on_machine(command: str, decide: Callable[[str, int], Finding]) -> Check:
    """Return a check of the machine's answer: `decide` gets the text and the status."""

    def check(bench: Bench) -> Finding:
        answer = bench.run(command)
        return decide(str(answer), answer.status)

    return check


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


def find_update_conf(ignition: dict[str, Any]) -> UpdateConf | None:
    """Return the settings that a config writes into the machine's update.conf, or None."""
    file = find_file(ignition, "/etc/flatcar/update.conf")
    return parse_update_conf(find_text(file) or "") if file else None


def names_of(values: Any, key: str) -> str:
    """Return the names in a list, in words, for a finding."""
    return ", ".join(str(value.get(key)) for value in values or ()) or "none"

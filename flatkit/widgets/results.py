"""Answers of a machine as small values that display themselves: a command's output, a page, a timeline.

Each has a text (`print` it), so that nothing depends on a browser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flatkit.widgets import html
from flatkit.widgets.display import Twin

_EDITOR = re.compile(r"\s*(sudo\s+)?(nano|pico|vi|vim|nvim|emacs|ed)(\s|$)")


@dataclass(frozen=True, kw_only=True, repr=False)
class Ran(Twin):
    """A command that was run on a machine, and its output. `status` 0 means success."""

    machine: str
    user: str
    command: str
    output: str
    status: int
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True if the command succeeded."""
        return self.status == 0

    @property
    def prompt(self) -> str:
        """The prompt before the command in a terminal."""
        return f"{self.user}@{self.machine}$"

    def __str__(self) -> str:
        """Return the output alone, for parsing and comparing."""
        return self.output

    def as_text(self) -> str:
        """Return the text."""
        more = self.command.rstrip("\n").split("\n")
        lines = [f"{self.prompt} {more[0]}", *(f"> {rest}" for rest in more[1:])]
        if self.output.strip():
            lines.append(self.output.rstrip("\n"))
        return "\n".join([*lines, *self._status_line()])

    def _status_line(self) -> list[str]:
        return [] if self.ok else [f"[status {self.status}]", *self._advice]

    @property
    def _advice(self) -> list[str]:
        """A better command, where the machine's words name only the symptom: `sudo echo x > FILE`, no sudo, no command."""
        if _EDITOR.match(self.command):
            return [
                "an editor needs a keyboard, and a cell has none; to change a word of a file: sed -i s/OLD/NEW/ FILE"
            ]
        if self.status == 127 and re.match(r"\s*\S+\s*>", self.command):
            return ["the first word of a line is a command; to write words into a file: echo WORDS > FILE"]
        if self.status == 126 and "Permission denied" in self.output:
            return ["the file may not be run: chmod +x FILE, with sudo for a file of root"]
        if not re.search("Permission denied|Operation not permitted", self.output):
            return []
        if begun := re.match(r"\s*(sudo(?:\s+-u\s+\S+)?)\s[^|]*>", self.command):
            why = f"the shell itself opens the file after >, as {self.user}, before sudo begins"
            return [f"{why}; instead: COMMAND | {begun[1]} tee FILE"]
        way = "COMMAND | sudo tee FILE" if ">" in self.command else "sudo COMMAND"
        return [] if "sudo" in self.command else [f"you are {self.user} on this machine; as root: {way}"]

    def html(self) -> str:
        """Return it as in a terminal, without the style sheet."""
        typed = html.line(f"<code>{html.text(self.prompt, 'dim')} {html.text(self.command.strip(), 'line')}</code>")
        output = self.output.rstrip("\n")
        said = html.pre(output, f"output of {self.command}", at_end=True) if output.strip() else ""
        return typed + said + "".join(html.line(html.text(line, "bad")) for line in self._status_line())

    def _repr_html_(self) -> str:
        return html.block(self.html())


@dataclass(frozen=True, kw_only=True, repr=False)
class Typed(Twin):
    """Several commands, run one after the other in one shell."""

    commands: tuple[Ran, ...] = ()

    @property
    def ok(self) -> bool:
        """True if every command succeeded."""
        return all(ran.ok for ran in self.commands)

    def as_text(self) -> str:
        """Return the text."""
        return "\n".join(map(repr, self.commands))

    def _repr_html_(self) -> str:
        return html.block(*(ran.html() for ran in self.commands))


@dataclass(frozen=True, kw_only=True, repr=False)
class WebPage(Twin):
    """A web page as this host received it. `link` opens it in the learner's browser."""

    url: str
    status: int
    text: str
    link: str = ""

    def __str__(self) -> str:
        return self.text

    def as_text(self) -> str:
        """Return the text."""
        return f"{self.url} answered with status {self.status}\n{self.text.rstrip()}"

    def _repr_html_(self) -> str:
        kind = "ok" if self.status < 400 else "bad"
        address = html.link(self.url, self.link) if self.link else html.text(self.url)
        head = html.line(address, " answered with status ", html.text(self.status, kind))
        source = html.pre(self.text.rstrip(), f"the page of {self.url}")
        if not self.text.lstrip().startswith("<"):
            return html.block(head, source)
        return html.block(head, html.frame(self.text, f"the page of {self.url}"), html.folded("As it was sent", source))


@dataclass(frozen=True, kw_only=True, repr=False)
class Times(Twin):
    """The phases of a boot in order: title and seconds."""

    phases: tuple[tuple[str, float], ...] = ()

    @property
    def total(self) -> float:
        """The seconds of all phases together."""
        return sum(seconds for _, seconds in self.phases)

    def as_text(self) -> str:
        """Return the text."""
        if not self.phases:
            return "no boot was watched: the machine ran already"
        width = max(len(title) for title, _ in self.phases)
        longest = max(seconds for _, seconds in self.phases) or 1.0
        rows = [f"{title:<{width}}  {s:6.1f} s  {'#' * round(30 * s / longest)}" for title, s in self.phases]
        return "\n".join([*rows, f"{'together':<{width}}  {self.total:6.1f} s"])

    def _repr_html_(self) -> str:
        if not self.phases:
            return html.block(html.text(repr(self)))
        longest = max(seconds for _, seconds in self.phases) or 1.0
        rows = [
            f'<tr><td>{html.text(title)}</td><td class="fk-number">{seconds:.1f} s</td>'
            f'<td><span class="fk-bar" style="width:{round(240 * seconds / longest)}px"></span></td></tr>'
            for title, seconds in self.phases
        ]
        total = f'<tr><td><b>together</b></td><td class="fk-number"><b>{self.total:.1f} s</b></td><td></td></tr>'
        return html.block(f"<table>{''.join(rows)}{total}</table>")


@dataclass(frozen=True, kw_only=True, repr=False)
class Note(Twin):
    """A few lines that report a verb's result; `ok` is False for a failure."""

    lines: tuple[str, ...]
    ok: bool = True

    def as_text(self) -> str:
        """Return the text."""
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        return html.block(*(html.line(html.text(line, "" if self.ok else "bad")) for line in self.lines))

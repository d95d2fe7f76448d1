"""The dated report of an acceptance run, as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tools.accept.fidelity import Finding, Judged
from tools.accept.run import Played, Run


def say_sighting(run: Run, date: str) -> str:
    """The words of docs/fidelity.md for a row that this run confirmed."""
    return f"Flatcar {run.name} {run.identity.partition(' ')[2]}, {date}"


def write_report(run: Run, judged: Sequence[Judged], *, date: str, host: Sequence[str] = (), dry: bool = False) -> str:
    """The whole report."""
    return "\n".join(_lines(run, judged, date, host, dry)) + "\n"


def _lines(run: Run, judged: Sequence[Judged], date: str, host: Sequence[str], dry: bool) -> Iterator[str]:
    yield f"# {'Dry acceptance run' if dry else 'Acceptance run'}, {run.name}, {date}"
    yield ""
    yield f"- Result: {'everything went as expected' if run.ok else 'NOT everything went as expected'}"
    yield f"- Image: {run.badge or 'none'}"
    yield f"- The machine calls itself: {run.identity or 'nothing, it did not come up'}"
    if not run.is_flatcar:
        yield "- **This was no Flatcar machine, so nothing in this report is a sighting and docs/fidelity.md stays as it is.**"
    yield from (f"- {line}" for line in host)
    yield from _table(
        "flatkit's own commands", ("command", "result"), ((_code(e.command), _ok(e.ok)) for e in run.host)
    )
    yield from _demos(run)
    yield from _table(
        "Commands", ("name", "command", "result"),
        (
            (each.capture.name, _code(each.capture.command), "; ".join(each.faults) or "as expected")
            for each in run.captured
        ),
    )  # fmt: skip
    yield from _table(
        "Statements that depend on the version", ("statement", "from", "until", "result"),
        (
            (each.fact.fact, str(each.fact.since or "open"), str(each.fact.until or ""), each.words(counts=run.is_flatcar))
            for each in run.statements
        ),
    )  # fmt: skip
    if run.left_out:
        yield from ("", "## Left out", "", *(f"- {line}" for line in run.left_out))
    yield from _fidelity(judged)


def _demos(run: Run) -> Iterator[str]:
    yield from _table(
        "Demos", ("demo", "machine", "steps", "seconds", "result"),
        (
            (
                played.demo, played.identity or "none", f"{len(played.result.steps)} of {played.result.total}",
                f"{sum(step.seconds for step in played.result.steps):.0f}", _how(played),
            )
            for played in run.demos
        ),
    )  # fmt: skip


def _how(played: Played) -> str:
    failed = next((step for step in played.result.steps if not step.ok), None)
    if failed:
        return f'"{failed.title}" failed: {failed.found}'
    return _ok(played.result.ok)


def _fidelity(judged: Sequence[Judged]) -> Iterator[str]:
    for finding in Finding:
        rows = [each for each in judged if each.finding is finding]
        if finding is Finding.NOT_SHOWN:
            yield from ("", f"## docs/fidelity.md: {len(rows)} rows {finding}", "")
            yield from (f"- {each.row.thing}" for each in rows)
        else:
            yield from _table(
                f"docs/fidelity.md: rows {finding}", ("thing", "before", "by"),
                ((each.row.thing, each.row.seen, _by(each, finding)) for each in rows),
            )  # fmt: skip


def _by(judged: Judged, finding: Finding) -> str:
    shown = [each for each in judged.by if not each.ok] if finding is Finding.DIFFERS else judged.by
    return ", ".join(dict.fromkeys(each.name if each.place == "command" else each.place for each in shown))


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    found = list(rows)
    yield from ("", f"## {title}", "")
    if not found:
        yield "none"
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in found:
        yield f"| {' | '.join(_cell(text) for text in row)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(command: str) -> str:
    return f"`{command}`"


def _ok(ok: bool) -> str:
    return "as expected" if ok else "**failed**"

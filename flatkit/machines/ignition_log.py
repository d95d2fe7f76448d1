"""Errors in Ignition's log: the part of the config that it could not apply, and why. Pure, and independent of Butane.

The messages are Ignition's own (coreos/ignition, internal/exec and internal/log). A failed operation is logged as
`op(3): [failed]   writing file "/sysroot/etc/motto": resource not found`, and the end as `CRITICAL : Ignition failed:
...`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LINE = re.compile(r"ignition\[\d+\]: (?:(?:CRITICAL|ERR|WARNING|INFO|DEBUG)\s*: )?(.*)")
_FAILED = re.compile(r"\[failed\]\s+(.*)")
_END = re.compile(r"Ignition failed: (.*)")
_STAGE = re.compile(r"Stage: (\S+)|Ignition stage (\S+) failed")
_GET = re.compile(r"GET (\S+): attempt #(\d+)")
_GET_ERROR = re.compile(r"GET error: (?:Get \"[^\"]*\": )?(.*)")
_AT = re.compile(r"error at (\$[\w.]+)(?:, line \d+ col \d+)?: (.*)")
_WAITS = re.compile(r"waiting for devices \[([^\]]+)\]")
_QUOTED = re.compile(r'"([^"]+)"')
_STDERR = re.compile(r'Stderr: "((?:[^"\\]|\\.)*)"')
_LONGEST, _MOST_CLUES = 4096, 32
_HASH = re.compile(r"\b[0-9a-f]{64,128}\b")


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """An operation that failed in Ignition.

    `what` is the operation in Ignition's words ("" if it named none), `why` the reason. `clues` are values of the
    config that lead to the place, best first. A clue that begins with "$." is a JSON path.
    """

    stage: str = ""
    what: str = ""
    why: str = ""
    clues: tuple[str, ...] = ()

    def __str__(self) -> str:
        doing = f"{self.what}: " if self.what else ""
        stage = f'Ignition\'s stage "{self.stage}"' if self.stage else "Ignition"
        return f"{stage} failed: {doing}{self.why}" if self.why else f"{stage} failed"


def find_trouble(lines: Sequence[str]) -> Trouble | None:
    """Return the error of Ignition in the last boot on a console; None if Ignition did not fail."""
    said = _of_last_boot(lines)
    failed = next((match[1] for line in reversed(said) if (match := _FAILED.search(line))), "")
    end = next((match[1] for line in reversed(said) if (match := _END.search(line))), "")
    at = next((match for line in reversed(said) if (match := _AT.search(line))), None)
    stages = [match[1] or match[2] for line in said if (match := _STAGE.search(line))]
    waits = next((match[1] for line in reversed(said) if (match := _WAITS.search(line))), "")
    gave_up = any("failed" in line and "Ignition stage" in line for line in said)
    if not (failed or end or at or gave_up):
        return None
    if at:
        return Trouble(stage=_last(stages), what="", why=f"{at[2]} ({at[1]})", clues=(at[1],))
    why = _reason(end or failed)
    what = _operation(failed)
    return Trouble(stage=_last(stages), what=what, why=why, clues=_clues(what, f"{failed} {end}", why, said, waits))


def find_fetching(lines: Sequence[str]) -> Trouble | None:
    """Return what Ignition repeatedly fails to fetch, and why; None if it does not."""
    url = why = ""
    for line in _of_last_boot(lines):
        if match := _GET.search(line):
            url, why = match[1], why if match[1] == url else ""
        elif match := _GET_ERROR.search(line):
            why = match[1]
        elif "GET result:" in line:
            url = why = ""
    return Trouble(what=f'fetching "{url}"', why=_in_words(why), clues=(url,)) if url and why else None


def _of_last_boot(lines: Sequence[str]) -> list[str]:
    lines = [line[:_LONGEST] for line in lines]
    starts = [at for at, line in enumerate(lines) if "Linux version" in line or "Stage: fetch-offline" in line]
    ours = [line for line in lines[starts[-1] if starts else 0 :] if "ignition[" in line or "Ignition stage" in line]
    return [match[1] if (match := _LINE.search(line)) else line for line in ours]


def _last(items: list[str]) -> str:
    return items[-1] if items else ""


def _operation(failed: str) -> str:
    """Return the operation that failed, without its reason and without the folder that the disk is mounted at."""
    found = re.match(r'((?:[^":]|"[^"]*")+)', failed)
    return re.sub(r'"/sysroot(/[^"]*)"', r'"\1"', found[1]).strip() if found else ""


def _reason(text: str) -> str:
    stderr = _STDERR.search(text)
    if stderr and stderr[1]:
        return stderr[1].replace("\\n", " ").replace('\\"', '"').strip()
    return _in_words(re.sub(r'"?/sysroot(/[^" :]*)"?', r'"\1"', text.rsplit(": ", maxsplit=1)[-1]))


def _in_words(why: str) -> str:
    known = {
        "resource not found": "the server says that it is not there (404)",
        "connection refused": "nothing listens at that address (connection refused)",
        "no such host": "that name is not known (no such host)",
        "network is unreachable": "the machine has no network",
        "i/o timeout": "no answer came in time",
        ".device timeout": "no such disk has come up",
    }
    words = next((words for token, words in known.items() if token in why), why)
    return _HASH.sub(lambda found: f"{found[0][:12]}...", words)


def _clues(what: str, text: str, why: str, said: list[str], waits: str) -> tuple[str, ...]:
    urls = [match[1] for line in said if (match := _GET.search(line))]
    fetching = any(token in text for token in ("fetch", "resource not found", "not found", "hash", "GET"))
    missing = re.findall(r"'([^']+)'", why)
    hashes = _HASH.findall(text)
    quoted = [re.sub(r"^/sysroot(?=/)", "", value) for value in _QUOTED.findall(what)]
    version = ["$.ignition.version"] if "unsupported config version" in why else []
    ordered = [*version, *hashes, *(urls[-1:] if fetching else []), *missing, *quoted, *waits.split()]
    return tuple(dict.fromkeys(ordered))[:_MOST_CLUES]

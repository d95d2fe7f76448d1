"""Run the lines of a cell on a machine, one command after the other in one shell, and return the output of each.

Why not one command a line: `cd` and variables must last, and a loop or a here-document spans several lines.
"""

from __future__ import annotations

import base64
import re
import secrets

from flatkit.untrusted import is_number
from flatkit.widgets.results import Ran

# Gathers lines until bash finds them whole, evaluates them, and marks begin and end. `-n` only warns of an open
# here-document, so a warning counts as "not whole yet" as well. Commands read nothing: a cell has no keyboard.
_LOOP = r"""exec 2>&1
mark={mark}
flatkit_part=
flatkit_run() {{
  printf '%s begin %s\n' "$mark" "$(printf %s "$flatkit_part" | base64 -w0)"
  eval "$flatkit_part" </dev/null
  printf '\n%s end %s\n' "$mark" "$?"
  flatkit_part=
}}
while IFS= read -r flatkit_line <&3 || [ -n "$flatkit_line" ]; do
  [ -z "$flatkit_part$flatkit_line" ] && continue
  flatkit_part+=$flatkit_line$'\n'
  [[ $flatkit_line == *\\ ]] && continue
  if flatkit_said=$(bash -n <<<"$flatkit_part" 2>&1) && [ -z "$flatkit_said" ]; then flatkit_run; fi
done 3< <(printf %s {cell} | base64 -d)
[ -n "$flatkit_part" ] && flatkit_run
exit 0
"""
# bash names the place of an error in what it evaluates: counted from the line of `eval` above, in a source named so.
_EVAL_LINE = 6
_PLACE = re.compile(r"^environment: (?:eval: )?line ([0-9]{1,6}): ", re.MULTILINE)


def script_for(cell: str, mark: str) -> str:
    """Return the script for a cell, for the machine's bash."""
    return _LOOP.format(mark=mark, cell=base64.b64encode(cell.encode()).decode() or "''")


def new_mark() -> str:
    """Return a word that no command prints by chance."""
    return f"flatkit-{secrets.token_hex(8)}"


def command_for(cell: str, mark: str) -> str:
    """Return the script as one command line for SSH."""
    packed = base64.b64encode(script_for(cell, mark).encode()).decode()
    return f'bash -c "$(printf %s {packed} | base64 -d)" bash'


def _command(packed: str) -> str:
    try:
        return base64.b64decode(packed).decode(errors="replace").strip()
    except ValueError:  # a command printed the mark itself
        return packed


def _without_places(said: str, command: str) -> str:
    """Return an output as a terminal shows it: a line's number only if the command has several, counted from its first."""
    if "\n" not in command:
        return _PLACE.sub("bash: ", said)
    return _PLACE.sub(lambda found: f"bash: line {max(1, int(found[1]) - _EVAL_LINE + 1)}: ", said)


def _status(rest: str) -> int:
    """Return the status after the mark; 1 if a command printed the mark itself."""
    word = rest.split(maxsplit=1)[0] if rest.split() else ""
    return int(word) if is_number(word) else 1


def parse_answer(output: str, mark: str, *, machine: str, user: str, status: int = 0) -> tuple[Ran, ...]:
    """Return the commands with their outputs; one that ended the shell (`exit 3`) has the shell's status."""
    begin = re.compile(rf"^{mark} begin (\S*)\n", re.MULTILINE)
    starts = list(begin.finditer(output))
    ran = []
    for at, found in enumerate(starts):
        upto = starts[at + 1].start() if at + 1 < len(starts) else len(output)
        said, ended, rest = output[found.end() : upto].rpartition(f"\n{mark} end ")
        ran.append(
            Ran(
                machine=machine,
                user=user,
                command=_command(found[1]),
                output=_without_places(said if ended else rest, _command(found[1])),
                status=_status(rest) if ended else status,
            )
        )
    return tuple(ran)

"""Slips in a cell: a config or a host's command in Python, a magic with one %, a text without quotes, a wrong call or name.

Python's own words for these ("invalid syntax", "name 'web' is not defined") are true and do not help.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flatkit.errors import UsageError
from flatkit.untrusted import lines_of

_MAGICS = ("butane", "on")
_HEADER = "variant: flatcar\nversion: 1.0.0"
_MAGIC = re.compile(r"\s*%{1,2}[ \t]*([A-Za-z]+)[ \t]*(.*)")
# The top level of a Butane config (facts: Butane's specification for flatcar 1.1.0).
_CONFIG = re.compile(r"(variant|version|ignition|passwd|storage|systemd|kernel_arguments)\s*:(\s|$)")
# A line of a file such as update.conf or a unit.
_OF_A_FILE = re.compile(r"([A-Z][A-Z0-9_]{2,}|[A-Z][a-z]+[A-Z]\w*)=\S.*")
# Commands of this host; those that a machine has too are in shell_cell.py.
_OF_THE_HOST = re.compile(r"(butane|conda|flatkit|git|make|pip|python3?|qemu-img|ssh-keygen|virsh)\s")
# What is a text for certain: a file, or the name of an exercise.
_TEXT = re.compile(r"[\w./~-]+\.(bu|ign|raw|tar|yaml|yml|json)|\d\d-[a-z-]+")
_BARE = re.compile(r"""\b(fk|m)\.(\w+)\(\s*([^\s"'(),=\[\]{}]+)\s*(?=[,)])""")
# A call with its text, the bracket included if it is there.
_CALL = re.compile(r"(\s*(?:\w+\s*=\s*)?(?:await\s+)?(\w+)\.\w+\()(.*?)\)?\s*")
# A call as a shell would have it: fk.check "00-hello".
_BRACKETLESS = re.compile(r"""^(\s*(?:\w+\s*=\s*)?(?:await\s+)?\w+\.\w+)\s+(["'].*?)\s*$""")
_CURLY = str.maketrans({"\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
                        "\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'"})  # fmt: skip
_NO_NAME = re.compile(r"module 'flatkit' has no attribute '(\w+)'")
_BAD_CALL = re.compile(r"(\w+(?:\.\w+)*)\(\) (missing|takes|got an unexpected|got multiple) ")


def find_slip(cell: str, error: BaseException, names: Mapping[str, Any]) -> UsageError | None:
    """Return the help for an error of a cell, or None if its cause is another one. `names` are the notebook's variables."""
    if isinstance(error, AttributeError):
        return _unknown_name(cell, error, names)
    if isinstance(error, TypeError):
        return _wrong_call(cell, str(error), names)
    if isinstance(error, NameError):
        return (
            _other_case(cell, error.name or "", names)
            or _config(cell)
            or _unquoted(cell, names, error.name or "")
            or _bare_word(cell, names)
            or _file_line(cell)
        )
    if len(first := _first_line(cell).split(maxsplit=1)) == 2 and first[0] in {"Import", "From", "Await"}:
        right = f"{first[0].lower()} {first[1]}"
        return UsageError(
            f'"{first[0]}" is written in small letters in Python; expected "{first[0].lower()}"', hint=right
        )
    found = _magic(cell) or _config(cell) or _host_command(cell) or _unquoted(cell, names) or _file_line(cell)
    line = error.lineno if isinstance(error, SyntaxError) else None
    return found or (_misquoted(cell, line, names) if line else None)


def _first_line(cell: str) -> str:
    return next((row.strip() for row in lines_of(cell) if row.strip() and not row.lstrip().startswith("#")), "")


def _magic(cell: str) -> UsageError | None:
    lines = lines_of(cell.strip())
    found = _MAGIC.match(lines[0]) if lines else None
    near = difflib.get_close_matches(found[1].lower(), _MAGICS, n=1, cutoff=0.7) if found else []
    if found is None or not near:
        return None
    words = found[2].split(maxsplit=1)
    right = " ".join([f"%%{near[0]}", *words[:1]])
    if lines[0].strip() == right:
        return None if lines[1:] else _empty(right, near[0])
    return UsageError(
        f'"{lines[0].strip()}" is not known here; expected "{right}", and what belongs to it on the lines below',
        hint="run the cell again like this:",
        details="\n".join([right, *words[1:], *lines[1:]]),
    )


def _empty(first: str, magic: str) -> UsageError:
    below = ("a config", _HEADER) if magic == "butane" else ("commands for the machine, one a line", "hostname")
    return UsageError(
        f'there is nothing below "{first}"; expected {below[0]}',
        hint="write it on the lines below, like this:",
        details=f"{first}\n{below[1]}",
    )


def _config(cell: str) -> UsageError | None:
    if not _CONFIG.match(_first_line(cell)):
        return None
    return UsageError(
        f'this is a config, and the cell is Python: "{_first_line(cell)}"',
        hint="begin the cell with %%butane and the name of its file, like this:",
        details=f"%%butane NAME.bu\n{cell.strip()}",
    )


def _file_line(cell: str) -> UsageError | None:
    line = _first_line(cell)
    if not _OF_A_FILE.fullmatch(line):
        return None
    return UsageError(
        f'this is a line of a file, and the cell is Python: "{line}"',
        hint='write it into the config, below inline: | of that file:   fk.editor("NAME.bu")   '
        "(on a machine that runs, a command below %%on changes the file: sudo sed -i s/OLD/NEW/ FILE)",
    )


def _host_command(cell: str) -> UsageError | None:
    line = _first_line(cell).removeprefix("$ ")
    if not _OF_THE_HOST.match(line):
        return None
    return UsageError(
        f'this is a command for a terminal of this host, and the cell is Python: "{line}"',
        hint=f'open a terminal (File > New > Terminal), or run it here with a "!" in front:   !{line}',
    )


def _unquoted(cell: str, names: Mapping[str, Any], undefined: str = "") -> UsageError | None:
    for owner, method, word in _BARE.findall(cell):
        if word in names or not (_TEXT.fullmatch(word) or word == undefined):
            continue
        return UsageError(
            f'"{word}" has no quotes, so Python takes it for a variable; expected a text',
            hint=f'{owner}.{method}("{word}")',
        )
    later = re.search(rf"\b((?:fk|m)\.\w+\([^()\n]*,\s*){re.escape(undefined)}\s*\)", cell) if undefined else None
    if later:
        return UsageError(
            f'"{undefined}" has no quotes, so Python takes it for a variable; expected a text',
            hint=f'{later[1]}"{undefined}")',
        )
    return None


def _misquoted(cell: str, number: int, names: Mapping[str, Any]) -> UsageError | None:
    """Return the help for a call of flatkit whose quotes or bracket are missing: the first repair that Python accepts."""
    lines = lines_of(cell)
    line = lines[number - 1] if number <= len(lines) else ""
    line = line.translate(_CURLY)
    call = _CALL.fullmatch(_BRACKETLESS.sub(r"\1(\2)", line))
    owner = names.get(call[2]) if call else None
    if call is None or not (call[2] == "fk" or type(owner).__module__.startswith("flatkit.")):
        return None
    for repaired in _repairs(call[1], call[3]):
        if _is_python("\n".join([*lines[: number - 1], repaired, *lines[number:]])):
            return UsageError(f'a quote or a bracket is missing or wrong in "{line.strip()}"',
                              hint="write the line like this:", details=repaired)  # fmt: skip
    return None


def _repairs(head: str, given: str) -> tuple[str, ...]:
    if given.startswith(")"):  # what follows the call is too much
        return (f"{head})",)
    closed = re.sub(r'^(["\'])([^"\',]*)(?=,\s*\w+\s*=|$)', r"\1\2\1", given)  # before `, name=` or at the end
    bare = given.strip("\"' ")
    return f"{head}{given})", f"{head}{closed})", f'{head}"{bare}")', f"{head}'{bare}')"


def _is_python(cell: str) -> bool:
    try:
        compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError):
        return False
    return True


def _other_case(cell: str, word: str, names: Mapping[str, Any]) -> UsageError | None:
    """Return the help for a call of `FK` or `M`, which differs from a variable of flatkit only in its case."""
    near = word.lower()
    owner = names.get(near)
    if word == near or not (near == "fk" or type(owner).__module__.startswith("flatkit.")) or owner is None:
        return None
    line = next((row.strip() for row in lines_of(cell) if re.search(rf"\b{re.escape(word)}\b", row)), word)
    return UsageError(
        f'"{word}" is not known here; did you mean "{near}"?', hint=re.sub(rf"\b{re.escape(word)}\b", near, line)
    )


def _bare_word(cell: str, names: Mapping[str, Any]) -> UsageError | None:
    """Return the help for a cell that is one unknown word: the name of a machine, or a misspelt variable."""
    from flatkit.widgets.live_machine import LiveMachine

    word = cell.strip()
    if not word.isidentifier():
        return None
    machines = {
        key: value for key, value in names.items() if isinstance(value, LiveMachine) and not key.startswith("_")
    }
    for key, machine in machines.items():
        if machine.name == word:
            return UsageError(
                f'"{word}" is the name of a machine; in this notebook the variable "{key}" holds it', hint=key
            )
    near = next((key for key in ("fk", *machines) if key in names and key.lower() == word.lower()), "")
    if near:
        return UsageError(f'"{word}" is not known here; did you mean "{near}"?', hint=near)
    way = (
        f"a command for the machine belongs below %%on {next(iter(machines))}"
        if machines
        else "fk.course()   shows the way"
    )
    return UsageError(f'"{word}" is not known here: no cell that was run has made a variable of that name', hint=way)


def _unknown_name(cell: str, error: AttributeError, names: Mapping[str, Any]) -> UsageError | None:
    if found := _NO_NAME.fullmatch(str(error)):
        known = names["fk"].__all__
        return _similar("fk", found[1], known) or UsageError(
            f'fk has no "{found[1]}"; expected one of {", ".join(known)}', hint="fk.course()   shows the way"
        )
    owner = error.obj
    if owner is None or not type(owner).__module__.startswith("flatkit."):
        return None
    shown = next((key for key, value in names.items() if value is owner and not key.startswith("_")), "")
    shown = shown or (_made_by_call(cell, error.name) if error.name else "")
    if not shown or not error.name:
        return None
    return _similar(shown, error.name, [one for one in dir(owner) if not one.startswith("_")]) or UsageError(
        f'{shown} has no "{error.name}"', hint=f'press Tab after "{shown}." to see what it has'
    )


def _similar(owner: str, name: str, known: Sequence[str]) -> UsageError | None:
    near = difflib.get_close_matches(name, known, n=1)
    return (
        UsageError(f'{owner} has no "{name}"; did you mean "{near[0]}"?', hint=f"{owner}.{near[0]}") if near else None
    )


def _wrong_call(cell: str, said: str, names: Mapping[str, Any]) -> UsageError | None:
    found = _BAD_CALL.match(said)
    if "can't be used in 'await' expression" in said and (
        bare := re.search(r"await\s+(\w+\.\w+)\s*$", cell, re.MULTILINE)
    ):
        return UsageError(
            f'"{bare[1]}" needs its brackets before anything can wait for it', hint=f"await {bare[1]}(...)"
        )
    if found is None:
        return _called_value(cell, said, names)
    *owners, name = found[1].split(".")
    for shown, call in _callees(cell, owners, name, names):
        if callable(call) and call.__module__.startswith("flatkit."):
            return UsageError(
                f"{shown}.{name} cannot be called like this: {_in_words(said[found.start(2) :], call)}",
                hint=f"{shown}.{name}({_parameters(call, is_method=bool(owners))})",
            )
    return None


def _callees(cell: str, owners: Sequence[str], name: str, names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what the cell calls, as the cell writes it and as an object: of a variable, or of a card such as fk.channels()."""
    for shown, value in names.items():
        is_owner = owners[-1] in {one.__name__ for one in type(value).__mro__} if owners else shown == "fk"
        if is_owner and re.search(rf"\b{re.escape(shown)}\.{name}\(", cell):
            yield shown, getattr(type(value) if owners else value, name, None)
    shown = _made_by_call(cell, name) if owners else ""
    modules = [module for key, module in sys.modules.items() if key.startswith("flatkit.widgets.")] if shown else []
    for module in modules:
        yield shown, getattr(getattr(module, owners[-1], None), name, None)


def _made_by_call(cell: str, name: str) -> str:
    """Return the call whose result has `name` after its dot, such as fk.channels(); "" without one."""
    found = re.search(rf"\b(fk\.\w+\([^()]*\))\.{re.escape(name)}\b", cell)
    return found[1] if found else ""


def _in_words(said: str, call: Callable[..., Any]) -> str:
    """Return Python's complaint about arguments in plain words, with the name that was meant."""
    parameters = inspect.signature(call).parameters
    if said.startswith("missing"):
        lacking = [
            f"{one}=" if parameters[one].kind is inspect.Parameter.KEYWORD_ONLY else one
            for one in re.findall(r"'(\w+)'", said)
            if one in parameters
        ]
        return f"{' and '.join(lacking)} is missing" if len(lacking) == 1 else f"{' and '.join(lacking)} are missing"
    if unknown := re.match(r"got an unexpected keyword argument '(\w+)'", said):
        near = difflib.get_close_matches(unknown[1], [one for one in parameters if one != "self"], n=1)
        return f'it has no "{unknown[1]}"' + (f'; did you mean "{near[0]}"?' if near else "")
    return said


def _called_value(cell: str, said: str, names: Mapping[str, Any]) -> UsageError | None:
    """Return the help for brackets after a value, as `m.slots()`."""
    if not said.endswith("object is not callable"):
        return None
    for shown, name in re.findall(r"\b(\w+)\.(\w+)\(", cell):
        kind = type(names.get(shown))
        if kind.__module__.startswith("flatkit.") and isinstance(getattr(kind, name, None), property):
            return UsageError(f"{shown}.{name} is a value, and takes no brackets", hint=f"{shown}.{name}")
    return None


def _parameters(call: Callable[..., Any], *, is_method: bool) -> str:
    """Return the parameters as they are typed: those with a default value, or typed with their name, as `name=value`."""
    known = [*inspect.signature(call).parameters.values()][is_method:]
    return ", ".join(_typed(one) for one in known)


def _typed(one: inspect.Parameter) -> str:
    if one.kind is one.VAR_KEYWORD:
        return f"**{one.name}"
    if one.default is not one.empty:
        return f"{one.name}={one.default!r}"
    return f"{one.name}=..." if one.kind is one.KEYWORD_ONLY else one.name

"""`flatkit butane`: a drop-in for the `butane` command; its options, messages and exit statuses are butane's.

argparse does not fit: its errors and usage differ, and it lacks bundled flags with a value and flags with an optional
value. The rules are those of Go's pflag.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from dataclasses import dataclass, field
from typing import Any, TextIO

from flatkit.cli.screen import Code, screen_of
from flatkit.untrusted import escape_hidden

_USAGE = """\
Usage: butane [options] [input-file]
Options:
  -c, --check                     check config without producing output
      --color string[="always"]   control color output: "auto", "always", or "never" (default "auto")
  -d, --files-dir string          allow embedding local files from this directory
  -h, --help                      show usage and exit
  -o, --output string             write to output file instead of stdout
  -p, --pretty                    output formatted json
  -r, --raw                       never wrap in a MachineConfig; force Ignition output
      --raw-errors                show raw errors, rather than pretty printing them
  -s, --strict                    fail on any warning
  -V, --version                   print the version and exit
"""
BUTANE_RELEASE = "0.29.0"

_SWITCHES = frozenset(("check", "help", "pretty", "raw", "raw-errors", "strict", "version", "debug"))
_TEXTS = frozenset(("color", "files-dir", "output", "input", "schema"))
_SHORT = {
    "c": "check", "d": "files-dir", "h": "help", "o": "output", "p": "pretty", "r": "raw", "s": "strict",
    "V": "version", "D": "debug",
}  # fmt: skip
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


class _WrongCall(Exception):
    """Wrong usage; the message is printed after the usage text."""


@dataclass(kw_only=True)
class _Options:
    switches: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def set_switch(self, name: str, value: str) -> None:
        if value not in _TRUE and value not in _FALSE:
            short = next((f"-{key}, " for key, long in _SHORT.items() if long == name), "")
            reason = f'strconv.ParseBool: parsing "{value}": invalid syntax'
            raise _WrongCall(f'invalid argument "{value}" for "{short}--{name}" flag: {reason}')
        (self.switches.add if value in _TRUE else self.switches.discard)(name)


def _parse(argv: list[str]) -> _Options:
    options = _Options()
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            options.files += words
            break
        if word.startswith("--"):
            _parse_long(word[2:], words, options)
        elif word.startswith("-") and word != "-":
            _parse_short(word[1:], words, options)
        else:
            options.files.append(word)
    return options


def _parse_long(word: str, words: list[str], options: _Options) -> None:
    name, given, value = word.partition("=")
    if not name or name.startswith("-"):
        raise _WrongCall(f"bad flag syntax: --{word}")
    name = "color" if name == "colour" else name
    if name in _SWITCHES:
        options.set_switch(name, value if given else "true")
    elif name in _TEXTS:
        if not given:
            if name == "color":
                value = "always"
            elif not words:
                raise _WrongCall(f"flag needs an argument: --{name}")
            else:
                value = words.pop(0)
        options.texts[name] = value
    else:
        raise _WrongCall(f"unknown flag: --{name}")


def _parse_short(letters: str, words: list[str], options: _Options) -> None:
    whole = letters
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter)
        if name is None:
            raise _WrongCall(f"unknown shorthand flag: '{letter}' in -{whole}")
        if name in _SWITCHES:
            if letters.startswith("="):
                options.set_switch(name, letters[1:])
                return
            options.set_switch(name, "true")
            continue
        if letters:
            options.texts[name] = letters.removeprefix("=")
        elif words:
            options.texts[name] = words.pop(0)
        else:
            raise _WrongCall(f"flag needs an argument: '{letter}' in -{whole}")
        return


# The colors of butane's messages; `render` puts them between the texts.
_COLORS = re.compile(r"(\x1b\[(?:1;3[134]|0)m)")
# Invalid UTF-8 bytes, except those that are control characters in other encodings: butane prints half characters.
_RAW_BYTES = re.compile("([\udca0-\udcff]+)")


def write(stream: TextIO, text: str, *, is_colored: bool = False) -> None:
    """Write text for a reader. It quotes the config, so hidden characters in it are escaped."""
    screen = screen_of(stream)
    parts = _COLORS.split(text) if is_colored else [text]
    pieces = [Code(part) if number % 2 else part for number, part in enumerate(parts)]
    if screen.isatty():
        screen.put(*pieces)
    else:  # the bytes that butane writes, in every locale
        whole = "".join(piece.sequence if isinstance(piece, Code) else _escaped(piece) for piece in pieces)
        screen.put_bytes(whole.encode("utf-8", "surrogateescape"))


def _escaped(text: str) -> str:
    parts = _RAW_BYTES.split(text)
    return "".join(part if number % 2 else escape_hidden(part) for number, part in enumerate(parts))


def write_data(stream: TextIO, text: str) -> None:
    """Write JSON byte for byte as butane does. On a terminal hidden characters are escaped as in JSON."""
    screen = screen_of(stream)
    if screen.isatty():
        screen.write(re.sub(r"[^\n -~]", lambda found: _json_escape(found[0]), text))
    else:
        screen.put_bytes(text.encode("utf-8", "surrogateescape"))


def _json_escape(character: str) -> str:
    """Return a hidden character as a JSON escape, any other character unchanged."""
    return (
        character if escape_hidden(character) == character else json.dumps(character).replace("\x7f", r"\u007f")[1:-1]
    )


def read_input(path: str) -> bytes:
    """Return the config's bytes, from a file or ("") from standard input. Raises OSError."""
    from flatkit.butane.source.document import MAX_BYTES

    if path:
        with open(path, "rb") as file:  # noqa: PTH123  (the name is shown as it was given)
            return file.read(MAX_BYTES + 1)
    buffer = getattr(sys.stdin, "buffer", None)
    if buffer is not None:
        data: bytes = buffer.read(MAX_BYTES + 1)
        return data
    return sys.stdin.read().encode("utf-8", "surrogateescape")


def run(argv: list[str]) -> int:
    """Run `butane ARGV...`: read, translate, write; return the exit status."""
    try:
        options = _parse(argv)
        if len(options.files) > 1:
            raise _WrongCall("")
    except _WrongCall as wrong:
        write(sys.stderr, _USAGE + (f"{wrong}\n" if str(wrong) else ""))
        return 2
    if "help" in options.switches:
        write(sys.stdout, _USAGE)
        return 0
    if "version" in options.switches:
        from flatkit import __version__

        write(sys.stdout, f"Butane v{BUTANE_RELEASE} (flatkit {__version__})\n")
        return 0
    if "schema" in options.texts:
        return _print_schema(options.texts["schema"])
    return _translate(options)


def _print_schema(version: str) -> int:
    from flatkit.butane.jsonschema import json_schema
    from flatkit.butane.schema import VERSIONS

    if version not in VERSIONS:
        write(sys.stderr, f'there is no schema of version "{version}"; expected one of {", ".join(VERSIONS)}\n')
        return 2
    write_data(sys.stdout, json.dumps(json_schema(version), indent=2) + "\n")
    return 0


def _translate(options: _Options) -> int:
    from flatkit.butane import translate
    from flatkit.butane.localfiles import go_error
    from flatkit.butane.render import render

    path = options.texts.get("input", "")
    if path:
        write(sys.stderr, "Flag --input has been deprecated, specify filename directly on command line\n")
    path = options.files[0] if options.files else path
    try:
        data = read_input(path)
    except IsADirectoryError as error:
        write(sys.stderr, f"failed to read {path}: {go_error('read', path, error)}\n")
        return 1
    except (OSError, ValueError) as problem:
        write(sys.stderr, f"failed to open {path}: {go_error('open', path, problem)}\n")
        return 1
    done = translate(
        data,
        files_dir=options.texts.get("files-dir"),
        pretty="pretty" in options.switches,
        strict="strict" in options.switches,
        name=path or "<stdin>",
    )
    if "debug" in options.switches and done.ok:
        write(sys.stderr, _debug(done))
    raw, color = "raw-errors" in options.switches, _wants_color(options.texts.get("color", "auto"))
    write(sys.stderr, render(done, raw=raw, color=color), is_colored=color)
    if not done.ok:
        return 1
    return 0 if "check" in options.switches else _put_out(done.json, options.texts.get("output", ""))


def _put_out(text: str, path: str) -> int:
    from flatkit.butane.localfiles import go_error

    if not path:
        write_data(sys.stdout, text)
        return 0
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    except (OSError, ValueError) as error:
        write(sys.stderr, f"failed to open {path}: {go_error('open', path, error)}\n")
        return 1
    with io.open(handle, "wb") as file:  # noqa: UP020  (a descriptor, not a name)
        file.write(text.encode())
    return 0


def _wants_color(choice: str) -> bool:
    if choice in ("always", "yes"):
        return True
    return choice == "auto" and sys.stderr.isatty() and "NO_COLOR" not in os.environ


def _debug(done: Any) -> str:
    """Return the map from YAML to JSON, as butane --debug shows it."""
    from flatkit.butane.diagnostics import path_text

    paths = {leaf[:size] for leaf in done.provenance.leaves() for size in range(1, len(leaf) + 1)}
    lines = sorted((path_text(path), path_text(done.provenance.to_yaml(path))) for path in paths)
    return "TranslationSet: yaml → json\n" + "".join(f"{source} → {target}\n" for target, source in lines)

"""`flatkit explain [FILE]`: a config's effect on a machine in plain words, or its errors and their fixes."""

from __future__ import annotations

import sys

from flatkit.cli.butane import read_input, write

_USAGE = """\
Usage: flatkit explain [FILE] [--files-dir DIR] [--ignore CODE]...

Says in plain words, in order, what a Butane config will do to a machine. Without FILE it reads standard input.
--ignore switches a piece of advice off; its code is in brackets behind it. A comment "# flatkit: ignore CODE" in the
config does the same: for its line, for the next one if it is alone, or for all if it is above the first key.
"""


def run(argv: list[str]) -> int:
    """Run `flatkit explain ARGV...`; return the exit status."""
    files: list[str] = []
    files_dir = None
    ignore: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if word in ("-h", "--help"):
            write(sys.stdout, _USAGE)
            return 0
        if word in ("-d", "--files-dir") and words:
            files_dir = words.pop(0)
        elif word.startswith("--files-dir="):
            files_dir = word.partition("=")[2]
        elif word == "--ignore" and words:
            ignore += words.pop(0).split(",")
        elif word.startswith("--ignore="):
            ignore += word.partition("=")[2].split(",")
        elif word.startswith("-") and word != "-":
            write(sys.stderr, f'{_USAGE}unknown option "{word}"\n')
            return 2
        else:
            files.append(word)
    if len(files) > 1:
        write(sys.stderr, f"{_USAGE}expected one file, got {len(files)}\n")
        return 2
    return _explain(files[0] if files else "", files_dir, ignore)


def _explain(path: str, files_dir: str | None, ignore: list[str]) -> int:
    from flatkit.butane import translate
    from flatkit.butane.explain import explain_text
    from flatkit.butane.lint import lint
    from flatkit.butane.render import render_taught

    try:
        data = read_input("" if path == "-" else path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        write(sys.stderr, f'cannot read "{path}": {reason}\n  Next: give the name of a Butane config\n')
        return 1
    done = translate(data, files_dir=files_dir, name=path or "<stdin>")
    if done.ok:
        write(sys.stdout, explain_text(done))
    write(sys.stderr, render_taught(done, lint(done, ignore=ignore)))
    return 0 if done.ok else 1

"""The `flatkit` command, also as `python -m flatkit`. Ctrl-C never shows a traceback, not even while Python is importing."""

from __future__ import annotations

import os
import sys

# The status that a shell reports for a program ended by Ctrl-C.
_STOPPED = 130
_except, _unraisable = sys.excepthook, sys.unraisablehook


def _on_uncaught(kind, error, trace):  # type: ignore[no-untyped-def]  # its types are in modules that take time to import
    if issubclass(kind, KeyboardInterrupt):
        os._exit(_STOPPED)
    _except(kind, error, trace)


def _on_unraisable(found):  # type: ignore[no-untyped-def]
    if issubclass(found.exc_type, KeyboardInterrupt):
        os._exit(_STOPPED)
    _unraisable(found)


sys.excepthook, sys.unraisablehook = _on_uncaught, _on_unraisable


def _in_utf8() -> None:
    """Start Python again in UTF-8 mode in a locale of another encoding.

    Names in configs, records and folders are UTF-8. Python would look for other files there. What is printed keeps the
    locale's encoding.
    """
    if sys.getfilesystemencoding() != "utf-8":
        encoding = getattr(sys.stdout, "encoding", None) or "ascii"
        options = ["-X", "utf8", "-X", f"flatkit_output={encoding}"]
        os.execv(sys.executable, [sys.executable, *options, *sys.orig_argv[1:]])  # noqa: S606
    encoding = sys._xoptions.get("flatkit_output")  # noqa: SLF001  (documented, for uses like this one)
    for stream in (sys.stdout, sys.stderr):
        if encoding and stream is not None:
            stream.reconfigure(encoding=encoding)  # type: ignore[union-attr]


def run() -> None:
    """Run the command, and exit with its status."""
    _in_utf8()
    from flatkit.cli import main

    sys.exit(main())


if __name__ == "__main__":
    if not sys.flags.safe_path and sys.path[:1] in ([""], [os.getcwd()]):  # noqa: PTH109  (pathlib takes time to import)
        # `python -m` searches the current folder first: a yaml.py in it would run.
        del sys.path[0]
    run()

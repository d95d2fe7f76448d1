"""The `flatkit` command. Each group of commands is a module that is imported when it is called, so that help is instant.

Only this package prints and decides about the exit status: 0 done, 1 a check failed or the input was refused, 2 wrong
usage, 3 this host cannot do it, 70 a fault in flatkit itself, 130 Ctrl-C, 141 the reader of the output is gone.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from flatkit.errors import FlatkitError
from flatkit.untrusted import printable

HELP = """\
flatkit: write Butane, boot real machines, watch Flatcar's ideas happen

  flatkit course                open the course in JupyterLab
  flatkit review                questions from before, after one, five and fourteen days
  flatkit doctor                what this host can do; each red line has one command that fixes it
  flatkit up [CONFIG]           boot a machine from a Butane (.bu) or Ignition (.ign) config
  flatkit ssh NAME [-- COMMAND] log in to a machine, or run a command there
  flatkit join URL --seat NAME  report to the trainer's board; flatkit flag help, flatkit leave
  flatkit clean                 list everything that flatkit made, ask, and remove it

Trainer:
  flatkit demo list|run NAME    play a demo in the terminal, for real or recorded
  flatkit present NAME          a demo on a stage: a key for each move; --notes on a second terminal
  flatkit lesson list|check|prove   exercises; docs/write-a-lesson.md tells how to write some
  flatkit list                  machines, and their checkpoints
  flatkit console NAME [--follow]  a machine's serial console
  flatkit stop NAME             switch a machine off; its disk is kept
  flatkit unplug NAME           pull a machine's plug: off without warning
  flatkit down NAME             remove a machine
  flatkit rewind NAME           back to its first boot in a second; --to CHECKPOINT: to another one
  flatkit checkpoint NAME CHECKPOINT   save memory and disk under a name
  flatkit images list|fetch|verify|build-lab|rm   what can be booted, and Flatcar's channels
  flatkit room pack|check|serve DIR  what a room needs without the Internet
  flatkit board [serve|look|rehearse|export|hard]  how each seat of a room is doing
  flatkit channels [promote A --to B]   who runs which version, as the update server saw it
  flatkit container build FILE  a container image for a lesson, without a registry
  flatkit seats up|check|status|down  a room of learners on this host, in their browsers (root)
  flatkit sysext build NAME     a system extension from Debian packages

Author:
  flatkit butane [FILE]         Butane to Ignition; a drop-in for butane
  flatkit explain [FILE]        what a config will do to a machine, in plain words
  flatkit everywhere [CONFIG] [PLATFORM]   how a config is handed over on each platform
  flatkit glossary [WORD]       the course's words, one plain sentence each
  flatkit community             where Flatcar's people are, and when they meet next

Each command explains itself: flatkit COMMAND --help
"""

# command -> module of this package that has `run(argv) -> status`; a module with several commands looks at the first
# word
_COMMANDS = {
    "board": "board",
    "butane": "butane",
    "channels": "room",
    "checkpoint": "machines",
    "clean": "machines",
    "community": "course",
    "console": "machines",
    "container": "container",
    "course": "course",
    "demo": "demo",
    "doctor": "doctor",
    "down": "machines",
    "everywhere": "everywhere",
    "explain": "explain",
    "flag": "join",
    "glossary": "course",
    "images": "images",
    "join": "join",
    "leave": "join",
    "lesson": "lesson",
    "list": "machines",
    "rewind": "machines",
    "present": "present",
    "review": "review",
    "room": "room",
    "seat": "seat",
    "seats": "seats",
    "ssh": "machines",
    "stop": "machines",
    "sysext": "sysext",
    "unplug": "machines",
    "up": "up",
}
# Their own option parsers want only the arguments after the command's name.
_TAKE_REST = {"butane", "explain"}


# Ctrl-C, and a reader that is gone (`flatkit list | head -1`): as a shell reports programs ended by SIGINT and SIGPIPE.
_STOPPED, _READER_GONE = 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    from flatkit.cli.screen import OutputLost, forget_output, screens

    words = list(sys.argv[1:] if argv is None else argv)
    with screens():
        try:
            status = _run(words)
            sys.stdout.flush()
        except KeyboardInterrupt:
            print("\nflatkit: stopped", file=sys.stderr)
            status = _STOPPED
        except OutputLost as lost:
            status = _READER_GONE
            if not lost.is_closed_pipe:
                print(f"flatkit: the output cannot be written: {lost.reason}", file=sys.stderr)
                status = FlatkitError.exit_status
            forget_output()
    return status


def _run(words: list[str]) -> int:
    if not words or words[0] in {"-h", "--help", "help"}:
        sys.stdout.write(HELP)
        return 0 if words else 2
    if words[0] in {"-V", "--version"}:
        from flatkit import __version__

        print(f"flatkit {__version__}")
        return 0
    command = words[0]
    if command not in _COMMANDS:
        import difflib

        near = difflib.get_close_matches(command, _COMMANDS, n=1)
        meant = f"; did you mean: flatkit {near[0]}" if near else ""
        said = f'flatkit: there is no command "{printable(command)}"{meant}\n  Next: flatkit --help'
        print(said, file=sys.stderr)
        return 2
    return _call(_COMMANDS[command], words[1:] if command in _TAKE_REST else words)


def _call(module: str, words: list[str]) -> int:
    try:
        status: int = importlib.import_module(f"flatkit.cli.{module}").run(words)
    except FlatkitError as error:
        from flatkit.cli.show import print_error

        print_error(error)
        return error.exit_status
    except SystemExit as error:  # argparse: 0 after --help, 2 for wrong usage
        return error.code if isinstance(error.code, int) else 2
    except Exception as error:  # noqa: BLE001  (the last resort: nobody is shown a traceback)
        from flatkit.cli.show import report_fault

        return report_fault(error, words)
    return status

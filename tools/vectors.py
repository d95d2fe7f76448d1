"""Compare flatkit's butane with recorded cases of the real tool: `tools/vectors.py DIR` prints how many agree.

A case is a line of JSON: args, input, files, and butane's answer (stdout, stderr, stderr_raw, exit, outfile).
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Case = dict[str, Any]
Main = Callable[[list[str]], int]
SAME_BYTES, SAME_MEANING, SAME_VERDICT, DIFFERS, APART = (
    "same bytes", "same meaning", "same verdict", "differs", "apart",
)  # fmt: skip
_PACKED = re.compile(rb"data:;base64,(H4sI[A-Za-z0-9+/=]*)")


def load(path: Path) -> list[Case]:
    """Return the cases of one file; a first line with `meta` adds its files to all of them."""
    with gzip.open(path, "rt") as lines:
        cases = [json.loads(line) for line in lines]
    shared = cases[0].get("files", {}) if cases and "meta" in cases[0] else {}
    cases = [case for case in cases if "meta" not in case]
    for case in cases:
        case["files"] = [*_shared(shared), *case.get("files", [])]
    return cases


def _shared(files: Any) -> list[dict[str, Any]]:
    """Return the files that all generated cases share; they are in genfiles/."""
    return [{**body, "path": f"genfiles/{name}"} for name, body in files.items()]


def name_of(case: Case) -> str:
    return str(case.get("name", f"seed {case.get('seed')}"))


def blob(value: Any) -> bytes:
    """Return the bytes of a string, {"text": ...} or {"b64": ...}."""
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode()
    return base64.b64decode(value["b64"]) if "b64" in value else value["text"].encode()


def input_of(case: Case) -> bytes:
    return base64.b64decode(case["input_b64"]) if "input_b64" in case else blob(case["input"])


def lay_out(case: Case, folder: Path) -> None:
    (folder / "input.bu").write_bytes(input_of(case))
    for file in case["files"]:
        target = folder / file["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        if "link" in file:
            target.symlink_to(file["link"])
        elif file.get("dir"):
            target.mkdir(exist_ok=True)
        else:
            target.write_bytes(blob(file))
            mode = file.get("mode")
            if mode is not None:
                target.chmod(int(mode, 8) if isinstance(mode, str) else mode)
    if case.get("setup"):
        subprocess.run(["sh", "-c", blob(case["setup"]).decode()], cwd=folder, check=True)


class _Stdin(io.TextIOWrapper):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")


def call(main: Main, args: list[str], data: bytes) -> tuple[int, bytes, bytes]:
    """Return status, standard output and standard error of `main(args)` with `data` on standard input."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    stdin, sys.stdin = sys.stdin, _Stdin(data)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(args)
    finally:
        sys.stdin = stdin
    out.flush()
    err.flush()
    return status, out.buffer.getvalue(), err.buffer.getvalue()  # type: ignore[attr-defined]


def unpacked(text: bytes) -> bytes:
    """Return the same text with each gzip data URL replaced by its contents."""
    return _PACKED.sub(lambda match: _unpack(match[1]) or match[0], text)


def _unpack(encoded: bytes) -> bytes:
    try:
        return b"gzip:" + zlib.decompress(base64.b64decode(encoded), 47)
    except (zlib.error, ValueError):
        return b""


def contents(text: bytes) -> Any:
    """Return the JSON with each data URL replaced by its bytes, in any encoding or compression."""
    from flatkit.butane.dataurl import decode_data_url

    def plain(value: dict[str, Any]) -> dict[str, Any]:
        source = value.get("source", "")
        data = decode_data_url(source, packed=value.get("compression") == "gzip") if isinstance(source, str) else None
        return value if data is None else {**value, "source": data.hex(), "compression": ""}

    try:
        return json.loads(text, object_hook=plain)
    except ValueError:
        return text


def _parts(text: bytes, unordered: bool) -> list[bytes]:
    # The real tool prints the unused keys of one mapping in random order.
    return sorted(re.split(rb"\n\n|\n(?=warning at|error at|Error )", text)) if unordered else [text]


def judge(case: Case, main: Main) -> tuple[str, str]:
    """Return the agreement with the record, and the differences."""
    unordered = bool(case.get("unordered_warnings"))
    data = b"" if "input.bu" in case["args"] else input_of(case)
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name), Path.cwd()
        lay_out(case, folder)
        os.chdir(folder)
        try:
            status, out, err = call(main, case["args"], data)
            outfile = (folder / "out.ign").read_bytes() if (folder / "out.ign").is_file() else None
            raw = call(main, ["--raw-errors", *case["args"]], data)[2] if "stderr_raw" in case else b""
        finally:
            os.chdir(home)
    wanted_out = blob(case.get("stdout"))
    if status != case["exit"]:
        return DIFFERS, f"exit {status}, expected {case['exit']}\n{_diff(blob(case.get('stderr')), err)}"
    same_text = _parts(err, unordered) == _parts(blob(case.get("stderr")), unordered) and (
        "stderr_raw" not in case or _parts(raw, unordered) == _parts(blob(case["stderr_raw"]), unordered)
    )
    same_file = outfile == (blob(case["outfile"]) if "outfile" in case else None)
    if same_text and same_file and out == wanted_out:
        return SAME_BYTES, ""
    if same_text and same_file and unpacked(out) == unpacked(wanted_out):
        return SAME_MEANING, ""
    shown = _diff(blob(case.get("stderr")), err) if not same_text else _diff(wanted_out, out)
    if "stderr_raw" in case and raw != blob(case["stderr_raw"]):
        shown = _diff(blob(case["stderr_raw"]), raw)
    # Either the words of a refusal differ, or the encodings of the same contents.
    alike = (not out and not wanted_out) or (same_text and contents(out) == contents(wanted_out))
    return (SAME_VERDICT if alike and same_file else DIFFERS), shown


def _diff(wanted: bytes, got: bytes) -> str:
    import difflib

    lines = [text.decode("utf-8", "replace").splitlines() for text in (wanted, got)]
    return "\n".join(line[:300] for line in difflib.unified_diff(*lines, "butane", "flatkit", lineterm="", n=0))


def is_apart(case: Case) -> bool:
    """Tell whether the case is about a variant or version that flatkit does not support."""
    from flatkit.butane import translate

    done = translate(input_of(case))
    answer = blob(case.get("stderr"))
    return "No translator exists" in done.failure and b"No translator exists" not in answer


def run(cases: list[Case], main: Main) -> Iterator[tuple[Case, str, str]]:
    for case in cases:
        verdict, shown = judge(case, main)
        if verdict in (DIFFERS, SAME_VERDICT) and is_apart(case):
            verdict = APART
        yield case, verdict, shown


def main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: tools/vectors.py DIR [--show]   (make vectors VECTORS=DIR)")
        return 2
    from flatkit.cli.butane import run as butane

    paths = sorted(Path(argv[0]).glob("*.jsonl.gz"))
    if not paths:
        print(f'no *.jsonl.gz in "{argv[0]}"')
        return 2
    bad = 0  # another packing of the same contents, and other words of the same refusal, are listed and no failure
    for path in paths:
        counts: Counter[str] = Counter()
        listed: list[str] = []
        for case, verdict, shown in run(load(path), butane):
            counts[verdict] += 1
            if verdict in (SAME_VERDICT, DIFFERS):
                listed.append(f"  {verdict}: {name_of(case)}" + (f"\n{shown}" if "--show" in argv else ""))
        judged = sum(counts.values()) - counts[APART]
        good = counts[SAME_BYTES] + counts[SAME_MEANING]
        bad += counts[DIFFERS]
        numbers = ", ".join(f"{counts[kind]} {kind}" for kind in (SAME_BYTES, SAME_MEANING, SAME_VERDICT, DIFFERS))
        share = 100 * good / judged if judged else 100.0
        print(f"{path.name}: {numbers}; {counts[APART]} of other versions apart; {share:.1f} % agree")
        print("\n".join(listed), end="\n" if listed else "")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

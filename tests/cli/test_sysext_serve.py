"""`flatkit sysext serve`, as a process of its own: it offers, says so, and ends in order on Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from flatkit import web


def test_a_folder_is_offered_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "greet-1.raw").write_bytes(b"one")
    argv = [sys.executable, "-m", "flatkit", "sysext", "serve", str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = re.search(r":(\d+)/extensions/; Ctrl-C", process.stdout.readline())
            assert process.stdout.readline() == "offered: greet\n"
            assert port
            place = f"http://127.0.0.1:{port[1]}/extensions"
            assert web.get(f"{place}/greet/greet-1.raw").text == "one"
            for name in ("greet.transfer", "greet.conf"):
                assert f"Path=http://10.0.2.2:{port[1]}/extensions/greet/" in web.get(f"{place}/{name}").text
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0

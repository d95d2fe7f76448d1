"""Jupyter programs start without the grammars that jsonschema would build, and check all that they checked before."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from flatkit import jupyter_start
from flatkit.lessons import jupyter_server

CHECKED = "import json, jsonschema; print(json.dumps(sorted(jsonschema.FormatChecker.checkers)))"
SHOW = """
import json, sys
import jsonschema
print(json.dumps({"argv": sys.argv[1:], "name": __name__, "grammars": "lark" in sys.modules}))
"""


def python(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run([*words], capture_output=True, text=True, check=False, cwd=cwd, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_module_runs_as_with_python_m(tmp_path: Path) -> None:
    (tmp_path / "shown_module.py").write_text(SHOW)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import runpy; sys.argv = ['x', 'shown_module', '--a', 'b']"
    )
    code += "; runpy.run_module('flatkit.jupyter_start', run_name='__main__')"
    found = json.loads(python(sys.executable, "-c", code))
    assert found == {"argv": ["--a", "b"], "name": "__main__", "grammars": False}


def test_a_learners_file_does_not_stand_in_for_a_module(tmp_path: Path) -> None:
    """A random.py in the course's folder kept JupyterLab from starting, and so its writer out of the seat."""
    (tmp_path / "random.py").write_text("raise SystemExit('mine')\n")
    said = python(*jupyter_start.command("jupyterhub.singleuser"), "--version", cwd=tmp_path)
    assert said[0].isdigit()


def test_only_formats_that_jupyter_does_not_use_are_left_unchecked() -> None:
    everything = set(json.loads(python(sys.executable, "-c", CHECKED)))
    code = f"from flatkit.jupyter_start import leave_grammars_out as out; out(); {CHECKED}"
    assert everything - set(json.loads(python(sys.executable, "-c", code))) <= {"iri", "iri-reference"}
    packages = Path(sysconfig.get_paths()["purelib"])
    schemas = [
        path for name in ("jupyter*", "nbformat*", "notebook*") for top in packages.glob(name) if top.is_dir()
        for path in top.rglob("*") if path.suffix in {".json", ".yaml", ".yml"} and path.is_file()
    ]  # fmt: skip
    assert len(schemas) > 20
    for path in schemas:
        text = path.read_text(encoding="utf-8", errors="replace").replace("'", '"').replace('"', "")
        assert "format: iri" not in text, path


def test_the_list_of_files_shows_where_a_text_is_kept() -> None:
    application = pytest.importorskip("jupyter_server.serverapp").ServerApp()
    application.parse_command_line([one for one in jupyter_server.options() if "Contents" in one])
    manager = pytest.importorskip("jupyter_server.services.contents.manager").ContentsManager(config=application.config)
    assert manager.should_list("first.bu~")
    assert not manager.should_list("__pycache__")

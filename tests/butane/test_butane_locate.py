"""From Ignition's complaint back to the line of the Butane text."""

from __future__ import annotations

import pytest

from flatkit.butane import translate
from flatkit.butane.provenance import locate

TEXT = """variant: flatcar
version: 1.0.0
passwd:
  users:
    - name: ada
      groups: [pilots]
storage:
  files:
    - path: /etc/motto
      contents:
        source: http://10.0.2.2/missing
        verification:
          hash: sha256-0000000000000000000000000000000000000000000000000000000000000000
systemd:
  units:
    - name: web.service
      enabled: true
"""


@pytest.mark.parametrize(
    ("clues", "line", "json_path"),
    [
        (("http://10.0.2.2/missing", "/etc/motto"), 11, "$.storage.files.0.contents.source"),
        (("/etc/motto",), 9, "$.storage.files.0.path"),
        (("0" * 64,), 13, "$.storage.files.0.contents.verification.hash"),
        (("nowhere", "pilots", "ada"), 6, "$.passwd.users.0.groups.0"),
        (("web.service",), 16, "$.systemd.units.0.name"),
        (("$.storage.files.0.path",), 9, "$.storage.files.0.path"),
    ],
)
def test_the_line_is_found(clues: tuple[str, ...], line: int, json_path: str) -> None:
    result = translate(TEXT, name="web.bu")
    assert result.ignition
    place = locate(result.ignition, clues, provenance=result.provenance, text=TEXT)
    assert place
    assert (place.line, place.json_path) == (line, json_path)
    assert place.text == TEXT.splitlines()[line - 1].strip()


def test_without_butane_the_path_is_named() -> None:
    result = translate(TEXT, name="web.bu")
    assert result.ignition
    place = locate(result.ignition, ("/etc/motto",))
    assert place
    assert (place.line, place.json_path) == (0, "$.storage.files.0.path")


@pytest.mark.parametrize("clues", [(), ("nowhere",), ("",)])
def test_what_the_config_does_not_hold_is_not_blamed(clues: tuple[str, ...]) -> None:
    result = translate(TEXT, name="web.bu")
    assert result.ignition
    assert locate(result.ignition, clues, provenance=result.provenance, text=TEXT) is None


def test_a_path_of_the_json_that_is_not_there_is_no_crash() -> None:
    place = locate({"ignition": {"version": "3.3.0"}}, ("$.storage.files.7.path",))
    assert place
    assert place.line == 0

"""The parsers and checks of the demos sysext and containers, on what machines really said."""

from __future__ import annotations

import pytest

from flatkit.demos import DEMOS
from flatkit.demos.facts import has, lacks, parse_merged
from flatkit.demos.sysext import _is_refused, parse_link, parse_refusal

# A lab machine, with its built-in extensions and one of the demo's; then with docker switched off; and before any status.
SOME = (
    '[{"hierarchy":"/opt","extensions":"none","since":null},'
    '{"hierarchy":"/usr","extensions":["containerd-flatcar","docker-flatcar","tree"],"since":1795723200000000}]\n'
)
NONE = '[{"hierarchy":"/opt","extensions":"none","since":null},{"hierarchy":"/usr","extensions":"none","since":null}]\n'


@pytest.mark.parametrize(
    ("raw", "value", "has_tree"),
    [
        (SOME, ("containerd-flatcar", "docker-flatcar", "tree"), True),
        (NONE, (), False),
        (SOME.replace(',"tree"', ""), ("containerd-flatcar", "docker-flatcar"), False),
        ("Failed to connect to bus\n", None, False),
        ("", None, False),
        ("[1]", None, False),
        ("[" * 100_000, None, False),
    ],
)
def test_what_is_merged(raw, value, has_tree):
    assert parse_merged(raw) == value
    assert has("tree")(value).ok is has_tree
    assert lacks("tree", "greet")(value).ok is (value is not None and not has_tree)


def test_a_check_that_fails_says_what_was_found_and_expected():
    assert has("tree")(("docker",)).found == 'merged into /usr: docker; expected "tree" among them'
    assert lacks("tree")(("tree",)).found == "merged into /usr: tree; expected it without tree"
    assert "nothing was refused" in _is_refused(("", "")).found


@pytest.mark.parametrize(
    ("raw", "value", "ok"),
    [
        (
            "Extension 'wrong' is for OS 'debian', but running on 'flatcar-lab', ignoring.\n",
            ("wrong", "debian"),
            True,
        ),
        (
            "Extension 'greet' is for OS 'debian', but running on 'flatcar-lab', ignoring.\n",
            ("greet", "debian"),
            False,
        ),
        ("Using extensions 'tree', 'wrong'.\nMerged extensions into '/usr'.\n", ("", ""), False),
    ],
)
def test_a_refusal(raw, value, ok):
    assert parse_refusal(raw) == value
    assert _is_refused(value).ok is ok


@pytest.mark.parametrize(
    ("raw", "version"),
    [
        ("/opt/extensions/greet/greet-2.raw\n", "2"),
        ("/opt/extensions/kubernetes/kubernetes-v1.33.2-x86-64.raw\n", "v1.33.2-x86-64"),
        ("/usr/share/flatcar/sysext/docker-flatcar.raw\n", ""),
        ("", ""),
    ],
)
def test_the_version_that_a_link_leads_to(raw, version):
    assert parse_link(raw) == version


@pytest.mark.parametrize("name", ["sysext", "containers"])
def test_what_differs_between_the_images_is_asked_of_the_machine(name):
    """No step names the lab image or Flatcar: `--for` asks the machine, in one place (api/extensions.py)."""
    lines = [step.line for step in DEMOS[name].steps]
    assert not [line for line in lines if "flatcar-lab" in line or "--id flatcar" in line]
    assert all("--for" in line or "--id debian" in line for line in lines if "sysext build" in line)

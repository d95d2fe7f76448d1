"""Why an extension is not merged, from what systemd says about it, in words that name what to do."""

from __future__ import annotations

import pytest

from flatkit.demos.facts import _CUT, _FAILED, explain_words, find_refusal, parse_layers

SYSTEM = 'ID=flatcar\nID_LIKE="coreos"\nVERSION_ID=4593.2.5\nSYSEXT_LEVEL=1.0\n'
# what systemd-sysext or systemd-dissect says, what is said about it
SAID = [
    ("Failed to read metadata for image k3s-v1.29.2: No medium found", "NAME.raw must contain usr/lib/extension-release.d"),
    ("Failed to mount dissected image: No medium found", "no extension-release for its file's name"),
    ("cat: /x/usr/lib/extension-release.d/extension-release.hi: No such file or directory", "for its file's name"),
    ("Extension 'wrong' is for OS 'debian', but deployed on top of 'flatcar'.", 'ID "debian", this system is "flatcar"'),
    ("Extension 'x' is for sysext API level '9', but running on sysext API level '1'.", 'SYSEXT_LEVEL "9", this system has'),
    ("Extension 'x' is for OS version '1', but deployed on top of '2'", 'it is for VERSION_ID "1", this system has "2"'),
    ("Extension 'x' is for architecture 'arm64', but deployed on top of 'x86-64'.", 'ARCHITECTURE "arm64"'),
    ("No suitable extensions found (1 ignored due to incompatible image(s)).", "SYSTEMD_LOG_LEVEL=debug"),
    ("Couldn't identify a suitable partition table or file system in 'x.raw'.", "half a download"),
    ("Hierarchy '/usr' is already merged.", "systemctl restart systemd-sysext"),
    ("Failed to unmount file system /usr: Device or resource busy", "in use"),
    ("Extension 'x' is for OS '\x1b[2J', but deployed on top of 'y'", '"\\x1b[2J"'),
    ("all is well", ""),
]  # fmt: skip


@pytest.mark.parametrize(("said", "meaning"), SAID)
def test_what_systemd_means(said: str, meaning: str) -> None:
    found = explain_words(f"first line\n{said}\n")
    assert meaning in found
    assert bool(found) == bool(meaning)
    assert found.isprintable()


# the extension's file, what was read from it, how it is shown
LAYERS = [
    ("tree.raw", "ID=flatcar\nSYSEXT_LEVEL=1.0", "tree: not merged yet"),
    ("tree.raw", "ID=_any", "tree: not merged yet"),
    ("wrong.raw", "ID=debian", 'wrong: it is for ID "debian", this system is "flatcar"'),
    ("core.raw", "ID=coreos", 'core: it is for ID "coreos", this system is "flatcar"; only systemd 258'),
    ("tree-2.raw", f"{_FAILED} Failed to open 'extension-release.tree-2': No such file or directory",
     "tree-2: it has no extension-release for its file's name"),
    ("half.raw", f"{_FAILED} Failed to dissect image 'half.raw': No data available", "half: it is not an image that can be read"),
    ("odd.raw", f"{_FAILED} some other \x1b trouble", 'odd: it cannot be read: "some other \\x1b trouble"'),
    ("odd.raw", f"{_FAILED} ", 'odd: it cannot be read: ""'),
]  # fmt: skip


@pytest.mark.parametrize(("file", "release", "shown"), LAYERS)
def test_the_layers_say_why(file: str, release: str, shown: str) -> None:
    status = '[{"hierarchy": "/usr", "extensions": ["docker-flatcar"]}]'
    path = f"/var/lib/extensions/{file}"
    text = f"{status}\n{_CUT}\n{SYSTEM}{_CUT}\n{path} {path}\n{release}\n"
    docker, layer = parse_layers(text)
    assert (docker.name, docker.merged) == ("docker-flatcar", True)
    assert str(layer).startswith(shown)


def test_a_masked_extension_is_masked() -> None:
    status = '[{"hierarchy": "/usr", "extensions": "none"}]'
    text = f"{status}\n{_CUT}\n{SYSTEM}{_CUT}\n/etc/extensions/docker-flatcar.raw /dev/null\n\n"
    assert [str(layer) for layer in parse_layers(text)] == ["docker-flatcar: masked"]


def test_id_like_alone_is_not_enough() -> None:
    assert "ID_LIKE" not in find_refusal("ID=debian\n", SYSTEM)
    assert find_refusal("ID=flatcar\nSYSEXT_LEVEL=1.0\n", SYSTEM) == ""

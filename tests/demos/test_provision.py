"""The demo's parsers and checks, on what machines really said."""

from __future__ import annotations

import pytest

from flatkit.demos import DEMOS, get_demo
from flatkit.demos.facts import is_read_only, parse_usr
from flatkit.demos.provision import _is_ignition
from flatkit.errors import UsageError
from flatkit.steps import Where

# What a lab machine said, with its built-in extensions merged and (the second) with none.
MERGED = """\
/dev/mapper/usr ro,relatime,user_xattr,acl,cache_strategy=readaround
sysext          ro,nodev,relatime,lowerdir=/run/systemd/sysext/meta/usr:/usr,redirect_dir=on
"""
PLAIN = "/dev/mapper/usr ro,relatime,user_xattr,acl,cache_strategy=readaround\n"


@pytest.mark.parametrize(
    ("raw", "value", "ok"),
    [
        (MERGED, {"/dev/mapper/usr": "ro", "sysext": "ro"}, True),
        (PLAIN, {"/dev/mapper/usr": "ro"}, True),
        ("/dev/vda3 ro,relatime\n", {"/dev/vda3": "ro"}, False),
        (MERGED.replace("ro,nodev", "rw,nodev"), {"/dev/mapper/usr": "ro", "sysext": "rw"}, False),
        ("", {}, False),
    ],
)
def test_layers_of_usr(raw, value, ok):
    assert parse_usr(raw) == value
    assert is_read_only(value).ok is ok


@pytest.mark.parametrize(
    ("text", "ok"),
    [('{"ignition":{"version":"3.3.0"}}', True), ("error: no", False), ('{"a":1}', False), ("[]", False)],
)
def test_is_ignition(text, ok):
    assert _is_ignition(text).ok is ok


@pytest.mark.parametrize("demo", DEMOS.values(), ids=DEMOS)
def test_each_step_says_what_why_and_what_next(demo):
    for step in demo.steps:
        assert step.title
        assert step.line
        assert step.hint
        assert step.why.rstrip().endswith((".", "?"))
        assert step.where is Where.HOST or not step.boot


def test_unknown_demo_names_the_known():
    with pytest.raises(UsageError, match="provision"):
        get_demo("provison")

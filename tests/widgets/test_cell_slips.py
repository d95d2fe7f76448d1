"""Slips in a cell get help that says what to type; Python's own errors stay as they are."""

from __future__ import annotations

from typing import Any

import pytest

import flatkit
from flatkit.widgets import missing


@pytest.fixture
def registered(shell: Any, hypervisor: object) -> Any:
    del hypervisor
    missing.register()
    shell.user_ns["fk"] = flatkit
    shell.run_cell('fk.editor("web.bu")\nm = fk.up("web.bu")')
    return shell


CONFIG = "variant: flatcar\nversion: 1.1.0"
# The cell, words of the answer, and the last lines, which are what to type.
SLIPS = [
    ("%butane x.bu\n" + CONFIG, '"%butane x.bu" is not known here', f"%%butane x.bu\n{CONFIG}"),
    ("%%butan x.bu\n" + CONFIG, 'expected "%%butane x.bu"', f"%%butane x.bu\n{CONFIG}"),
    ("%% butane x.bu\n" + CONFIG, 'expected "%%butane x.bu"', f"%%butane x.bu\n{CONFIG}"),
    ("%%Butane x.bu\n" + CONFIG, 'expected "%%butane x.bu"', f"%%butane x.bu\n{CONFIG}"),
    ("%on m ls -l", '"%on m ls -l" is not known here', "%%on m\nls -l"),
    ("%on m\nls -l", '"%on m" is not known here', "%%on m\nls -l"),
    ("%%butane x.bu", 'there is nothing below "%%butane x.bu"', "%%butane x.bu\nvariant: flatcar\nversion: 1.0.0"),
    ("%%on m\n", 'there is nothing below "%%on m"', "%%on m\nhostname"),
    (CONFIG, "this is a config, and the cell is Python", f"%%butane NAME.bu\n{CONFIG}"),
    ("variant: flatcar", "this is a config", "%%butane NAME.bu\nvariant: flatcar"),
    ("# mine\nstorage:\n  files:\n    - path: /x", "this is a config", "# mine\nstorage:\n  files:\n    - path: /x"),
    ("REBOOT_STRATEGY=reboot", "this is a line of a file", 'fk.editor("NAME.bu")'),
    ("GROUP=beta\nSERVER=http://10.0.2.2:8000/", "this is a line of a file", 'fk.editor("NAME.bu")'),
    ("GROUP=alpha", "this is a line of a file", "a command below %%on changes the file"),
    ("WantedBy=multi-user.target", "this is a line of a file", 'fk.editor("NAME.bu")'),
    ("flatkit up web.bu", "a command for a terminal of this host", "!flatkit up web.bu"),
    ("$ virsh list --all", "a command for a terminal of this host", "!virsh list --all"),
    ("pip install flatkit", "a command for a terminal of this host", "!pip install flatkit"),
    ("m.page(80, ada)", '"ada" has no quotes', 'm.page(80, "ada")'),
    ("fk.up(web.bu)", '"web.bu" has no quotes', 'fk.up("web.bu")'),
    ("fk.up(web.bu, ports=80)", '"web.bu" has no quotes', 'fk.up("web.bu")'),
    ("fk.up(my-first.bu)", '"my-first.bu" has no quotes', 'fk.up("my-first.bu")'),
    ("m = fk.up(other.bu, name='x')", '"other.bu" has no quotes', 'fk.up("other.bu")'),
    ("fk.play(update)", '"update" has no quotes', 'fk.play("update")'),
    ("fk.check(01-note, m)", '"01-note" has no quotes', 'fk.check("01-note")'),
    ("fk.check(00-name)", '"00-name" has no quotes', 'fk.check("00-name")'),
    ('m = fk.up("web.bu)', "a quote or a bracket is missing", 'm = fk.up("web.bu")'),
    ('m = fk.up("web.bu, ports=80)', "a quote or a bracket is missing", 'm = fk.up("web.bu", ports=80)'),
    ('m = fk.up("web.bu", ports=80', "a quote or a bracket is missing", 'm = fk.up("web.bu", ports=80)'),
    ('fk.editor(web.bu")', "a quote or a bracket is missing", 'fk.editor("web.bu")'),
    ('fk.editor("web.bu"', "a quote or a bracket is missing", 'fk.editor("web.bu")'),
    (
        "fk.editor(\N{LEFT DOUBLE QUOTATION MARK}web.bu\N{RIGHT DOUBLE QUOTATION MARK})",
        "a quote or a bracket is missing or wrong",
        'fk.editor("web.bu")',
    ),
    ("m.run(echo hi > hello)", "a quote or a bracket is missing", 'm.run("echo hi > hello")'),
    ('m.run("echo a, b)', "a quote or a bracket is missing", 'm.run("echo a, b")'),
    ('m.run(echo "hi" > hello)', "a quote or a bracket is missing", "m.run('echo \"hi\" > hello')"),
    ("web", '"web" is the name of a machine', "m"),
    ("M", '"M" is not known here; did you mean "m"?', "m"),
    ("page", '"page" is not known here', "a command for the machine belongs below %%on m"),
    ("fk.chek('00-name')", 'fk has no "chek"; did you mean "check"?', "fk.check"),
    ("fk.help('verity')", 'fk has no "help"; expected one of channels, check', "fk.course() shows the way"),
    ("m.slot", 'm has no "slot"; did you mean "slots"?', "m.slots"),
    ("m.rewnd()", 'did you mean "rewind"?', "m.rewind"),
    ("m.rollback()", 'm has no "rollback"', 'press Tab after "m."'),
    ("m.state()", "m.state is a value, and takes no brackets", "m.state"),
    ("fk.check()", "fk.check cannot be called like this: name is missing", "fk.check(name, machine=None)"),
    (
        'fk.channels().promote("beta")',
        "fk.channels().promote cannot be called like this: to= is missing",
        "fk.channels().promote(channel, to=...)",
    ),
    ('fk.channels().promot("beta", to="stable")', 'did you mean "promote"?', "fk.channels().promote"),
    ('fk.channels().promote("beta", too="stable")', 'has no "too"; did you mean "to"?', "promote(channel, to=...)"),
    ("fk.course().show_me(1)", 'fk.course() has no "show_me"', "press Tab"),
    ("m.run(comand='ls')", 'it has no "comand"; did you mean "command"?', "m.run(command"),
    ("fk.clean('web')", "fk.clean cannot be called like this", "fk.clean(everything=False)"),
    ("fk.up('web.bu', port=80)", 'it has no "port"; did you mean "ports"?', "fresh=False)"),
    ("m.run()", "m.run cannot be called like this", "m.run(command"),
    ('fk.check "00-name"', "a quote or a bracket is missing", 'fk.check("00-name")'),
    ("fk.doctor()x", "a quote or a bracket is missing or wrong", "fk.doctor()"),
    ('FK.check("00-name")', '"FK" is not known here; did you mean "fk"?', 'fk.check("00-name")'),
    ("M.run('ls')", '"M" is not known here; did you mean "m"?', "m.run('ls')"),
    ("Import flatkit as fk", '"Import" is written in small letters', "import flatkit as fk"),
    ("await fk.up", '"fk.up" needs its brackets', "await fk.up(...)"),
    ("%%on mm\nls", '"mm" is not a machine; did you mean "m"?', "%%on m"),
    ("%%on other\nls", '"other" is not a machine; expected one of m', "%%on m"),
    ("%%butane my file.bu\n" + CONFIG, '"my file.bu" is more than one word', "%%butane my-file.bu"),
    ("config = 1\nfk.up(config)", 'the config is "1"; expected the name of a file in quotes', 'fk.up("web.bu")'),
    ("fk.up(name=3)", 'the name is "3"; expected a text', 'fk.up(..., name="web")'),
    ("fk.up(image=3)", 'the image is "3"; expected a text', 'fk.up(..., image="stable")'),
    ("fk.up(memory='lots')", 'the memory "lots" is not understood', 'fk.up(..., memory="2G")'),
    ("fk.up(ports=70000)", "expected numbers from 1 to 65535", "fk.up(..., ports=80)"),
    ("fk.up(name='My Machine')", '"My Machine" cannot be a machine\'s name', 'fk.up(..., name="web")'),
    ("fk.editor('')", "expected the name of a file", 'fk.editor("web.bu")'),
    ("fk.editor(3)", 'the config is "3"', 'fk.editor("web.bu")'),
    ("fk.check(3)", 'the exercise is "3"; expected a text', 'fk.check("00-hello")'),
    ("fk.check('00-hello', 'm')", 'the machine is "m"; expected the variable', 'fk.check("00-hello", m)'),
    ("fk.check('00-helo')", 'there is no exercise "00-helo"; did you mean "00-hello"?', 'fk.check("00-hello")'),
    ("fk.check('zzz')", 'there is no exercise "zzz"; expected one of 00-name', "fk.course()"),
    ("fk.play(3)", 'the demo is "3"; expected a text', 'fk.play("update")'),
    ("fk.play('updat')", 'there is no demo "updat"; did you mean "update"?', 'fk.play("update")'),
    ("fk.play('zzz')", 'there is no demo "zzz"; expected one of provision', 'fk.play("update")'),
    ("fk.play('update', 'm')", '"m" is not a machine', 'fk.play("update", m)'),
    ("fk.glossary(3)", 'the word is "3"', 'fk.glossary("slot")'),
    ("fk.glossary('verrity')", '"verrity" is not in the glossary; the nearest: dm-verity', 'fk.glossary("dm-verity")'),
    ("fk.glossary('qqqq')", '"qqqq" is not in the glossary', 'fk.glossary("slot")'),
]


@pytest.mark.parametrize(("cell", "what", "typed"), SLIPS, ids=[cell for cell, _, _ in SLIPS])
def test_what_to_type_is_shown(
    registered: Any, cell: str, what: str, typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert not registered.run_cell(cell).success
    said = capsys.readouterr().out
    words = " ".join(said.split())
    assert what in words
    assert "Traceback" not in said
    assert ".py" not in said
    assert " ".join(typed.split()) in words


OWN = [
    ("'a'.nothing", "'str' object has no attribute 'nothing'"),
    ("int('1', 2, 3)", "int() takes at most 2 arguments"),
    ("def clean(): pass\nclean(1)", "clean() takes 0 positional arguments"),
    ("class Mine:\n  x = 1\nMine().y", "'Mine' object has no attribute 'y'"),
    ("x = (1,", "SyntaxError"),
    ("%%time\nnothing", "name 'nothing' is not defined"),
    ("%timee 1", "not found"),
    ("version: int = 'a' + 1", "can only concatenate"),
]


@pytest.mark.parametrize(("cell", "words"), OWN, ids=[cell for cell, _ in OWN])
def test_pythons_own_errors_stay(registered: Any, cell: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert not registered.run_cell(cell).success
    assert words in "".join(capsys.readouterr())

"""Every exercise of the course keeps the contract: its check fails after setup, passes after solve, and nothing is left."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flatkit.errors import UsageError
from flatkit.lessons import LESSONS, get_task
from flatkit.lessons.course.containers import IMAGE
from flatkit.lessons.course.immutable import COMMAND, DIGEST, is_command, is_digest
from flatkit.lessons.course.kubernetes import TIMER
from flatkit.lessons.course.provision import NOTE
from flatkit.lessons.course.start import HELLO
from flatkit.lessons.course.sysext import PARTS
from flatkit.lessons.course.updates import FIRST
from flatkit.lessons.exercise import Exercise, Finding, Quiz, Remove, Type, Write
from flatkit.lessons.prover import prove, quiz_faults
from flatkit.lessons.session import judge
from flatkit.lessons.workspace import FolderBench
from flatkit.testing.bench import PretendedMachine, Reply
from tests.learners import attempts

EXERCISES = [exercise for lesson in LESSONS.values() for exercise in lesson.exercises]
QUIZZES = [quiz for lesson in LESSONS.values() for quiz in lesson.quizzes]

HASH = "2367049e469bd3a0403cca631fc2602e5aacaf51c7619b11326b96669589dfc2"
# What a lab machine said after the first part of 04-updates: updated, and gone back by hand (priorities of USR-A and USR-B).
CGPT = """\
/dev/vda3
       start        size    part  contents
           0           1          Hybrid MBR
           1           1          Pri GPT header
           2          32          Pri GPT table
      270336     1048576       3  Label: "USR-A"
                                  Type: Alias for flatcar-rootfs
                                  UUID: 7130C94A-213A-4E5A-8E26-6CCE9662F132
                                  Attr: priority={} tries=0 successful=1
     1318912     1048576       4  Label: "USR-B"
                                  Type: Alias for flatcar-rootfs
                                  UUID: E03DD35C-7C2D-4A47-B3FE-27F15780A57C
                                  Attr: priority={} tries=0 successful=1
    13119455          32          Sec GPT table
"""
CONF = "GROUP={}\nSERVER=http://10.0.2.2:8000/v1/update/\nREBOOT_STRATEGY=off\nMACHINE_ALIAS=canary\n"

# What the machine answers to the questions of each exercise that is about one: before it is solved, and after.
MACHINES = {
    "00-hello": {
        HELLO: (Reply("none\n"), Reply("text\nhi\n")),
        "ls -A /home/core": (Reply(".bashrc\n"), Reply(".bashrc\nhello\n")),
    },
    "01-note": {
        NOTE: (Reply("none\n"), Reply("ada\n")),
        "sudo ls -A /home/ada": (Reply(".ssh\n"), Reply(".ssh\nnote\n")),
    },
    "03-digest": {
        DIGEST: (Reply(f"--given--\n{HASH}\n"), Reply(f"{HASH}\n--given--\n{HASH}\n")),
        "ls -A /home/core": (Reply(".bashrc\n"), Reply(".bashrc\ndigest\n")),
    },
    "03-command": {
        COMMAND: (Reply("", 1), Reply("/opt/bin/hello\nhi\n")),
        "ls -A /opt/bin": (Reply(""), Reply("hello\n")),
    },
    "04-next": {
        'rootdev -s /usr; sudo cgpt show "$(rootdev -s -d /usr)"': (Reply(CGPT.format(2, 1)), Reply(CGPT.format(1, 2))),
        FIRST: (Reply("3\n"), Reply("4\n")),
    },
    "05-follow": {"cat /etc/flatcar/update.conf": (Reply(CONF.format("beta")), Reply(CONF.format("alpha")))},
    "06-folder": {
        "systemd-sysext status --json=short": (
            Reply('[{"hierarchy":"/opt","extensions":"none"},{"hierarchy":"/usr","extensions":"none"}]\n'),
            Reply('[{"hierarchy":"/opt","extensions":"none"},{"hierarchy":"/usr","extensions":["hi"]}]\n'),
        ),
        PARTS: (Reply(""), Reply("folder\nrelease\nfits\nprogram\n")),
        "/usr/bin/hi": (Reply("bash: line 1: /usr/bin/hi: No such file or directory\n", 127), Reply("hi there\n")),
        "ls -A /var/lib/extensions": (Reply(""), Reply("hi\n")),
    },
    "07-image": {
        IMAGE: (Reply("redis:7\n", 1), Reply("flatkit/mine:1\n")),
        "docker images --quiet flatkit/mine": (Reply(""), Reply("2f9a1c0d3b4e\n")),
    },
    "11-hold": {
        TIMER: (Reply("enabled\nactive\nindirect\n"), Reply("disabled\ninactive\nindirect\n")),
        "systemctl is-enabled systemd-sysupdate.timer": (Reply("enabled\n"), Reply("disabled\n", 1)),
    },
    "09-visit": {
        "cat /var/lib/book/visits": (Reply("110.2.0: first\n"), Reply("110.2.0: first\n120.1.0: ada\n")),
        "cat /var/lib/book/visits 2>/dev/null": (Reply(""), Reply("120.1.0: ada\n")),
    },
}


def bench_for(exercise: Exercise, folder: Path) -> FolderBench:
    return FolderBench(folder, PretendedMachine(exercise, MACHINES[exercise.name]) if exercise.machine else None)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_it_keeps_the_contract(exercise: Exercise, tmp_path: Path) -> None:
    proof = prove(exercise, bench_for(exercise, tmp_path))
    assert proof.faults == ()
    assert proof.ok


def commands_of(exercise: Exercise) -> list[str]:
    """Everything that an exercise types on its machine."""
    acts = (*exercise.setup, *exercise.solve, *exercise.cleanup)
    return [*MACHINES.get(exercise.name, ()), *exercise.traces, *(act.command for act in acts if isinstance(act, Type))]


@pytest.mark.parametrize("exercise", [one for one in EXERCISES if one.machine], ids=lambda exercise: exercise.name)
def test_a_shell_reads_what_it_types(exercise: Exercise) -> None:
    for command in commands_of(exercise):
        done = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), command


@pytest.mark.parametrize("quiz", QUIZZES, ids=lambda quiz: quiz.name)
def test_its_answers_are_explained(quiz: Quiz) -> None:
    assert quiz_faults(quiz) == ()
    assert len(quiz.questions) == 3


def test_names_tell_the_lesson_and_are_given_once() -> None:
    names = [task.name for lesson in LESSONS.values() for task in lesson.tasks]
    assert len(names) == len(set(names))
    for lesson in LESSONS.values():
        assert {task.name[:2] for task in lesson.tasks} == {lesson.name[:2]}
        assert len(lesson.exercises) >= 2
        assert len(lesson.quizzes) == 1


def test_a_name_that_is_none_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match='did you mean "02-script"'):
        get_task("02-skript")
    with pytest.raises(UsageError, match="expected one of 00-name"):
        get_task("x")


def conf(*lines: str) -> str:
    """A config that writes these lines into the machine's update.conf."""
    text = "".join(f"          {line}\n" for line in lines)
    return (
        "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: /etc/flatcar/update.conf\n"
        f"      overwrite: true\n      contents:\n        inline: |\n{text}"
    )


# What a learner might have done: exercise -> its file -> words of the finding.
TRIES = [
    ("00-name", "variant: flatcar\nversion: 1.0.0\n", "expected: a file /etc/hostname"),
    ("00-name", "variant: flatcar\nversion: 1.0.0\nstorage: [", "has a fault"),
    ("00-name", "", 'there is no file "first.bu" yet'),
    ("01-user", "variant: flatcar\nversion: 1.0.0\npasswd:\n  users:\n    - name: grace\n", "grace has 0 SSH keys"),
    ("01-user", "variant: flatcar\nversion: 1.0.0\npasswd:\n  users:\n    - name: ada\n", "users in your config: ada"),
    (
        "02-script",
        "variant: flatcar\nversion: 1.1.0\nstorage:\n  files:\n    - path: /opt/bin/greet\n",
        "mode not given",
    ),
    (
        "02-service",
        (
            "variant: flatcar\nversion: 1.1.0\nsystemd:\n  units:\n    - name: greet.service\n      enabled: true\n"
            "      contents: |\n        [Service]\n        ExecStart=/bin/true\n"
            "        [Install]\n        WantedBy=multi-user.target\n"
        ),
        "starts on every boot",
    ),
    (
        "02-service",
        (
            "variant: flatcar\nversion: 1.1.0\nsystemd:\n  units:\n    - name: greet.service\n      contents: |\n"
            "        [Service]\n        ExecStart=/bin/true\n"
        ),
        "enabled: true is missing beside its name; an [Install] section with WantedBy= is missing",
    ),
    ("06-opt-in", "variant: flatcar\nversion: 1.0.0\n", "files in your config: none"),
    (
        "06-opt-in",
        (
            "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: /etc/flatcar/enabled-sysext.conf\n"
            "      contents:\n        inline: |\n          # podman\n          python\n"
        ),
        "names: python",
    ),
    ("07-unit", "variant: flatcar\nversion: 1.0.0\n", "units in your config: none"),
    (
        "07-unit",
        (
            "variant: flatcar\nversion: 1.0.0\nsystemd:\n  units:\n    - name: cache.service\n      contents: |\n"
            "        [Unit]\n        After=docker.service\n        [Service]\n        ExecStart=/usr/bin/docker run redis:7\n"
        ),
        "is without Requires=docker.service in [Unit], Restart=always in [Service], WantedBy= in [Install], enabled: true",
    ),
    ("08-hash", "variant: flatcar\nversion: 1.0.0\n", "files in your config: none"),
    ("04-window", "variant: flatcar\nversion: 1.0.0\n", "no /etc/flatcar/update.conf"),
    ("04-window", conf("REBOOT_STRATEGY=reboot"), 'strategy "reboot", window from ""'),
    (
        "04-window",
        conf("REBOOT_STRATEGY=reboot", 'REBOOT_WINDOW_START="Sun 04:00"', "REBOOT_WINDOW_LENGTH=60m"),
        "long",
    ),
    ("05-canary", conf("GROUP=beta"), 'it follows "beta", and is listed as ""'),
    ("05-canary", conf("MACHINE_ALIAS=tweety"), 'it follows "", and is listed as "tweety"'),
    (
        "09-service",
        (
            "variant: flatcar\nversion: 1.0.0\nsystemd:\n  units:\n    - name: x.service\n      contents: |\n"
            "        [Service]\n        ExecStart=/bin/sh -c 'echo >> /usr/x'\n"
        ),
        "an [Install] section with WantedBy= is missing; StateDirectory= is missing; it writes to /usr",
    ),
    ("09-service", "variant: flatcar\nversion: 1.0.0\n", "units in your config: none; none is a service"),
]


@pytest.mark.parametrize(("name", "text", "said"), TRIES, ids=[f"{name}-{n}" for n, (name, _, _) in enumerate(TRIES)])
def test_a_try_is_told_what_was_found(name: str, text: str, said: str, tmp_path: Path) -> None:
    exercise = get_task(name)
    assert isinstance(exercise, Exercise)
    bench = FolderBench(tmp_path)
    file = next(act.file for act in exercise.setup if isinstance(act, Write))
    if text:
        bench.write(file, text)
    finding = judge(exercise, bench)
    assert said in str(finding)
    assert finding.ok or finding.look


ODD_FILES = (
    "# a\rfoo", "  # a\r- x", "# a\x85foo", "# a\u2028foo", "#", "\ufeff# x\n- a", "#!/bin/sh\n# x", "'#'", "? ", "&a", "*a",
    "!!str",
    "\n\n--- #x\n'# y'", "%YAML 1.1\n---\n#", "[", "{}", "~", "\x00", "\t", "a: b: c", "---\n...\n", '"', "variant: flatcar\n[",
)  # fmt: skip
ODD_ANSWERS = (
    "",
    "\n",
    "\x1b[31m",
    "--given--",
    "9" * 5000,
    "GROUP=\nSERVER=",
    "{" * 5000,
    '{"a":' * 3000,
    "null",
    "{}",
)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda one: one.name)
def test_an_odd_file_and_an_odd_machine_are_told_and_are_no_fault(exercise: Exercise, tmp_path: Path) -> None:
    class Odd:
        answer = Reply("")

        def run(self, _: str) -> Reply:
            return self.answer

    machine = Odd()
    bench = FolderBench(tmp_path, machine)
    files = {act.file for act in (*exercise.setup, *exercise.solve) if isinstance(act, Write)}
    for text in ODD_FILES if files else ("",):
        for file in files:
            (tmp_path / file).write_text(text, newline="")
        for said in ODD_ANSWERS:
            for status in (0, 1, 127):
                machine.answer = Reply(said, status)
                assert str(judge(exercise, bench, wait=0))


@pytest.mark.parametrize(
    ("judge", "text", "status", "said"),
    [
        (is_digest, f"--given--\n{HASH}\n", 0, "there is no /home/core/digest"),
        (is_digest, f"verity.usrhash={HASH}\n--given--\n{HASH}\n", 0, "and more besides"),
        (is_digest, f"{HASH[:-1]}\n--given--\n{HASH}\n", 0, f'says "{HASH[:60]}'),
        (is_digest, "--given--\n", 0, "there is no"),
        (is_command, "", 1, "no command hello is found"),
        (is_command, "bash: type: hello: not found\n", 1, "no command hello is found"),
        (is_command, "/opt/bin/hello\n", 0, "is found, and says nothing"),
        (is_command, "/opt/bin/hello\nhi\n", 3, '/opt/bin/hello says "hi"'),
    ],
)
def test_a_try_on_the_machine_is_told_what_was_found(
    judge: Callable[[str, int], Finding], text: str, status: int, said: str
) -> None:
    finding = judge(text, status)
    assert not finding.ok
    assert said in finding.found
    assert finding.expected
    assert finding.look


GOOD = get_task("00-name")
assert isinstance(GOOD, Exercise)
BAD = [
    (replace(GOOD, solve=()), "no solve"),
    (replace(GOOD, hints=("one",)), "1 hints"),
    (replace(GOOD, setup=GOOD.solve), "passes before anything was done"),
    (replace(GOOD, solve=GOOD.setup), "fails after solve"),
    (replace(GOOD, cleanup=()), "cleanup leaves first.bu"),
    (replace(GOOD, solve=(*GOOD.solve, Write(file="other", text="x"))), "cleanup leaves other"),
    (replace(GOOD, cleanup=(*GOOD.cleanup, Remove(file="mine.txt"))), "cleanup takes away mine.txt"),
    (replace(GOOD, solve=(*GOOD.solve, Type(command="ls"))), "it stopped: this exercise looks at a machine"),
]


@pytest.mark.parametrize(("exercise", "fault"), BAD, ids=[fault for _, fault in BAD])
def test_the_prover_finds_a_bad_one(exercise: Exercise, fault: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    bench = FolderBench(tmp_path)
    if "mine.txt" in fault:  # taken away between the first look and the last
        exercise = replace(exercise, solve=(*exercise.solve, Remove(file="mine.txt")), cleanup=GOOD.cleanup)
    proof = prove(exercise, bench)
    assert fault in "\n".join(proof.faults)
    assert not proof.ok
    assert "✗ 00-name" in str(proof)


def test_before_the_update_the_other_slot_is_said_to_be_empty(tmp_path: Path) -> None:
    exercise = get_task("04-next")
    assert isinstance(exercise, Exercise)
    for start, is_empty in ((attempts.CGPT.format(1, 0, 0, 0), True), (attempts.CGPT.format(2, 1, 0, 1), False)):
        found = exercise.check(FolderBench(tmp_path, attempts.Answers([start]))).found
        assert ("before an update has written it" in found) is is_empty
    assert exercise.task.startswith("After the update")

"""The natural mistakes that are made on a machine: what is typed, what the machine then answers, and what the card must say.

tests/vm/test_exercises.py types them on a real machine.
"""

from __future__ import annotations

from flatkit.testing.bench import Reply
from tests.learners.attempts import CGPT, HASH, MERGED, NONE, Mistake

# The steps of 06-folder.
HI = "/var/lib/extensions/hi"
FOLDER = f"{HI}/usr/lib/extension-release.d"
RELEASE = f"sudo mkdir -p {FOLDER} && echo ID=_any | sudo tee {FOLDER}/extension-release.hi"
PROGRAM = rf"sudo mkdir -p {HI}/usr/bin && printf '#!/bin/sh\necho hi\n' | sudo tee {HI}/usr/bin/hi"
MAY_RUN = f"sudo chmod +x {HI}/usr/bin/hi"
MERGE = "sudo systemctl restart systemd-sysext"

AT_MACHINES = [
    Mistake(
        "00-hello",
        "the wrong folder",
        ["none\n/home/hello\n"],
        ("/home/hello is there", "belongs in /home/core"),
        typed="echo hi | sudo tee /home/hello",
        undo="sudo rm /home/hello",
    ),
    Mistake(
        "00-hello",
        "another name",
        ["none\n/home/core/hello.txt\n"],
        ("/home/core/hello.txt is there", "is named hello"),
        typed="echo hi > /home/core/hello.txt",
        undo="rm /home/core/hello.txt",
    ),
    Mistake("00-hello", "touch alone", ["empty\n"], ("is empty",), ("there is no",), typed="touch /home/core/hello"),
    Mistake("00-hello", "mkdir", ["folder\n"], ("is a folder",), ("is empty",), typed="mkdir /home/core/hello"),
    Mistake(
        "01-note",
        "sudo tee",
        ["root\n"],
        ("belongs to root", "who writes a file owns it"),
        ("there is no",),
        typed="echo hello | sudo tee /home/ada/note",
    ),
    Mistake(
        "01-note",
        "in the home of core",
        ["none\n/home/core/note\n"],
        ("/home/core/note is there", "belongs in /home/ada"),
        typed="echo hello > /home/core/note",
        undo="rm /home/core/note",
    ),
    Mistake("01-note", "touch alone", ["empty\n"], ("is empty",), typed="sudo -u ada touch /home/ada/note"),
    Mistake(
        "03-digest",
        "the whole word",
        [f"verity.usrhash={HASH}\n--given--\n{HASH}\n"],
        ("and more besides",),
        ("another hash",),
        typed="grep -o 'verity.usrhash=[0-9a-f]*' /proc/cmdline > /home/core/digest",
    ),
    Mistake(
        "03-digest",
        "half of it",
        [f"{HASH[:40]}\n--given--\n{HASH}\n"],
        ("40 digits",),
        typed="grep -o 'verity.usrhash=.*' /proc/cmdline | cut -d = -f 2 | cut -c 1-40 > /home/core/digest",
    ),
    Mistake(
        "03-command",
        "not executable",
        [Reply("-rw-r--r-- /opt/bin/hello\n", 1)],
        ("may not be executed",),
        ("no file of that name",),
        typed="printf '#!/bin/sh\\necho hi\\n' | sudo tee /opt/bin/hello",
    ),
    Mistake(
        "03-command",
        "in the home folder",
        [Reply("-rwxr-xr-x /home/core/hello\n", 1)],
        ("not in a folder that $PATH names",),
        typed="printf '#!/bin/sh\\necho hi\\n' > /home/core/hello && chmod +x /home/core/hello",
        undo="rm /home/core/hello",
    ),
    Mistake(
        "03-command",
        "an empty script",
        ["/opt/bin/hello\n"],
        ("says nothing",),
        typed="printf '#!/bin/sh\\n' | sudo tee /opt/bin/hello && sudo chmod +x /opt/bin/hello",
    ),
    Mistake(
        "04-next",
        "the running slot",
        [CGPT.format(3, 1, 0, 1)],
        ("USR-A has priority 3 and runs",),
        typed='sudo cgpt add -i 3 -P 3 "$(rootdev -s -d /usr)"',
    ),
    Mistake(
        "04-next",
        "both at zero",
        [CGPT.format(0, 0, 0, 1)],
        ("no slot may boot",),
        typed='for i in 3 4; do sudo cgpt add -i $i -P 0 "$(rootdev -s -d /usr)"; done',
    ),
    Mistake(
        "05-follow",
        "SERVER lost",
        ["GROUP=alpha\n"],
        ("the line SERVER= is gone",),
        typed="echo GROUP=alpha | sudo tee /etc/flatcar/update.conf",
        rewinds=True,
    ),
    Mistake(
        "05-follow",
        "spaces around =",
        ["GROUP = alpha\nSERVER=http://10.0.2.2/\n"],
        ('"GROUP = alpha" is not read', "without spaces"),
        typed="sudo sed -i 's/^GROUP=.*/GROUP = alpha/' /etc/flatcar/update.conf",
        undo="sudo sed -i 's/^GROUP.*/GROUP=beta/' /etc/flatcar/update.conf",
    ),
    Mistake(
        "05-follow",
        "a capital letter",
        ["GROUP=Alpha\nSERVER=http://10.0.2.2/\n"],
        ("channels are written in small letters: alpha",),
        typed="sudo sed -i 's/^GROUP=.*/GROUP=Alpha/' /etc/flatcar/update.conf",
        undo="sudo sed -i 's/^GROUP=.*/GROUP=beta/' /etc/flatcar/update.conf",
    ),
    Mistake(
        "05-follow",
        "a line added",
        ["GROUP=alpha\nGROUP=beta\nSERVER=http://10.0.2.2/\n"],
        ("2 lines begin with GROUP",),
        typed="sudo sed -i '1i GROUP=alpha' /etc/flatcar/update.conf",
        undo="sudo sed -i 1d /etc/flatcar/update.conf",
    ),
    Mistake(
        "06-folder",
        "no extension-release",
        [NONE, "folder\nprogram\n"],
        ("has no usr/lib/extension-release.d",),
        ("was not merged",),
        typed=" && ".join((PROGRAM, MAY_RUN, MERGE)),
    ),
    Mistake(
        "06-folder",
        "not merged",
        [NONE, "folder\nrelease\nfits\nprogram\n"],
        ("restart or refresh systemd-sysext",),
        ("there is no folder",),
        typed=" && ".join((RELEASE, PROGRAM, MAY_RUN)),
    ),
    Mistake(
        "06-folder",
        "not executable",
        [MERGED, Reply("", 126)],
        ("its mode lacks x",),
        ("says nothing",),
        typed=" && ".join((RELEASE, PROGRAM, MERGE)),
    ),
    Mistake(
        "07-image",
        "without a tag",
        [Reply("flatkit/mine:latest\n", 1)],
        ("one named flatkit/mine:latest",),
        typed="tar -c -C /opt/site compose.yaml | docker import - flatkit/mine",
        undo="docker rmi --force flatkit/mine:latest",
    ),
    Mistake(
        "09-visit",
        "the words of the lesson",
        ["110.2.0: first\n110.2.0: again\n"],
        ("visits in the book: first, again", "a word of your own"),
        typed="curl -s http://localhost/first; curl -s http://localhost/again",
        undo="sudo truncate -s 0 /var/lib/book/visits",
    ),
    Mistake(
        "11-hold",
        "stopped only",
        ["enabled\ninactive\nindirect\n"],
        ("the next boot starts it again",),
        typed="sudo systemctl stop systemd-sysupdate.timer",
    ),
    Mistake(
        "11-hold",
        "the service masked",
        ["enabled\nactive\nmasked\n"],
        ("its service is masked", "in vain"),
        typed="sudo systemctl mask systemd-sysupdate.service",
        undo="sudo systemctl unmask systemd-sysupdate.service",
    ),
]

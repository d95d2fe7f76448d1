"""The table of natural mistakes: what a beginner does in an exercise, and what the card must say and must not say."""

from __future__ import annotations

from tests.learners.at_machines import AT_MACHINES
from tests.learners.attempts import BIG, CONF, HASH, HEAD, KEY, SERVICE, WANTED, Mistake, file, text_of, unit, user

READY, WORKER = (text_of(name, solved=True) for name in ("10-ready", "11-worker"))
NEW_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIHRha2UtaG9tZS1tYWRlLXVwLWtleS0wMTIzNDU2Nzg5"


def window(start: str, length: str = "LENGTH=1h", strategy: str = "reboot") -> str:
    """A config for 04-window."""
    lines = (f"LOCKSMITHD_REBOOT_WINDOW_START={start}", f"LOCKSMITHD_REBOOT_WINDOW_{length}")
    return file(CONF, f"REBOOT_STRATEGY={strategy}", *lines, overwrite=True)


def download(*lines: str) -> str:
    """A config for 08-hash."""
    return file("/opt/bin/tool") + "".join(
        f"      {line}\n" for line in ("contents:", "  source: https://e.com/t", *lines)
    )


def merging(entry: str) -> str:
    """A config for 08-small."""
    return f"{HEAD}ignition:\n  config:\n    merge:\n      {entry}\n"


def service(state: str, command: str) -> str:
    """A config for 09-service."""
    return unit("count.service", "[Service]", state, f'ExecStart=/bin/bash -c "{command}"', *WANTED)


MISTAKES: list[Mistake] = [
    *AT_MACHINES,
    Mistake("00-name", "a command instead of a config", "m.run('hostname ada')\n", ("is not a config", "%%on m")),
    Mistake("00-name", "a shell command in it", "echo ada > /etc/hostname\n", ("is not a config", "variant: flatcar")),
    Mistake(
        "00-name",
        "a name with a space",
        file("/etc/hostname", "my machine"),
        ("not a valid host name", "without spaces"),
        ("will be named",),
    ),
    Mistake(
        "00-name",
        "a name with an umlaut",
        file("/etc/hostname", "j\N{LATIN SMALL LETTER U WITH DIAERESIS}rgen"),
        ("not a valid host name",),
    ),
    Mistake(
        "00-name",
        "a key that does not exist",
        f"{HEAD}hostname: ada\n",
        ("line 3 has a key that Butane does not know", "hostname"),
        ("none\n",),
    ),
    Mistake(
        "00-name",
        "a forgotten colon",
        f"{HEAD}storage:\n  files:\n    - path: /etc/hostname\n      contents:\n        inline ada\n",
        ("line 7", "inline:"),
    ),
    Mistake("00-name", "a tab", f"{HEAD}storage:\n\tfiles:\n", ("line 4", "spaces")),
    Mistake("00-name", "cloud-config", "#cloud-config\nhostname: ada\n", ("has a fault", "variant")),
    Mistake(
        "01-user",
        "the name of the key's file",
        user("grace", "~/.ssh/id_ed25519.pub"),
        ('"~/.ssh/id_ed25519.pub" is not a public key',),
    ),
    Mistake(
        "01-user",
        "the private half",
        user("grace", '"-----BEGIN OPENSSH PRIVATE KEY-----"'),
        ("must never leave your computer",),
        ("BEGIN",),
    ),
    Mistake(
        "01-user",
        "a key without the list",
        f"{HEAD}passwd:\n  users:\n    - name: grace\n      ssh_authorized_keys: {KEY}\n",
        ("line 6", "A list is wanted here"),
    ),
    Mistake("01-user", "a capital letter", user("Grace", KEY), ("users in your config: Grace",)),
    Mistake(
        "01-user",
        "users at the top",
        f"{HEAD}users:\n  - name: grace\n",
        ("line 3 has a key that Butane does not know", "users"),
    ),
    Mistake(
        "02-script",
        "a space in the first line",
        file("/opt/bin/greet", "# !/bin/bash", "echo", mode="0755"),
        ('"# !/bin/bash"', "the very first line"),
    ),
    Mistake(
        "02-script",
        "the script itself",
        "#!/bin/bash\necho hi\n",
        ('it begins with "#!/bin/bash"', "follow inline: |"),
        ("%%on m",),
    ),
    Mistake(
        "02-script",
        "a comment instead of the script",
        file("/opt/bin/greet", mode="0755").rstrip() + "\n      contents:\n        inline: #!/bin/bash\n",
        ("is empty", "a # begins a comment", "inline: |"),
    ),
    Mistake(
        "02-script",
        "an empty first line",
        file("/opt/bin/greet", "", "#!/bin/bash", "echo", mode="0755"),
        ("the very first line",),
    ),
    Mistake(
        "02-script", "mode in quotes", file("/opt/bin/greet", "#!/bin/bash", "echo", mode='"0755"'), ("without quotes",)
    ),
    Mistake("02-script", "in /usr", file("/usr/bin/greet", "#!/bin/bash", "echo", mode="0755"), ("/usr is the image",)),
    Mistake(
        "02-script",
        "mode 755",
        file("/opt/bin/greet", "#!/bin/bash", "echo", mode="755"),
        ("without the 0 in front", "1363"),
    ),
    Mistake(
        "02-service",
        "no .service",
        unit("greet", "[Service]", "ExecStart=/bin/true", *WANTED),
        ("line 5", "name ends in .service"),
    ),
    Mistake(
        "02-service",
        "a section in small letters",
        unit("greet.service", "[Service]", "ExecStart=/a", "[install]", WANTED[1]),
        ("[install], and belongs in [Install]",),
    ),
    Mistake(
        "02-service",
        "YAML in the unit",
        unit("greet.service", "[Service]", "ExecStart: /bin/true", *WANTED),
        ("has a fault in line 7",),
    ),
    Mistake(
        "02-service",
        "another name",
        unit("hello.service", "[Service]", "ExecStart=/bin/true", *WANTED),
        ("units in your config: hello.service",),
    ),
    Mistake("04-window", "the day's whole name", window('"Sunday 04:00"'), ('no day "Sunday"', "three letters")),
    Mistake("04-window", "no day", window("04:00"), ("open every day",)),
    Mistake(
        "04-window",
        "an end instead of a length",
        window('"Sun 04:00"', "END=05:00"),
        ("needs a start and a length", "reads no LOCKSMITHD_REBOOT_WINDOW_END"),
    ),
    Mistake("04-window", "on instead of reboot", window('"Sun 04:00"', strategy="on"), ('the strategy "on"',)),
    Mistake(
        "04-window",
        "two hours",
        window('"Sun 04:00"', "LENGTH=2h"),
        ('the length "2h" is not one hour',),
        ('strategy "on"',),
    ),
    Mistake(
        "05-canary",
        "a channel of its name",
        file(CONF, "GROUP=canary", "MACHINE_ALIAS=t", overwrite=True),
        ('there is no channel "canary"',),
    ),
    Mistake(
        "05-canary",
        "YAML in update.conf",
        file(CONF, "GROUP: beta", "MACHINE_ALIAS: t", overwrite=True),
        ("NAME=value",),
    ),
    Mistake(
        "05-canary",
        "a capital letter",
        file(CONF, "GROUP=Beta", "MACHINE_ALIAS=t", overwrite=True),
        ("small letters: beta",),
    ),
    Mistake(
        "05-canary",
        "spaces around =",
        file(CONF, "GROUP = beta", "MACHINE_ALIAS=t", overwrite=True),
        ('"GROUP = beta" is not read', "without spaces"),
        ('follows "beta"',),
    ),
    Mistake("05-canary", "ALIAS", file(CONF, "GROUP=beta", "ALIAS=t", overwrite=True), ("MACHINE_ALIAS",)),
    Mistake("06-opt-in", "a capital letter", file("/etc/flatcar/enabled-sysext.conf", "Podman"), ("small letters",)),
    Mistake("06-opt-in", "a file name", file("/etc/flatcar/enabled-sysext.conf", "podman.raw"), ("the bare name",)),
    Mistake(
        "07-unit",
        "a name that stays taken",
        unit("cache.service", *SERVICE, "ExecStart=/usr/bin/docker run --name cache redis:7", *WANTED),
        ("refuses a second one of that name", "docker rm --force cache"),
    ),
    Mistake(
        "07-unit",
        "docker run -d",
        unit("cache.service", *SERVICE, "ExecStart=/usr/bin/docker run -d redis:7", *WANTED),
        ("again and again", "without -d"),
        ("runs redis on every boot",),
    ),
    Mistake(
        "08-small",
        "http",
        merging("- source: http://e.com/a"),
        ("is not an https address",),
        ("merged from the network: http",),
    ),
    Mistake("08-small", "Butane at the address", merging("- source: https://e.com/a.bu"), ("is Butane by its name",)),
    Mistake("08-small", "an address without its key", merging("- https://e.com/a"), ("line 6", "- source:")),
    Mistake(
        "08-small",
        "keys and merge",
        f"{BIG}ignition:\n  config:\n    merge:\n      - source: https://e.com/a\n",
        ("the keys are still in this config",),
    ),
    Mistake(
        "08-hash",
        "at the wrong depth",
        download() + f"      verification:\n        hash: sha256-{HASH}\n",
        ("hash not given", "a key that Butane does not know there: verification"),
    ),
    Mistake("08-hash", "without sha256-", download("  verification:", f"    hash: {HASH}"), ("line 9", "sha256")),
    Mistake(
        "09-service",
        "a path as StateDirectory",
        service("StateDirectory=/var/lib/count", "date > /var/lib/count/x"),
        ("such as count",),
        ("/var/lib//var/lib",),
    ),
    Mistake(
        "09-service",
        "data in /run",
        service("StateDirectory=count", "date > /run/count"),
        ("empty after a restart",),
        ("has a folder below",),
    ),
    Mistake(
        "09-service",
        "data in /usr",
        service("StateDirectory=count", "date > /usr/share/count"),
        ("which is read-only",),
    ),
    Mistake(
        "10-ready",
        "the key's file",
        READY.replace(f"ssh-ed25519 {NEW_KEY} you@laptop", "~/.ssh/id_ed25519.pub"),
        ("not its file's name",),
        ("SERVER=",),
    ),
    Mistake(
        "10-ready",
        "updates switched off",
        READY.replace("GROUP=stable\n", "GROUP=stable\n          SERVER=disabled\n"),
        ("never get an update",),
    ),
    Mistake("10-ready", "Ada's key", READY.replace(NEW_KEY, KEY.split()[1]), ("whose private half nobody has",)),
    Mistake(
        "10-ready", "overwrite lost", READY.replace("      overwrite: true\n", ""), ("overwrite: true is missing",)
    ),
    Mistake(
        "10-install",
        "a partition",
        "sudo flatcar-install -d /dev/sdb1 -C stable -i home.ign\n",
        ("/dev/sdb1 is a partition",),
    ),
    Mistake("10-install", "Butane", "flatcar-install -d /dev/sdb -C stable -i home.bu\n", ("home.bu is Butane",)),
    Mistake("10-install", "a dry run", "flatcar-install -y -d /dev/sdb -C stable -i home.ign\n", ("writes nothing",)),
    Mistake(
        "10-install",
        "echo before it",
        "echo flatcar-install -d /dev/sdb -C stable -i home.ign\n",
        ('the command is "echo"',),
    ),
    Mistake("10-install", "a made-up option", "flatcar-install --disk /dev/sdb\n", ("option --disk not recognized",)),
    Mistake("10-install", "an open quote", "flatcar-install -d '/dev/sdb\n", ("cannot be read",)),
    Mistake(
        "11-worker", "one version", WORKER.replace("v1.35.@v-%a", "v1.35.4-x86-64"), ("has no @v",), ("next minor",)
    ),
    Mistake(
        "11-worker",
        "v forgotten",
        WORKER.replace("v1.35.@v", "1.35.@v"),
        ("fits no file such as kubernetes-v1.35.4",),
        ("next minor",),
    ),
    Mistake(
        "11-worker",
        "a condition in [Service]",
        WORKER.replace(
            "        [Service]\n        Type", "        [Service]\n        ConditionPathExists=!/x\n        Type"
        ),
        ("belongs in [Unit]",),
    ),
]

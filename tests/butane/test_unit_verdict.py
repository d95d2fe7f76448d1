"""systemd's verdict on units: a table, and `systemd-analyze verify` as the oracle where it is installed."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from flatkit.butane.machine.calendar_events import from_cron, is_calendar
from flatkit.butane.machine.unit_file import keys_of, unit_of
from flatkit.butane.machine.unit_verdict import escape_path, refusal, unescape_path
from flatkit.run import run

ANALYZE = shutil.which("systemd-analyze")
START = "[Service]\nExecStart=/bin/true\n"


@pytest.mark.parametrize(
    ("name", "text", "dropin", "code"),
    [
        ("a.service", START, "", ""),
        ("a.service", "[Serivce]\nExecStart=/bin/true\n", "", "no-start"),
        ("a.service", "ExecStart=/bin/true\n", "", "no-start"),
        ("a.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=/bin/true\n", "", ""),
        ("a.service", START, START, "two-starts"),
        ("a.service", START, "[Service]\nExecStart=\nExecStart=/bin/false\n", ""),
        ("a.service", START + "Type=oneshot\n", START, ""),
        ("a.service", START + "Type=oneshot\nRestart=always\n", "", "restart"),
        ("a.service", "[Service]\nExecStart=bin/true\n", "", "command"),
        ("a.service", "[Service]\nExecStart=true now\n", "", ""),
        ("a.service", "[Service]\nExecStart=/bin/date +%F\n", "", "specifier"),
        ("a.service", "[Service]\nExecStart=/bin/sh -c 'date +%%F; echo %H'\n", "", ""),
        ("a.service", "[Service]\nExecStart=/usr/bin/curl http://x/a%20b\n", "", "specifier"),
        ("a.service", START + "ExecStartPre=-/bin/echo %z\n", "", ""),
        ("a.service", "[Service]\nExecStart=/bin/echo 100% %) %%\n", "", ""),
        ("a.service", "[Service]\nExecStart=/bin/sh \\\n  -c 'echo; true'\n", "", ""),
        ("a.service", START + "WorkingDirectory=srv\n", "", "not-absolute"),
        ("a.service", START + "User=core:core\n", "", "account"),
        ("a.service", "[Service\nExecStart=/bin/true\n", "", "syntax"),
        # A drop-in with a broken line ends there; the unit is loaded.
        ("a.service", START, "[Service\nExecStart=/bin/false\n", ""),
        ("a.socket", "[Socket]\nListenStream=localhost:80\n", "", "no-listen"),
        ("a.socket", "[Socket]\nListenStream=[::]:80\n", "", ""),
        ("a.socket", "[Socket]\nListenDatagram=53\nAccept=yes\n", "", "accept-listen"),
        ("a.timer", "[Timer]\nOnCalendar=*/5 * * * *\n", "", "no-time"),
        ("a.timer", "[Timer]\nOnCalendar=Mon..Fri *-*-* 04:00:00\n", "", ""),
        ("a.timer", "[Timer]\nOnBootSec=5min\nOnUnitActiveSec=\n", "", "no-time"),
        ("a.path", "[Path]\nPathChanged=srv\n", "", "no-path"),
        ("srv-my-data.mount", "[Mount]\nWhat=/dev/vdb\nWhere=/srv/my-data\n", "", "name"),
        ("srv-my\\x2ddata.mount", "[Mount]\nWhat=/dev/vdb\nWhere=/srv/my-data\n", "", ""),
        ("srv.mount", "[Mount]\nWhere=/srv\n", "", "no-what"),
        ("srv.automount", "[Automount]\nWhere=/srv/a\n", "", "name"),
        ("var-swap.swap", "[Swap]\nWhat=/var/swapfile\n", "", "name"),
        ("proc.mount", "[Mount]\nWhat=proc\n", "", "api-path"),
        ("a--b.slice", "[Slice]\n", "", "slice-name"),
        ("a.target", "[Unit]\n", "", ""),
        ("my app.service", START, "", "unit-name"),
        ("web+x.service", START, "", "unit-name"),
        ("@x.service", START, "", "unit-name"),
        ("web@a@b.service", START, "", ""),
        ("a.service", START + "WorkingDirectory=/srv/%Z\n", "", "specifier"),
        ("a.service", START + "WorkingDirectory=-/srv/%Z\n", "", ""),
        ("a.service", START + "WorkingDirectory=/srv/%a\n", "", ""),
        ("a.service", START + "User=%Z\n", "", "specifier"),
        ("srv-%a.mount", "[Mount]\nWhat=/dev/vdb\nWhere=/srv/%a\n", "", "unit-name"),
        ("srv-x86\\x2d64.mount", "[Mount]\nWhat=/dev/vdb\nWhere=/srv/%a\n", "", ""),
        ("srv-a.mount", "[Mount]\nWhat=/dev/vdb\nWhere=/srv/%a\n", "", "path"),
        ("srv-a.mount", "[Mount]\nWhat=/dev/vdb\nWhere=/srv/%Z\n", "", ""),
        ("srv.mount", "[Mount]\nWhat=/dev/%Z\n", "", "no-what"),
    ],
)
def test_verdict(name: str, text: str, dropin: str, code: str) -> None:
    found = refusal(unit_of(name, text, [("10-a.conf", dropin)] if dropin else []))
    assert (found.code if found else "") == code
    if found:
        assert found.words
        assert found.fix
    if found and found.code == "name":
        assert refusal(unit_of(found.name, text)) is None


@pytest.mark.parametrize("path", ["/", "/srv/my-data", "/var/lib/a.b", "/.hidden", "/mnt/ä b", "/a\\b"])
def test_a_path_survives_its_escape(path: str) -> None:
    assert unescape_path(escape_path(path)).encode("latin-1") == path.encode()


# Lines that generated units are made of, by type.
POOLS = {
    "service": """ExecStart=/bin/true|ExecStart=/bin/true|ExecStart=true|ExecStart=bin/true|ExecStart=-bin/true|ExecStart=|
        ExecStart=/bin/sh -c 'echo|ExecStart=/bin/sh -c 'a b'|ExecStart=/bin/|ExecStart=@/bin/true x|ExecStart=-|
        ExecStart=/bin/true ; /bin/false|ExecStop=/bin/true|ExecStartPre=./x|ExecStartPre=/bin/true|ExecStop=x y|
        Type=oneshot|Type=oneshot|Type=simple|Type=forking|Type=dbus|Type=bogus|RemainAfterExit=yes|RemainAfterExit=no|
        Restart=always|Restart=on-failure|Restart=on-success|Restart=bogus|User=core|User=a:b|User=a b|User=-1|Group=|
        WorkingDirectory=x|WorkingDirectory=/x|WorkingDirectory=~|WorkingDirectory=-x|Environment=A=b|Environment=bad|
        ExecSart=/x|ExecStart=\"/bin/my prog\" x|ExecStart=/bin/a\\\\|ExecStart=$X y|ExecStart=+/bin/true|TimeoutSec=abc|
        # ExecStart=/bin/x|PIDFile=x|RestartForceExitStatus=1|KillMode=none|PAMName=x|ExitType=cgroup|RootDirectory=x|
        ExecStart=/bin/echo it's|SupplementaryGroups=a b|SupplementaryGroups=a:b|EnvironmentFile=x|
        ExecStart=/bin/date +%F|ExecStart=/bin/date +%H%%F|ExecStart=/bin/curl http://x/a%20b|ExecStart=-/bin/echo %z|
        ExecStart=/bin/true %i 100%|ExecStopPost=/bin/echo %Z|Description=%z""",
    "socket": """ListenStream=80|ListenStream=localhost:80|ListenStream=0|ListenStream=99999|ListenStream=/run/x|
        ListenStream=run/x|ListenStream=1.2.3.4:5|ListenStream=1.2.3.4|ListenStream=[::1]:4|ListenStream=|ListenFIFO=x|
        ListenDatagram=5|ListenFIFO=/x|Accept=yes|Accept=true|Service=a.service|ListenStream=@abc|ListenStream=80/tcp|
        ListenNetlink=kobject-uevent 1|ListenStream=*:80|MaxConnections=0|ListenStream=300.1.1.1:5""",
    "mount": """Where=/mnt/scratch|Where=/mnt/my-data|Where=/mnt/scratch/|Where=mnt/scratch|Where=/mnt/../x|Where=|
        What=/dev/sdb1|What=|What=server:/x|What=LABEL=x|Type=ext4|Options=ro|Where=/proc|Where=/mnt//scratch|Where=/""",
    "automount": "Where=/mnt/scratch|Where=/mnt/my-data|Where=/mnt/scratch/|Where=x|TimeoutIdleSec=5",
    "swap": "What=/var/swapfile|What=/dev/sdb2|What=/var/swap-file|What=|What=LABEL=swap|Priority=1|What=var/x",
    "timer": """OnCalendar=daily|OnCalendar=dayly|OnCalendar=*-*-* 04:00|OnCalendar=Mon *-*-* 04:00:00|OnCalendar=4am|
        OnCalendar=Sun 04:00|OnCalendar=*/5 * * * *|OnCalendar=*:0/15|OnCalendar=Mon..Fri 10:00|OnCalendar=25:00|
        OnCalendar=2026-01-01|OnCalendar=|OnBootSec=5min|OnBootSec=5 minutes|OnBootSec=5x|OnBootSec=soon|OnBootSec=-5|
        OnUnitActiveSec=1h 30m|OnUnitActiveSec=|OnBootSec=0|Persistent=true|OnClockChange=yes|OnTimezoneChange=no|
        OnCalendar=Mon,Tue 10:00|OnCalendar=04:00 UTC|OnCalendar=every day|OnCalendar=00/2:00|OnBootSec=1:30""",
    "path": "PathExists=/x|PathExists=x|PathChanged=/a b|PathModified=|DirectoryNotEmpty=/x|PathExistsGlob=x*|MakeDirectory=yes",
    "slice": "CPUWeight=5|Bogus=1",
    "target": "X=1",
}
# More of them: prefixes, specifiers, quotes, addresses, times as people write them.
MORE = {
    "service": """ExecStart=!!/bin/true|ExecStart=:/bin/true $X|ExecStart=@/bin/true|ExecStart="/bin/true"|
        ExecStart='/bin/true' a|ExecStart=/bin/tr\\x75e|ExecStart=;|ExecStart=/bin/true ;|
        ExecStart=/bin/true; /bin/false|ExecStart=; /bin/true|Type=exec|Type=notify|Type=idle|RuntimeMaxSec=5|
        WatchdogSec=5|ExecReload=x/y|ExecCondition=/bin/true|Sockets=a.socket|SuccessAction=reboot|User=1000|User=%i|
        Group=a.b|DynamicUser=yes|StandardOutput=file:x|ExecStart=~/x|ExecStart=$HOME/x|ExecStart=/bin/a b "c|
        ExecStart=/bin/a "b"c|ExecStart=/bin/a 'b' "c d" |BusName=a.b|BusName=|GuessMainPID=no|PIDFile=/run/x|
        LimitNOFILE=x|ExecStart=/bin/sh -c "a; b"|ExecStart=/bin/sh -c a && b|ExecStart=/usr/bin/env bash -c 'x'|
        WorkingDirectory=|WorkingDirectory=%h|WorkingDirectory=$HOME|RootDirectory=/x|RootImage=x|BindPaths=x|
        ReadWritePaths=x|ProtectSystem=ja|Slice=x|Slice=a.slice|CapabilityBoundingSet=X|RestartSec=x|
        ExecStart = /bin/true|execstart=/bin/true|ExecStart:/bin/true|OOMScoreAdjust=9999|UMask=999|CPUQuota=50|
        MemoryMax=1G|ExecStart=/bin/echo "a\\"b"|ExecStart=/bin/echo \\'|ExecStart=/|ExecStart=//bin/true|
        ExecStart=/bin/../bin/true|ExecStart=.|ExecStart=--|ExecStart=@@/bin/true|ExecStart=-+/bin/true|
        ExecStart=+-bin/x|ExecStart=%h/x|ExecStart=/bin/%z|ExecStart=-/bin/%z|TimeoutStopSec=5m|
        RestrictAddressFamilies=x|SystemCallFilter=x|PassEnvironment=a b|UnsetEnvironment=1|LoadCredential=x|
        ImportCredential=x|Delegate=x|WorkingDirectory=/srv/%Z|WorkingDirectory=-/srv/%Z|User=%Z|Group=%a|
        SupplementaryGroups=a %Z|RootDirectory=/%Z""",
    "socket": """ListenStream=vsock:2:3|ListenStream=vsock::1|ListenStream=::1|ListenStream=[::1]|ListenStream=/run/a b|
        ListenStream=%t/x|ListenStream=0x50|ListenStream=eth0:80|ListenStream=[fe80::1%eth0]:80|ListenUSBFunction=/x|
        ListenSpecial=/dev/x|ListenMessageQueue=x|ListenMessageQueue=/x|Accept=maybe|SocketUser=a b|ExecStartPre=x/y|
        ListenSequentialPacket=/x|ListenSequentialPacket=5|Service=a.socket|BindIPv6Only=x|FileDescriptorName=a:b|
        MaxConnections=x|ListenStream=080|ListenStream= 80|ListenStream=+80|ListenStream=80 81|Backlog=x""",
    "mount": """What=%i|Where=%i|Options=%z|Type=|Where=/mnt/scratch/.|Where=/mnt/./scratch|What=/dev/my disk|TimeoutSec=x|
        LazyUnmount=x|ExecStart=/x|DirectoryMode=9999|User=a:b|Where=/mnt/scr%atch|Where=/mnt/%Z|What=/dev/%Z""",
    "timer": """OnCalendar=*-*-* *:*:00|OnCalendar=*-*-1/2 3:00|OnCalendar=*-02-30|OnCalendar=2026-13-01|OnCalendar=*-*~1|
        OnCalendar=Mon-Fri 9:00|OnCalendar=monday|OnCalendar=Mo 9:00|OnCalendar=*:0/70|OnCalendar=1:60|
        OnCalendar=10:00:00 Europe/Berlin|OnCalendar=10:00 Nowhere/City|OnCalendar=@1700000000|OnCalendar=@x|
        OnCalendar=09:00..17:00|OnCalendar=*-*-* 9..17:00|OnCalendar=Sat,Sun|OnCalendar=weekly mon|OnCalendar=DAILY|
        OnCalendar=hourly UTC|OnCalendar=00:00|OnCalendar=0|OnCalendar=5|OnCalendar=*-1,7-1|OnCalendar=1-1|
        OnCalendar=26-1-1|OnCalendar=Mon *-*-1..7 18:00|OnCalendar=~1|OnCalendar=*:*|OnCalendar=*:*:*|
        OnCalendar=0..5/2:00|OnCalendar=*-*-32|OnCalendar=*-*-0|OnCalendar=24:00|OnCalendar=23:59:60|OnBootSec=1.5h|
        OnBootSec=5 min 3|OnBootSec=infinity|OnBootSec=1month|OnBootSec=1d12h|OnBootSec=5M|OnBootSec=5mins|
        OnBootSec=1y2w|OnBootSec=+5|OnBootSec=5,5s|OnBootSec=.5s|OnBootSec=5m;|Unit=a.timer|Unit=a|Unit=a.service|
        AccuracySec=x|OnBootSec=9999999999999999y|OnCalendar=Mon 2026-*-* 00:00|OnCalendar=2026/01/01|
        OnCalendar=Wed..Mon 1:00|OnCalendar=Mon.. 1:00|OnCalendar=every 5min|OnCalendar=*/15|
        OnCalendar=*-*-* 00/6:00:00|OnCalendar=00:00:00.5|OnCalendar=*-*-*T10:00|
        OnCalendar=*-*-* 10:00:00 America/New_York""",
    "path": """PathExists=%t/x|PathChanged=~/x|PathChanged=/x/../y|MakeDirectory=x|Unit=a.path|Unit=b.service|
        DirectoryNotEmpty=|PathExists=""",
    "automount": """Where=/mnt/./scratch|DirectoryMode=x|ExtraOptions=x|Where=""",
    "swap": """What=/dev/disk/by-label/x|What=UUID=x|Options=x|TimeoutSec=x|What=%z|What=/var/./swapfile|What=/var/swapfile/|
        Priority=x""",
}
NAMES = {
    "mount": ("mnt-scratch.mount", "scratch.mount", "mnt-my\\x2ddata.mount", "mnt-my-data.mount", "proc.mount"),
    "automount": ("mnt-scratch.automount", "scratch.automount", "mnt-my\\x2ddata.automount"),
    "swap": ("var-swapfile.swap", "dev-sdb2.swap", "var-vm-swap.swap", "var-swap\\x2dfile.swap"),
    "slice": ("a.slice", "a-b.slice", "a--b.slice", "-a.slice"),
}


def make_text(rng: random.Random, kind: str) -> str:
    head = kind.capitalize()
    unit = rng.choice(("After=a.service, b.service", "SuccessAction=reboot", "SuccessAction=none"))
    lines = ["[Unit]", unit] if rng.random() < 0.4 else []
    lines.append(rng.choice([f"[{head}]"] * 9 + [f"[{head.lower()}]", "[X-Foo]", f"[{head}]x", "[Service]"]))
    pool = [line.strip() for line in f"{POOLS[kind]}|{MORE.get(kind, '')}".split("|") if line.strip()]
    lines += [rng.choice(pool) for _ in range(rng.randint(0, 4))]
    return "\n".join([*lines, "[Install]", "WantedBy=multi-user.target", ""])


def make_units(seed: int, count: int) -> dict[str, tuple[str, str]]:
    """Names of units with a text and, for some, a drop-in."""
    rng = random.Random(seed)
    kinds = [*POOLS, *["service"] * 6, *["timer"] * 2]
    made = {}
    for number in range(count):
        kind = rng.choice(kinds)
        name = rng.choice(NAMES[kind]) if kind in NAMES else f"u{number}.{kind}"
        text, dropin = make_text(rng, kind), make_text(rng, kind) if rng.random() < 0.25 else ""
        # Two units of one name on the bus are a fault of both together.
        made[name] = (text.replace("=a.b\n", f"=a.b{number}\n"), dropin.replace("=a.b\n", f"=a.b{number}\n"))
    return made


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("seed", range(4))
def test_the_verdict_is_systemds(seed: int, tmp_path: Path) -> None:
    units = make_units(seed, 150)
    for name, (text, dropin) in units.items():
        (tmp_path / name).write_text(text)
        if dropin:
            (tmp_path / f"{name}.d").mkdir()
            (tmp_path / f"{name}.d" / "10-a.conf").write_text(dropin)
    assert ANALYZE is not None
    command = [ANALYZE, "verify", "--man=no", "--generators=no", *(str(tmp_path / name) for name in units)]
    said = run(command, check=False, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "SYSTEMD_LOG_LEVEL": "info"}).stderr
    refused = set(re.findall(r"Unit (\S+) (?:has a bad unit file setting|failed to load properly)", said))
    assert len(refused) > 30
    ours = {
        name
        for name, (text, dropin) in units.items()
        if refusal(unit_of(name, text, [("10-a.conf", dropin)] if dropin else []))
    }
    assert {name: units[name] for name in ours ^ refused} == {}


CALENDARS = (
    "daily", "weekly", "DAILY", "0", "5", "4am", "00:00", "24:00", "1:60", "23:59:60", "0:0:0/7.5", "*:0/15", "*:0/60",
    "*/2:00", "*:*/5", "0/0:0", "10..9:00", "0..5/2:00", "@1700000000", "@x", "@daily", "*-*-1..31/5", "*-*-32",
    "2026-13-01", "26-1-1", "*-02-30", "*~1", "*-*~40", "Mon", "Mo", "Wed..Mon", "Mon..Fri", "Sat,Sun", ",", "*-*-*T10:00",
)  # fmt: skip


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_calendar_events_are_systemds() -> None:
    """Each word, each with a time behind it, and cron's own notation."""
    assert ANALYZE is not None
    texts = [
        *CALENDARS,
        *(f"{word} 10:00" for word in CALENDARS),
        "*/5 * * * *",
        "0 4 * * 1",
        "Mon 10:00 UTC",
        "weekly Mon",
    ]
    for text in texts:
        said = run([ANALYZE, "calendar", text], check=False)
        assert is_calendar(text) == (said.status == 0), text


@pytest.mark.parametrize(
    ("cron", "calendar"),
    [
        ("0 3 * * *", "*-*-* 03:00:00"),
        ("*/5 * * * *", "*-*-* *:0/5:00"),
        ("30 4 1,15 * *", "*-*-01,15 04:30:00"),
        ("0 9-17 * * 1-5", "Mon..Fri *-*-* 9..17:00:00"),
        ("0 0 * * 0", "Sun *-*-* 00:00:00"),
        ("15 */2 * 6 *", "*-06-* 0/2:15:00"),
        ("@daily", "daily"),
        # cron takes either day, systemd both; names and five words of anything.
        ("0 0 1 * 1", ""),
        ("0 0 * * mon", ""),
        ("61 3 * * *", ""),
        ("every day at four o'clock", ""),
        ("daily", ""),
    ],
)
def test_a_time_of_cron_as_a_calendar_event(cron: str, calendar: str) -> None:
    assert from_cron(cron) == calendar
    if calendar and ANALYZE:
        assert run([ANALYZE, "calendar", calendar], check=False).status == 0
    fix = refusal(unit_of("a.timer", f"[Timer]\nOnCalendar={cron}\n"))
    assert (fix is not None and f"write OnCalendar={calendar}." in fix.fix) == bool(calendar)


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_every_key_of_this_systemd_is_known(tmp_path: Path) -> None:
    """A unit with each key of ours: systemd 252 and 257 know them all, so that none of them is called unknown."""
    section = "Service"
    (tmp_path / "a.service").write_text(
        START + "ExecSart=/x\n" + "".join(f"{key}=\n" for key in sorted(keys_of(section)) if not key.startswith("Exec"))
    )
    assert ANALYZE is not None
    command = [ANALYZE, "verify", "--man=no", "--generators=no", str(tmp_path / "a.service")]
    said = run(command, check=False, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}).stderr
    unknown = set(re.findall(r"Unknown key(?: name)? '(\w+)' in section", said))
    assert "ExecSart" in unknown
    # Keys that came after systemd 252, the oldest that the tests meet.
    assert len(unknown) < 60

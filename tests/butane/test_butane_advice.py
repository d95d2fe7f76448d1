"""Advice: each kind on a config that has it, silence on one that is right, and how a code is switched off."""

from __future__ import annotations

import json
import textwrap
from itertools import combinations
from pathlib import Path

import pytest

from flatkit.butane import advice_messages, messages, translate
from flatkit.butane.advice import ENVIRONMENT
from flatkit.butane.lint import lint
from flatkit.butane.machine import image
from flatkit.butane.machine.image import UnitState
from flatkit.report import Kind

ROOT = Path(__file__).resolve().parents[2]
HEAD = "variant: flatcar\nversion: 1.1.0\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZha2UgZmFrZSBmYWtlIGZha2UgZmFrZSBmYWtlIGZh ada"
CORE = f"passwd: {{users: [{{name: core, ssh_authorized_keys: ['{KEY}']}}]}}\n"


def users(text: str) -> str:
    return f"passwd:\n  users:\n    - {{name: core, ssh_authorized_keys: ['{KEY}']}}\n{textwrap.indent(text, '    ')}\n"


def files(*items: str) -> str:
    return CORE + "storage:\n  files:\n" + "".join(f"    - {{{item}}}\n" for item in items)


def links(*items: str) -> str:
    return CORE + "storage:\n  links:\n" + "".join(f"    - {{{item}}}\n" for item in items)


def unit(name: str, text: str, more: str = "", key: str = "contents") -> str:
    body = textwrap.indent(text, " " * 8)
    return CORE + f"systemd:\n  units:\n    - name: {name}\n      enabled: true\n      {key}: |\n{body}\n{more}"


def dropin(name: str, text: str) -> str:
    body = textwrap.indent(text, " " * 12)
    return (
        CORE
        + f"systemd:\n  units:\n    - name: {name}\n      dropins:\n        - name: a.conf\n          contents: |\n{body}\n"
    )


SERVICE = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
TIMER = "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n"

ARRAY = (
    "storage: {{raid: [{{name: data, level: raid1, devices: [/dev/vdb, /dev/vdc]}}], "
    "filesystems: [{{device: /dev/md/{}, format: ext4}}]}}"
)

# What is wrong, and what is right beside it.
KINDS: tuple[tuple[str, str, str], ...] = (
    ("user-group-exists", users("- {name: docker2}\n- {name: sudo}"), users("- {name: sudoer}")),
    (
        "user-group-exists",
        "passwd: {groups: [{name: app}], users: [{name: app}]}",
        "passwd: {groups: [{name: app}], users: [{name: app, primary_group: app}]}",
    ),
    (
        "user-group-exists",
        "passwd: {groups: [{name: app}], users: [{name: app}]}",
        "passwd: {groups: [{name: app}], users: [{name: app, no_user_group: true}]}",
    ),
    ("group-undefined", users("- {name: ada, groups: [whee1]}"), users("- {name: ada, groups: [wheel]}")),
    (
        "group-undefined",
        users("- {name: ada, primary_group: staff}"),
        "passwd: {groups: [{name: staff}], users: [{name: ada, primary_group: staff}]}",
    ),
    (
        "group-undefined",
        users("- {name: ada, groups: [bob]}\n- {name: bob}"),
        users("- {name: bob}\n- {name: ada, groups: [bob]}"),
    ),
    ("group-hidden", users("- {name: ada, groups: [video]}"), users("- {name: ada, groups: [docker]}")),
    ("group-exists", "passwd: {groups: [{name: kvm}]}", "passwd: {groups: [{name: kvm2}]}"),
    (
        "groups-replaced",
        "passwd: {users: [{name: core, groups: [sudo]}]}",
        "passwd: {users: [{name: core, groups: [sudo, docker, wheel, systemd-journal]}]}",
    ),
    (
        "no-login-shell",
        users(f"- {{name: ada, shell: /usr/sbin/nologin, ssh_authorized_keys: ['{KEY}']}}"),
        users("- {name: ada, shell: /usr/sbin/nologin}"),
    ),
    ("shell-missing", users("- {name: ada, shell: /usr/bin/fish}"), users("- {name: ada, shell: /bin/bash}")),
    ("key-invalid", "passwd: {users: [{name: core, ssh_authorized_keys: [ssh-rsa AAAAB3NzaC1yc2EA...]}]}", CORE),
    ("key-invalid", "passwd: {users: [{name: core, ssh_authorized_keys: [ssh-ed25519 YOUR_KEY_HERE]}]}", CORE),
    ("user-nameless", "passwd: {users: [{groups: [sudo]}]}", CORE),
    (
        "path-read-only",
        files("path: /bin/tool, contents: {inline: a}"),
        files("path: /opt/bin/tool, contents: {inline: a}"),
    ),
    (
        "path-read-only",
        links("path: /usr/local/bin/kubectl, target: /etc/a"),
        links("path: /opt/bin/kubectl, target: /etc/a"),
    ),
    (
        "path-kernel",
        files("path: /proc/sys/vm/swappiness, contents: {inline: a}"),
        files("path: /etc/sysctl.d/a.conf, contents: {inline: a}"),
    ),
    (
        "path-volatile",
        files("path: /var/run/app.pid, contents: {inline: a}"),
        files("path: /var/tmp/app, contents: {inline: a}"),
    ),
    (
        "path-partition",
        files("path: /oem/grub.cfg, contents: {inline: a}"),
        files("path: /oemx, contents: {inline: a}"),
    ),
    (
        "overwrite-needed",
        files("path: /etc/nsswitch.conf, contents: {inline: a}"),
        files("path: /etc/nsswitch.conf, overwrite: true, contents: {inline: a}"),
    ),
    (
        "overwrite-needed",
        files("path: /etc/ssh/sshd_config, contents: {inline: a}"),
        files("path: /etc/ssh/sshd_config.d/a.conf, contents: {inline: a}"),
    ),
    (
        "dropin-better",
        files("path: /etc/ssh/sshd_config, overwrite: true, contents: {inline: a}"),
        files("path: /etc/ssh/sshd_config, append: [{inline: a}]"),
    ),
    (
        "key-readable",
        files("path: /etc/k.pem, contents: {inline: '-----BEGIN EC PRIVATE KEY-----'}"),
        files("path: /etc/k.pem, mode: 0600, contents: {inline: '-----BEGIN EC PRIVATE KEY-----'}"),
    ),
    (
        "key-readable",
        files("path: /etc/k, mode: 0644, contents: {inline: '-----BEGIN PRIVATE KEY-----'}"),
        files("path: /etc/k, contents: {inline: '-----BEGIN PUBLIC KEY-----'}"),
    ),
    (
        "mode-odd",
        files("path: /etc/a, mode: 0416, contents: {inline: a}"),
        files("path: /etc/a, mode: 0440, contents: {inline: a}"),
    ),
    (
        "mode-odd",
        files("path: /etc/a, mode: 0077, contents: {inline: a}"),
        files("path: /etc/a, mode: 0711, contents: {inline: a}"),
    ),
    (
        "script-crlf",
        files('path: /opt/a, mode: 0755, contents: {inline: "#!/bin/sh\\r\\necho\\r\\n"}'),
        files('path: /opt/a, contents: {inline: "a\\r\\nb\\r\\n"}'),
    ),
    (
        "home-parents",
        files("path: /home/core/.config/a, user: {name: core}, contents: {inline: a}"),
        files("path: /home/core/a, user: {name: core}, contents: {inline: a}"),
    ),
    (
        "home-owner",
        files("path: /home/core/a, contents: {inline: a}"),
        files("path: /home/other/a, contents: {inline: a}"),
    ),
    (
        "network-suffix",
        files("path: /etc/systemd/network/static, contents: {inline: a}"),
        files("path: /etc/systemd/networkd.conf.d/a.conf, contents: {inline: a}"),
    ),
    (
        "network-section",
        files('path: /etc/systemd/network/a.network, contents: {inline: "[Match]\\n[Network]\\nDHCP=yes\\n"}'),
        files(
            'path: /etc/systemd/network/a.network, contents: {inline: "[Match]\\nName=e*\\n[Network]\\nDHCP=yes\\n"}'
        ),
    ),
    (
        "ssh-port-both",
        dropin("sshd.socket", "[Socket]\nListenStream=2022\n"),
        dropin("sshd.socket", "[Socket]\nListenStream=\nListenStream=2022\n"),
    ),
    (
        "sysext-name",
        files(
            "path: /etc/extensions/wasmtime-v1.33.2-x86-64.raw, contents: {source: 'https://e.org/wasmtime-v1.33.2-x86-64.raw'}"
        ),
        files(
            "path: /etc/extensions/kubernetes.raw, contents: {source: 'https://e.org/kubernetes-v1.33.2-x86-64.raw'}"
        ),
    ),
    (
        "sysext-file",
        files("path: /etc/extensions/wasm.img, contents: {source: 'https://e.org/wasm.img'}"),
        links("path: /etc/extensions/docker-flatcar.raw, target: /dev/null, overwrite: true"),
    ),
    (
        "sysext-unknown",
        files("path: /etc/flatcar/enabled-sysext.conf, contents: {inline: pyton}"),
        files('path: /etc/flatcar/enabled-sysext.conf, contents: {inline: "# mine\\npython\\nnvidia-drivers-570\\n"}'),
    ),
    (
        "link-dangling",
        links("path: /etc/extensions/a.raw, target: /opt/extensions/a/a-1.0.raw"),
        links("path: /etc/localtime, target: ../usr/share/zoneinfo/Europe/Berlin"),
    ),
    (
        "kernel-grub",
        CORE + "kernel_arguments: {should_exist: ['linux_append=quiet']}",
        CORE + "kernel_arguments: {should_exist: [systemd.journald.forward_to_console=1]}",
    ),
    (
        "merge-not-ignition",
        CORE + "ignition: {config: {replace: {source: 'https://e.org/base.yaml'}}}",
        CORE + "ignition: {config: {merge: [{source: 'https://e.org/a.ign'}]}}",
    ),
    (
        "merge-not-ignition",
        CORE + "ignition: {config: {merge: [{source: 'https://e.org/base.bu'}]}}",
        CORE + """ignition: {config: {merge: [{inline: '{"ignition": {"version": "3.3.0"}}'}]}}""",
    ),
    (
        "not-gzip",
        files("path: /etc/a, contents: {inline: abc, compression: gzip}"),
        files("path: /etc/a, contents: {source: 'https://e.org/a.gz', compression: gzip}"),
    ),
    (
        "not-mounted",
        CORE + "storage: {filesystems: [{device: /dev/vdb, format: xfs, path: /srv/db}]}",
        CORE + "storage: {filesystems: [{device: /dev/vdb, format: xfs, path: /srv/db, with_mount_unit: true}]}",
    ),
    (
        "device-undefined",
        CORE + ARRAY.format("date"),
        CORE + ARRAY.format("data"),
    ),
    (
        "unit-refused",
        unit("srv-my-data.mount", "[Mount]\nWhat=/dev/vdb\nWhere=/srv/my-data\n[Install]\nWantedBy=local-fs.target\n"),
        unit(
            "srv-my\\x2ddata.mount", "[Mount]\nWhat=/dev/vdb\nWhere=/srv/my-data\n[Install]\nWantedBy=local-fs.target\n"
        ),
    ),
    (
        "unit-refused",
        unit("a.service", "[Service]\nExecStart=run.sh/\n[Install]\nWantedBy=multi-user.target\n"),
        unit("a.service", SERVICE),
    ),
    (
        "unit-refused",
        unit(
            "a.service",
            "[Service]\nType=simple\nExecStart=/bin/a\nExecStart=/bin/b\n[Install]\nWantedBy=multi-user.target\n",
        ),
        unit(
            "a.service",
            "[Service]\nType=oneshot\nExecStart=/bin/a\nExecStart=/bin/b\n[Install]\nWantedBy=multi-user.target\n",
        ),
    ),
    (
        "unit-replaced",
        unit("containerd.service", "[Service]\nEnvironment=A=b\n[Install]\nWantedBy=multi-user.target\n"),
        unit("containerd.service", SERVICE),
    ),
    (
        "unit-second-start",
        dropin("docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n"),
        dropin("docker.service", "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n"),
    ),
    (
        "unit-second-start",
        dropin("update-engine.service", "[Service]\nExecStart=/bin/a\n"),
        dropin("systemd-sysctl.service", "[Service]\nExecStart=/bin/a\n"),
    ),
    (
        "unit-section",
        unit("a.service", SERVICE + "[unit]\nAfter=b.service\n"),
        unit("a.service", SERVICE + "[X-Mine]\nA=b\n"),
    ),
    (
        "unit-key",
        unit("a.service", "[Unit]\nRestart=always\n" + SERVICE),
        unit("a.service", "[Unit]\nUpholds=b.service\n" + SERVICE),
    ),
    (
        "unit-key",
        unit("a.service", SERVICE + "[Service]\nEnviroment=A=b\n"),
        unit("a.service", SERVICE + "[Service]\nSomethingOfALaterSystemd=1\n"),
    ),
    (
        "unit-list",
        unit("a.service", "[Unit]\nWants=b.service;c.service\n" + SERVICE),
        unit("a.service", "[Unit]\nWants=b.service c.service\n" + SERVICE),
    ),
    (
        "unit-list",
        unit("a.service", "[Unit]\nAfter=docker\n" + SERVICE),
        unit("a.service", "[Unit]\nAfter=docker.service\n" + SERVICE),
    ),
    (
        "unit-unknown",
        CORE + "systemd: {units: [{name: dokcer.service, enabled: true}]}",
        CORE + "systemd: {units: [{name: docker.service, enabled: true}]}",
    ),
    (
        "unit-static",
        CORE + "systemd: {units: [{name: sysinit.target, enabled: true}]}",
        CORE + "systemd: {units: [{name: serial-getty@ttyS1.service, enabled: true}]}",
    ),
    (
        "unit-not-enabled",
        CORE
        + "systemd: {units: [{name: a.path, contents: '[Path]\n\n  PathExists=/a\n\n  [Install]\n\n  WantedBy=paths.target'}]}",
        unit("a.service", SERVICE),
    ),
    (
        "unit-as-file",
        files(
            'path: /etc/systemd/system/a.timer, contents: {inline: "[Timer]\\nOnBootSec=1\\n[Install]\\nWantedBy=timers.target"}'
        ),
        files('path: /etc/systemd/system/a.service.d/b.conf, contents: {inline: "[Unit]\\nAfter=b.service\\n"}'),
    ),
    ("unit-no-service", unit("a.timer", TIMER), unit("fstrim.timer", TIMER)),
    (
        "program-missing",
        unit("a.service", SERVICE.replace("/bin/true", "/usr/bin/podman run a")),
        unit("a.service", SERVICE.replace("/bin/true", "/usr/bin/docker run a")),
    ),
    (
        "program-missing",
        unit("a.service", SERVICE.replace("/bin/true", "/usr/local/bin/app")),
        unit("a.service", SERVICE.replace("/bin/true", "/opt/bin/app")),
    ),
    (
        "program-not-executable",
        unit(
            "a.service",
            SERVICE.replace("/bin/true", "/opt/run"),
            "storage: {files: [{path: /opt/run, contents: {inline: a}}]}\n",
        ),
        unit(
            "a.service",
            SERVICE.replace("/bin/true", "/opt/run"),
            "storage: {files: [{path: /opt/run, mode: 0755, contents: {inline: a}}]}\n",
        ),
    ),
    (
        "service-user",
        unit("a.service", SERVICE.replace("[Install]", "User=app\n[Install]")),
        unit("a.service", SERVICE.replace("[Install]", "User=core\n[Install]")),
    ),
    (
        "keys-unreadable",
        files(f"path: /home/core/.ssh/authorized_keys, mode: 0600, contents: {{inline: '{KEY}'}}"),
        files(f"path: /home/core/.ssh/authorized_keys, contents: {{inline: '{KEY}'}}"),
    ),
)


def codes_of(text: str) -> list[str]:
    done = translate(HEAD + text)
    assert done.ok, f"{done.failure} {done.report}"
    return [entry.code for entry in lint(done)]


def network(text: str, name: str = "10-lan.network") -> str:
    body = textwrap.indent(text, " " * 10)
    return (
        CORE
        + f"storage:\n  files:\n    - path: /etc/systemd/network/{name}\n      contents:\n        inline: |\n{body}\n"
    )


def command(line: str, kind: str = "oneshot") -> str:
    return unit("app.service", f"[Service]\nType={kind}\nExecStart={line}\n[Install]\nWantedBy=multi-user.target\n")


LAN = "[Match]\nName=eth0\n[Network]\n"
SWAP = """systemd:
  units:
    - name: make-swap.service
      contents: |
        [Unit]
        DefaultDependencies=no
        [Service]
        Type=oneshot
        ExecStart=/usr/bin/fallocate -l 1G /var/swapfile
        ExecStart=/usr/sbin/mkswap /var/swapfile
    - name: var-swapfile.swap
      enabled: true
      contents: |
        [Unit]
        Requires=make-swap.service
        {after}
        [Swap]
        What=/var/swapfile
        [Install]
        WantedBy=multi-user.target
"""
RAID = "storage: {{raid: [{{name: data, level: {}, devices: [/dev/vdb, /dev/vdc]}}]}}"

FILESYSTEM = "storage: {{filesystems: [{{device: /dev/vdb1, format: ext4, path: {}, with_mount_unit: true}}]}}"

DEVICE = "storage: {{filesystems: [{{device: {}, format: swap}}]}}"
DIRECTORY = "storage: {{directories: [{{path: /srv/a, mode: {}}}]}}"
PARTITIONS = "storage: {{disks: [{{device: /dev/vdb, wipe_table: true, partitions: [{}]}}]}}"
WANTS = (
    "{path: /etc/systemd/system/multi-user.target.wants/docker.service, target: /usr/lib/systemd/system/docker.service}"
)


def units(*items: str) -> str:
    return f"systemd: {{units: [{', '.join(items)}]}}\n"


def bus(other: str) -> str:
    text = unit("a.service", f"{SERVICE}[Service]\nBusName=a.b")
    return text + unit("b.service", f"{SERVICE}[Service]\nBusName={other}").partition("  units:\n")[2]


def timer(lines: str, more: str = "") -> str:
    service = f"{{name: a.service, {more} contents: '{SERVICE}'}}".replace("\n", "\n\n      ")
    return unit("a.timer", f"[Timer]\n{lines}\n[Install]\nWantedBy=timers.target\n", f"    - {service}\n")


def needs(section: str, line: str) -> str:
    return unit("a.service", SERVICE.replace("[Service]\n", f"[{section}]\n{line}\n[Service]\n"))


def program(text: str) -> str:
    return f'storage: {{files: [{{path: /opt/a, mode: 0755, contents: {{inline: "{text}"}}}}]}}\n'


def cycle(one: str, other: str) -> str:
    text = unit("a.service", f"[Unit]\n{one}\n{SERVICE}")
    return text + unit("b.service", f"[Unit]\n{other}\n{SERVICE}").partition("  units:\n")[2]


def fetched(source: str) -> str:
    return files(f"path: /opt/bin/a, mode: 0755, contents: {{source: https://{source}}}".replace("//x/", "//x.org/"))


def update(text: str) -> str:
    return files(f'path: /etc/flatcar/update.conf, overwrite: true, contents: {{inline: "{text}"}}')


def daemon(text: str) -> str:
    return files(f"path: /etc/docker/daemon.json, contents: {{inline: '{text}'}}")


SCRIPT = "storage:\n  files:\n    - path: /opt/a\n      contents:\n        inline: {}\n          #!/bin/sh\n          echo a\n"

# More that people write, each with what is right beside it.
MORE: tuple[tuple[str, str, str], ...] = (
    ("user-name", users("- {name: Ada Lovelace}"), users("- {name: ada.lovelace}")),
    ("user-name", users("- {name: '123'}"), users("- {name: a123}")),
    ("user-name", "passwd: {groups: [{name: -ops}]}", "passwd: {groups: [{name: ops-1}]}"),
    ("id-taken", users("- {name: ada, uid: 500}"), users("- {name: ada, uid: 1001}")),
    ("id-taken", users("- {name: ada, uid: 1001}\n- {name: bob, uid: 1001}"), users("- {name: ada}\n- {name: bob}")),
    ("id-taken", "passwd: {groups: [{name: ops, gid: 233}]}", "passwd: {groups: [{name: ops, gid: 1005}]}"),
    ("unit-shell", command("/bin/echo a > /tmp/x"), command("/bin/sh -c 'echo a > /tmp/x'")),
    ("unit-shell", command("/usr/bin/curl -sfL https://get.k3s.io | sh -"), command('/bin/bash -c "curl x | sh -"')),
    ("unit-shell", command("/bin/true 2>/dev/null"), command("/usr/bin/docker run alpine sh -c 'ls 2>/dev/null'")),
    ("unit-shell", command("/bin/mkdir /srv/$(hostname)"), command("/bin/sh -c 'mkdir /srv/$(hostname)'")),
    ("unit-builtin", command("cd /opt"), command("/opt/bin/run")),
    ("unit-builtin", command("export A=b"), command("-/opt/bin/export")),
    ("unit-builtin", command("A=b /opt/bin/run"), command("/opt/bin/run A=b")),
    ("unit-percent", command("/bin/sh -c 'date +%Y-%m-%d'"), command("/bin/sh -c 'date +%%Y-%%m-%%d'")),
    ("unit-percent", command('/usr/bin/date "+%H"'), command("/usr/bin/update +%H")),
    ("unit-terminal", command("docker run -it --rm nginx"), command("docker run --rm nginx sh -it")),
    ("unit-terminal", command("docker run --name a -i -t nginx"), command("docker run -t -e -i=1 nginx")),
    ("unit-detached", command("docker run -d nginx", "simple"), command("docker run -d nginx")),
    ("unit-detached", command("docker run --rm -v /a:/b -dp 80:80 nginx", "exec"), command("docker run nginx -d", "exec")),
    ("unit-detached", command("/usr/bin/docker compose up -d", "simple"), command("docker compose up", "simple")),
    (
        "unit-target",
        unit("a.service", SERVICE.replace("multi-user", "multiuser")),
        unit("a.service", SERVICE.replace("multi-user", "network-online")),
    ),
    ("unit-online", unit("a.service", f"[Unit]\nAfter=network-online.target\n{SERVICE}"), unit(
        "a.service", f"[Unit]\nAfter=network-online.target\nWants=network-online.target\n{SERVICE}")),
    ("unit-value", unit("a.service", f"{SERVICE}[Service]\nRestart=true"), unit("a.service", f"{SERVICE}[Service]\nRestart=no")),
    ("unit-value", unit("a.service", f"{SERVICE}[Service]\nRemainAfterExit=si"), unit(
        "a.service", f"{SERVICE}[Service]\nRemainAfterExit=True")),
    ("unit-value", unit("a.service", f"{SERVICE}[Service]\nTimeoutStartSec=never"), unit(
        "a.service", f"{SERVICE}[Service]\nTimeoutStartSec=1min 30s")),
    ("unit-value", unit("a.service", f"{SERVICE}[Service]\nEnvironmentFile=etc/env"), unit(
        "a.service", f"{SERVICE}[Service]\nEnvironmentFile=-/etc/env")),
    ("unit-value", unit("a.service", f"{SERVICE}[Service]\nEnvironment=OPTS=--a --b"), unit(
        "a.service", f"{SERVICE}[Service]\nEnvironment='OPTS=--a --b' B=\"c d\"")),
    ("swap-early", SWAP.format(after="Description=Swap"), SWAP.format(after="After=make-swap.service")),
    (
        "mount-read-only",
        unit("usr-local-data.mount", "[Mount]\nWhat=/dev/vdb1\nWhere=/usr/local/data"),
        unit("srv-data.mount", "[Mount]\nWhat=/dev/vdb1\nWhere=/srv/data"),
    ),
    ("service-group", unit("a.service", f"{SERVICE}[Service]\nGroup=wheelz"), unit(
        "a.service", f"{SERVICE}[Service]\nGroup=disk")),
    ("network-key", network(LAN + "Netmask=255.255.255.0"), network(LAN + "DHCP=yes")),
    ("network-key", network("[Match]\nName=eth0\nAddress=192.0.2.1/24"), network(LAN + "Address=192.0.2.1/24")),
    ("network-key", network("[NetDev]\nName=br0\nType=bridge", "br0.netdev"), network(
        "[NetDev]\nName=br0\nKind=bridge", "a.netdev")),
    ("network-unknown", network(LAN + "[Adress]\nAddress=192.0.2.1/24"), network(LAN + "[Address]\nAddress=192.0.2.1/24")),
    ("network-prefix", network(LAN + "Address=192.0.2.1"), network(LAN + "Address=192.0.2.1/32")),
    ("network-value", network(LAN + "Address=192.0.2.300/24"), network(LAN + "Address=2001:db8::1/64")),
    ("network-value", network(LAN + "Gateway=192.0.2.1/24"), network(LAN + "Gateway=_dhcp4")),
    ("network-value", network(LAN + "DNS=192.0.2.1, 192.0.2.2"), network(LAN + "DNS=192.0.2.1 192.0.2.2")),
    ("file-unread", files("path: /etc/sysctl.d/99-k8s, contents: {inline: a=1}"), files("path: /etc/sysctl.d/9.conf")),
    ("file-unread", files("path: /etc/sudoers.d/ada.conf, mode: 0440"), files("path: /etc/sudoers.d/ada, mode: 0440")),
    ("file-unread", files("path: /etc/cron.d/a"), files("path: /etc/cron.d2/a")),
    ("file-unread", files("path: /etc/netplan/01.yaml"), files("path: /etc/netplan.yaml")),
    ("setting-odd", files("path: /etc/flatcar/update.conf, overwrite: true, contents: {inline: REBOOT_STRATEGY=never}"), files(
        "path: /etc/flatcar/update.conf, overwrite: true, contents: {inline: REBOOT_STRATEGY='off'}")),
    ("not-json", files("path: /etc/docker/daemon.json, contents: {inline: '{\"a\": 1,}'}"), files(
        "path: /etc/docker/daemon.json, contents: {inline: '{\"a\": 1}'}")),
    (
        "quadlet-podman",
        files("path: /etc/containers/systemd/a.container"),
        files(
        "path: /etc/containers/systemd/a.container",
            "path: /etc/flatcar/enabled-sysext.conf, contents: {inline: podman}"
        ),
    ),
    ("script-folded", SCRIPT.format(">"), SCRIPT.format("|")),
    ("script-escaped", files("path: /opt/a, contents: {inline: '#!/bin/sh\\necho a'}"), files(
        "path: /opt/a, contents: {inline: \"#!/bin/sh\\necho a\"}")),
    ("documents", CORE + "---\nstorage: {}\n", CORE + "---\n# the end\n"),
    ("raid-small", RAID.format("raid6"), RAID.format("raid5")),
    ("path-read-only", FILESYSTEM.format("/usr/local"), FILESYSTEM.format("/srv/local")),
    # What starts, and what does not.
    ("unit-not-disabled", units("{name: locksmithd.service, enabled: false}"), units("{name: locksmithd.service, mask: true}")),
    ("unit-not-disabled", units("{name: docker.socket, enabled: false}"), units("{name: docker.service, enabled: false}")),
    ("unit-in-extension", units("{name: docker.service, enabled: true}"), f"storage: {{links: [{WANTS}]}}\n"
        + units("{name: docker.service, enabled: true}")),
    ("dropin-install", dropin("docker.service", "[Install]\nWantedBy=multi-user.target"), dropin(
        "docker.service", "[Service]\nNice=1")),
    ("bus-name-twice", bus("a.b"), bus("a.c")),
    ("timer-never", timer("OnUnitActiveSec=1h"), timer("OnUnitActiveSec=1h\nOnBootSec=1m")),
    ("timer-never", timer("OnUnitInactiveSec=1h"), timer("OnUnitActiveSec=1h", "enabled: true,")),
    ("unit-variable", command("$BIN -v"), command("/bin/echo $BIN")),
    ("unit-literal", command("/bin/mkdir -p ~/data"), command("/bin/sh -c 'mkdir -p ~/data'")),
    ("unit-literal", command("/usr/bin/rm -rf /srv/cache/*"), command("/usr/bin/find /srv -name *.log")),
    ("unit-detached", command("docker run -d nginx", "forking"), command("docker run -d nginx\nRemainAfterExit=yes", "simple")),
    ("unit-detached", command("docker run -d nginx\nExecStop=docker stop a"), command("docker run -d nginx")),
    ("program-missing", command("docker compose up"), command("docker compose-up")),
    ("unit-refused", unit("a b.service", SERVICE), unit("a-b.service", SERVICE)),
    # Accounts, files and what they are fetched from.
    ("account-field", users("- {name: ada, home_dir: srv/ada}"), users("- {name: ada, home_dir: /srv/ada}")),
    ("account-field", users("- {name: ada, shell: bash}"), users("- {name: ada, shell: /bin/bash}")),
    ("account-field", users("- {name: ada, gecos: 'a: b'}"), users("- {name: ada, gecos: a b}")),
    ("key-invalid", f"passwd: {{users: [{{name: core, ssh_authorized_keys: ['{KEY[:60]} ada']}}]}}", CORE),
    ("directory-closed", DIRECTORY.format("0644"), DIRECTORY.format("0700")),
    ("sudoers-writable", files("path: /etc/sudoers.d/ada, mode: 0777"), files("path: /etc/sudoers.d/ada, mode: 0440")),
    ("archive-whole", fetched("x/helm.tar.gz"), fetched("x/helm")),
    ("archive-whole", fetched("x/helm.gz"), fetched("x/helm.gz, compression: gzip")),
    ("web-page", fetched("github.com/a/b/blob/main/run.sh"), fetched("raw.githubusercontent.com/a/b/main/run.sh")),
    ("link-dangling", files("path: /opt/x/a.raw") + "  links: [{path: /etc/extensions/a.raw, target: opt/x/a.raw}]\n", files(
        "path: /opt/x/a.raw") + "  links: [{path: /etc/extensions/a.raw, target: /opt/x/a.raw}]\n"),
    ("zone-unknown", links("path: /etc/localtime, target: /usr/share/zoneinfo/Europe/Berln"), links(
        "path: /etc/localtime, target: ../usr/share/zoneinfo/Europe/Berlin")),
    ("zone-text", files("path: /etc/localtime, contents: {inline: Europe/Berlin}"), links(
        "path: /etc/localtime, target: /usr/share/zoneinfo/UTC")),
    ("zone-text", links("path: /etc/localtime, target: Europe/Berlin"), files("path: /etc/localtime2")),
    # Files of settings.
    ("file-unread", files("path: /etc/sysctl.conf, contents: {inline: a=1}"), files(
        "path: /etc/sysctl.conf, contents: {inline: a=1}") + "  links: [{path: /etc/sysctl.d/9, target: /etc/sysctl.conf}]\n"),
    ("file-unread", files("path: /etc/timezone"), files("path: /etc/timezone", "path: /a, contents: {inline: /etc/timezone}")),
    ("file-unread", files("path: /etc/containerd/config.toml"), files("path: /etc/containerd/config.toml")
        + dropin("containerd.service", "[Service]\nNice=1").removeprefix(CORE)),
    ("file-unread", files("path: /etc/sysupdate.k8s.d/a.cfg"), files("path: /etc/sysupdate.k8s.d/a.transfer")),
    ("file-line", files("path: /etc/sysctl.d/9.conf, contents: {inline: 'a: 1'}"), files(
        "path: /etc/sysctl.d/9.conf, contents: {inline: a = 1}")),
    ("file-line", update("GROUP: beta"), update("GROUP=beta")),
    ("file-line", update("SERVER = disabled"), update("REBOOT_STRATEGY = off")),
    ("file-line", update("reboot_strategy=off"), update("PCR_POLICY_SERVER=https://x")),
    ("setting-odd", update("GROUP=stabel"), update("GROUP=stabel\\nSERVER=https://mine")),
    ("setting-alone", update("LOCKSMITHD_REBOOT_WINDOW_START=Sun 04:00"), update(
        "LOCKSMITHD_REBOOT_WINDOW_START=Sun 04:00\\nLOCKSMITHD_REBOOT_WINDOW_LENGTH=1h")),
    ("file-section", files("path: /etc/systemd/journald.conf.d/a.conf, contents: {inline: \"[Journald]\\nA=b\"}"), files(
        "path: /etc/systemd/journald.conf.d/a.conf, contents: {inline: \"[Journal]\\nA=b\"}")),
    ("docker-config", daemon('{"hosts": ["fd://"]}'), daemon('{"hosts": ["fd://"]}') + dropin(
        "docker.service", "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd").removeprefix(CORE)),
    ("docker-config", daemon('{"log-opts": {"max-file": 3}}'), daemon('{"log-opts": {"max-file": "3"}}')),
    ("docker-config", daemon('{"graph": "/srv"}'), daemon('{"data-root": "/srv"}')),
    ("docker-config", daemon('{"registry-mirrors": "https://m"}'), daemon('{"registry-mirrors": ["https://m"]}')),
    ("docker-config", daemon('{"log_driver": "journald"}'), daemon('{"log-driver": "journald"}')),
    ("file-unread", files("path: /etc/systemd/networkd/a.network"), files("path: /etc/systemd/network/a.network")),
    ("file-unread", files("path: /etc/systemd/a.service"), files("path: /etc/systemd/system/a.service")),
    ("file-unread", files("path: /etc/systemd/system/a.service.d/b"), files("path: /etc/systemd/system/a.service.d/b.conf")),
    # Programs of the config.
    ("program-no-shebang", command("/opt/a") + program("echo"), command("/opt/a") + program("#!/bin/sh\\n")),
    ("program-interpreter", command("/opt/a") + program("#!/bin/zsh\\n"), command("/opt/a") + program("#!/bin/bash\\n")),
    ("program-interpreter", command("/opt/a") + program("#!/usr/bin/env python3\\n"), command("/opt/a") + program(
        "#!/usr/bin/env bash\\n")),
    ("program-unwritten", command("/opt/b") + program("#!/bin/sh"), command("/opt/a") + program("#!/bin/sh")),
    ("program-unwritten", command("/opt/b"), command("/opt/b\nExecStartPre=/usr/bin/curl -o /opt/b https://x.org/b")),
    ("program-unwritten", command("/opt/x/b"), command("/opt/x/b\nExecStartPre=/usr/bin/tar -C /opt/x -xf /srv/b.tar")),
    ("order-cycle", cycle("After=b.service", "After=a.service"), cycle("After=b.service", "Before=a.service")),
    ("address-only", program("https://x.org/a"), program("#!/bin/sh")),
    ("sysext-empty", files("path: /etc/extensions/a.raw, contents: {inline: ''}"), links(
        "path: /etc/extensions/a.raw, target: /dev/null")),
    ("program-turned-off", links("path: /etc/extensions/docker-flatcar.raw, target: /dev/null, overwrite: true")
        + command("docker run a").removeprefix(CORE), command("docker run a")),
    ("unit-needs-masked", needs("Unit", "Requires=b.service") + "    - {name: b.service, mask: true}\n", needs(
        "Unit", "Wants=b.service") + "    - {name: b.service, mask: true}\n"),
    ("unit-needs-unit", needs("Unit", "Requires=postgresql.service"), needs("Unit", "Requires=docker.service")),
    ("unit-needs-path", needs("Service", "EnvironmentFile=/etc/a.env"), needs("Service", "EnvironmentFile=-/etc/a.env")),
    ("unit-needs-path", needs("Service", "EnvironmentFile=/etc/a.env"), needs("Service", "EnvironmentFile=/run/a.env")),
    ("unit-needs-path", needs("Service", "WorkingDirectory=/opt/a"), needs("Service", "WorkingDirectory=/opt/a")
        + "storage: {directories: [{path: /opt/a}]}\n"),
    ("unit-needs-path", needs("Service", "WorkingDirectory=/opt/a"), needs(
        "Service", "WorkingDirectory=/opt/a\nExecStartPre=+/bin/mkdir -p /opt/a")),
    ("ssh-port-socket", files("path: /etc/ssh/sshd_config.d/a.conf, contents: {inline: Port 2222}"), files(
        "path: /etc/ssh/sshd_config.d/a.conf, contents: {inline: Port 2222}") + units("{name: sshd.socket, mask: true}")),
    ("parent-file", files("path: /etc/a", "path: /etc/a/b/c"), files("path: /etc/a", "path: /etc/ab/c")),
    ("owner-undefined", files("path: /srv/a, user: {name: www-data}"), files("path: /srv/a, user: {name: core}")),
    ("owner-undefined", files("path: /srv/a, group: {name: '1000'}"), files("path: /srv/a, group: {id: 1000}")),
    ("hard-dangling", links("path: /opt/a, target: /opt/b, hard: true"), links("path: /opt/a, target: /opt/b")),
    # Networks.
    ("network-no-id", network("[NetDev]\nName=v\nKind=vlan", "v.netdev"), network(
        "[NetDev]\nName=v\nKind=vlan\n[VLAN]\nId=5", "v.netdev")),
    ("network-no-device", network(LAN + "Bridge=br0"), network("[NetDev]\nName=br0\nKind=bridge", "br0.netdev")),
    ("network-value", network("[NetDev]\nName=b\nKind=bond\n[Bond]\nMode=4", "b.netdev"), network(
        "[NetDev]\nName=b\nKind=bond\n[Bond]\nMode=802.3ad", "b.netdev")),
    # The kernel, other configs, disks.
    ("kernel-words", "kernel_arguments: {should_exist: [quiet splash]}", "kernel_arguments: {should_exist: [quiet, splash]}"),
    ("kernel-quotes", "kernel_arguments: {should_exist: ['a=\"b c\"']}", "kernel_arguments: {should_not_exist: ['a=\"b c\"']}"),
    ("replaced-rest", "ignition: {config: {replace: {source: 'https://x/a'}}}\n" + CORE,
        "ignition: {config: {merge: [{source: 'https://x/a'}]}}\n" + CORE),
    ("not-a-device", DEVICE.format("/swapfile"), DEVICE.format("/dev/vdb")),
    ("disk-full", PARTITIONS.format("{number: 1}, {number: 2, size_mib: 9}"), PARTITIONS.format(
        "{number: 1, size_mib: 9}, {number: 2}")),
    ("disk-of-flatcar", PARTITIONS.format("{label: ROOT, number: 9}"), PARTITIONS.format("{label: data, number: 9}")),
)  # fmt: skip


ALL = (*KINDS, *MORE)


@pytest.mark.parametrize(("code", "wrong", "right"), ALL, ids=[f"{at}-{kind[0]}" for at, kind in enumerate(ALL)])
def test_a_kind_is_named_and_its_cure_is_not(code: str, wrong: str, right: str) -> None:
    assert code in codes_of(wrong)
    assert code not in codes_of(right)


def test_each_piece_of_advice_has_a_case() -> None:
    """The messages of advice are those that have a kind here."""
    mine = {message.code for message in advice_messages.CATALOGUE}
    assert mine - {kind[0] for kind in ALL} == {"unit-unused"}
    assert len(mine) > 40


def test_advice_stops_nothing_and_explains_itself() -> None:
    for _, wrong, _ in ALL:
        done = translate(HEAD + wrong)
        own = [entry for entry in lint(done) if entry not in tuple(done.report)]
        assert all(entry.kind is not Kind.ERROR and entry.teach and entry.span for entry in own)
        assert all("{" not in entry.message or "name:" in entry.teach for entry in own)


WRONG = """\
storage:
  files:
    - path: /tmp/a{mark}
      contents: {{inline: a}}
    - path: /run/b
      contents: {{inline: b}}
"""


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (WRONG.format(mark=""), 2),
        (WRONG.format(mark="  # flatkit: ignore path-volatile"), 1),
        (WRONG.format(mark="  # flatkit: ignore mode-odd, path-volatile"), 1),
        (WRONG.format(mark="  # flatkit: ignore mode-odd"), 2),
        (WRONG.format(mark="").replace("    - path: /run", "    # flatkit: ignore path-volatile\n    - path: /run"), 1),
    ],
)
def test_a_comment_switches_a_code_off(text: str, left: int) -> None:
    assert codes_of(CORE + text).count("path-volatile") == left


def test_a_comment_at_the_top_and_the_environment_switch_it_off_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    text = CORE + WRONG.format(mark="")
    assert "path-volatile" not in [
        entry.code for entry in lint(translate(f"# flatkit: ignore path-volatile\n{HEAD}{text}"))
    ]
    monkeypatch.setenv(ENVIRONMENT, "path-volatile,unused-key")
    assert "path-volatile" not in codes_of(text)
    # What Butane itself says stays.
    assert "unused-key" in codes_of(text + "hostname: a\n")


def configs_of_the_course() -> list[tuple[str, str]]:
    found = [(path.name, path.read_text()) for path in sorted((ROOT / "examples").glob("**/*.bu"))]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text())["cells"]:
            source = "".join(cell["source"])
            if source.startswith("%%butane"):
                found.append((f"{path.name} {cell['id']}", source.partition("\n")[2]))
    return found


def test_no_false_alarm_on_ordinary_configs() -> None:
    found = configs_of_the_course()
    assert len(found) > 40
    own = {message.code for message in messages.CATALOGUE} - {"no-way-in"}
    alarms = {}
    for name, text in found:
        done = translate(text, files_dir=ROOT / "examples" / "files")
        said = [entry.code for entry in lint(done) if entry.code in own and entry not in tuple(done.report)]
        if done.ok and said:
            alarms[name] = [code for code in said if not any(code == entry.code for entry in done.report)]
    assert {name: codes for name, codes in alarms.items() if codes} == {}


def test_the_tables_agree() -> None:
    """image.json: each group has a source, no name is in two lists that exclude each other."""
    data = json.loads((ROOT / "flatkit" / "butane" / "machine" / "image.json").read_text())
    for name, rows in data.items():
        for row in rows if isinstance(rows, list) else [rows] if isinstance(rows, dict) else []:
            assert row["source"], name
    units = data["units"]
    for one, other in combinations(("install", "static", "known"), 2):
        assert not set(units[one]) & set(units[other])
    assert set(units["starts"]) <= set(units["install"])
    assert not image.groups() & image.hidden_groups()
    assert set(image.groups_of_core()) <= image.groups()
    assert image.unit_state("docker.socket") is UnitState.STARTS
    assert image.unit_state("nothing.service") is UnitState.UNKNOWN
    assert image.place_of("/usr") is not None
    assert image.place_of("/usrlocal") is None
    assert image.moved_program("/opt/bin/python3") is None

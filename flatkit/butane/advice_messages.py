"""The words of advice: what Butane accepts and the machine refuses, ignores or loses (flatkit/butane/advice/)."""

from __future__ import annotations

from flatkit.butane.wording import Message

_M = Message

# fmt: off
# Units.
UNIT_REFUSED = _M("unit-refused", 'systemd refuses the unit "{unit}": {reason}', "{fix}")
UNIT_REPLACED = _M("unit-replaced",
    'these contents take the place of the image\'s "{unit}", and systemd refuses them: {reason}',
    "To change a unit of the image, put these lines into a drop-in: dropins, with a name that ends in .conf and contents.")
UNIT_SECOND_START = _M("unit-second-start",
    'the drop-in adds one more ExecStart= to "{unit}": systemd refuses a service that has two, unless it is Type=oneshot',
    "Write a line ExecStart= with nothing behind it before yours: it takes back the first one.")
UNIT_SECTION = _M("unit-section", 'systemd ignores the section [{section}] in "{unit}"', "{fix}")
UNIT_KEY = _M("unit-key", 'systemd ignores {key}= in the section [{section}] of "{unit}"', "{fix}")
UNIT_LIST = _M("unit-list", 'systemd ignores "{word}" in {key}= of "{unit}": it is not the name of a unit', "{fix}")
UNIT_UNKNOWN = _M("unit-unknown", '"{unit}" is not written here, and flatkit does not know it in Flatcar\'s image',
    "Enabling a unit that does not exist does nothing, without a message: check the name, or write the unit's contents.")
UNIT_STATIC = _M("unit-static", 'the image\'s "{unit}" has no [Install] section, so enabling it does nothing',
    "It starts when another unit asks for it.")
UNIT_NOT_ENABLED = _M("unit-not-enabled",
    '"{unit}" is written and nothing starts it',
    "Write enabled: true beside its name.")
UNIT_UNUSED = _M("unit-unused", '"{unit}" is written, and nothing starts it',
    "Give it an [Install] section (WantedBy=multi-user.target) and enabled: true, or let another unit ask for it (Requires=).")
UNIT_AS_FILE = _M("unit-as-file", 'the unit "{unit}" is written as a file, and nothing enables it',
    "Write it below systemd.units instead, with name, enabled: true, and this text as contents.")
UNIT_NOT_DISABLED = _M("unit-not-disabled",
    'enabled: false changes nothing: the image starts "{unit}" by a link below /usr, which stays',
    "{fix}")
DROPIN_INSTALL = _M("dropin-install",
    'the [Install] section of the drop-in counts when "{unit}" is enabled, and nothing enables it',
    "Write enabled: true beside the unit's name.")
UNIT_IN_EXTENSION = _M("unit-in-extension",
    '"{unit}" is in an extension of the image since 3761, which can be too late for enabled: true',
    "Add a link in storage.links: path: /etc/systemd/system/multi-user.target.wants/{unit}, "
    "target: /usr/lib/systemd/system/{unit}.")
BUS_NAME_TWICE = _M("bus-name-twice",
    '"{unit}" and "{other}" have the same BusName={name}: systemd refuses the one that it loads second',
    "Give each service a bus name of its own.")
TIMER_NEVER = _M("timer-never",
    '"{unit}" counts from the last run of "{service}", and nothing makes the first run: it never starts it',
    "Add OnBootSec=, OnActiveSec= or OnCalendar= for the first run.")
UNIT_NO_SERVICE = _M("unit-no-service",
    '"{unit}" starts "{service}", which is neither written here nor known in Flatcar\'s image',
    "Write that unit, too, or name the one that is meant ({setting}).")
SERVICE_GROUP = _M("service-group",
    '"{unit}" runs in the group "{group}", which neither this config nor the image has, so it fails',
    "Define the group below passwd.groups, or correct the name.")
SERVICE_USER = _M("service-user", '"{unit}" runs as "{user}", a user that neither this config nor the image has, so it fails',
    "Define the user below passwd.users, or correct the name.")
PROGRAM_MISSING = _M("program-missing",
    '"{unit}" runs {program}, which Flatcar\'s image does not have',
    "Use {instead}.")
PROGRAM_NOT_EXECUTABLE = _M("program-not-executable", '"{unit}" runs {program}, and its mode {mode} lets nobody run it',
    "Write mode: 0755 for that file.")
PROGRAM_NO_SHEBANG = _M("program-no-shebang",
    '"{unit}" runs {program}, which is not a program and has no first line #!, so it fails',
    "Begin the file with #!/bin/bash.")
PROGRAM_INTERPRETER = _M("program-interpreter",
    '"{unit}" runs {program}, which asks for {interpreter}: Flatcar\'s image does not have it, so it fails',
    "Use {instead}.")
PROGRAM_UNWRITTEN = _M("program-unwritten", '"{unit}" runs {program}, which nothing in this config writes', "{fix}")
PROGRAM_TURNED_OFF = _M("program-turned-off", '"{unit}" runs {program}, and the link {path} turns its extension off',
    "Take that link out, or run something else.")
UNIT_NEEDS_MASKED = _M("unit-needs-masked", '"{unit}" requires "{other}", which is masked here, so it does not start',
    "Take mask out, or leave that unit out of Requires=.")
UNIT_NEEDS_UNIT = _M("unit-needs-unit",
    '"{unit}" requires "{other}", which is neither written here nor known in Flatcar\'s image',
    "Without it the unit does not start: write it, too, or use Wants= for a unit that may be missing.")
UNIT_NEEDS_PATH = _M("unit-needs-path", '"{unit}" needs {path}, which nothing in this config makes', "{fix}")
ORDER_CYCLE = _M("order-cycle", "{units} wait for each other (After=, Before=): systemd leaves one of them out",
    "Take one of the lines out.")
UNIT_SHELL = _M("unit-shell", '"{unit}" gives the program the word {word}: {key}= is not run by a shell',
    "Write {key}=/bin/sh -c '...' with the whole line in the quotes, or put it into a script.")
UNIT_BUILTIN = _M("unit-builtin",
    '"{unit}" runs "{program}", which is not a program but a word of the shell, so it fails',
    "{fix}")
UNIT_VARIABLE = _M("unit-variable",
    '"{unit}" begins a command with {word}: systemd puts variables into the other words only, so it fails',
    "Write the program itself, or {key}=/bin/sh -c 'exec ...' with the line in the quotes.")
UNIT_LITERAL = _M("unit-literal",
    '"{unit}" gives the program {word} as it is written: {key}= is not run by a shell, which would fill in {sign}',
    "{fix}")
UNIT_PERCENT = _M("unit-percent", 'systemd itself replaces what follows % in {key}= of "{unit}", so date gets another format',
    "Write %% for each percent sign.")
UNIT_TERMINAL = _M("unit-terminal", '"{unit}" runs docker with -i and -t, and a service has no terminal, so it fails',
    "Leave -i and -t out.")
UNIT_DETACHED = _M("unit-detached",
    '"{unit}" starts containers in the background (-d): its command ends at once, and the service with it',
    "Leave -d out (and Type=forking), or write Type=oneshot and RemainAfterExit=yes.")
UNIT_TARGET = _M("unit-target",
    '"{unit}" is to start with "{target}", which is neither written here nor known in Flatcar\'s image',
    "{fix}")
UNIT_ONLINE = _M("unit-online", '"{unit}" waits for network-online.target only if something else asks for it: After= is an order',
    "Write Wants=network-online.target, too.")
UNIT_VALUE = _M("unit-value", 'systemd ignores {key}={value} in "{unit}": {reason}', "{fix}")
SWAP_EARLY = _M("swap-early", '"{service}" makes {path}, and "{unit}" does not wait for it',
    'Write Requires={service} and After={service} into [Unit] of "{unit}", and DefaultDependencies=no into that of the service.')
MOUNT_READ_ONLY = _M("mount-read-only",
    '"{place}" is the read-only image: if {path} is not there, it cannot be made, and "{unit}" fails',
    "Mount it somewhere else, for example below /srv, /mnt or /opt.")
# Users and groups.
USER_NAME = _M("user-name", '"{name}" cannot be the name of a {kind}, so Ignition fails the boot',
    "Letters, digits, dots, dashes and underscores are allowed, at most 32; the first is not a dash, and not all are digits.")
ID_TAKEN = _M("id-taken", 'the {key} {number} is that of "{other}", too, so Ignition fails the boot',
    "Write another number, or leave it out.")
USER_NAMELESS = _M("user-nameless", "this user has no name, so Ignition fails the boot",
    "Write name: with the name; a dash begins a new user, so keep the keys of one user below one dash.")
USER_GROUP_EXISTS = _M("user-group-exists",
    'a group "{name}" exists already when the user "{name}" is created, so Ignition fails the boot',
    'useradd wants to make a group of the user\'s name: write primary_group: {name} for this user.')
GROUP_UNDEFINED = _M("group-undefined",
    'neither this config nor the image has the group "{group}", so Ignition fails the boot',
    "Define it below passwd.groups, or correct the name.")
GROUP_HIDDEN = _M("group-hidden",
    'the image has the group "{group}" below /usr, where useradd and usermod do not find it: Ignition fails the boot',
    "Write a file /etc/userdb/{user}:{group}.membership with a space as contents instead.")
GROUP_EXISTS = _M("group-exists",
    'the image has the group "{group}" already, below /usr, so it cannot be created',
    "Take it out.")
GROUPS_REPLACED = _M("groups-replaced",
    "this list takes the place of core's groups in /etc/group, it is not added to them: {lost} will be missing",
    "Write the ones to keep into the list, too ({all}), or add one alone with a file /etc/userdb/core:GROUP.membership.")
NO_LOGIN_SHELL = _M("no-login-shell",
    'the shell "{shell}" lets nobody log in, so the {ways} of "{user}" cannot be used',
    "Leave shell out for somebody who is to log in.")
SHELL_MISSING = _M("shell-missing",
    'Flatcar\'s image does not have the shell "{shell}", so "{user}" cannot log in',
    "Write shell: /bin/bash.")
KEY_INVALID = _M("key-invalid", "this key is not complete: no SSH server accepts it",
    "Paste the whole line of the file that ends in .pub; what is shown in documentation is a placeholder.")
KEYS_UNREADABLE = _M("keys-unreadable",
    'the SSH server reads this file as "{user}", who may not: it belongs to root and its mode is {mode}',
    "Give it user and group {user}, or put the key below passwd.users.")
ACCOUNT_FIELD = _M("account-field", '{key} "{value}" is refused by {program}, so Ignition fails the boot', "{fix}")
# Files.
PATH_READ_ONLY = _M("path-read-only",
    '"{place}" is the read-only image: Ignition cannot write {path}, and the boot fails',
    "Use {instead}.")
PATH_KERNEL = _M("path-kernel", '"{place}" belongs to the kernel: {path} is not a file that stays', "Use {instead}.")
PATH_VOLATILE = _M("path-volatile",
    '"{place}" is emptied at every boot, the first one too: {path} will not be there',
    "Use {instead}.")
PATH_PARTITION = _M("path-partition", 'the partition mounted at "{place}" hides {path}', "Use {instead}.")
OVERWRITE_NEEDED = _M("overwrite-needed",
    "the image has {path} already and overwrite is false, so Ignition fails the boot",
    "Write overwrite: true{better}.")
DROPIN_BETTER = _M("dropin-better",
    "this takes the place of the image's whole {path}",
    "Better write {instead}: it keeps the rest.")
KEY_READABLE = _M("key-readable", "this is a private key, and with mode {mode} every user of the machine can read it",
    "Write mode: 0600{owner}.")
MODE_ODD = _M("mode-odd", "the mode {mode} ({letters}) lets others do what the owner may not", "{fix}")
SCRIPT_CRLF = _M("script-crlf",
    "the script's lines end as on Windows (CR LF), so its first line asks for \"{program}\\r\"",
    "Save it with Unix line ends (LF).")
SCRIPT_FOLDED = _M("script-folded",
    "the sign > joins the lines with spaces, so the script is one line, and all behind #! is lost",
    "Write | in place of >.")
SCRIPT_ESCAPED = _M("script-escaped", "the script has \\n as two characters in its first line, and is one line",
    "Write | and the script's lines below it: only double quotes make a new line of \\n.")
DOCUMENTS = _M("documents", "Butane reads the text up to this line only: --- begins another document",
    "Take the line out, and join what is below with the sections above.")
DIRECTORY_CLOSED = _M("directory-closed",
    "the mode {mode} lets nobody but root into the directory: that takes an x for each r",
    "Write mode: {better}.")
SUDOERS_WRITABLE = _M("sudoers-writable", "sudo does not read {path}: with mode {mode} every user can write it",
    "Write mode: 0440.")
ARCHIVE_WHOLE = _M("archive-whole", "{path} will be the packed archive: Ignition does not unpack {suffix}", "{fix}")
ADDRESS_ONLY = _M("address-only", "{path} will hold this address itself, not what is there",
    "Write source: in place of inline:.")
WEB_PAGE = _M("web-page", "this is the address of a page about the file: {path} will hold HTML", "Write source: {raw}")
REPLACED_REST = _M("replaced-rest", "replace: throws away everything else in this config", "{fix}")
ZONE_UNKNOWN = _M("zone-unknown", "flatkit does not know the time zone {zone}: if there is none, the clock shows UTC", "{fix}")
ZONE_TEXT = _M("zone-text", "/etc/localtime has to be a time zone's own data, so the clock shows UTC", "{fix}")
FILE_LINE = _M("file-line", "{reader} cannot read line {line} of {path}, and ignores it", "{fix}")
FILE_SECTION = _M("file-section", "{reader} ignores the section [{section}] in {path}", "Its section is [{known}].")
DOCKER_CONFIG = _M("docker-config", "Docker does not start with this {path}: {problem}", "{fix}")
PARENT_FILE = _M("parent-file", "{parent} is a file of this config, so {path} cannot be in it, and Ignition fails the boot",
    "Write one of the two to another path.")
OWNER_UNDEFINED = _M("owner-undefined",
    'neither this config nor the image has the {kind} "{name}", so Ignition fails the boot',
    "{fix}")
HARD_DANGLING = _M("hard-dangling",
    "nothing in this config writes {target}, and a hard link needs its file: Ignition fails the boot",
    "{fix}")
HOME_PARENTS = _M("home-parents", "{path} will belong to root: Ignition makes missing directories as root",
    "List it below storage.directories, with user: {{name: {user}}} and group: {{name: {user}}}.")
HOME_OWNER = _M("home-owner", "this will belong to root, although it is in the home of {user}",
    "Write user: {{name: {user}}} and group: {{name: {user}}}.")
NETWORK_SUFFIX = _M("network-suffix",
    "systemd-networkd does not read {path}",
    "It reads names that end in .network, .netdev or .link.")
NETWORK_SECTION = _M("network-section",
    "a file {suffix} needs a section [{section}] with something in it: systemd ignores this one",
    "{fix}")
NETWORK_KEY = _M("network-key", "systemd-networkd ignores {key}= in the section [{section}] of {path}", "{fix}")
NETWORK_UNKNOWN = _M("network-unknown", "systemd-networkd ignores the section [{section}] in {path}", "{fix}")
NETWORK_VALUE = _M("network-value", 'systemd-networkd cannot read {key}="{value}" in {path}, and ignores it', "{fix}")
NETWORK_NO_ID = _M("network-no-id", "systemd-networkd does not make a VLAN without its number", "Write [VLAN] with Id=.")
NETWORK_NO_DEVICE = _M("network-no-device",
    "{key}={device} in {path} names a network device that no .netdev file here makes",
    "{fix}")
NETWORK_PREFIX = _M("network-prefix", "Address={address} in {path} does not say how long the network's prefix is",
    "Write it behind a slash: Address={address}/24 for the netmask 255.255.255.0.")
FILE_UNREAD = _M("file-unread", "{reader} does not read {path}", "{fix}")
SETTING_ODD = _M("setting-odd", "{program} does not know {key}={value}", "{fix}")
SETTING_ALONE = _M("setting-alone", "locksmithd ends with an error: {key} is given without {other}", "{fix}")
NOT_JSON = _M("not-json", "{path} is not JSON: line {line}, {problem}", "{fix}")
QUADLET_PODMAN = _M("quadlet-podman", "{path} is for Podman, which Flatcar's image does not have",
    'Write the name "podman" into /etc/flatcar/enabled-sysext.conf.')
SSH_PORT_BOTH = _M("ssh-port-both", "SSH listens on port {ports} and on 22 still: the drop-in adds to the list",
    "To close port 22 write a line ListenStream= with nothing behind it first.")
SSH_PORT_SOCKET = _M("ssh-port-socket", "Port {port} has no effect here: sshd.socket listens, and hands the connections over",
    "Write a drop-in for sshd.socket instead: [Socket], an empty ListenStream=, and ListenStream={port}.")
SYSEXT_NAME = _M("sysext-name",
    'systemd-sysext wants the name in the image, "{inside}" by its source, and this is "{name}"',
    "Name it {inside}.raw: it must be NAME in the image's extension-release.NAME.")
SYSEXT_FILE = _M("sysext-file", "systemd-sysext does not read {path}", "The name of an image ends in .raw.")
SYSEXT_EMPTY = _M("sysext-empty", "an empty {path} is not an extension: systemd-sysext fails on it",
    "To turn an extension off, write a link of this path with target: /dev/null and overwrite: true.")
SYSEXT_UNKNOWN = _M("sysext-unknown", 'line {line}: Flatcar offers no extension "{name}"', "{fix}")
LINK_DANGLING = _M("link-dangling", "nothing in this config writes {target}, so the link leads nowhere", "{fix}")
KERNEL_GRUB = _M("kernel-grub",
    '"{argument}" is a line for grub.cfg, not a kernel argument',
    "Write the words themselves: {words}")
KERNEL_WORDS = _M("kernel-words", '"{argument}" is one text to Ignition: it is {verb} as a whole', "{fix}")
KERNEL_QUOTES = _M("kernel-quotes",
    "Flatcar writes {argument} into a line of grub.cfg, whose text ends at the double quote: the machine reboots again and again",
    "Take the quotes away. What needs them, for example the options of a module, can be a file in /etc/modprobe.d.")
MERGE_NOT_IGNITION = _M("merge-not-ignition",
    "this is {format}, and Ignition merges Ignition configs only: it fails the boot",
    "Translate it first: flatkit butane {name} > base.ign, then name base.ign.")
NOT_GZIP = _M("not-gzip",
    "the contents are not packed, though compression: gzip says so: Ignition fails the boot",
    "Leave compression out: Butane packs by itself what is worth it.")
NOT_MOUNTED = _M("not-mounted",
    "nothing mounts {device} at {path} after the first boot",
    "Write with_mount_unit: true, or a unit {unit}.")
RAID_SMALL = _M("raid-small",
    "{level} needs at least {least} devices without the spares, and there are {found}: mdadm refuses it",
    "Give it more devices, or another level.")
NOT_A_DEVICE = _M("not-a-device", '"{device}" is not a device: Ignition waits for one of this name, and fails the boot', "{fix}")
DISK_FULL = _M("disk-full",
    'partition {first} takes all the space that is left, so there is none for {second}: Ignition fails the boot',
    "Write the partition without a size last, or give it a size_mib.")
DISK_OF_FLATCAR = _M("disk-of-flatcar",
    "if Flatcar itself is on {device}, the boot fails (before Ignition 2.20 this erased Flatcar): {label} is the name of one of "
    "its own partitions",
    "Leave wipe_table out: to give ROOT another filesystem an entry below filesystems is enough.")
DEVICE_UNDEFINED = _M("device-undefined", "nothing in this config makes {device}", "{fix}")
# fmt: on
CATALOGUE = tuple(value for value in list(globals().values()) if isinstance(value, Message))

"""Every message that a report can contain: its stable code, its text, and one sentence of advice where beginners stumble.

The texts are Butane's, Ignition's or yaml.v3's, to the letter; the codes, the advice and the messages at the end are ours.
Lint and quick fixes tell messages apart by code and values, never by text.
"""

from __future__ import annotations

from flatkit.butane import advice_messages
from flatkit.butane.wording import Message, Wording

_M = Message

# fmt: off
# The header, and the YAML itself.
_HEADER = "For Flatcar write variant: flatcar and version: 1.1.0."
VARIANT_MISSING = _M("variant-missing", "error parsing variant; must be specified",
    "A Butane config starts with variant: flatcar and version: 1.1.0.")
VERSION_INVALID = _M("version-invalid",
    "error parsing version; must be a valid semver",
    "The version has three numbers: 1.1.0.")
RHCOS_VARIANT = _M("rhcos-variant",
    "rhcos variant has been removed; use openshift variant instead: https://coreos.github.io/butane/upgrading-openshift/",
    _HEADER)
_KNOWN = "flatkit knows variant: flatcar, version: 1.0.0, 1.1.0 and 1.2.0-experimental."
NO_TRANSLATOR = _M("no-translator", "No translator exists for variant {variant} with version {version}", _KNOWN)
# The real tool reads these; so here the words are ours.
NOT_IN_FLATKIT = _M("no-translator",
    "No translator exists for variant {variant} with version {version} in flatkit; write variant: flatcar and version: 1.1.0",
    _KNOWN)
_COLON = "A colon followed by a space starts a value: put quotes around a text that has one in it."
_INDENT = "In YAML the indentation tells what belongs to what: keys of one mapping must start in the same column."
TABS_ADVICE = "YAML is indented with spaces, never with tabs."
_UNCLOSED = "A quote or bracket was opened and never closed."
_ESCAPE = "In \"...\" a backslash is special: use '...'."
YAML_SYNTAX = _M("yaml-syntax", "{problem}")
_START = "A text that starts with @, `, %, *, & or ! needs quotes; a tab cannot indent, use spaces."
# By libyaml's own words; all others are a YAML_SYNTAX.
_YAML = {
    message.text: message
    for message in (
        _M("yaml-colon", "mapping values are not allowed in this context", _COLON),
        _M("yaml-indent", "did not find expected key", _INDENT),
        _M("yaml-indent", "did not find expected '-' indicator", _INDENT),
        _M("yaml-indent", "block sequence entries are not allowed in this context", _INDENT),
        _M("yaml-indent", "mapping keys are not allowed in this context", _INDENT),
        _M("yaml-tab", "found a tab character that violates indentation", TABS_ADVICE),
        _M("yaml-tab", "found a tab character where an indentation space is expected", TABS_ADVICE),
        _M("yaml-start", "did not find expected alphabetic or numeric character",
           _START),
        _M("yaml-start", "found character that cannot start any token",
           _START),
        _M("yaml-unclosed", "found unexpected end of stream", _UNCLOSED),
        _M("yaml-unclosed", "did not find expected ',' or ']'", _UNCLOSED),
        _M("yaml-unclosed", "did not find expected ',' or '}'", _UNCLOSED),
        _M("yaml-missing-colon", "could not find expected ':'", "A key needs a colon and a space after it."),
        _M("yaml-escape", "found unknown escape character", _ESCAPE),
        _M("yaml-escape", "did not find expected hexdecimal number", _ESCAPE),
    )
}


def yaml_problem(problem: str) -> Wording:
    """The message for a problem that libyaml reports."""
    message = _YAML.get(problem)
    return message() if message else YAML_SYNTAX(problem=problem)


YAML_ENCODING = _M("yaml-encoding", "{problem}", "The text must be UTF-8.")
TOO_MANY_BYTES = _M("too-large", "the config has {count} bytes, more than the {limit} that flatkit reads")
TOO_MANY_VALUES = _M("too-large", "the config has more than {limit} values")
TOO_MANY_DUPLICATES = _M("too-large", "more than {limit} duplicate keys")
TOO_MANY_MERGES = _M("too-large", "more than {limit} merges inside each other")
UNKNOWN_ANCHOR = _M("unknown-anchor", "unknown anchor '{name}' referenced",
    "*name needs an &name before it; a text that starts with * needs quotes.")
ANCHOR_LOOP = _M("anchor-loop", "anchor '{name}' value contains itself")
ALIAS_BOMB = _M("alias-bomb", "document contains excessive aliasing")
DUPLICATE_KEY = _M("duplicate-key", "mapping key {key} already defined at line {line}",
    "Each key may occur only once in a mapping: join the two.")
WRONG_TYPE = _M("wrong-type",
    "cannot unmarshal {found} into {type}",
    "The value is of another kind than the field takes.")
_TAG = "The value does not fit its explicit tag (!!...)."
WRONG_TAG = _M("wrong-tag", "cannot decode {found} `{value}` as a {tag}", _TAG)
BAD_BINARY = _M("wrong-tag", "!!binary value contains invalid base64 data", _TAG)
MERGE_VALUE = _M("merge-value", "map merge requires map or sequence of maps as the value",
    "<<: takes a mapping, or an alias of one.")

# Butane's own rules.
_OCTAL = 'Permissions are octal numbers and need a leading zero: 0644, not 644 and not "0644".'
_LOCAL = "local: names a file on your computer, below --files-dir; the file's contents go into the config."
UNUSED_KEY = _M("unused-key", "unused key {key}", "Butane ignores keys that it does not know, so this has no effect.")
NULL_MAPPING = _M("null-mapping",
    "context tree does not match content tree at {path}. Line and column reporting may be inconsistent. "
    "Unused keys may not be reported",
    "There is nothing under this key: write the value, or take the key out.")
MODE_NOT_OCTAL = _M("mode-not-octal",
    "unreasonable mode would be reasonable if specified in octal; remember to add a leading zero",
    _OCTAL)
ONE_RESOURCE = _M("one-content", "only one of the following can be set: inline, local, source",
    "Give the contents once: as text (inline), as a file of yours (local), or as a URL (source).")
ONE_CONTENTS = _M("one-unit-content", "only one of the following can be set: contents, contents_local",
    "Give either contents or contents_local.")
MOUNT_NEEDS_FORMAT = _M("mount-needs-format", "format is required if with_mount_unit is true",
    "A mount unit must say what kind of filesystem it mounts.")
MOUNT_NEEDS_PATH = _M("mount-needs-path", "path is required if with_mount_unit is true and format is not swap",
    "A mount unit must say where it mounts.")
LOCAL_REQUIRED = _M("local-required", "local is required", _LOCAL)
NO_FILES_DIR = _M("no-files-dir",
    "local file paths are relative to a files directory that must be specified with -d/--files-dir",
    _LOCAL)
OUTSIDE_FILES_DIR = _M("outside-files-dir", "local file path traverses outside the files directory",
    "Only files below --files-dir can be embedded.")
LOCAL_UNREADABLE = _M("local-unreadable", "{verb} {path}: {reason}", _LOCAL)
TREE_NOT_DIRECTORY = _M("tree-not-directory", "root of tree must be a directory",
    "trees: embeds folders: a single file goes into storage.files, with contents: and local:.")
TREE_FILE_TYPE = _M("tree-file-type", "trees may only contain files, directories, and symlinks",
    "Take sockets, pipes and devices out of the folder.")
TREE_CONFLICT = _M("tree-conflict", "matching filesystem node has existing contents or different type",
    "The tree and the config both say what is at this path.")
CLEVIS = _M("clevis", "clevis is not supported in this spec version",
    "Butane's variant flatcar has Clevis from version 1.2.0-experimental on. With 1.1.0 leave clevis out, so that a random "
    "key is made, and bind the TPM with systemd-cryptenroll in a oneshot unit.")
CEX = _M("cex", "cex is not currently supported on the target platform", "Crypto Express adapters are IBM Z's; Flatcar has none.")
_QUADLET = "A quadlet is a file that podman turns into a systemd unit: the image needs podman (Flatcar's extension podman)."
QUADLET_EXTENSION = _M("quadlet-extension",
    "unsupported file extension for quadlet: must be one of "
    ".container, .volume, .network, .kube, .image, .build, .pod, or .artifact",
    _QUADLET)
QUADLET_INSTANCE = _M("quadlet-instance", "template instances cannot have contents or contents_local",
    "An instance (NAME@x.container) becomes a link to its template (NAME@.container), which has the contents.")

# Ignition: files, directories and links.
DUPLICATE = _M("duplicate", "duplicate entry defined", "Two entries name the same thing: join them into one, or take one out.")
PATH_CONFLICT = _M("path-conflict", "path conflicts with systemd unit or dropin",
    "The unit writes this file already: leave one of the two.")
PATH_MISSING = _M("path-missing", "path not specified", "An absolute path is wanted here, such as path: /etc/app.conf.")
PATH_RELATIVE = _M("path-relative", "path not absolute",
    "Paths on the machine start at /, since there is no current directory while Ignition runs.")
PATH_NOT_SIMPLE = _M("path-not-simple", "path is not fully simplified",
    "Write the path without a trailing slash and without //, . or .. in it.")
PATH_THROUGH_LINK = _M("path-through-link", "{kind} path includes link in config",
    "Use the real path: Ignition does not follow links of the config.")
LINK_TARGET = _M("link-target", "link target is required", "Write target: with the path that the link leads to.")
HARD_LINK_DIRECTORY = _M("hard-link-directory", "hard link target is a directory", "Only files can have hard links.")
HARD_LINK_OWNER = _M("hard-link-owner", "user/group ignored for hard link",
    "A hard link is the file itself, and has its owner: leave user and group out.")
MODE_ILLEGAL = _M("mode-illegal", "illegal file mode", _OCTAL)
MODE_SPECIAL = _M("mode-special",
    "setuid/setgid/sticky bits are not supported or functional in spec versions older than 3.6.0",
    "If you did not mean special bits, the leading zero may be missing (0644).")
OVERWRITE_NO_SOURCE = _M("overwrite-no-source", "overwrite must be false if source is unspecified",
    'overwrite: true needs contents, even if they are empty (inline: "").')
ID_AND_NAME = _M("id-and-name", "cannot set both id and name", "Give the id or the name, not both.")

# Ignition: what is fetched.
_SOURCE = "Say where the contents come from."
SOURCE_REQUIRED = _M("source-required", "source is required", _SOURCE)
HASH_NEEDS_SOURCE = _M("source-required", "source must be specified if verification is specified", _SOURCE)
_URL = "Sources are http(s), tftp, s3, gs or data URLs; a file of your own computer is local:, not source:."
URL_UNPARSABLE = _M("url", "unable to parse url", _URL)
URL_SCHEME = _M("url", "invalid url scheme", _URL)
S3_VERSION = _M("url", "invalid S3 object VersionId", _URL)
S3_ARN = _M("url", "invalid S3 ARN format", _URL)
DATA_URL = _M("data-url", "{problem}", "Write the text below inline: instead, and Butane makes the URL.")
COMPRESSION = _M("compression", "invalid compression method", "The only compression is gzip.")
_HASH = "A hash is sha512- or sha256- and the digest in hex."
HASH_MALFORMED = _M("hash", "malformed hash specifier", _HASH)
HASH_FUNCTION = _M("hash", "unrecognized hash function", _HASH)
HASH_SIZE = _M("hash", "incorrect size for hash sum", _HASH)
HEADER_NAME = _M("http-headers", "HTTP header name can't be empty",
    "http_headers is a list of entries with name: and value:.")
HEADER_VALUE = _M("http-headers", "unable to parse HTTP header", "http_headers is a list of entries with name: and value:.")
HEADERS_SCHEME = _M("http-headers", "cannot use HTTP headers with this source scheme",
    "Only http and https sources have headers.")
PROXY_SCHEME = _M("proxy-scheme", "proxies must be http(s)", "Write the whole URL of the proxy: http://proxy.example.org:3128.")
PROXY_INSECURE = _M("proxy", "insecure plaintext HTTP proxy specified for HTTPS resources",
    "It works: what is fetched stays encrypted, but the connection to the proxy is not.")

# Ignition: disks and what is on them.
DEVICE_MISSING = _M("device-missing",
    "disk device is required",
    "Name the device, best one below /dev/disk/by-id or by-label.")
PARTITION_NUMBERS = _M("partition", "partition numbers collide",
    "Give each partition its own number, or leave number out: the next free one is taken.")
PARTITION_OVERLAP = _M("partition", "partitions overlap",
    "Leave start_mib out: then the partition begins in the largest free space.")
PARTITION_ZERO = _M("partition", "shouldExist is false for a partition and other partition(s) has start or size 0",
    "Give the other partitions a start_mib and a size_mib.")
PARTITION_LABELS = _M("partition", "cannot use the same partition label twice",
    "The label is the name in /dev/disk/by-partlabel, so each partition needs its own.")
PARTITION_GONE = _M("partition", "shouldExist specified false with other options also specified",
    "A partition that is deleted has a number and wipe_partition_entry: true, and nothing else.")
PARTITION_NAMELESS = _M("partition", "a partition number >= 1 or a label must be specified",
    "Write label: with a name, or number: from 1 on.")
PARTITION_LABEL_SIZE = _M("partition", "partition labels may not exceed 36 characters", "Write a shorter label.")
PARTITION_LABEL_COLON = _M("partition", "partition label will be truncated to text before the colon",
    "Write a label without a colon.")
PARTITION_GUID = _M("partition-guid", "doesn't match the form \"01234567-89AB-CDEF-EDCB-A98765432101\"",
    "A GUID has the form 01234567-89AB-CDEF-EDCB-A98765432101.")
FILESYSTEM_NO_FORMAT = _M("filesystem",
    "format cannot be empty when path, label, uuid, wipeFilesystem, options, or mountOptions is specified",
    "Write format: with ext4, xfs, btrfs, vfat or swap.")
FILESYSTEM_FORMAT = _M("filesystem", "invalid filesystem format")
FILESYSTEM_LABEL = _M("filesystem", "filesystem must specify format if label is specified",
    "Write format: with ext4, xfs, btrfs, vfat or swap.")
FILESYSTEM_LABEL_SIZE = _M("filesystem",
    "filesystem labels cannot be longer than {limit} characters when using {format}",
    "Write a shorter label.")
FILESYSTEM_ON_PARTITIONS = _M("filesystem-device", "filesystem overwrites partitioned device",
    "This disk gets partitions: name one of them, by /dev/disk/by-partlabel/LABEL.")
FILESYSTEM_WIPED = _M("filesystem-device", "device matches disk with wipeTable enabled; filesystem will be wiped",
    "The partition table of this disk is erased first: what is on the disk is lost.")
LUKS_NAME = _M("luks", "device names cannot contain slashes", "It is the name below /dev/mapper, without the folder.")
LUKS_LABEL_SIZE = _M("luks", "luks device labels cannot be longer than 47 characters", "Write a shorter label.")
LUKS_KEY = _M("luks", "invalid key-file source", "key_file has inline:, local: or source:, like the contents of a file.")
CLEVIS_CUSTOM = _M("clevis-pins", "cannot use custom clevis config with tpm2, tang, or threshold",
    "Write custom: with pin: and config:, and nothing beside it.")
CLEVIS_PIN = _M("clevis-pins", "missing required custom clevis pin",
    "Write custom: with pin: and config:, and nothing beside it.")
CLEVIS_CONFIG = _M("clevis-pins", "missing required custom clevis config",
    "Write custom: with pin: and config:, and nothing beside it.")
TANG_THUMBPRINT = _M("tang", "thumbprint is required", "`tang-show-keys` prints it on the Tang server.")
TANG_ADVERTISEMENT = _M("tang-advertisement", "advertisement is not valid JSON", "It is what the Tang server answers at /adv.")
RAID_LEVEL = _M("raid", "raid level is required", "Write level: raid1, for example.")
RAID_LEVEL_UNKNOWN = _M("raid", "unrecognized raid level",
    "The levels are linear, raid0, raid1, raid4, raid5, raid6 and raid10.")
RAID_SPARES = _M("raid", "spares unsupported for linear and raid0 arrays", "Leave spares out.")
RAID_DEVICES = _M("raid", "raid devices required", "List the devices of the array, each with its path below /dev.")

# Ignition: units.
_INSTALL = (
    "Without an [Install] section (for example WantedBy=multi-user.target) systemd does not know when to start it."
)
UNIT_EXTENSION = _M("unit-extension", "invalid systemd unit extension",
    "A unit's name ends in .service, .socket, .timer, .mount or the like.")
DROPIN_EXTENSION = _M("dropin-extension", "invalid systemd drop-in extension",
    "A drop-in's name ends in .conf, for example 10-memory.conf.")
UNIT_CONTENTS = _M("unit-contents",
    "invalid unit content: {problem}",
    "A unit is made of [Sections] and Name=value lines.")
UNIT_NO_INSTALL = _M("unit-no-install",
    "unit {unit} is enabled, but has no install section so enable does nothing",
    _INSTALL)
TEMPLATE_NO_INSTALL = _M("unit-no-install",
    "template unit {template} for {unit} doesn't have Install section",
    _INSTALL)

# Ignition configs as text.
_VERSION = 'An Ignition config has {"ignition": {"version": ...}}.'
MERGE_VERSION = _M("merge-version",
    "skipping validation for the merge/replace ignition config due to an unkown version",
    "It is passed on as it is; the machine's Ignition must know that version.")
IGNITION_VERSION = _M("ignition-version", "invalid config version (couldn't parse)", _VERSION)
IGNITION_RELEASED = _M("ignition-version",
    'the Ignition spec version is "{version}"; expected a released one from "3.0.0" on',
    _VERSION)
IGNITION_INVALID = _M("ignition-json", "config is not valid")
IGNITION_JSON = _M("ignition-json", "{problem}")
IGNITION_ENCODING = _M("ignition-encoding", "the text is {encoding}; Ignition reads UTF-8 without a byte order mark",
    "Save it as UTF-8.")
NOT_IGNITION = _M("not-ignition", 'this is {format}, not Ignition; expected JSON that starts with {{"ignition": ...}}')

# What Butane lets pass.
EXPERIMENTAL = _M("experimental", "{version} is experimental: its fields and its result may change with each release of Butane",
    "Write version: 1.1.0 unless you need what only this one has (quadlets, Clevis, owners and modes of trees).")
PRIVATE_KEY = _M("private-key", "this is a private key; it must never leave your computer",
    "Paste the public key: the one line in the file that ends in .pub. Treat this private key as leaked.")
NOT_A_KEY = _M("not-a-key", "this does not look like a public SSH key",
    "A public key is one line like: ssh-ed25519 AAAA... you@laptop (see ~/.ssh/id_ed25519.pub).")
PLAIN_PASSWORD = _M("plain-password", "this does not look like an encrypted password",
    "Write what `mkpasswd --method=SHA-512` prints (it starts with $6$), never the password itself.")
TEMPLATE = _M("template", "this was not filled in: {found}",
    "A template has to be filled in before Butane reads it.")
ENCODING = _M("encoding", "the text is {encoding}", "Save it as UTF-8.")
NO_WAY_IN = _M("no-way-in", "no user has a key or a password, so nobody can log in over SSH",
    "flatkit adds a key of its own to the machines that it starts. Anywhere else give the user core your public key "
    "under passwd.users.")
# Said in place of an edit where the user has no key.
NO_KEY_FOUND = ("No public key of yours was found in ~/.ssh or in an SSH agent: `ssh-keygen -t ed25519` makes one, and "
    "~/.ssh/id_ed25519.pub then contains the line to write.")
# fmt: on
_OWN = [value for value in list(globals().values()) if isinstance(value, Message)]
CATALOGUE = (*_OWN, *_YAML.values(), *advice_messages.CATALOGUE)
ADVICE = {message.code: message.advice for message in CATALOGUE}
_BY_TEXT = {(message.code, message.text): message.advice for message in CATALOGUE}


def advice_for(code: str, text: str) -> str:
    """Return the advice of the message with this code and text, or of another one with the code."""
    return _BY_TEXT.get((code, text)) or ADVICE.get(code, "")

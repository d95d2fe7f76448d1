"""Every message that a report can hold, with its stable identifier and, where beginners stumble, one sentence more.

The messages are Butane's and never change here; the identifiers and sentences are ours. A test holds that each message of
the recorded cases has an identifier.
"""

from __future__ import annotations

import re

_OCTAL = 'Permissions are octal numbers and need a leading zero: 0644, not 644 and not "0644".'
_ABSOLUTE = "Paths on the machine start at /, since there is no current directory while Ignition runs."
_SIMPLE = "Write the path without a trailing slash and without //, . or .. in it."
_INDENT = "In YAML the indentation tells what belongs to what: keys of one mapping must start in the same column."
_COLON = "A colon followed by a space starts a value: put quotes around a text that has one in it."
_QUOTES = "A text that starts with @, `, %, *, & or ! needs quotes; a tab cannot indent, use spaces."
_CLOSE = "A quote or bracket was opened and never closed."
_INSTALL = (
    "Without an [Install] section (for example WantedBy=multi-user.target) systemd does not know when to start it."
)
_LOCAL = "local: names a file on your computer, below --files-dir; the file's contents go into the config."
_ONE_OF = "Give the contents once: as text (inline), as a file of yours (local), or as a URL (source)."
_NULL = "There is nothing under this key: write the value, or take the key out."
_ESCAPE = "In \"...\" a backslash is special: use '...'."
_CONFLICT = "The tree and the config both say what is at this path."
_JSON = 'An Ignition config has {"ignition": {"version": ...}}.'
_MERGE_VERSION = "It is passed on as it is; the machine's Ignition must know that version."

# (identifier, pattern, sentence); the first that matches counts.
_TABLE: tuple[tuple[str, str, str], ...] = (
    ("unused-key", r"unused key ", "Butane ignores keys that it does not know, so this has no effect."),
    ("null-mapping", r"context tree does not match content tree", _NULL),
    ("mode-not-octal", r"unreasonable mode would be reasonable", _OCTAL),
    ("variant-missing", r"error parsing variant", "A Butane config starts with variant: flatcar and version: 1.1.0."),
    ("version-invalid", r"error parsing version", "The version has three numbers: 1.1.0."),
    ("rhcos-variant", r"rhcos variant has been removed", "For Flatcar write variant: flatcar and version: 1.1.0."),
    ("no-translator", r"No translator exists", "flatkit knows variant: flatcar, version: 1.0.0 and 1.1.0."),
    ("duplicate-key", r"mapping key .* already defined", "Each key may stand only once in a mapping: join the two."),
    ("wrong-type", r"cannot unmarshal ", "The value is of another kind than the field takes."),
    ("wrong-tag", r"cannot decode |!!binary value", "The value does not fit its explicit tag (!!...)."),
    ("merge-value", r"map merge requires", "<<: takes a mapping, or an alias of one."),
    ("unknown-anchor", r"unknown anchor ", "*name needs an &name before it; a text that starts with * needs quotes."),
    ("anchor-loop", r"anchor .* value contains itself", ""),
    ("alias-bomb", r"document contains excessive aliasing", ""),
    ("too-large", r"the config has (\d+ (bytes|characters)|more than)|more than \d+ duplicate keys", ""),
    ("yaml-colon", r"mapping values are not allowed", _COLON),
    ("yaml-indent", r"did not find expected key|did not find expected '-' indicator", _INDENT),
    ("yaml-indent", r"block sequence entries are not allowed|mapping keys are not allowed", _INDENT),
    ("yaml-tab", r"found a tab character", "YAML is indented with spaces, never with tabs."),
    ("yaml-start", r"found character that cannot start any token", _QUOTES),
    ("yaml-unclosed", r"found unexpected end of stream|did not find expected ',' or", _CLOSE),
    ("yaml-missing-colon", r"could not find expected ':'", "A key needs a colon and a space after it."),
    ("yaml-escape", r"found unknown escape character|did not find expected hexdecimal", _ESCAPE),
    ("yaml-encoding", r"control characters|invalid .*UTF-8|.*UTF-(8|16)|invalid Unicode|.*surrogate", "The text must be UTF-8."),
    ("yaml-syntax", r"did not find|could not find|found |exceeded max depth of|unknown problem", ""),
    ("one-content", r"only one of the following can be set: inline", _ONE_OF),
    ("one-content", r"only one of the following can be set: contents", "Give either contents or contents_local."),
    ("mount-needs-format", r"format is required if with_mount_unit", "A mount unit must say what kind of filesystem it mounts."),
    ("mount-needs-path", r"path is required if with_mount_unit", "A mount unit must say where it mounts."),
    ("local-required", r"local is required", _LOCAL),
    ("no-files-dir", r"local file paths are relative to a files directory", _LOCAL),
    ("outside-files-dir", r"local file path traverses outside", "Only files below --files-dir can be embedded."),
    ("local-unreadable", r"(open|read|stat|lstat|readlink) .*: ", _LOCAL),
    ("tree-not-directory", r"root of tree must be a directory", ""),
    ("tree-file-type", r"trees may only contain", ""),
    ("tree-conflict", r"matching filesystem node has existing contents", _CONFLICT),
    ("clevis", r"clevis is not supported", "Flatcar's Ignition cannot unlock by Clevis with this spec version."),
    ("duplicate", r"duplicate entry defined", "Two entries name the same thing: join them into one."),
    ("path-conflict", r"path conflicts with systemd unit", "The unit writes this file already: leave one of the two."),
    ("path-missing", r"path not specified", ""),
    ("path-relative", r"path not absolute", _ABSOLUTE),
    ("path-not-simple", r"path is not fully simplified", _SIMPLE),
    ("path-through-link", r".* path includes link in config", "Use the real path: Ignition does not follow links of the config."),
    ("link-target", r"link target is required", ""),
    ("hard-link-directory", r"hard link target is a directory", "Only files can have hard links."),
    ("hard-link-owner", r"user/group ignored for hard link", ""),
    ("mode-illegal", r"illegal file mode", _OCTAL),
    ("mode-special", r"setuid/setgid/sticky bits", "If you did not mean special bits, the leading zero may be missing (0644)."),
    ("overwrite-no-source", r"overwrite must be false", "overwrite: true needs contents, even if they are empty (inline: \"\")."),
    ("id-and-name", r"cannot set both id and name", "Give the id or the name, not both."),
    ("source-required", r"source is required|source must be specified", "Say where the contents come from."),
    ("url", r"unable to parse url|invalid url scheme|invalid S3", "Sources are http(s), tftp, s3, gs or data URLs."),
    ("data-url", r"missing data prefix|missing comma|missing media|invalid media|invalid character for |incomplete media", ""),
    ("data-url", r"unterminated parameter|expected base64|expected semicolon|invalid data character|illegal base64", ""),
    ("data-url", r"rfc2396|unclosed quoted", ""),
    ("compression", r"invalid compression method", "The only compression is gzip."),
    ("hash", r"malformed hash|unrecognized hash|incorrect size for hash", "A hash is sha512- or sha256- and the digest in hex."),
    ("http-headers", r"HTTP header name|unable to parse HTTP header|cannot use HTTP headers", ""),
    ("proxy", r"proxies must be|insecure plaintext HTTP proxy", ""),
    ("partition", r"partition|a partition number|shouldExist|cannot use the same partition label", ""),
    ("partition", r"doesn't match the form", "A GUID has the form 01234567-89AB-CDEF-EDCB-A98765432101."),
    ("device-missing", r"disk device is required", "Name the device, best one below /dev/disk/by-id or by-label."),
    ("filesystem", r"format cannot be empty|invalid filesystem format|filesystem must specify|filesystem labels", ""),
    ("filesystem-device", r"filesystem overwrites partitioned|device matches disk with wipeTable", ""),
    ("luks", r"device names cannot|luks device labels|invalid key-file", ""),
    ("raid", r"raid |spares unsupported|unrecognized raid", ""),
    ("unit-extension", r"invalid systemd unit extension", "A unit's name ends in .service, .socket, .timer, .mount or the like."),
    ("dropin-extension", r"invalid systemd drop-in extension", "A drop-in's name ends in .conf, for example 10-memory.conf."),
    ("unit-contents", r"invalid unit content", "A unit is made of [Sections] and Name=value lines."),
    ("unit-no-install", r"unit .* is enabled, but has no install section", _INSTALL),
    ("unit-no-install", r"template unit ", _INSTALL),
    ("merge-version", r"skipping validation for the merge", _MERGE_VERSION),
    ("ignition-version", r"invalid config version|the Ignition spec version", _JSON),
    ("ignition-json", r"invalid character |unexpected end of JSON|json: |config is not valid|exceeded max depth", ""),
)  # fmt: skip

_COMPILED = tuple((code, re.compile(pattern, re.DOTALL), sentence) for code, pattern, sentence in _TABLE)


def code_of(message: str) -> tuple[str, str]:
    """The identifier of a message and its sentence; ("", "") for one that is not Butane's."""
    for code, pattern, sentence in _COMPILED:
        if pattern.match(message):
            return code, sentence
    return "", ""

"""Values as people write them elsewhere, as Butane wants them: sizes, modes, owners, contents, devices, hashes. Pure.

Each function returns None (or "") where the meaning is not certain.
"""

from __future__ import annotations

import re

from flatkit.untrusted import is_number

_MIB = 2**20
_UNITS = {
    "": 1, "b": 1, "k": 2**10, "kib": 2**10, "kb": 10**3, "m": _MIB, "mib": _MIB, "mb": 10**6, "g": 2**30, "gib": 2**30,
    "gb": 10**9, "t": 2**40, "tib": 2**40, "tb": 10**12,
}  # fmt: skip
_SIZE = re.compile(r"\+?(\d{1,15})(\.\d{1,6})?\s*([A-Za-z]{1,3})", re.ASCII)
_SECONDS = re.compile(r"(\d{1,6})\s*(s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hour|hours)", re.ASCII)
_URL = re.compile(r"(https?|tftp|s3|gs|data|arn):\S+", re.IGNORECASE)
_ANY_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_FILE_ENDING = re.compile(
    r"[\w.@/+-]+\.(sh|bash|py|conf|cfg|ini|toml|ya?ml|json|txt|pem|crt|cer|key|pub|ign|bu|env|service|socket|timer|mount|network|rules|"
    r"repo|sql|xml|properties|gz|tgz|raw|img|html?|css|js)",
    re.ASCII,
)
_LS = re.compile(r"[-dl]?((?:[r-][w-][xsS-]){2}[r-][w-][xtT-])")
_CLAUSE = re.compile(r"([ugoa]*)=([rwx]*)")
# The first parts of absolute paths on Flatcar.
_ROOTS = frozenset((
    "bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "oem", "opt", "proc", "root", "run", "sbin", "srv",
    "sys", "tmp", "usr", "var",
))  # fmt: skip
_DISK = re.compile(r"(sd[a-z]+\d*|[xv]d[a-z]+\d*|nvme\d+n\d+(p\d+)?|mmcblk\d+(p\d+)?|md\d+|dm-\d+|loop\d+)")
_TAGS = {"label": "by-label", "uuid": "by-uuid", "partlabel": "by-partlabel", "partuuid": "by-partuuid"}
NETWORK_FORMATS = frozenset(
    ("nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "9p", "virtiofs", "ceph", "glusterfs", "sshfs")
)
_REMOTE = re.compile(r"(//[\w.-]+/\S*|\[?[\w.:-]+\]?:/\S*)")


def mebibytes(text: str) -> int | None:
    """The whole MiB of a size with a unit ("1GiB" is 1024, "10GB" is 9536); None without one or below one MiB."""
    if text.strip() == "100%":
        return 0  # the rest of the disk
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match[3].lower()) if match else None
    if match is None or unit is None:
        return None
    size = int(match[1]) * unit + int(float(match[2] or 0) * unit)
    # 10 GB are 9536.7 MiB; of smaller sizes the rest would matter.
    whole, rest = divmod(size, _MIB)
    return whole if whole and (not rest or whole >= 100) else 0 if size == 0 else None


def seconds(text: str) -> int | None:
    """The seconds of a time with a unit: "30s", "2m"."""
    match = _SECONDS.fullmatch(text.strip())
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2][0]] if match else None


def octal_mode(text: str) -> str:
    """The mode as octal digits with the leading zero: of "644", "0o644", "rw-r--r--", "u=rw,go=r"."""
    text = text.strip()
    if re.fullmatch(r"0?[0-7]{3}|0[0-7]{4}|[1-7][0-7]{3}", text):
        return "0" + text.removeprefix("0") if len(text) != 4 or text[0] == "0" else "0" + text
    if match := re.fullmatch(r"0[oO]([0-7]{3,4})", text):
        return "0" + match[1]
    if match := _LS.fullmatch(text):
        return _from_letters(match[1])
    return _from_clauses(text)


def _from_letters(letters: str) -> str:
    if set(letters) - set("rwx-"):
        return ""  # special bits: Butane's versions of Flatcar refuse them
    return "0" + "".join(
        str(sum(bit for bit, letter in zip((4, 2, 1), letters[at : at + 3], strict=True) if letter != "-"))
        for at in (0, 3, 6)
    )


def _from_clauses(text: str) -> str:
    classes = {"u": 0, "g": 0, "o": 0}
    seen = ""
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            return ""
        who = "ugo" if match[1] in ("", "a") or "a" in match[1] else match[1]
        seen += who
        for letter in who:
            classes[letter] = sum({"r": 4, "w": 2, "x": 1}[bit] for bit in set(match[2]))
    return "0" + "".join(map(str, classes.values())) if set(seen) == set("ugo") else ""


def owner(text: str) -> dict[str, tuple[str, str]] | None:
    """`user` and `group` of "core:core", "500:500" or "core", each as ("name" or "id", value)."""
    if not re.fullmatch(r"[A-Za-z0-9_][\w.-]*\$?(:[A-Za-z0-9_][\w.-]*\$?)?", text, re.ASCII):
        return None
    user, _, group = text.partition(":")
    out = {"user": user} | ({"group": group} if group else {})
    return {role: ("id" if is_number(name) else "name", name) for role, name in out.items()}


def origin_key(text: str, *, is_config: bool) -> str:
    """`source`, `local` or `inline` for a text given as contents; "" if it is none of them for certain.

    `is_config`: it is given as a config to merge, which nobody writes as a bare word.
    """
    bare = text.strip()
    if _URL.fullmatch(bare):
        return "source"
    if _ANY_URL.match(bare) and " " not in bare and "\n" not in bare:
        return ""  # file://, oem://: Ignition does not fetch these
    if is_config:
        return "inline" if bare.startswith("{") else "local" if re.fullmatch(r"[\w.@+-][\w.@/+ -]*", bare) else ""
    if re.fullmatch(r"[~/]\S*/\S+", bare):
        return ""  # a path, of this computer or of the machine: not the text that is meant
    if re.fullmatch(r"\.{1,2}/\S+", bare) or (_FILE_ENDING.fullmatch(bare) and not bare.startswith("/")):
        return "local"
    return "inline"


def absolute_path(text: str) -> str:
    """The absolute path that a relative one probably is: "etc/motd" is /etc/motd; "" if nothing says so."""
    path = text.removeprefix("./")
    first, slash, _ = path.partition("/")
    return "/" + path if slash and first in _ROOTS else ""


def device_path(text: str) -> str:
    """The path below /dev of "sda", "dev/sda", "LABEL=data", "by-label/data"; "" if it is not a local device."""
    tag, equals, value = text.partition("=")
    if equals and tag.lower() in _TAGS and re.fullmatch(r'"?[\w.@+-]+"?', value):
        return f"/dev/disk/{_TAGS[tag.lower()]}/" + value.strip('"')
    if _DISK.fullmatch(text) or re.match(r"(disk/by-|mapper/|md/)\S", text):
        return f"/dev/{text}"
    if re.match(r"by-(id|label|uuid|partlabel|partuuid|path)/\S", text):
        return f"/dev/disk/{text}"
    return f"/{text}" if re.match(r"dev/\S", text) else ""


def is_remote(device: str, kind: str) -> bool:
    """True for a network filesystem: by its type, or a device such as "server:/export"."""
    return kind in NETWORK_FORMATS or bool(_REMOTE.fullmatch(device))


def hash_text(text: str) -> str:
    """A digest with its function as Ignition writes it, "" if it is neither a sha256 nor a sha512."""
    match = re.fullmatch(r"(?:sha-?(?:256|512)\s*[-:=]\s*)?([0-9a-fA-F]+)(?:\s+\*?\S+)?", text.strip(), re.IGNORECASE)
    function = {64: "sha256", 128: "sha512"}.get(len(match[1])) if match else None
    return f"{function}-{match[1].lower()}" if match and function else ""


_COMMAS = frozenset(("groups", "mount_options", "no_proxy", "devices", "ssh_authorized_keys_local"))
_LINES = frozenset(("ssh_authorized_keys", "groups", "should_exist", "should_not_exist", "options", "devices"))


def split_entries(name: str, text: str) -> list[str]:
    """Split a text where a list of texts is wanted; [] if it is not certain where an entry ends."""
    text = text.strip()
    lines = [line.strip().removeprefix("- ") for line in text.split("\n") if line.strip()]
    if len(lines) > 1:
        return lines if name in _LINES else []
    if name in _COMMAS and "," in text:
        return [part.strip() for part in text.split(",") if part.strip()]
    if name == "options" and not set(text) & set("\"'\\"):
        return text.split()
    if " " in text and name != "ssh_authorized_keys":
        return []
    return [text] if text else []

"""The fields of variant flatcar, version by version: (key, type, sentence[, default[, choices]]).

`?` after a type: absent and empty differ. The order of the rows is the order in which Butane walks them. Source: Butane's
config/base v0_4 and v0_5 and its reference pages; the sentences are ours.
"""

from __future__ import annotations

import functools

from flatkit.butane.schema import Schema, build

Rows = tuple[tuple[str, ...], ...]

_SOURCE_DOC = "Where Ignition fetches it at first boot: http(s), tftp, s3, gs or a data URL."
_NODE_ID: Rows = (
    ("id", "int?", "The numeric id."),
    ("name", "str?", "The name; give either the id or the name."),
)
_NODE: Rows = (
    ("group", "NodeGroup", "The group that owns it.", "root"),
    ("overwrite", "bool?", "Replace what is already there; directories are emptied, links and files removed.", "false"),
    ("path", "str", "The absolute path on the machine."),
    ("user", "NodeUser", "The user who owns it.", "root"),
)
_DROPIN: Rows = (
    ("contents", "str?", "The text of the drop-in, in systemd's unit syntax."),
    ("contents_local", "str?", "A file below --files-dir whose text becomes the contents."),
    ("name", "str", "The file name of the drop-in; it must end in .conf."),
)

V1_1_0: dict[str, Rows] = {
    "HTTPHeader": (
        ("name", "str", "The name of the HTTP header."),
        ("value", "str?", "The value of the HTTP header."),
    ),
    "Verification": (("hash", "str?", "The expected checksum of the contents: sha512-<hex> or sha256-<hex>."),),
    "Resource": (
        ("compression", "str?", "How the contents are packed; Butane sets it for inline and local.", "", "gzip"),
        ("http_headers", "[HTTPHeader:HTTPHeaders]", "Extra HTTP headers for the request, with http(s) sources only."),
        ("source", "str?", _SOURCE_DOC),
        ("inline", "str?", "The contents themselves, written into the config."),
        ("local", "str?", "A file below --files-dir whose contents are embedded."),
        ("verification", "Verification", "How to check what was fetched."),
    ),
    "NodeUser": _NODE_ID,
    "NodeGroup": _NODE_ID,
    "IgnitionConfig": (
        ("merge", "[Resource]", "Other Ignition configs that are merged into this one."),
        ("replace", "Resource", "An Ignition config that takes the place of this one."),
    ),
    "Proxy": (
        ("http_proxy", "str?", "The proxy for http requests that Ignition makes."),
        ("https_proxy", "str?", "The proxy for https requests that Ignition makes."),
        ("no_proxy", "[str]", "Hosts and networks that are reached without the proxy."),
    ),
    "TLS": (
        ("certificate_authorities", "[Resource]", "CA certificates (PEM) that Ignition trusts beside the system's."),
    ),
    "Security": (("tls", "TLS", "Options for https."),),
    "Timeouts": (
        ("http_response_headers", "int?", "Seconds to wait for a server's response headers; 0 waits for ever.", "10"),
        ("http_total", "int?", "Seconds for a request with its retries; 0 means no limit.", "0"),
    ),
    "Ignition": (
        ("config", "IgnitionConfig", "Other configs to merge with, or to use instead."),
        ("proxy", "Proxy", "Proxies for what Ignition fetches."),
        ("security", "Security", "What Ignition trusts when it fetches."),
        ("timeouts", "Timeouts", "How long Ignition waits for servers."),
    ),
    "KernelArguments": (
        ("should_exist", "[str:KernelArgument]", "Arguments that must be on the kernel command line."),
        ("should_not_exist", "[str:KernelArgument]", "Arguments that must not be on the kernel command line."),
    ),
    "PasswdGroup": (
        ("gid", "int?", "The group's number."),
        ("name", "str", "The group's name."),
        ("password_hash", "str?", "The group's encrypted password."),
        ("should_exist", "bool?", "Whether the group shall exist; false deletes it.", "true"),
        ("system", "bool?", "Make it a system group.", "false"),
    ),
    "PasswdUser": (
        ("gecos", "str?", "The user's full name or remark."),
        ("groups", "[str:Group]", "Further groups that the user joins, for example sudo or docker."),
        ("home_dir", "str?", "The home directory.", "/home/<name>"),
        ("name", "str", "The login name; core exists already on Flatcar."),
        ("no_create_home", "bool?", "Do not create the home directory.", "false"),
        ("no_log_init", "bool?", "Leave the user out of lastlog and faillog.", "false"),
        ("no_user_group", "bool?", "Do not create a group of the user's name.", "false"),
        ("password_hash", "str?", "The encrypted password, as mkpasswd --method=SHA-512 prints it."),
        ("primary_group", "str?", "The user's main group."),
        ("should_exist", "bool?", "Whether the user shall exist; false deletes it.", "true"),
        ("ssh_authorized_keys", "[str:SSHAuthorizedKey]", "Public SSH keys that may log in as this user."),
        ("ssh_authorized_keys_local", "[str]", "Files below --files-dir with public SSH keys, one a line."),
        ("shell", "str?", "The login shell.", "/bin/bash"),
        ("system", "bool?", "Make it a system user.", "false"),
        ("uid", "int?", "The user's number."),
    ),
    "Passwd": (
        ("groups", "[PasswdGroup]", "Groups to create, change or delete."),
        ("users", "[PasswdUser]", "Users to create, change or delete."),
    ),
    "Directory": (*_NODE, ("mode", "int?", "The permissions in octal, with the leading zero.", "0755")),
    "Partition": (
        ("guid", "str?", "The partition's own GUID."),
        ("label", "str?", "The partition's label: at most 36 characters, no colon."),
        ("number", "int", "The partition's number; 0 takes the next free one.", "0"),
        ("resize", "bool?", "Grow or shrink a partition that exists with another size.", "false"),
        ("should_exist", "bool?", "Whether the partition shall exist; false deletes it.", "true"),
        ("size_mib", "int?", "The size in MiB; 0 takes all the room that follows."),
        ("start_mib", "int?", "Where it starts in MiB; 0 means the largest free block."),
        ("type_guid", "str?", "The GUID of the partition's type.", "Linux filesystem data"),
        ("wipe_partition_entry", "bool?", "Delete a partition that exists and differs.", "false"),
    ),
    "Disk": (
        ("device", "str", "The disk's path, best one below /dev/disk/by-id."),
        ("partitions", "[Partition]", "The partitions."),
        ("wipe_table", "bool?", "Erase the partition table first: all that is on the disk is lost.", "false"),
    ),
    "File": (
        *_NODE,
        ("append", "[Resource]", "Pieces that are added to the end of the file."),
        ("contents", "Resource", "What the file holds; without it an empty file is made."),
        ("mode", "int?", "The permissions in octal, with the leading zero.", "0644"),
    ),
    "Filesystem": (
        ("device", "str", "The block device, best one below /dev/disk/by-label or by-partlabel."),
        ("format", "str?", "The kind of filesystem.", "", "ext4 btrfs xfs vfat swap none"),
        ("label", "str?", "The filesystem's label."),
        ("mount_options", "[str]", "Options for mounting it."),
        ("options", "[str]", "Options for the mkfs program."),
        ("path", "str?", "Where it is mounted while Ignition writes files, and by the mount unit."),
        ("uuid", "str?", "The filesystem's UUID."),
        ("wipe_filesystem", "bool?", "Make it anew even if a fitting one is there.", "false"),
        ("with_mount_unit", "bool?", "Let Butane write the systemd unit that mounts it at each boot.", "false"),
    ),
    "Link": (
        *_NODE,
        ("hard", "bool?", "Make a hard link instead of a symbolic one.", "false"),
        ("target", "str?", "What the link points to."),
    ),
    "Tang": (
        ("thumbprint", "str?", "The thumbprint of the Tang server's key."),
        ("url", "str", "The Tang server's URL."),
        ("advertisement", "str?", "The Tang server's advertisement, for set-up without the server."),
    ),
    "ClevisCustom": (
        ("config", "str?", "The Clevis config as JSON."),
        ("needs_network", "bool?", "Whether unlocking needs the network.", "false"),
        ("pin", "str?", "The Clevis pin."),
    ),
    "Clevis": (
        ("custom", "ClevisCustom", "A Clevis pin with its own config."),
        ("tang", "[Tang]", "Tang servers that unlock the device."),
        ("threshold", "int?", "How many of the pins must agree.", "1"),
        ("tpm2", "bool?", "Unlock with the TPM 2 chip.", "false"),
    ),
    "Luks": (
        ("clevis", "Clevis", "Unlocking by Clevis; Flatcar does not support it in this version."),
        ("device", "str?", "The block device that is encrypted."),
        ("discard", "bool?", "Pass discard requests on to the device.", "false"),
        ("key_file", "Resource", "The key; without it Ignition makes a random one."),
        ("label", "str?", "The label of the LUKS device."),
        ("name", "str", "The name of the opened device below /dev/mapper."),
        ("open_options", "[str]", "Options for cryptsetup when it opens the device."),
        ("options", "[str]", "Options for cryptsetup when it formats the device."),
        ("uuid", "str?", "The UUID of the LUKS device."),
        ("wipe_volume", "bool?", "Format it anew even if a fitting one is there.", "false"),
    ),
    "Raid": (
        ("devices", "[str:Device]", "The devices that form the array."),
        ("level", "str?", "The RAID level.", "", "linear raid0 raid1 raid4 raid5 raid6 raid10"),
        ("name", "str", "The array's name below /dev/md."),
        ("options", "[str]", "Options for mdadm."),
        ("spares", "int?", "How many spare devices the array has.", "0"),
    ),
    "Tree": (
        ("local", "str", "A directory below --files-dir that is copied with all that it holds."),
        ("path", "str?", "The directory on the machine that it is copied to.", "/"),
    ),
    "Storage": (
        ("directories", "[Directory]", "Directories to create."),
        ("disks", "[Disk]", "Disks to partition."),
        ("files", "[File]", "Files to write."),
        ("filesystems", "[Filesystem]", "Filesystems to make."),
        ("links", "[Link]", "Links to make."),
        ("luks", "[Luks]", "Devices to encrypt."),
        ("raid", "[Raid]", "RAID arrays to make."),
        ("trees", "[Tree]", "Local directories to embed."),
    ),
    "Dropin": _DROPIN,
    "Unit": (
        ("contents", "str?", "The text of the unit, in systemd's unit syntax."),
        ("contents_local", "str?", "A file below --files-dir whose text becomes the contents."),
        ("dropins", "[Dropin]", "Pieces that change a unit without replacing it."),
        ("enabled", "bool?", "Start it at every boot; the unit needs an [Install] section.", "unchanged"),
        ("mask", "bool?", "Make it impossible to start.", "false"),
        ("name", "str", "The unit's name with its extension, for example web.service."),
    ),
    "Systemd": (("units", "[Unit]", "Units to write, change, enable or mask."),),
    "Config": (
        ("version", "str", "The version of the Butane spec."),
        ("variant", "str", "The kind of config: flatcar.", "", "flatcar"),
        ("ignition", "Ignition", "How Ignition itself fetches and merges configs."),
        ("kernel_arguments", "KernelArguments", "Arguments on the kernel command line."),
        ("passwd", "Passwd", "Users and groups."),
        ("storage", "Storage", "Disks, filesystems, files, directories and links."),
        ("systemd", "Systemd", "Systemd units."),
    ),
}

# Where the order of Ignition's JSON is not that of the YAML walk.
_JSON_ORDER = {
    "PasswdUser": (
        "gecos", "groups", "home_dir", "name", "no_create_home", "no_log_init", "no_user_group", "password_hash",
        "primary_group", "ssh_authorized_keys", "shell", "should_exist", "system", "uid",
    ),
    "Tang": ("advertisement", "thumbprint", "url"),
    "Config": ("ignition", "kernel_arguments", "passwd", "storage", "systemd"),
}  # fmt: skip

_BUTANE_ONLY = frozenset(
    {
        "Resource.inline", "Resource.local", "PasswdUser.ssh_authorized_keys_local", "Filesystem.with_mount_unit",
        "Storage.trees", "Dropin.contents_local", "Unit.contents_local", "Config.version", "Config.variant",
    }
)  # fmt: skip

_ALWAYS = frozenset(
    {
        "File.path", "Directory.path", "Link.path", "Unit.name", "Dropin.name", "PasswdUser.name", "PasswdGroup.name",
        "Raid.name", "Luks.name", "HTTPHeader.name", "Disk.device", "Filesystem.device",
    }
)  # fmt: skip

_NEW_IN_1_1_0 = frozenset(
    {
        "PasswdUser.ssh_authorized_keys_local", "Unit.contents_local", "Dropin.contents_local", "Luks.discard",
        "Luks.open_options", "Tang.advertisement",
    }
)  # fmt: skip

# Lists that had named element types in Butane's base v0_4; the names show in type errors.
_NAMED_IN_1_0_0 = {"Luks.options": "[str:LuksOption]", "Raid.options": "[str:RaidOption]"}


def _v1_0_0() -> dict[str, Rows]:
    tables: dict[str, Rows] = {}
    for name, rows in V1_1_0.items():
        kept = (row for row in rows if f"{name}.{row[0]}" not in _NEW_IN_1_1_0)
        tables[name] = tuple((row[0], _NAMED_IN_1_0_0.get(f"{name}.{row[0]}", row[1]), *row[2:]) for row in kept)
    return tables


VERSIONS = ("1.0.0", "1.1.0")


@functools.cache
def get_schema(version: str = "1.1.0") -> Schema:
    """The schema of one version of variant flatcar; raises KeyError for a version that flatkit does not know."""
    ignition, package, tables = {"1.0.0": ("3.3.0", "v0_4", _v1_0_0), "1.1.0": ("3.4.0", "v0_5", lambda: V1_1_0)}[
        version
    ]
    json_order = dict(_JSON_ORDER)
    if version == "1.0.0":
        json_order["Tang"] = ("thumbprint", "url")
    return build(
        version=version,
        ignition=ignition,
        package=package,
        tables=tables(),
        json_order=json_order,
        butane_only=_BUTANE_ONLY,
        always=_ALWAYS,
    )

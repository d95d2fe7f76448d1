# shellcheck shell=bash disable=SC2034,SC2154
# What cgpt says of itself: the usage of each command and the partition types, in the words of flatcar/seismograph.

# Alias, GUID and description of each type. The first row with a GUID names it, so that Flatcar's own partitions are "CoreOS".
types=(
    "firmware CAB6E88E-ABF3-4102-A07A-D4BB9BE3C1D3 ChromeOS firmware"
    "kernel FE3A2A5D-4F32-41A7-B725-ACCC3285A309 ChromeOS kernel"
    "rootfs 3CB8E202-3B7E-47DD-8A3C-7FF2A13CFCEC ChromeOS rootfs"
    "data 0FC63DAF-8483-4772-8E79-3D69D8477DE4 Alias for linux-data"
    "chromeos-data EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 Alias for mswin-data"
    "reserved 2E0A753D-9E48-43B0-8337-B15192CB1B5E ChromeOS reserved"
    "mswin-data EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 MS Windows data"
    "efi C12A7328-F81F-11D2-BA4B-00A0C93EC93B EFI System Partition"
    "bios 21686148-6449-6E6F-744E-656564454649 BIOS Boot Partition"
    "unused 00000000-0000-0000-0000-000000000000 Unused (nonexistent) partition"
    "linux-data 0FC63DAF-8483-4772-8E79-3D69D8477DE4 Linux data"
    "linux-swap 0657FD6D-A4AB-43C4-84E5-0933C84B4F4F Linux swap"
    "linux-boot BC13C2FF-59E6-4262-A352-B275FD6F7172 Linux /boot"
    "linux-home 933AC7E1-2EB4-4F13-B844-0E14E2AEF915 Linux /home"
    "linux-lvm E6D6D379-F507-44C2-A23C-238F2A3DF928 Linux LVM"
    "linux-raid A19D880F-05FC-4D3B-A006-743F0F84911E Linux RAID"
    "linux-reserved 8DA63339-0007-60C0-C436-083AC8230908 Linux reserved"
    "coreos-usr 5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6 Alias for coreos-rootfs"
    "coreos-rootfs 5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6 CoreOS rootfs"
    "coreos-resize 3884DD41-8582-4404-B9A8-E9B84F2DF50E CoreOS auto-resize"
    "coreos-reserved C95DC21A-DF0E-4340-8D7B-26CBFA9A03E0 CoreOS reserved"
    "coreos-root-raid BE9067B9-EA49-4F15-B4F6-F36F8C9E1818 CoreOS RAID containing root"
    "flatcar-usr 5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6 Alias for flatcar-rootfs"
    "flatcar-rootfs 5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6 Flatcar Container Linux rootfs"
    "flatcar-resize 3884DD41-8582-4404-B9A8-E9B84F2DF50E Flatcar Container Linux auto-resize"
    "flatcar-reserved C95DC21A-DF0E-4340-8D7B-26CBFA9A03E0 Flatcar Container Linux reserved"
    "flatcar-root-raid BE9067B9-EA49-4F15-B4F6-F36F8C9E1818 Flatcar Container Linux RAID containing root"
)

# type_name GUID: its description, or else the GUID itself, in `name`. Flatcar's buffer has room for 36 characters.
type_name() {
    local alias guid text
    name=$1
    for text in "${types[@]}"; do
        read -r alias guid text <<<"$text"
        [ "$guid" != "$1" ] || { name=${text:0:36}; return; }
    done
}

# supported_type ALIAS: sets `guid`.
supported_type() {
    local text
    for text in "${types[@]}"; do
        [ "${text%% *}" = "$1" ] || continue
        read -r _ guid _ <<<"$text"
        return
    done
    return 1
}

print_types() {
    local alias text
    printf 'The partition type may also be given as one of these aliases:\n\n'
    for text in "${types[@]}"; do
        read -r alias _ text <<<"$text"
        printf '    %-16s  %s\n' "$alias" "$text"
    done
    echo
}

commands=(create add show repair boot next find prioritize legacy resize)

usage_of_cgpt() {
    cat <<'USAGE'

Usage: cgpt COMMAND [OPTIONS] DRIVE

Supported COMMANDs:

    create           Create or reset GPT headers and tables
    add              Add, edit or remove a partition entry
    show             Show partition table and entries
    repair           Repair damaged GPT headers and tables
    boot             Edit the PMBR sector for legacy BIOSes
    next             Get the next root GUID to boot
    find             Locate a partition by its GUID
    prioritize       Reorder the priority of all kernel partitions
    legacy           Switch between GPT and Legacy GPT
    resize           Find and resize a partition

For more detailed usage, use cgpt COMMAND -h

USAGE
}

usage_of_create() {
    cat <<'USAGE'

Usage: cgpt create [OPTIONS] DRIVE

Create or reset an empty GPT.

Options:
  -c           Create disk image file if needed. Requires -s
  -s NUM       Minimum disk sectors, extends image files
  -z           Zero the sectors of the GPT table and entries
  -g GUID      The desired disk GUID

USAGE
}

usage_of_add() {
    cat <<'USAGE'

Usage: cgpt add [OPTIONS] DRIVE

Add, edit, or remove a partition entry.

Options:
  -i NUM       Specify partition (default is next available)
  -b NUM       Beginning sector
  -s NUM       Size in sectors
  -t GUID      Partition Type GUID
  -u GUID      Partition Unique ID
  -l LABEL     Label
  -B NUM       set Legacy BIOS Bootable flag (0|1)
  -S NUM       set Successful flag (0|1)
  -T NUM       set Tries flag (0-15)
  -P NUM       set Priority flag (0-15)
  -A NUM       set raw 64-bit attribute value

Use the -i option to modify an existing partition.
The -b, -s, and -t options must be given for new partitions.

USAGE
    print_types
}

usage_of_show() {
    cat <<'USAGE'

Usage: cgpt show [OPTIONS] DRIVE

Display the GPT table

Options:
  -n           Numeric output only
  -v           Verbose output
  -q           Quick output
  -i NUM       Show specified partition only - pick one of:
               -b  beginning sector
               -s  partition size
               -t  type guid
               -u  unique guid
               -l  label
               -S  Successful flag
               -T  Tries flag
               -P  Priority flag
               -A  raw 64-bit attribute value
  -d           Debug output (including invalid headers)

USAGE
}

usage_of_repair() {
    cat <<'USAGE'

Usage: cgpt repair [OPTIONS] DRIVE

Repair damaged GPT headers and tables.

Options:
  -v           Verbose

USAGE
}

usage_of_boot() {
    cat <<'USAGE'

Usage: cgpt boot [OPTIONS] DRIVE

Edit the PMBR sector for legacy BIOSes

For use with SYSLINUX 3's gptmbr.bin only!

Options:
  -i NUM       Set bootable partition
  -b FILE      Install bootloader code in the PMBR
  -p           Create legacy PMBR partition table

With no options, it will just print the PMBR boot guid

USAGE
}

usage_of_next() {
    cat <<'USAGE'

Usage: cgpt next

Look at all of the system disks and find the disk UUID we should attempt.

The basic algorithm is to find the root partition with the highest priority
and either a non-zero tries field or a non-zero successful field. Successful
means it has been booted before and tries means it is a new update. Tries,
if it exists, will be decremented after executing this command.

The intended use of this command is in the initrd 'bootengine'.
USAGE
}

usage_of_find() {
    cat <<'USAGE'

Usage: cgpt find [OPTIONS] [DRIVE]

Find a partition by its UUID or label. With no specified DRIVE
it scans all physical drives.

Options:
  -t GUID      Search for Partition Type GUID
  -u GUID      Search for Partition Unique ID
  -l LABEL     Search for Label
  -v           Be verbose in displaying matches (repeatable)
  -n           Numeric output only
  -1           Fail if more than one match is found
  -M FILE      Matching partition data must also contain FILE content
  -O NUM       Byte offset into partition to match content (default 0)

USAGE
    print_types
}

usage_of_prioritize() {
    cat <<'USAGE'

Usage: cgpt prioritize [OPTIONS] DRIVE

Reorder the priority of all active ChromeOS Kernel partitions.

Options:
  -P NUM       Highest priority to use in the new ordering. The
                 other partitions will be ranked in decreasing
                 priority while preserving their original order.
                 If necessary the lowest ranks will be coalesced.
                 No active kernels will be lowered to priority 0.
  -i NUM       Specify the partition to make the highest in the new
                 order.
  -f           Friends of the given partition (those with the same
                 starting priority) are also updated to the new
                 highest priority.

With no options this will set the lowest active kernel to
priority 1 while maintaining the original order.

USAGE
}

usage_of_legacy() {
    cat <<'USAGE'

Usage: cgpt legacy [OPTIONS] DRIVE

Switch GPT header signature to "CHROMEOS".

Options:
  -e           Switch GPT header signature back to "EFI PART"

USAGE
}

usage_of_resize() {
    cat <<'USAGE'

Usage: cgpt resize /dev/blk1

Resize the given partition if it has free space to grow into.
The default minimum size to grow by is 2MB.

Options:
  -m NUM       Do nothing unless partition can grow by NUM bytes

USAGE
}

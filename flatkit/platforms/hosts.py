"""Virtualization and bare metal: a property of the machine, a file beside it, or words on the kernel's command line."""

from __future__ import annotations

from flatkit.platforms.platform import Kind, Limit, Piece, Platform

_LIBVIRT = """\
<os firmware='efi'><type machine='q35'>hvm</type><smbios mode='sysinfo'/></os>
<features><acpi/></features>
<sysinfo type='fwcfg'>
  <entry name='opt/org.flatcar-linux/config' file='/var/lib/libvirt/flatcar-linux/@name@/@ignfile@'/>
</sysinfo>"""

_IPXE = """\
#!ipxe
set base http://stable.release.flatcar-linux.net/amd64-usr/current
kernel ${base}/flatcar_production_pxe.vmlinuz initrd=flatcar_production_pxe_image.cpio.gz flatcar.first_boot=1 \
ignition.config.url=https://example.com/@ignfile@
initrd ${base}/flatcar_production_pxe_image.cpio.gz
boot"""

_KUBEVIRT = """\
volumes:
  - name: ignition
    cloudInitConfigDrive:
      userData: |
        @json@"""

HOSTS: tuple[Platform, ...] = (
    Platform(
        name="vmware", title="VMware", kind=Kind.VIRTUAL, provider="vmware", aliases=("vsphere", "esxi"),
        how="guestinfo properties of the machine",
        pieces=(
            Piece(title="guestinfo, in the .vmx file or as advanced settings", text=(
                'guestinfo.ignition.config.data.encoding = "base64"\nguestinfo.ignition.config.data = "@base64@"'
            )),
            Piece(title="or while the OVA is deployed", text=(
                'ovftool --X:guest:ignition.config.data.encoding=base64 --X:guest:ignition.config.data="$(base64 -w0 @ign@)" '
                "flatcar_production_vmware_ova.ova TARGET"
            )),
            Piece(title="or only its address", text='guestinfo.ignition.config.url = "https://example.com/@ignfile@"'),
        ),
        packed=Piece(title="guestinfo, packed", text=(
            'guestinfo.ignition.config.data.encoding = "gzip+base64"\nguestinfo.ignition.config.data = "@gzipbase64@"'
        )),
        notes=("the property is removed once it was used",
               "static addresses: guestinfo.afterburn.initrd.network-kargs"),
    ),
    Platform(
        name="virtualbox", title="VirtualBox", kind=Kind.VIRTUAL, provider="virtualbox", aliases=("vbox",),
        how="the guest property /Ignition/Config", limit=Limit(size=1024, is_verified=True),
        pieces=(Piece(title="command line", text='VBoxManage guestproperty set @name@ /Ignition/Config "$(cat @ign@)"'),),
        notes=("1024 bytes hold a key and the address of the rest, hardly more",
               "the property is removed once it was used"),
    ),
    Platform(
        name="hyperv", title="Hyper-V", kind=Kind.VIRTUAL, provider="hyperv", aliases=("hyper-v",),
        how="key-value pairs of pool 0: ignition.config.0, .1, ... of about 1 KiB each",
        pieces=(Piece(title="command line", text="kvpctl @name@ add-ign @ign@"),
                Piece(title="that makes", text="@pieces@")),
    ),
    Platform(
        name="kubevirt", title="KubeVirt", kind=Kind.VIRTUAL, provider="kubevirt",
        how="user data in a config drive of the virtual machine",
        pieces=(Piece(title="in the VirtualMachine", text=_KUBEVIRT),),
    ),
    Platform(
        name="proxmox", title="Proxmox VE", kind=Kind.VIRTUAL, provider="proxmoxve", aliases=("proxmoxve",),
        how="a snippet that is named as custom user data",
        pieces=(Piece(title="command line", text=(
            'cp @ign@ /var/lib/vz/snippets/user-data\nqm set ID --cicustom "user=local:snippets/user-data"'
        )),),
        notes=("the web interface cannot do it",),
    ),
    Platform(
        name="qemu", title="QEMU", kind=Kind.VIRTUAL, provider="qemu", how="the firmware key opt/org.flatcar-linux/config",
        pieces=(
            Piece(title="with Flatcar's script", text="./flatcar_production_qemu_uefi.sh -i @ign@ -- -nographic"),
            Piece(title="the option itself", text="-fw_cfg name=opt/org.flatcar-linux/config,file=@ign@"),
        ),
    ),
    Platform(
        name="libvirt", title="libvirt", kind=Kind.VIRTUAL, provider="qemu", aliases=("virt-install",),
        how="the same firmware key, in the domain's XML",
        pieces=(
            Piece(title="as in this course", text="flatkit up @bu@"),
            Piece(title="in the domain's XML", text=_LIBVIRT),
            Piece(title="or with virt-install", text=(
                "virt-install --connect qemu:///system --import --name @name@ --ram 2048 --vcpus 1 --os-variant=unknown "
                "--disk size=20,backing_store=IMAGE --graphics=none "
                "--qemu-commandline='-fw_cfg name=opt/org.flatcar-linux/config,"
                "file=/var/lib/libvirt/flatcar-linux/@name@/@ignfile@'"
            )),
        ),
        notes=("given by --qemu-commandline, the file has to be allowed in AppArmor or SELinux by hand",),
    ),
    Platform(
        name="pxe", title="PXE and iPXE", kind=Kind.METAL, how="an address on the kernel's command line", aliases=("ipxe",),
        pieces=(
            Piece(title="kernel arguments", text="flatcar.first_boot=1 ignition.config.url=https://example.com/@ignfile@"),
            Piece(title="an iPXE script", text=_IPXE),
        ),
        notes=("the address may be http, https, tftp, s3 or gs", "needs 3 GB of memory"),
    ),
    Platform(
        name="disk", title="Installed on a disk", kind=Kind.METAL, how="written to the disk by flatcar-install",
        aliases=("flatcar-install", "install"),
        pieces=(
            Piece(title="from any Linux on that machine", text="flatcar-install -d /dev/sdX -C stable -i @ign@"),
            Piece(title="on the smallest disk that is big enough", text="flatcar-install -s -C stable -i @ign@"),
        ),
        notes=("everything on that disk is lost",),
    ),
)  # fmt: skip

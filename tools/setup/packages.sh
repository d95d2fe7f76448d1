# shellcheck shell=sh
# System packages: what must be there, who brings it, and how it is installed. Sourced by tools/setup.sh.
#
# A thing is asked for by what it provides (a program, a file), never by a package's name, so that any distribution passes.

# when | what | apt | dnf | pacman | brew. "-": that manager does not bring it, so it is not asked for there.
# The lab image is made of Debian packages, so the programs that build it are not asked for where there is no mmdebstrap.
needs() {
    cat <<'END'
run   hypervisor          libvirt-daemon-system  libvirt-daemon-kvm     libvirt         libvirt
run   virsh               libvirt-clients        libvirt-client         libvirt         libvirt
run   qemu-system-x86_64  qemu-system-x86        qemu-system-x86-core   qemu-base       qemu
run   qemu-img            qemu-utils             qemu-img               qemu-base       qemu
run   python              python3-venv           python3                python          python@3.13
run   binding             python3-libvirt        python3-libvirt        libvirt-python  -
run   mmdebstrap          mmdebstrap             mmdebstrap             -               -
run   mkfs.erofs          erofs-utils            erofs-utils            -               -
run   veritysetup         cryptsetup-bin         veritysetup            -               -
run   mcopy               mtools                 mtools                 -               -
run   mke2fs              e2fsprogs              e2fsprogs              -               -
run   sfdisk              fdisk                  util-linux             -               -
run   mkfs.vfat           dosfstools             dosfstools             -               -
run   newuidmap           uidmap                 shadow-utils           -               -
run   cpio                cpio                   cpio                   -               -
run   zstd                zstd                   zstd                   -               -
run   ssh                 openssh-client         openssh-clients        openssh         -
run   curl                curl                   curl                   curl            -
run   gpg                 gpg                    gnupg2                 gnupg           gnupg
run   certificates        ca-certificates        ca-certificates        ca-certificates -
build headers             libvirt-dev            libvirt-devel          libvirt         libvirt
build pkg-config          pkg-config             pkgconf                pkgconf         pkgconf
build cc                  gcc                    gcc                    gcc             -
build python-headers      python3-dev            python3-devel          -               -
test  ignition-validate   ignition               ignition-validate      -               -
test  shellcheck          shellcheck             ShellCheck             shellcheck      shellcheck
test  browser             chromium               chromium               chromium        -
test  gpg-agent           gpg-agent              gnupg2                 gnupg           gnupg
test  grub-bios           grub-pc-bin            -                      -               -
test  grub-mkimage        grub-common            -                      -               -
long  buildah             buildah                buildah                buildah         -
END
}

have() {
    case $1 in
    hypervisor) have_hypervisor ;;
    python) have_python ;;
    binding) have_binding ;;
    certificates) have_certificates ;;
    browser) command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ;;
    grub-bios) [ -d "$host/usr/lib/grub/i386-pc" ] ;;
    headers) pkg-config --exists libvirt 2>/dev/null ;;
    python-headers) have_python_headers ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

have_certificates() {
    [ -e "$host/etc/ssl/certs/ca-certificates.crt" ] || [ -d "$host/etc/pki/tls/certs" ] || [ -e "$host/etc/ssl/cert.pem" ]
}

# Debian's libvirt-daemon alone lacks the user that root's machines run as, and its QEMU driver then does not start.
have_hypervisor() {
    is_remote && return 0
    command -v libvirtd >/dev/null 2>&1 || command -v virtqemud >/dev/null 2>&1 || return 1
    [ "$(id -u)" != 0 ] || id -u libvirt-qemu >/dev/null 2>&1 || id -u qemu >/dev/null 2>&1
}

find_manager() {
    for manager in apt-get dnf pacman brew; do
        if command -v "$manager" >/dev/null 2>&1; then
            printf '%s\n' "$manager"
            return
        fi
    done
    printf 'none\n'
}

# install_line MANAGER PACKAGE...: what a person would type.
install_line() {
    manager=$1
    shift
    sudo='sudo '
    [ "$(id -u)" != 0 ] || sudo=
    case $manager in
    apt-get) echo "${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends $*" ;;
    dnf) echo "${sudo}dnf install -y --setopt=install_weak_deps=False $*" ;;
    pacman) echo "${sudo}pacman -S --needed $*" ;;
    brew) echo "brew install $*" ;;
    esac
}

# missing KIND...: the packages that bring what is not there, each once, for $manager.
missing() {
    found=
    while read -r when what apt dnf pacman brew; do
        case " $* " in *" $when "*) ;; *) continue ;; esac
        case $manager in
        apt-get) package=$apt ;;
        dnf) package=$dnf ;;
        pacman) package=$pacman ;;
        brew) package=$brew ;;
        *) package=$what ;; # no manager known: the thing itself is named
        esac
        if [ "$package" = - ] || have "$what" </dev/null; then continue; fi
        case " $found " in *" $package "*) ;; *) found="$found $package" ;; esac
    done <<END
$(needs)
END
    printf '%s\n' "${found# }"
}

# ensure_packages run|test|long|build: `test` includes `run`, and `long` includes `test`.
ensure_packages() {
    manager=$(find_manager)
    case $1 in
    test) packages=$(missing run test) ;;
    long) packages=$(missing run test long) ;;
    *) packages=$(missing "$1") ;;
    esac
    [ -n "$packages" ] || return 0
    if [ "$manager" = none ]; then
        stop_with 3 "not found on this host: $packages" \
            "expected apt, dnf, pacman or brew to install them; next: install them by hand, then run make again"
    fi
    as_root=
    if [ "$(id -u)" != 0 ]; then
        as_root='sudo -n'
        sudo -n true 2>/dev/null || as_root=no
    fi
    # shellcheck disable=SC2086  # a list of package names
    if [ "$manager" != apt-get ] || [ "$as_root" = no ]; then
        stop_with 3 "system packages are missing: $packages" "next: type this line, then run make again:" \
            "    $(install_line "$manager" $packages)"
    fi
    did=yes
    apt_install
}

# Debian's own question dialogs would wait for an answer for ever: noninteractive.
apt_install() {
    # shellcheck disable=SC2086
    set -- $packages
    say "system packages: $# missing; refreshing apt's list"
    # shellcheck disable=SC2086
    quietly $as_root apt-get -q update || say "apt-get update failed (above); going on with the list that is there"
    say "system packages: installing $packages"
    # shellcheck disable=SC2086
    quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" ||
        stop_with 1 "apt-get could not install the packages (above)" "next: $(install_line apt-get "$@")"
    hash -r
}

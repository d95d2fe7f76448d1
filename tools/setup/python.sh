# shellcheck shell=sh
# Python: which one, where its packages go, and libvirt's binding for it. Sourced by tools/setup.sh.

# is_good PYTHON: new enough, and able to make a virtual environment (Debian's needs python3-venv for that).
is_good() {
    "$1" -c 'import sys; assert sys.version_info >= (3, 11); import venv, ensurepip' >/dev/null 2>&1
}

# The distribution's own Python comes first: only that one can use the distribution's libvirt binding, which spares a compiler.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_good "$PYTHON" && printf '%s\n' "$PYTHON"
        return
    fi
    for python in "$host/usr/bin/python3" python3 python3.13 python3.12 python3.11 python3.14; do
        if command -v "$python" >/dev/null 2>&1 && is_good "$python"; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}

have_python() {
    choose_place
    [ "$place" = conda ] || is_stamped run || find_python >/dev/null
}

# Sets $prefix, $bin, $stamp and $place (conda or venv). The active conda environment is used when it was made from
# environment.yml: its name is "flatkit", or it carries the variable that the file sets (conda keeps it in conda-meta/state).
choose_place() {
    prefix=$root/.venv
    place=venv
    if [ -n "${CONDA_PREFIX:-}" ] && [ -d "$CONDA_PREFIX/conda-meta" ]; then
        if [ "$(basename -- "$CONDA_PREFIX")" = flatkit ] ||
            grep -qs FLATKIT_ENVIRONMENT "$CONDA_PREFIX/conda-meta/state"; then
            prefix=$CONDA_PREFIX
            place=conda
        fi
    fi
    bin=$prefix/bin
    stamp=$prefix/.flatkit-setup
}

# What the installed packages depend on: when any of it changes, they are installed again.
recipe() {
    printf '%s %s ' "$root" "$(readlink -f "$bin/python" 2>/dev/null || echo "$bin/python")"
    cat pyproject.toml environment.yml tools/setup/python.sh | cksum
}

is_stamped() {
    [ -x "$bin/flatkit" ] && [ -x "$bin/python" ] && [ "$(cat "$stamp-$1" 2>/dev/null)" = "$(recipe)" ]
}

ensure_python() {
    choose_place
    if is_stamped "$1"; then return 0; fi
    did=yes
    if [ "$place" = conda ]; then
        say "python packages: into the active conda environment $prefix (made from environment.yml)"
    else
        ensure_venv
    fi
    rm -f -- "$stamp-run" "$stamp-test"
    extra=
    what="flatkit and what the course needs"
    [ "$1" = run ] || extra='[test,seats]'
    [ "$1" = run ] || what="flatkit, what the course needs and what the tests need"
    say "python packages: installing $what into $prefix (about a minute)"
    quietly "$bin/python" -m pip install -q --disable-pip-version-check -e ".$extra" ||
        stop_with 1 "pip could not install the Python packages (above)" "next: make setup   (once the network is there)"
    ensure_binding
    recipe >"$stamp-run"
    [ "$1" = run ] || recipe >"$stamp-test"
}

ensure_venv() {
    # A virtual environment is bound to its folder and to its Python's version: one that was moved or upgraded is made anew.
    if [ -x "$bin/python" ] && "$bin/python" -m pip --version >/dev/null 2>&1 && grep -qsF "$prefix" "$bin/pip"; then
        return
    fi
    python=$(find_python) || stop_with 3 "no Python was found that is 3.11 or newer and can make a virtual environment" \
        "next: install one (or say where it is: make setup PYTHON=/path/to/python3)"
    say "python: making .venv with $("$python" -V) ($(command -v "$python"))"
    quietly "$python" -m venv --clear .venv || stop_with 1 "\"$python -m venv .venv\" failed (above)" "next: make setup"
}

# --- libvirt's binding: no wheel exists, so either the distribution's is used or it is compiled.

# Where a system package would have put it; a look at files only, since this is asked on every run.
distribution_binding() {
    for folder in "$host"/usr/lib/python3/dist-packages "$host"/usr/lib*/python3.*/site-packages; do
        if [ -e "$folder/libvirt.py" ]; then
            printf '%s\n' "$folder"
            return
        fi
    done
    return 1
}

have_binding() {
    choose_place
    [ "$place" = venv ] || return 0 # environment.yml brings it
    is_stamped run || distribution_binding >/dev/null
}

have_python_headers() {
    python=$bin/python
    "$python" -c 'import os, sysconfig; assert os.path.exists(sysconfig.get_paths()["include"] + "/Python.h")' 2>/dev/null
}

is_importable() { "$bin/python" -c 'import libvirt' 2>/dev/null; }

ensure_binding() {
    if is_importable; then return; fi
    if [ "$place" = venv ] && link_binding; then
        say "libvirt binding: linked the distribution's, from $folder"
        return
    fi
    say "libvirt binding: none of this distribution's fits $("$bin/python" -V); compiling libvirt-python"
    ensure_packages build
    quietly "$bin/python" -m pip install -q --disable-pip-version-check '.[libvirt]' ||
        stop_with 1 "libvirt-python could not be compiled (above)" "next: make setup"
}

# The compiled part is named after the Python version that it is for: importing it is the whole test.
link_binding() {
    folder=$(distribution_binding) || return 1
    packages=$("$bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["platlib"])')
    for_each_binding_file ln -sf
    if is_importable; then return 0; fi
    for_each_binding_file unlink_from
    return 1
}

# for_each_binding_file COMMAND...: called with each file of the distribution's binding and the folder that it is linked to.
for_each_binding_file() {
    for file in "$folder"/libvirt.py "$folder"/libvirtaio.py "$folder"/libvirt_*.py "$folder"/libvirtmod*.so; do
        [ ! -e "$file" ] || "$@" "$file" "$packages/"
    done
}

unlink_from() { rm -f -- "$2${1##*/}"; }

#!/usr/bin/env bash
# Sets up what the Makefile's targets need, and nothing that is there already.
#   setup.sh venv FOLDER EXTRAS   a virtual environment with this package, editable, and its extras; a C compiler for it
#   setup.sh mosquitto            the broker that the tests talk to
#   setup.sh peers                programs such as ffmpeg and promtool, without which some tests are left out
#   setup.sh systemd              its tools, with which the tests examine the units; they skip that where it cannot be had
#   setup.sh arm64                what makes a root folder of Debian for aarch64 and runs its programs (changes binfmt_misc)
#   setup.sh debian               what makes a root folder of Debian
#   setup.sh container            what runs commands in a root folder as on a machine of its own
#   setup.sh emulator             what builds and boots the virtual device
set -euo pipefail

readonly OLDEST=3.11

say() { printf '==> %s\n' "$*" >&2; }
fail() {
    printf 'edgeasr: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# apt_install PACKAGE…: install Debian packages, or say who has to.
apt_install() {
    command -v apt-get >/dev/null ||
        fail "this needs $* and the system has no apt-get; install that with the system's own package manager, then make again"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
        fail "this needs $* and there is no sudo; run this as root, then make again: apt-get install $*"
    local log
    log=$(mktemp)
    say "installing $* with apt"
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; then
        # Most often the lists of packages are missing or too old.
        as_root apt-get update >"$log" 2>&1 || true
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 || {
            tail -n 3 "$log" >&2
            fail "apt could not install $*; see why above, or run: apt-get install $*"
        }
    fi
    rm -f "$log"
}

is_new() { "$1" -c "import sys; sys.exit(sys.version_info < (${OLDEST/./, }))" 2>/dev/null; }
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# find_python: print a python that is new enough and can make virtual environments.
find_python() {
    local python new=
    for python in python3 /usr/bin/python3 python3.11 python3.12 python3.13; do
        python=$(command -v "$python") || continue
        is_new "$python" || continue
        if has_venv "$python"; then
            printf '%s\n' "$python"
            return
        fi
        new=${new:-$python}
    done
    if [ -z "$new" ]; then
        fail "Python $OLDEST or newer is needed and this system has $(python3 --version 2>/dev/null || echo none);" \
            "Debian and Raspberry Pi OS have it from Bookworm on"
    fi
    apt_install python3-venv
    for python in "$new" /usr/bin/python3; do
        if is_new "$python" && has_venv "$python"; then
            printf '%s\n' "$python"
            return
        fi
    done
    fail "$new has no working 'venv' module; install it, then make again"
}

# compiles COMMAND: whether it makes a shared library out of C, which takes the C library's headers too.
compiles() {
    local command made works=0
    read -ra command <<<"$1"
    made=$(mktemp)
    printf '#include <math.h>\n#include <stdint.h>\ndouble f(int32_t x) { return exp(x); }\n' |
        "${command[@]}" -std=c11 -fPIC -shared -x c - -o "$made" -lm >/dev/null 2>&1 || works=1
    rm -f "$made"
    return $works
}

# find_compiler PYTHON: print a C compiler that works, first of all the one that the python builds with.
find_compiler() {
    local compiler
    for compiler in "${CC:-$("$1" -c 'import sysconfig; print(sysconfig.get_config_var("CC") or "")')}" gcc cc; do
        if [ -n "$compiler" ] && compiles "$compiler"; then
            printf '%s\n' "$compiler"
            return
        fi
    done
    return 1
}

# get_compiler PYTHON: have one, in CC, for the search's inner loop, which is the only thing here that is compiled.
get_compiler() {
    CC=$(find_compiler "$1") || {
        apt_install gcc libc6-dev
        CC=$(find_compiler "$1") ||
            fail "there is no C compiler that works, though gcc and libc6-dev are installed; see what 'gcc --version' says, then make again"
    }
    export CC
}

make_venv() {
    local folder=$1 extras=$2 python log=$1/pip.log
    if ! "$folder/bin/python" -c 'import pip' 2>/dev/null; then
        python=$(find_python)
        say "creating $folder with $("$python" --version) ($python)"
        "$python" -m venv --clear "$folder"
    fi
    get_compiler "$folder/bin/python"
    say "installing edgeasr[$extras] and its wheels into $folder (a minute or two)"
    # Wheels for all but edgeasr itself: a bare system has no more than that compiler, and a build that fails says so in
    # a hundred lines.
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --progress-bar off \
        --only-binary :all: --editable ".[$extras]" >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        fail "pip could not install edgeasr[$extras]; see above and $log, check the network, then make again"
    }
}

find_mosquitto() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v mosquitto >/dev/null; }

# The tests start brokers of their own; the service that comes with Debian's package is not wanted.
get_mosquitto() {
    find_mosquitto && return
    local unit=mosquitto.service
    if [ -d /run/systemd/system ]; then
        as_root systemctl mask --quiet --runtime "$unit" 2>/dev/null || true
    fi
    apt_install mosquitto
    if [ -d /run/systemd/system ]; then
        as_root systemctl disable --quiet "$unit" 2>/dev/null || true
        as_root systemctl unmask --quiet --runtime "$unit" 2>/dev/null || true
        say "mosquitto's own service stays off; the tests start it themselves"
    fi
}

get_systemd() {
    command -v systemd-analyze >/dev/null || (apt_install systemd) || {
        say "without systemd's tools the tests leave out the units"
        return 0
    }
    # The unit calls kill(1), which a minimal system lacks, and systemd-analyze looks whether it is there.
    [ -x /bin/kill ] || apt_install procps
}

get_debian() {
    command -v mmdebstrap >/dev/null || apt_install mmdebstrap
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || apt_install debian-archive-keyring
}

# get_arm64: besides, on other processors, an emulator that the kernel calls for the programs of aarch64.
get_arm64() {
    local binfmt=/proc/sys/fs/binfmt_misc
    get_debian
    [ "$(uname -m)" != aarch64 ] || return 0
    command -v arch-test >/dev/null || apt_install arch-test
    command -v qemu-aarch64-static >/dev/null || apt_install qemu-user-static
    command -v update-binfmts >/dev/null || apt_install binfmt-support
    [ -e $binfmt/register ] || as_root mount -t binfmt_misc binfmt_misc $binfmt ||
        fail "binfmt_misc cannot be mounted; run this where the kernel allows it, such as a virtual machine"
    [ -e $binfmt/qemu-aarch64 ] || as_root update-binfmts --enable qemu-aarch64 || true
    [ -e $binfmt/qemu-aarch64 ] ||
        fail "the kernel does not run the programs of aarch64; see: update-binfmts --display qemu-aarch64"
}

# need COMMAND PACKAGE: install the package where the command is missing.
need() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || apt_install "$2"; }

get_emulator() {
    get_debian
    need qemu-system-x86_64 qemu-system-x86
    need mke2fs e2fsprogs
    need ssh openssh-client
}

# get_peers: programs against which some tests hold the product; without them those tests are left out.
get_peers() {
    need ffmpeg ffmpeg
    need sox sox
    need flac flac
    need man man-db
    need mandoc mandoc
    need zsh zsh
    need promtool prometheus
    need mmdebstrap mmdebstrap
}

cd "$(dirname "$0")/.."
case ${1:-} in
    venv) make_venv "$2" "$3" ;;
    mosquitto) get_mosquitto ;;
    peers) get_peers ;;
    systemd) get_systemd ;;
    arm64) get_arm64 ;;
    debian) get_debian ;;
    container) need systemd-nspawn systemd-container ;;
    emulator) get_emulator ;;
    *) fail "usage: setup.sh venv FOLDER EXTRAS | mosquitto | peers | systemd | arm64 | debian | container | emulator" ;;
esac

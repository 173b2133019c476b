#!/usr/bin/env bash
# Builds what boot.sh boots, in FOLDER: disk.img, kernel and initrd, an ssh key, the broker's CA. As root, or with sudo.
#   build.sh FOLDER PYTHON   PYTHON: one with pip, which fetches the wheels
# Debian and the wheels are kept there (base-…), so that only the project is installed anew where it has changed.
set -euo pipefail

readonly SUITE=bookworm DISK_SIZE=3G
readonly HERE=$(cd "$(dirname "$0")" && pwd)
readonly PROJECT=$HERE/../..

say() { printf '==> %s\n' "$*" >&2; }
fail() {
    printf 'edgeasr: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian, with a virtual environment that holds what the project needs and not the project.
get_base() {
    local base=$1 log=$2
    [ -d "$base" ] && return
    as_root rm -rf "$FOLDER"/base-* "$FOLDER/wheels"
    say "fetching wheels"
    "$PYTHON" "$HERE/wheels.py" "$PROJECT/pyproject.toml" "$FOLDER/wheels" >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        fail "the wheels could not be fetched; see above and $log, check the network, then again"
    }
    say "building Debian $SUITE (some minutes; $log)"
    as_root "$HERE/base.sh" "$SUITE" "$base.new" "$FOLDER/wheels" >>"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        fail "Debian could not be built; see above and $log, check the network, then again"
    }
    as_root mv "$base.new" "$base"
}

make_image() {
    local base=$1 root=$FOLDER/root log=$2
    say "installing the project as systemd/README.md has it"
    [ -f "$FOLDER/id" ] || ssh-keygen -q -t ed25519 -N '' -C virtual-device -f "$FOLDER/id"
    as_root rm -rf "$root"
    as_root cp -a --reflink=auto "$base" "$root"
    as_root unshare --mount "$HERE/install.sh" "$root" "$PROJECT" "$FOLDER/id.pub" >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        fail "the project could not be installed into the image; see above and $log"
    }
    say "making the disk"
    cp "$root"/boot/vmlinuz-* "$FOLDER/vmlinuz"
    as_root cp "$root"/boot/initrd.img-* "$FOLDER/initrd.img"
    cp "$root/etc/mosquitto/certs/ca.pem" "$FOLDER/ca.pem"
    rm -f "$FOLDER/disk.new"
    truncate -s "$DISK_SIZE" "$FOLDER/disk.new"
    as_root mke2fs -q -t ext4 -E root_owner=0:0 -d "$root" "$FOLDER/disk.new"
    as_root chown "$(id -u)" "$FOLDER/initrd.img"
    as_root rm -rf "$root"
    mv "$FOLDER/disk.new" "$FOLDER/disk.img"
}

[ $# -eq 2 ] || fail "usage: build.sh FOLDER PYTHON"
[ "$(uname -m)" = x86_64 ] || fail "the virtual device is an x86-64 machine, and its packages are installed by running them: build it on one"
mkdir -p "$1"
FOLDER=$(cd "$1" && pwd)
PYTHON=$2
key=$(cat "$HERE"/{base.sh,wheels.py} "$PROJECT/pyproject.toml" | sha256sum | cut -c1-12)
get_base "$FOLDER/base-$key" "$FOLDER/base.log"
changed=$(cd "$PROJECT" && find edgeasr models/edgeasr-en systemd tools/virtual_device pyproject.toml \
    -type f -not -name '*.pyc' -not -name '*.so' -newer "$FOLDER/disk.img" -print -quit 2>/dev/null || echo "no image yet")
if [ -n "$changed" ] || [ ! -f "$FOLDER/disk.img" ]; then
    make_image "$FOLDER/base-$key" "$FOLDER/install.log"
fi

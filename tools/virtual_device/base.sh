#!/usr/bin/env bash
# Debian in a folder, with kernel, ssh, sound tools, a broker, and in /opt/edgeasr the wheels that the project needs, to run
# and to be built.
#   base.sh SUITE FOLDER WHEELS   as root
set -euo pipefail

readonly SUITE=$1 ROOT=$2 WHEELS=$3

packages=(
    systemd systemd-sysv dbus udev kmod linux-image-amd64 initramfs-tools openssh-server iproute2 procps
    alsa-utils mosquitto mosquitto-clients ca-certificates openssl
    polkitd i2c-tools # switching off, and a battery whose chip tests write into
    python3 python3-venv python3-pyaudio python3-systemd gcc libc6-dev # as systemd/README.md has it
)

# The sources of a host that runs the same Debian: its mirror is near, and known to work.
sources=()
if grep -qx "VERSION_CODENAME=$SUITE" /etc/os-release && grep -qx 'ID=debian' /etc/os-release; then
    mapfile -t sources < <(find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.list' -o -name '*.sources' 2>/dev/null)
fi

mmdebstrap --variant=minbase "--include=${packages[*]}" \
    --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
    --essential-hook='echo MODULES=list >"$1/etc/initramfs-tools/conf.d/virtual-device"' \
    --essential-hook='printf "virtio_pci\nvirtio_blk\next4\n" >"$1/etc/initramfs-tools/modules"' \
    --customize-hook="copy-in $WHEELS /tmp" \
    --customize-hook='chroot "$1" python3 -m venv --system-site-packages /opt/edgeasr' \
    --customize-hook='chroot "$1" sh -c "/opt/edgeasr/bin/pip install --no-index --no-cache-dir --disable-pip-version-check /tmp/wheels/*.whl"' \
    --customize-hook='rm -rf "$1"/tmp/wheels "$1"/usr/share/doc "$1"/usr/share/locale' \
    "$SUITE" "$ROOT" "${sources[@]}"

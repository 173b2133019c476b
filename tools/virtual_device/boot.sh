#!/usr/bin/env bash
# Boots the machine that build.sh built in FOLDER, under software emulation; runs until it is powered off or ended.
# Its time is counted in instructions, a nanosecond each, so that the host's load does not show on it. QEMU 7.2 does not
# start a second core that way.
#   boot.sh FOLDER DISK SSH_PORT MQTT_PORT   the console goes to standard output; both ports listen on 127.0.0.1
set -euo pipefail

readonly FOLDER=$1 DISK=$2 SSH_PORT=$3 MQTT_PORT=$4

# What would only cost time is left out: hardware that nobody needs, each line on the console, a fifth level of pages.
readonly MODULES=kvm,kvm_amd,kvm_intel,edac_core,i2c_piix4,pcspkr,drm
readonly KERNEL="root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off apparmor=0 selinux=0 modprobe.blacklist=$MODULES"

exec qemu-system-x86_64 -accel tcg,thread=single -icount shift=0,sleep=on -rtc clock=vm -cpu max,la57=off -m 1024 -nodefaults \
    -kernel "$FOLDER/vmlinuz" -initrd "$FOLDER/initrd.img" -append "$KERNEL" \
    -drive "file=$DISK,format=raw,if=virtio" \
    -netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$SSH_PORT-:22,hostfwd=tcp:127.0.0.1:$MQTT_PORT-:8883" \
    -device virtio-net-pci,netdev=n0 -device virtio-rng-pci -display none -monitor none -serial stdio -no-reboot

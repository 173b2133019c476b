#!/usr/bin/env bash
# Boots the machine that build.sh built in FOLDER, under software emulation; runs until it is powered off or ended.
#   boot.sh FOLDER DISK SSH_PORT MQTT_PORT   the console goes to standard output; both ports listen on 127.0.0.1
set -euo pipefail

readonly FOLDER=$1 DISK=$2 SSH_PORT=$3 MQTT_PORT=$4

# Hardware that is not there is not looked for, and a module that is of no use is not loaded: emulated each takes seconds.
readonly KERNEL='root=/dev/vda rw console=ttyS0 panic=-1 mitigations=off modprobe.blacklist=kvm,kvm_amd,kvm_intel,edac_core,i2c_piix4,pcspkr'

exec qemu-system-x86_64 -accel tcg,thread=single -icount shift=0,sleep=on -rtc clock=vm -cpu max -m 1024 -nodefaults \
    -kernel "$FOLDER/vmlinuz" -initrd "$FOLDER/initrd.img" -append "$KERNEL" \
    -drive "file=$DISK,format=raw,if=virtio" \
    -netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$SSH_PORT-:22,hostfwd=tcp:127.0.0.1:$MQTT_PORT-:8883" \
    -device virtio-net-pci,netdev=n0 -device virtio-rng-pci -display none -monitor none -serial stdio -no-reboot

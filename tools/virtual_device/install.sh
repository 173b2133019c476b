#!/usr/bin/env bash
# Installs the project into Debian's root folder ROOT step by step as systemd/README.md and docs/broker.md have it, and
# what makes a virtual device of it: a sound card, ssh, a broker with TLS. As root, in a mount namespace of its own.
#   install.sh ROOT PROJECT KEY   KEY: public key that may log in
set -euo pipefail

readonly ROOT=$1 PROJECT=$2 KEY=$3
readonly HERE=$(cd "$(dirname "$0")" && pwd)

inside() { PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$ROOT" env -u PIP_CERT -u SSL_CERT_FILE "$@"; }
put() { install -D "-m$1" "$2" "$ROOT$3"; }
write() { # write MODE PATH, the text from standard input
    install -D "-m$1" /dev/stdin "$ROOT$2"
}

the_machine() {
    echo virtual-device >"$ROOT/etc/hostname"
    printf '127.0.0.1 localhost virtual-device\n' >"$ROOT/etc/hosts"
    printf '/dev/vda / ext4 defaults,noatime 0 1\n' >"$ROOT/etc/fstab"
    printf '[Match]\nName=en*\n[Network]\nDHCP=yes\n' | write 644 /etc/systemd/network/20-wired.network
    inside passwd -q -d root
    install -d -m700 "$ROOT/root/.ssh"
    install -m600 "$KEY" "$ROOT/root/.ssh/authorized_keys"
    # Logs that outlive a power cut, for whoever looks into a failure.
    install -d "$ROOT/var/log/journal"
    inside systemctl --quiet enable systemd-networkd ssh
    # Not a first boot, with its updates of everything, and no session manager for who logs in: both would take minutes.
    inside systemd-machine-id-setup
    printf 'UsePAM no\nUseDNS no\n' | write 644 /etc/ssh/sshd_config.d/virtual-device.conf
    inside systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
    # The sound card, whose two devices are the ends of one cable.
    echo snd-aloop | write 644 /etc/modules-load.d/sound.conf
    echo 'options snd-aloop id=Loopback pcm_substreams=1' | write 644 /etc/modprobe.d/sound.conf
}

the_broker() {
    local certs=/etc/mosquitto/certs who
    inside install -d "$certs"
    inside openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=virtual device CA' -keyout /tmp/ca.key -out "$certs/ca.pem"
    inside openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$certs/server.key" -out /tmp/server.csr
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$ROOT/tmp/names"
    inside openssl x509 -req -in /tmp/server.csr -CA "$certs/ca.pem" -CAkey /tmp/ca.key -CAcreateserial -days 3650 \
        -extfile /tmp/names -out "$certs/server.pem"
    inside chgrp mosquitto "$certs/server.key"
    inside chmod 640 "$certs/server.key"
    rm -f "$ROOT"/tmp/{ca.key,server.csr,names}
    inside install -d -m700 -o mosquitto -g mosquitto /etc/mosquitto/edgeasr
    put 600 "$PROJECT/systemd/mosquitto/edgeasr.acl" /etc/mosquitto/edgeasr/acl
    inside chown mosquitto: /etc/mosquitto/edgeasr/acl
    # Debian's own mosquitto.conf has persistence already, and mosquitto 2.0 refuses it twice.
    put 644 "$PROJECT/systemd/mosquitto/edgeasr.conf" /etc/mosquitto/conf.d/edgeasr.conf
    inside install -m600 -o mosquitto -g mosquitto /dev/null /etc/mosquitto/edgeasr/passwords
    for who in virtual subscriber operator; do
        inside runuser -u mosquitto -- mosquitto_passwd -b /etc/mosquitto/edgeasr/passwords "$who" "password of $who"
    done
    inside systemctl --quiet enable mosquitto
}

the_service() {
    # A copy of the source alone: what was built of it for the host is of no use here. No network: base.sh has installed
    # what builds it.
    install -d "$ROOT/tmp/edgeasr"
    tar -C "$PROJECT" --exclude=__pycache__ --exclude='*.so' -c pyproject.toml README.md LICENSE edgeasr |
        tar -C "$ROOT/tmp/edgeasr" --no-same-owner -x
    inside /opt/edgeasr/bin/pip install --no-index --no-build-isolation --no-deps --no-cache-dir --disable-pip-version-check /tmp/edgeasr
    rm -rf "$ROOT/tmp/edgeasr"
    inside ln -sf /opt/edgeasr/bin/edgeasr /usr/local/bin/edgeasr

    put 644 "$PROJECT/systemd/sysusers.conf" /etc/sysusers.d/edgeasr.conf
    inside systemd-sysusers
    put 644 "$PROJECT/systemd/tmpfiles.conf" /etc/tmpfiles.d/edgeasr.conf
    inside systemd-tmpfiles --create edgeasr.conf

    cp -r "$PROJECT/models/edgeasr-en" "$ROOT/var/lib/edgeasr/models/"
    chown -R 0:0 "$ROOT/var/lib/edgeasr/models/edgeasr-en"

    put 644 "$PROJECT/systemd/99-edgeasr.rules" /etc/udev/rules.d/99-edgeasr.rules
    put 644 "$PROJECT/systemd/50-edgeasr-power-off.rules" /etc/polkit-1/rules.d/50-edgeasr-power-off.rules

    inside edgeasr config show --explain | write 644 /etc/edgeasr/edgeasr.toml
    put 644 "$HERE/guest/virtual-device.toml" /etc/edgeasr/conf.d/virtual-device.toml
    inside install -m644 /etc/mosquitto/certs/ca.pem /etc/edgeasr/ca.pem
    printf 'password of virtual\n' | write 600 /etc/edgeasr/mqtt-password
    printf '[Service]\nLoadCredential=mqtt-password:/etc/edgeasr/mqtt-password\n' |
        write 644 /etc/systemd/system/edgeasr.service.d/password.conf
    inside edgeasr config check

    install -m644 -t "$ROOT/etc/systemd/system" "$PROJECT"/systemd/*.{service,timer,path}
    inside systemctl --quiet enable edgeasr
}

mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
the_machine
the_broker
the_service
touch "$ROOT/etc/.updated" "$ROOT/var/.updated"

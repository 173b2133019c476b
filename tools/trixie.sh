#!/usr/bin/env bash
# Runs the README's test command in a bare Debian 13, whose Python is 3.13: a root folder with what the README asks for.
#   trixie.sh FOLDER [ARGS]   FOLDER: where the root is kept; ARGS: as in `make test ARGS="-k word"`
# The rest comes by way of the project's own files. Needs root or sudo.
set -euo pipefail

readonly SUITE=trixie
# As the README has it; ca-certificates for pip, which trusts what the system trusts.
readonly PACKAGES=python3,git,make,ca-certificates
readonly TRUSTED=/etc/ssl/certs/ca-certificates.crt
readonly PROJECT=$(cd "$(dirname "$0")/.." && pwd)
readonly PLACE=/srv/edgeasr  # of the clone, in the root

say() { printf '==> %s\n' "$*" >&2; }
fail() {
    printf 'edgeasr: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian, made anew where what is set up in it has changed, so that each set-up is tried on a bare system once.
get_root() {
    local stamp=$ROOT.made log=$ROOT.log wanted
    wanted=$(cat "$PROJECT/tools/setup.sh" "$PROJECT/tools/trixie.sh" | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
    say "making a root folder of Debian $SUITE (a minute; $log)"
    rm -f "$stamp"
    [ ! -d "$ROOT" ] || as_root rm -rf --one-file-system "$ROOT"
    as_root mmdebstrap --variant=minbase --include="$PACKAGES" "$SUITE" "$ROOT" >"$log" 2>&1 || {
        tail -n 3 "$log" >&2
        fail "Debian $SUITE could not be made; see above and $log, check the network, then again"
    }
    printf '%s\n' "$wanted" >"$stamp"
}

# The files that a clone would have, changed ones as they are; its virtual environment stays from the run before.
put_clone() {
    as_root mkdir -p "$ROOT$PLACE"
    as_root find "$ROOT$PLACE" -mindepth 1 -maxdepth 1 -not -name .venv -exec rm -rf {} +
    # The package's C went with the rest, so that it has to be installed again.
    as_root find "$ROOT$PLACE/.venv" -maxdepth 1 -name '.done-*' -delete 2>/dev/null || true
    (cd "$PROJECT" && git ls-files -z --cached --others --exclude-standard --deduplicate |
        while IFS= read -rd '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
        tar --create --null --files-from=-) | as_root tar --extract --no-same-owner --directory "$ROOT$PLACE"
    [ ! -f "$TRUSTED" ] || as_root cp "$TRUSTED" "$ROOT$TRUSTED"
}

# In namespaces of its own, so that mounts and processes end with the command, whichever way it ends. The shell stays
# their first process: Linux keeps that one from ending by a signal, and `make` then never would.
run_inside() {
    local enter="set -e
        mount -t proc proc $(printf %q "$ROOT")/proc
        for name in sys dev; do mount --rbind /\$name $(printf %q "$ROOT")/\$name; done
        mount -t tmpfs -o mode=1777 tmpfs $(printf %q "$ROOT")/tmp
        chroot $(printf %q "$ROOT") /usr/bin/env -i \"\$@\" || exit"
    local passed=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8)
    local name
    for name in http_proxy https_proxy no_proxy PIP_INDEX_URL PIP_DEFAULT_TIMEOUT; do
        [ -z "${!name:-}" ] || passed+=("$name=${!name}")
    done
    passed+=("PIP_CERT=$TRUSTED")
    as_root unshare --mount --pid --fork --kill-child --propagation private sh -c "$enter" sh "${passed[@]}" "$@"
}

[ $# -ge 1 ] || fail "usage: trixie.sh FOLDER [ARGS]"
git -C "$PROJECT" rev-parse --git-dir >/dev/null 2>&1 || fail "$PROJECT is no git clone; run this in one"
mkdir -p "$1"
ROOT=$(cd "$1" && pwd)/trixie-root
get_root
put_clone
say "make test, with Python of Debian $SUITE"
run_inside make -C "$PLACE" test ARGS="${2:-}"

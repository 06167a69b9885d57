# What both set-up scripts need: to be sourced, with NAME set. It only defines functions, and tidies up.

readonly POLICY=/usr/sbin/policy-rc.d
log=$(mktemp)
placed_policy=""

say() { printf '%s: %s\n' "$NAME" "$*"; }

fail() {
    printf '%s: %s\n' "$NAME" "$*" >&2
    exit 1
}

tidy_up() {
    if [ -n "$placed_policy" ]; then as_root rm -f "$POLICY"; fi
    rm -f "$log"
}
trap tidy_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# logged WHAT COMMAND...: quiet unless it fails.
logged() {
    local what=$1
    shift
    "$@" >"$log" 2>&1 </dev/null && return
    tail -n 30 "$log" >&2
    fail "$what failed; the lines above are the end of what it said."
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

can_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

apt_install() {
    logged "updating Debian's package lists" as_root apt-get -q update
    logged "installing $*" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
}

# Debian's packages start what they install unless this file says no.
forbid_starting_services() {
    if [ -e "$POLICY" ]; then return; fi
    placed_policy=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

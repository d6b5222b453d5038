# For the scripts of tests/, which read it with `source`: what is missing is installed, tools of pinned versions under target/tools.
# shellcheck shell=bash
TOOLS=${CARGO_TARGET_DIR:-target}/tools
# Debian has nginx and haproxy where only root looks.
export PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/usr/sbin

# Fuzzes from the interface description; tests/trust/outside.rs looks for this version.
SCHEMATHESIS=4.32.5

# Programs of the short form of tests/trust, with their packages.
TRUST_NEEDS=(strace:strace mkfs.xfs:xfsprogs xfs_io:xfsprogs nginx:nginx haproxy:haproxy)

loud() {
    printf '\n!!!!!! %s\n\n' "$@" >&2
}

apt() {
    local root=() policy=/usr/sbin/policy-rc.d status=0
    [ "$(id -u)" = 0 ] || root=(sudo)
    # Of nginx and haproxy the programs are wanted, and not that the system starts them.
    [ -e "$policy" ] || "${root[@]}" install -m 755 /dev/stdin "$policy" <<<$'#!/bin/sh\n# tests/tools.sh\nexit 101'
    "${root[@]}" apt-get update -qq && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" ||
        status=$?
    ! grep -q '^# tests/tools.sh$' "$policy" || "${root[@]}" rm -f -- "$policy"
    return "$status"
}

# wants PROGRAM:PACKAGE…: installs the packages of the programs that are not there, all at once.
wants() {
    local want missing=()
    for want in "$@"; do
        command -v "${want%%:*}" >/dev/null || missing+=("${want#*:}")
    done
    [ ${#missing[@]} = 0 ] || apt "${missing[@]}" >&2
}

# What every build needs. The bundled SQLite is C.
wants_build() {
    if ! command -v cargo >/dev/null; then
        loud "cargo is missing: install Rust (Cargo.toml names the oldest version that builds), then run this again"
        exit 1
    fi
    command -v cc >/dev/null || apt gcc libc6-dev
}

# python NAME VERSION OPTION…: a package of PyPI of that version in a folder of its own. Prints the folder.
python() {
    local own=$TOOLS/$1-$2 package=$1==$2
    shift 2
    if ! [ -d "$own" ]; then
        python3 -m pip --version >/dev/null 2>&1 || apt python3 python3-pip >&2
        # Into a neighbour first: an interrupted download must not look installed.
        rm -rf -- "$own.part"
        mkdir -p -- "$own.part"
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --ignore-installed \
            --target "$own.part" "$@" "$package" >&2 || return 1
        mv -- "$own.part" "$own"
    fi
    (cd -- "$own" && pwd)
}

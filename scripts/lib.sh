# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the scripts share.  Sourced, never run.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
me=${0##*/}
build=${BUILD:-$top/build}
linux=${LINUX:-$build/linux}
export linux

say() { printf '%s\n' "$me: $*" >&2; }
die() { say "$@"; exit 1; }

# The comment at the head of a script is its --help.
usage() { sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"; }

need() {
	local c
	for c; do
		command -v "$c" >/dev/null || die "$c is not installed (scripts/deps installs what is missing)"
	done
}

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the scripts that handle the series share.  Sourced, never run.
#
# build/linux is a git tree: the commit tagged `base`, then on branch `series`
# one commit per file of patches/.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

patches=${PATCHES:-$top/patches}

# The commits that `apply` makes carry these dates, one minute apart: the same
# series on the same base is the same commits, everywhere, at any time.
# shellcheck disable=SC2034
epoch=1731888000	# 2024-11-18, the day after v6.12

lg() { git -C "$linux" "$@"; }

# git without the user's own settings, which would change what it prints
plain_git() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null git -C "$linux" \
		-c diff.renames=true -c diff.algorithm=histogram -c diff.context=3 \
		-c diff.noprefix=false -c core.abbrev=12 -c core.quotePath=true "$@"
}

identity() {
	GIT_COMMITTER_NAME=$(git -C "$top" config user.name || echo "checkpoint series")
	GIT_COMMITTER_EMAIL=$(git -C "$top" config user.email || echo "series@localhost")
	GIT_AUTHOR_NAME=$GIT_COMMITTER_NAME GIT_AUTHOR_EMAIL=$GIT_COMMITTER_EMAIL
	export GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL
}

need_tree() {
	lg rev-parse -q --verify base^0 >/dev/null 2>&1 ||
		die "$linux is not there or has no tag 'base': run scripts/fetch"
}

base_name() { lg log -1 --format=%s base | sed 's/^base: //'; }

# The directory of git's own files of the kernel tree
gitdir() { lg rev-parse --path-format=absolute --git-dir; }

# Prints why the tree cannot be worked on by a script right now, if so.
busy() {
	local d
	d=$(gitdir)
	if [ -d "$d/rebase-merge" ] || [ -d "$d/rebase-apply" ]; then
		echo "a rebase or git am is under way in $linux: finish it (--continue) or give it up (--abort)"
	elif [ "$(lg symbolic-ref -q --short HEAD)" != series ]; then
		echo "$linux is not on branch series: git -C $linux switch series"
	fi
}

# New files that are not laid in.  The .gitignore of the tree is not asked: the
# one in Debian's source ignores every new file.
untracked() {
	lg ls-files -o -X "$(lg rev-parse --path-format=absolute --git-path info/exclude)" \
		-x '*.[oa]' -x '*~' -x '*.orig' -x '*.rej' -x '*.pyc' -x '.*' -x '!.gitignore'
}

# What is not committed
dirty() {
	lg status --porcelain --untracked-files=no
	untracked | sed 's/^/?? /'
}

# Files of this repository that the build lays into the kernel tree.
laid_in() {
	(cd "$top" && for d in Documentation tools/testing/selftests/checkpoint; do
		[ ! -d "$d" ] || find "$d" -type f
	done)
}

# They are no part of the series: git is to overlook them in the kernel tree.
exclude_laid_in() {
	local f new
	f=$(lg rev-parse --path-format=absolute --git-path info/exclude)
	mkdir -p "${f%/*}"
	[ -e "$f" ] || : > "$f"
	new=$(sed '/^# laid in {/,/^# }/d' "$f"
	      echo "# laid in {"
	      laid_in | sed -n 's,^Documentation/,/&,p'
	      echo "/tools/testing/selftests/checkpoint/"
	      echo "# }")
	[ "$new" = "$(cat "$f")" ] || printf '%s\n' "$new" > "$f"
}

# The patches in order, one file name a line
series_files() {
	[ -e "$patches/series" ] || return 0
	sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$patches/series"
}

series_complete() {
	local p
	for p in $(series_files); do
		[ -e "$patches/$p" ] || die "patches/series names $p, which is not there"
	done
}

# Identifies the series as it stands in patches/, and the base below it
patches_key() {
	{ lg rev-parse base^0
	  series_files | (cd "$patches" && xargs -r sha256sum)
	} | sha256sum | cut -d' ' -f1
}

# Which patches the branch was last known to equal: "KEY COMMIT"
stamp_file() { echo "$(gitdir)/series-stamp"; }
stamp() { printf '%s %s\n' "$(patches_key)" "$(lg rev-parse series)" > "$(stamp_file)"; }

# A small clone of the kernel tree at $2 in directory $1 that has only the
# files named on standard input checked out: git am works there in no time,
# and what goes wrong there leaves the kernel tree as it was.
sandbox() {
	git clone -q --shared --no-checkout --no-tags "$linux" "$1"
	git -C "$1" config gc.auto 0
	sed 's,^,/,' | sort -u | git -C "$1" sparse-checkout set --no-cone --stdin
	git -C "$1" -c advice.detachedHead=false checkout -q --detach "$(lg rev-parse "$2^0")"
}

# The files that patches touch
touched_by() { sed -n 's,^diff --git a/.* b/,,p' "$@"; }

# The same after the patches: files added, changed (not deleted) by the series
touched() { plain_git diff --name-only --diff-filter=d base series; }

# Configures a kernel: sources $1, output directory $2, fragments from $3 on.
# What no fragment names is off; a later fragment overrides an earlier one.
configure() {
	local src=$1 out=$2
	shift 2
	mkdir -p "$out"
	cat "$@" > "$out/fragments"
	make -s -C "$src" O="$out" KCONFIG_ALLCONFIG="$out/fragments" allnoconfig \
		> "$out/configure.log" 2>&1 || { cat "$out/configure.log" >&2; return 1; }
}

# make in $1 with output directory $2, with what make it quick here
kmake() {
	local src=$1 out=$2
	shift 2
	nice make -s -C "$src" O="$out" -j"${JOBS:-$(nproc)}" \
		${cc_cache:+CC="ccache gcc"} KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=ckpt \
		KBUILD_BUILD_HOST=ckpt "$@"
}
cc_cache=$(command -v ccache || :)

# shellcheck disable=SC2034
kconfig=$top/qemu-images/kconfig

# Messages of compilers about sources in $1, without what moves: where the
# sources are, line numbers
normalize() {
	sed -E -n -e "s,^$1/,," -e 's,:[0-9]+(:[0-9]+)?: ,: ,' \
		-e '/(warning|error): |^(ERROR|WARNING): /p' | LC_ALL=C sort -u
}

# SPDX-License-Identifier: GPL-2.0
#
# usage: git.sh prepare FILES | run: a repository with a history, and to repack it
set -e
export HOME=$PWD GIT_AUTHOR_DATE='@1000000000 +0000' GIT_COMMITTER_DATE='@1000000000 +0000'
git() { command git -c user.name=nobody -c user.email=nobody@example.org -c gc.auto=0 "$@"; }

case $1 in
prepare)
	git init -q repository
	tar -xf input -C repository 2> /dev/null || true
	cd repository
	for i in $(seq "$2"); do
		find . -name '*.[ch]' | sort | awk -v i="$i" 'NR % 7 == i % 7' |
			while read -r f; do echo "/* $i $f */" >> "$f"; done
		git add -A
		git commit -q -m "change $i"
	done
	;;
run)
	cd repository
	git -c pack.threads=2 repack -q -a -d -f --depth=50 --window=20
	git fsck --full --no-progress
	git rev-list --objects --all | cut -d' ' -f1 | sort |
		git cat-file --batch-check | sha256sum
	git cat-file --batch --batch-all-objects | sha256sum
	;;
esac

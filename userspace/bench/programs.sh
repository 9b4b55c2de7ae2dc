#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The real programs of scripts/bench, in the guest.
#
# usage: programs.sh postgres|java prepare|start|ready|check
set -e
here=$(dirname "$0")
work=/tmp/bench/$1
mkdir -p "$work"
cd "$work"

as_postgres() {
	setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
}

case $1-$2 in
postgres-prepare)
	cp "$here/postgres.sh" .
	chown -R postgres .
	as_postgres sh postgres.sh prepare
	mv pg pristine
	;;
postgres-start)
	rm -rf pg
	cp -a pristine pg
	PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
	# an autovacuum may be over or not when its sleep has been cut short
	exec setpriv --reuid=postgres --regid=postgres --clear-groups \
		postgres -D "$PWD/pg/data" -k "$PWD/pg" -c listen_addresses= \
		-c fsync=off -c shared_buffers=64MB -c autovacuum=off
	;;
postgres-ready)
	export PGHOST="$PWD/pg" PGUSER=postgres
	psql -Atc 'SELECT 1' postgres
	pgbench -n -c 2 -t 100 --random-seed=7 postgres
	;;
postgres-check)
	export PGHOST="$PWD/pg" PGUSER=postgres
	# one line, from all of the table and from all that has been written
	psql -At -F, postgres -c "SELECT count(*), sum(abalance), md5(string_agg(aid || ':' ||
		abalance, ',' ORDER BY aid)) FROM pgbench_accounts"
	;;
java-prepare)
	javac -d . "$here/Busy.java"
	;;
java-start)
	rm -f ready ask answer
	exec java -Xmx256m Busy
	;;
java-ready)
	[ -e ready ]
	;;
java-check)
	rm -f answer
	: > ask
	tries=0
	until [ -e answer ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 2000 ] || exit 1
		sleep 0.02
	done
	cat answer
	;;
*)
	echo "programs.sh: no such thing: $*" >&2
	exit 1
	;;
esac

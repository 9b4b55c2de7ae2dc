# SPDX-License-Identifier: GPL-2.0
#
# A PostgreSQL server and pgbench, connected over a unix socket. What the tables
# add up to follows from the seed. As the user that the server wants to be.
#
# usage: postgres.sh prepare ROWS | run TRANSACTIONS
set -e
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
export PGHOST=$PWD/pg PGUSER=postgres PGDATABASE=postgres

# in the background: $! is its process id
server() {
	exec postgres -D "$PWD/pg/data" -k "$PWD/pg" -c listen_addresses= -c fsync=off \
		-c shared_buffers=16MB -c log_min_messages=fatal "$@"
}

ready() { until psql -Atc 'SELECT 1' > pg/ready 2> pg/ready; do sleep 0.1; done; }

case $1 in
prepare)
	mkdir -p pg/data
	chmod 700 pg pg/data
	initdb -D pg/data --auth=trust -U postgres --no-sync > pg/init.log
	server > pg/server.log 2>&1 &
	ready
	pgbench -i -q -s 1 > pg/pgbench.log 2>&1
	kill -INT $!
	wait $!
	;;
run)
	server > pg/server.log 2>&1 &
	ready
	pgbench -n -c 2 -j 2 -t "$2" --random-seed=7 > pg/pgbench.log 2> pg/pgbench.log
	psql -At <<-END
	SELECT count(*), sum(abalance) FROM pgbench_accounts;
	SELECT sum(tbalance) FROM pgbench_tellers;
	SELECT count(*), sum(delta), min(delta), max(delta) FROM pgbench_history;
	SELECT sum(bbalance) FROM pgbench_branches;
	END
	kill -INT $!
	wait $!
	;;
esac

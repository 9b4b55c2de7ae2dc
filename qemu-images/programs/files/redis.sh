# SPDX-License-Identifier: GPL-2.0
#
# A Redis server that appends to a file, and two clients that talk to it over a
# unix socket. What a second server finds in the file has to be what the first one
# had in memory. usage: redis.sh COMMANDS
set -e
cli() { redis-cli -s socket "$@"; }
server() {
	redis-server --port 0 --unixsocket "$PWD/socket" --appendonly yes --save '' \
		--enable-debug-command local --dir "$PWD" --loglevel warning >> server.log 2>&1 &
	server=$!
	until [ "$(cli ping 2> ready)" = PONG ]; do sleep 0.1; done
}
stop() {
	cli SHUTDOWN NOSAVE > down 2>&1 || true
	wait $server
}

server
feed() { awk -v n="$1" -v c="$2" 'BEGIN { for (i = 0; i < n; i++) {
	printf "INCRBY sum%d %d\nSET key%d:%d %d\nRPUSH list%d %d\n", c, i % 97, c, i % 1000, i * 7, c, i
	if (i % 1000 == 999) printf "LTRIM list%d -1000 -1\n", c } }'; }
feed "$1" 1 | cli > replies.1 &
one=$!
feed "$1" 2 | cli > replies.2 &
wait $! $one
sha256sum replies.1 replies.2
cli DBSIZE
cli MGET sum1 sum2 key1:999 key2:500
cli LRANGE list1 -3 -1
cli DEBUG DIGEST
stop
server
cli DEBUG DIGEST
stop

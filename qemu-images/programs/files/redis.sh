# SPDX-License-Identifier: GPL-2.0
#
# A Redis server that appends to a file, and two clients that talk to it over a
# unix socket. usage: redis.sh COMMANDS
set -e
redis-server --port 0 --unixsocket "$PWD/socket" --appendonly yes --save '' \
	--dir "$PWD" --loglevel warning > server.log 2>&1 &
server=$!
cli() { redis-cli -s socket "$@"; }
until cli ping > ready 2>&1; do sleep 0.1; done
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
cli SHUTDOWN NOSAVE > down 2>&1 || true
wait $server

# SPDX-License-Identifier: GPL-2.0
#
# An nginx, master and two workers, and who fetches files from it: two clients
# that keep their connections over a unix socket, one with short connections over
# TCP, and one over TCP outside of the target. Ends when all have what they want.
#
# usage: nginx.sh ROUNDS
set -e
mkdir tmp
cat > nginx.conf <<END
user www-data;
worker_processes 2;
daemon off;
pid nginx.pid;
error_log error.log error;
events { worker_connections 64; }
http {
	client_body_temp_path tmp;
	proxy_temp_path tmp;
	fastcgi_temp_path tmp;
	uwsgi_temp_path tmp;
	scgi_temp_path tmp;
	log_format short '\$server_port \$request \$status \$body_bytes_sent';
	access_log access.log short;
	default_type text/plain;
	sendfile on;
	gzip_min_length 1000;
	keepalive_requests 1000000;
	# in memory that the workers share
	limit_req_zone one zone=all:1m rate=100000r/s;
	limit_req zone=all burst=1000 nodelay;
	server {
		listen 127.0.0.1:8080;
		listen unix:$PWD/socket;
		root $PWD;
		location /packed/ { alias $PWD/; gzip on; gzip_types text/plain; }
		location /copied/ { alias $PWD/; sendfile off; }
		location = /count { stub_status; access_log off; }
	}
}
END
/usr/sbin/nginx -p "$PWD" -c nginx.conf -e error.log > server.log 2>&1 &
server=$!
until [ -S socket ] && [ -s nginx.pid ]; do sleep 0.05; done
python3 nginx.py inside "$1"
kill -QUIT $server
wait $server
sort access.log | sha256sum

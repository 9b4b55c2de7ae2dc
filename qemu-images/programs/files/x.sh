# SPDX-License-Identifier: GPL-2.0
#
# An X server without a screen, a clock and a terminal in which lines go by. They
# stop half way, and what is on the screen has to stay there for some seconds, in
# which a checkpoint may come. What is there in the end is always the same.
# usage: x.sh LINES
set -e
export HOME=$PWD DISPLAY=:7
shoot() { xwd -root -silent -out "$1"; }
# into $1: the screen, when nothing is drawn any more
shoot_still() {
	shoot "$1"
	until sleep 1; shoot next; cmp -s "$1" next; do mv next "$1"; done
}

Xvfb :7 -screen 0 640x480x24 -nolisten tcp > server.log 2>&1 &
server=$!
until [ -S /tmp/.X11-unix/X7 ] && shoot screen 2> xwd.log; do sleep 0.1; done
cat > lines <<END
for i in \$(seq $1); do
	echo line \$i is \$((i * 7))
	[ \$((i % 50)) != 0 ] || sleep 0.1
	if [ \$i = $((($1 + 1) / 2)) ]; then
		: > half
		until [ -e go ]; do sleep 0.05; done
	fi
done
: > done
exec sleep 1000000
END
xclock -digital -strftime clock -geometry 150x50+450+300 > clock.log 2>&1 &
clock=$!
xterm -geometry 60x20+0+0 -cr white -e sh lines > xterm.log 2>&1 &
terminal=$!
until [ -e half ]; do sleep 0.05; done
shoot_still before
sleep 3
shoot after
cmp before after
: > go
until [ -e done ]; do sleep 0.05; done
shoot_still screen
sha256sum before after screen
{
	kill $clock $terminal
	wait $clock $terminal || true
	kill $server
	wait $server || true
} 2> wait.log

# SPDX-License-Identifier: GPL-2.0
#
# An X server without a screen, a clock and a terminal in which lines go by. What
# is on the screen in the end is always the same. usage: x.sh LINES
set -e
export HOME=$PWD DISPLAY=:7
Xvfb :7 -screen 0 640x480x24 -nolisten tcp > server.log 2>&1 &
server=$!
until [ -S /tmp/.X11-unix/X7 ] && xwd -root -silent -out screen 2> xwd.log; do sleep 0.1; done
cat > lines <<END
for i in \$(seq $1); do
	echo line \$i is \$((i * 7))
	[ \$((i % 50)) != 0 ] || sleep 0.1
done
: > done
exec sleep 1000000
END
xclock -digital -strftime clock -geometry 150x50+450+300 > clock.log 2>&1 &
clock=$!
xterm -geometry 60x20+0+0 -cr white -e sh lines > xterm.log 2>&1 &
terminal=$!
until [ -e done ]; do sleep 0.05; done
sleep 2
xwd -root -silent -out screen
sha256sum screen
{
	kill $clock $terminal
	wait $clock $terminal || true
	kill $server
	wait $server || true
} 2> wait.log

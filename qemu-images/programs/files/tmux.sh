# SPDX-License-Identifier: GPL-2.0
#
# tmux with bash, vim and top in three windows. Keys are typed into the first
# two; what they write tells whether all of them came, and in their order.
# usage: tmux.sh LINES
set -e
export HOME=$PWD TERM=xterm
tmux() { command tmux -S "$PWD/server" -f /dev/null "$@"; }
lines() { [ ! -e "$1" ] && echo 0 || wc -l < "$1"; }

tmux new-session -d -x 80 -y 24 'bash --norc'
tmux new-window 'vim -u NONE -n text'
tmux new-window top
for i in $(seq "$1"); do
	tmux send-keys -t :0 "echo shell $((i * 7)) >> typed" Enter
	tmux send-keys -t :1 "ovim $((i * 9))" Escape
	until [ "$(lines typed)" -ge "$i" ]; do sleep 0.02; done
done
tmux send-keys -t :1 ':wq' Enter
until [ "$(tmux list-windows | wc -l)" = 2 ]; do sleep 0.05; done
sha256sum typed text
tmux resize-window -t :0 -x 60 -y 10
tmux send-keys -t :0 'clear; stty size' Enter
until tmux capture-pane -p -t :0 | grep -q '^9 60$\|^10 60$'; do sleep 0.05; done
# all of them, until they are gone
pids=$(tmux display-message -p '#{pid}'; tmux list-panes -s -F '#{pane_pid}')
tmux kill-server
for pid in $pids; do
	while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
done

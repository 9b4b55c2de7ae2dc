# SPDX-License-Identifier: GPL-2.0
#
# usage: rsync.sh: copies tree/ over a pipe, twice: all of it, then what changed
set -e
# what rsync starts it talks to over a pair of sockets; the files come over a pipe
printf '#!/bin/sh\nshift\n"$@" | cat\n' > rsh
chmod +x rsh
rsync -a -z --rsh=./rsh here:"$PWD/tree/" copy/
find tree -type f | sort | awk 'NR % 3 == 0' | while read -r f; do echo changed >> "$f"; done
rsync -a -z -c --rsh=./rsh here:"$PWD/tree/" copy/
diff -r tree copy
(cd copy && find . -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum

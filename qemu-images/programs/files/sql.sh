# SPDX-License-Identifier: GPL-2.0
#
# Prints one long transaction that fills a table of as many rows as the standard
# input says, then changes it, then makes an index.
read -r rows
cat <<END
PRAGMA cache_size = -2000;
BEGIN IMMEDIATE;
CREATE TABLE t (id INTEGER PRIMARY KEY, key INTEGER, text TEXT);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
	INSERT INTO t SELECT i, i * 2654435761 % 4294967296, hex(i * i) || printf('%040d', i) FROM n;
UPDATE t SET text = text || key WHERE key % 3 = 0;
CREATE INDEX by_key ON t (key);
DELETE FROM t WHERE key % 7 = 0;
COMMIT;
SELECT count(*), sum(key), sum(length(text)) FROM t;
PRAGMA integrity_check;
END

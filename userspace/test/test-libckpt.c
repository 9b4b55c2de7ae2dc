// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of libckpt: checksums, errnos, the reader of images, and the filter
 * that changes their paths.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "tap.h"

__u32 ckpt_crc32c_portable(__u32 crc, const void *data, size_t len);

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Returns the number of records, or a negative errno. */
static int read_fd(int fd)
{
	struct ckpt_reader *r = ckpt_reader_open(fd);
	struct ckpt_rec rec;
	int ret, nr = 0;

	while ((ret = ckpt_reader_next(r, &rec)) > 0)
		nr++;
	if (ret < 0)
		nr = -errno;
	/* Whoever failed once fails for ever. */
	if (ckpt_reader_next(r, &rec) != ret)
		nr = -1000;
	if (ret < 0 && !*ckpt_reader_error(r))
		nr = -1001;
	ckpt_reader_close(r);
	return nr;
}

static int read_mem(const void *data, size_t len)
{
	int fd = file_of(data, len), ret = read_fd(fd);

	close(fd);
	return ret;
}

static void test_crc(void)
{
	unsigned char buf[300];
	bool same = true;
	size_t i, j;

	ok(~ckpt_crc32c(~0U, "123456789", 9) == 0xe3069283, "crc32c check value");
	ok(~ckpt_crc32c_portable(~0U, "123456789", 9) == 0xe3069283,
	   "crc32c check value, by table");
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (unsigned char)(i * i + 3);
	for (i = 0; i < 20; i++)
		for (j = 0; j < sizeof(buf) - i; j++)
			same &= ckpt_crc32c(7, buf + i, j) ==
				ckpt_crc32c_portable(7, buf + i, j);
	ok(same, "crc32c by instruction is crc32c by table");
}

static void test_errors(void)
{
	static const struct {
		int err;
		int checkpoint, restart;
	} codes[] = {
		{ 0, 0, 0 }, { ESRCH, 1, 5 }, { EOPNOTSUPP, 2, 2 }, { EPERM, 3, 3 },
		{ EACCES, 3, 3 }, { ENOSPC, 5, 5 }, { ETIMEDOUT, 2, 5 },
		{ ENOSYS, 2, 2 }, { ENOEXEC, 5, 4 }, { EBADMSG, 5, 4 }, { EINVAL, 2, 4 },
		{ E2BIG, 2, 4 }, { EEXIST, 5, 2 }, { ENOENT, 5, 2 }, { ESTALE, 5, 2 },
		{ ENXIO, 5, 2 }, { EAGAIN, 2, 2 }, { EBUSY, 2, 2 }, { EINTR, 5, 5 },
		{ EIO, 5, 5 }, { ENOMEM, 5, 5 }, { EPIPE, 5, 5 }, { 9999, 5, 5 },
	};
	bool good = true, text = true;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		good &= (int)ckpt_exit_code(CKPT_OP_CHECKPOINT, codes[i].err) ==
			codes[i].checkpoint;
		good &= (int)ckpt_exit_code(CKPT_OP_RESTART, codes[i].err) ==
			codes[i].restart;
		text &= *ckpt_explain(CKPT_OP_CHECKPOINT, codes[i].err) &&
			*ckpt_explain(CKPT_OP_RESTART, codes[i].err);
	}
	ok(good, "exit codes are as documented");
	ok(text, "every errno has an explanation");
}

static void test_whole(const struct builder *b)
{
	int pipefd[2], status, ret;
	pid_t pid;

	ok(read_mem(b->p, b->len) == (int)b->records, "all records of an image");

	if (pipe(pipefd))
		abort();
	pid = fork();
	if (!pid) {
		size_t i;

		/* Odd pieces, so that nothing arrives in one. */
		for (i = 0; i < b->len; i += 777)
			if (write(pipefd[1], b->p + i,
				  b->len - i < 777 ? b->len - i : 777) < 0)
				_exit(1);
		_exit(0);
	}
	close(pipefd[1]);
	ret = read_fd(pipefd[0]);
	close(pipefd[0]);
	waitpid(pid, &status, 0);
	ok(ret == (int)b->records, "all records of an image from a pipe");
}

static void test_streamed(const struct builder *b)
{
	int fd = file_of(b->p, b->len);
	struct ckpt_reader *r = ckpt_reader_open(fd);
	unsigned char page[PAGE];
	struct ckpt_rec rec;
	bool right = false, part = false;
	int ret;

	while ((ret = ckpt_reader_next(r, &rec)) > 0) {
		if (rec.h.type != CKPT_REC_PAGES)
			continue;
		right = rec.stream_len == 3 * PAGE && rec.data_len == 32;
		/* The second page is left to be skipped. */
		right &= ckpt_reader_read(r, page, PAGE) == PAGE && page[1] == 7;
		part = ckpt_reader_read(r, page, 100) == 100;
	}
	ok(right, "pages are streamed");
	ok(part && !ret, "the rest of a streamed record is skipped and checked");
	ckpt_reader_close(r);
	close(fd);
}

static void test_versions(void)
{
	struct builder b;

	make_image(&b, IMAGE_GROWN);
	ok(read_mem(b.p, b.len) == (int)b.records, "a longer body with zeros is read");
	b.p[sizeof(struct ckpt_record) + sizeof(struct ckpt_header)] = 1;
	fix_checksums(b.p, b.len);
	ok(read_mem(b.p, b.len) == -EINVAL, "a longer body with more in it is refused");
	free(b.p);

	make_image(&b, IMAGE_OPTIONAL);
	ok(read_mem(b.p, b.len) == (int)b.records, "an optional record is skipped");
	free(b.p);

	make_image(&b, 0);
	b.p[sizeof(struct ckpt_record) + offsetof(struct ckpt_header, version)]++;
	fix_checksums(b.p, b.len);
	ok(read_mem(b.p, b.len) == -ENOEXEC, "another version is refused");
	free(b.p);

	memset(&b, 0, sizeof(b));
	put_header(&b, 0);
	put(&b, 1000, 0, NULL, 0, NULL, 0);
	put_trailer(&b);
	ok(read_mem(b.p, b.len) == -EOPNOTSUPP, "an unknown record is refused");
	free(b.p);

	memset(&b, 0, sizeof(b));
	put_header(&b, 0);
	b.objects++;
	put_trailer(&b);
	ok(read_mem(b.p, b.len) == -EBADMSG, "a wrong count in the trailer is noticed");
	free(b.p);
	ok(read_mem("", 0) == -EBADMSG, "an empty file");
	ok(read_mem("#!/bin/sh\necho this is not an image\n", 36) == -ENOEXEC,
	   "not an image");
}

static void test_damage(const struct builder *b)
{
	unsigned char *copy = malloc(b->len);
	bool truncated = true, flipped = true;
	size_t i;
	int ret;

	for (i = 0; i < b->len; i++) {
		/* Pages are all alike; the reader is no faster for them. */
		if (i % 61 && i > 4096 && b->len - i > 4096)
			continue;
		ret = read_mem(b->p, i);
		truncated &= ret == -EBADMSG;
	}
	ok(truncated, "truncation is noticed wherever it is");

	for (i = 0; i < b->len; i++) {
		if (i % 61 && i > 4096)
			continue;
		memcpy(copy, b->p, b->len);
		copy[i] ^= (unsigned char)(1 << (i % 8));
		ret = read_mem(copy, b->len);
		flipped &= ret < 0 && ret > -1000;
	}
	ok(flipped, "every flipped bit is noticed");
	free(copy);
}

static void test_order(const struct builder *b)
{
	unsigned char *copy = malloc(b->len);
	struct ckpt_record h;
	size_t first = 0, len[2], i;
	__u64 n = 0;

	/* Swap two neighbours of the same size, checksums and all. */
	memcpy(copy, b->p, b->len);
	for (;;) {
		memcpy(&h, b->p + first, sizeof(h));
		len[0] = h.length;
		memcpy(&h, b->p + first + len[0], sizeof(h));
		len[1] = h.length;
		if (len[0] == len[1] &&
		    memcmp(b->p + first, b->p + first + len[0], len[0]))
			break;
		first += len[0];
		if (++n > b->records - 3)
			abort();
	}
	for (i = 0; i < len[0]; i++) {
		copy[first + i] = b->p[first + len[0] + i];
		copy[first + len[0] + i] = b->p[first + i];
	}
	ok(read_mem(copy, b->len) == -EBADMSG, "records in another order are noticed");
	free(copy);
}

static void test_huge(void)
{
	struct builder b = { };
	struct ckpt_record h = {
		.type = CKPT_REC_FS, .flags = CKPT_RF_MUST, .objref = 1,
		.length = sizeof(h) + 16 + 0xfffffff8ULL,
		.body_len = 16, .data_len = 0xfffffff8,
	};
	unsigned char *p;
	size_t len;

	put_header(&b, 0);
	len = b.len + sizeof(h) + 16;
	p = calloc(1, len);
	memcpy(p, b.p, b.len);
	memcpy(p + b.len, &h, sizeof(h));
	ok(read_mem(p, len) == -E2BIG, "4 GiB that are not there");
	h.length = 0xfffffffffffffff8ULL;
	memcpy(p + b.len, &h, sizeof(h));
	ok(read_mem(p, len) == -EINVAL, "a length that overflows");
	free(p);
	free(b.p);
}

/* ---- other paths ------------------------------------------------------ */

static void test_move_path(void)
{
	static const struct ckpt_move moves[] = {
		{ "/a", "/x" }, { "/a/b/c", "/long" }, { "/a/b", "/y/" },
		{ "/gone/", "/" }, { "/same", "/1" }, { "/same", "/2" },
	};
	static const struct ckpt_move root = { "/", "/new" };
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "/a", "/x" }, { "/a/", "/x" }, { "/a/file", "/x/file" },
		{ "/a/b", "/y" }, { "/a/b/file", "/y/file" },
		{ "/a/b/c", "/long" }, { "/a/b/c/d/e", "/long/d/e" },
		{ "/a/bc", "/x/bc" }, { "/ab", NULL }, { "/b/a", NULL }, { "/", NULL },
		{ "a", NULL }, { "a/b", NULL }, { "", NULL },
		{ "/gone", "/" }, { "/gone/file", "/file" }, { "/same/f", "/2/f" },
	};
	char buf[4096], path[4096];
	bool good = true;
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		strcpy(buf, "untouched");
		ret = ckpt_move_path(moves, ARRAY_SIZE(moves), cases[i].from, buf, sizeof(buf));
		if (ret == !!cases[i].to &&
		    !strcmp(buf, cases[i].to ? cases[i].to : "untouched"))
			continue;
		printf("# %s became %d, %s\n", cases[i].from, ret, buf);
		good = false;
	}
	ok(good, "paths move, the longest prefix first, and by whole names");
	good = ckpt_move_path(&root, 1, "/", buf, sizeof(buf)) == 1 && !strcmp(buf, "/new") &&
	       ckpt_move_path(&root, 1, "/f", buf, sizeof(buf)) == 1 && !strcmp(buf, "/new/f");
	ok(good, "the root moves");
	memset(path, 'x', sizeof(path));
	memcpy(path, "/a/", 3);
	path[4095] = '\0';
	ok(ckpt_move_path(moves, ARRAY_SIZE(moves), path, buf, sizeof(buf)) == 1,
	   "the longest path");
	ok(ckpt_move_path(&root, 1, path, buf, sizeof(buf)) == -1 && errno == ENAMETOOLONG,
	   "a path that would be too long");
}

/* Returns a memfd of what came through, with its length; -errno if nothing did. */
static int relocate(const void *data, size_t len, const struct ckpt_move *moves,
		    size_t nr, size_t *new_len)
{
	int in = file_of(data, len), out = memfd_create("relocated", MFD_CLOEXEC), ret;
	char error[256] = "";

	ret = ckpt_relocate(in, out, moves, nr, error, sizeof(error));
	if (ret) {
		ret = *error ? -errno : -1000;
		close(out);
		out = ret;
	} else {
		*new_len = (size_t)lseek(out, 0, SEEK_END);
		lseek(out, 0, SEEK_SET);
	}
	close(in);
	return out;
}

static bool same_bytes(int fd, size_t new_len, const void *data, size_t len)
{
	char *buf = malloc(new_len + 1);
	bool same = new_len == len && read(fd, buf, len) == (ssize_t)len &&
		    !memcmp(buf, data, len);

	free(buf);
	return same;
}

/* Everything but a few kinds of records, byte for byte. */
static void test_moved(const struct builder *b)
{
	static const struct ckpt_move moves[] = {
		{ "/tmp", "/a/much/longer/name" }, { "/bin/sh", "/s" },
	};
	static const struct ckpt_move back[] = {
		{ "/a/much/longer/name", "/tmp" }, { "/s", "/bin/sh" },
	};
	int fd, again, seen = 0, wrong = 0, in = file_of(b->p, b->len);
	struct ckpt_reader *old = ckpt_reader_open(in), *new;
	char page[4096], was[4096], *copy;
	struct ckpt_rec x, y;
	size_t len, len2;

	fd = relocate(b->p, b->len, moves, ARRAY_SIZE(moves), &len);
	ok(fd >= 0, "an image goes through");
	new = ckpt_reader_open(fd);
	while (ckpt_reader_next(old, &x) > 0 && ckpt_reader_next(new, &y) > 0) {
		const struct ckpt_file *file = y.body;
		const char *want = NULL;
		ssize_t n;

		wrong += x.h.type != y.h.type || x.h.objref != y.h.objref ||
			 x.h.body_len != y.h.body_len || x.h.flags != y.h.flags;
		while ((n = ckpt_reader_read(old, was, sizeof(was))) > 0)
			wrong += ckpt_reader_read(new, page, sizeof(page)) != n ||
				 memcmp(was, page, (size_t)n);
		if (x.h.type == CKPT_REC_FILE && x.data_len) {
			want = x.data;
			if (!strcmp(want, "/tmp/data"))
				want = "/a/much/longer/name/data";
			else if (!strcmp(want, "/bin/sh"))
				want = "/s";
			wrong += file->kind == CKPT_FILE_EXTERNAL && strcmp(y.data, "tty");
		} else if (x.h.type == CKPT_REC_INODE) {
			want = "/a/much/longer/name/gone";
		} else if (x.h.type == CKPT_REC_FS) {
			const struct ckpt_fs *fs = y.body;

			wrong += fs->root_len != 2 || fs->cwd_len != 20 ||
				 y.data_len != 22 || memcmp(y.data, "/\0/a/much/longer/name", 22);
			seen++;
			continue;
		} else if (x.h.type == CKPT_REC_TRAILER) {
			wrong += ((const struct ckpt_trailer *)y.body)->bytes != y.offset;
			continue;
		}
		if (want) {
			wrong += y.data_len != strlen(want) + 1 || strcmp(y.data, want);
			seen++;
			continue;
		}
		wrong += x.data_len != y.data_len || memcmp(x.data, y.data, x.data_len) ||
			 (x.h.body_len && memcmp(x.body, y.body, x.h.body_len));
	}
	ok(ckpt_reader_next(new, &y) == 0 && !*ckpt_reader_error(new), "it is whole");
	ok(seen >= 5 && !wrong, "its paths have moved, and all else is as it was");
	ckpt_reader_close(old);
	ckpt_reader_close(new);
	close(in);

	lseek(fd, 0, SEEK_SET);
	copy = malloc(len);
	ok(read(fd, copy, len) == (ssize_t)len, "read back");
	again = relocate(copy, len, back, ARRAY_SIZE(back), &len2);
	ok(again >= 0 && same_bytes(again, len2, b->p, b->len), "there and back again");
	free(copy);
	close(again);
	close(fd);
}

/* A socket and a named pipe: what has more in its data than a path. */
static void test_moved_more(void)
{
	static const struct ckpt_move moves[] = { { "/run", "/var/run" } };
	static const struct ckpt_move far[] = {
		{ "/run", "/a/name/that/is/far/too/long/for/the/address/of/a/socket/as/there/are/"
			  "but/a/hundred/and/eight/bytes/for/it" },
	};
	struct {
		struct ckpt_sockopt opt;
		__u32 groups[2];
		char addr[2 + 8];
		char path[8];
	} __attribute__((packed)) data = {
		.groups = { 7, 8 }, .addr = "\1\0/run/me", .path = "/run/me",
	};
	struct ckpt_unix u = {
		.type = 1, .state = 1, .nr_opts = 1, .nr_groups = 2, .mode = 0140777,
		.addr_len = sizeof(data.addr), .path_len = sizeof(data.path),
	};
	struct ckpt_pipe pipe = { .ring_size = 1, .mode = 010600, .name_len = 8 };
	struct ckpt_rec rec;
	struct ckpt_reader *r;
	struct builder b = { };
	size_t len;
	int fd, good = 0;

	memcpy(data.addr, "\1\0/run/me", 10);
	put_header(&b, 0);
	put(&b, CKPT_REC_UNIX, 1, &u, sizeof(u), &data, sizeof(data));
	put(&b, CKPT_REC_PIPE, 2, &pipe, sizeof(pipe), "/run/p2", 8);
	put_trailer(&b);
	fd = relocate(b.p, b.len, moves, 1, &len);
	r = ckpt_reader_open(fd);
	while (ckpt_reader_next(r, &rec) > 0) {
		const struct ckpt_unix *sock = rec.body;
		const char *p = rec.data;
		size_t at = sizeof(data.opt) + sizeof(data.groups);

		if (rec.h.type == CKPT_REC_UNIX)
			good += sock->addr_len == 14 && sock->path_len == 12 &&
				rec.data_len == at + 26 && !memcmp(p, &data, at + 2) &&
				!memcmp(p + at + 2, "/var/run/me", 12) &&
				!memcmp(p + at + 14, "/var/run/me", 12);
		else if (rec.h.type == CKPT_REC_PIPE)
			good += ((const struct ckpt_pipe *)rec.body)->name_len == 12 &&
				rec.data_len == 12 && !memcmp(p, "/var/run/p2", 12);
	}
	ok(good == 2, "addresses of sockets and names of pipes move");
	ckpt_reader_close(r);
	close(fd);
	ok(relocate(b.p, b.len, far, 1, &len) == -ENAMETOOLONG, "an address that is too long");
	free(b.p);
}

static void test_relocate_kinds(void)
{
	static const unsigned int kinds[] = {
		0, IMAGE_GROWN, IMAGE_OPTIONAL, IMAGE_EVIL, IMAGE_GROWN | IMAGE_OPTIONAL
	};
	static const struct ckpt_move nothing[] = { { "/not/there", "/x" } };
	bool same = true;
	struct builder b;
	size_t i, len;
	int fd;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		make_image(&b, kinds[i]);
		fd = relocate(b.p, b.len, nothing, 1, &len);
		same &= fd >= 0 && same_bytes(fd, len, b.p, b.len);
		close(fd);
		free(b.p);
	}
	ok(same, "with nothing to move an image comes out as it was");
}

/* What is damaged must not come out as if it were whole. */
static void test_relocate_bad(const struct builder *b)
{
	static const struct ckpt_move moves[] = { { "/tmp", "/a/much/longer/name" } };
	unsigned char *p = malloc(b->len);
	bool noticed = true;
	__u64 rnd = 88172645463325252ULL;
	size_t i, len;
	int fd;

	for (i = 0; i < b->len; i += i < 3000 ? 7 : 501) {
		fd = relocate(b->p, i, moves, 1, &len);
		noticed &= fd < 0;
		if (fd >= 0)
			close(fd);
		memcpy(p, b->p, b->len);
		p[i] ^= 0x10;
		fd = relocate(p, b->len, moves, 1, &len);
		noticed &= fd < 0;
		if (fd >= 0)
			close(fd);
	}
	ok(noticed, "an image that is cut off or damaged does not come through");
	/* with right checksums, and contents of any kind */
	for (i = 0; i < 2000; i++) {
		memcpy(p, b->p, b->len);
		rnd ^= rnd << 13;
		rnd ^= rnd >> 7;
		rnd ^= rnd << 17;
		p[rnd % b->len & ~3ULL] ^= (unsigned char)(rnd >> 56);
		fix_checksums(p, b->len);
		fd = relocate(p, b->len, moves, 1, &len);
		if (fd >= 0)
			close(fd);
	}
	ok(true, "hostile images do no harm");
	free(p);
}

int main(void)
{
	struct builder b;

	make_image(&b, 0);
	test_crc();
	test_errors();
	test_whole(&b);
	test_streamed(&b);
	test_versions();
	test_order(&b);
	test_huge();
	test_damage(&b);
	test_move_path();
	test_moved(&b);
	test_moved_more();
	test_relocate_kinds();
	test_relocate_bad(&b);
	free(b.p);
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of libckpt: checksums, errnos, and the reader of images.
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
	free(b.p);
	return tap_end();
}

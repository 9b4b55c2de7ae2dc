// SPDX-License-Identifier: LGPL-2.1
/*
 * Images that stand on others: of the bytes of an image, those that an earlier
 * one has are left out.
 *
 * Memory that did not change is found by what it is, not by where it was: that
 * needs no help of the kernel, and works for shared and moved memory, for files
 * in the image, and for tasks that were restarted meanwhile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream.h"

#define BLOCK	CKPT_INCREMENTAL_BLOCK
#define CHUNK	0x100000	/* a multiple of it */

/* How many places are looked at for a block. */
#define PROBES	32

/**
 * struct block - where one with this sum is
 * @sum: Of its contents.
 * @offset: In the file.
 * @file: Which one, plus 1; 0 for an empty place of the table.
 */
struct block {
	__u64	sum;
	__u64	offset : 48;
	__u64	file : 16;
};

/* A parent, or what that stands on. */
struct source {
	const char	*path;
	int		fd;
	struct ckpt_parent info;
};

/* Bytes that are next to each other in one file. */
struct run {
	__u32	file;
	__u64	offset;
	__u64	len;
};

struct shrink {
	int		out;
	const char	*replaces;
	struct stream	parent;
	int		parent_fd;
	struct source	*files;
	__u32		nr_files;
	struct block	*table;
	size_t		mask;
	struct run	run;		/* what comes next; none if @len is 0 */
	__u64		total;
	char		*error;
	size_t		error_size;
};

__attribute__((format(printf, 3, 4)))
static int fail(struct shrink *s, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (s->error_size)
		vsnprintf(s->error, s->error_size, fmt, ap);
	va_end(ap);
	errno = err;
	return -1;
}

static int write_all(struct shrink *s, const void *buf, size_t len)
{
	const char *p = buf;
	ssize_t n;

	while (len) {
		n = write(s->out, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(s, errno, "cannot write: %s", strerror(errno));
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- what there is already -------------------------------------------- */

static __u64 block_sum(const unsigned char *p)
{
	__u64 lane[4] = { 1, 2, 3, 4 }, word[4], sum = 0;
	size_t i, k;

	for (i = 0; i < BLOCK; i += sizeof(word)) {
		memcpy(word, p + i, sizeof(word));
		for (k = 0; k < 4; k++) {
			lane[k] = (lane[k] ^ word[k]) * 0x9e3779b97f4a7c15ULL;
			lane[k] ^= lane[k] >> 29;
		}
	}
	for (k = 0; k < 4; k++)
		sum = (sum ^ lane[k]) * 0xbf58476d1ce4e5b9ULL + (sum >> 31);
	return sum;
}

static void add_block(struct shrink *s, const unsigned char *p, __u32 file, __u64 offset)
{
	__u64 sum = block_sum(p);
	struct block *b;
	size_t i;

	for (i = 0; i < PROBES; i++) {
		b = &s->table[(sum + i) & s->mask];
		/* The first one is as good as another. */
		if (b->file && b->sum == sum)
			return;
		if (b->file)
			continue;
		b->sum = sum;
		b->file = file + 1;
		b->offset = offset;
		return;
	}
}

static ssize_t pread_all(int fd, void *buf, size_t len, __u64 offset)
{
	size_t have = 0;
	ssize_t n = 1;

	while (have < len && n) {
		n = pread(fd, (char *)buf + have, len - have, (off_t)(offset + have));
		if (n > 0)
			have += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			return -1;
	}
	return (ssize_t)have;
}

/* What can't be read is not there. */
static bool has_block(const struct shrink *s, __u32 file, __u64 offset, const unsigned char *p)
{
	const struct source *f = &s->files[file];
	unsigned char have[BLOCK];

	return offset <= f->info.size && BLOCK <= f->info.size - offset &&
	       pread_all(f->fd, have, BLOCK, offset) == BLOCK && !memcmp(have, p, BLOCK);
}

static bool find_block(const struct shrink *s, const unsigned char *p, struct run *where)
{
	__u64 sum = block_sum(p);
	const struct block *b;
	size_t i;

	for (i = 0; i < PROBES; i++) {
		b = &s->table[(sum + i) & s->mask];
		if (!b->file)
			return false;
		if (b->sum == sum && has_block(s, b->file - 1, b->offset, p)) {
			where->file = b->file - 1;
			where->offset = b->offset;
			return true;
		}
	}
	return false;
}

/* The processes that an image begins with, or NULL. */
static const struct ckpt_tree_task *tasks(const unsigned char *p, size_t len, size_t *nr)
{
	struct ckpt_record h;

	while (len >= sizeof(h)) {
		memcpy(&h, p, sizeof(h));
		if (h.length < sizeof(h) || h.length % 8)
			break;
		if (h.type == CKPT_REC_TREE) {
			if (h.body_len > len - sizeof(h))
				break;
			*nr = (len - sizeof(h) - h.body_len) / sizeof(struct ckpt_tree_task);
			if (*nr > h.data_len / sizeof(struct ckpt_tree_task))
				*nr = h.data_len / sizeof(struct ckpt_tree_task);
			return (const void *)(p + sizeof(h) + h.body_len);
		}
		if (h.length > len)
			break;
		p += h.length;
		len -= h.length;
	}
	return NULL;
}

static bool are_related(const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len)
{
	const struct ckpt_tree_task *ta, *tb;
	size_t na, nb, i, k;

	ta = tasks(a, a_len, &na);
	tb = tasks(b, b_len, &nb);
	if (!ta || !tb)
		return false;
	for (i = 0; i < na; i++)
		for (k = 0; k < nb; k++)
			if (ta[i].pid == tb[k].pid)
				return true;
	return false;
}

static bool same_inode(int fd, const struct stat *st)
{
	struct stat is;

	return !fstat(fd, &is) && is.st_dev == st->st_dev && is.st_ino == st->st_ino;
}

/* What the image stands on must still be there when it is complete. */
static int add_file(struct shrink *s, const char *path, int fd, const struct ckpt_parent *info)
{
	struct source *f = &s->files[s->nr_files];
	struct stat st;

	if (info->size >= 1ULL << 48)
		return fail(s, EFBIG, "%s: is too large", path);
	if ((s->replaces && !stat(s->replaces, &st) && same_inode(fd, &st)) ||
	    (!fstat(s->out, &st) && same_inode(fd, &st)))
		return fail(s, EINVAL, "%s: would be lost, and the image stands on it", path);
	/* The name is what it will be found by. */
	if (stat(path, &st))
		return fail(s, errno, "%s: %s", path, strerror(errno));
	if (!same_inode(fd, &st))
		return fail(s, EBADMSG, "%s: was replaced by another one", path);
	f->path = path;
	f->fd = fd;
	f->info = *info;
	s->nr_files++;
	return 0;
}

/* What the parent is made of: itself, after what it stands on. */
static int add_files(struct shrink *s, const char *path)
{
	struct ckpt_parent info;
	__u32 i;
	int err;

	err = parent_examine(s->parent_fd, &info);
	if (err)
		return fail(s, EBADMSG, "%s: %s", path,
			    err == -ENOEXEC || err == -EINVAL ? "is no image" : strerror(-err));
	if (s->parent.nr_parents == CKPT_PARENTS_MAX)
		return fail(s, E2BIG, "%s: stands on %u others already, see ckptinfo merge",
			    path, CKPT_PARENTS_MAX);
	s->files = calloc(s->parent.nr_parents + 1, sizeof(*s->files));
	if (!s->files)
		return fail(s, ENOMEM, "not enough memory");
	for (i = 0; i < s->parent.nr_parents; i++)
		if (add_file(s, s->parent.parents[i].path, s->parent.parents[i].fd,
			     &s->parent.parents[i].info))
			return -1;
	return add_file(s, path, s->parent_fd, &info);
}

static int make_table(struct shrink *s)
{
	__u64 blocks = 0;
	size_t size = 1024;
	__u32 i;

	for (i = 0; i < s->nr_files; i++)
		blocks += s->files[i].info.size / BLOCK;
	while (size < 2 * blocks)
		size *= 2;
	s->table = calloc(size, sizeof(*s->table));
	if (!s->table)
		return fail(s, ENOMEM, "not enough memory");
	s->mask = size - 1;
	return 0;
}

/* Learn the blocks of the parent. Its first bytes go to @first. */
static int learn(struct shrink *s, const char *path, unsigned char *first, size_t *first_len)
{
	static const char damaged[] = "%s: cannot be stood on: %s";
	__u64 pos = 0, end;
	unsigned char *buf;
	size_t skip;
	ssize_t n;
	__u32 file;
	int ret = -1;

	buf = malloc(CHUNK);
	if (!buf)
		return fail(s, ENOMEM, "not enough memory");
	*first_len = 0;
	while ((n = stream_read(&s->parent, buf, CHUNK)) > 0) {
		if (!s->files && (add_files(s, path) || make_table(s)))
			goto out;
		if (*first_len < CHUNK) {
			size_t more = CHUNK - *first_len;

			if (more > (size_t)n)
				more = (size_t)n;
			memcpy(first + *first_len, buf, more);
			*first_len += more;
		}
		file = stream_where(&s->parent, &end);
		skip = (BLOCK - pos % BLOCK) % BLOCK;
		for (; skip + BLOCK <= (size_t)n; skip += BLOCK)
			add_block(s, buf + skip, file, end - (size_t)n + skip);
		pos += (size_t)n;
	}
	if (n < 0)
		fail(s, errno, damaged, path, s->parent.error);
	else if (!s->files)
		fail(s, EBADMSG, damaged, path, "it is empty");
	else
		ret = 0;
out:
	free(buf);
	return ret;
}

/* Whether a file is a whole image shows at its end. */
static int check_whole(struct shrink *s, const char *path)
{
	const struct source *f = &s->files[s->nr_files - 1];
	struct {
		struct ckpt_record h;
		struct ckpt_trailer body;
	} last;

	/* It has an end, but says nothing of what was written in between. */
	if (s->parent.incremental)
		return 0;
	if (f->info.size >= sizeof(last) &&
	    pread_all(f->fd, &last, sizeof(last), f->info.size - sizeof(last)) == sizeof(last) &&
	    last.h.type == CKPT_REC_TRAILER && last.h.length == sizeof(last) &&
	    last.body.bytes == f->info.size - sizeof(last))
		return 0;
	return fail(s, EBADMSG, "%s: is no whole image", path);
}

/* ---- what is written -------------------------------------------------- */

static int write_head(struct shrink *s)
{
	struct ckpt_incremental head = {
		.magic = CKPT_INCREMENTAL_MAGIC,
		.version = CKPT_INCREMENTAL_VERSION,
		.nr_parents = s->nr_files,
	};
	char *path, *padded;
	size_t len;
	__u32 i;
	int ret;

	if (write_all(s, &head, sizeof(head)))
		return -1;
	for (i = 0; i < s->nr_files; i++) {
		struct ckpt_parent info = s->files[i].info;

		path = realpath(s->files[i].path, NULL);
		if (!path)
			return fail(s, errno, "%s: %s", s->files[i].path, strerror(errno));
		len = strlen(path);
		info.path_len = (__u32)(len / 8 + 1) * 8;
		info.reserved = 0;
		padded = calloc(1, info.path_len);
		if (!padded) {
			free(path);
			return fail(s, ENOMEM, "not enough memory");
		}
		memcpy(padded, path, len);
		ret = write_all(s, &info, sizeof(info));
		if (!ret)
			ret = write_all(s, padded, info.path_len);
		free(padded);
		free(path);
		if (ret)
			return -1;
	}
	return 0;
}

static int write_run(struct shrink *s)
{
	struct ckpt_piece piece = {
		.kind = CKPT_PIECE_PARENT,
		.parent = s->run.file,
		.offset = s->run.offset,
		.len = s->run.len,
	};

	s->run.len = 0;
	return piece.len ? write_all(s, &piece, sizeof(piece)) : 0;
}

static int write_new(struct shrink *s, const unsigned char *p, size_t len)
{
	struct ckpt_piece piece = { .kind = CKPT_PIECE_HERE, .len = len };

	if (!len)
		return 0;
	if (write_run(s) || write_all(s, &piece, sizeof(piece)))
		return -1;
	return write_all(s, p, len);
}

/* Write what is new in @buf, and remember the rest. */
static int shrink_chunk(struct shrink *s, const unsigned char *buf, size_t len)
{
	struct run next = s->run, found;
	size_t at, new = 0;

	next.offset += next.len;
	for (at = 0; at + BLOCK <= len; at += BLOCK) {
		/* Most of the time it goes on like that. */
		found = next;
		if (!has_block(s, next.file, next.offset, buf + at) &&
		    !find_block(s, buf + at, &found)) {
			next.offset += BLOCK;
			continue;
		}
		if (at > new && write_new(s, buf + new, at - new))
			return -1;
		if (s->run.len && (s->run.file != found.file ||
				   s->run.offset + s->run.len != found.offset) && write_run(s))
			return -1;
		if (!s->run.len) {
			s->run = found;
			s->run.len = 0;
		}
		s->run.len += BLOCK;
		next = found;
		next.offset += BLOCK;
		new = at + BLOCK;
	}
	return write_new(s, buf + new, len - new);
}

static int shrink_image(struct shrink *s, int in, const char *path)
{
	unsigned char *buf = malloc(CHUNK), *first = malloc(CHUNK);
	size_t have, first_len = 0;
	bool begun = false;
	ssize_t n;
	int ret = -1;

	if (!buf || !first) {
		fail(s, ENOMEM, "not enough memory");
		goto out;
	}
	if (learn(s, path, first, &first_len) || check_whole(s, path))
		goto out;
	do {
		for (have = 0; have < CHUNK; have += (size_t)n) {
			n = read(in, buf + have, CHUNK - have);
			if (n < 0 && errno == EINTR) {
				n = 0;
				continue;
			}
			if (n <= 0)
				break;
		}
		if (n < 0) {
			fail(s, errno, "cannot read: %s", strerror(errno));
			goto out;
		}
		/* What failed before it wrote anything has its own words for it. */
		if (!have)
			break;
		if (!begun && !are_related(first, first_len, buf, have)) {
			fail(s, EINVAL, "%s: is of other processes", path);
			goto out;
		}
		if (!begun && write_head(s))
			goto out;
		begun = true;
		if (shrink_chunk(s, buf, have))
			goto out;
		s->total += have;
	} while (have == CHUNK);
	if (begun) {
		struct ckpt_piece end = { .kind = CKPT_PIECE_END, .len = s->total };

		if (write_run(s) || write_all(s, &end, sizeof(end)))
			goto out;
	}
	ret = 0;
out:
	free(first);
	free(buf);
	return ret;
}

int ckpt_shrink(int in, int out, const char *parent, const char *replaces,
		char *error, size_t error_size)
{
	struct shrink s = {
		.out = out, .replaces = replaces, .error = error, .error_size = error_size,
	};
	int ret, err;

	s.parent_fd = open(parent, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (s.parent_fd < 0)
		return fail(&s, errno, "%s: %s", parent, strerror(errno));
	stream_init(&s.parent, s.parent_fd);
	ret = shrink_image(&s, in, parent);
	err = errno;
	free(s.files);
	free(s.table);
	stream_free(&s.parent);
	close(s.parent_fd);
	errno = err;
	return ret;
}

int ckpt_merge(int in, int out, char *error, size_t error_size)
{
	struct shrink s = {
		.out = out, .error = error, .error_size = error_size,
	};
	unsigned char *buf = malloc(CHUNK);
	struct stream stream;
	ssize_t n;
	int ret = 0, err;

	if (!buf)
		return fail(&s, ENOMEM, "not enough memory");
	stream_init(&stream, in);
	while (!ret && (n = stream_read(&stream, buf, CHUNK)) != 0) {
		if (n < 0)
			ret = fail(&s, errno, "%s", stream.error);
		else
			ret = write_all(&s, buf, (size_t)n);
	}
	err = errno;
	stream_free(&stream);
	free(buf);
	errno = err;
	return ret;
}

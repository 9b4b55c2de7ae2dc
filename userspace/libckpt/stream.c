// SPDX-License-Identifier: LGPL-2.1
/*
 * Reading of images that stand on others. Such an image is untrusted like any
 * other: what it calls its parents must be images, too.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream.h"

static_assert(sizeof(struct ckpt_incremental) == 24, "has padding");
static_assert(sizeof(struct ckpt_parent) == 24, "has padding");
static_assert(sizeof(struct ckpt_piece) == 24, "has padding");

/* How much at each end of a parent tells it from others. */
#define ENDS	4096

__attribute__((format(printf, 3, 4)))
static int fail(struct stream *s, int err, const char *fmt, ...)
{
	va_list ap;
	char *c;

	va_start(ap, fmt);
	vsnprintf(s->error, sizeof(s->error), fmt, ap);
	va_end(ap);
	/* Names come from the image, and a terminal might obey them. */
	for (c = s->error; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	errno = err;
	return -1;
}

static ssize_t pread_all(int fd, void *buf, size_t len, __u64 offset)
{
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		n = pread(fd, (char *)buf + have, len - have, (off_t)(offset + have));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

/* ---- what an image begins with ---------------------------------------- */

static bool is_incremental(const unsigned char *p, size_t len)
{
	__u64 magic = CKPT_INCREMENTAL_MAGIC;

	return len >= sizeof(magic) && !memcmp(p, &magic, sizeof(magic));
}

static bool is_image(const unsigned char *p, size_t len)
{
	struct {
		struct ckpt_record h;
		struct ckpt_header body;
	} first;

	if (is_incremental(p, len))
		return true;
	if (len < sizeof(first))
		return false;
	memcpy(&first, p, sizeof(first));
	return first.h.type == CKPT_REC_HEADER && first.body.magic == CKPT_MAGIC;
}

int parent_examine(int fd, struct ckpt_parent *info)
{
	unsigned char first[ENDS], last[ENDS];
	ssize_t n;
	struct stat st;

	memset(info, 0, sizeof(*info));
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* Files of /proc have no size, and may be none to read. */
	if (!st.st_size)
		return -ENOEXEC;
	info->size = (__u64)st.st_size;
	n = pread_all(fd, first, sizeof(first), 0);
	if (n < 0)
		return -errno;
	if (!is_image(first, (size_t)n))
		return -ENOEXEC;
	info->crc_first = ckpt_crc32c(~0U, first, (size_t)n);
	n = pread_all(fd, last, (size_t)n, info->size - (size_t)n);
	if (n < 0)
		return -errno;
	info->crc_last = ckpt_crc32c(~0U, last, (size_t)n);
	return 0;
}

/* The first bytes of what can't be read twice. */
static ssize_t peek_pipe(int fd, void *buf, size_t len)
{
	ssize_t n = -1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	/* Less than that is no image, and it is soon told. */
	/* If a signal interrupts that, it is for who waits, and will come again. */
	n = tee(fd, fds[1], len, 0);
	if (n > 0)
		n = read(fds[0], buf, (size_t)n);
	close(fds[0]);
	close(fds[1]);
	return n;
}

bool ckpt_is_incremental(int fd)
{
	unsigned char magic[sizeof(__u64)];
	struct stat st;
	ssize_t n = -1;
	off_t at;

	if (fstat(fd, &st))
		return false;
	if (S_ISSOCK(st.st_mode)) {
		n = recv(fd, magic, sizeof(magic), MSG_PEEK | MSG_WAITALL);
	} else if (S_ISFIFO(st.st_mode)) {
		n = peek_pipe(fd, magic, sizeof(magic));
	} else {
		at = lseek(fd, 0, SEEK_CUR);
		if (at >= 0)
			n = pread_all(fd, magic, sizeof(magic), (__u64)at);
	}
	return n >= 0 && is_incremental(magic, (size_t)n);
}

/* ---- the stream ------------------------------------------------------- */

void stream_init(struct stream *s, int fd)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
}

void stream_free(struct stream *s)
{
	__u32 i;

	for (i = 0; i < s->nr_parents; i++) {
		if (s->parents[i].fd >= 0)
			close(s->parents[i].fd);
		free(s->parents[i].path);
	}
	free(s->parents);
	s->parents = NULL;
	s->nr_parents = 0;
}

/* Read from the file itself, as read(2). */
static ssize_t take(struct stream *s, void *buf, size_t len)
{
	ssize_t n;

	do {
		n = read(s->fd, buf, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(s, errno, "cannot be read: %s", strerror(errno));
	s->taken += (size_t)n;
	return n;
}

/* All of it: nothing less makes sense. */
static int take_all(struct stream *s, void *buf, size_t len)
{
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		n = take(s, (char *)buf + have, len - have);
		if (n < 0)
			return -1;
		if (!n)
			return fail(s, EBADMSG, "truncated: it has %llu bytes of its own",
				    s->taken);
		have += (size_t)n;
	}
	return 0;
}

/* Where the image is that is read, if that can be told. */
static char *beside(const struct stream *s, const char *path)
{
	char link[64], dir[PATH_MAX], *copy, *found = NULL;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", s->fd);
	n = readlink(link, dir, sizeof(dir) - 1);
	copy = strdup(path);
	if (n > 0 && *dir == '/' && copy) {
		dir[n] = '\0';
		if (asprintf(&found, "%s/%s", dirname(dir), basename(copy)) < 0)
			found = NULL;
	}
	free(copy);
	return found;
}

static bool same(const struct ckpt_parent *a, const struct ckpt_parent *b)
{
	return a->size == b->size && a->crc_first == b->crc_first &&
	       a->crc_last == b->crc_last;
}

/* To open what is no file may have effects. */
static int open_file(const char *path, __u64 size)
{
	int at = open(path, O_PATH | O_CLOEXEC), fd = -1, err;
	char link[64];
	struct stat st;

	if (at < 0)
		return -1;
	if (fstat(at, &st) || !S_ISREG(st.st_mode) || (__u64)st.st_size != size) {
		err = ESTALE;
	} else {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
		fd = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		err = errno;
	}
	close(at);
	errno = err;
	return fd;
}

/* Open a parent at @path if it is the one. Returns whether it is. */
static bool try_parent(struct parent *p, char *path, const char **why)
{
	static const char other[] = "is not the same any more";
	struct ckpt_parent info;
	int err;

	p->fd = path ? open_file(path, p->info.size) : -1;
	if (p->fd < 0) {
		if (path && errno != ENOENT)
			*why = errno == ESTALE ? other : strerror(errno);
		return false;
	}
	err = parent_examine(p->fd, &info);
	if (!err && same(&info, &p->info)) {
		p->path = path;
		return true;
	}
	*why = err && err != -ENOEXEC && err != -EINVAL ? strerror(-err) : other;
	close(p->fd);
	p->fd = -1;
	return false;
}

/* It is where it was, or beside the image that stands on it. */
static int find_parent(struct stream *s, struct parent *p, char *path)
{
	const char *why = "is missing";
	char *other;

	if (try_parent(p, path, &why))
		return 0;
	other = beside(s, path);
	if (try_parent(p, other, &why)) {
		free(path);
		return 0;
	}
	fail(s, EBADMSG, "stands on %s, which %s", path, why);
	free(other);
	free(path);
	errno = EBADMSG;
	return -1;
}

static int read_parents(struct stream *s)
{
	struct ckpt_incremental head;
	struct parent *p;
	char *path;

	memcpy(&head, s->head, sizeof(head));
	if (head.version != CKPT_INCREMENTAL_VERSION)
		return fail(s, ENOEXEC, "is incremental, of version %u; this program knows %u",
			    head.version, CKPT_INCREMENTAL_VERSION);
	if (head.reserved || !head.nr_parents || head.nr_parents > CKPT_PARENTS_MAX)
		return fail(s, EINVAL, "stands on %u other images", head.nr_parents);
	s->parents = calloc(head.nr_parents, sizeof(*s->parents));
	if (!s->parents)
		return fail(s, ENOMEM, "not enough memory");
	while (s->nr_parents < head.nr_parents) {
		p = &s->parents[s->nr_parents];
		if (take_all(s, &p->info, sizeof(p->info)))
			return -1;
		if (!p->info.path_len || p->info.path_len > PATH_MAX || p->info.path_len % 8 ||
		    p->info.reserved)
			return fail(s, EINVAL, "the name of a parent makes no sense");
		path = malloc(p->info.path_len + 1);
		if (!path)
			return fail(s, ENOMEM, "not enough memory");
		if (take_all(s, path, p->info.path_len)) {
			free(path);
			return -1;
		}
		path[p->info.path_len] = '\0';
		p->fd = -1;
		s->nr_parents++;
		if (find_parent(s, p, path))
			return -1;
	}
	return 0;
}

static int begin(struct stream *s)
{
	ssize_t n;

	s->begun = true;
	/* What is no image has a right to be short: who reads it will tell. */
	while (s->head_len < sizeof(s->head)) {
		n = take(s, s->head + s->head_len, sizeof(s->head) - s->head_len);
		if (n < 0)
			return -1;
		if (!n)
			break;
		s->head_len += (size_t)n;
	}
	s->incremental = is_incremental(s->head, s->head_len);
	if (!s->incremental)
		return 0;
	if (s->head_len < sizeof(s->head))
		return fail(s, EBADMSG, "truncated: it ends at byte %llu", s->taken);
	return read_parents(s);
}

/* Make the next piece the one at hand. Returns 1, 0 at the end, or -1. */
static int next_piece(struct stream *s)
{
	struct ckpt_piece *p = &s->piece;

	if (s->done)
		return 0;
	if (take_all(s, p, sizeof(*p)))
		return -1;
	if (p->kind == CKPT_PIECE_END) {
		if (p->len != s->pos || p->parent || p->offset)
			return fail(s, EBADMSG, "its end tells of %llu bytes, but there are %llu",
				    p->len, s->pos);
		s->done = true;
		return 0;
	}
	if (!p->len || p->len > (1ULL << 62))
		return fail(s, EINVAL, "a piece of %llu bytes", p->len);
	if (p->kind == CKPT_PIECE_HERE && !p->parent && !p->offset)
		return 1;
	if (p->kind != CKPT_PIECE_PARENT || p->parent >= s->nr_parents ||
	    p->offset > s->parents[p->parent].info.size ||
	    p->len > s->parents[p->parent].info.size - p->offset)
		return fail(s, EINVAL, "a piece makes no sense");
	return 1;
}

ssize_t stream_read(struct stream *s, void *buf, size_t len)
{
	ssize_t n;
	int ret;

	if (!s->begun && begin(s))
		return -1;
	if (!s->incremental) {
		size_t head = s->head_len - s->head_at;

		if (head > len)
			head = len;
		memcpy(buf, s->head + s->head_at, head);
		s->head_at += head;
		n = len > head ? take(s, (char *)buf + head, len - head) : 0;
		if (n < 0)
			return -1;
		n += (ssize_t)head;
		s->pos += (size_t)n;
		return n;
	}

	if (!s->piece.len || s->done) {
		ret = next_piece(s);
		if (ret <= 0)
			return ret;
	}
	if (len > s->piece.len)
		len = (size_t)s->piece.len;
	if (s->piece.kind == CKPT_PIECE_HERE) {
		n = take(s, buf, len);
		if (!n)
			return fail(s, EBADMSG, "truncated: it has %llu bytes of its own",
				    s->taken);
	} else {
		n = pread_all(s->parents[s->piece.parent].fd, buf, len, s->piece.offset);
		if (n < 0)
			return fail(s, errno, "%s: cannot be read: %s",
				    s->parents[s->piece.parent].path, strerror(errno));
		if (!n)
			return fail(s, EBADMSG, "%s: is shorter than it was",
				    s->parents[s->piece.parent].path);
		s->piece.offset += (size_t)n;
	}
	if (n > 0) {
		s->piece.len -= (size_t)n;
		s->pos += (size_t)n;
	}
	return n;
}

__u32 stream_where(const struct stream *s, __u64 *offset)
{
	if (s->incremental && s->piece.kind == CKPT_PIECE_PARENT) {
		*offset = s->piece.offset;
		return s->piece.parent;
	}
	*offset = s->incremental ? s->taken : s->pos;
	return s->nr_parents;
}

// SPDX-License-Identifier: LGPL-2.1
/*
 * Other paths for an image: a filter from one descriptor to another, which
 * reads and writes front to back and holds one record at a time.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "ckpt.h"

#define CHUNK	0x100000	/* of what is streamed */

/* Where sun_path begins in the bytes of an address. */
#define SUN_AT	offsetof(struct sockaddr_un, sun_path)

static_assert(sizeof(((struct ckpt_unix *)0)->addr_len) == 4, "is a __u32");

struct buffer {
	unsigned char	*p;
	size_t		len, size;
};

struct filter {
	struct ckpt_reader *in;
	int		out;
	const struct ckpt_move *moves;
	size_t		nr;
	__u64		offset;		/* of what is written next */
	struct buffer	rec;		/* the record as it will be */
	struct buffer	data;		/* its data, changed */
	char		*error;
	size_t		error_size;
};

__attribute__((format(printf, 3, 4)))
static int fail(struct filter *f, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (f->error_size)
		vsnprintf(f->error, f->error_size, fmt, ap);
	va_end(ap);
	errno = err;
	return -1;
}

/* Room for that much more. */
static int reserve(struct filter *f, struct buffer *b, size_t len)
{
	size_t size = b->len + len;
	unsigned char *p;

	if (size <= b->size)
		return 0;
	size += size / 2;
	p = realloc(b->p, size);
	if (!p)
		return fail(f, ENOMEM, "not enough memory");
	b->p = p;
	b->size = size;
	return 0;
}

static int append(struct filter *f, struct buffer *b, const void *from, size_t len)
{
	if (reserve(f, b, len))
		return -1;
	if (from && len)
		memcpy(b->p + b->len, from, len);
	else if (len)
		memset(b->p + b->len, 0, len);
	b->len += len;
	return 0;
}

/* ---- paths ------------------------------------------------------------ */

/* Without slashes at its end, which the root alone has. */
static size_t path_len(const char *path)
{
	size_t len = strlen(path);

	while (len && path[len - 1] == '/')
		len--;
	return len;
}

int ckpt_move_path(const struct ckpt_move *moves, size_t nr, const char *path,
		   char *buf, size_t size)
{
	const struct ckpt_move *best = NULL;
	size_t i, len, best_len = 0, to;
	const char *rest;

	for (i = 0; i < nr; i++) {
		len = path_len(moves[i].from);
		if (strncmp(path, moves[i].from, len) || (path[len] && path[len] != '/'))
			continue;
		/* The later of two that are the same. */
		if (!best || len >= best_len) {
			best = &moves[i];
			best_len = len;
		}
	}
	if (!best || path[0] != '/')
		return 0;
	rest = path + best_len;
	to = path_len(best->to);
	/* The root itself. */
	if (!strcmp(rest, "/"))
		rest++;
	len = strlen(rest);
	if (to + len + 1 > size || size < 2) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(buf, best->to, to);
	memcpy(buf + to, rest, len + 1);
	if (!to && !len)
		memcpy(buf, "/", 2);
	return 1;
}

/* Append a string, with its NUL, moved. Returns its length, or -1. */
static ssize_t add_path(struct filter *f, const char *path, size_t len)
{
	char buf[PATH_MAX];
	int ret = 0;

	/* What is malformed is left for the kernel to refuse. */
	if (len && strnlen(path, len) == len - 1)
		ret = ckpt_move_path(f->moves, f->nr, path, buf, sizeof(buf));
	if (ret < 0)
		return fail(f, ENAMETOOLONG, "%.100s...: would have too long a name", path);
	if (ret) {
		path = buf;
		len = strlen(buf) + 1;
	}
	if (append(f, &f->data, path, len))
		return -1;
	return (ssize_t)len;
}

/* ---- records ---------------------------------------------------------- */

static int move_fs(struct filter *f, struct ckpt_fs *fs, const struct ckpt_rec *rec)
{
	const char *data = rec->data;
	ssize_t root, cwd;

	if ((__u64)fs->root_len + fs->cwd_len != rec->data_len)
		return fail(f, EINVAL, "the paths of a directory do not add up");
	root = add_path(f, data, fs->root_len);
	cwd = root < 0 ? -1 : add_path(f, data + fs->root_len, fs->cwd_len);
	if (cwd < 0)
		return -1;
	fs->root_len = (__u32)root;
	fs->cwd_len = (__u32)cwd;
	return 0;
}

static int move_pipe(struct filter *f, struct ckpt_pipe *pipe, const struct ckpt_rec *rec)
{
	const char *data = rec->data;
	ssize_t len;

	if (pipe->name_len > rec->data_len)
		return fail(f, EINVAL, "the name of a pipe is missing");
	if (append(f, &f->data, data, rec->data_len - pipe->name_len))
		return -1;
	len = add_path(f, data + rec->data_len - pipe->name_len, pipe->name_len);
	if (len < 0)
		return -1;
	pipe->name_len = (__u32)len;
	return 0;
}

/* The address is what programs see; it moves with the file that it is. */
static int move_address(struct filter *f, struct ckpt_unix *u, const char *addr)
{
	char path[sizeof(struct sockaddr_un) + 2], buf[PATH_MAX];
	size_t len = u->addr_len;
	int ret = 0;

	if (len > SUN_AT + 1 && len < sizeof(path) + SUN_AT && addr[SUN_AT] == '/') {
		memcpy(path, addr + SUN_AT, len - SUN_AT);
		path[len - SUN_AT] = '\0';
		ret = ckpt_move_path(f->moves, f->nr, path, buf, sizeof(buf));
	}
	if (ret < 0 || (ret && strlen(buf) > sizeof(struct sockaddr_un) - SUN_AT))
		return fail(f, ENAMETOOLONG, "%s: would be too long for the address of a socket",
			    path);
	if (!ret)
		return append(f, &f->data, addr, len);
	u->addr_len = (__u32)(SUN_AT + strlen(buf) + 1);
	return append(f, &f->data, addr, SUN_AT) ||
	       append(f, &f->data, buf, strlen(buf) + 1) ? -1 : 0;
}

static int move_unix(struct filter *f, struct ckpt_unix *u, const struct ckpt_rec *rec)
{
	__u64 before = u->nr_opts * (__u64)sizeof(struct ckpt_sockopt) +
		       u->nr_groups * (__u64)sizeof(__u32);
	__u32 addr_len = u->addr_len;
	const char *data = rec->data;
	ssize_t len;

	if (before + addr_len + u->path_len != rec->data_len)
		return fail(f, EINVAL, "the address of a socket does not add up");
	if (append(f, &f->data, data, before) || move_address(f, u, data + before))
		return -1;
	len = add_path(f, data + before + addr_len, u->path_len);
	if (len < 0)
		return -1;
	u->path_len = (__u32)len;
	return 0;
}

/* Puts the data as they will be into f->data; the body is changed in place. */
static int move_record(struct filter *f, void *body, const struct ckpt_rec *rec)
{
	const struct ckpt_fanotify_event *event = body;
	const struct ckpt_inode *inode = body;
	const struct ckpt_file *file = body;

	switch (rec->h.type) {
	case CKPT_REC_FS:
		return move_fs(f, body, rec);
	case CKPT_REC_PIPE:
		return move_pipe(f, body, rec);
	case CKPT_REC_UNIX:
		return move_unix(f, body, rec);
	case CKPT_REC_FILE:
		/* Who hands something in has the key from the image as it was. */
		if (file->kind == CKPT_FILE_EXTERNAL)
			break;
		return add_path(f, rec->data, rec->data_len) < 0 ? -1 : 0;
	case CKPT_REC_INODE:
		/* Others have a name that is no path. */
		if (inode->kind != CKPT_INODE_DELETED && inode->kind != CKPT_INODE_DIR)
			break;
		return add_path(f, rec->data, rec->data_len) < 0 ? -1 : 0;
	case CKPT_REC_FANOTIFY_EVENT:
		/* Others have handles and names of files, but no path. */
		if (event->kind != CKPT_FANOTIFY_PATH)
			break;
		return add_path(f, rec->data, rec->data_len) < 0 ? -1 : 0;
	case CKPT_REC_FANOTIFY_MARK:
	case CKPT_REC_INOTIFY_WATCH:
	case CKPT_REC_PTY:
		return add_path(f, rec->data, rec->data_len) < 0 ? -1 : 0;
	}
	return append(f, &f->data, rec->data, rec->data_len);
}

/* ---- the stream ------------------------------------------------------- */

static int write_all(struct filter *f, const unsigned char *p, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(f->out, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(f, errno, "cannot pass on the image: %s", strerror(errno));
		p += n;
		len -= (size_t)n;
		f->offset += (__u64)n;
	}
	return 0;
}

/* Everything that is streamed, after what is in f->rec. */
static int add_stream(struct filter *f)
{
	ssize_t n;

	do {
		if (reserve(f, &f->rec, CHUNK))
			return -1;
		n = ckpt_reader_read(f->in, f->rec.p + f->rec.len, CHUNK);
		if (n < 0)
			return fail(f, errno, "%s", ckpt_reader_error(f->in));
		f->rec.len += (size_t)n;
	} while (n);
	return 0;
}

static int write_record(struct filter *f, const struct ckpt_rec *rec)
{
	const struct ckpt_header *header = ckpt_reader_header(f->in);
	__u32 number = (__u32)rec->number, crc;
	struct ckpt_record h = rec->h;
	struct ckpt_trailer *trailer;
	unsigned char *body;
	__u64 at, pad;

	f->rec.len = 0;
	f->data.len = 0;
	if (append(f, &f->rec, &h, sizeof(h)) ||
	    append(f, &f->rec, rec->body, h.body_len))
		return -1;
	body = f->rec.p + sizeof(h);
	/* A body that an older kernel wrote may be shorter than is known. */
	if (h.body_len >= ckpt_record_size(h.type)) {
		if (move_record(f, body, rec))
			return -1;
	} else if (append(f, &f->data, rec->data, rec->data_len)) {
		return -1;
	}
	if (h.type == CKPT_REC_TRAILER) {
		trailer = (void *)body;
		trailer->bytes = f->offset;
	}
	if (append(f, &f->rec, f->data.p, f->data.len))
		return -1;
	if (h.type == CKPT_REC_PAGES) {
		/* Pages are aligned in the stream. */
		at = f->offset + f->rec.len;
		pad = -at & (header->page_size - 1);
		if (append(f, &f->rec, NULL, pad))
			return -1;
	} else if (!rec->stream_len) {
		h.data_len = (__u32)f->data.len;
		if (append(f, &f->rec, NULL, -f->data.len & 7))
			return -1;
		if (f->rec.len - sizeof(h) > CKPT_RECORD_MAX)
			return fail(f, E2BIG, "a record would be too large");
	}
	if (add_stream(f))
		return -1;
	h.length = f->rec.len;
	h.crc = 0;
	memcpy(f->rec.p, &h, sizeof(h));
	crc = ckpt_crc32c(~0U, &number, sizeof(number));
	h.crc = ckpt_crc32c(crc, f->rec.p, f->rec.len);
	memcpy(f->rec.p, &h, sizeof(h));
	return 0;
}

int ckpt_relocate(int in, int out, const struct ckpt_move *moves, size_t nr,
		  char *error, size_t error_size)
{
	struct filter f = {
		.out = out, .moves = moves, .nr = nr,
		.error = error, .error_size = error_size,
	};
	struct ckpt_rec rec;
	int ret, err;

	f.in = ckpt_reader_open(in);
	if (!f.in)
		return fail(&f, ENOMEM, "not enough memory");
	/* A record is passed on when the next one shows that it was not damaged. */
	while ((ret = ckpt_reader_next(f.in, &rec)) > 0) {
		ret = write_all(&f, f.rec.p, f.rec.len);
		if (!ret)
			ret = write_record(&f, &rec);
		if (ret)
			goto out;
	}
	if (ret < 0)
		fail(&f, errno, "%s", ckpt_reader_error(f.in));
	else
		ret = write_all(&f, f.rec.p, f.rec.len);
out:
	err = errno;
	free(f.rec.p);
	free(f.data.p);
	ckpt_reader_close(f.in);
	errno = err;
	return ret;
}

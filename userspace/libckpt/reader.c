// SPDX-License-Identifier: LGPL-2.1
/*
 * Reading of images, record by record. An image is untrusted input: nothing
 * in it is believed before it was checked, and memory is taken only for what
 * really was there to be read.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "images are little endian"
#endif

static_assert(sizeof(struct ckpt_record) == 32, "has padding");
static_assert(sizeof(struct ckpt_header) == 112, "has padding");
static_assert(sizeof(struct ckpt_trailer) == 56, "has padding");

#define READ_AHEAD	0x40000
#define GROW_STEP	0x100000	/* of a buffer, as long as data keep coming */
#define MAX_PAGE_SIZE	0x100000

struct blob {
	unsigned char	*p;
	size_t		size;
};

struct ckpt_reader {
	struct stream	stream;
	int		err;		/* once it failed */
	bool		done;		/* the trailer was read */
	unsigned char	*ahead;
	size_t		ahead_pos;
	size_t		ahead_len;

	struct blob	body;
	struct blob	data;

	__u64	offset;		/* of what is read next */
	__u64	records;
	__u64	objects;
	__u64	pages;
	struct ckpt_header header;
	bool		have_header;

	/* Of the record at hand. */
	struct ckpt_record h;
	__u64	at;
	__u32	crc;
	__u64	pad;		/* zeros before what is streamed */
	__u64	left;		/* yet to be streamed */
	bool		streaming;

	char		error[512];
};

#define NR_TYPES	(CKPT_REC_AUTOGROUP + 1U)	/* the highest known, and one */

static const struct {
	const char	*name;
	size_t		size;
} types[NR_TYPES] = {
	[CKPT_REC_HEADER]	= { "HEADER", sizeof(struct ckpt_header) },
	[CKPT_REC_TREE]		= { "TREE", sizeof(struct ckpt_tree) },
	[CKPT_REC_TASK_BEGIN]	= { "TASK_BEGIN", sizeof(struct ckpt_task_begin) },
	[CKPT_REC_TASK_END]	= { "TASK_END", 0 },
	[CKPT_REC_TRAILER]	= { "TRAILER", sizeof(struct ckpt_trailer) },
	[CKPT_REC_MM]		= { "MM", sizeof(struct ckpt_mm) },
	[CKPT_REC_FILES]	= { "FILES", sizeof(struct ckpt_files) },
	[CKPT_REC_FS]		= { "FS", sizeof(struct ckpt_fs) },
	[CKPT_REC_FILE]		= { "FILE", sizeof(struct ckpt_file) },
	[CKPT_REC_INODE]	= { "INODE", sizeof(struct ckpt_inode) },
	[CKPT_REC_PIPE]		= { "PIPE", sizeof(struct ckpt_pipe) },
	[CKPT_REC_EVENTFD]	= { "EVENTFD", sizeof(struct ckpt_eventfd) },
	[CKPT_REC_TIMERFD]	= { "TIMERFD", sizeof(struct ckpt_timerfd) },
	[CKPT_REC_SIGNALFD]	= { "SIGNALFD", sizeof(struct ckpt_signalfd) },
	[CKPT_REC_EPOLL]	= { "EPOLL", sizeof(struct ckpt_epoll) },
	[CKPT_REC_UNIX]		= { "UNIX", sizeof(struct ckpt_unix) },
	[CKPT_REC_UNIX_MSG]	= { "UNIX_MSG", sizeof(struct ckpt_unix_msg) },
	[CKPT_REC_PID]		= { "PID", sizeof(struct ckpt_pid) },
	[CKPT_REC_FILE_OWNER]	= { "FILE_OWNER", sizeof(struct ckpt_file_owner) },
	[CKPT_REC_EPOLL_ITEMS]	= { "EPOLL_ITEMS", sizeof(struct ckpt_epoll_items) },
	[CKPT_REC_SHM]		= { "SHM", sizeof(struct ckpt_shm) },
	[CKPT_REC_SEM]		= { "SEM", sizeof(struct ckpt_sem) },
	[CKPT_REC_MSGQ]		= { "MSGQ", sizeof(struct ckpt_msgq) },
	[CKPT_REC_MSGQ_MSG]	= { "MSGQ_MSG", sizeof(struct ckpt_msgq_msg) },
	[CKPT_REC_SEM_ADJ]	= { "SEM_ADJ", sizeof(struct ckpt_sem_adj) },
	[CKPT_REC_INET]		= { "INET", sizeof(struct ckpt_inet) },
	[CKPT_REC_INET_MSG]	= { "INET_MSG", sizeof(struct ckpt_inet_msg) },
	[CKPT_REC_NETLINK]	= { "NETLINK", sizeof(struct ckpt_netlink) },
	[CKPT_REC_INOTIFY]	= { "INOTIFY", sizeof(struct ckpt_inotify) },
	[CKPT_REC_INOTIFY_WATCH] = { "INOTIFY_WATCH", sizeof(struct ckpt_inotify_watch) },
	[CKPT_REC_INOTIFY_EVENT] = { "INOTIFY_EVENT", sizeof(struct ckpt_inotify_event) },
	[CKPT_REC_FANOTIFY]	= { "FANOTIFY", sizeof(struct ckpt_fanotify) },
	[CKPT_REC_FANOTIFY_MARK] = { "FANOTIFY_MARK", sizeof(struct ckpt_fanotify_mark) },
	[CKPT_REC_FANOTIFY_EVENT] = { "FANOTIFY_EVENT", sizeof(struct ckpt_fanotify_event) },
	[CKPT_REC_MQUEUE]	= { "MQUEUE", sizeof(struct ckpt_mqueue) },
	[CKPT_REC_MQUEUE_MSG]	= { "MQUEUE_MSG", sizeof(struct ckpt_mqueue_msg) },
	[CKPT_REC_AIO]		= { "AIO", sizeof(struct ckpt_aio) },
	[CKPT_REC_AIO_CTX]	= { "AIO_CTX", sizeof(struct ckpt_aio_ctx) },
	[CKPT_REC_IO_URING]	= { "IO_URING", sizeof(struct ckpt_io_uring) },
	[CKPT_REC_IO_URING_FDS]	= { "IO_URING_FDS", 0 },
	[CKPT_REC_IO_URING_FILES] = { "IO_URING_FILES", sizeof(struct ckpt_io_uring_files) },
	[CKPT_REC_IO_URING_BUFS] = { "IO_URING_BUFS", sizeof(struct ckpt_io_uring_bufs) },
	[CKPT_REC_IO_URING_MM]	= { "IO_URING_MM", 0 },
	[CKPT_REC_PTY]		= { "PTY", sizeof(struct ckpt_pty) },
	[CKPT_REC_PTY_SIDE]	= { "PTY_SIDE", sizeof(struct ckpt_pty_side) },
	[CKPT_REC_CTTY]		= { "CTTY", sizeof(struct ckpt_ctty) },
	[CKPT_REC_VMA]		= { "VMA", sizeof(struct ckpt_vma) },
	[CKPT_REC_PAGES_SHARED]	= { "PAGES_SHARED", 0 },
	[CKPT_REC_PAGES]	= { "PAGES", sizeof(struct ckpt_pages) },
	[CKPT_REC_FILE_DATA]	= { "FILE_DATA", sizeof(struct ckpt_file_data) },
	[CKPT_REC_LOCKS]	= { "LOCKS", sizeof(struct ckpt_locks) },
	[CKPT_REC_MM_END]	= { "MM_END", 0 },
	[CKPT_REC_TASK]		= { "TASK", sizeof(struct ckpt_task) },
	[CKPT_REC_TASK_OBJS]	= { "TASK_OBJS", sizeof(struct ckpt_task_objs) },
	[CKPT_REC_CPU]		= { "CPU", sizeof(struct ckpt_cpu) },
	[CKPT_REC_CRED]		= { "CRED", sizeof(struct ckpt_cred) },
	[CKPT_REC_SIGHAND]	= { "SIGHAND", 0 },
	[CKPT_REC_SIGNAL]	= { "SIGNAL", sizeof(struct ckpt_signal) },
	[CKPT_REC_SIGMASK]	= { "SIGMASK", sizeof(struct ckpt_sigmask) },
	[CKPT_REC_SIGPENDING]	= { "SIGPENDING", sizeof(struct ckpt_sigpending) },
	[CKPT_REC_RLIMITS]	= { "RLIMITS", sizeof(struct ckpt_rlimits) },
	[CKPT_REC_SCHED]	= { "SCHED", sizeof(struct ckpt_sched) },
	[CKPT_REC_RESTART_BLOCK] = { "RESTART_BLOCK", sizeof(struct ckpt_restart_block) },
	[CKPT_REC_ITIMERS]	= { "ITIMERS", sizeof(struct ckpt_itimers) },
	[CKPT_REC_POSIX_TIMERS]	= { "POSIX_TIMERS", sizeof(struct ckpt_posix_timers) },
	[CKPT_REC_SECCOMP_FILTER] = { "SECCOMP_FILTER", sizeof(struct ckpt_seccomp_filter) },
	[CKPT_REC_SECCOMP]	= { "SECCOMP", sizeof(struct ckpt_seccomp) },
	[CKPT_REC_USAGE]	= { "USAGE", sizeof(struct ckpt_usage) },
	[CKPT_REC_MEMPOLICY]	= { "MEMPOLICY", sizeof(struct ckpt_mempolicy) },
	[CKPT_REC_VMA_POLICY]	= { "VMA_POLICY", sizeof(struct ckpt_mempolicy) },
	[CKPT_REC_SEM_UNDO]	= { "SEM_UNDO", 0 },
	[CKPT_REC_IO_CONTEXT]	= { "IO_CONTEXT", 0 },
	[CKPT_REC_AUTOGROUP]	= { "AUTOGROUP", sizeof(struct ckpt_autogroup) },
};

const char *ckpt_record_name(__u32 type)
{
	return type < NR_TYPES ? types[type].name : NULL;
}

size_t ckpt_record_size(__u32 type)
{
	return type < NR_TYPES ? types[type].size : 0;
}

bool ckpt_record_is_object(__u32 type)
{
	switch (type) {
	case CKPT_REC_MM ... CKPT_REC_MSGQ:
	case CKPT_REC_FILE_OWNER:
	case CKPT_REC_INET:
	case CKPT_REC_NETLINK:
	case CKPT_REC_INOTIFY:
	case CKPT_REC_FANOTIFY:
	case CKPT_REC_MQUEUE:
	case CKPT_REC_AIO:
	case CKPT_REC_IO_URING:
	case CKPT_REC_SIGHAND:
	case CKPT_REC_SECCOMP_FILTER:
	case CKPT_REC_SEM_UNDO:
	case CKPT_REC_IO_CONTEXT:
	case CKPT_REC_AUTOGROUP:
		return true;
	default:
		return false;
	}
}

__attribute__((format(printf, 3, 4)))
static int fail(struct ckpt_reader *r, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->error, sizeof(r->error), fmt, ap);
	va_end(ap);
	r->err = err;
	errno = err;
	return -1;
}

__attribute__((format(printf, 3, 4)))
static int fail_rec(struct ckpt_reader *r, int err, const char *fmt, ...)
{
	const char *name = ckpt_record_name(r->h.type);
	char what[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (name)
		return fail(r, err, "record %llu (%s) at byte %llu: %s",
			    r->records, name,
			    r->at, what);
	return fail(r, err, "record %llu (type %u) at byte %llu: %s",
		    r->records, r->h.type,
		    r->at, what);
}

static int fail_short(struct ckpt_reader *r)
{
	return fail(r, EBADMSG,
		    "truncated: it ends at byte %llu, in the middle of record %llu, with no trailer",
		    r->offset,
		    r->records);
}

struct ckpt_reader *ckpt_reader_open(int fd)
{
	struct ckpt_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	stream_init(&r->stream, fd);
	r->ahead = malloc(READ_AHEAD);
	if (!r->ahead) {
		free(r);
		errno = ENOMEM;
		return NULL;
	}
	return r;
}

void ckpt_reader_close(struct ckpt_reader *r)
{
	if (!r)
		return;
	stream_free(&r->stream);
	free(r->ahead);
	free(r->body.p);
	free(r->data.p);
	free(r);
}

const struct ckpt_header *ckpt_reader_header(const struct ckpt_reader *r)
{
	return r->have_header ? &r->header : NULL;
}

const char *ckpt_reader_error(const struct ckpt_reader *r)
{
	return r->error;
}

/* Returns 1 if there is something in the read-ahead buffer, 0 at the end. */
static int fill(struct ckpt_reader *r)
{
	ssize_t n;

	if (r->ahead_pos < r->ahead_len)
		return 1;
	n = stream_read(&r->stream, r->ahead, READ_AHEAD);
	if (n < 0)
		return fail(r, errno, "%s", r->stream.error);
	r->ahead_pos = 0;
	r->ahead_len = (size_t)n;
	return n > 0;
}

/* Read exactly that much and take it into the record's checksum. */
static int get(struct ckpt_reader *r, void *buf, size_t len)
{
	unsigned char *to = buf;
	size_t n;
	int ret;

	while (len) {
		ret = fill(r);
		if (ret < 0)
			return -1;
		if (!ret)
			return fail_short(r);
		n = r->ahead_len - r->ahead_pos;
		if (n > len)
			n = len;
		memcpy(to, r->ahead + r->ahead_pos, n);
		r->crc = ckpt_crc32c(r->crc, to, n);
		r->ahead_pos += n;
		r->offset += n;
		to += n;
		len -= n;
	}
	return 0;
}

static bool is_zero(const unsigned char *p, size_t len)
{
	while (len--)
		if (*p++)
			return false;
	return true;
}

static int make_room(struct ckpt_reader *r, struct blob *b, size_t size)
{
	unsigned char *p;

	if (b->size >= size)
		return 0;
	p = realloc(b->p, size);
	if (!p)
		return fail(r, ENOMEM, "not enough memory");
	b->p = p;
	b->size = size;
	return 0;
}

/* Like get(), into a buffer that grows no faster than data come in. */
static int get_blob(struct ckpt_reader *r, struct blob *b, size_t len)
{
	size_t have = 0, step;

	/* One byte more for a NUL, see struct ckpt_rec. */
	if (make_room(r, b, (len < GROW_STEP ? len : GROW_STEP) + 8))
		return -1;
	while (have < len) {
		step = len - have;
		if (step > GROW_STEP)
			step = GROW_STEP;
		if (have + step + 8 > b->size) {
			/* Double, so that copies do not add up. */
			size_t want = 2 * b->size;

			if (want > len + 8)
				want = len + 8;
			if (want < have + step + 8)
				want = have + step + 8;
			if (make_room(r, b, want))
				return -1;
		}
		if (get(r, b->p + have, step))
			return -1;
		have += step;
	}
	memset(b->p + len, 0, 8);
	return 0;
}

/* The sum begins with the number of the record, so that order matters too. */
static void start_crc(struct ckpt_reader *r)
{
	struct ckpt_record h = r->h;
	__u32 number = (__u32)r->records;

	h.crc = 0;
	r->crc = ckpt_crc32c(~0U, &number, sizeof(number));
	r->crc = ckpt_crc32c(r->crc, &h, sizeof(h));
}

static int check_crc(struct ckpt_reader *r)
{
	if (r->crc != r->h.crc)
		return fail_rec(r, EBADMSG,
				"damaged: checksum %08x, should be %08x",
				r->crc, r->h.crc);
	return 0;
}

static int skip_pad(struct ckpt_reader *r)
{
	unsigned char zeros[512];
	size_t n;

	while (r->pad) {
		n = r->pad < sizeof(zeros) ? (size_t)r->pad : sizeof(zeros);
		if (get(r, zeros, n))
			return -1;
		if (!is_zero(zeros, n))
			return fail_rec(r, EINVAL, "padding is not zero");
		r->pad -= n;
	}
	return 0;
}

ssize_t ckpt_reader_read(struct ckpt_reader *r, void *buf, size_t len)
{
	if (r->err) {
		errno = r->err;
		return -1;
	}
	if (!r->streaming)
		return 0;
	if (skip_pad(r))
		return -1;
	if (len > r->left)
		len = (size_t)r->left;
	if (get(r, buf, len))
		return -1;
	r->left -= len;
	return (ssize_t)len;
}

static int finish_stream(struct ckpt_reader *r)
{
	unsigned char buf[16384];
	ssize_t n;

	do {
		n = ckpt_reader_read(r, buf, sizeof(buf));
		if (n < 0)
			return -1;
	} while (n);
	r->streaming = false;
	if (check_crc(r))
		return -1;
	r->records++;
	return 0;
}

static int check_header(struct ckpt_reader *r, const struct ckpt_header *h)
{
	if (h->version != CKPT_VERSION)
		return fail(r, ENOEXEC,
			    "image format is version %u, this program knows version %u",
			    h->version, CKPT_VERSION);
	if (h->page_size < 1024 || h->page_size > MAX_PAGE_SIZE ||
	    h->page_size & (h->page_size - 1))
		return fail(r, ENOEXEC, "page size %u makes no sense",
			    h->page_size);
	r->header = *h;
	r->header.release[sizeof(h->release) - 1] = '\0';
	r->have_header = true;
	return 0;
}

static int check_trailer(struct ckpt_reader *r, const struct ckpt_trailer *t)
{
	if (t->records != r->records || t->bytes != r->at ||
	    t->objects != r->objects || t->pages != r->pages)
		return fail_rec(r, EBADMSG,
				"counts are wrong: something is missing");
	r->done = true;
	return 0;
}

/* Does the first record look like that of an image? Says so, if not. */
static int check_magic(struct ckpt_reader *r)
{
	__u64 magic = 0;

	if (r->h.type != CKPT_REC_HEADER || r->h.body_len < 8 ||
	    r->h.body_len > 4096)
		return fail(r, ENOEXEC, "not a checkpoint image");
	if (get_blob(r, &r->body, r->h.body_len))
		return -1;
	memcpy(&magic, r->body.p, sizeof(magic));
	if (magic != CKPT_MAGIC)
		return fail(r, ENOEXEC, "not a checkpoint image");
	return 0;
}

/* After the body: the rest of a record of streamed type. */
static int begin_pages(struct ckpt_reader *r, __u64 rest, struct ckpt_rec *rec)
{
	const struct ckpt_pages *p = (const void *)r->body.p;
	__u64 runs = p->nr_runs * (__u64)sizeof(struct ckpt_page_run);
	__u64 pages = p->nr_pages * (__u64)r->header.page_size;

	if (r->h.data_len)
		return fail_rec(r, EINVAL, "data length is not 0");
	if (runs > CKPT_RECORD_MAX)
		return fail_rec(r, E2BIG, "too many runs");
	if (runs + pages > rest || rest - runs - pages >= r->header.page_size)
		return fail_rec(r, EINVAL, "length does not fit %u pages in %u runs",
				p->nr_pages, p->nr_runs);
	if ((r->offset + rest - pages) % r->header.page_size)
		return fail_rec(r, EINVAL, "pages are not aligned");
	if (r->pages + p->nr_pages < r->pages)
		return fail_rec(r, E2BIG, "too many pages");
	r->pages += p->nr_pages;
	if (get_blob(r, &r->data, (size_t)runs))
		return -1;
	rec->data_len = runs;
	r->pad = rest - runs - pages;
	r->left = pages;
	r->streaming = true;
	return 0;
}

int ckpt_reader_next(struct ckpt_reader *r, struct ckpt_rec *rec)
{
	__u64 rest, padded;
	size_t known;
	int ret;

	memset(rec, 0, sizeof(*rec));
	if (r->err) {
		errno = r->err;
		return -1;
	}
	if (r->streaming && finish_stream(r))
		return -1;
	if (r->done)
		return 0;

	ret = fill(r);
	if (ret < 0)
		return -1;
	if (!ret) {
		if (!r->records)
			return fail(r, EBADMSG, "truncated: it is empty");
		return fail(r, EBADMSG,
			    "truncated: it ends at byte %llu, after record %llu, with no trailer",
			    r->offset,
			    r->records - 1);
	}

	r->at = r->offset;
	r->crc = 0;
	memset(&r->h, 0, sizeof(r->h));
	if (get(r, &r->h, sizeof(r->h)))
		return -1;
	start_crc(r);
	if (!r->records && check_magic(r))
		return -1;

	if (r->h.flags & ~CKPT_RF_ALL)
		return fail_rec(r, EINVAL, "unknown flags %#x", r->h.flags);
	if (!ckpt_record_name(r->h.type) && r->h.flags & CKPT_RF_MUST)
		return fail_rec(r, EOPNOTSUPP,
				"of a type that must be understood and is not known");
	if (r->h.length < sizeof(r->h) || r->h.length % 8 || r->h.body_len % 8 ||
	    r->h.body_len > r->h.length - sizeof(r->h) ||
	    r->h.length > UINT64_MAX - r->at)
		return fail_rec(r, EINVAL, "lengths make no sense");
	if (r->h.body_len > CKPT_RECORD_MAX)
		return fail_rec(r, E2BIG, "too large");
	rest = r->h.length - sizeof(r->h) - r->h.body_len;

	known = ckpt_record_size(r->h.type);
	if (r->records && get_blob(r, &r->body, r->h.body_len))
		return -1;
	if (r->h.body_len < known) {
		if (make_room(r, &r->body, known))
			return -1;
		memset(r->body.p + r->h.body_len, 0, known - r->h.body_len);
	} else if (r->h.body_len > known && ckpt_record_name(r->h.type) &&
		   !is_zero(r->body.p + known, r->h.body_len - known)) {
		return fail_rec(r, EINVAL,
				"is from a later version, with contents that are not understood");
	}
	if (r->h.body_len || known)
		rec->body = r->body.p;

	padded = ((__u64)r->h.data_len + 7) & ~7ULL;
	if (r->h.type == CKPT_REC_PAGES) {
		if (begin_pages(r, rest, rec))
			return -1;
	} else if (!ckpt_record_name(r->h.type)) {
		if (get_blob(r, &r->data, 0))
			return -1;
		r->pad = 0;
		r->left = rest;
		r->streaming = true;
	} else {
		if (rest != padded)
			return fail_rec(r, EINVAL, "lengths make no sense");
		if (rest > CKPT_RECORD_MAX - r->h.body_len)
			return fail_rec(r, E2BIG, "too large");
		if (get_blob(r, &r->data, (size_t)rest) || check_crc(r))
			return -1;
		if (!is_zero(r->data.p + r->h.data_len,
			     (size_t)(padded - r->h.data_len)))
			return fail_rec(r, EINVAL, "padding is not zero");
		rec->data_len = r->h.data_len;
	}
	rec->data = r->data.p;
	rec->stream_len = r->left;
	rec->h = r->h;
	rec->number = r->records;
	rec->offset = r->at;

	if (r->h.type == CKPT_REC_HEADER) {
		if (r->records)
			return fail_rec(r, EINVAL, "a second header");
		if (check_header(r, rec->body))
			return -1;
	}
	if (r->h.type == CKPT_REC_TRAILER && check_trailer(r, rec->body))
		return -1;
	if (ckpt_record_is_object(r->h.type))
		r->objects++;
	if (!r->streaming) {
		r->left = 0;
		r->records++;
	}
	return 1;
}

int ckpt_reader_rest(struct ckpt_reader *r)
{
	if (r->err) {
		errno = r->err;
		return -1;
	}
	return fill(r);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Reading of an image into memory, and all checks that take more than one
 * record. What is wrong is noted as a problem, and reading goes on for as long
 * as there are records.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "info.h"

/* Shared pages in one record. The kernel makes far fewer. */
#define CKPT_SHARED_MAX	(1U << 20)

/* The record at hand, and where it belongs. */
struct loader {
	struct image	*img;
	struct ckpt_reader *reader;
	struct ckpt_rec	rec;
	__u32		next_task;
	struct task	*task;
	struct object	*obj;		/* the last that was found */
};

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p) {
		fputs("ckptinfo: not enough memory\n", stderr);
		exit(CKPT_EXIT_IO);
	}
	return p;
}

void *xmalloc(size_t size)
{
	return memset(xrealloc(NULL, size), 0, size);
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = xmalloc(1);
	va_end(ap);
	return s;
}

static void vproblem(struct image *img, const char *where, const char *fmt,
		     va_list ap)
{
	char text[300];

	if (img->nr_problems >= MAX_PROBLEMS)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	img->problems[img->nr_problems++] = xasprintf("%s%s", where, text);
}

/* Something that is wrong with the image. */
__attribute__((format(printf, 2, 3)))
static void problem(struct image *img, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vproblem(img, "", fmt, ap);
	va_end(ap);
}

/* Something that is wrong with a record. */
__attribute__((format(printf, 3, 4)))
static void bad(struct image *img, const struct rec *rec, const char *fmt, ...)
{
	const char *name = ckpt_record_name(rec->h.type);
	char where[80];
	va_list ap;

	snprintf(where, sizeof(where), "record %llu (%s): ", rec->number,
		 name ? name : "of unknown type");
	va_start(ap, fmt);
	vproblem(img, where, fmt, ap);
	va_end(ap);
}

/* ---- finding things --------------------------------------------------- */

struct object *image_object(const struct image *img, __u32 ref)
{
	size_t lo = 0, hi = img->nr_objects, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (img->objects[mid].rec->h.objref < ref)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (ref && lo < img->nr_objects && img->objects[lo].rec->h.objref == ref)
		return &img->objects[lo];
	return NULL;
}

struct rec *task_rec(const struct task *t, __u32 type)
{
	struct rec *r;

	for (r = t->recs; r; r = r->next)
		if (r->h.type == type)
			return r;
	return NULL;
}

const void *task_body(const struct task *t, __u32 type)
{
	struct rec *r = task_rec(t, type);

	return r ? r->body : NULL;
}

struct object *task_object(const struct image *img, const struct task *t,
			   __u32 type)
{
	const struct ckpt_task_objs *objs = task_body(t, CKPT_REC_TASK_OBJS);
	struct object *obj;
	__u32 ref = 0;

	if (!objs)
		return NULL;
	if (type == CKPT_REC_MM)
		ref = objs->mm;
	else if (type == CKPT_REC_FILES)
		ref = objs->files;
	else if (type == CKPT_REC_FS)
		ref = objs->fs;
	obj = image_object(img, ref);
	return obj && obj->rec->h.type == type ? obj : NULL;
}

bool task_is_leader(const struct image *img, __u32 index)
{
	return img->tasks[index].tree.leader == index;
}

const char *task_comm(const struct task *t, char *buf)
{
	const struct ckpt_task *body = task_body(t, CKPT_REC_TASK);

	return body ? clean(body->comm, sizeof(body->comm), buf, 72) : "?";
}

const char *task_state(const struct task *t)
{
	const struct ckpt_task *body = task_body(t, CKPT_REC_TASK);

	if (t->tree.flags & CKPT_TASK_ZOMBIE)
		return "zombie";
	if (body && body->jobctl & CKPT_JOB_STOPPED)
		return "stopped";
	if (t->tree.flags & CKPT_TASK_SELF)
		return "self";
	return "running";
}

const char *file_kind(__u32 kind)
{
	switch (kind) {
	case CKPT_FILE_REG:
		return "file";
	case CKPT_FILE_DIR:
		return "directory";
	case CKPT_FILE_CHRDEV:
		return "device";
	case CKPT_FILE_PIPE:
		return "pipe";
	case CKPT_FILE_EXTERNAL:
		return "external";
	case CKPT_FILE_IMAGE:
		return "image";
	case CKPT_FILE_INODE:
		return "nameless";
	case CKPT_FILE_EVENTFD:
		return "eventfd";
	case CKPT_FILE_TIMERFD:
		return "timerfd";
	case CKPT_FILE_SIGNALFD:
		return "signalfd";
	case CKPT_FILE_EPOLL:
		return "epoll";
	case CKPT_FILE_UNIX:
		return "unix socket";
	case CKPT_FILE_SHM:
		return "segment";
	case CKPT_FILE_FIFO:
		return "fifo";
	case CKPT_FILE_PIDFD:
		return "pidfd";
	case CKPT_FILE_INET:
		return "socket";
	case CKPT_FILE_NETLINK:
		return "netlink";
	case CKPT_FILE_INOTIFY:
		return "inotify";
	case CKPT_FILE_FANOTIFY:
		return "fanotify";
	case CKPT_FILE_MQUEUE:
		return "mqueue";
	case CKPT_FILE_AIO:
		return "aio ring";
	case CKPT_FILE_IO_URING:
		return "io_uring";
	case CKPT_FILE_KERNFS:
		return "attribute";
	case CKPT_FILE_NS:
		return "namespace";
	case CKPT_FILE_PROC:
		return "proc";
	case CKPT_FILE_PTMX:
		return "pty master";
	case CKPT_FILE_PTS:
		return "pty slave";
	default:
		return "unknown";
	}
}

const char *file_path(const struct object *file, char *buf)
{
	const struct ckpt_file *body = file->rec->body;

	if (!file->rec->data_len && body->kind == CKPT_FILE_PIPE)
		snprintf(buf, FIELD_TEXT, "pipe:[%u]", body->inode);
	else if (!file->rec->data_len && body->kind == CKPT_FILE_UNIX)
		snprintf(buf, FIELD_TEXT, "socket:[%u]", body->inode);
	else if (!file->rec->data_len && body->inode)
		snprintf(buf, FIELD_TEXT, "inode:[%u]", body->inode);
	else
		clean(file->rec->data, file->rec->data_len, buf, FIELD_TEXT);
	return buf;
}

/* ---- one record ------------------------------------------------------- */

static struct rec *keep(struct loader *ld)
{
	const struct ckpt_rec *from = &ld->rec;
	size_t size = ckpt_record_size(from->h.type);
	struct rec *rec = xmalloc(sizeof(*rec));

	if (size < from->h.body_len)
		size = from->h.body_len;
	rec->h = from->h;
	rec->number = from->number;
	rec->data_len = from->data_len;
	rec->body = xmalloc(size);
	if (from->body)
		memcpy(rec->body, from->body, size);
	rec->hash = hash_bytes(from->data, from->data_len);
	if (from->h.type != CKPT_REC_FILE_DATA) {
		rec->data = xmalloc(from->data_len + 1);
		memcpy(rec->data, from->data, from->data_len);
	}
	return rec;
}

static void free_recs(struct rec *rec)
{
	struct rec *next;

	for (; rec; rec = next) {
		next = rec->next;
		free(rec->body);
		free(rec->data);
		free(rec->pages);
		free(rec);
	}
}

/* That many elements of that size, and nothing else. */
static bool check_count(struct loader *ld, const struct rec *rec, __u64 nr,
			size_t size)
{
	if (rec->data_len == nr * size)
		return true;
	bad(ld->img, rec, "has %llu bytes of data, not %llu times %zu",
	    rec->data_len, nr, size);
	return false;
}

static void check_pty_side(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_pty_side *side = rec->body;

	check_count(ld, rec, (__u64)side->nr_marks * sizeof(__u32) + side->read_len +
		    side->echo_len + side->flip_len, 1);
}

/* What an open file may be about. */
static bool behind_file(__u32 type)
{
	switch (type) {
	case CKPT_REC_INODE ... CKPT_REC_SHM:
	case CKPT_REC_INET:
	case CKPT_REC_NETLINK:
	case CKPT_REC_INOTIFY:
	case CKPT_REC_FANOTIFY:
	case CKPT_REC_MQUEUE:
	case CKPT_REC_AIO:
	case CKPT_REC_IO_URING:
		return true;
	default:
		return false;
	}
}

/* A reference to an object that has to be of a type. */
static void check_ref(struct loader *ld, const struct rec *rec, __u32 ref,
		      __u32 type, const char *what)
{
	struct object *obj = image_object(ld->img, ref);
	__u32 is;

	if (!ref)
		return;
	if (!obj) {
		bad(ld->img, rec, "%s: object %u is not defined before", what, ref);
		return;
	}
	obj->users++;
	is = obj->rec->h.type;
	if (is == type)
		return;
	/* what is behind an open file may be several things */
	if (type == CKPT_REC_INODE && behind_file(is))
		return;
	bad(ld->img, rec, "%s: object %u is a %s", what, ref, ckpt_record_name(is));
}

static void check_fields(struct loader *ld, const struct rec *rec,
			 const struct field *f, const void *from)
{
	for (; f->name; f++) {
		if (f->format == FMT_REF)
			check_ref(ld, rec, (__u32)field_value(f, from), f->ref, f->name);
		if (f->format == FMT_ZERO && field_value(f, from))
			bad(ld->img, rec, "%s is not zero", f->name);
	}
}

/* Everything that the table of types tells. */
static void check_generic(struct loader *ld, const struct rec *rec)
{
	const struct type *type = type_of(rec->h.type);
	__u64 i;

	check_fields(ld, rec, type->fields, rec->body);
	if (type->data == DATA_NONE && rec->data_len)
		bad(ld->img, rec, "has data");
	if (type->data != DATA_ARRAY)
		return;
	if (rec->data_len % type->elem_size) {
		bad(ld->img, rec, "has half an element at its end");
		return;
	}
	for (i = 0; i < rec->data_len / type->elem_size; i++)
		check_fields(ld, rec, type->elem, rec->data + i * type->elem_size);
}

static void check_string(struct loader *ld, const struct rec *rec)
{
	if (rec->data_len && strnlen(rec->data, rec->data_len) != rec->data_len - 1)
		bad(ld->img, rec, "its name does not end where it should");
}

static void check_fs(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_fs *fs = rec->body;
	const char *p = rec->data;

	if ((__u64)fs->root_len + fs->cwd_len != rec->data_len ||
	    !fs->root_len || !fs->cwd_len != !!fs->cwd_inode ||
	    strnlen(p, fs->root_len) != fs->root_len - 1 ||
	    (fs->cwd_len &&
	     strnlen(p + fs->root_len, fs->cwd_len) != fs->cwd_len - 1))
		bad(ld->img, rec, "its paths do not end where they should");
}

static void check_inet(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_inet *body = rec->body;

	if (rec->data_len != body->nr_opts * sizeof(struct ckpt_sockopt) +
			     body->nr_inet_opts * sizeof(struct ckpt_inet_opt))
		bad(ld->img, rec, "has %llu bytes of data, not %u and %u options",
		    rec->data_len, body->nr_opts, body->nr_inet_opts);
}

static void check_netlink(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_netlink *body = rec->body;

	if (rec->data_len != body->nr_opts * sizeof(struct ckpt_sockopt) +
			     body->nr_groups * sizeof(__u32))
		bad(ld->img, rec, "has %llu bytes of data, not %u options and %u groups",
		    rec->data_len, body->nr_opts, body->nr_groups);
}

static void check_pipe(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_pipe *p = rec->body;
	__u64 sum = p->nr_bufs * (__u64)sizeof(struct ckpt_pipe_buf);
	struct ckpt_pipe_buf buf;
	__u32 i;

	if (sum > rec->data_len || p->nr_bufs > p->ring_size) {
		bad(ld->img, rec, "%u buffers do not fit", p->nr_bufs);
		return;
	}
	if (p->name_len > rec->data_len - sum ||
	    (p->name_len && strnlen(rec->data + rec->data_len - p->name_len,
				    p->name_len) != p->name_len - 1)) {
		bad(ld->img, rec, "its name does not end where it should");
		return;
	}
	sum += p->name_len;
	for (i = 0; i < p->nr_bufs; i++) {
		memcpy(&buf, rec->data + i * sizeof(buf), sizeof(buf));
		sum += buf.len;
	}
	if (sum != rec->data_len)
		bad(ld->img, rec, "its buffers do not add up");
}

static void check_unix(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_unix *u = rec->body;

	if (rec->data_len != u->nr_opts * (__u64)sizeof(struct ckpt_sockopt) +
	    u->nr_groups * (__u64)sizeof(__u32) + u->addr_len + u->path_len)
		bad(ld->img, rec, "its options, groups and address do not add up");
}

static void check_unix_msg(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_unix_msg *m = rec->body;
	__u64 len = (__u64)m->head_len + m->frags_len;
	__u32 i, ref;

	if (m->consumed > len ||
	    rec->data_len != m->nr_files * (__u64)sizeof(ref) + len - m->consumed) {
		bad(ld->img, rec, "its files and bytes do not add up");
		return;
	}
	for (i = 0; i < m->nr_files; i++) {
		memcpy(&ref, rec->data + i * sizeof(ref), sizeof(ref));
		if (!ref)
			bad(ld->img, rec, "file %u is none", i);
		check_ref(ld, rec, ref, CKPT_REC_FILE, "file");
	}
}

static void check_vma(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_vma *v = rec->body;
	__u32 page = ld->img->header.page_size;

	if (v->start >= v->end || v->start % page || v->end % page)
		bad(ld->img, rec, "addresses %#llx-%#llx make no sense",
		    v->start, v->end);
	if (v->kind == CKPT_VMA_FILE ? !v->file : v->file)
		bad(ld->img, rec, "has a file or not, against its kind");
}

static void check_cpu(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_cpu *c = rec->body;

	if (c->nr_parts * (__u64)sizeof(struct ckpt_cpu_part) > rec->data_len)
		bad(ld->img, rec, "%u parts do not fit", c->nr_parts);
}

static void check_fanotify_event(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_fanotify_event *e = rec->body;

	if (e->kind == CKPT_FANOTIFY_PATH)
		check_string(ld, rec);
	else
		check_count(ld, rec, (__u64)e->dir.len + e->dir2.len + e->object.len +
			    e->name_len + e->name2_len, 1);
}

static void check_own(struct loader *ld, const struct rec *rec)
{
	const void *body = rec->body;

	switch (rec->h.type) {
	case CKPT_REC_FILES:
		check_count(ld, rec, ((const struct ckpt_files *)body)->nr,
			    sizeof(struct ckpt_fd));
		break;
	case CKPT_REC_FS:
		check_fs(ld, rec);
		break;
	case CKPT_REC_FILE:
	case CKPT_REC_INODE:
	case CKPT_REC_INOTIFY_WATCH:
	case CKPT_REC_INOTIFY_EVENT:
	case CKPT_REC_FANOTIFY_MARK:
	case CKPT_REC_MQUEUE:
	case CKPT_REC_VMA:
		check_string(ld, rec);
		if (rec->h.type == CKPT_REC_VMA)
			check_vma(ld, rec);
		break;
	case CKPT_REC_PIPE:
		check_pipe(ld, rec);
		break;
	case CKPT_REC_FANOTIFY_EVENT:
		check_fanotify_event(ld, rec);
		break;
	case CKPT_REC_PTY:
		check_string(ld, rec);
		break;
	case CKPT_REC_PTY_SIDE:
		check_pty_side(ld, rec);
		break;
	case CKPT_REC_FILE_DATA:
		check_count(ld, rec, ((const struct ckpt_file_data *)body)->len, 1);
		break;
	case CKPT_REC_EPOLL_ITEMS:
		check_count(ld, rec, ((const struct ckpt_epoll_items *)body)->nr,
			    sizeof(struct ckpt_epoll_item));
		break;
	case CKPT_REC_UNIX:
		check_unix(ld, rec);
		break;
	case CKPT_REC_UNIX_MSG:
		check_unix_msg(ld, rec);
		break;
	case CKPT_REC_INET:
		check_inet(ld, rec);
		break;
	case CKPT_REC_NETLINK:
		check_netlink(ld, rec);
		break;
	case CKPT_REC_LOCKS:
		check_count(ld, rec, ((const struct ckpt_locks *)body)->nr,
			    sizeof(struct ckpt_lock));
		break;
	case CKPT_REC_CPU:
		check_cpu(ld, rec);
		break;
	case CKPT_REC_CRED:
		check_count(ld, rec, ((const struct ckpt_cred *)body)->ngroups,
			    sizeof(__u32));
		break;
	case CKPT_REC_SIGHAND:
		check_count(ld, rec, 64, sizeof(struct ckpt_sigaction));
		break;
	case CKPT_REC_SIGPENDING:
		check_count(ld, rec, ((const struct ckpt_sigpending *)body)->nr,
			    sizeof(struct ckpt_siginfo));
		break;
	case CKPT_REC_POSIX_TIMERS:
		check_count(ld, rec, ((const struct ckpt_posix_timers *)body)->nr,
			    sizeof(struct ckpt_posix_timer));
		break;
	case CKPT_REC_SECCOMP_FILTER:
		/* struct sock_filter */
		check_count(ld, rec, ((const struct ckpt_seccomp_filter *)body)->len, 8);
		break;
	case CKPT_REC_RLIMITS:
		check_count(ld, rec, ((const struct ckpt_rlimits *)body)->nr,
			    sizeof(struct ckpt_rlimit));
		break;
	}
}

/* ---- pages ------------------------------------------------------------ */

static void load_pages(struct loader *ld, struct rec *rec)
{
	const struct ckpt_pages *p = rec->body;
	__u32 size = ld->img->header.page_size, i, room = 0;
	struct ckpt_page_run run;
	__u64 sum = 0, pos;
	char *page;
	ssize_t n;

	for (pos = 0; pos < rec->data_len; pos += sizeof(run)) {
		memcpy(&run, rec->data + pos, sizeof(run));
		if (run.addr % size || run.nr > p->nr_pages ||
		    run.addr + run.nr * size < run.addr)
			bad(ld->img, rec, "run of %llu pages at %#llx makes no sense",
			    run.nr, run.addr);
		sum += run.nr;
	}
	if (sum != p->nr_pages)
		bad(ld->img, rec, "has %u pages, but runs of %llu", p->nr_pages, sum);

	page = xmalloc(size);
	for (i = 0; i < p->nr_pages; i++) {
		n = ckpt_reader_read(ld->reader, page, size);
		if (n != (ssize_t)size)
			break;
		if (i == room) {
			room = room ? 2 * room : 16;
			rec->pages = xrealloc(rec->pages, room * sizeof(*rec->pages));
		}
		rec->pages[i] = hash_bytes(page, size);
	}
	free(page);
	/* If they are not all there, the next record is not either. */
	rec->nr_pages = i;
}

/**
 * next_run - find a run of pages of a record
 * @rec: PAGES or PAGES_SHARED.
 * @pos: Where it is in its data; moves on.
 * @run: Gets it.
 *
 * Return: False at the end.
 */
bool next_run(const struct rec *rec, __u64 *pos, struct ckpt_page_run *run)
{
	struct ckpt_shared_run shared;

	if (rec->h.type == CKPT_REC_PAGES) {
		if (*pos + sizeof(*run) > rec->data_len)
			return false;
		memcpy(run, rec->data + *pos, sizeof(*run));
		*pos += sizeof(*run);
		return true;
	}
	if (*pos + sizeof(shared) > rec->data_len)
		return false;
	memcpy(&shared, rec->data + *pos, sizeof(shared));
	*pos += sizeof(shared);
	run->addr = shared.addr;
	run->nr = shared.nr;
	return true;
}

/* The hash of a page of an address space; 0 if it has none there. */
static __u64 page_hash(const struct object *mm, __u64 addr, __u32 size)
{
	const struct rec *part;
	struct ckpt_page_run run;
	__u64 pos, at;

	for (part = mm->parts; part; part = part->next) {
		if (part->h.type != CKPT_REC_PAGES && part->h.type != CKPT_REC_PAGES_SHARED)
			continue;
		for (pos = 0, at = 0; next_run(part, &pos, &run); at += run.nr) {
			if (addr < run.addr || (addr - run.addr) / size >= run.nr)
				continue;
			at += (addr - run.addr) / size;
			return at < part->nr_pages ? part->pages[at] : 0;
		}
	}
	return 0;
}

/* Pages that are in the image for another address space. */
static void load_shared(struct loader *ld, struct rec *rec)
{
	__u32 size = ld->img->header.page_size, i = 0, n;
	struct ckpt_shared_run run;
	const struct object *from;
	__u64 pos, nr = 0;

	for (pos = 0; pos + sizeof(run) <= rec->data_len; pos += sizeof(run)) {
		memcpy(&run, rec->data + pos, sizeof(run));
		nr += run.nr;
	}
	/* No more than there can be, whatever the runs say. */
	if (nr > CKPT_SHARED_MAX) {
		bad(ld->img, rec, "shares %llu pages, which makes no sense", nr);
		return;
	}
	rec->pages = xmalloc(nr * sizeof(*rec->pages));
	rec->nr_pages = (__u32)nr;
	for (pos = 0; pos + sizeof(run) <= rec->data_len; pos += sizeof(run)) {
		memcpy(&run, rec->data + pos, sizeof(run));
		from = image_object(ld->img, run.from);
		if (!from || from->rec->h.type != CKPT_REC_MM ||
		    run.addr % size || run.from_addr % size) {
			bad(ld->img, rec, "%u pages at %#llx are from no address space",
			    run.nr, run.addr);
			from = NULL;
		}
		for (n = 0; n < run.nr; n++, i++) {
			rec->pages[i] = from ? page_hash(from, run.from_addr +
							 (__u64)n * size, size) : 0;
			if (from && !rec->pages[i]) {
				bad(ld->img, rec, "a page at %#llx is not where it is from",
				    run.addr + (__u64)n * size);
				from = NULL;
			}
		}
	}
}

/* ---- where a record belongs ------------------------------------------- */

static void add_object(struct loader *ld, struct rec *rec)
{
	struct image *img = ld->img;
	size_t at;

	if (!rec->h.objref || image_object(img, rec->h.objref)) {
		bad(img, rec, "object %u is defined twice, or has no number",
		    rec->h.objref);
		free_recs(rec);
		ld->obj = NULL;
		return;
	}
	if (img->nr_objects == img->max_objects) {
		img->max_objects = img->max_objects ? 2 * img->max_objects : 64;
		img->objects = xrealloc(img->objects,
					img->max_objects * sizeof(*img->objects));
	}
	/* They nearly always come in order. */
	for (at = img->nr_objects; at > 0; at--)
		if (img->objects[at - 1].rec->h.objref < rec->h.objref)
			break;
	memmove(&img->objects[at + 1], &img->objects[at],
		(img->nr_objects - at) * sizeof(*img->objects));
	memset(&img->objects[at], 0, sizeof(*img->objects));
	img->objects[at].rec = rec;
	img->nr_objects++;
}

/* Of which types of objects a type of records is a part. */
static const __u32 part_of[NR_COUNTS][2] = {
	[CKPT_REC_VMA]		= { CKPT_REC_MM },
	[CKPT_REC_VMA_POLICY]	= { CKPT_REC_MM },
	[CKPT_REC_PAGES]	= { CKPT_REC_MM },
	[CKPT_REC_PAGES_SHARED]	= { CKPT_REC_MM },
	[CKPT_REC_MM_END]	= { CKPT_REC_MM },
	[CKPT_REC_FILE_DATA]	= { CKPT_REC_INODE, CKPT_REC_SHM },
	[CKPT_REC_LOCKS]	= { CKPT_REC_FILES, CKPT_REC_FILE },
	[CKPT_REC_EPOLL_ITEMS]	= { CKPT_REC_FILES },
	[CKPT_REC_UNIX_MSG]	= { CKPT_REC_UNIX },
	[CKPT_REC_PTY_SIDE]	= { CKPT_REC_PTY },
	[CKPT_REC_SEM_ADJ]	= { CKPT_REC_SEM_UNDO },
	[CKPT_REC_MSGQ_MSG]	= { CKPT_REC_MSGQ },
	[CKPT_REC_INET_MSG]	= { CKPT_REC_INET },
	[CKPT_REC_INOTIFY_WATCH] = { CKPT_REC_INOTIFY },
	[CKPT_REC_INOTIFY_EVENT] = { CKPT_REC_INOTIFY },
	[CKPT_REC_FANOTIFY_MARK] = { CKPT_REC_FANOTIFY },
	[CKPT_REC_FANOTIFY_EVENT] = { CKPT_REC_FANOTIFY },
	[CKPT_REC_MQUEUE_MSG]	= { CKPT_REC_MQUEUE },
	[CKPT_REC_AIO_CTX]	= { CKPT_REC_MM },
	[CKPT_REC_IO_URING_FILES] = { CKPT_REC_IO_URING },
	[CKPT_REC_IO_URING_BUFS] = { CKPT_REC_IO_URING },
};

static void add_part(struct loader *ld, struct rec *rec)
{
	struct object *obj = image_object(ld->img, rec->h.objref);
	__u32 type = obj ? obj->rec->h.type : 0;

	if (!type || (type != part_of[rec->h.type][0] &&
		      type != part_of[rec->h.type][1])) {
		bad(ld->img, rec, "belongs to object %u, which is not there or is none for it",
		    rec->h.objref);
		free_recs(rec);
		return;
	}
	if (type == CKPT_REC_MM && obj->complete)
		bad(ld->img, rec, "comes after the end of its memory map");
	if (rec->h.type == CKPT_REC_MM_END)
		obj->complete = true;
	if (obj->last_part)
		*obj->last_part = rec;
	else
		obj->parts = rec;
	obj->last_part = &rec->next;
}

static void load_tree(struct loader *ld, const struct rec *rec)
{
	const struct ckpt_tree *tree = rec->body;
	struct image *img = ld->img;
	__u32 i, roots = 0;

	if (rec->number != 1)
		bad(img, rec, "is not the second record");
	if (img->have_tree || !check_count(ld, rec, tree->nr,
					   sizeof(struct ckpt_tree_task)))
		return;
	img->have_tree = true;
	img->nr_tasks = tree->nr;
	img->tasks = xmalloc(tree->nr * sizeof(*img->tasks));
	if (!tree->nr)
		bad(img, rec, "has no task");

	for (i = 0; i < tree->nr; i++) {
		struct task *t = &img->tasks[i], *leader;
		struct ckpt_tree_task *tt = &t->tree;

		memcpy(tt, rec->data + i * sizeof(*tt), sizeof(*tt));
		t->first_child = CKPT_NO_PARENT;
		t->last_child = CKPT_NO_PARENT;
		t->next_sibling = CKPT_NO_PARENT;
		if (tt->pid <= 0)
			bad(img, rec, "task %u: pid %d", i, tt->pid);
		if (tt->flags & ~CKPT_TASK_ALL)
			bad(img, rec, "task %u: unknown flags %#x", i, tt->flags);
		if (tt->leader > i) {
			bad(img, rec, "task %u: comes before its leader", i);
			tt->leader = i;
		}
		leader = &img->tasks[tt->leader];
		if (leader->tree.leader != tt->leader) {
			bad(img, rec, "task %u: its leader is none", i);
			tt->leader = i;
			leader = t;
		}
		leader->threads++;
		if (tt->parent != CKPT_NO_PARENT && tt->parent >= i) {
			bad(img, rec, "task %u: comes before its parent", i);
			tt->parent = CKPT_NO_PARENT;
		}
		if (tt->leader != i)
			continue;
		if (tt->parent == CKPT_NO_PARENT) {
			roots++;
		} else {
			/* A child of a thread is drawn below its process. */
			__u32 up = img->tasks[tt->parent].tree.leader;
			struct task *parent = &img->tasks[up];

			if (parent->last_child == CKPT_NO_PARENT)
				parent->first_child = i;
			else
				img->tasks[parent->last_child].next_sibling = i;
			parent->last_child = i;
		}
	}
	if (roots != tree->nr_roots)
		bad(img, rec, "has %u roots, says %u", roots, tree->nr_roots);
}

static void begin_task(struct loader *ld, const struct rec *rec)
{
	__u32 index = ((const struct ckpt_task_begin *)rec->body)->index;

	if (ld->task)
		bad(ld->img, rec, "the task before it has no end");
	ld->task = NULL;
	if (index != ld->next_task || index >= ld->img->nr_tasks) {
		bad(ld->img, rec, "task %u is not the next", index);
		return;
	}
	ld->next_task++;
	ld->task = &ld->img->tasks[index];
	ld->task->seen = true;
	ld->task->last_rec = &ld->task->recs;
}

static void load_rec(struct loader *ld, struct rec *rec)
{
	struct image *img = ld->img;
	__u32 type = rec->h.type;

	if (ckpt_record_is_object(type)) {
		add_object(ld, rec);
		return;
	}
	if (type < NR_COUNTS && part_of[type][0]) {
		add_part(ld, rec);
		return;
	}
	if (type >= 64 && type < NR_COUNTS && ckpt_record_name(type)) {
		if (!ld->task) {
			bad(img, rec, "is of no task");
			free_recs(rec);
			return;
		}
		*ld->task->last_rec = rec;
		ld->task->last_rec = &rec->next;
		return;
	}
	if (type == CKPT_REC_HEADER) {
		img->header = *ckpt_reader_header(ld->reader);
		img->have_header = true;
		check_string(ld, rec);
		if (rec->data_len)
			img->label = xasprintf("%.*s", (int)rec->data_len, rec->data);
		if (img->header.features)
			bad(img, rec, "asks for features %#llx, which are not known",
			    img->header.features);
	} else if (type == CKPT_REC_TREE) {
		load_tree(ld, rec);
	} else if (type == CKPT_REC_TASK_BEGIN) {
		begin_task(ld, rec);
	} else if (type == CKPT_REC_TASK_END) {
		if (!ld->task)
			bad(img, rec, "is of no task");
		ld->task = NULL;
	} else if (type == CKPT_REC_TRAILER) {
		memcpy(&img->trailer, rec->body, sizeof(img->trailer));
		img->complete = true;
	}
	free_recs(rec);
}

/* ---- the whole -------------------------------------------------------- */

/* References to what may come later. */
static void check_links(struct image *img, const struct rec *rec)
{
	const struct field *f = type_of(rec->h.type)->fields;

	for (; f->name; f++) {
		const struct object *obj;
		__u32 ref;

		if (f->format != FMT_LINK)
			continue;
		ref = (__u32)field_value(f, rec->body);
		obj = ref ? image_object(img, ref) : NULL;
		if (ref && !obj)
			bad(img, rec, "%s: there is no object %u", f->name, ref);
		else if (obj && obj->rec->h.type != f->ref)
			bad(img, rec, "%s: object %u is a %s", f->name, ref,
			    ckpt_record_name(obj->rec->h.type));
	}
}

static void check_whole(struct loader *ld)
{
	struct image *img = ld->img;
	size_t i;

	if (!img->have_tree)
		problem(img, "there is no tree of tasks");
	if (ld->task)
		problem(img, "the last task has no end");
	if (ld->next_task < img->nr_tasks)
		problem(img, "task %u and later ones are missing", ld->next_task);
	for (i = 0; i < img->nr_objects; i++) {
		struct object *obj = &img->objects[i];

		check_links(img, obj->rec);
		if (obj->rec->h.type == CKPT_REC_MM && !obj->complete)
			problem(img, "memory map %u has no end",
				obj->rec->h.objref);
	}
	for (i = 0; i < img->nr_tasks; i++)
		if (img->tasks[i].seen && !task_rec(&img->tasks[i], CKPT_REC_TASK))
			problem(img, "pid %d: has no TASK record",
				img->tasks[i].tree.pid);
}

struct image *image_load(const char *name, int fd)
{
	struct image *img = xmalloc(sizeof(*img));
	struct loader ld = { .img = img };
	struct type_count *count;
	struct rec *rec;
	bool more = true;
	int ret;

	img->name = name;
	ld.reader = ckpt_reader_open(fd);
	if (!ld.reader) {
		img->err = ENOMEM;
		img->error = xasprintf("not enough memory");
		return img;
	}
	while (more && (ret = ckpt_reader_next(ld.reader, &ld.rec)) > 0) {
		count = &img->counts[ld.rec.h.type < NR_COUNTS ? ld.rec.h.type : 0];
		count->records++;
		count->bytes += ld.rec.h.length;
		img->bytes = ld.rec.offset + ld.rec.h.length;
		rec = keep(&ld);
		check_generic(&ld, rec);
		check_own(&ld, rec);
		if (rec->h.type == CKPT_REC_PAGES)
			load_pages(&ld, rec);
		if (rec->h.type == CKPT_REC_PAGES_SHARED)
			load_shared(&ld, rec);
		load_rec(&ld, rec);
		more = !img->complete;
	}
	if (more || ckpt_reader_rest(ld.reader) < 0) {
		img->err = errno;
		img->error = xasprintf("%s", ckpt_reader_error(ld.reader));
	} else {
		if (ckpt_reader_rest(ld.reader) > 0)
			problem(img, "something follows the trailer");
		check_whole(&ld);
	}
	ckpt_reader_close(ld.reader);
	return img;
}

void image_free(struct image *img)
{
	size_t i;

	for (i = 0; i < img->nr_objects; i++) {
		free_recs(img->objects[i].rec);
		free_recs(img->objects[i].parts);
		free(img->objects[i].name);
	}
	for (i = 0; i < img->nr_tasks; i++)
		free_recs(img->tasks[i].recs);
	for (i = 0; i < img->nr_problems; i++)
		free(img->problems[i]);
	free(img->label);
	free(img->error);
	free(img->objects);
	free(img->tasks);
	free(img);
}

int image_exit_code(const struct image *img)
{
	/* A file that could not be read is not to blame. */
	if (ckpt_exit_code(CKPT_OP_RESTART, img->err) == CKPT_EXIT_IO)
		return CKPT_EXIT_IO;
	return CKPT_EXIT_IMAGE;
}

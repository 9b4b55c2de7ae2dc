// SPDX-License-Identifier: GPL-2.0
/*
 * Makes images for tests, without a kernel.
 */
#include <stdlib.h>
#include <string.h>

#include "image.h"

static void add(struct builder *b, const void *from, size_t len)
{
	if (b->len + len > b->max) {
		b->max = 2 * (b->len + len);
		b->p = realloc(b->p, b->max);
		if (!b->p)
			abort();
	}
	if (len && from)
		memcpy(b->p + b->len, from, len);
	else
		memset(b->p + b->len, 0, len);
	b->len += len;
}

static __u32 checksum(const unsigned char *rec, __u64 len, __u32 number)
{
	struct ckpt_record h;
	__u32 crc = ckpt_crc32c(~0U, &number, sizeof(number));

	memcpy(&h, rec, sizeof(h));
	h.crc = 0;
	crc = ckpt_crc32c(crc, &h, sizeof(h));
	return ckpt_crc32c(crc, rec + sizeof(h), len - sizeof(h));
}

static void seal(struct builder *b, size_t at)
{
	__u32 crc = checksum(b->p + at, b->len - at, (__u32)b->records);

	memcpy(b->p + at + offsetof(struct ckpt_record, crc), &crc, sizeof(crc));
	b->records++;
}

void put_flags(struct builder *b, __u32 type, __u32 flags, __u32 objref,
	       const void *body, size_t body_len, const void *data,
	       size_t data_len)
{
	size_t pad = -data_len & 7, at = b->len;
	struct ckpt_record h = {
		.type = type,
		.flags = flags,
		.length = sizeof(h) + body_len + data_len + pad,
		.objref = objref,
		.body_len = (__u32)body_len,
		.data_len = (__u32)data_len,
	};

	add(b, &h, sizeof(h));
	add(b, body, body_len);
	add(b, data, data_len);
	add(b, NULL, pad);
	seal(b, at);
	b->objects += ckpt_record_is_object(type);
}

void put(struct builder *b, __u32 type, __u32 objref, const void *body,
	 size_t body_len, const void *data, size_t data_len)
{
	put_flags(b, type, CKPT_RF_MUST, objref, body, body_len, data, data_len);
}

void put_pages(struct builder *b, __u32 objref, const struct ckpt_page_run *runs,
	       __u32 nr_runs, const void *pages, __u32 nr_pages)
{
	struct ckpt_pages body = { .nr_runs = nr_runs, .nr_pages = nr_pages };
	size_t at = b->len, runs_len = nr_runs * sizeof(*runs);
	size_t meta = sizeof(struct ckpt_record) + sizeof(body) + runs_len;
	size_t pad = -(at + meta) & (PAGE - 1);
	struct ckpt_record h = {
		.type = CKPT_REC_PAGES,
		.flags = CKPT_RF_MUST,
		.length = meta + pad + (size_t)nr_pages * PAGE,
		.objref = objref,
		.body_len = sizeof(body),
	};

	add(b, &h, sizeof(h));
	add(b, &body, sizeof(body));
	add(b, runs, runs_len);
	add(b, NULL, pad);
	add(b, pages, (size_t)nr_pages * PAGE);
	seal(b, at);
	b->pages += nr_pages;
}

void put_header(struct builder *b, unsigned int how)
{
	struct ckpt_header h = {
		.magic = CKPT_MAGIC,
		.version = CKPT_VERSION,
		.arch = 62,
		.page_size = PAGE,
		.image_id = how & IMAGE_LATER ? 43 : 42,
		.time_ns = how & IMAGE_LATER ? 1700000000000000000 : 1600000000000000000,
		.release = "6.12.0-test",
		.vdso_crc = 0x12345678,
		.vdso_size = 8192,
	};
	struct {
		struct ckpt_header h;
		__u64 more[3];
	} grown = { .h = h };

	put(b, CKPT_REC_HEADER, 0, how & IMAGE_GROWN ? (void *)&grown : (void *)&h,
	    how & IMAGE_GROWN ? sizeof(grown) : sizeof(h), NULL, 0);
}

void put_trailer(struct builder *b)
{
	struct ckpt_trailer t = {
		.records = b->records,
		.bytes = b->len,
		.objects = b->objects,
		.pages = b->pages,
		.frozen_ns = 12345678,
	};

	put(b, CKPT_REC_TRAILER, 0, &t, sizeof(t), NULL, 0);
}

#define BODY(b, type, ref, s)	put(b, CKPT_REC_##type, ref, &(s), sizeof(s), NULL, 0)
#define DATA(b, type, ref, s, d, l) \
	put(b, CKPT_REC_##type, ref, &(s), sizeof(s), d, l)

static void put_file(struct builder *b, __u32 ref, struct ckpt_file file,
		     const char *path)
{
	DATA(b, FILE, ref, file, path, path ? strlen(path) + 1 : 0);
}

/* Objects 1 to 9: a descriptor table and what is in it. */
static void put_files(struct builder *b, unsigned int how)
{
	static const char pipe_data[] = "in the pipe";
	static const char contents[] = "deleted, but not forgotten";
	struct {
		struct ckpt_pipe_buf buf;
		char data[sizeof(pipe_data)];
	} in_pipe = { .buf = { .len = sizeof(pipe_data) } };
	struct ckpt_pipe pipe = { .ring_size = 16, .nr_bufs = 1, .mode = 010600 };
	struct ckpt_inode inode = {
		.kind = CKPT_INODE_DELETED, .mode = 0100600, .size = sizeof(contents),
	};
	struct ckpt_file_data fd = { .offset = 0, .len = sizeof(contents) };
	struct ckpt_fd fds[] = {
		{ .fd = 0, .file = 2 }, { .fd = 1, .file = 4 },
		{ .fd = 2, .file = 2 }, { .fd = 7, .file = 5, .flags = CKPT_FD_CLOEXEC },
		{ .fd = 9, .file = 6 },
	};
	struct ckpt_files files = { .nr = 5 };
	struct ckpt_lock lock = {
		.file = 5, .kind = CKPT_LOCK_POSIX, .type = 1, .start = 0, .end = 9,
	};
	struct ckpt_locks locks = { .nr = 1 };

	put_file(b, 2, (struct ckpt_file){
		.kind = CKPT_FILE_EXTERNAL, .f_flags = 2, .mode = 020620, .low_fd = 0,
	}, "tty");
	DATA(b, PIPE, 3, pipe, &in_pipe, sizeof(in_pipe.buf) + sizeof(pipe_data));
	put_file(b, 4, (struct ckpt_file){
		.kind = CKPT_FILE_PIPE, .f_flags = 1, .inode = 3, .low_fd = 1,
	}, NULL);
	put_file(b, 5, (struct ckpt_file){
		.kind = CKPT_FILE_REG, .f_flags = 2, .mode = 0100644, .size = 100,
		.pos = how & IMAGE_CHANGED ? 77 : 55, .low_fd = 7,
	}, how & IMAGE_EVIL ? "/tmp/\033]0;evil\a\xff\xc2\x9b\xe2\x80\xae" : "/tmp/data");
	DATA(b, INODE, 8, inode, "/tmp/gone", 10);
	DATA(b, FILE_DATA, 8, fd, contents, sizeof(contents));
	put_file(b, 6, (struct ckpt_file){
		.kind = CKPT_FILE_INODE, .f_flags = 2, .inode = 8, .low_fd = 9,
	}, NULL);
	if (how & IMAGE_DANGLING)
		fds[1].file = 99;
	DATA(b, FILES, 1, files, fds, sizeof(fds));
	DATA(b, LOCKS, 1, locks, &lock, sizeof(lock));
}

/* Objects 20 and 21: an address space. */
static void put_mm(struct builder *b, unsigned int how)
{
	static unsigned char pages[3 * PAGE];
	struct ckpt_page_run runs[] = { { 0x601000, 1 }, { 0x7f0000001000, 2 } };
	struct ckpt_mm mm = {
		.exe = 20, .start_code = 0x400000, .end_code = 0x401000,
		.start_brk = 0x600000, .brk = 0x602000,
		.start_stack = 0x7f0000002010, .vdso = 0x7fff00000000,
	};
	struct ckpt_vma code = {
		.start = 0x400000, .end = 0x401000, .kind = CKPT_VMA_FILE,
		.flags = CKPT_VM_READ | CKPT_VM_EXEC, .file = 20,
	};
	struct ckpt_vma heap = {
		.start = 0x600000, .end = 0x602000, .kind = CKPT_VMA_ANON,
		.flags = CKPT_VM_READ | CKPT_VM_WRITE,
	};
	struct ckpt_vma stack = {
		.start = 0x7f0000000000, .end = 0x7f0000003000, .kind = CKPT_VMA_ANON,
		.flags = CKPT_VM_READ | CKPT_VM_WRITE | CKPT_VM_GROWSDOWN,
	};
	struct ckpt_vma vdso = {
		.start = 0x7fff00000000, .end = 0x7fff00002000, .kind = CKPT_VMA_VDSO,
		.flags = CKPT_VM_READ | CKPT_VM_EXEC,
	};
	__u64 auxv[] = { 6, 4096, 0, 0 };
	size_t i;

	for (i = 0; i < sizeof(pages); i++)
		pages[i] = (unsigned char)(i * 7 + i / PAGE);
	if (how & IMAGE_CHANGED)
		pages[PAGE + 5]++;
	put_file(b, 20, (struct ckpt_file){
		.kind = CKPT_FILE_REG, .mode = 0100755, .size = 100000, .low_fd = -1,
	}, "/bin/sh");
	DATA(b, MM, 21, mm, auxv, sizeof(auxv));
	BODY(b, VMA, 21, code);
	BODY(b, VMA, 21, heap);
	DATA(b, VMA, 21, stack, "thread", 7);
	BODY(b, VMA, 21, vdso);
	put_pages(b, 21, runs, 2, pages, 3);
	put(b, CKPT_REC_MM_END, 21, NULL, 0, NULL, 0);
}

static void put_state(struct builder *b, unsigned int how, const char *comm, bool leader,
		      struct ckpt_task_objs objs)
{
	struct ckpt_task task = { .exit_signal = leader ? 17 : -1 };
	struct ckpt_cpu cpu = { .note = 1 };
	unsigned char regs[216] = { 1, 2, 3 };
	struct ckpt_sched sched = { .nr_cpus = 2 };
	__u64 mask = 3;
	struct ckpt_signal signal = { .flags = CKPT_SIG_STOPPED };
	struct ckpt_sigmask sigmask = { .blocked = 0x10 };
	struct ckpt_sigpending pending = { .shared = 1, .nr = 1, .set = 1 };
	struct ckpt_siginfo info = { .info = { 1 } };
	struct ckpt_rlimits rlimits = { .nr = 16 };
	struct ckpt_rlimit limits[16] = { { 1, 2 } };
	struct ckpt_restart_block block = { .fn = CKPT_RESTART_NANOSLEEP };
	struct ckpt_itimers itimers = {
		.real_value = how & IMAGE_USED ? 900 : how & IMAGE_OFF ? 0 : 1000,
	};
	struct ckpt_cred cred = { .uid = 1000, .ngroups = 2 };
	__u32 groups[] = { 4, 24 };

	memcpy(task.comm, comm, strlen(comm));
	BODY(b, TASK, 0, task);
	BODY(b, TASK_OBJS, 0, objs);
	DATA(b, CPU, 0, cpu, regs, sizeof(regs));
	BODY(b, RESTART_BLOCK, 0, block);
	DATA(b, SCHED, 0, sched, &mask, sizeof(mask));
	if (leader) {
		BODY(b, ITIMERS, 0, itimers);
		BODY(b, SIGNAL, 0, signal);
		DATA(b, RLIMITS, 0, rlimits, limits, sizeof(limits));
	}
	BODY(b, SIGMASK, 0, sigmask);
	DATA(b, SIGPENDING, 0, pending, &info, sizeof(info));
	DATA(b, CRED, 0, cred, groups, sizeof(groups));
}

void make_image(struct builder *b, unsigned int how)
{
	static const struct ckpt_tree_task tasks[] = {
		{ 100, 0, CKPT_NO_PARENT, 100, 0, 0 },
		{ 101, 0, CKPT_NO_PARENT, 100, 0, 0 },
		{ 102, 2, 0, 100, 0, 0 },
		{ 103, 3, 0, 100, 0, CKPT_TASK_ZOMBIE },
		{ 200, 4, CKPT_NO_PARENT, 100, 0, 0 },
	};
	struct ckpt_tree tree = { .nr = 5, .nr_roots = 2 };
	struct ckpt_fs fs = { .umask = 022, .root_len = 2, .cwd_len = 5 };
	struct ckpt_task_objs objs = { .mm = 21, .files = 1, .fs = 30, .sighand = 31 };
	struct ckpt_sigaction actions[64] = { };
	struct ckpt_task zombie = { .comm = "true", .exit_code = 256, .exit_signal = 17 };
	struct ckpt_task_begin begin = { };
	__u64 nothing[2] = { };

	memset(b, 0, sizeof(*b));
	put_header(b, how);
	DATA(b, TREE, 0, tree, tasks, sizeof(tasks));
	for (begin.index = 0; begin.index < 5; begin.index++) {
		BODY(b, TASK_BEGIN, 0, begin);
		if (!begin.index) {
			put_files(b, how);
			put_mm(b, how);
			DATA(b, FS, 30, fs, "/\0/tmp", 7);
			put(b, CKPT_REC_SIGHAND, 31, NULL, 0, actions,
			    sizeof(actions));
		}
		if (begin.index == 3)
			BODY(b, TASK, 0, zombie);
		else
			put_state(b, how, how & IMAGE_CHANGED ? "bash" :
				  how & IMAGE_EVIL ? "\033[2J" : "sh",
				  begin.index != 1, objs);
		if (how & IMAGE_OPTIONAL)
			put_flags(b, 1000, 0, 0, nothing, 16, nothing, 13);
		put(b, CKPT_REC_TASK_END, 0, NULL, 0, NULL, 0);
	}
	put_trailer(b);
}

void fix_checksums(unsigned char *p, size_t len)
{
	struct ckpt_record h;
	__u32 crc, number = 0;
	size_t at = 0;

	while (len - at >= sizeof(h)) {
		memcpy(&h, p + at, sizeof(h));
		if (h.length < sizeof(h) || h.length > len - at)
			return;
		crc = checksum(p + at, h.length, number++);
		memcpy(p + at + offsetof(struct ckpt_record, crc), &crc, sizeof(crc));
		at += h.length;
	}
}

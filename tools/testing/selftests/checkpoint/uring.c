// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: io_uring.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define PAGE	4096UL
#define ENTRIES	8

struct ring {
	int			fd;
	unsigned int		enter;	/* flags for io_uring_enter(2) */
	struct io_uring_params	p;
	char			*mem;
	size_t			mem_len;
	char			*sqes;
	size_t			sqes_len;
	uint32_t		tail;	/* of requests, not told to the kernel yet */
};

static int enter(struct ring *r, unsigned int submit, unsigned int wait)
{
	return syscall(SYS_io_uring_enter, r->fd, submit, wait,
		       r->enter | IORING_ENTER_GETEVENTS, NULL, 0);
}

static int reg(struct ring *r, unsigned int op, void *arg, unsigned int nr)
{
	return syscall(SYS_io_uring_register, r->fd, op, arg, nr);
}

static void ring_map(struct ring *r)
{
	unsigned int flags = r->p.flags;
	unsigned int shift = !!(flags & IORING_SETUP_CQE32);

	CHECK(r->p.features & IORING_FEAT_SINGLE_MMAP);
	r->mem_len = r->p.cq_off.cqes +
		     (r->p.cq_entries * sizeof(struct io_uring_cqe) << shift);
	if (!(flags & IORING_SETUP_NO_SQARRAY))
		r->mem_len = r->p.sq_off.array + r->p.sq_entries * sizeof(uint32_t);
	r->mem_len = (r->mem_len + PAGE - 1) & -PAGE;
	r->mem = mmap(NULL, r->mem_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		      IORING_OFF_SQ_RING);
	CHECK(r->mem != MAP_FAILED);
	r->sqes_len = r->p.sq_entries * 64 << !!(flags & IORING_SETUP_SQE128);
	r->sqes_len = (r->sqes_len + PAGE - 1) & -PAGE;
	r->sqes = mmap(NULL, r->sqes_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	CHECK(r->sqes != MAP_FAILED);
}

static int try_open(struct ring *r, unsigned int flags, unsigned int cq_entries)
{
	memset(r, 0, sizeof(*r));
	r->p.flags = flags;
	r->p.cq_entries = cq_entries;
	r->fd = syscall(SYS_io_uring_setup, ENTRIES, &r->p);
	if (r->fd < 0)
		return -1;
	ring_map(r);
	return 0;
}

static void ring_open(struct ring *r, unsigned int flags)
{
	CHECK_EQ(0, try_open(r, flags, 0));
}

static uint32_t *word(struct ring *r, uint32_t offset)
{
	return (uint32_t *)(r->mem + offset);
}

/* The next request, to be filled in; the kernel is told by enter(). */
static struct io_uring_sqe *next(struct ring *r, int op, uint64_t user_data)
{
	uint32_t index = r->tail & (r->p.sq_entries - 1);
	struct io_uring_sqe *sqe = (void *)(r->sqes + index *
			(64 << !!(r->p.flags & IORING_SETUP_SQE128)));

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = op;
	sqe->user_data = user_data;
	if (!(r->p.flags & IORING_SETUP_NO_SQARRAY))
		word(r, r->p.sq_off.array)[index] = index;
	__atomic_store_n(word(r, r->p.sq_off.tail), ++r->tail, __ATOMIC_RELEASE);
	return sqe;
}

static struct io_uring_cqe *peek(struct ring *r)
{
	uint32_t head = *word(r, r->p.cq_off.head);

	if (head == __atomic_load_n(word(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE))
		return NULL;
	return (void *)(r->mem + r->p.cq_off.cqes + (head & (r->p.cq_entries - 1)) *
			(16 << !!(r->p.flags & IORING_SETUP_CQE32)));
}

static void take(struct ring *r, uint64_t user_data, int res)
{
	struct io_uring_cqe *cqe = peek(r);

	CHECK(cqe);
	CHECK_EQ(user_data, cqe->user_data);
	CHECK_EQ(res, cqe->res);
	++*word(r, r->p.cq_off.head);
}

static void nop(struct ring *r, uint64_t user_data)
{
	next(r, IORING_OP_NOP, user_data);
	CHECK_EQ(1, enter(r, 1, 1));
}

/* It does all that it did. */
static void works(struct ring *r)
{
	static char buf[4];
	struct io_uring_sqe *sqe;
	int fd;

	CHECK(!peek(r));
	nop(r, ~0ULL);
	take(r, ~0ULL, 0);
	fd = subject_open("f/data", O_RDWR | O_CREAT);
	CHECK(fd >= 0);
	sqe = next(r, IORING_OP_WRITE, 7);
	sqe->fd = fd;
	sqe->addr = (uintptr_t)"abc";
	sqe->len = 3;
	sqe->flags = IOSQE_IO_LINK;
	sqe = next(r, IORING_OP_READ, 8);
	sqe->fd = fd;
	sqe->addr = (uintptr_t)buf;
	sqe->len = 4;
	CHECK_EQ(2, enter(r, 2, 2));
	take(r, 7, 3);
	take(r, 8, 3);
	CHECK_MEM("abc", buf, 4);
	CHECK(!peek(r));
	close(fd);
}

/* How /proc tells of the mapping that begins there. */
static void maps_line(void *addr, char *line, size_t size)
{
	static char text[1 << 16];
	char want[32], *p;

	snprintf(want, sizeof(want), "%08lx-", (unsigned long)addr);
	CHECK(ckpt_slurp("/proc/self/maps", text, sizeof(text)) > 0);
	p = strstr(text, want);
	CHECK(p);
	snprintf(line, size, "%.*s", (int)(strcspn(p, " ") + 14), p);
}

/* ---- what is in a ring ---- */

SUBJECT(contents)
{
	static char before[4 * PAGE];
	char was[2][128], is[2][128];
	struct ring r;
	int i;

	ring_open(&r, 0);
	for (i = 0; i < 6; i++)
		nop(&r, 100 + i);
	take(&r, 100, 0);
	take(&r, 101, 0);
	/* two that the kernel was not asked for, one of which it was told of */
	next(&r, IORING_OP_NOP, 200);
	next(&r, IORING_OP_NOP, 201);
	CHECK(r.mem_len + r.sqes_len <= sizeof(before));
	memcpy(before, r.mem, r.mem_len);
	memcpy(before + r.mem_len, r.sqes, r.sqes_len);
	maps_line(r.mem, was[0], sizeof(was[0]));
	maps_line(r.sqes, was[1], sizeof(was[1]));
	subject_point();
	CHECK_EQ(O_RDWR, fcntl(r.fd, F_GETFL));
	CHECK_EQ(FD_CLOEXEC, fcntl(r.fd, F_GETFD));
	maps_line(r.mem, is[0], sizeof(is[0]));
	maps_line(r.sqes, is[1], sizeof(is[1]));
	CHECK_MEM(was[0], is[0], strlen(was[0]) + 1);
	CHECK_MEM(was[1], is[1], strlen(was[1]) + 1);
	CHECK_MEM(before, r.mem, r.mem_len);
	CHECK_MEM(before + r.mem_len, r.sqes, r.sqes_len);
	for (i = 2; i < 6; i++)
		take(&r, 100 + i, 0);
	CHECK(!peek(&r));
	CHECK_EQ(2, enter(&r, 2, 2));
	take(&r, 200, 0);
	take(&r, 201, 0);
	works(&r);
	CHECK_EQ(0, *word(&r, r.p.cq_off.overflow));
	CHECK_EQ(0, *word(&r, r.p.sq_off.dropped));
	/* it goes on to count */
	CHECK_EQ(11, *word(&r, r.p.sq_off.head));
	CHECK_EQ(11, *word(&r, r.p.cq_off.tail));
	close(r.fd);
}

static const unsigned int setups[] = {
	0, IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL, IORING_SETUP_COOP_TASKRUN,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	IORING_SETUP_SQE128, IORING_SETUP_CQE32, IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
	IORING_SETUP_CQSIZE, IORING_SETUP_SINGLE_ISSUER,
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_NO_SQARRAY,
	IORING_SETUP_R_DISABLED, IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER,
};

static void *submit_one(void *arg)
{
	struct ring *r = arg;

	next(r, IORING_OP_NOP, 5);
	return (void *)(long)(enter(r, 1, 1) < 0 ? errno : 0);
}

static void check_other_thread(struct ring *r, int err)
{
	pthread_t thread;
	void *ret;

	CHECK_EQ(0, pthread_create(&thread, NULL, submit_one, r));
	CHECK_EQ(0, pthread_join(thread, &ret));
	CHECK_EQ(err, (long)ret);
	if (err) {
		r->tail--;
		*word(r, r->p.sq_off.tail) = r->tail;
	} else {
		take(r, 5, 0);
	}
}

SUBJECT(flags)
{
	struct ring rings[ARRAY_SIZE(setups)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(setups); i++) {
		CHECK_EQ(0, try_open(&rings[i], setups[i],
				     setups[i] & IORING_SETUP_CQSIZE ? 64 : 0));
		if (setups[i] & IORING_SETUP_R_DISABLED)
			continue;
		nop(&rings[i], i);
	}
	subject_point();
	for (i = 0; i < ARRAY_SIZE(setups); i++) {
		struct ring *r = &rings[i];

		CHECK_EQ(setups[i] & IORING_SETUP_CQSIZE ? 64 : 16, r->p.cq_entries);
		CHECK_EQ(r->p.cq_entries, *word(r, r->p.cq_off.ring_entries));
		if (setups[i] & IORING_SETUP_R_DISABLED) {
			CHECK_EQ(-1, enter(r, 1, 0));
			CHECK_EQ(EBADFD, errno);
			CHECK_EQ(0, reg(r, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
		} else {
			CHECK_EQ(-1, reg(r, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
			CHECK_EQ(EBADFD, errno);
			take(r, i, 0);
		}
		works(r);
		check_other_thread(r, setups[i] & IORING_SETUP_SINGLE_ISSUER ? EEXIST : 0);
		works(r);
	}
}

/* More completions than there is room for are kept in the kernel: later. */
SUBJECT(full)
{
	struct ring r;
	int i;

	ring_open(&r, 0);
	for (i = 0; i < 16; i++)
		nop(&r, i);
	subject_point();
	for (i = 0; i < 16; i++)
		take(&r, i, 0);
	CHECK(!peek(&r));
	for (i = 0; i < 17; i++)
		nop(&r, 100 + i);
	CHECK(*word(&r, r.p.sq_off.flags) & IORING_SQ_CQ_OVERFLOW);
	for (i = 0; i < 16; i++)
		take(&r, 100 + i, 0);
	CHECK_EQ(0, enter(&r, 0, 1));
	take(&r, 116, 0);
	works(&r);
}

/* ---- who uses it ---- */

struct owner {
	struct ring	r;
	_Atomic int	step;
	pthread_t	thread;
};

static void *own_ring(void *arg)
{
	struct owner *o = arg;

	ring_open(&o->r, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	nop(&o->r, 1);
	o->step = 1;
	while (o->step == 1)
		ckpt_sleep_ms(1);
	take(&o->r, 1, 0);
	works(&o->r);
	return NULL;
}

/* The only one that may use it is a thread. */
SUBJECT(thread)
{
	static struct owner o;

	CHECK_EQ(0, pthread_create(&o.thread, NULL, own_ring, &o));
	while (o.step == 0)
		ckpt_sleep_ms(1);
	subject_point();
	next(&o.r, IORING_OP_NOP, 3);
	CHECK_EQ(-1, enter(&o.r, 1, 0));
	CHECK_EQ(EEXIST, errno);
	o.r.tail--;
	*word(&o.r, o.r.p.sq_off.tail) = o.r.tail;
	o.step = 2;
	CHECK_EQ(0, pthread_join(o.thread, NULL));
}

static void register_ring(struct ring *r, unsigned int slot)
{
	struct io_uring_rsrc_update up = { .offset = slot, .data = r->fd };

	CHECK_EQ(1, reg(r, IORING_REGISTER_RING_FDS, &up, 1));
	CHECK_EQ(slot, up.offset);
}

/* Registered, and one of them no longer open. */
SUBJECT(registered)
{
	struct ring a, b, c;

	ring_open(&a, 0);
	ring_open(&b, IORING_SETUP_SINGLE_ISSUER);
	register_ring(&a, 3);
	register_ring(&b, 15);
	register_ring(&b, 0);
	c = a;
	close(b.fd);
	a.fd = 3;
	b.fd = 15;
	a.enter = IORING_ENTER_REGISTERED_RING;
	b.enter = IORING_ENTER_REGISTERED_RING;
	nop(&a, 1);
	nop(&b, 2);
	subject_point();
	take(&a, 1, 0);
	take(&b, 2, 0);
	works(&a);
	works(&b);
	b.fd = 0;
	works(&b);
	c.tail = a.tail;
	works(&c);
	b.fd = 1;
	CHECK_EQ(-1, enter(&b, 0, 0));
	CHECK_EQ(EBADF, errno);
}

/* A child has the descriptor and the memory, too. */
SUBJECT(forked)
{
	struct ring r;
	pid_t child;

	ring_open(&r, 0);
	nop(&r, 1);
	child = fork();
	if (!child) {
		subject_touch("f/child");
		subject_wait("go");
		subject_wait("f/taken");
		nop(&r, 3);
		_exit(0);
	}
	subject_wait("f/child");
	subject_point();
	take(&r, 1, 0);
	subject_touch("f/taken");
	subject_join(child);
	take(&r, 3, 0);
	r.tail++;
	works(&r);
}

/* Mapped in two pieces, not for children, and watched. */
SUBJECT(mapped)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 9 };
	int ep = epoll_create1(0);
	struct ring r;
	char *cq;

	ring_open(&r, 0);
	cq = mmap(NULL, r.mem_len, PROT_READ, MAP_SHARED, r.fd, IORING_OFF_CQ_RING);
	CHECK(cq != MAP_FAILED);
	CHECK_EQ(0, madvise(r.mem, r.mem_len, MADV_DONTFORK));
	CHECK_EQ(0, madvise(r.sqes, r.sqes_len, MADV_DONTFORK));
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, r.fd, &ev));
	subject_point();
	CHECK_EQ(0, epoll_wait(ep, &ev, 1, 0));
	nop(&r, 1);
	CHECK_EQ(1, *(uint32_t *)(cq + r.p.cq_off.tail));
	CHECK_EQ(1, epoll_wait(ep, &ev, 1, 10000));
	CHECK_EQ(9, ev.data.u32);
	take(&r, 1, 0);
	CHECK_EQ(0, epoll_wait(ep, &ev, 1, 0));
	works(&r);
}

struct waiter {
	struct ring	r;
	_Atomic pid_t	tid;
	_Atomic int	ret;
};

static void *wait_for_one(void *arg)
{
	struct waiter *w = arg;
	int ret;

	w->tid = syscall(SYS_gettid);
	ret = enter(&w->r, 0, 1);
	w->ret = ret < 0 ? -errno : 100;
	return NULL;
}

static bool sleeps(pid_t tid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	return ckpt_slurp(path, text, sizeof(text)) > 0 && strstr(text, ") S ");
}

SUBJECT(asleep)
{
	static struct waiter w;
	pthread_t thread;

	ring_open(&w.r, 0);
	CHECK_EQ(0, pthread_create(&thread, NULL, wait_for_one, &w));
	while (!w.tid || !sleeps(w.tid))
		ckpt_sleep_ms(1);
	subject_point();
	CHECK_EQ(0, w.ret);
	next(&w.r, IORING_OP_NOP, 4);
	CHECK_EQ(1, syscall(SYS_io_uring_enter, w.r.fd, 1, 0, 0, NULL, 0));
	CHECK_EQ(0, pthread_join(thread, NULL));
	CHECK_EQ(100, w.ret);
	take(&w.r, 4, 0);
}

/* A read that a thread of the kernel does, which stays. */
static void read_by_worker(struct ring *r, int fd, uint64_t user_data)
{
	static char buf[4];
	struct io_uring_sqe *sqe = next(r, IORING_OP_READ, user_data);

	memset(buf, 0, sizeof(buf));
	sqe->fd = fd;
	sqe->addr = (uintptr_t)buf;
	sqe->len = 4;
	sqe->flags = IOSQE_ASYNC;
	CHECK_EQ(1, enter(r, 1, 1));
	take(r, user_data, 3);
	CHECK_MEM("abc", buf, 4);
}

SUBJECT(worker)
{
	struct stat st;
	struct ring r;
	int fd;

	ring_open(&r, 0);
	fd = subject_open("f/data", O_RDWR | O_CREAT);
	CHECK_EQ(3, pwrite(fd, "abc", 3, 0));
	read_by_worker(&r, fd, 1);
	CHECK_EQ(0, stat("/proc/self/task", &st));
	/* itself, and that */
	CHECK(st.st_nlink >= 4);
	subject_point();
	read_by_worker(&r, fd, 2);
	works(&r);
}

/* All rings are gone; a request that is over. */
SUBJECT(gone)
{
	struct io_uring_sqe *sqe;
	struct ring r;
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	ring_open(&r, 0);
	sqe = next(&r, IORING_OP_POLL_ADD, 6);
	sqe->fd = fds[0];
	sqe->poll32_events = POLLIN;
	CHECK_EQ(1, enter(&r, 1, 0));
	CHECK_EQ(1, write(fds[1], "x", 1));
	CHECK_EQ(0, enter(&r, 0, 1));
	take(&r, 6, POLLIN);
	CHECK_EQ(0, munmap(r.mem, r.mem_len));
	CHECK_EQ(0, munmap(r.sqes, r.sqes_len));
	close(r.fd);
	subject_point();
	ring_open(&r, 0);
	works(&r);
}

/*
 * The rest of a ring is taken down by and by. That is work for whom it belonged
 * to, which breaks off what he waits in as a signal does.
 */
static void close_ring(void)
{
	struct ring r;

	ring_open(&r, 0);
	nop(&r, 1);
	CHECK_EQ(0, munmap(r.mem, r.mem_len));
	CHECK_EQ(0, munmap(r.sqes, r.sqes_len));
	close(r.fd);
}

/* Larger than a pipe. */
SUBJECT(large)
{
	char *mem = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	CHECK(mem != MAP_FAILED);
	memset(mem, 'x', 1 << 20);
	subject_point();
	CHECK_EQ('x', mem[(1 << 20) - 1]);
}

/* ---- what is registered ---- */

/* What /proc tells of the tables. Names of memfds and the like do not change. */
static void tables(int fd, char *text, size_t size)
{
	static char info[1 << 16];
	char path[64], *begin, *end;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(ckpt_slurp(path, info, sizeof(info)) > 0);
	begin = strstr(info, "UserFiles:");
	CHECK(begin);
	end = strstr(begin, "PollList:");
	CHECK(end);
	snprintf(text, size, "%.*s", (int)(end - begin), begin);
}

static int fixed_rw(struct ring *r, int op, unsigned int slot, void *buf, unsigned int len,
		    uint64_t off)
{
	struct io_uring_sqe *sqe = next(r, op, 77);
	struct io_uring_cqe *cqe;
	int res;

	sqe->fd = slot;
	sqe->addr = (uintptr_t)buf;
	sqe->len = len;
	sqe->off = off;
	sqe->flags = IOSQE_FIXED_FILE;
	CHECK_EQ(1, enter(r, 1, 1));
	cqe = peek(r);
	CHECK(cqe);
	CHECK_EQ(77, cqe->user_data);
	res = cqe->res;
	++*word(r, r->p.cq_off.head);
	return res;
}

/* A descriptor for a registered file. */
static int install(struct ring *r, unsigned int slot)
{
	struct io_uring_sqe *sqe = next(r, IORING_OP_FIXED_FD_INSTALL, 78);
	struct io_uring_cqe *cqe;
	int res;

	sqe->fd = slot;
	sqe->flags = IOSQE_FIXED_FILE;
	CHECK_EQ(1, enter(r, 1, 1));
	cqe = peek(r);
	CHECK(cqe);
	CHECK_EQ(78, cqe->user_data);
	res = cqe->res;
	++*word(r, r->p.cq_off.head);
	return res;
}

/* Which place a file gets that asks for any. */
static int alloc_slot(struct ring *r)
{
	struct io_uring_sqe *sqe = next(r, IORING_OP_OPENAT, 79);
	struct io_uring_cqe *cqe;
	int res;

	sqe->fd = AT_FDCWD;
	sqe->addr = (uintptr_t)"/dev/null";
	sqe->open_flags = O_RDWR;
	sqe->file_index = IORING_FILE_INDEX_ALLOC;
	CHECK_EQ(1, enter(r, 1, 1));
	cqe = peek(r);
	CHECK(cqe);
	CHECK_EQ(79, cqe->user_data);
	res = cqe->res;
	++*word(r, r->p.cq_off.head);
	return res;
}

static int update(struct ring *r, unsigned int op, unsigned int slot, void *data,
		  uint64_t tag)
{
	struct io_uring_rsrc_update2 up = {
		.offset = slot,
		.data = (uintptr_t)data,
		.tags = (uintptr_t)&tag,
		.nr = 1,
	};

	return reg(r, op, &up, sizeof(up));
}

static void remove_file(struct ring *r, unsigned int slot)
{
	CHECK_EQ(1, update(r, IORING_REGISTER_FILES_UPDATE2, slot, &(int){ -1 }, 0));
}

enum { F_DATA, F_HOLE, F_PIPE, F_EVENT, F_SAME, F_UNIX, F_TIMER, F_HOLES, NR_FILES = 9 };

SUBJECT(files)
{
	uint64_t tags[NR_FILES] = { [F_DATA] = 0x1111, [F_UNIX] = ~0ULL };
	int fds[NR_FILES], pipe_fds[2], unix_fds[2], i, fd;
	struct io_uring_rsrc_register rr = {
		.nr = NR_FILES,
		.data = (uintptr_t)fds,
		.tags = (uintptr_t)tags,
	};
	struct io_uring_file_index_range range = { .off = 1, .len = 7 };
	static char was[4096], is[4096];
	struct itimerspec its = { .it_value.tv_sec = 1 };
	uint64_t count = 5;
	char buf[16] = "";
	struct ring r;

	ring_open(&r, 0);
	memset(fds, -1, sizeof(fds));
	fd = subject_open("f/six", O_RDWR | O_CREAT);
	CHECK_EQ(6, write(fd, "abcdef", 6));
	CHECK_EQ(2, lseek(fd, 2, SEEK_SET));
	CHECK_EQ(0, pipe(pipe_fds));
	CHECK_EQ(4, write(pipe_fds[1], "pipe", 4));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, unix_fds));
	CHECK_EQ(4, write(unix_fds[1], "unix", 4));
	fds[F_DATA] = fd;
	fds[F_PIPE] = pipe_fds[0];
	fds[F_EVENT] = eventfd(0, EFD_NONBLOCK);
	CHECK_EQ(8, write(fds[F_EVENT], &count, 8));
	fds[F_SAME] = fd;
	fds[F_UNIX] = unix_fds[0];
	fds[F_TIMER] = timerfd_create(CLOCK_MONOTONIC, 0);
	CHECK_EQ(0, timerfd_settime(fds[F_TIMER], 0, &its, NULL));
	fds[NR_FILES - 1] = fds[F_EVENT];
	CHECK_EQ(0, reg(&r, IORING_REGISTER_FILES2, &rr, sizeof(rr)));
	CHECK_EQ(0, reg(&r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0));
	/* place 1 is taken, and free again: the next one is that */
	CHECK_EQ(F_HOLE, alloc_slot(&r));
	CHECK_EQ(F_HOLES, alloc_slot(&r));
	remove_file(&r, F_HOLES);
	remove_file(&r, F_HOLE);
	remove_file(&r, F_HOLES - 1);
	fds[F_TIMER] = timerfd_create(CLOCK_MONOTONIC, 0);
	CHECK_EQ(0, timerfd_settime(fds[F_TIMER], 0, &its, NULL));
	CHECK_EQ(1, update(&r, IORING_REGISTER_FILES_UPDATE2, F_TIMER, &fds[F_TIMER], 0x3333));
	/* only some have a descriptor */
	for (i = F_PIPE; i < F_HOLES; i++) {
		if (i != F_SAME)
			close(fds[i]);
	}
	tables(r.fd, was, sizeof(was));
	subject_point();
	tables(r.fd, is, sizeof(is));
	CHECK_MEM(was, is, strlen(was) + 1);
	/* position and all: it is the same description */
	CHECK_EQ(1, fixed_rw(&r, IORING_OP_READ, F_DATA, buf, 1, -1ULL));
	CHECK_EQ(1, fixed_rw(&r, IORING_OP_READ, F_SAME, buf + 1, 1, -1ULL));
	CHECK_EQ(1, read(fd, buf + 2, 1));
	CHECK_MEM("cde", buf, 4);
	CHECK_EQ(4, fixed_rw(&r, IORING_OP_READ, F_PIPE, buf, 16, -1ULL));
	CHECK_MEM("pipe", buf, 4);
	CHECK_EQ(4, fixed_rw(&r, IORING_OP_READ, F_UNIX, buf, 16, 0));
	CHECK_MEM("unix", buf, 4);
	CHECK_EQ(5, fixed_rw(&r, IORING_OP_WRITE, F_UNIX, "hello", 5, 0));
	CHECK_EQ(5, read(unix_fds[1], buf, 16));
	CHECK_MEM("hello", buf, 5);
	CHECK_EQ(8, fixed_rw(&r, IORING_OP_READ, F_EVENT, &count, 8, 0));
	CHECK_EQ(5, count);
	/* there twice; to read from one that is empty would wait */
	count = 3;
	CHECK_EQ(8, fixed_rw(&r, IORING_OP_WRITE, NR_FILES - 1, &count, 8, 0));
	count = 0;
	CHECK_EQ(8, fixed_rw(&r, IORING_OP_READ, F_EVENT, &count, 8, 0));
	CHECK_EQ(3, count);
	CHECK_EQ(-EBADF, fixed_rw(&r, IORING_OP_READ, F_HOLE, buf, 1, 0));
	CHECK_EQ(-EBADF, fixed_rw(&r, IORING_OP_READ, F_HOLES, buf, 1, 0));
	CHECK_EQ(-EBADF, fixed_rw(&r, IORING_OP_READ, NR_FILES, buf, 1, 0));
	CHECK_EQ(8, fixed_rw(&r, IORING_OP_READ, F_TIMER, &count, 8, 0));
	CHECK_EQ(1, count);
	/* places are given out from where they were, and no others */
	CHECK_EQ(F_HOLES, alloc_slot(&r));
	CHECK_EQ(F_HOLE, alloc_slot(&r));
	CHECK_EQ(-ENFILE, alloc_slot(&r));
	/* who lets go of the last reader is told of it */
	remove_file(&r, F_PIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(-1, write(pipe_fds[1], "x", 1));
	CHECK_EQ(EPIPE, errno);
	/* tags */
	CHECK(!peek(&r));
	remove_file(&r, F_SAME);
	remove_file(&r, F_EVENT);
	CHECK(!peek(&r));
	remove_file(&r, F_UNIX);
	take(&r, ~0ULL, 0);
	CHECK_EQ(0, read(unix_fds[1], buf, 16));
	remove_file(&r, F_TIMER);
	take(&r, 0x3333, 0);
	remove_file(&r, F_DATA);
	take(&r, 0x1111, 0);
	CHECK_EQ(0, reg(&r, IORING_UNREGISTER_FILES, NULL, 0));
	CHECK_EQ(-1, reg(&r, IORING_UNREGISTER_FILES, NULL, 0));
	CHECK_EQ(ENXIO, errno);
	works(&r);
}

/* A table of nothing but holes, and one with its last place taken. */
SUBJECT(sparse_files)
{
	struct io_uring_rsrc_register rr = {
		.nr = 1000,
		.flags = IORING_RSRC_REGISTER_SPARSE,
	};
	static char was[2][1 << 16], is[1 << 16];
	int fd = open("/dev/zero", O_RDONLY);
	struct ring a, b;
	char buf = 'x';

	ring_open(&a, 0);
	ring_open(&b, 0);
	CHECK_EQ(0, reg(&a, IORING_REGISTER_FILES2, &rr, sizeof(rr)));
	CHECK_EQ(0, reg(&b, IORING_REGISTER_FILES2, &rr, sizeof(rr)));
	CHECK_EQ(1, update(&b, IORING_REGISTER_FILES_UPDATE2, 999, &fd, 0));
	close(fd);
	tables(a.fd, was[0], sizeof(was[0]));
	tables(b.fd, was[1], sizeof(was[1]));
	subject_point();
	tables(a.fd, is, sizeof(is));
	CHECK_MEM(was[0], is, strlen(is) + 1);
	tables(b.fd, is, sizeof(is));
	CHECK_MEM(was[1], is, strlen(is) + 1);
	CHECK_EQ(-EBADF, fixed_rw(&a, IORING_OP_READ, 999, &buf, 1, 0));
	CHECK_EQ(1, fixed_rw(&b, IORING_OP_READ, 999, &buf, 1, 0));
	CHECK_EQ(0, buf);
	CHECK_EQ(0, alloc_slot(&a));
	CHECK_EQ(0, alloc_slot(&b));
	CHECK_EQ(1, alloc_slot(&b));
	works(&a);
	works(&b);
}

/* The only way to an epoll instance is a ring that has no descriptor, either. */
SUBJECT(files_of_registered)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 21 };
	int ep = epoll_create1(0), event = eventfd(0, 0), fds[2] = { ep, event };
	uint64_t one = 1;
	struct ring r;

	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, event, &ev));
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_FILES, fds, 2));
	register_ring(&r, 2);
	close(r.fd);
	close(ep);
	close(event);
	r.fd = 2;
	r.enter = IORING_ENTER_REGISTERED_RING;
	subject_point();
	ep = install(&r, 0);
	CHECK(ep >= 0);
	CHECK_EQ(0, epoll_wait(ep, &ev, 1, 0));
	CHECK_EQ(8, fixed_rw(&r, IORING_OP_WRITE, 1, &one, 8, 0));
	CHECK_EQ(1, epoll_wait(ep, &ev, 1, 0));
	CHECK_EQ(21, ev.data.u32);
	close(ep);
	works(&r);
}

/* Parent and child have the table in common, and one end of a pipe each. */
SUBJECT(files_forked)
{
	int fds[2], pipe_fds[2];
	struct ring r;
	char buf[4];
	pid_t child;

	CHECK_EQ(0, pipe(pipe_fds));
	ring_open(&r, 0);
	memcpy(fds, pipe_fds, sizeof(fds));
	CHECK_EQ(0, reg(&r, IORING_REGISTER_FILES, fds, 2));
	child = fork();
	if (!child) {
		close(pipe_fds[1]);
		subject_touch("f/child");
		subject_wait("go");
		subject_wait("f/written");
		CHECK_EQ(3, read(pipe_fds[0], buf, 4));
		CHECK_MEM("abc", buf, 3);
		_exit(0);
	}
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	subject_wait("f/child");
	subject_point();
	CHECK_EQ(3, fixed_rw(&r, IORING_OP_WRITE, 1, "abc", 3, 0));
	subject_touch("f/written");
	subject_join(child);
	unlink(subject_path("f/written"));
	works(&r);
}

static uint64_t signals(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, 8) == 8 ? count : 0;
}

/* Where it is done by somebody else. */
static uint64_t signals_soon(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	CHECK_EQ(1, poll(&pfd, 1, 60000));
	return signals(fd);
}

/* Each ring signals, one of them only what was not done at once. */
SUBJECT(event)
{
	int fd = eventfd(0, EFD_NONBLOCK), async = eventfd(0, EFD_NONBLOCK);
	int data = subject_open("f/data", O_RDWR | O_CREAT), none;
	struct ring a, b, c;

	CHECK_EQ(3, pwrite(data, "abc", 3, 0));
	ring_open(&a, 0);
	ring_open(&b, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	ring_open(&c, 0);
	CHECK_EQ(0, reg(&a, IORING_REGISTER_EVENTFD, &fd, 1));
	CHECK_EQ(0, reg(&b, IORING_REGISTER_EVENTFD, &fd, 1));
	CHECK_EQ(0, reg(&c, IORING_REGISTER_EVENTFD_ASYNC, &async, 1));
	/* as many as were not read */
	nop(&a, 1);
	take(&a, 1, 0);
	/* one that had another, and has let go of it */
	none = eventfd(0, 0);
	CHECK_EQ(0, reg(&c, IORING_UNREGISTER_EVENTFD, NULL, 0));
	CHECK_EQ(0, reg(&c, IORING_REGISTER_EVENTFD, &none, 1));
	CHECK_EQ(0, reg(&c, IORING_UNREGISTER_EVENTFD, NULL, 0));
	CHECK_EQ(0, reg(&c, IORING_REGISTER_EVENTFD_ASYNC, &async, 1));
	subject_point();
	CHECK_EQ(1, signals(fd));
	nop(&a, 1);
	CHECK_EQ(1, signals(fd));
	nop(&b, 2);
	CHECK_EQ(1, signals(fd));
	nop(&c, 3);
	CHECK_EQ(0, signals(async));
	take(&a, 1, 0);
	take(&b, 2, 0);
	take(&c, 3, 0);
	read_by_worker(&c, data, 4);
	CHECK_EQ(1, signals_soon(async));
	CHECK_EQ(-1, reg(&a, IORING_REGISTER_EVENTFD, &fd, 1));
	CHECK_EQ(EBUSY, errno);
	CHECK_EQ(0, reg(&a, IORING_UNREGISTER_EVENTFD, NULL, 0));
	nop(&a, 1);
	CHECK_EQ(0, signals(fd));
	take(&a, 1, 0);
	works(&a);
	works(&b);
	works(&c);
}

/* ---- buffers ---- */

static alignas(4096) char area[4 * PAGE];

static int buffer_rw(struct ring *r, int op, int fd, unsigned int slot, void *addr,
		     unsigned int len)
{
	struct io_uring_sqe *sqe = next(r, op, 80);
	struct io_uring_cqe *cqe;
	int res;

	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->buf_index = slot;
	CHECK_EQ(1, enter(r, 1, 1));
	cqe = peek(r);
	CHECK(cqe);
	CHECK_EQ(80, cqe->user_data);
	res = cqe->res;
	++*word(r, r->p.cq_off.head);
	return res;
}

static void fill(char *mem, size_t size, int seed)
{
	size_t i;

	for (i = 0; i < size; i++)
		mem[i] = (i * 31 + i / PAGE + seed) % 251;
}

static bool filled(const char *mem, size_t size, int seed)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (mem[i] != (char)((i * 31 + i / PAGE + seed) % 251))
			return false;
	}
	return true;
}

/* What is pinned is what memory has there: both ways, at both ends. */
static void buffer_works(struct ring *r, int fd, unsigned int slot, char *mem, size_t size,
			 int seed)
{
	unsigned int len = size < 64 ? size : 64;
	char buf[64];

	CHECK(filled(mem, size, seed));
	CHECK_EQ(0, ftruncate(fd, 0));
	CHECK_EQ(len, buffer_rw(r, IORING_OP_WRITE_FIXED, fd, slot, mem + size - len, len));
	CHECK_EQ(len, pread(fd, buf, len, 0));
	CHECK_MEM(buf, mem + size - len, len);
	/* what memory gets, the kernel sees ... */
	memset(mem, 'm', 5);
	CHECK_EQ(5, buffer_rw(r, IORING_OP_WRITE_FIXED, fd, slot, mem, 5));
	CHECK_EQ(5, pread(fd, buf, 5, 0));
	CHECK_MEM("mmmmm", buf, 5);
	/* ... and the other way round */
	CHECK_EQ(5, pwrite(fd, "kkkkk", 5, 0));
	CHECK_EQ(5, buffer_rw(r, IORING_OP_READ_FIXED, fd, slot, mem, 5));
	CHECK_MEM("kkkkk", mem, 5);
	CHECK_EQ(5, buffer_rw(r, IORING_OP_READ_FIXED, fd, slot, mem + size - 5, 5));
	CHECK_MEM("kkkkk", mem + size - 5, 5);
	CHECK_EQ(-EFAULT, buffer_rw(r, IORING_OP_READ_FIXED, fd, slot, mem + size - 4, 5));
	CHECK_EQ(-EFAULT, buffer_rw(r, IORING_OP_READ_FIXED, fd, slot, mem - 1, 5));
	fill(mem, size, seed);
}

static long vm_pin(void)
{
	static char text[4096];
	char *p;

	CHECK(ckpt_slurp("/proc/self/status", text, sizeof(text)) > 0);
	p = strstr(text, "VmPin:");
	CHECK(p);
	return atol(p + 6);
}

#define HUGE	(2UL << 20)

enum { B_PLAIN, B_HOLE, B_SHORT, B_SHARED, B_HUGE, B_FILE, NR_BUFS = 7 };

SUBJECT(buffers)
{
	uint64_t tags[NR_BUFS] = { [B_SHORT] = 0x5555, [B_SHARED] = ~0ULL };
	struct iovec iov[NR_BUFS] = {};
	struct io_uring_rsrc_register rr = {
		.nr = NR_BUFS,
		.data = (uintptr_t)iov,
		.tags = (uintptr_t)tags,
	};
	int fd, mapped, i, order[] = { B_PLAIN, B_SHORT, B_SHARED, B_HUGE, B_FILE };
	static char was[4096], is[4096];
	char *huge, *mem;
	struct ring r;
	long least = 0;

	fd = subject_open("f/io", O_RDWR | O_CREAT);
	mapped = subject_open("f/mapped", O_RDWR | O_CREAT);
	CHECK_EQ(0, ftruncate(mapped, PAGE));
	iov[B_PLAIN] = (struct iovec){ area, 2 * PAGE };
	iov[B_SHORT] = (struct iovec){ area + 3 * PAGE - 50, 100 };
	mem = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(mem != MAP_FAILED);
	iov[B_SHARED] = (struct iovec){ mem + 1, 2 * PAGE + 7 };
	huge = mmap(NULL, 4 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(huge != MAP_FAILED);
	huge = (char *)(((uintptr_t)huge + HUGE) & -HUGE);
	madvise(huge, 2 * HUGE, MADV_HUGEPAGE);
	CHECK_EQ(0, madvise(huge, 2 * HUGE, MADV_DONTFORK));
	iov[B_HUGE] = (struct iovec){ huge + HUGE / 2 + 100, HUGE + 5 * PAGE };
	/* a private copy of a file */
	mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, mapped, 0);
	CHECK(mem != MAP_FAILED);
	iov[B_FILE] = (struct iovec){ mem + 8, PAGE - 8 };
	for (i = 0; i < NR_BUFS; i++) {
		fill(iov[i].iov_base, iov[i].iov_len, i);
		least += iov[i].iov_len;
	}
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_BUFFERS2, &rr, sizeof(rr)));
	CHECK(vm_pin() * 1024 >= least);
	tables(r.fd, was, sizeof(was));
	subject_point();
	tables(r.fd, is, sizeof(is));
	CHECK_MEM(was, is, strlen(was) + 1);
	/* a huge page may have come back as small ones, or the other way round */
	CHECK(vm_pin() * 1024 >= least);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		buffer_works(&r, fd, order[i], iov[order[i]].iov_base,
			     iov[order[i]].iov_len, order[i]);
	CHECK_EQ(-EFAULT, buffer_rw(&r, IORING_OP_READ_FIXED, fd, B_HOLE, area, 5));
	CHECK_EQ(-EFAULT, buffer_rw(&r, IORING_OP_READ_FIXED, fd, NR_BUFS, area, 5));
	/* tags, and what is put in the place of a buffer or a hole */
	CHECK(!peek(&r));
	CHECK_EQ(1, update(&r, IORING_REGISTER_BUFFERS_UPDATE, B_SHORT, &(struct iovec){}, 0));
	take(&r, 0x5555, 0);
	CHECK_EQ(-EFAULT, buffer_rw(&r, IORING_OP_READ_FIXED, fd, B_SHORT,
				    iov[B_SHORT].iov_base, 5));
	CHECK_EQ(1, update(&r, IORING_REGISTER_BUFFERS_UPDATE, B_PLAIN, &(struct iovec){}, 0));
	CHECK(!peek(&r));
	CHECK_EQ(1, update(&r, IORING_REGISTER_BUFFERS_UPDATE, B_SHARED, &(struct iovec){}, 0));
	take(&r, ~0ULL, 0);
	CHECK_EQ(1, update(&r, IORING_REGISTER_BUFFERS_UPDATE, B_HOLE, &iov[B_SHORT], 9));
	buffer_works(&r, fd, B_HOLE, iov[B_SHORT].iov_base, 100, B_SHORT);
	/* nothing is pinned any more by what is gone */
	CHECK_EQ(0, reg(&r, IORING_UNREGISTER_BUFFERS, NULL, 0));
	CHECK_EQ(0, vm_pin());
	works(&r);
}

SUBJECT(sparse_buffers)
{
	struct io_uring_rsrc_register rr = {
		.nr = 100,
		.flags = IORING_RSRC_REGISTER_SPARSE,
	};
	struct iovec iov = { area, PAGE };
	static char was[4096], is[4096];
	struct ring r;
	int fd;

	fd = subject_open("f/io", O_RDWR | O_CREAT);
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_BUFFERS2, &rr, sizeof(rr)));
	tables(r.fd, was, sizeof(was));
	subject_point();
	tables(r.fd, is, sizeof(is));
	CHECK_MEM(was, is, strlen(was) + 1);
	CHECK_EQ(-1, reg(&r, IORING_REGISTER_BUFFERS, &iov, 1));
	CHECK_EQ(EBUSY, errno);
	CHECK_EQ(0, vm_pin());
	fill(area, PAGE, 3);
	CHECK_EQ(1, update(&r, IORING_REGISTER_BUFFERS_UPDATE, 99, &iov, 9));
	CHECK_EQ(4, vm_pin());
	buffer_works(&r, fd, 99, area, PAGE, 3);
	works(&r);
}

/*
 * The child has the ring, too, which pins memory of the parent: what the child has
 * at the same address is a copy, that goes its own way.
 */
SUBJECT(buffers_forked)
{
	struct iovec iov = { area, 2 * PAGE };
	struct ring r;
	pid_t child;
	int fd;

	fd = subject_open("f/io", O_RDWR | O_CREAT);
	fill(area, 2 * PAGE, 1);
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_BUFFERS, &iov, 1));
	child = fork();
	if (!child) {
		subject_touch("f/child");
		subject_wait("go");
		subject_wait("f/parent");
		CHECK(filled(area, 2 * PAGE, 1));
		CHECK_EQ(0, vm_pin());
		CHECK_EQ(0, ftruncate(fd, 0));
		fill(area, 2 * PAGE, 2);
		r.tail = *word(&r, r.p.sq_off.tail);
		/* it is the parent's */
		CHECK_EQ(100, buffer_rw(&r, IORING_OP_WRITE_FIXED, fd, 0, area, 100));
		CHECK_EQ(100, pread(fd, area, 100, 0));
		CHECK(filled(area, 100, 1));
		_exit(0);
	}
	subject_wait("f/child");
	subject_point();
	CHECK_EQ(8, vm_pin());
	buffer_works(&r, fd, 0, area, 2 * PAGE, 1);
	subject_touch("f/parent");
	subject_join(child);
	unlink(subject_path("f/parent"));
	CHECK(filled(area, 2 * PAGE, 1));
}

/* The process that made the ring is gone, and what is pinned counts for nobody. */
SUBJECT(buffers_of_nobody)
{
	struct iovec iov = { area, PAGE };
	struct ring *r;
	pid_t child;
	int fd;

	fd = subject_open("f/io", O_RDWR | O_CREAT);
	fill(area, PAGE, 1);
	r = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(r != MAP_FAILED);
	child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (!child) {
		r->fd = syscall(SYS_io_uring_setup, ENTRIES, &r->p);
		_exit(0);
	}
	subject_join(child);
	CHECK(r->fd >= 0);
	ring_map(r);
	CHECK_EQ(0, reg(r, IORING_REGISTER_BUFFERS, &iov, 1));
	CHECK_EQ(0, vm_pin());
	subject_point();
	CHECK_EQ(0, vm_pin());
	buffer_works(r, fd, 0, area, PAGE, 1);
	CHECK_EQ(0, reg(r, IORING_UNREGISTER_BUFFERS, NULL, 0));
	CHECK_EQ(0, vm_pin());
	works(r);
}

/* As much as may be pinned, and the limit goes down after that. */
SUBJECT(memory_limit)
{
	struct iovec iov = { area, 4 * PAGE };
	struct rlimit rlim = { 4 * PAGE, 4 * PAGE };
	struct ring r;
	int fd;

	fd = subject_open("f/io", O_RDWR | O_CREAT);
	fill(area, 4 * PAGE, 1);
	CHECK_EQ(0, setrlimit(RLIMIT_MEMLOCK, &rlim));
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_BUFFERS, &iov, 1));
	subject_point();
	buffer_works(&r, fd, 0, area, 4 * PAGE, 1);
	CHECK_EQ(16, vm_pin());
	CHECK_EQ(0, reg(&r, IORING_UNREGISTER_BUFFERS, NULL, 0));
	CHECK_EQ(0, vm_pin());
	CHECK_EQ(0, reg(&r, IORING_REGISTER_BUFFERS, &iov, 1));
	works(&r);
}

/* ---- what is refused ---- */

#define REFUSED(name, ...)						\
	SUBJECT(name)							\
	{								\
		static struct ring r;					\
									\
		__VA_ARGS__;						\
		subject_point();					\
		works(&r);						\
	}

static void register_event(struct ring *r)
{
	int fd = eventfd(0, 0);

	CHECK_EQ(0, reg(r, IORING_REGISTER_EVENTFD, &fd, 1));
	close(fd);
}

static void register_area(struct ring *r)
{
	struct iovec iov = { area, PAGE };

	CHECK_EQ(0, reg(r, IORING_REGISTER_BUFFERS, &iov, 1));
}

/* Nothing of it can be used, and nobody knows who else could. */
#define ONLY_MAPPED(name, ...)						\
	SUBJECT(name)							\
	{								\
		struct ring r;						\
									\
		ring_open(&r, 0);					\
		__VA_ARGS__;						\
		close(r.fd);						\
		subject_point();					\
		CHECK(!peek(&r));					\
	}

ONLY_MAPPED(mapped_files,
	    CHECK_EQ(0, reg(&r, IORING_REGISTER_FILES, &(int){ 1 }, 1)))
ONLY_MAPPED(mapped_event, register_event(&r))
ONLY_MAPPED(mapped_buffers, register_area(&r))

/* What is pinned is not what is there. */
#define OTHER_MEMORY(name, ...)						\
	SUBJECT(name)							\
	{								\
		struct iovec iov = { NULL, 2 * PAGE };			\
		struct ring r;						\
		char *mem;						\
									\
		mem = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,	\
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);		\
		CHECK(mem != MAP_FAILED);				\
		iov.iov_base = mem;					\
		ring_open(&r, 0);					\
		CHECK_EQ(0, reg(&r, IORING_REGISTER_BUFFERS, &iov, 1));	\
		__VA_ARGS__;						\
		subject_point();					\
		works(&r);						\
	}

OTHER_MEMORY(unmapped_buffer,
	     CHECK_EQ(0, munmap(mem + PAGE, PAGE)))
OTHER_MEMORY(other_memory,
	     CHECK_EQ(0, madvise(mem, PAGE, MADV_DONTNEED));
	     mem[0] = 1)
OTHER_MEMORY(read_only_buffer,
	     CHECK_EQ(0, mprotect(mem, PAGE, PROT_READ)))

REFUSED(cloned_buffers,
	struct ring other;
	struct io_uring_clone_buffers clone = {};
	struct iovec iov = { area, PAGE };
	ring_open(&r, 0);
	ring_open(&other, 0);
	CHECK_EQ(0, reg(&other, IORING_REGISTER_BUFFERS, &iov, 1));
	clone.src_fd = other.fd;
	CHECK_EQ(0, reg(&r, IORING_REGISTER_CLONE_BUFFERS, &clone, 1)))

/* A child registers its memory with a ring of its parent. */
SUBJECT(others_buffers)
{
	struct iovec iov = { area, PAGE };
	struct ring r;
	pid_t child;

	ring_open(&r, 0);
	child = fork();
	if (!child) {
		area[0] = 1;
		CHECK_EQ(0, reg(&r, IORING_REGISTER_BUFFERS, &iov, 1));
		subject_touch("f/child");
		subject_wait("go");
		_exit(0);
	}
	area[0] = 2;
	subject_wait("f/child");
	subject_point();
	subject_join(child);
}

/* What is refused with a descriptor is refused without one. */
REFUSED(registered_refused,
	int fd = open("/proc/self/mem", O_RDONLY);
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_FILES, &fd, 1));
	close(fd))

REFUSED(personality,
	ring_open(&r, 0);
	CHECK_EQ(1, reg(&r, IORING_REGISTER_PERSONALITY, NULL, 0)))
REFUSED(restrictions,
	struct io_uring_restriction res[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		  .sqe_flags = IOSQE_IO_LINK },
	};
	ring_open(&r, IORING_SETUP_R_DISABLED);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_RESTRICTIONS, res, 4));
	CHECK_EQ(0, reg(&r, IORING_REGISTER_ENABLE_RINGS, NULL, 0)))
REFUSED(provided,
	struct io_uring_buf_reg br = {
		.ring_addr = (uintptr_t)area, .ring_entries = 8, .bgid = 1,
	};
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_PBUF_RING, &br, 1)))
REFUSED(workers,
	unsigned int max[2] = { 2, 2 };
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_IOWQ_MAX_WORKERS, max, 2)))
REFUSED(affinity,
	cpu_set_t set;
	ring_open(&r, 0);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_IOWQ_AFF, &set, sizeof(set))))
REFUSED(own_memory,
	ring_open(&r, 0);
	r.p.cq_off.user_addr = 0;
	struct io_uring_params p = {
		.flags = IORING_SETUP_NO_MMAP,
		.cq_off.user_addr = (uintptr_t)area,
		.sq_off.user_addr = (uintptr_t)area + PAGE,
	};
	CHECK(syscall(SYS_io_uring_setup, ENTRIES, &p) >= 0))
REFUSED(iopoll,
	ring_open(&r, 0);
	struct io_uring_params p = { .flags = IORING_SETUP_IOPOLL };
	CHECK(syscall(SYS_io_uring_setup, ENTRIES, &p) >= 0))
REFUSED(half_mapped,
	ring_open(&r, IORING_SETUP_SQE128);
	struct ring other;
	CHECK_EQ(0, try_open(&other, IORING_SETUP_CQSIZE, 1024));
	CHECK_EQ(0, munmap(other.mem, PAGE)))

SUBJECT(overflow)
{
	struct ring r;
	int i;

	ring_open(&r, 0);
	for (i = 0; i < 17; i++)
		nop(&r, i);
	subject_point();
	for (i = 0; i < 16; i++)
		take(&r, i, 0);
	CHECK_EQ(0, enter(&r, 0, 1));
	take(&r, 16, 0);
	works(&r);
}

SUBJECT(issuer_gone)
{
	struct owner o = {};

	CHECK_EQ(0, pthread_create(&o.thread, NULL, own_ring, &o));
	while (o.step == 0)
		ckpt_sleep_ms(1);
	o.step = 2;
	CHECK_EQ(0, pthread_join(o.thread, NULL));
	subject_point();
	CHECK_EQ(-1, enter(&o.r, 0, 0));
	CHECK_EQ(EEXIST, errno);
}

/* The caller's request ends while it waits for it in checkpoint(). */
SUBJECT(settles)
{
	struct __kernel_timespec ts = { .tv_nsec = 300000000 };
	struct io_uring_sqe *sqe;
	struct ring r;

	ring_open(&r, 0);
	sqe = next(&r, IORING_OP_TIMEOUT, 6);
	sqe->addr = (uintptr_t)&ts;
	sqe->len = 1;
	CHECK_EQ(1, enter(&r, 1, 0));
	subject_point();
	take(&r, 6, -ETIME);
	works(&r);
}

CKPT_FIXTURE_HOW(uring);
CKPT_VARIANTS(uring);

static bool has_io_uring(void)
{
	struct io_uring_params p = {};
	int fd = syscall(SYS_io_uring_setup, 1, &p);

	close(fd);
	return fd >= 0;
}

#define ROUNDTRIP(name)							\
	TEST_F_TIMEOUT(uring, name, CKPT_TIMEOUT)			\
	{								\
		if (!has_io_uring())					\
			SKIP(return, "no io_uring");			\
		ASSERT_EQ(0, ckpt_roundtrip(#name, &variant->how));	\
	}

ROUNDTRIP(contents)
ROUNDTRIP(flags)
ROUNDTRIP(full)
ROUNDTRIP(thread)
ROUNDTRIP(registered)
ROUNDTRIP(forked)
ROUNDTRIP(mapped)
ROUNDTRIP(asleep)
ROUNDTRIP(worker)
ROUNDTRIP(gone)
ROUNDTRIP(files)
ROUNDTRIP(sparse_files)
ROUNDTRIP(files_of_registered)
ROUNDTRIP(files_forked)
ROUNDTRIP(event)
ROUNDTRIP(buffers)
ROUNDTRIP(sparse_buffers)
ROUNDTRIP(buffers_forked)
ROUNDTRIP(buffers_of_nobody)
ROUNDTRIP(memory_limit)

CKPT_FIXTURE(uring_refused);

TEST_F_TIMEOUT(uring_refused, state, CKPT_TIMEOUT)
{
	if (!has_io_uring())
		SKIP(return, "no io_uring");
	EXPECT_EQ(0, ckpt_refused("mapped_files",
				  "registered files of a ring that is only mapped", NULL));
	EXPECT_EQ(0, ckpt_refused("mapped_event",
				  "a registered eventfd of a ring that is only mapped", NULL));
	EXPECT_EQ(0, ckpt_refused("mapped_buffers",
				  "registered buffers of a ring that is only mapped", NULL));
	EXPECT_EQ(0, ckpt_refused("unmapped_buffer", "memory that is gone or read-only", NULL));
	EXPECT_EQ(0, ckpt_refused("other_memory", "memory that is gone or read-only", NULL));
	EXPECT_EQ(0, ckpt_refused("read_only_buffer", "memory that is gone or read-only", NULL));
	EXPECT_EQ(0, ckpt_refused("cloned_buffers", "IORING_REGISTER_CLONE_BUFFERS", NULL));
	EXPECT_EQ(0, ckpt_refused("others_buffers",
				  "of another process than whom it counts for", NULL));
	EXPECT_EQ(0, ckpt_refused("registered_refused", "registered file",
				  "/mem is not supported"));
	EXPECT_EQ(0, ckpt_refused("personality", "personalities", NULL));
	EXPECT_EQ(0, ckpt_refused("restrictions", "restrictions", NULL));
	EXPECT_EQ(0, ckpt_refused("provided", "provided buffers", NULL));
	EXPECT_EQ(0, ckpt_refused("workers", "IORING_REGISTER_IOWQ_MAX_WORKERS", NULL));
	EXPECT_EQ(0, ckpt_refused("affinity", "IORING_REGISTER_IOWQ_AFF", NULL));
	EXPECT_EQ(0, ckpt_refused("own_memory", "IORING_SETUP_NO_MMAP", NULL));
	EXPECT_EQ(0, ckpt_refused("iopoll", "IORING_SETUP_IOPOLL", NULL));
}

TEST_F_TIMEOUT(uring_refused, half_mapped, CKPT_TIMEOUT)
{
	if (!has_io_uring())
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, ckpt_refused("half_mapped", "an io_uring that is not mapped as a whole",
				  NULL));
}

TEST_F_TIMEOUT(uring_refused, overflow, CKPT_TIMEOUT)
{
	if (!has_io_uring())
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, ckpt_refused("overflow", "completions that found no room", NULL));
}

TEST_F_TIMEOUT(uring_refused, issuer_gone, CKPT_TIMEOUT)
{
	if (!has_io_uring())
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, ckpt_refused("issuer_gone",
				  "the only task that may use a ring is gone", NULL));
}

CKPT_FIXTURE(uring_caller);

/* The end of a ring that the caller had is no reason to end a call that waits. */
TEST_F_TIMEOUT(uring_caller, had_ring, CKPT_TIMEOUT)
{
	struct ckpt_how how = { .target = CKPT_SUBTREE, .kill = true, .pipe = true };
	struct ckpt_run run;

	if (!has_io_uring())
		SKIP(return, "no io_uring");
	ckpt_init(&run, &how);
	run.pipe_ms = 1000;
	ASSERT_EQ(0, ckpt_start(&run, "large"));
	close_ring();
	EXPECT_EQ(0, ckpt_checkpoint(&run));
	close_ring();
	EXPECT_LT(0, ckpt_restart(&run));
	EXPECT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(uring_caller, settles, CKPT_TIMEOUT)
{
	struct ckpt_how how = { .target = CKPT_SELF, .kill = true };

	if (!has_io_uring())
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, ckpt_roundtrip("settles", &how));
}

CKPT_TEST_MAIN

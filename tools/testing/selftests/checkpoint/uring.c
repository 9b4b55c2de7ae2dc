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

static int try_open(struct ring *r, unsigned int flags, unsigned int cq_entries)
{
	unsigned int shift = !!(flags & IORING_SETUP_CQE32);

	memset(r, 0, sizeof(*r));
	r->p.flags = flags;
	r->p.cq_entries = cq_entries;
	r->fd = syscall(SYS_io_uring_setup, ENTRIES, &r->p);
	if (r->fd < 0)
		return -1;
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

static alignas(4096) char area[2 * PAGE];

REFUSED(files,
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_FILES, &(int){ 1 }, 1)))
REFUSED(buffers,
	struct iovec iov = { area, PAGE };
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_BUFFERS, &iov, 1)))
REFUSED(event,
	int fd = eventfd(0, 0);
	ring_open(&r, 0);
	CHECK_EQ(0, reg(&r, IORING_REGISTER_EVENTFD, &fd, 1));
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

CKPT_FIXTURE(uring_refused);

TEST_F_TIMEOUT(uring_refused, state, CKPT_TIMEOUT)
{
	if (!has_io_uring())
		SKIP(return, "no io_uring");
	EXPECT_EQ(0, ckpt_refused("files", "registered files", NULL));
	EXPECT_EQ(0, ckpt_refused("buffers", "registered buffers", NULL));
	EXPECT_EQ(0, ckpt_refused("event", "a registered eventfd", NULL));
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

CKPT_TEST_MAIN

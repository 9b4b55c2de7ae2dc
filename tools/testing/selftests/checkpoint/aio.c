// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: asynchronous I/O of io_setup(2).
 */
#define _GNU_SOURCE
#include <linux/aio_abi.h>
#include <linux/loop.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define PAGE	4096UL
#define MS	1000000L
#define SEC	1000000000L

/* What io_setup(2) maps. */
struct aio_ring {
	uint32_t	id;
	uint32_t	nr;
	uint32_t	head;
	uint32_t	tail;
	uint32_t	magic;
	uint32_t	compat_features;
	uint32_t	incompat_features;
	uint32_t	header_length;
	struct io_event	events[];
};

static volatile struct aio_ring *ring_of(aio_context_t ctx)
{
	return (void *)ctx;
}

static size_t ring_len(aio_context_t ctx)
{
	size_t len = sizeof(struct aio_ring) + ring_of(ctx)->nr * sizeof(struct io_event);

	return (len + PAGE - 1) & -PAGE;
}

static aio_context_t setup(unsigned int nr)
{
	aio_context_t ctx = 0;

	CHECK_EQ(0, syscall(SYS_io_setup, nr, &ctx));
	CHECK_EQ(0xa10a10a1, ring_of(ctx)->magic);
	return ctx;
}

static long try_submit(aio_context_t ctx, struct iocb *iocb)
{
	return syscall(SYS_io_submit, ctx, 1, &iocb);
}

static void submit(aio_context_t ctx, struct iocb *iocb)
{
	CHECK_EQ(1, try_submit(ctx, iocb));
}

static int get_timed(aio_context_t ctx, int min, int max, struct io_event *ev, long ns)
{
	struct timespec ts = { ns / SEC, ns % SEC };

	return syscall(SYS_io_getevents, ctx, min, max, ev, &ts);
}

/* All that are there. */
static int get(aio_context_t ctx, int max, struct io_event *ev)
{
	return get_timed(ctx, 0, max, ev, 0);
}

static struct iocb rw(int op, int fd, void *buf, size_t len, long pos, uint64_t data)
{
	return (struct iocb) {
		.aio_lio_opcode = op,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = len,
		.aio_offset = pos,
		.aio_data = data,
	};
}

static void check_event(const struct io_event *ev, struct iocb *iocb, long res)
{
	CHECK_EQ((uintptr_t)iocb, ev->obj);
	CHECK_EQ(iocb->aio_data, ev->data);
	CHECK_EQ(res, ev->res);
	CHECK_EQ(0, ev->res2);
}

static unsigned long aio_nr(void)
{
	char text[32];

	CHECK(ckpt_slurp("/proc/sys/fs/aio-nr", text, sizeof(text)) > 0);
	return strtoul(text, NULL, 10);
}

/* How /proc tells of the mapping that begins there: its first line. */
static void maps_line(unsigned long addr, char *line, size_t size)
{
	static char text[1 << 16];
	char want[32], *p;

	snprintf(want, sizeof(want), "%08lx-", addr);
	CHECK(ckpt_slurp("/proc/self/maps", text, sizeof(text)) > 0);
	p = strstr(text, want);
	CHECK(p);
	/* without device and inode */
	snprintf(line, size, "%.*s%s", (int)(strcspn(p, " ") + 14), p,
		 strstr(p, "[aio]") ? "[aio]" : "");
}

/* ---- rings ---- */

SUBJECT(events)
{
	static char out[3][16] = { "one", "three", "fifteen" }, in[16];
	static struct iocb w[3], r, bad, more;
	static char before[4 * PAGE];
	char was[128], is[128];
	struct io_event ev[8];
	aio_context_t ctx = setup(10);
	int fd, efd = eventfd(3, EFD_NONBLOCK), i;
	uint64_t count;
	size_t len = ring_len(ctx);

	CHECK(len <= sizeof(before));
	fd = subject_open("f/data", O_RDWR | O_CREAT | O_TRUNC);
	for (i = 0; i < 3; i++) {
		w[i] = rw(IOCB_CMD_PWRITE, fd, out[i], 1 << i, 10 * i, ~0ULL - i);
		w[i].aio_flags = IOCB_FLAG_RESFD;
		w[i].aio_resfd = efd;
		submit(ctx, &w[i]);
	}
	r = rw(IOCB_CMD_PREAD, fd, in, 4, 20, 7);
	submit(ctx, &r);
	bad = rw(IOCB_CMD_PREAD, fd, (void *)16, 4, 0, 8);
	submit(ctx, &bad);
	/* the first is taken, the second by user space */
	CHECK_EQ(1, get_timed(ctx, 1, 1, ev, SEC));
	check_event(&ev[0], &w[0], 1);
	CHECK_EQ(1, ring_of(ctx)->head);
	CHECK_EQ(5, ring_of(ctx)->tail);
	ring_of(ctx)->head = 2;
	memcpy(before, (void *)ctx, len);
	maps_line(ctx, was, sizeof(was));
	CHECK(strstr(was, "rw-s 00000000"));
	CHECK(strstr(was, "[aio]"));
	subject_point();
	maps_line(ctx, is, sizeof(is));
	CHECK_MEM(was, is, strlen(was) + 1);
	CHECK_MEM(before, (void *)ctx, len);
	CHECK_MEM("fift", in, 4);
	CHECK_EQ(8, read(efd, &count, 8));
	CHECK_EQ(6, count);

	CHECK_EQ(3, get_timed(ctx, 3, 8, ev, SEC));
	check_event(&ev[0], &w[2], 4);
	check_event(&ev[1], &r, 4);
	check_event(&ev[2], &bad, -EFAULT);
	CHECK_EQ(0, get(ctx, 8, ev));
	CHECK_EQ(0, get_timed(ctx, 1, 8, ev, MS));

	/* it is as good as before */
	more = rw(IOCB_CMD_PREAD, fd, in, 2, 10, 9);
	more.aio_flags = IOCB_FLAG_RESFD;
	more.aio_resfd = efd;
	submit(ctx, &more);
	CHECK_EQ(1, get_timed(ctx, 1, 8, ev, SEC));
	check_event(&ev[0], &more, 2);
	CHECK_MEM("th", in, 2);
	CHECK_EQ(8, read(efd, &count, 8));
	CHECK_EQ(1, count);
	more = rw(IOCB_CMD_FSYNC, fd, NULL, 0, 0, 10);
	submit(ctx, &more);
	CHECK_EQ(1, get_timed(ctx, 1, 8, ev, 100 * SEC));
	CHECK_EQ(10, ev[0].data);

	CHECK_EQ(0, syscall(SYS_io_destroy, ctx));
	CHECK_EQ(-1, get(ctx, 8, ev));
	CHECK_EQ(EINVAL, errno);
	CHECK_EQ(-1, msync((void *)ctx, PAGE, MS_ASYNC));
	CHECK_EQ(ENOMEM, errno);
}

/* Many, with gaps in their numbers; a large one that begins anew at its end. */
SUBJECT(many)
{
	static char buf[1000];
	static struct iocb iocb;
	static struct io_event ev[3000];
	unsigned long total = aio_nr();
	aio_context_t ctx[6], large, one;
	uint32_t nr, ids[6];
	int fd, i;

	fd = subject_open("f/data", O_RDWR | O_CREAT | O_TRUNC);
	for (i = 0; i < 6; i++) {
		ctx[i] = setup(i + 1);
		ids[i] = ring_of(ctx[i])->id;
	}
	CHECK_EQ(total + 21, aio_nr());
	large = setup(2000);
	nr = ring_of(large)->nr;
	CHECK_EQ(0, syscall(SYS_io_destroy, ctx[4]));
	CHECK_EQ(0, syscall(SYS_io_destroy, ctx[1]));
	for (i = 0; i < (int)nr + 5; i++) {
		iocb = rw(IOCB_CMD_PWRITE, fd, buf, 1, i, i);
		submit(large, &iocb);
		if (i >= (int)nr - 5)
			continue;
		CHECK_EQ(1, get(large, 1, ev));
		CHECK_EQ(i, ev[0].data);
	}
	CHECK_EQ(nr - 5, ring_of(large)->head);
	CHECK_EQ(5, ring_of(large)->tail);
	iocb = rw(IOCB_CMD_PWRITE, fd, buf, 7, 0, 77);
	submit(ctx[5], &iocb);
	subject_point();
	/* the next one gets the lowest number that is free */
	one = setup(1);
	CHECK_EQ(ids[1], ring_of(one)->id);
	for (i = 0; i < 6; i++) {
		if (i == 1 || i == 4)
			continue;
		CHECK_EQ(ids[i], ring_of(ctx[i])->id);
		CHECK_EQ(i == 5, get(ctx[i], 10, ev));
		if (i == 5)
			CHECK_EQ(77, ev[0].data);
	}
	CHECK_EQ(10, get(large, 3000, ev));
	for (i = 0; i < 10; i++) {
		CHECK_EQ(nr - 5 + i, ev[i].data);
		CHECK_EQ(1, ev[i].res);
	}
	iocb = rw(IOCB_CMD_PWRITE, fd, buf, 5, 0, 55);
	submit(large, &iocb);
	CHECK_EQ(1, get(large, 3000, ev));
	CHECK_EQ(55, ev[0].data);
	CHECK_EQ(6, ring_of(large)->head);
}

/* There is room for as many as before. */
SUBJECT(full)
{
	static struct iocb iocb;
	static struct io_event ev[300];
	aio_context_t ctx = setup(100);
	uint32_t nr = ring_of(ctx)->nr;
	int fd, i, n;

	fd = subject_open("f/data", O_RDWR | O_CREAT | O_TRUNC);
	for (i = 0; i < 90; i++) {
		iocb = rw(IOCB_CMD_PWRITE, fd, "x", 1, 0, i);
		submit(ctx, &iocb);
	}
	CHECK_EQ(10, get(ctx, 10, ev));
	subject_point();
	for (; i < 1000; i++) {
		iocb = rw(IOCB_CMD_PWRITE, fd, "x", 1, 0, i);
		if (try_submit(ctx, &iocb) != 1)
			break;
	}
	CHECK_EQ(EAGAIN, errno);
	/* one stays free, and CPUs may each have a few */
	CHECK(i - 10 >= 100);
	CHECK(i - 10 < (int)nr);
	n = get(ctx, 300, ev);
	CHECK_EQ(i - 10, n);
	for (i = 0; i < n; i++)
		CHECK_EQ(10 + i, ev[i].data);
	for (i = 0; i < 100; i++)
		submit(ctx, &iocb);
	CHECK_EQ(100, get(ctx, 300, ev));
}

/* Mappings that are not as io_setup(2) made them. */
SUBJECT(moved)
{
	static struct iocb iocb;
	struct io_event ev[4];
	aio_context_t moved = setup(10), halves = setup(1000), gone = setup(1);
	char was[2][128], is[2][128];
	char *room = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t len = ring_len(halves);
	int fd;

	fd = subject_open("f/data", O_RDWR | O_CREAT | O_TRUNC);
	iocb = rw(IOCB_CMD_PWRITE, fd, "x", 1, 0, 1);
	CHECK(room == mremap((void *)moved, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room));
	moved = (uintptr_t)room;
	submit(moved, &iocb);
	submit(halves, &iocb);
	CHECK_EQ(0, mprotect((void *)(halves + PAGE), PAGE, PROT_READ));
	CHECK_EQ(0, munmap((void *)(halves + len - PAGE), PAGE));
	CHECK_EQ(0, madvise((void *)halves, PAGE, MADV_DONTFORK));
	CHECK_EQ(0, munmap((void *)gone, PAGE));
	maps_line(moved, was[0], sizeof(was[0]));
	maps_line(halves + PAGE, was[1], sizeof(was[1]));
	CHECK(strstr(was[1], "r--s 00001000"));
	subject_point();
	maps_line(moved, is[0], sizeof(is[0]));
	maps_line(halves + PAGE, is[1], sizeof(is[1]));
	CHECK_MEM(was[0], is[0], strlen(was[0]) + 1);
	CHECK_MEM(was[1], is[1], strlen(was[1]) + 1);
	CHECK_EQ(-1, msync((void *)(halves + len - PAGE), PAGE, MS_ASYNC));
	CHECK_EQ(1, get(moved, 4, ev));
	CHECK_EQ(1, get(halves, 4, ev));
	submit(moved, &iocb);
	CHECK_EQ(1, get(moved, 4, ev));
	/* it still follows its mapping */
	CHECK_EQ(0x10000000, (uintptr_t)mremap((void *)moved, PAGE, PAGE,
					       MREMAP_MAYMOVE | MREMAP_FIXED,
					       0x10000000));
	CHECK_EQ(-1, try_submit(moved, &iocb));
	submit(0x10000000, &iocb);
	CHECK_EQ(1, get(0x10000000, 4, ev));
	CHECK_EQ(0, syscall(SYS_io_destroy, 0x10000000));
	CHECK_EQ(-1, get(gone, 4, ev));
	CHECK_EQ(EINVAL, errno);
	/* it cannot be used, but counts */
	CHECK(aio_nr() >= 1001);
}

/* All contexts are gone, or never were: there is a table without any. */
SUBJECT(none)
{
	aio_context_t ctx = setup(10);

	CHECK_EQ(0, syscall(SYS_io_destroy, ctx));
	subject_point();
	ctx = setup(10);
	CHECK_EQ(0, ring_of(ctx)->id);
}

static sigjmp_buf jump;

static void on_bus(int sig)
{
	siglongjmp(jump, sig);
}

/* A child has the memory of its parent's rings, and contexts of its own. */
SUBJECT(forked)
{
	static struct iocb iocb;
	struct io_event ev[4];
	aio_context_t ctx = setup(10), dead = setup(10), own = 0;
	pid_t child;
	int fd;

	fd = subject_open("f/data", O_RDWR | O_CREAT | O_TRUNC);
	iocb = rw(IOCB_CMD_PWRITE, fd, "x", 1, 0, 1);
	child = fork();
	if (!child) {
		subject_wait("f/destroyed");
		own = setup(20);
		submit(own, &iocb);
		subject_touch("f/child");
		subject_wait("f/submitted");
		CHECK_EQ(2, ring_of(ctx)->tail);
		CHECK_EQ(22, ring_of(ctx)->events[1].data);
		CHECK_EQ(-1, get(ctx, 4, ev));
		CHECK_EQ(EINVAL, errno);
		CHECK_EQ(1, get(own, 4, ev));
		CHECK_EQ(1, ev[0].data);
		signal(SIGBUS, on_bus);
		if (!sigsetjmp(jump, 1)) {
			(void)ring_of(dead)->tail;
			CHECK(!"no memory");
		}
		_exit(0);
	}
	CHECK_EQ(0, syscall(SYS_io_destroy, dead));
	submit(ctx, &iocb);
	subject_touch("f/destroyed");
	subject_wait("f/child");
	subject_point();
	iocb.aio_data = 22;
	submit(ctx, &iocb);
	subject_touch("f/submitted");
	subject_join(child);
	/* not there yet when the child is restarted */
	unlink(subject_path("f/submitted"));
	CHECK_EQ(2, get(ctx, 4, ev));
}

/* ---- who waits ---- */

struct waiter {
	aio_context_t	ctx;
	long		ns;		/* -1 is for ever */
	bool		masked;
	pthread_t	thread;
	_Atomic pid_t	tid;
	int		got;
	int		err;
	struct io_event	ev;
	uint64_t	ended;
};

static void *wait_for_event(void *arg)
{
	struct waiter *w = arg;
	struct timespec ts = { w->ns / SEC, w->ns % SEC }, *t = w->ns < 0 ? NULL : &ts;
	sigset_t mask;
	struct {
		sigset_t *mask;
		size_t size;
	} sig = { &mask, 8 };

	sigfillset(&mask);
	w->tid = syscall(SYS_gettid);
	if (w->masked)
		w->got = syscall(SYS_io_pgetevents, w->ctx, 1, 1, &w->ev, t, &sig);
	else
		w->got = syscall(SYS_io_getevents, w->ctx, 1, 1, &w->ev, t);
	w->err = errno;
	w->ended = ckpt_now();
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
	static struct waiter w[] = {
		{ .ns = -1 },
		{ .ns = -1, .masked = true },
		{ .ns = 1000 * SEC },
		{ .ns = 1000 * SEC, .masked = true },
		{ .ns = 2 * SEC },
		{ .ns = 2 * SEC, .masked = true },
	};
	static struct iocb iocb;
	int fd, i;

	fd = subject_open("f/data", O_RDWR | O_CREAT | O_TRUNC);
	for (i = 0; i < 6; i++) {
		w[i].ctx = setup(1);
		CHECK_EQ(0, pthread_create(&w[i].thread, NULL, wait_for_event, &w[i]));
	}
	for (i = 0; i < 6; i++)
		while (!w[i].tid || !sleeps(w[i].tid))
			ckpt_sleep_ms(1);
	subject_point();
	/* unless they have waited for long enough */
	for (i = 0; i < 4; i++)
		CHECK_EQ(0, w[i].ended);
	for (i = 0; i < 4; i++) {
		iocb = rw(IOCB_CMD_PWRITE, fd, "x", 1, 0, i);
		submit(w[i].ctx, &iocb);
		CHECK_EQ(0, pthread_join(w[i].thread, NULL));
		CHECK_EQ(1, w[i].got);
		CHECK_EQ(i, w[i].ev.data);
	}
	for (; i < 6; i++) {
		CHECK_EQ(0, pthread_join(w[i].thread, NULL));
		CHECK_EQ(0, w[i].got);
	}
}

/* A signal still ends the wait. */
static void on_signal(int sig)
{
}

SUBJECT(interrupted)
{
	static struct waiter w[] = {
		{ .ns = -1 },
		{ .ns = 1000 * SEC },
	};
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int i;

	CHECK_EQ(0, sigaction(SIGUSR1, &act, NULL));
	for (i = 0; i < 2; i++) {
		w[i].ctx = setup(1);
		CHECK_EQ(0, pthread_create(&w[i].thread, NULL, wait_for_event, &w[i]));
	}
	for (i = 0; i < 2; i++)
		while (!w[i].tid || !sleeps(w[i].tid))
			ckpt_sleep_ms(1);
	subject_point();
	for (i = 0; i < 2; i++) {
		while (!sleeps(w[i].tid))
			ckpt_sleep_ms(1);
		CHECK_EQ(0, pthread_kill(w[i].thread, SIGUSR1));
		CHECK_EQ(0, pthread_join(w[i].thread, NULL));
		CHECK_EQ(-1, w[i].got);
		CHECK_EQ(EINTR, w[i].err);
	}
}

/* ---- what is in flight ---- */

#define BIG	(4UL << 20)
#define BLOCK	(64UL << 10)

/* Reads from a block device, which by itself is not supported. */
SUBJECT(in_flight)
{
	static struct iocb iocb[BIG / BLOCK];
	static struct io_event ev[BIG / BLOCK];
	aio_context_t ctx = setup(BIG / BLOCK);
	char *buf, *want, path[32];
	bool seen[BIG / BLOCK] = {};
	int fd, control, loop, nr, efd = eventfd(0, EFD_NONBLOCK);
	uint64_t count = 0;
	size_t i;

	buf = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	want = malloc(BIG);
	CHECK(buf != MAP_FAILED && want);
	for (i = 0; i < BIG; i += 8)
		*(uint64_t *)(want + i) = i * 0x9e3779b97f4a7c15ULL;
	fd = subject_open("blocks", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC);
	CHECK_EQ(BIG, write(fd, want, BIG));
	control = open("/dev/loop-control", O_RDWR);
	CHECK(control >= 0);
	nr = ioctl(control, LOOP_CTL_GET_FREE);
	CHECK(nr >= 0);
	snprintf(path, sizeof(path), "/dev/loop%d", nr);
	loop = open(path, O_RDWR | O_DIRECT);
	CHECK(loop >= 0);
	CHECK_EQ(0, ioctl(loop, LOOP_SET_FD, fd));
	for (i = 0; i < BIG / BLOCK; i++) {
		iocb[i] = rw(IOCB_CMD_PREAD, loop, buf + i * BLOCK, BLOCK, i * BLOCK, i);
		iocb[i].aio_flags = IOCB_FLAG_RESFD;
		iocb[i].aio_resfd = efd;
	}
	close(control);
	close(fd);
	for (i = 0; i < BIG / BLOCK; i++)
		submit(ctx, &iocb[i]);
	/* it goes when the last request is done */
	CHECK_EQ(0, ioctl(loop, LOOP_CLR_FD, 0));
	close(loop);
	subject_point();
	/* all of them are here, and told of */
	CHECK_EQ(8, read(efd, &count, 8));
	CHECK_EQ(BIG / BLOCK, count);
	CHECK_EQ(BIG / BLOCK, get(ctx, BIG / BLOCK, ev));
	for (i = 0; i < BIG / BLOCK; i++) {
		CHECK_EQ(BLOCK, ev[i].res);
		CHECK(ev[i].data < BIG / BLOCK && !seen[ev[i].data]);
		seen[ev[i].data] = true;
	}
	CHECK_MEM(want, buf, BIG);
}

static bool has_loop(void)
{
	return !access("/dev/loop-control", F_OK);
}

/* ---- what is refused ---- */

SUBJECT(poll_request)
{
	static struct iocb iocb;
	struct io_event ev;
	aio_context_t ctx = setup(4);
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	iocb = rw(IOCB_CMD_POLL, fds[0], (void *)POLLIN, 0, 0, 5);
	submit(ctx, &iocb);
	subject_point();
	/* it was left alone */
	CHECK_EQ(0, get(ctx, 1, &ev));
	CHECK_EQ(1, write(fds[1], "x", 1));
	CHECK_EQ(1, get_timed(ctx, 1, 1, &ev, 100 * SEC));
	CHECK_EQ(5, ev.data);
	CHECK_EQ(POLLIN | POLLRDNORM, ev.res);
}

/* Without requests, ready for others; a poll request that is done. */
SUBJECT(poll_done)
{
	static struct iocb iocb;
	struct io_event ev;
	aio_context_t ctx = setup(4);
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	iocb = rw(IOCB_CMD_POLL, fds[0], (void *)POLLIN, 0, 0, 5);
	submit(ctx, &iocb);
	CHECK_EQ(1, write(fds[1], "x", 1));
	subject_point();
	CHECK_EQ(1, get_timed(ctx, 1, 1, &ev, SEC));
	CHECK_EQ(POLLIN | POLLRDNORM, ev.res);
	submit(ctx, &iocb);
	CHECK_EQ(1, get_timed(ctx, 1, 1, &ev, SEC));
	iocb.aio_fildes = fds[1];
	submit(ctx, &iocb);
	CHECK_EQ(0, get(ctx, 1, &ev));
	CHECK_EQ(-1, syscall(SYS_io_cancel, ctx, &iocb, &ev));
	CHECK_EQ(EINPROGRESS, errno);
}

CKPT_FIXTURE_HOW(aio);
CKPT_VARIANTS(aio);

CKPT_ROUNDTRIP(aio, events);
CKPT_ROUNDTRIP(aio, many);
CKPT_ROUNDTRIP(aio, full);
CKPT_ROUNDTRIP(aio, moved);
CKPT_ROUNDTRIP(aio, none);
CKPT_ROUNDTRIP(aio, forked);
CKPT_ROUNDTRIP(aio, asleep);
CKPT_ROUNDTRIP(aio, interrupted);
CKPT_ROUNDTRIP(aio, poll_done);

TEST_F_TIMEOUT(aio, in_flight, CKPT_TIMEOUT)
{
	if (!has_loop())
		SKIP(return, "no loop devices");
	ASSERT_EQ(0, ckpt_roundtrip("in_flight", &variant->how));
}

CKPT_FIXTURE(aio_refused);

TEST_F_TIMEOUT(aio_refused, poll_request, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("poll_request", "IOCB_CMD_POLL waits for a file", NULL));
}

/* What counts for a limit of the machine: during a restart, and after it. */
TEST_F_TIMEOUT(aio_refused, limit, CKPT_TIMEOUT)
{
	struct ckpt_how how = { .kill = true };
	unsigned long nr = aio_nr();
	struct ckpt_run run;
	char max[32];
	int fd, i;

	ASSERT_LT(0, ckpt_slurp("/proc/sys/fs/aio-max-nr", max, sizeof(max)));
	ckpt_init(&run, &how);
	ASSERT_EQ(0, ckpt_start(&run, "events"));
	EXPECT_EQ(nr + 10, aio_nr());
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	EXPECT_EQ(nr, aio_nr());

	fd = open("/proc/sys/fs/aio-max-nr", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, write(fd, "9", 1));
	EXPECT_EQ(-EAGAIN, ckpt_restart(&run));
	EXPECT_TRUE(ckpt_log_has(&run, "more than fs.aio-max-nr leaves"));
	ASSERT_LT(0, pwrite(fd, max, strlen(max), 0));
	close(fd);
	EXPECT_EQ(nr, aio_nr());

	run.pid = 0;
	ASSERT_LT(0, ckpt_restart(&run));
	EXPECT_EQ(nr + 10, aio_nr());
	EXPECT_EQ(0, ckpt_finish(&run));
	for (i = 0; aio_nr() != nr && i < 1000; i++)
		ckpt_sleep_ms(10);
	EXPECT_EQ(nr, aio_nr());
	EXPECT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN

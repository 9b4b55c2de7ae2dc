// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: tasks that run while their memory is written.
 *
 * The image goes into a pipe that nobody reads at first, so that all happens
 * that can until then. Nothing that the subject does meanwhile is in the image.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define PAGE		4096UL
#define HUGE		(2UL << 20)
#define SIZE		(8UL << 20)

/* ---- the subject ------------------------------------------------------ */

static uint64_t word(unsigned int area, size_t page, unsigned int generation)
{
	return (uint64_t)(generation + 1) << 56 | (uint64_t)area << 48 | page;
}

static void fill(void *mem, size_t size, unsigned int area, unsigned int generation)
{
	size_t i;

	for (i = 0; i < size / PAGE; i++)
		*(uint64_t *)(mem + i * PAGE + i % 500 * 8) = word(area, i, generation);
}

static void check(void *mem, size_t size, unsigned int area, unsigned int generation)
{
	size_t i;

	for (i = 0; i < size / PAGE; i++)
		CHECK_EQ(word(area, i, generation),
			 *(uint64_t *)(mem + i * PAGE + i % 500 * 8));
}

enum { PLAIN, HUGE_PAGES, DONTFORK, WIPEONFORK, LOCKED, READ_ONLY, OF_FILE, NR_AREAS };

static void *areas[NR_AREAS];

static void *map(size_t size, int fd)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	CHECK(mem != MAP_FAILED);
	return mem;
}

static void map_areas(int fd)
{
	int i;

	CHECK_EQ(0, ftruncate(fd, SIZE));
	for (i = 0; i < NR_AREAS; i++)
		areas[i] = map(i == HUGE_PAGES ? SIZE + HUGE : SIZE,
			       i == OF_FILE ? fd : -1);
	areas[HUGE_PAGES] = (void *)(((uintptr_t)areas[HUGE_PAGES] + HUGE - 1) & -HUGE);
	madvise(areas[HUGE_PAGES], SIZE, MADV_HUGEPAGE);
	CHECK_EQ(0, madvise(areas[DONTFORK], SIZE, MADV_DONTFORK));
	CHECK_EQ(0, madvise(areas[WIPEONFORK], SIZE, MADV_WIPEONFORK));
	CHECK_EQ(0, mlock(areas[LOCKED], SIZE));
	for (i = 0; i < NR_AREAS; i++)
		/* of the file every other half, the rest is its own */
		fill(areas[i], i == OF_FILE ? SIZE / 2 : SIZE, i, 1);
	CHECK_EQ(0, mprotect(areas[READ_ONLY], SIZE, PROT_READ));
}

/* All that could find its way into an image that is not written yet. */
static void change_areas(int fd)
{
	static const uint64_t none;
	int i, status;
	void *to;
	pid_t pid;

	CHECK_EQ(0, mprotect(areas[READ_ONLY], SIZE, PROT_READ | PROT_WRITE));
	for (i = 0; i < NR_AREAS; i++)
		fill(areas[i], i == OF_FILE ? SIZE / 2 : SIZE, i, 2);
	for (i = 0; i < NR_AREAS; i++)
		check(areas[i], i == OF_FILE ? SIZE / 2 : SIZE, i, 2);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(0, *(uint64_t *)areas[WIPEONFORK]);
		check(areas[PLAIN], SIZE, PLAIN, 2);
		fill(areas[PLAIN], SIZE, PLAIN, 3);
		_exit(0);
	}
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(0, status);
	check(areas[PLAIN], SIZE, PLAIN, 2);
	/* elsewhere, and not there any more */
	to = mremap(areas[DONTFORK], SIZE, 2 * SIZE, MREMAP_MAYMOVE);
	CHECK(to != MAP_FAILED);
	check(to, SIZE, DONTFORK, 2);
	CHECK_EQ(0, madvise(areas[HUGE_PAGES] + PAGE, HUGE, MADV_DONTNEED));
	CHECK_EQ(0, munlock(areas[LOCKED], SIZE));
	CHECK_EQ(0, munmap(areas[LOCKED], SIZE));
	CHECK_EQ(0, munmap(areas[OF_FILE], SIZE));
	/* the file is not as it was mapped, nor is it open any more */
	CHECK_EQ(8, pwrite(fd, &none, 8, SIZE - 8));
	CHECK_EQ(0, close(fd));
}

/* Waits for what it is told: to change all of that, or that it is over. */
SUBJECT(busy)
{
	int fd = subject_open("f/file", O_RDWR | O_CREAT);

	CHECK_EQ(0, flock(fd, LOCK_EX));
	map_areas(fd);
	subject_ready();
	while (!subject_told("go")) {
		if (subject_told("change")) {
			change_areas(fd);
			subject_touch("changed");
			subject_wait("go");
			return;
		}
		ckpt_sleep_ms(10);
	}
	check(areas[PLAIN], SIZE, PLAIN, 1);
	check(areas[HUGE_PAGES], SIZE, HUGE_PAGES, 1);
	check(areas[DONTFORK], SIZE, DONTFORK, 1);
	check(areas[WIPEONFORK], SIZE, WIPEONFORK, 1);
	check(areas[LOCKED], SIZE, LOCKED, 1);
	check(areas[READ_ONLY], SIZE, READ_ONLY, 1);
	check(areas[OF_FILE], SIZE / 2, OF_FILE, 1);
	change_areas(fd);
}

/* Anonymous memory that has a file, in huge pages. */
SUBJECT(zero_device)
{
	int fd = open("/dev/zero", O_RDWR);
	void *mem = map(SIZE + HUGE, fd);

	CHECK_EQ(0, close(fd));
	mem = (void *)(((uintptr_t)mem + HUGE - 1) & -HUGE);
	CHECK_EQ(0, madvise(mem, SIZE, MADV_HUGEPAGE));
	fill(mem, SIZE, 0, 1);
	subject_ready();
	subject_wait("go");
	check(mem, SIZE, 0, 1);
	fill(mem, SIZE, 0, 2);
	check(mem, SIZE, 0, 2);
}

/* A family that shares memory copy-on-write, and changes it meanwhile. */
SUBJECT(family)
{
	void *mem = map(SIZE, -1);
	pid_t pids[4];
	int i;

	fill(mem, SIZE, 0, 1);
	for (i = 0; i < 4; i++) {
		char name[16];

		sprintf(name, "child%d", i);
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i]) {
			subject_wait(name);
			continue;
		}
		fill(mem + i * PAGE, PAGE * 4, i + 10, 1);
		subject_touch(name);
		while (!subject_told("go")) {
			if (subject_told("change"))
				fill(mem, SIZE, i + 10, 2);
			ckpt_sleep_ms(10);
		}
		if (subject_told("change"))
			_exit(0);
		check(mem, i * PAGE, 0, 1);
		check(mem + i * PAGE, PAGE * 4, i + 10, 1);
		_exit(0);
	}
	subject_ready();
	while (!subject_told("go")) {
		if (subject_told("change")) {
			fill(mem, SIZE, 0, 2);
			subject_touch("changed");
			subject_wait("go");
			break;
		}
		ckpt_sleep_ms(10);
	}
	if (!subject_told("change"))
		check(mem, SIZE, 0, 1);
	for (i = 0; i < 4; i++)
		subject_join(pids[i]);
}

/* What a process has of its memory for itself, of what it shares its part. */
static long pss(pid_t pid)
{
	static char buf[4096];
	char name[64];
	const char *p;

	sprintf(name, "/proc/%d/smaps_rollup", pid);
	if (ckpt_slurp(name, buf, sizeof(buf)) <= 0)
		return -1;
	p = strstr(buf, "\nPss:");
	return p ? atol(p + 5) : -1;
}

/*
 * A server and its children. All share what they had before the fork, but for
 * what each has changed: the parent too, so that there are pages which only the
 * children have. Some moved it, or made it something else.
 */
#define NR_CHILDREN	6

static long pss_of_all(const pid_t *pids)
{
	long sum = pss(getpid()), one;
	int i;

	CHECK(sum > 0);
	for (i = 0; i < NR_CHILDREN; i++) {
		one = pss(pids[i]);
		CHECK(one > 0);
		sum += one;
	}
	return sum;
}

enum { SHARED, PARENT_CHANGED, MOVED, PROTECTED, UNMAPPED, NR_PARTS };

static void prefork_child(void *parts[NR_PARTS], int fd, void *of_file, int nr)
{
	char name[16];

	sprintf(name, "child%d", nr);
	fill(parts[SHARED] + nr * 16 * PAGE, 8 * PAGE, 100 + nr, 1);
	fill(of_file + nr * 4 * PAGE, PAGE, 100 + nr, 1);
	if (nr == 1) {
		parts[MOVED] = mremap(parts[MOVED], SIZE, SIZE, MREMAP_MAYMOVE |
				      MREMAP_FIXED, (void *)0x7e0000000000);
		CHECK_EQ(0x7e0000000000, (uintptr_t)parts[MOVED]);
	}
	if (nr == 2)
		CHECK_EQ(0, mprotect(parts[PROTECTED], SIZE / 2, PROT_NONE));
	if (nr == 3) {
		CHECK_EQ(0, munmap(parts[UNMAPPED] + SIZE / 2, SIZE / 2));
		CHECK_EQ(0, madvise(parts[UNMAPPED], 16 * PAGE, MADV_DONTNEED));
	}
	close(fd);
	subject_touch(name);
	subject_wait("measured");

	check(parts[SHARED], nr * 16 * PAGE, SHARED, 1);
	check(parts[SHARED] + nr * 16 * PAGE, 8 * PAGE, 100 + nr, 1);
	CHECK_EQ(word(SHARED, nr * 16 + 8, 1),
		 *(uint64_t *)(parts[SHARED] + (nr * 16 + 8) * PAGE + (nr * 16 + 8) % 500 * 8));
	check(parts[PARENT_CHANGED], SIZE, PARENT_CHANGED, 1);
	check(parts[MOVED], SIZE, MOVED, 1);
	if (nr == 2)
		CHECK_EQ(0, mprotect(parts[PROTECTED], SIZE / 2, PROT_READ));
	check(parts[PROTECTED], SIZE, PROTECTED, 1);
	if (nr == 3)
		CHECK_EQ(0, *(uint64_t *)parts[UNMAPPED]);
	else
		check(parts[UNMAPPED], SIZE, UNMAPPED, 1);
	check(of_file, nr * 4 * PAGE, 50, 1);
	check(of_file + nr * 4 * PAGE, PAGE, 100 + nr, 1);
	/* it is one's own all the same */
	fill(parts[SHARED], SIZE, 100 + nr, 2);
	fill(of_file, SIZE, 100 + nr, 2);
	check(parts[SHARED], SIZE, 100 + nr, 2);
	_exit(0);
}

SUBJECT(prefork)
{
	int fd = subject_open("f/file", O_RDWR | O_CREAT), i;
	void *parts[NR_PARTS], *of_file;
	pid_t pids[NR_CHILDREN];
	long before, after;
	char name[16];

	CHECK_EQ(0, ftruncate(fd, SIZE));
	of_file = map(SIZE, fd);
	fill(of_file, SIZE, 50, 1);
	for (i = 0; i < NR_PARTS; i++) {
		parts[i] = map(SIZE, -1);
		fill(parts[i], SIZE, i, 1);
		/* so that each is a mapping of its own */
		CHECK_EQ(0, madvise(parts[i], SIZE, i % 2 ? MADV_DONTDUMP : MADV_DODUMP));
	}
	CHECK_EQ(0, mprotect(parts[PROTECTED], SIZE, PROT_READ));
	for (i = 0; i < NR_CHILDREN; i++) {
		sprintf(name, "child%d", i);
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (!pids[i])
			prefork_child(parts, fd, of_file, i);
		subject_wait(name);
	}
	fill(parts[PARENT_CHANGED], 16 * PAGE, 99, 1);
	before = pss_of_all(pids);
	subject_point();
	after = pss_of_all(pids);
	/* what was moved, 8 MiB, is no longer shared, nor what the parent lacks */
	if (after > before + 8 * 1024 + NR_CHILDREN * 200)
		subject_fail(__FILE__, __LINE__, "%ld KiB, were %ld", after, before);
	subject_touch("measured");
	for (i = 0; i < NR_CHILDREN; i++)
		subject_join(pids[i]);
	unlink(subject_path("measured"));
	check(parts[SHARED], SIZE, SHARED, 1);
	check(of_file, SIZE, 50, 1);
	check(parts[PARENT_CHANGED], 16 * PAGE, 99, 1);
	check(parts[PROTECTED], SIZE, PROTECTED, 1);
}

/*
 * What the kernel has pinned must stay the subject's own, as it will go on to read
 * into it, and the copy must have what was there.
 */
struct fixed {
	int			fd;
	struct io_uring_params	p;
	char			*mem, *sqes;
};

static void fixed_open(struct fixed *f, struct iovec *iov, unsigned int nr)
{
	f->fd = syscall(SYS_io_uring_setup, 4, &f->p);
	CHECK(f->fd >= 0);
	f->mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd,
		      IORING_OFF_SQ_RING);
	f->sqes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd,
		       IORING_OFF_SQES);
	CHECK(f->mem != MAP_FAILED && f->sqes != MAP_FAILED);
	CHECK_EQ(0, syscall(SYS_io_uring_register, f->fd, IORING_REGISTER_BUFFERS, iov, nr));
}

/* Read one page of a file into one of a buffer, or write it. */
static void fixed_rw(struct fixed *f, int op, int fd, unsigned int slot, void *addr)
{
	uint32_t *tail = (uint32_t *)(f->mem + f->p.sq_off.tail);
	uint32_t *head = (uint32_t *)(f->mem + f->p.cq_off.head);
	uint32_t *array = (uint32_t *)(f->mem + f->p.sq_off.array);
	struct io_uring_cqe *cqe = (void *)(f->mem + f->p.cq_off.cqes);
	struct io_uring_sqe *sqe = (void *)f->sqes;
	uint32_t index = *tail & (f->p.sq_entries - 1);

	sqe[index] = (struct io_uring_sqe) {
		.opcode = op, .fd = fd, .addr = (uintptr_t)addr, .len = PAGE,
		.buf_index = slot,
	};
	array[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	CHECK_EQ(1, syscall(SYS_io_uring_enter, f->fd, 1, 1, IORING_ENTER_GETEVENTS,
			    NULL, 0));
	CHECK_EQ(PAGE, cqe[*head & (f->p.cq_entries - 1)].res);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
}

static void fixed_check(struct fixed *f, int fd, struct iovec *iov, unsigned int nr)
{
	static char data[PAGE], buf[PAGE];
	unsigned int i;
	size_t page;
	char *at;

	for (i = 0; i < nr; i++) {
		for (page = 0; page < iov[i].iov_len; page += 37 * PAGE) {
			at = iov[i].iov_base + page;
			memset(data, 'a' + page / PAGE % 26 + i, PAGE);
			CHECK_EQ(PAGE, pwrite(fd, data, PAGE, 0));
			fixed_rw(f, IORING_OP_READ_FIXED, fd, i, at);
			CHECK_MEM(data, at, PAGE);
			memset(at, '0' + page / PAGE % 10, PAGE);
			fixed_rw(f, IORING_OP_WRITE_FIXED, fd, i, at);
			CHECK_EQ(PAGE, pread(fd, buf, PAGE, 0));
			CHECK_MEM(at, buf, PAGE);
		}
	}
}

SUBJECT(fixed_buffers)
{
	int fd = subject_open("f/data", O_RDWR | O_CREAT);
	struct iovec iov[3];
	struct fixed f = {};
	int i;

	for (i = 0; i < 3; i++) {
		iov[i].iov_base = map(SIZE + HUGE, -1);
		iov[i].iov_len = SIZE;
	}
	iov[1].iov_base = (void *)(((uintptr_t)iov[1].iov_base + HUGE - 1) & -HUGE);
	madvise(iov[1].iov_base, SIZE, MADV_HUGEPAGE);
	CHECK_EQ(0, madvise(iov[2].iov_base, SIZE, MADV_DONTFORK));
	for (i = 0; i < 3; i++)
		fill(iov[i].iov_base, SIZE, i, 1);
	fixed_open(&f, iov, 3);
	subject_ready();
	while (!subject_told("go")) {
		if (subject_told("change")) {
			for (i = 0; i < 3; i++)
				check(iov[i].iov_base, SIZE, i, 1);
			fixed_check(&f, fd, iov, 3);
			for (i = 0; i < 3; i++)
				fill(iov[i].iov_base, SIZE, i, 2);
			fixed_check(&f, fd, iov, 3);
			subject_touch("changed");
			subject_wait("go");
			return;
		}
		ckpt_sleep_ms(10);
	}
	for (i = 0; i < 3; i++)
		check(iov[i].iov_base, SIZE, i, 1);
	fixed_check(&f, fd, iov, 3);
}

/* ---- the tests -------------------------------------------------------- */

CKPT_FIXTURE_HOW(share);
CKPT_VARIANTS(share);

CKPT_ROUNDTRIP(share, prefork);

FIXTURE(snapshot)
{
	struct ckpt_run run;
	int pipe[2];
	pid_t pid;
};

FIXTURE_SETUP(snapshot)
{
	static const struct ckpt_how how = { .target = CKPT_CGROUP };

	ASSERT_TRUE(ckpt_supported());
	ckpt_init(&self->run, &how);
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
}

FIXTURE_TEARDOWN(snapshot)
{
	EXPECT_EQ(0, ckpt_cleanup(&self->run));
}

/* checkpoint() in a process of its own, whose exit status is the errno. */
static pid_t checkpoint_begin(struct ckpt_run *run, int pipe[2], uint64_t flags)
{
	pid_t pid = fork();
	long ret;

	if (pid) {
		close(pipe[1]);
		return pid;
	}
	close(pipe[0]);
	signal(SIGPIPE, SIG_IGN);
	ret = ckpt_checkpoint_log(run, flags, pipe[1]);
	_exit(ret > 0 ? 0 : ret < 0 ? -ret : 255);
}

static int wait_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* When the pipe has something in it the writer waits for more room, or soon will. */
static int await_data(int fd)
{
	struct pollfd in = { .fd = fd, .events = POLLIN };

	return poll(&in, 1, CKPT_PATIENCE * 1000) == 1 ? 0 : -ETIMEDOUT;
}

static int read_image(struct ckpt_run *run, int from)
{
	int to = ckpt_open(run, "image", O_CREAT | O_TRUNC | O_WRONLY);
	static char buf[65536];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, n) != n)
			return -EIO;
	close(to);
	close(from);
	return n;
}

static int changed(struct ckpt_run *run)
{
	ckpt_touch(run, "change");
	return ckpt_wait_for(run, "changed");
}

/* Where it is, after a checkpoint during which the subject has changed. */
static int end_and_restart(struct ckpt_run *run)
{
	pid_t pid = run->pid;
	long ret;

	ret = ckpt_finish(run);
	if (ret)
		return ret;
	ckpt_remove(run, "change");
	ckpt_remove(run, "changed");
	ret = ckpt_restart(run);
	if (ret != pid) {
		ckpt_print(run, "log");
		return ret ?: -ESRCH;
	}
	run->pid = pid;
	return ckpt_finish(run);
}

TEST_F_TIMEOUT(snapshot, changes, CKPT_TIMEOUT)
{
	int fd;

	ASSERT_EQ(0, ckpt_start(&self->run, "busy"));
	self->pid = checkpoint_begin(&self->run, self->pipe, 0);
	ASSERT_EQ(0, await_data(self->pipe[0]));
	ASSERT_EQ(0, changed(&self->run));

	/* The image is far from complete, yet nothing holds on to the file. */
	fd = ckpt_open(&self->run, "f/file", O_RDWR);
	ASSERT_EQ(0, flock(fd, LOCK_EX | LOCK_NB));
	/* It had this, and has the data still, as these were written back. */
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	close(fd);
	ASSERT_EQ(0, waitpid(self->pid, NULL, WNOHANG));

	ASSERT_EQ(0, read_image(&self->run, self->pipe[0]));
	ASSERT_EQ(0, wait_status(self->pid));
	self->run.restart_flags = RESTART_FILES_CHANGED;
	ASSERT_EQ(0, end_and_restart(&self->run));
}

TEST_F_TIMEOUT(snapshot, fixed_buffers, CKPT_TIMEOUT)
{
	struct io_uring_params p = {};

	if (syscall(SYS_io_uring_setup, 1, &p) < 0)
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, ckpt_start(&self->run, "fixed_buffers"));
	self->pid = checkpoint_begin(&self->run, self->pipe, 0);
	ASSERT_EQ(0, await_data(self->pipe[0]));
	ASSERT_EQ(0, changed(&self->run));
	ASSERT_EQ(0, waitpid(self->pid, NULL, WNOHANG));
	ASSERT_EQ(0, read_image(&self->run, self->pipe[0]));
	ASSERT_EQ(0, wait_status(self->pid));
	self->run.restart_flags = RESTART_FILES_CHANGED;
	ASSERT_EQ(0, end_and_restart(&self->run));
}

TEST_F_TIMEOUT(snapshot, zero_device, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_start(&self->run, "zero_device"));
	self->pid = checkpoint_begin(&self->run, self->pipe, 0);
	ASSERT_EQ(0, read_image(&self->run, self->pipe[0]));
	ASSERT_EQ(0, wait_status(self->pid));
	ASSERT_EQ(0, end_and_restart(&self->run));
}

TEST_F_TIMEOUT(snapshot, shared_copy_on_write, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_start(&self->run, "family"));
	self->pid = checkpoint_begin(&self->run, self->pipe, 0);
	ASSERT_EQ(0, await_data(self->pipe[0]));
	ASSERT_EQ(0, changed(&self->run));
	ASSERT_EQ(0, read_image(&self->run, self->pipe[0]));
	ASSERT_EQ(0, wait_status(self->pid));
	ASSERT_EQ(0, end_and_restart(&self->run));
}

/* Who is told to wait does. */
TEST_F_TIMEOUT(snapshot, stop_and_copy, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_start(&self->run, "busy"));
	self->pid = checkpoint_begin(&self->run, self->pipe, CHECKPOINT_STOP_AND_COPY);
	ASSERT_EQ(0, await_data(self->pipe[0]));
	ckpt_touch(&self->run, "change");
	ckpt_sleep_ms(1000);
	ASSERT_FALSE(ckpt_exists(&self->run, "changed"));
	ASSERT_EQ(0, read_image(&self->run, self->pipe[0]));
	ASSERT_EQ(0, wait_status(self->pid));
	ASSERT_EQ(0, ckpt_wait_for(&self->run, "changed"));
	self->run.restart_flags = RESTART_FILES_CHANGED;
	ASSERT_EQ(0, end_and_restart(&self->run));
}

static int read_setting(const char *name, char *value, size_t size)
{
	ssize_t n = ckpt_slurp(name, value, size);

	return n > 0 ? 0 : -EIO;
}

static int write_setting(const char *name, const char *value)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC), ret;

	ret = write(fd, value, strlen(value)) == (ssize_t)strlen(value) ? 0 : -errno;
	close(fd);
	return ret;
}

#define OVERCOMMIT	"/proc/sys/vm/overcommit_memory"
#define COMMIT_LIMIT	"/proc/sys/vm/overcommit_kbytes"

static long meminfo(const char *key)
{
	static char buf[8192];
	const char *p;

	if (ckpt_slurp("/proc/meminfo", buf, sizeof(buf)) <= 0)
		return -1;
	p = strstr(buf, key);
	return p ? atol(p + strlen(key)) : -1;
}

/* Where memory is not given away twice there may be none for a copy. */
TEST_F_TIMEOUT(snapshot, no_commitment, CKPT_TIMEOUT)
{
	char mode[16], limit[32], text[32];
	long committed;

	ASSERT_EQ(0, ckpt_start(&self->run, "busy"));
	ASSERT_EQ(0, read_setting(OVERCOMMIT, mode, sizeof(mode)));
	ASSERT_EQ(0, read_setting(COMMIT_LIMIT, limit, sizeof(limit)));
	committed = meminfo("Committed_AS:");
	ASSERT_LT(0, committed);
	/* root has 8 MiB more than others */
	snprintf(text, sizeof(text), "%ld", committed + 24 * 1024);
	ASSERT_EQ(0, write_setting(COMMIT_LIMIT, text));
	ASSERT_EQ(0, write_setting(OVERCOMMIT, "2"));
	self->pid = checkpoint_begin(&self->run, self->pipe, 0);
	EXPECT_EQ(0, await_data(self->pipe[0]));
	ckpt_touch(&self->run, "change");
	ckpt_sleep_ms(1000);
	EXPECT_FALSE(ckpt_exists(&self->run, "changed"));
	EXPECT_EQ(0, write_setting(OVERCOMMIT, mode));
	EXPECT_EQ(0, write_setting(COMMIT_LIMIT, limit));
	ASSERT_EQ(0, read_image(&self->run, self->pipe[0]));
	ASSERT_EQ(0, wait_status(self->pid));
	ASSERT_EQ(0, ckpt_wait_for(&self->run, "changed"));
	self->run.restart_flags = RESTART_FILES_CHANGED;
	ASSERT_EQ(0, end_and_restart(&self->run));
}

/* The end of who writes, or reads, is nothing to the tasks. */
TEST_F_TIMEOUT(snapshot, writer_killed, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_start(&self->run, "busy"));
	self->pid = checkpoint_begin(&self->run, self->pipe, 0);
	ASSERT_EQ(0, await_data(self->pipe[0]));
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_EQ(-SIGKILL, wait_status(self->pid));
	close(self->pipe[0]);
	ASSERT_EQ(0, changed(&self->run));
	ASSERT_EQ(0, ckpt_finish(&self->run));
}

TEST_F_TIMEOUT(snapshot, reader_gone, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_start(&self->run, "busy"));
	self->pid = checkpoint_begin(&self->run, self->pipe, 0);
	ASSERT_EQ(0, await_data(self->pipe[0]));
	close(self->pipe[0]);
	ASSERT_EQ(EPIPE, wait_status(self->pid));
	ASSERT_EQ(0, changed(&self->run));
	ASSERT_EQ(0, ckpt_finish(&self->run));
}

/* Their end is nothing to the image. */
TEST_F_TIMEOUT(snapshot, tasks_killed, CKPT_TIMEOUT)
{
	pid_t pid;

	ASSERT_EQ(0, ckpt_start(&self->run, "busy"));
	pid = self->run.pid;
	self->pid = checkpoint_begin(&self->run, self->pipe, 0);
	ASSERT_EQ(0, await_data(self->pipe[0]));
	ASSERT_EQ(0, changed(&self->run));
	ASSERT_EQ(0, ckpt_kill(&self->run));
	ASSERT_EQ(0, read_image(&self->run, self->pipe[0]));
	ASSERT_EQ(0, wait_status(self->pid));
	ckpt_remove(&self->run, "change");
	ckpt_remove(&self->run, "changed");
	self->run.restart_flags = RESTART_FILES_CHANGED;
	ASSERT_EQ(pid, ckpt_restart(&self->run));
	self->run.pid = pid;
	ASSERT_EQ(0, ckpt_finish(&self->run));
}

/* Two at a time are one too many only as long as the tasks stand still. */
TEST_F_TIMEOUT(snapshot, twice, CKPT_TIMEOUT)
{
	int second[2];
	pid_t pid;

	ASSERT_EQ(0, ckpt_start(&self->run, "busy"));
	self->pid = checkpoint_begin(&self->run, self->pipe, 0);
	ASSERT_EQ(0, await_data(self->pipe[0]));
	ASSERT_EQ(0, pipe2(second, O_CLOEXEC));
	pid = checkpoint_begin(&self->run, second, 0);
	ASSERT_EQ(0, await_data(second[0]));
	ASSERT_EQ(0, changed(&self->run));
	ASSERT_EQ(0, read_image(&self->run, self->pipe[0]));
	ASSERT_EQ(0, wait_status(self->pid));
	ASSERT_EQ(0, read_image(&self->run, second[0]));
	ASSERT_EQ(0, wait_status(pid));
	self->run.restart_flags = RESTART_FILES_CHANGED;
	ASSERT_EQ(0, end_and_restart(&self->run));
}

CKPT_TEST_MAIN

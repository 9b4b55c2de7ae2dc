// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: memory.
 *
 * Besides the contents, each subject compares all of its mappings, their
 * protections, names and flags as /proc/self/smaps tells them.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <limits.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define PAGE	4096UL
#define HUGE	(2UL << 20)

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

/* ---- all mappings, as the kernel tells them ---- */

#define MAX_AREAS 300

struct area {
	unsigned long start, end, off, locked;
	char perms[8];
	char name[128];
	char flags[160];
};

static struct area areas_before[MAX_AREAS], areas_after[MAX_AREAS];
static int nr_before, nr_after;
static char smaps[1 << 20];

static bool can_merge(const struct area *a, const struct area *b)
{
	return a->end == b->start && !strcmp(a->perms, b->perms) &&
	       !strcmp(a->name, b->name) && !strcmp(a->flags, b->flags) &&
	       (a->name[0] != '/' || a->off + (a->end - a->start) == b->off);
}

/* Neighbours that differ in nothing count as one: nobody can tell. */
static int read_areas(struct area *areas)
{
	char *line, *next = NULL, *p;
	struct area *a = NULL;
	unsigned long s, e, off;
	int nr = 0, len, i, k;
	char perms[8];

	CHECK(ckpt_slurp("/proc/self/smaps", smaps, sizeof(smaps)) > 0);
	for (line = strtok_r(smaps, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next)) {
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s%n", &s, &e, perms,
			   &off, &len) == 4) {
			CHECK(nr < MAX_AREAS);
			a = &areas[nr++];
			memset(a, 0, sizeof(*a));
			a->start = s;
			a->end = e;
			a->off = off;
			snprintf(a->perms, sizeof(a->perms), "%s", perms);
			for (p = line + len; *p == ' '; p++)
				;
			snprintf(a->name, sizeof(a->name), "%s", p);
		} else if (a && sscanf(line, "Locked: %lu", &a->locked) == 1) {
			continue;
		} else if (a && !strncmp(line, "VmFlags: ", 9)) {
			snprintf(a->flags, sizeof(a->flags), "%s", line + 9);
			/* "written since": of use to debuggers only */
			p = strstr(a->flags, "sd ");
			if (p)
				memmove(p, p + 3, strlen(p + 3) + 1);
		}
	}
	for (i = 0, k = 1; k < nr; k++) {
		if (can_merge(&areas[i], &areas[k])) {
			areas[i].end = areas[k].end;
			areas[i].locked += areas[k].locked;
		} else {
			areas[++i] = areas[k];
		}
	}
	return i + 1;
}

static void touch_stack(void)
{
	char room[65536];
	unsigned int i;

	for (i = 0; i < sizeof(room); i += 1024)
		WRITE_ONCE(room[i], 0);
}

static void compare_areas(void)
{
	int i;

	for (i = 0; i < nr_before && i < nr_after; i++) {
		struct area *b = &areas_before[i], *a = &areas_after[i];

		if (b->start != a->start || b->end != a->end ||
		    strcmp(b->perms, a->perms) || strcmp(b->name, a->name) ||
		    strcmp(b->flags, a->flags) || b->locked != a->locked ||
		    (b->name[0] == '/' && b->off != a->off))
			subject_fail(__FILE__, __LINE__,
				     "was %lx-%lx %s %s [%s] %lu, is %lx-%lx %s %s [%s] %lu",
				     b->start, b->end, b->perms, b->name,
				     b->flags, b->locked, a->start, a->end,
				     a->perms, a->name, a->flags, a->locked);
	}
	CHECK_EQ(nr_before, nr_after);
}

/* What every subject of this file does in place of subject_point(). */
static void memory_point(void)
{
	touch_stack();
	memset(areas_before, 0, sizeof(areas_before));
	memset(areas_after, 0, sizeof(areas_after));
	nr_before = read_areas(areas_before);
	nr_before = read_areas(areas_before);
	subject_point();
	nr_after = read_areas(areas_after);
	compare_areas();
}

/* ---- patterns ---- */

static uint64_t word(unsigned long nr, unsigned long seed)
{
	return (nr + 1) * 0x9e3779b97f4a7c15ULL ^ seed * 0x2545f4914f6cdd1dULL;
}

static void fill_page(void *page, unsigned long seed)
{
	uint64_t *p = page;
	unsigned int i;

	for (i = 0; i < PAGE / 8; i++)
		p[i] = word(i, seed);
}

static void check_page(const void *page, unsigned long seed, int line)
{
	const uint64_t *p = page;
	unsigned int i;

	for (i = 0; i < PAGE / 8; i++)
		if (p[i] != word(i, seed))
			subject_fail(__FILE__, line,
				     "%p (page %lu): %#lx, not %#lx", &p[i],
				     seed, p[i], word(i, seed));
}

static void check_zero(const void *page, int line)
{
	const uint64_t *p = page;
	unsigned int i;

	for (i = 0; i < PAGE / 8; i++)
		if (p[i])
			subject_fail(__FILE__, line, "%p is not zero", &p[i]);
}

#define CHECK_PAGE(page, seed)	check_page(page, seed, __LINE__)
#define CHECK_ZERO(page)	check_zero(page, __LINE__)

static char *map_anon(size_t len, int prot, int flags)
{
	char *p = mmap(NULL, len, prot, MAP_ANONYMOUS | flags, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

#define RW	(PROT_READ | PROT_WRITE)

/* Which of the pages are in memory at all. */
static int resident(void *p, size_t pages)
{
	static unsigned char vec[65536];
	unsigned int i;
	int nr = 0;

	CHECK_EQ(0, mincore(p, pages * PAGE, vec));
	for (i = 0; i < pages; i++)
		nr += vec[i] & 1;
	return nr;
}

SUBJECT(anon)
{
	enum { N = 300 };
	char *p = map_anon(N * PAGE, RW, MAP_PRIVATE);
	unsigned int i;

	madvise(p, N * PAGE, MADV_NOHUGEPAGE);
	/* runs, single ones, gaps; some are all zeros; some only read */
	for (i = 0; i < N; i++) {
		if (i % 10 < 4 || i % 10 == 7)
			fill_page(p + i * PAGE, i);
		else if (i % 10 == 5)
			memset(p + i * PAGE, 0, PAGE);
		else if (i % 10 == 6)
			CHECK_EQ(0, READ_ONCE(p[i * PAGE]));
	}
	memory_point();
	for (i = 0; i < N; i++) {
		if (i % 10 < 4 || i % 10 == 7)
			CHECK_PAGE(p + i * PAGE, i);
		else
			CHECK_ZERO(p + i * PAGE);
	}
	for (i = 0; i < N; i++)
		fill_page(p + i * PAGE, i + 5);
	for (i = 0; i < N; i++)
		CHECK_PAGE(p + i * PAGE, i + 5);
}

/* Room that was never touched takes none after the restart either. */
SUBJECT(sparse)
{
	char *p = map_anon(16384 * PAGE, RW, MAP_PRIVATE | MAP_NORESERVE);

	madvise(p, 16384 * PAGE, MADV_NOHUGEPAGE);
	fill_page(p + 5000 * PAGE, 1);
	fill_page(p + 16383 * PAGE, 2);
	memory_point();
	CHECK(resident(p, 16384) <= 2);
	CHECK_PAGE(p + 5000 * PAGE, 1);
	CHECK_PAGE(p + 16383 * PAGE, 2);
}

static atomic_int faults;
static sigjmp_buf fault_env;

static void on_fault(int sig)
{
	(void)sig;
	faults++;
	siglongjmp(fault_env, 1);
}

static bool can_read(char *p)
{
	if (sigsetjmp(fault_env, 1))
		return false;
	READ_ONCE(*p);
	return true;
}

/* Writes what is there already, without reading it: that may not be allowed. */
static bool can_write(char *p, char c)
{
	if (sigsetjmp(fault_env, 1))
		return false;
	WRITE_ONCE(*p, c);
	return true;
}

static void catch_faults(void)
{
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
}

/* Each page its own protection, all of them with contents. */
SUBJECT(protections)
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, RW, PROT_READ | PROT_EXEC,
		RW | PROT_EXEC, PROT_WRITE, PROT_EXEC,
	};
	enum { N = ARRAY_SIZE(prots) };
	char *p = map_anon(3 * N * PAGE, RW, MAP_PRIVATE);
	unsigned int i;

	catch_faults();
	for (i = 0; i < 3 * N; i++)
		fill_page(p + i * PAGE, i);
	for (i = 0; i < 3 * N; i++)
		CHECK_EQ(0, mprotect(p + i * PAGE, PAGE, prots[i % N]));
	memory_point();
	for (i = 0; i < 3 * N; i++) {
		int prot = prots[i % N];

		if (prot == PROT_NONE)
			CHECK(!can_read(p + i * PAGE));
		if (!(prot & PROT_WRITE))
			CHECK(!can_write(p + i * PAGE, word(0, i)));
		else
			CHECK(can_write(p + i * PAGE, word(0, i)));
		CHECK_EQ(0, mprotect(p + i * PAGE, PAGE, RW));
		CHECK_PAGE(p + i * PAGE, i);
	}
	/* one mapping again, if all flags are the same */
	CHECK(mremap(p, 3 * N * PAGE, 6 * N * PAGE, MREMAP_MAYMOVE) !=
	      MAP_FAILED);
}

/* Code that was written by the program itself. */
SUBJECT(code)
{
	static const unsigned char ret42[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	char *p = map_anon(PAGE, RW, MAP_PRIVATE);
	int (*fn)(void);

	memcpy(p, ret42, sizeof(ret42));
	CHECK_EQ(0, mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	*(void **)&fn = p;
	CHECK_EQ(42, fn());
	memory_point();
	CHECK_EQ(42, fn());
}

/* ---- shared ---- */

SUBJECT(shared_anon)
{
	char *p = map_anon(16 * PAGE, RW, MAP_SHARED);
	char *ro;
	pid_t pid;
	int i;

	for (i = 0; i < 16; i += 2)
		fill_page(p + i * PAGE, i);
	pid = fork();
	if (!pid) {
		/* the child has less of it, elsewhere */
		ro = mremap(p + 8 * PAGE, 8 * PAGE, 8 * PAGE,
			    MREMAP_MAYMOVE | MREMAP_FIXED,
			    map_anon(8 * PAGE, PROT_NONE, MAP_PRIVATE));
		CHECK(ro != MAP_FAILED);
		subject_touch("child");
		while (READ_ONCE(p[PAGE]) != 'P')
			ckpt_sleep_ms(1);
		for (i = 8; i < 16; i += 2)
			CHECK_PAGE(ro + (i - 8) * PAGE, i);
		ro[7 * PAGE] = 'C';
		_exit(0);
	}
	subject_wait("child");
	memory_point();
	for (i = 0; i < 16; i++) {
		if (i & 1)
			CHECK_ZERO(p + i * PAGE);
		else
			CHECK_PAGE(p + i * PAGE, i);
	}
	p[PAGE] = 'P';
	while (READ_ONCE(p[15 * PAGE]) != 'C')
		ckpt_sleep_ms(1);
	subject_join(pid);
}

/* The same shared memory twice in one process. */
SUBJECT(shared_twice)
{
	char *a = map_anon(4 * PAGE, RW, MAP_SHARED);
	char *b = mremap(a, 0, 4 * PAGE, MREMAP_MAYMOVE);

	CHECK(b != MAP_FAILED);
	fill_page(a, 1);
	fill_page(b + PAGE, 2);
	memory_point();
	CHECK_PAGE(b, 1);
	CHECK_PAGE(a + PAGE, 2);
	a[2 * PAGE] = 'x';
	CHECK_EQ('x', b[2 * PAGE]);
	b[3 * PAGE] = 'y';
	CHECK_EQ('y', a[3 * PAGE]);
}

SUBJECT(memfd_shared)
{
	int fd = memfd_create("shared", 0);
	char *a, *b, *priv;

	CHECK_EQ(0, ftruncate(fd, 8 * PAGE));
	a = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	b = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE);
	priv = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED && priv != MAP_FAILED);
	fill_page(a, 1);
	fill_page(a + 2 * PAGE, 3);
	fill_page(priv + PAGE, 99);
	close(fd);
	memory_point();
	CHECK_PAGE(a, 1);
	CHECK_PAGE(b, 3);
	CHECK_PAGE(priv, 1);
	CHECK_PAGE(priv + PAGE, 99);
	CHECK_ZERO(a + PAGE);
	a[3 * PAGE] = 'q';
	CHECK_EQ('q', b[PAGE]);
	CHECK_EQ('q', priv[3 * PAGE]);
}

/* ---- files ---- */

static int data_file(const char *name, int pages)
{
	static alignas(8) char buf[PAGE];
	int fd, i;

	fd = subject_open(name, O_CREAT | O_RDWR);
	CHECK(fd >= 0);
	for (i = 0; i < pages; i++) {
		fill_page(buf, 1000 + i);
		CHECK_EQ(PAGE, write(fd, buf, PAGE));
	}
	return fd;
}

SUBJECT(file_private)
{
	static alignas(8) char buf[PAGE];
	int fd = data_file("f/private", 12), i;
	char *p = mmap(NULL, 10 * PAGE, RW, MAP_PRIVATE, fd, PAGE);
	char *ro;

	CHECK(p != MAP_FAILED);
	/* written in a mapping that is read-only now, as relocations are */
	ro = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(ro != MAP_FAILED);
	fill_page(ro + PAGE, 77);
	CHECK_EQ(0, mprotect(ro, 4 * PAGE, PROT_READ));
	/* written, only read, or left alone */
	for (i = 0; i < 10; i++) {
		if (i % 3 == 0)
			fill_page(p + i * PAGE, i);
		else if (i % 3 == 1)
			CHECK_PAGE(p + i * PAGE, 1001 + i);
	}
	memory_point();
	for (i = 0; i < 10; i++)
		CHECK_PAGE(p + i * PAGE, i % 3 ? 1001 + i : i);
	CHECK_PAGE(ro, 1000);
	CHECK_PAGE(ro + PAGE, 77);
	CHECK_PAGE(ro + 2 * PAGE, 1002);
	/* the file has not seen any of it */
	for (i = 0; i < 12; i++) {
		CHECK_EQ(PAGE, pread(fd, buf, PAGE, i * PAGE));
		CHECK_PAGE(buf, 1000 + i);
	}
}

SUBJECT(file_shared)
{
	static alignas(8) char buf[PAGE];
	int fd = data_file("f/shared", 8);
	char *p = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	char *ro = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED && ro != MAP_FAILED);
	fill_page(p + 3 * PAGE, 5);
	CHECK_EQ(0, msync(p, 8 * PAGE, MS_SYNC));
	memory_point();
	CHECK_PAGE(p, 1000);
	CHECK_PAGE(p + 3 * PAGE, 5);
	CHECK_PAGE(ro + 3 * PAGE, 5);
	fill_page(p + 4 * PAGE, 6);
	CHECK_PAGE(ro + 4 * PAGE, 6);
	CHECK_EQ(PAGE, pread(fd, buf, PAGE, 4 * PAGE));
	CHECK_PAGE(buf, 6);
	close(fd);
}

/* A mapping whose descriptor is closed, of a read-only description. */
SUBJECT(file_rights)
{
	int fd;
	char *p, *q;

	close(data_file("f/rights", 2));
	fd = subject_open("f/rights", O_RDONLY);
	p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	q = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && q != MAP_FAILED);
	close(fd);
	memory_point();
	CHECK_PAGE(p, 1000);
	CHECK_PAGE(q + PAGE, 1001);
	/* not more rights than before, nor fewer */
	CHECK_EQ(-1, mprotect(p, PAGE, RW));
	CHECK_EQ(EACCES, errno);
	CHECK_EQ(0, mprotect(q, PAGE, RW));
	q[0] = 1;
}

SUBJECT(past_eof)
{
	int fd = data_file("f/eof", 2);
	char *p = mmap(NULL, 6 * PAGE, RW, MAP_PRIVATE, fd, 0);

	CHECK(p != MAP_FAILED);
	catch_faults();
	/* a page of which the file has a part, with our own bytes behind */
	CHECK_EQ(0, ftruncate(fd, PAGE + 100));
	p[PAGE + 50] = 'i';
	p[PAGE + 200] = 'o';
	memory_point();
	CHECK_PAGE(p, 1000);
	CHECK_EQ('i', p[PAGE + 50]);
	CHECK_EQ('o', p[PAGE + 200]);
	CHECK(!can_read(p + 2 * PAGE));
	CHECK(!can_read(p + 5 * PAGE));
}

static void check_zeros(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		CHECK_EQ(0, p[i]);
}

/*
 * Shared memory is not always whole pages: what is behind its end is shared, too.
 * That is so on a tmpfs, which /tmp is where tests run.
 */
SUBJECT(shared_past_eof)
{
	int memfd = memfd_create("part", MFD_ALLOW_SEALING);
	int fd = subject_open("f/part", O_CREAT | O_RDWR), i;
	char *p[3];

	CHECK_EQ(0, unlink(subject_path("f/part")));
	CHECK_EQ(0, ftruncate(memfd, 100));
	CHECK_EQ(0, ftruncate(fd, 2 * PAGE - 1));
	p[0] = mmap(NULL, PAGE, RW, MAP_SHARED, memfd, 0);
	p[1] = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	p[2] = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, memfd, 0);
	for (i = 0; i < 3; i++)
		CHECK(p[i] != MAP_FAILED);
	p[0][100] = 'o';
	p[0][PAGE - 1] = 'e';
	p[1][2 * PAGE - 1] = 'l';
	CHECK_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_GROW));
	memory_point();
	CHECK_EQ('o', p[2][100]);
	CHECK_EQ('e', p[2][PAGE - 1]);
	check_zeros(p[0], 100);
	check_zeros(p[0] + 101, PAGE - 102);
	CHECK_EQ('l', p[1][2 * PAGE - 1]);
	check_zeros(p[1], 2 * PAGE - 1);
	p[0][200] = 'n';
	CHECK_EQ('n', p[2][200]);
	CHECK_EQ(100, lseek(memfd, 0, SEEK_END));
	CHECK_EQ(2 * PAGE - 1, lseek(fd, 0, SEEK_END));
	CHECK_EQ(F_SEAL_GROW, fcntl(memfd, F_GET_SEALS));
}

/*
 * Another filesystem has no use for that. There is something else than a tmpfs
 * at that place when the restart comes.
 */
SUBJECT(past_eof_of_tmpfs)
{
	struct stat st;
	char *p;
	int fd;

	CHECK_EQ(0, mkdir(subject_path("f/mount"), 0755));
	CHECK_EQ(0, mount("none", subject_path("f/mount"), "tmpfs", 0, NULL));
	fd = subject_open("f/mount/part", O_CREAT | O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(0, unlink(subject_path("f/mount/part")));
	CHECK_EQ(0, ftruncate(fd, 100));
	p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	p[99] = 'e';
	p[100] = 'o';
	subject_point();
	CHECK_EQ(0, fstat(fd, &st));
	CHECK_EQ(100, st.st_size);
	CHECK_EQ(0, st.st_nlink);
	CHECK_EQ('e', p[99]);
	CHECK_EQ('o', p[100]);
	check_zeros(p, 99);
	check_zeros(p + 101, PAGE - 101);
}

/* ---- copy on write ---- */

SUBJECT(cow)
{
	enum { N = 64 };
	char *p = map_anon(N * PAGE, RW, MAP_PRIVATE);
	pid_t pids[3];
	int i, k;

	madvise(p, N * PAGE, MADV_NOHUGEPAGE);
	for (i = 0; i < N; i++)
		fill_page(p + i * PAGE, i);
	for (k = 0; k < 3; k++) {
		pids[k] = fork();
		if (!pids[k]) {
			char name[8];

			/* each changes other pages, after the parent */
			for (i = k; i < N; i += 5)
				fill_page(p + i * PAGE, 100 * (k + 1) + i);
			snprintf(name, sizeof(name), "cow%d", k);
			subject_touch(name);
			subject_wait("go");
			for (i = 0; i < N; i++)
				CHECK_PAGE(p + i * PAGE, i < k || (i - k) % 5 ?
					   i : 100 * (k + 1) + i);
			memset(p, k, N * PAGE);
			_exit(0);
		}
	}
	subject_wait("cow0");
	subject_wait("cow1");
	subject_wait("cow2");
	for (i = 4; i < N; i += 5)
		fill_page(p + i * PAGE, 900 + i);
	memory_point();
	for (k = 0; k < 3; k++)
		subject_join(pids[k]);
	for (i = 0; i < N; i++)
		CHECK_PAGE(p + i * PAGE, i % 5 == 4 ? 900 + i : i);
}

/* ---- the heap and the stack ---- */

SUBJECT(heap)
{
	char *was = sbrk(0), *p;
	int i;

	p = sbrk(50 * PAGE);
	CHECK(p != (void *)-1);
	for (i = 0; i < 50; i++)
		memset(p + i * PAGE, i + 1, PAGE);
	was = sbrk(0);
	memory_point();
	CHECK(sbrk(0) == was);
	CHECK_EQ((long)was, syscall(SYS_brk, 0));
	for (i = 0; i < 50; i++) {
		CHECK_EQ(i + 1, p[i * PAGE]);
		CHECK_EQ(i + 1, p[i * PAGE + PAGE - 1]);
	}
	/* it grows from there, with zeros, and shrinks */
	CHECK(sbrk(20 * PAGE) == was);
	for (i = 0; i < 20; i++)
		CHECK_ZERO((void *)(((uintptr_t)was + PAGE - 1) / PAGE * PAGE +
				    (i < 19 ? i : 0) * PAGE));
	memset(was, 0x5a, 20 * PAGE);
	CHECK(sbrk(-60 * (long)PAGE) == was + 20 * PAGE);
	CHECK_EQ(1, p[0]);
	free(malloc(3000000));
}

static int deep(int depth, int *sum)
{
	atomic_char room[3 * PAGE];

	room[0] = depth;
	room[sizeof(room) - 1] = depth;
	*sum += room[0] == (char)depth;
	if (depth)
		deep(depth - 1, sum);
	return *sum + room[sizeof(room) - 1];
}

SUBJECT(stack)
{
	atomic_ulong local[1000];
	struct rlimit limit;
	int i, sum = 0;

	for (i = 0; i < 1000; i++)
		local[i] = word(i, 7);
	memory_point();
	for (i = 0; i < 1000; i++)
		CHECK_EQ(word(i, 7), local[i]);
	/* it grows, to megabytes, as far as its limit allows */
	CHECK_EQ(0, getrlimit(RLIMIT_STACK, &limit));
	CHECK(limit.rlim_cur >= 4 << 20);
	deep(150, &sum);
	CHECK_EQ(151, sum);
}

SUBJECT(grows_down)
{
	char *area = map_anon(400 * PAGE, PROT_NONE, MAP_PRIVATE);
	char *p, *end = area + 400 * PAGE;
	int i;

	CHECK_EQ(0, munmap(area, 400 * PAGE));
	p = mmap(end - 2 * PAGE, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	CHECK(p != MAP_FAILED);
	for (i = 1; i <= 10; i++)
		fill_page(end - i * PAGE, i);
	memory_point();
	for (i = 1; i <= 10; i++)
		CHECK_PAGE(end - i * PAGE, i);
	for (; i <= 30; i++)
		fill_page(end - i * PAGE, i);
}

/* ---- advice, locks, names ---- */

SUBJECT(advice)
{
	static const int advices[] = {
		MADV_DONTFORK, MADV_WIPEONFORK, MADV_DONTDUMP, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_SEQUENTIAL, MADV_RANDOM, MADV_NORMAL,
	};
	enum { N = ARRAY_SIZE(advices) };
	char *p[N];
	unsigned int i, k;
	pid_t pid;

	for (i = 0; i < N; i++) {
		p[i] = map_anon(3 * PAGE, RW, MAP_PRIVATE);
		for (k = 0; k < 3; k++)
			fill_page(p[i] + k * PAGE, i * 3 + k);
		CHECK_EQ(0, madvise(p[i] + PAGE, PAGE, advices[i]));
	}
	memory_point();
	for (i = 0; i < N; i++)
		for (k = 0; k < 3; k++)
			CHECK_PAGE(p[i] + k * PAGE, i * 3 + k);
	pid = fork();
	if (!pid) {
		catch_faults();
		CHECK(!can_read(p[0] + PAGE));
		CHECK_PAGE(p[0], 0);
		CHECK_ZERO(p[1] + PAGE);
		CHECK_PAGE(p[1], 3);
		CHECK_PAGE(p[2] + PAGE, 7);
		_exit(0);
	}
	subject_join(pid);
}

SUBJECT(locked)
{
	char *p = map_anon(8 * PAGE, RW, MAP_PRIVATE);
	char *q = map_anon(8 * PAGE, RW, MAP_PRIVATE);
	char *none = map_anon(4 * PAGE, RW, MAP_PRIVATE);

	madvise(q, 8 * PAGE, MADV_NOHUGEPAGE);
	CHECK_EQ(0, mlock(p, 8 * PAGE));
	CHECK_EQ(0, mlock2(q, 8 * PAGE, MLOCK_ONFAULT));
	fill_page(p, 1);
	fill_page(q + PAGE, 2);
	fill_page(none, 3);
	CHECK_EQ(0, mprotect(none, 4 * PAGE, PROT_NONE));
	memory_point();
	CHECK_EQ(8, resident(p, 8));
	CHECK_EQ(1, resident(q, 8));
	CHECK_PAGE(p, 1);
	CHECK_PAGE(q + PAGE, 2);
	CHECK_EQ(0, munlock(p, 8 * PAGE));
	CHECK_EQ(0, munlock(q, 8 * PAGE));
}

SUBJECT(locked_future)
{
	char *p;

	CHECK_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	memory_point();
	/* what comes is locked as well */
	p = map_anon(4 * PAGE, RW, MAP_PRIVATE);
	CHECK_EQ(4, resident(p, 4));
	CHECK_EQ(0, munlockall());
	p = map_anon(4 * PAGE, RW, MAP_PRIVATE);
	CHECK_EQ(0, resident(p, 4));
}

SUBJECT(names)
{
	char *p = map_anon(9 * PAGE, RW, MAP_PRIVATE);

	fill_page(p, 1);
	fill_page(p + 4 * PAGE, 2);
	CHECK_EQ(0, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p + 3 * PAGE,
			  3 * PAGE, "my name"));
	memory_point();
	CHECK_PAGE(p, 1);
	CHECK_PAGE(p + 4 * PAGE, 2);
}

/* What the kernel may drop at any time; contents need not come back. */
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE	0x08
#endif

static bool is_droppable(const void *addr)
{
	unsigned long s, e, want = (unsigned long)addr;
	char *line, *next = NULL;
	bool here = false;

	CHECK(ckpt_slurp("/proc/self/smaps", smaps, sizeof(smaps)) > 0);
	for (line = strtok_r(smaps, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next)) {
		if (sscanf(line, "%lx-%lx ", &s, &e) == 2)
			here = want >= s && want < e;
		else if (here && !strncmp(line, "VmFlags:", 8))
			return strstr(line, " dp");
	}
	return false;
}

SUBJECT(droppable)
{
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	CHECK(p != MAP_FAILED);
	CHECK(is_droppable(p));
	fill_page(p, 1);
	fill_page(p + 2 * PAGE, 2);
	memory_point();
	CHECK(is_droppable(p));
	/* there or not, but nothing else */
	if (p[0])
		CHECK_PAGE(p, 1);
	for (i = 0; i < 4; i++)
		fill_page(p + i * PAGE, 7 + i);
	for (i = 0; i < 4; i++)
		CHECK_PAGE(p + i * PAGE, 7 + i);
	CHECK_EQ(0, munmap(p, 4 * PAGE));
}

/* ---- huge pages ---- */

static long huge_kb(const void *addr)
{
	unsigned long s, e, want = (unsigned long)addr;
	char *line, *next = NULL;
	bool here = false;
	long kb;

	CHECK(ckpt_slurp("/proc/self/smaps", smaps, sizeof(smaps)) > 0);
	for (line = strtok_r(smaps, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next)) {
		if (sscanf(line, "%lx-%lx ", &s, &e) == 2)
			here = want >= s && want < e;
		else if (here && sscanf(line, "AnonHugePages: %ld", &kb) == 1)
			return kb;
	}
	return -1;
}

SUBJECT(huge)
{
	char *area = map_anon(6 * HUGE, RW, MAP_PRIVATE), *p;
	unsigned long i, pages = 4 * HUGE / PAGE;
	long kb;

	p = (char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));
	CHECK_EQ(0, madvise(p, 4 * HUGE, MADV_HUGEPAGE));
	for (i = 0; i < pages; i++)
		fill_page(p + i * PAGE, i);
	kb = huge_kb(p);
	/* break one of them, in the middle */
	CHECK_EQ(0, mprotect(p + HUGE + 5 * PAGE, PAGE, PROT_READ));
	CHECK_EQ(0, madvise(p + 2 * HUGE + 7 * PAGE, PAGE, MADV_DONTNEED));
	CHECK(kb >= 0);
	memory_point();
	for (i = 0; i < pages; i++) {
		if (i == 1024 + 7)
			CHECK_ZERO(p + i * PAGE);
		else
			CHECK_PAGE(p + i * PAGE, i);
	}
	/* written again, after a fork */
	if (!fork()) {
		memset(p, 1, HUGE);
		_exit(0);
	}
	CHECK(wait(NULL) > 0);
	CHECK_PAGE(p, 0);
}

/* ---- large ---- */

static void large(size_t bytes)
{
	char *p = map_anon(bytes, RW, MAP_PRIVATE);
	unsigned long i;

	/* a word of each page has to do, to be quick */
	for (i = 0; i < bytes / PAGE; i++)
		*(uint64_t *)(p + i * PAGE + i % 512 * 8) = word(i, 3);
	memory_point();
	for (i = 0; i < bytes / PAGE; i++)
		if (*(uint64_t *)(p + i * PAGE + i % 512 * 8) != word(i, 3))
			subject_fail(__FILE__, __LINE__, "page %lu", i);
}

SUBJECT(large_64m)
{
	large(64UL << 20);
}

SUBJECT(large_1g)
{
	large(1UL << 30);
}

/* ---- what the kernel tells about the program ---- */

#define NR_PROC 4
static const char * const proc_files[NR_PROC] = {
	"/proc/self/auxv", "/proc/self/cmdline", "/proc/self/environ",
	"/proc/self/comm",
};

static char proc_before[NR_PROC][8192], proc_after[NR_PROC][8192];

/* The fields of stat that are addresses of the program. */
static void stat_addresses(unsigned long *v)
{
	static const int fields[] = { 26, 27, 28, 45, 46, 47, 48, 49, 50, 51 };
	static char text[2048];
	unsigned int i, nr = 2;
	char *p;

	CHECK(ckpt_slurp("/proc/self/stat", text, sizeof(text)) > 0);
	p = strrchr(text, ')');
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		while ((int)nr < fields[i]) {
			p = strchr(p + 1, ' ');
			CHECK(p);
			nr++;
		}
		v[i] = strtoul(p + 1, NULL, 10);
	}
}

SUBJECT(self)
{
	char exe_before[PATH_MAX] = "", exe_after[PATH_MAX] = "";
	unsigned long stat_before[10], stat_after[10];
	ssize_t len[NR_PROC];
	int i, dumpable;

	CHECK_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	CHECK_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	for (i = 0; i < NR_PROC; i++) {
		len[i] = ckpt_slurp(proc_files[i], proc_before[i], 8192);
		CHECK(len[i] > 0 || i == 2);
	}
	CHECK(readlink("/proc/self/exe", exe_before, PATH_MAX - 1) > 0);
	stat_addresses(stat_before);
	dumpable = prctl(PR_GET_DUMPABLE);
	memory_point();
	for (i = 0; i < NR_PROC; i++) {
		CHECK_EQ(len[i], ckpt_slurp(proc_files[i], proc_after[i], 8192));
		if (memcmp(proc_before[i], proc_after[i], len[i] + 1))
			subject_fail(__FILE__, __LINE__, "%s has changed",
				     proc_files[i]);
	}
	CHECK(readlink("/proc/self/exe", exe_after, PATH_MAX - 1) > 0);
	CHECK(!strcmp(exe_before, exe_after));
	stat_addresses(stat_after);
	CHECK_MEM(stat_before, stat_after, sizeof(stat_before));
	CHECK_EQ(dumpable, prctl(PR_GET_DUMPABLE));
	CHECK_EQ(1, prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
}

/* The vDSO is where it was and tells the time without a system call. */
SUBJECT(vdso)
{
	unsigned long base = getauxval(AT_SYSINFO_EHDR);
	struct timespec a, b, c;
	unsigned int cpu, i;

	CHECK(base);
	CHECK_EQ(0, clock_gettime(CLOCK_MONOTONIC, &a));
	memory_point();
	CHECK_EQ(base, getauxval(AT_SYSINFO_EHDR));
	CHECK_MEM(ELFMAG, (void *)base, SELFMAG);
	for (i = 0; i < 1000; i++) {
		CHECK_EQ(0, clock_gettime(CLOCK_MONOTONIC, &b));
		CHECK(b.tv_sec > a.tv_sec ||
		      (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
		a = b;
	}
	CHECK_EQ(0, syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &c));
	CHECK(c.tv_sec - b.tv_sec <= 2);
	CHECK_EQ(0, clock_gettime(CLOCK_REALTIME, &b));
	CHECK_EQ(time(NULL) / 4, b.tv_sec / 4);
	CHECK_EQ(0, syscall(SYS_getcpu, &cpu, NULL, NULL));
	CHECK(sched_getcpu() >= 0);
}

/* Threads have their stacks and guards, all are of one address space. */
static pthread_barrier_t barrier;
static atomic_bool go;

static void *stack_thread(void *arg)
{
	atomic_ulong local[4000];
	unsigned long nr = (uintptr_t)arg;
	int i;

	for (i = 0; i < 4000; i++)
		local[i] = word(i, nr);
	pthread_barrier_wait(&barrier);
	while (!go)
		ckpt_sleep_ms(1);
	for (i = 0; i < 4000; i++)
		CHECK_EQ(word(i, nr), local[i]);
	return NULL;
}

SUBJECT(thread_stacks)
{
	pthread_t threads[5];
	unsigned long i;

	pthread_barrier_init(&barrier, NULL, 6);
	for (i = 0; i < 5; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, stack_thread,
					   (void *)i));
	pthread_barrier_wait(&barrier);
	memory_point();
	go = true;
	for (i = 0; i < 5; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
}

/* Room is found where it would have been found. */
SUBJECT(layout)
{
	char *a = map_anon(PAGE, RW, MAP_PRIVATE), *b;

	CHECK_EQ(0, munmap(a, PAGE));
	memory_point();
	b = map_anon(PAGE, RW, MAP_PRIVATE);
	CHECK(a == b);
	CHECK_EQ(0, munmap(b, PAGE));
}

CKPT_FIXTURE_HOW(memory);
CKPT_VARIANTS(memory);

CKPT_ROUNDTRIP(memory, anon);
CKPT_ROUNDTRIP(memory, sparse);
CKPT_ROUNDTRIP(memory, protections);
#ifdef __x86_64__
CKPT_ROUNDTRIP(memory, code);
#endif
CKPT_ROUNDTRIP(memory, shared_anon);
CKPT_ROUNDTRIP(memory, shared_twice);
CKPT_ROUNDTRIP(memory, memfd_shared);
CKPT_ROUNDTRIP(memory, file_private);
CKPT_ROUNDTRIP(memory, file_shared);
CKPT_ROUNDTRIP(memory, file_rights);
CKPT_ROUNDTRIP(memory, past_eof);
CKPT_ROUNDTRIP(memory, shared_past_eof);
CKPT_ROUNDTRIP(memory, cow);
CKPT_ROUNDTRIP(memory, heap);
CKPT_ROUNDTRIP(memory, stack);
CKPT_ROUNDTRIP(memory, grows_down);
CKPT_ROUNDTRIP(memory, advice);
CKPT_ROUNDTRIP(memory, locked);
CKPT_ROUNDTRIP(memory, locked_future);
CKPT_ROUNDTRIP(memory, names);

TEST_F_TIMEOUT(memory, droppable, CKPT_TIMEOUT)
{
	void *p = mmap(NULL, PAGE, RW, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		SKIP(return, "no MAP_DROPPABLE");
	munmap(p, PAGE);
	ASSERT_EQ(0, ckpt_roundtrip("droppable", &variant->how));
}

CKPT_ROUNDTRIP(memory, huge);
CKPT_ROUNDTRIP(memory, self);
CKPT_ROUNDTRIP(memory, vdso);
CKPT_ROUNDTRIP(memory, thread_stacks);
CKPT_ROUNDTRIP(memory, layout);

CKPT_FIXTURE(elsewhere);

TEST_F_TIMEOUT(elsewhere, past_eof_of_tmpfs, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	char path[128];
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "past_eof_of_tmpfs"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	snprintf(path, sizeof(path), "%s/f/mount", run.dir);
	EXPECT_EQ(0, umount(path));
	EXPECT_EQ(0, mount("none", path, "ramfs", 0, NULL));
	EXPECT_EQ(-EOPNOTSUPP, ckpt_restart(&run));
	EXPECT_EQ(1, ckpt_log_has(&run, "beyond its end, which only a tmpfs keeps"))
		ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	/* nor is anything left there */
	EXPECT_EQ(0, umount(path));
	EXPECT_EQ(0, mount("none", path, "tmpfs", 0, NULL));
	EXPECT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	EXPECT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, ckpt_cleanup(&run));
}

CKPT_FIXTURE_HOW(large);
CKPT_VARIANTS_OTHER(large);

CKPT_ROUNDTRIP(large, large_64m);

TEST_F_TIMEOUT(large, large_1g, 900)
{
	struct sysinfo info;

	ASSERT_EQ(0, sysinfo(&info));
	/* itself, its image, and some room */
	if (info.freeram * info.mem_unit < 2600UL << 20)
		SKIP(return, "takes 1 GiB twice");
	ASSERT_EQ(0, ckpt_roundtrip("large_1g", &variant->how));
}

CKPT_TEST_MAIN

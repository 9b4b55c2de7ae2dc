// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: locks on files that several tasks have, and wait for.
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

/* What the tasks of a subject know of each other. */
struct shared {
	pid_t pid;
	atomic_int phase;
	atomic_int holders[3];
	atomic_int got;
};

static struct shared *shared;

static void share(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
}

static void await_phase(int nr)
{
	while (shared->phase < nr)
		ckpt_sleep_ms(1);
}

static int new_file(const char *name)
{
	int fd = subject_open(name, O_CREAT | O_RDWR);

	CHECK(fd >= 0);
	return fd;
}

static int try_lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock fl = { .l_type = type, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &fl);
}

static void lock(int fd, int cmd, int type, off_t start, off_t len)
{
	CHECK_EQ(0, try_lock(fd, cmd, type, start, len));
}

/* What is in the way of a write lock on some bytes from there on. */
static void expect_lock(int fd, int cmd, off_t at, int type, off_t start, off_t len, pid_t pid)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = at, .l_len = 5 };

	CHECK_EQ(0, fcntl(fd, cmd, &fl));
	CHECK_EQ(type, fl.l_type);
	if (type == F_UNLCK)
		return;
	CHECK_EQ(SEEK_SET, fl.l_whence);
	CHECK_EQ(start, fl.l_start);
	CHECK_EQ(len, fl.l_len);
	CHECK_EQ(pid, fl.l_pid);
}

/* How many lines of /proc/locks are of that file, and have these words? */
static int listed(int fd, const char *words)
{
	static char text[1 << 16];
	char *line, *next = NULL, inode[32];
	struct stat st;
	int nr = 0;

	CHECK_EQ(0, fstat(fd, &st));
	snprintf(inode, sizeof(inode), ":%lu ", (unsigned long)st.st_ino);
	CHECK(ckpt_slurp("/proc/locks", text, sizeof(text)) >= 0);
	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
		nr += strstr(line, inode) && strstr(line, words);
	return nr;
}

/* As many tasks sleep, and wait for a lock on that file. */
static void await_waiters(int fd, int nr)
{
	int i;

	for (i = 0; i < 20000 && listed(fd, "-> ") != nr; i++)
		ckpt_sleep_ms(3);
	CHECK_EQ(nr, listed(fd, "-> "));
}

/*
 * Two tasks have POSIX locks, one of them an flock(2) one, too; we have an open
 * file description lock, which is nobody's.
 */
static void check_owners(int fd, int again, const pid_t *pids)
{
	char words[64];

	expect_lock(fd, F_GETLK, 0, F_WRLCK, 0, 10, pids[0]);
	expect_lock(fd, F_GETLK, 20, F_RDLCK, 20, 10, pids[1]);
	expect_lock(fd, F_GETLK, 30, F_WRLCK, 30, 0, pids[1]);
	expect_lock(fd, F_GETLK, 10, F_UNLCK, 0, 0, 0);
	expect_lock(again, F_OFD_GETLK, 0, F_WRLCK, 0, 10, pids[0]);
	expect_lock(again, F_OFD_GETLK, 15, F_RDLCK, 15, 3, -1);
	/* its own are not in the way of the description */
	expect_lock(fd, F_OFD_GETLK, 15, F_UNLCK, 0, 0, 0);
	CHECK_EQ(5, listed(fd, "ADVISORY"));
	snprintf(words, sizeof(words), "POSIX  ADVISORY  WRITE %d ", pids[0]);
	CHECK_EQ(1, listed(fd, words));
	snprintf(words, sizeof(words), "POSIX  ADVISORY  READ %d ", pids[1]);
	CHECK_EQ(1, listed(fd, words));
	snprintf(words, sizeof(words), "POSIX  ADVISORY  WRITE %d ", pids[1]);
	CHECK_EQ(1, listed(fd, words));
	snprintf(words, sizeof(words), "FLOCK  ADVISORY  WRITE %d ", pids[0]);
	CHECK_EQ(1, listed(fd, words));
	CHECK_EQ(1, listed(fd, "OFDLCK ADVISORY  READ -1 "));
}

SUBJECT(owners)
{
	int fd = new_file("f/file"), again = new_file("f/file"), own, i;
	pid_t pids[2];

	share();
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i])
			continue;
		own = new_file("f/file");
		if (i) {
			lock(own, F_SETLK, F_RDLCK, 20, 10);
			lock(own, F_SETLK, F_WRLCK, 30, 0);
		} else {
			lock(own, F_SETLK, F_WRLCK, 0, 10);
			CHECK_EQ(0, flock(own, LOCK_EX));
		}
		shared->phase++;
		await_phase(10 * (i + 1));
		/* one's own are not in the way, those of the other are */
		expect_lock(own, F_GETLK, i ? 20 : 0, F_UNLCK, 0, 0, 0);
		if (!i)
			expect_lock(own, F_GETLK, 20, F_RDLCK, 20, 10, shared->pid);
		_exit(0);
	}
	lock(fd, F_OFD_SETLK, F_RDLCK, 15, 3);
	await_phase(2);
	check_owners(fd, again, pids);
	subject_point();
	check_owners(fd, again, pids);
	/* they go with whose they are */
	shared->pid = pids[1];
	shared->phase = 10;
	subject_join(pids[0]);
	expect_lock(fd, F_GETLK, 0, F_UNLCK, 0, 0, 0);
	expect_lock(fd, F_GETLK, 20, F_RDLCK, 20, 10, pids[1]);
	CHECK_EQ(0, flock(again, LOCK_EX | LOCK_NB));
	shared->phase = 20;
	subject_join(pids[1]);
	expect_lock(fd, F_GETLK, 20, F_UNLCK, 0, 0, 0);
	expect_lock(again, F_OFD_GETLK, 15, F_RDLCK, 15, 3, -1);
	close(fd);
	expect_lock(again, F_OFD_GETLK, 15, F_UNLCK, 0, 0, 0);
}

/* Two tasks wait for each of three locks, and have them one after the other. */
static const char * const kinds[] = { "f/flock", "f/ofd", "f/posix" };

static void take(int kind, int fd, int type)
{
	if (kind == 0)
		CHECK_EQ(0, flock(fd, type == F_UNLCK ? LOCK_UN : LOCK_EX));
	else
		lock(fd, kind == 1 ? F_OFD_SETLKW : F_SETLKW, type, 3, 4);
}

SUBJECT(waiters)
{
	pid_t pids[6];
	int fds[3], fd, i;

	share();
	for (i = 0; i < 3; i++) {
		fds[i] = new_file(kinds[i]);
		take(i, fds[i], F_WRLCK);
	}
	for (i = 0; i < 6; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i])
			continue;
		fd = new_file(kinds[i / 2]);
		take(i / 2, fd, F_WRLCK);
		CHECK_EQ(1, ++shared->holders[i / 2]);
		shared->got++;
		ckpt_sleep_ms(30);
		CHECK_EQ(0, --shared->holders[i / 2]);
		take(i / 2, fd, F_UNLCK);
		_exit(0);
	}
	for (i = 0; i < 3; i++)
		await_waiters(fds[i], 2);
	subject_point();
	for (i = 0; i < 3; i++) {
		await_waiters(fds[i], 2);
		/* and it is ours */
		CHECK_EQ(3, listed(fds[i], "ADVISORY"));
	}
	CHECK_EQ(0, shared->got);
	for (i = 0; i < 3; i++) {
		take(i, fds[i], F_UNLCK);
		subject_join(pids[2 * i]);
		subject_join(pids[2 * i + 1]);
		CHECK_EQ(2 * i + 2, shared->got);
	}
}

/* Who waits for whom is known, so that nobody waits in a circle. */
SUBJECT(deadlock)
{
	int fd = new_file("f/file");
	pid_t pid;

	share();
	lock(fd, F_SETLK, F_WRLCK, 1, 1);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		lock(fd, F_SETLK, F_WRLCK, 0, 1);
		lock(fd, F_SETLKW, F_WRLCK, 1, 1);
		shared->got++;
		_exit(0);
	}
	await_waiters(fd, 1);
	subject_point();
	await_waiters(fd, 1);
	CHECK_EQ(0, shared->got);
	expect_lock(fd, F_GETLK, 0, F_WRLCK, 0, 1, pid);
	CHECK_EQ(-1, try_lock(fd, F_SETLKW, F_WRLCK, 0, 1));
	CHECK_EQ(EDEADLK, errno);
	lock(fd, F_SETLK, F_UNLCK, 1, 1);
	subject_join(pid);
	CHECK_EQ(1, shared->got);
}

CKPT_FIXTURE_HOW(locks);
CKPT_VARIANTS(locks);

CKPT_ROUNDTRIP(locks, owners);
CKPT_ROUNDTRIP(locks, waiters);
CKPT_ROUNDTRIP(locks, deadlock);

CKPT_TEST_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: System V shared memory, semaphores and message queues.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define PAGE		4096UL
#define KEY		0x434b5051
#define OTHER_KEY	0x434b5052

#ifndef SHM_DEST
#define SHM_DEST	01000
#define SHM_LOCKED	02000
#endif

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

/* ---- small things ---- */

static void fill(char *p, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (seed + i * 7 + (i >> 12)) | 1;
}

static void check_fill(const char *p, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		CHECK_EQ((char)((seed + i * 7 + (i >> 12)) | 1), p[i]);
}

static void check_zero(const char *p, size_t len)
{
	while (len--)
		CHECK_EQ(0, *p++);
}

/* Times differ by seconds; those of before are to be told from those of later. */
static void next_second(void)
{
	time_t now = time(NULL);

	while (time(NULL) == now)
		ckpt_sleep_ms(20);
}

static void check_perm(const struct ipc_perm *want, const struct ipc_perm *seen)
{
	CHECK_EQ(want->__key, seen->__key);
	CHECK_EQ(want->uid, seen->uid);
	CHECK_EQ(want->gid, seen->gid);
	CHECK_EQ(want->cuid, seen->cuid);
	CHECK_EQ(want->cgid, seen->cgid);
	CHECK_EQ(want->mode, seen->mode);
	CHECK_EQ(want->__seq, seen->__seq);
}

static struct shmid_ds shm_stat(int id)
{
	struct shmid_ds ds;

	memset(&ds, 0, sizeof(ds));
	CHECK_EQ(0, shmctl(id, IPC_STAT, &ds));
	return ds;
}

/* As it was, in every respect. */
static void check_shm(int id, const struct shmid_ds *want)
{
	struct shmid_ds seen = shm_stat(id);

	check_perm(&want->shm_perm, &seen.shm_perm);
	CHECK_EQ(want->shm_segsz, seen.shm_segsz);
	CHECK_EQ(want->shm_nattch, seen.shm_nattch);
	CHECK_EQ(want->shm_cpid, seen.shm_cpid);
	CHECK_EQ(want->shm_lpid, seen.shm_lpid);
	CHECK_EQ(want->shm_atime, seen.shm_atime);
	CHECK_EQ(want->shm_dtime, seen.shm_dtime);
	CHECK_EQ(want->shm_ctime, seen.shm_ctime);
}

static void check_sem(int id, const struct semid_ds *want)
{
	struct semid_ds seen;

	CHECK_EQ(0, semctl(id, 0, IPC_STAT, (union semun) { .buf = &seen }));
	check_perm(&want->sem_perm, &seen.sem_perm);
	CHECK_EQ(want->sem_otime, seen.sem_otime);
	CHECK_EQ(want->sem_ctime, seen.sem_ctime);
	CHECK_EQ(want->sem_nsems, seen.sem_nsems);
}

static void check_msg(int id, const struct msqid_ds *want)
{
	struct msqid_ds seen;

	CHECK_EQ(0, msgctl(id, IPC_STAT, &seen));
	check_perm(&want->msg_perm, &seen.msg_perm);
	CHECK_EQ(want->msg_stime, seen.msg_stime);
	CHECK_EQ(want->msg_rtime, seen.msg_rtime);
	CHECK_EQ(want->msg_ctime, seen.msg_ctime);
	CHECK_EQ(want->msg_qnum, seen.msg_qnum);
	CHECK_EQ(want->__msg_cbytes, seen.__msg_cbytes);
	CHECK_EQ(want->msg_qbytes, seen.msg_qbytes);
	CHECK_EQ(want->msg_lspid, seen.msg_lspid);
	CHECK_EQ(want->msg_lrpid, seen.msg_lrpid);
}

/* The line of /proc/self/maps about an address, from its protection on. */
static void map_line(const void *addr, char *buf, size_t size)
{
	static char text[1 << 16];
	char head[32], *line;

	CHECK(ckpt_slurp("/proc/self/maps", text, sizeof(text)) > 0);
	snprintf(head, sizeof(head), "\n%lx-", (unsigned long)addr);
	line = strstr(text, head);
	CHECK(line);
	line++;
	snprintf(buf, size, "%.*s", (int)strcspn(line, "\n"), line);
}

static int sem_do(int id, int nr, int op, int flags)
{
	struct sembuf sop = { .sem_num = nr, .sem_op = op, .sem_flg = flags };

	return semop(id, &sop, 1);
}

static int *board;

static void wait_for(int *word, int value)
{
	while (READ_ONCE(*word) != value)
		ckpt_sleep_ms(5);
}

/* ---- shared memory ---- */

#define SIZE	(3 * PAGE + 100)

SUBJECT(shm_attached)
{
	char line[2][256], after[256], *rw, *ro, *ex;
	struct shmid_ds ds;
	int id, other;

	id = shmget(KEY, SIZE, IPC_CREAT | IPC_EXCL | 0640);
	CHECK(id >= 0);
	rw = shmat(id, NULL, 0);
	ro = shmat(id, NULL, SHM_RDONLY);
	CHECK(rw != (void *)-1 && ro != (void *)-1);
	/* beyond the end, too; and the second page is never touched */
	fill(rw, PAGE, 3);
	fill(rw + 2 * PAGE, 2 * PAGE, 5);
	/* nothing beyond the end, or anywhere; and code */
	other = shmget(IPC_PRIVATE, 5, 0700);
	ex = shmat(other, NULL, SHM_EXEC);
	CHECK(ex != (void *)-1);
	memcpy(ex, "\xb8\x2a\0\0\0", 5);	/* mov $42, %eax; */
	ex[5] = '\xc3';				/* ret */
	map_line(rw, line[0], sizeof(line[0]));
	map_line(ro, line[1], sizeof(line[1]));
	next_second();
	CHECK_EQ(0, shmdt(shmat(id, NULL, 0)));
	ds = shm_stat(id);
	CHECK_EQ(2, ds.shm_nattch);
	ds.shm_perm.mode = 0600;
	ds.shm_perm.uid = 1234;
	ds.shm_perm.gid = 5678;
	CHECK_EQ(0, shmctl(id, IPC_SET, &ds));
	next_second();
	ds = shm_stat(id);
	CHECK_EQ(1234, ds.shm_perm.uid);

	subject_point();
	check_shm(id, &ds);
	CHECK_EQ(id, shmget(KEY, SIZE, 0600));
	check_fill(rw, PAGE, 3);
	check_zero(rw + PAGE, PAGE);
	check_fill(rw + 2 * PAGE, 2 * PAGE, 5);
	CHECK_MEM(rw, ro, 4 * PAGE);
	CHECK_EQ(42, ((int (*)(void))ex)());
	rw[7] = 77;
	CHECK_EQ(77, ro[7]);
	CHECK_EQ(-1, mprotect(ro, PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(EACCES, errno);
	map_line(rw, after, sizeof(after));
	CHECK(!strcmp(line[0], after));
	map_line(ro, after, sizeof(after));
	CHECK(!strcmp(line[1], after));
	CHECK_EQ(0, shmdt(ro));
	CHECK_EQ(1, shm_stat(id).shm_nattch);
	CHECK_EQ(getpid(), shm_stat(id).shm_lpid);
	CHECK(shm_stat(id).shm_dtime > ds.shm_dtime);
	CHECK_EQ(0, shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(0, shmctl(other, IPC_RMID, NULL));
	CHECK_EQ(0, shmdt(rw));
	CHECK_EQ(0, shmdt(ex));
	CHECK_EQ(-1, shmctl(id, IPC_STAT, &ds));
	CHECK_EQ(-1, shmctl(other, IPC_STAT, &ds));
}

/* Removed, with a new one by the same key. Removal is complete in the end. */
SUBJECT(shm_removed)
{
	char line[256], after[256], *old, *new;
	struct shmid_ds ds, new_ds;
	int id, new_id;

	id = shmget(KEY, 2 * PAGE, IPC_CREAT | IPC_EXCL | 0600);
	old = shmat(id, NULL, 0);
	fill(old, 2 * PAGE, 9);
	CHECK_EQ(0, shmctl(id, IPC_RMID, NULL));
	new_id = shmget(KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(new_id >= 0 && new_id != id);
	new = shmat(new_id, NULL, 0);
	fill(new, PAGE, 17);
	ds = shm_stat(id);
	new_ds = shm_stat(new_id);
	CHECK_EQ(IPC_PRIVATE, ds.shm_perm.__key);
	CHECK(ds.shm_perm.mode & SHM_DEST);
	map_line(old, line, sizeof(line));

	subject_point();
	check_shm(id, &ds);
	check_shm(new_id, &new_ds);
	check_fill(old, 2 * PAGE, 9);
	check_fill(new, PAGE, 17);
	map_line(old, after, sizeof(after));
	CHECK(!strcmp(line, after));
	CHECK_EQ(new_id, shmget(KEY, 0, 0));
	CHECK_EQ(0, shmdt(old));
	CHECK_EQ(-1, shmctl(id, IPC_STAT, &ds));
	CHECK_EQ(0, shmctl(new_id, IPC_RMID, NULL));
	CHECK_EQ(0, shmdt(new));
}

/* What is left of an attachment, in pieces, two of which look like one. */
SUBJECT(shm_pieces)
{
	struct shmid_ds ds;
	char *p, *moved;
	int id;

	id = shmget(IPC_PRIVATE, 10 * PAGE, 0600);
	p = shmat(id, NULL, 0);
	fill(p, 10 * PAGE, 1);
	CHECK_EQ(0, mprotect(p + PAGE, PAGE, PROT_READ));
	CHECK_EQ(0, mprotect(p + 3 * PAGE, PAGE, PROT_READ));
	CHECK_EQ(0, mprotect(p + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE));
	moved = mremap(p + 9 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0));
	CHECK(moved != MAP_FAILED);
	CHECK_EQ(0, munmap(p + 6 * PAGE, PAGE));
	ds = shm_stat(id);
	CHECK_EQ(7, ds.shm_nattch);

	subject_point();
	check_shm(id, &ds);
	check_fill(p, 6 * PAGE, 1);
	CHECK_EQ((char)((1 + 7 * PAGE * 7 + 7) | 1), p[7 * PAGE]);
	CHECK_EQ((char)((1 + 9 * PAGE * 7 + 9) | 1), moved[0]);
	p[3 * PAGE] = 4;
	CHECK_EQ(0, mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
	p[PAGE] = 4;
	CHECK_EQ(-1, msync(p + 6 * PAGE, PAGE, MS_ASYNC));
	/* it knows all of the pieces but that which was moved */
	CHECK_EQ(0, shmdt(p));
	CHECK_EQ(-1, msync(p, PAGE, MS_ASYNC));
	CHECK_EQ(-1, msync(p + 3 * PAGE, PAGE, MS_ASYNC));
	CHECK_EQ(-1, msync(p + 8 * PAGE, PAGE, MS_ASYNC));
	CHECK_EQ(1, shm_stat(id).shm_nattch);
	CHECK_EQ(0, munmap(moved, PAGE));
	CHECK_EQ(0, shmctl(id, IPC_RMID, NULL));
}

/* Parent and child have it at addresses of their own, and one that they share. */
SUBJECT(shm_shared)
{
	struct shmid_ds ds;
	int *a, *b;
	pid_t child;
	int id;

	id = shmget(IPC_PRIVATE, PAGE, 0600);
	a = shmat(id, NULL, 0);
	a[0] = 1;
	child = fork();
	if (!child) {
		b = shmat(id, NULL, 0);
		CHECK(b != a);
		b[0] = 2;
		wait_for(&b[1], 5);
		CHECK_EQ(5, a[1]);
		CHECK_EQ(0, shmdt(a));
		b[0] = 3;
		wait_for(&b[1], 6);
		_exit(0);
	}
	wait_for(&a[0], 2);
	ds = shm_stat(id);
	CHECK_EQ(3, ds.shm_nattch);
	CHECK_EQ(child, ds.shm_lpid);
	subject_point();
	check_shm(id, &ds);
	a[1] = 5;
	wait_for(&a[0], 3);
	CHECK_EQ(2, shm_stat(id).shm_nattch);
	a[1] = 6;
	subject_join(child);
	CHECK_EQ(1, shm_stat(id).shm_nattch);
	CHECK_EQ(0, shmctl(id, IPC_RMID, NULL));
}

/* Attached by nobody. One was made by a child that is gone, and used by us. */
SUBJECT(shm_detached)
{
	struct shmid_ds ds, used_ds;
	pid_t child;
	int id, used;
	char *p;

	id = shmget(KEY, 5 * PAGE, IPC_CREAT | IPC_EXCL | SHM_NORESERVE | 0600);
	child = fork();
	if (!child) {
		p = shmat(id, NULL, 0);
		fill(p + PAGE, PAGE, 33);
		used = shmget(OTHER_KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600);
		_exit(used < 0);
	}
	subject_join(child);
	used = shmget(OTHER_KEY, 0, 0);
	p = shmat(used, NULL, 0);
	memcpy(p, "used", sizeof("used"));
	CHECK_EQ(0, shmdt(p));
	ds = shm_stat(id);
	used_ds = shm_stat(used);
	CHECK_EQ(child, ds.shm_lpid);
	CHECK_EQ(child, used_ds.shm_cpid);

	subject_point();
	check_shm(id, &ds);
	check_shm(used, &used_ds);
	CHECK_EQ(used, shmget(OTHER_KEY, 0, 0));
	p = shmat(id, NULL, 0);
	check_zero(p, PAGE);
	check_fill(p + PAGE, PAGE, 33);
	check_zero(p + 2 * PAGE, 3 * PAGE);
	CHECK_EQ(0, shmdt(p));
	p = shmat(used, NULL, 0);
	CHECK(!strcmp(p, "used"));
	CHECK_EQ(0, shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(0, shmctl(used, IPC_RMID, NULL));
}

SUBJECT(shm_locked)
{
	struct shmid_ds ds;
	int id;
	char *p;

	id = shmget(KEY, 3 * PAGE, IPC_CREAT | IPC_EXCL | 0600);
	p = shmat(id, NULL, 0);
	fill(p, PAGE, 2);
	CHECK_EQ(0, shmctl(id, SHM_LOCK, NULL));
	ds = shm_stat(id);
	CHECK(ds.shm_perm.mode & SHM_LOCKED);
	subject_point();
	check_shm(id, &ds);
	check_fill(p, PAGE, 2);
	CHECK_EQ(0, shmctl(id, SHM_UNLOCK, NULL));
	CHECK(!(shm_stat(id).shm_perm.mode & SHM_LOCKED));
	CHECK_EQ(0, shmctl(id, IPC_RMID, NULL));
}

/* With kernel.shm_rmid_forced: a segment lives as long as its creator. */
SUBJECT(shm_forced)
{
	int own, id, status;
	struct shmid_ds ds;
	pid_t child;

	own = shmget(IPC_PRIVATE, PAGE, 0600);
	board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child = fork();
	if (!child) {
		board[1] = shmget(OTHER_KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600);
		board[0] = 1;
		wait_for(&board[0], 2);
		_exit(0);
	}
	wait_for(&board[0], 1);
	id = board[1];
	CHECK(id >= 0);
	subject_point();
	CHECK_EQ(0, shmctl(id, IPC_STAT, &ds));
	CHECK_EQ(child, ds.shm_cpid);
	board[0] = 2;
	CHECK_EQ(child, waitpid(child, &status, 0));
	CHECK_EQ(-1, shmctl(id, IPC_STAT, &ds));
	/* this one goes away with us: the fixture looks for it */
	CHECK_EQ(0, shmctl(own, IPC_STAT, &ds));
}

/* Of another user. */
SUBJECT(all_of_a_user)
{
	struct msqid_ds msg_ds;
	struct semid_ds sem_ds;
	struct shmid_ds ds;
	int shm, sem, msg;
	char *p;

	shm = shmget(KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600);
	sem = semget(KEY, 1, IPC_CREAT | IPC_EXCL | 0600);
	msg = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
	p = shmat(shm, NULL, 0);
	memcpy(p, "mine", sizeof("mine"));
	ds = shm_stat(shm);
	CHECK_EQ(getuid(), ds.shm_perm.cuid);
	CHECK(getuid());
	CHECK_EQ(0, semctl(sem, 0, IPC_STAT, (union semun) { .buf = &sem_ds }));
	CHECK_EQ(0, msgctl(msg, IPC_STAT, &msg_ds));
	subject_point();
	check_shm(shm, &ds);
	check_sem(sem, &sem_ds);
	check_msg(msg, &msg_ds);
	CHECK(!strcmp(p, "mine"));
	CHECK_EQ(0, shmctl(shm, IPC_RMID, NULL));
	CHECK_EQ(0, semctl(sem, 0, IPC_RMID));
	CHECK_EQ(0, msgctl(msg, IPC_RMID, NULL));
}

/* ---- semaphores ---- */

SUBJECT(sem_values)
{
	unsigned short values[300], seen[300];
	struct semid_ds ds;
	pid_t child;
	int id, i;

	id = semget(KEY, 300, IPC_CREAT | IPC_EXCL | 0640);
	CHECK(id >= 0);
	for (i = 0; i < 300; i++)
		values[i] = i * 109;
	CHECK_EQ(0, semctl(id, 0, SETALL, (union semun) { .array = values }));
	child = fork();
	if (!child)
		_exit(sem_do(id, 7, 1, 0) || sem_do(id, 299, -5, 0));
	subject_join(child);
	values[7]++;
	values[299] -= 5;
	next_second();
	CHECK_EQ(0, semctl(id, 0, IPC_STAT, (union semun) { .buf = &ds }));
	ds.sem_perm.uid = 99;
	CHECK_EQ(0, semctl(id, 0, IPC_SET, (union semun) { .buf = &ds }));
	next_second();
	CHECK_EQ(0, semctl(id, 0, IPC_STAT, (union semun) { .buf = &ds }));
	CHECK(ds.sem_otime && ds.sem_ctime > ds.sem_otime);

	subject_point();
	check_sem(id, &ds);
	CHECK_EQ(id, semget(KEY, 0, 0));
	CHECK_EQ(0, semctl(id, 0, GETALL, (union semun) { .array = seen }));
	for (i = 0; i < 300; i++) {
		CHECK_EQ(values[i], seen[i]);
		CHECK_EQ(i == 7 || i == 299 ? child : getpid(), semctl(id, i, GETPID));
		CHECK_EQ(0, semctl(id, i, GETNCNT));
	}
	CHECK_EQ(0, sem_do(id, 1, -109, IPC_NOWAIT));
	CHECK_EQ(-1, sem_do(id, 1, -1, IPC_NOWAIT));
	CHECK_EQ(EAGAIN, errno);
	CHECK_EQ(0, semctl(id, 0, IPC_RMID));
}

/* A set that nobody has touched yet. */
SUBJECT(sem_untouched)
{
	struct semid_ds ds;
	int id;

	id = semget(IPC_PRIVATE, 2, 0600);
	CHECK_EQ(0, semctl(id, 0, IPC_STAT, (union semun) { .buf = &ds }));
	subject_point();
	check_sem(id, &ds);
	CHECK_EQ(0, semctl(id, 0, GETVAL));
	CHECK_EQ(0, semctl(id, 0, GETPID));
	CHECK_EQ(0, semctl(id, 0, IPC_RMID));
}

static int shares_undo(void *arg)
{
	int *ids = arg;

	CHECK_EQ(0, sem_do(ids[0], 1, -20, SEM_UNDO));
	board[0] = 1;
	wait_for(&board[1], 1);
	_exit(0);
}

/*
 * Two processes share a list, one has its own. Each is undone when the last is
 * gone that has it, and not before.
 */
SUBJECT(sem_undo)
{
	static alignas(16) char stack[65536];
	pid_t sharing, own, third;
	int ids[2];

	board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ids[0] = semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600);
	ids[1] = semget(IPC_PRIVATE, 1, 0600);
	CHECK_EQ(0, semctl(ids[0], 1, SETVAL, (union semun) { .val = 100 }));
	own = fork();
	if (!own) {
		CHECK_EQ(0, sem_do(ids[0], 2, 32767, SEM_UNDO));
		CHECK_EQ(0, sem_do(ids[0], 0, 7, SEM_UNDO));
		CHECK_EQ(0, sem_do(ids[0], 0, -3, SEM_UNDO));
		CHECK_EQ(0, sem_do(ids[1], 0, 9, SEM_UNDO));
		board[2] = 1;
		wait_for(&board[3], 1);
		_exit(0);
	}
	wait_for(&board[2], 1);
	third = fork();
	if (!third) {
		sharing = clone(shares_undo, stack + sizeof(stack),
				CLONE_SYSVSEM | SIGCHLD, ids);
		CHECK(sharing > 0);
		wait_for(&board[0], 1);
		CHECK_EQ(0, sem_do(ids[0], 1, -3, SEM_UNDO));
		board[4] = 1;
		subject_join(sharing);
		board[4] = 2;
		wait_for(&board[5], 1);
		_exit(0);
	}
	wait_for(&board[4], 1);
	CHECK_EQ(4, semctl(ids[0], 0, GETVAL));
	CHECK_EQ(77, semctl(ids[0], 1, GETVAL));
	subject_point();
	CHECK_EQ(4, semctl(ids[0], 0, GETVAL));
	CHECK_EQ(77, semctl(ids[0], 1, GETVAL));
	CHECK_EQ(32767, semctl(ids[0], 2, GETVAL));
	CHECK_EQ(9, semctl(ids[1], 0, GETVAL));
	board[3] = 1;
	subject_join(own);
	CHECK_EQ(0, semctl(ids[0], 0, GETVAL));
	CHECK_EQ(0, semctl(ids[0], 2, GETVAL));
	CHECK_EQ(0, semctl(ids[1], 0, GETVAL));
	CHECK_EQ(77, semctl(ids[0], 1, GETVAL));
	board[1] = 1;
	wait_for(&board[4], 2);
	/* one of the two still is there */
	CHECK_EQ(77, semctl(ids[0], 1, GETVAL));
	board[5] = 1;
	subject_join(third);
	CHECK_EQ(100, semctl(ids[0], 1, GETVAL));
	CHECK_EQ(0, semctl(ids[0], 0, IPC_RMID));
	CHECK_EQ(0, semctl(ids[1], 0, IPC_RMID));
}

/* Two wait, with SEM_UNDO, for a set that a process has made which is gone. */
SUBJECT(sem_sleepers)
{
	struct timespec forever = { .tv_sec = CKPT_PATIENCE * 2 };
	struct sembuf ops[2] = {
		{ .sem_num = 0, .sem_op = -1, .sem_flg = SEM_UNDO },
		{ .sem_num = 1, .sem_op = -1, .sem_flg = SEM_UNDO },
	};
	pid_t maker, children[2];
	int id, i;

	maker = fork();
	if (!maker) {
		id = semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600);
		_exit(semctl(id, 2, SETVAL, (union semun) { .val = 5 }));
	}
	subject_join(maker);
	id = semget(KEY, 0, 0);
	for (i = 0; i < 2; i++) {
		children[i] = fork();
		if (!children[i]) {
			if (i)
				CHECK_EQ(0, semtimedop(id, ops, 2, &forever));
			else
				CHECK_EQ(0, semop(id, ops, 1));
			_exit(0);
		}
	}
	while (semctl(id, 0, GETNCNT) < 2)
		ckpt_sleep_ms(5);
	subject_point();
	while (semctl(id, 0, GETNCNT) < 2)
		ckpt_sleep_ms(5);
	CHECK_EQ(5, semctl(id, 2, GETVAL));
	CHECK_EQ(maker, semctl(id, 2, GETPID));
	CHECK_EQ(0, sem_do(id, 1, 1, 0));
	CHECK_EQ(0, sem_do(id, 0, 1, 0));
	/* what the first gives back is for the second, which gives it back, too */
	subject_join(children[0]);
	subject_join(children[1]);
	CHECK_EQ(1, semctl(id, 0, GETVAL));
	CHECK_EQ(1, semctl(id, 1, GETVAL));
	CHECK_EQ(0, semctl(id, 0, IPC_RMID));
}

/* ---- message queues ---- */

struct message {
	long type;
	char text[8192];
};

static const struct {
	long	type;
	size_t	len;
} messages[] = {
	{ 3, 0 }, { 1, 1 }, { 0x7fffffffffffL, 8192 }, { 3, 100 }, { 2, 4100 },
	{ 1, 7 },
};

static void receive(int id, long type, int nr)
{
	static struct message m;

	CHECK_EQ(messages[nr].len, msgrcv(id, &m, sizeof(m.text), type, IPC_NOWAIT));
	CHECK_EQ(messages[nr].type, m.type);
	check_fill(m.text, messages[nr].len, nr + 50);
}

SUBJECT(msg_queue)
{
	static struct message m;
	struct msqid_ds ds;
	pid_t child;
	int id, i;

	id = msgget(KEY, IPC_CREAT | IPC_EXCL | 0620);
	CHECK(id >= 0);
	m.type = 99;
	CHECK_EQ(0, msgsnd(id, &m, 3, 0));
	child = fork();
	if (!child)
		_exit(msgrcv(id, &m, 10, 0, 0) != 3);
	subject_join(child);
	for (i = 0; i < (int)ARRAY_SIZE(messages); i++) {
		m.type = messages[i].type;
		fill(m.text, messages[i].len, i + 50);
		CHECK_EQ(0, msgsnd(id, &m, messages[i].len, IPC_NOWAIT));
	}
	next_second();
	CHECK_EQ(0, msgctl(id, IPC_STAT, &ds));
	ds.msg_perm.gid = 4321;
	/* less than what it has in it */
	ds.msg_qbytes = 5000;
	CHECK_EQ(0, msgctl(id, IPC_SET, &ds));
	next_second();
	CHECK_EQ(0, msgctl(id, IPC_STAT, &ds));
	CHECK_EQ(5000, ds.msg_qbytes);
	CHECK_EQ(ARRAY_SIZE(messages), ds.msg_qnum);
	CHECK_EQ(child, ds.msg_lrpid);
	CHECK_EQ(getpid(), ds.msg_lspid);

	subject_point();
	check_msg(id, &ds);
	CHECK_EQ(id, msgget(KEY, 0));
	m.type = 1;
	CHECK_EQ(-1, msgsnd(id, &m, 1, IPC_NOWAIT));
	CHECK_EQ(EAGAIN, errno);
	receive(id, 3, 0);
	receive(id, -2, 1);
	receive(id, 0, 2);
	receive(id, 2, 4);
	receive(id, 0, 3);
	receive(id, 0, 5);
	CHECK_EQ(-1, msgrcv(id, &m, sizeof(m.text), 0, IPC_NOWAIT));
	CHECK_EQ(ENOMSG, errno);
	CHECK_EQ(0, msgsnd(id, &m, 5000, IPC_NOWAIT));
	CHECK_EQ(0, msgctl(id, IPC_RMID, NULL));
}

/* Empty, and never used; its creator is known all the same. */
SUBJECT(msg_untouched)
{
	struct msqid_ds ds;
	int id;

	id = msgget(IPC_PRIVATE, 0600);
	CHECK_EQ(0, msgctl(id, IPC_STAT, &ds));
	subject_point();
	check_msg(id, &ds);
	CHECK_EQ(0, msgctl(id, IPC_RMID, NULL));
}

/* One waits for a message, one for room. */
SUBJECT(msg_sleepers)
{
	static struct message m;
	pid_t receiver, sender;
	struct msqid_ds ds;
	int id;

	id = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
	CHECK_EQ(0, msgctl(id, IPC_STAT, &ds));
	ds.msg_qbytes = 100;
	CHECK_EQ(0, msgctl(id, IPC_SET, &ds));
	m.type = 1;
	memset(m.text, 'a', 100);
	CHECK_EQ(0, msgsnd(id, &m, 100, 0));
	receiver = fork();
	if (!receiver) {
		CHECK_EQ(9, msgrcv(id, &m, 100, 5, 0));
		CHECK(!memcmp(m.text, "for five!", 9));
		_exit(0);
	}
	sender = fork();
	if (!sender) {
		m.type = 5;
		memcpy(m.text, "for five!", 9);
		_exit(msgsnd(id, &m, 9, 0));
	}
	ckpt_sleep_ms(200);
	subject_point();
	CHECK_EQ(0, msgctl(id, IPC_STAT, &ds));
	CHECK_EQ(1, ds.msg_qnum);
	CHECK_EQ(0, waitpid(receiver, NULL, WNOHANG));
	CHECK_EQ(0, waitpid(sender, NULL, WNOHANG));
	CHECK_EQ(100, msgrcv(id, &m, 100, 1, 0));
	CHECK_EQ('a', m.text[99]);
	subject_join(sender);
	subject_join(receiver);
	CHECK_EQ(0, msgctl(id, IPC_STAT, &ds));
	CHECK_EQ(sender, ds.msg_lspid);
	CHECK_EQ(receiver, ds.msg_lrpid);
	CHECK_EQ(0, msgctl(id, IPC_RMID, NULL));
}

/* ---- round trips ---- */

static void remove_all(void)
{
	struct shmid_ds ds;
	struct semid_ds sds;
	struct msqid_ds mds;
	int i, id;

	for (i = 0; i < 128; i++) {
		id = shmctl(i, SHM_STAT, &ds);
		if (id >= 0)
			shmctl(id, IPC_RMID, NULL);
		id = semctl(i, 0, SEM_STAT, (union semun) { .buf = &sds });
		if (id >= 0)
			semctl(id, 0, IPC_RMID);
		id = msgctl(i, MSG_STAT, &mds);
		if (id >= 0)
			msgctl(id, IPC_RMID, NULL);
	}
}

static int nr_objects(void)
{
	struct shmid_ds ds;
	struct semid_ds sds;
	struct msqid_ds mds;
	int i, nr = 0;

	for (i = 0; i < 128; i++) {
		nr += shmctl(i, SHM_STAT, &ds) >= 0;
		nr += semctl(i, 0, SEM_STAT, (union semun) { .buf = &sds }) >= 0;
		nr += msgctl(i, MSG_STAT, &mds) >= 0;
	}
	return nr;
}

FIXTURE(sysvipc) { };
FIXTURE_VARIANT(sysvipc)
{
	struct ckpt_how how;
};

FIXTURE_SETUP(sysvipc)
{
	ASSERT_TRUE(ckpt_supported()) {
		TH_LOG("kernel has no checkpoint()");
	}
	remove_all();
}

FIXTURE_TEARDOWN(sysvipc)
{
	/* subjects remove what they make */
	EXPECT_EQ(0, nr_objects());
	remove_all();
}

CKPT_VARIANTS(sysvipc);

CKPT_ROUNDTRIP(sysvipc, shm_attached);
CKPT_ROUNDTRIP(sysvipc, shm_removed);
CKPT_ROUNDTRIP(sysvipc, shm_pieces);
CKPT_ROUNDTRIP(sysvipc, shm_shared);
CKPT_ROUNDTRIP(sysvipc, shm_detached);
CKPT_ROUNDTRIP(sysvipc, shm_locked);
CKPT_ROUNDTRIP(sysvipc, sem_values);
CKPT_ROUNDTRIP(sysvipc, sem_untouched);
CKPT_ROUNDTRIP(sysvipc, sem_undo);
CKPT_ROUNDTRIP(sysvipc, sem_sleepers);
CKPT_ROUNDTRIP(sysvipc, msg_queue);
CKPT_ROUNDTRIP(sysvipc, msg_untouched);
CKPT_ROUNDTRIP(sysvipc, msg_sleepers);

TEST_F_TIMEOUT(sysvipc, all_of_a_user, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	/* it could not checkpoint and restart itself */
	if (variant->how.target == CKPT_SELF)
		return;
	ckpt_init(&run, &variant->how);
	run.uid = 1000;
	ASSERT_EQ(0, ckpt_roundtrip_run("all_of_a_user", &run));
}

static int set_rmid_forced(const char *value)
{
	int fd = open("/proc/sys/kernel/shm_rmid_forced", O_WRONLY | O_CLOEXEC);
	int ret = write(fd, value, 1) == 1 ? 0 : -1;

	close(fd);
	return ret;
}

TEST_F_TIMEOUT(sysvipc, shm_forced, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, set_rmid_forced("1"));
	EXPECT_EQ(0, ckpt_roundtrip("shm_forced", &variant->how));
	ASSERT_EQ(0, set_rmid_forced("0"));
}

/* Nothing is there any more, as after a boot. */
TEST_F_TIMEOUT(sysvipc, made_anew, CKPT_TIMEOUT)
{
	static const char * const subjects[] = {
		"shm_attached", "shm_removed", "shm_pieces", "shm_detached",
		"shm_locked", "sem_values", "sem_untouched", "sem_undo",
		"sem_sleepers", "msg_queue", "msg_untouched", "msg_sleepers",
	};
	struct ckpt_run run;
	unsigned int i;

	if (!variant->how.kill || variant->how.target == CKPT_SELF)
		return;
	for (i = 0; i < ARRAY_SIZE(subjects); i++) {
		ckpt_init(&run, &variant->how);
		ASSERT_EQ(0, ckpt_start(&run, subjects[i]));
		ASSERT_EQ(0, ckpt_checkpoint(&run));
		remove_all();
		ASSERT_EQ(0, nr_objects());
		run.pid = 0;
		EXPECT_LT(0, ckpt_restart(&run)) {
			TH_LOG("%s", subjects[i]);
			ckpt_print(&run, "log");
		}
		EXPECT_EQ(0, ckpt_finish(&run)) {
			TH_LOG("%s", subjects[i]);
		}
		ASSERT_EQ(0, ckpt_cleanup(&run));
		EXPECT_EQ(0, nr_objects());
	}
}

/* ---- what is in the way ---- */

FIXTURE(obstacle)
{
	struct ckpt_run run;
};

FIXTURE_SETUP(obstacle)
{
	ASSERT_TRUE(ckpt_supported()) {
		TH_LOG("kernel has no checkpoint()");
	}
	remove_all();
	ckpt_init(&self->run, &(struct ckpt_how) { .kill = true });
}

FIXTURE_TEARDOWN(obstacle)
{
	EXPECT_EQ(0, ckpt_cleanup(&self->run));
	remove_all();
}

static int begin(struct ckpt_run *run, const char *subject)
{
	int ret = ckpt_start(run, subject) ?: ckpt_checkpoint(run);

	run->pid = 0;
	return ret;
}

/* One of each. */
SUBJECT(simple)
{
	struct sembuf op = { .sem_op = 2, .sem_flg = SEM_UNDO };
	int shm, sem, msg;
	struct message m = { .type = 4, .text = "text" };
	char *p;

	shm = shmget(KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600);
	p = shmat(shm, NULL, 0);
	memcpy(p, "image", sizeof("image"));
	sem = semget(KEY, 2, IPC_CREAT | IPC_EXCL | 0600);
	CHECK_EQ(0, semop(sem, &op, 1));
	msg = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
	CHECK_EQ(0, msgsnd(msg, &m, 5, 0));
	subject_point();
	CHECK(!strcmp(p, "image"));
	CHECK_EQ(2, semctl(sem, 0, GETVAL));
	CHECK_EQ(5, msgrcv(msg, &m, 5, 4, IPC_NOWAIT));
	CHECK_EQ(0, shmctl(shm, IPC_RMID, NULL));
	CHECK_EQ(0, semctl(sem, 0, IPC_RMID));
	CHECK_EQ(0, msgctl(msg, IPC_RMID, NULL));
}

/* What has the key is another one. */
TEST_F_TIMEOUT(obstacle, keys, CKPT_TIMEOUT)
{
	int id;

	ASSERT_EQ(0, begin(&self->run, "simple"));
	remove_all();
	id = shmget(KEY, 2 * PAGE, IPC_CREAT | 0600);
	ASSERT_LE(0, id);
	EXPECT_EQ(-EEXIST, ckpt_restart(&self->run));
	EXPECT_LE(1, ckpt_log_has(&self->run, "key"));
	EXPECT_EQ(1, nr_objects());
	shmctl(id, IPC_RMID, NULL);
	id = semget(KEY, 1, IPC_CREAT | 0600);
	ASSERT_LE(0, id);
	EXPECT_EQ(-EEXIST, ckpt_restart(&self->run));
	EXPECT_EQ(1, nr_objects());
	semctl(id, 0, IPC_RMID);
	id = msgget(KEY, IPC_CREAT | 0600);
	ASSERT_LE(0, id);
	EXPECT_EQ(-EEXIST, ckpt_restart(&self->run));
	EXPECT_EQ(1, nr_objects());
	msgctl(id, IPC_RMID, NULL);
	ASSERT_LT(0, ckpt_restart(&self->run)) ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
	EXPECT_EQ(0, nr_objects());
}

/* It is the same one, but somebody has it attached. */
TEST_F_TIMEOUT(obstacle, in_use, CKPT_TIMEOUT)
{
	char *p;

	ASSERT_EQ(0, begin(&self->run, "simple"));
	p = shmat(shmget(KEY, 0, 0), NULL, 0);
	ASSERT_NE((void *)-1, p);
	EXPECT_EQ(0, strcmp(p, "image"));
	EXPECT_EQ(-EEXIST, ckpt_restart(&self->run));
	EXPECT_EQ(3, nr_objects());
	memcpy(p, "changed", sizeof("changed"));
	EXPECT_EQ(0, shmdt(p));
	ASSERT_LT(0, ckpt_restart(&self->run)) ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
}

/* A machine that allows for less. */
TEST_F_TIMEOUT(obstacle, limits, CKPT_TIMEOUT)
{
	static const struct {
		const char *path;
		const char *text;
	} limits[] = {
		{ "/proc/sys/kernel/shmmax", "4095" },
		{ "/proc/sys/kernel/shmall", "0" },
		{ "/proc/sys/kernel/shmmni", "0" },
		{ "/proc/sys/kernel/sem", "1 32000 32 128" },
		{ "/proc/sys/kernel/sem", "32000 1 32 128" },
		{ "/proc/sys/kernel/sem", "32000 32000 32 0" },
		{ "/proc/sys/kernel/msgmni", "0" },
		{ "/proc/sys/kernel/msgmax", "4" },
	};
	char was[64];
	unsigned int i;
	ssize_t len;
	int fd;

	ASSERT_EQ(0, begin(&self->run, "simple"));
	remove_all();
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		len = ckpt_slurp(limits[i].path, was, sizeof(was));
		ASSERT_LT(0, len);
		fd = open(limits[i].path, O_WRONLY | O_CLOEXEC);
		ASSERT_LT(0, write(fd, limits[i].text, strlen(limits[i].text)));
		EXPECT_EQ(-ENOSPC, ckpt_restart(&self->run)) {
			TH_LOG("%s %s", limits[i].path, limits[i].text);
			ckpt_print(&self->run, "log");
		}
		ASSERT_EQ(len, pwrite(fd, was, len, 0));
		close(fd);
		EXPECT_EQ(0, nr_objects());
	}
	ASSERT_LT(0, ckpt_restart(&self->run)) ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
}

/* A restart that fails in the end changes nothing, and leaves nothing behind. */
TEST_F_TIMEOUT(obstacle, fails_late, CKPT_TIMEOUT)
{
	struct shmid_ds ds, after;
	struct message m;
	int fd, shm, sem, msg, round;
	struct stat st;
	char *p, last[8];

	ASSERT_EQ(0, begin(&self->run, "simple"));
	shm = shmget(KEY, 0, 0);
	sem = semget(KEY, 0, 0);
	msg = msgget(KEY, 0);
	p = shmat(shm, NULL, 0);
	ASSERT_NE((void *)-1, p);
	memcpy(p, "changed", sizeof("changed"));
	shmdt(p);
	EXPECT_EQ(0, semctl(sem, 0, SETVAL, (union semun) { .val = 77 }));
	EXPECT_EQ(5, msgrcv(msg, &m, 5, 0, 0));
	EXPECT_EQ(0, shmctl(shm, SHM_LOCK, NULL));
	EXPECT_EQ(0, shmctl(shm, IPC_STAT, &ds));
	next_second();

	fd = ckpt_open(&self->run, "image", O_RDWR);
	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_EQ(8, pread(fd, last, 8, st.st_size - 8));
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, ftruncate(fd, st.st_size - 8));
		EXPECT_EQ(-EBADMSG, ckpt_restart(&self->run))
			ckpt_print(&self->run, "log");
		if (round) {
			EXPECT_EQ(0, nr_objects());
			break;
		}
		EXPECT_EQ(0, shmctl(shm, IPC_STAT, &after));
		EXPECT_EQ(0, memcmp(&ds.shm_perm, &after.shm_perm, sizeof(ds.shm_perm)));
		EXPECT_EQ(0, after.shm_nattch);
		EXPECT_EQ(ds.shm_lpid, after.shm_lpid);
		EXPECT_EQ(ds.shm_atime, after.shm_atime);
		EXPECT_EQ(ds.shm_dtime, after.shm_dtime);
		EXPECT_EQ(ds.shm_ctime, after.shm_ctime);
		EXPECT_EQ(77, semctl(sem, 0, GETVAL));
		EXPECT_EQ(-1, msgrcv(msg, &m, 5, 0, IPC_NOWAIT));
		p = shmat(shm, NULL, 0);
		EXPECT_EQ(0, strcmp(p, "changed"));
		shmdt(p);
		EXPECT_EQ(0, shmctl(shm, SHM_UNLOCK, NULL));
		remove_all();
	}
	ASSERT_EQ(8, pwrite(fd, last, 8, st.st_size - 8));
	close(fd);
	ASSERT_LT(0, ckpt_restart(&self->run)) ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
}

/* Reads an image from a pipe; returns its pid. */
static pid_t restarter(struct ckpt_run *run, int from, int unused)
{
	int log = ckpt_open(run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	pid_t pid = fork();

	if (!pid) {
		long ret;

		close(unused);
		ret = ckpt_restart_from(from, 0, log);
		_exit(ret < 0 ? -ret : 0);
	}
	close(log);
	return pid;
}

/*
 * Somebody comes while a segment is being restored: an ordinary user is told
 * that it may not, root gets what is there, and keeps it when the restart fails.
 */
TEST_F_TIMEOUT(obstacle, attached_meanwhile, CKPT_TIMEOUT)
{
	int fd, shm, status, fds[2];
	struct shmid_ds ds;
	struct stat st;
	char *image, *p;
	pid_t pid, user;

	ASSERT_EQ(0, begin(&self->run, "simple"));
	shm = shmget(KEY, 0, 0);
	ASSERT_EQ(0, shmctl(shm, IPC_STAT, &ds));
	ds.shm_perm.mode = 0666;
	ASSERT_EQ(0, shmctl(shm, IPC_SET, &ds));
	fd = ckpt_open(&self->run, "image", O_RDONLY);
	ASSERT_EQ(0, fstat(fd, &st));
	image = malloc(st.st_size);
	ASSERT_EQ(st.st_size, read(fd, image, st.st_size));
	close(fd);
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	pid = restarter(&self->run, fds[0], fds[1]);
	close(fds[0]);
	/* all but the end: everything is there, and nothing runs */
	ASSERT_EQ(st.st_size - 8, write(fds[1], image, st.st_size - 8));
	do {
		ckpt_sleep_ms(20);
		ASSERT_EQ(0, shmctl(shm, IPC_STAT, &ds));
	} while (!ds.shm_nattch);
	user = fork();
	if (!user) {
		if (setresuid(1000, 1000, 1000))
			_exit(1);
		_exit(shmat(shm, NULL, SHM_RDONLY) == (void *)-1 ? errno : 2);
	}
	ASSERT_EQ(user, waitpid(user, &status, 0));
	EXPECT_EQ(EACCES, WEXITSTATUS(status));
	p = shmat(shm, NULL, 0);
	ASSERT_NE((void *)-1, p);
	close(fds[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(EBADMSG, WEXITSTATUS(status)) ckpt_print(&self->run, "log");
	/* it can be passed on, and is counted */
	user = fork();
	if (!user)
		_exit(shmdt(p) ? errno : 0);
	ASSERT_EQ(user, waitpid(user, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, shmctl(shm, IPC_STAT, &ds));
	EXPECT_EQ(1, ds.shm_nattch);
	EXPECT_EQ(0666, ds.shm_perm.mode & 0777);
	EXPECT_EQ(0, shmdt(p));
	ASSERT_LT(0, ckpt_restart(&self->run)) ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
	free(image);
}

/* Objects that the target has nothing to do with stay as they are. */
TEST_F_TIMEOUT(obstacle, surroundings, CKPT_TIMEOUT)
{
	int id = semget(OTHER_KEY, 1, IPC_CREAT | 0600);

	ASSERT_LE(0, id);
	ASSERT_EQ(0, semctl(id, 0, SETVAL, (union semun) { .val = 3 }));
	ASSERT_EQ(0, begin(&self->run, "simple"));
	ASSERT_EQ(0, semctl(id, 0, SETVAL, (union semun) { .val = 4 }));
	ASSERT_LT(0, ckpt_restart(&self->run)) ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
	EXPECT_EQ(4, semctl(id, 0, GETVAL));
	EXPECT_EQ(1, nr_objects());
}

/* All who have had to do with it are gone. */
SUBJECT(orphaned)
{
	pid_t child = fork();
	int id;

	if (!child) {
		id = semget(OTHER_KEY, 1, IPC_CREAT | IPC_EXCL | 0600);
		_exit(semctl(id, 0, SETVAL, (union semun) { .val = 9 }));
	}
	subject_join(child);
	subject_point();
	id = semget(OTHER_KEY, 0, 0);
	CHECK_EQ(9, semctl(id, 0, GETVAL));
	CHECK_EQ(0, semctl(id, 0, IPC_RMID));
}

TEST_F_TIMEOUT(obstacle, orphaned, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, begin(&self->run, "orphaned"));
	EXPECT_LE(1, ckpt_log_has(&self->run, "stays behind"));
	ASSERT_LT(0, ckpt_restart(&self->run)) ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
}

/* In a namespace of their own, there is nobody else whose it could be. */
TEST_F_TIMEOUT(obstacle, own_namespace, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, unshare(CLONE_NEWIPC));
	ASSERT_EQ(0, begin(&self->run, "orphaned"));
	ASSERT_EQ(1, nr_objects());
	remove_all();
	ASSERT_LT(0, ckpt_restart(&self->run)) ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
	EXPECT_EQ(0, nr_objects());
}

/* ---- what is refused ---- */

static pid_t orphan;

/* Runs outside of the target, as it has lost its parent, until "go". */
static void outside(void (*fn)(int id), int id)
{
	pid_t pid;
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	pid = fork();
	if (!pid) {
		orphan = fork();
		if (orphan)
			_exit(write(fds[1], &orphan, sizeof(orphan)) != sizeof(orphan));
		close(fds[0]);
		close(fds[1]);
		fn(id);
		while (!subject_told("go"))
			ckpt_sleep_ms(5);
		_exit(0);
	}
	subject_join(pid);
	CHECK_EQ(sizeof(orphan), read(fds[0], &orphan, sizeof(orphan)));
	close(fds[0]);
	close(fds[1]);
	subject_wait("outside");
}

static void wait_for_outside(void)
{
	while (!kill(orphan, 0))
		ckpt_sleep_ms(5);
}

static void attaches(int id)
{
	shmat(id, NULL, 0);
	subject_touch("outside");
}

SUBJECT(shm_outside)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0600);
	char *p = shmat(id, NULL, 0);

	outside(attaches, id);
	subject_point();
	p[0] = 1;
	CHECK_EQ(0, shmctl(id, IPC_RMID, NULL));
	wait_for_outside();
}

static void changes(int id)
{
	sem_do(id, 0, 1, 0);
	subject_touch("outside");
}

SUBJECT(sem_outside)
{
	int id = semget(IPC_PRIVATE, 2, 0600);

	outside(changes, id);
	subject_point();
	CHECK_EQ(1, semctl(id, 0, GETVAL));
	CHECK_EQ(0, semctl(id, 0, IPC_RMID));
	wait_for_outside();
}

static void sends(int id)
{
	struct message m = { .type = 1 };

	msgsnd(id, &m, 1, 0);
	subject_touch("outside");
}

SUBJECT(msg_outside)
{
	int id = msgget(IPC_PRIVATE, 0600);

	outside(sends, id);
	subject_point();
	CHECK_EQ(0, msgctl(id, IPC_RMID, NULL));
	wait_for_outside();
}

static void waits(int id)
{
	struct message m;

	subject_touch("outside");
	msgrcv(id, &m, 1, 0, 0);
}

SUBJECT(msg_waits_outside)
{
	int id = msgget(IPC_PRIVATE, 0600);

	outside(waits, id);
	ckpt_sleep_ms(200);
	subject_point();
	CHECK_EQ(0, msgctl(id, IPC_RMID, NULL));
	wait_for_outside();
}

SUBJECT(shm_huge)
{
	int id = shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600);

	CHECK(id >= 0);
	subject_point();
	CHECK_EQ(0, shmctl(id, IPC_RMID, NULL));
}

SUBJECT(shm_of_other_namespace)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0600);
	char *p = shmat(id, NULL, 0);

	CHECK_EQ(0, shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(0, unshare(CLONE_NEWIPC));
	subject_point();
	p[0] = 1;
}

TEST_F_TIMEOUT(obstacle, other_namespace, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("shm_of_other_namespace", "another IPC namespace", "SYSV"));
}

/*
 * What the target has made, but its user must not read. It asks itself, as who
 * has more privileges might read all.
 */
static void ask(void)
{
	int log = subject_open("log", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC);
	long ret = ckpt_checkpoint_to(-1, -1, CHECKPOINT_DRY_RUN, log);

	close(log);
	subject_report("told", &ret, sizeof(ret));
	subject_ready();
	subject_wait("go");
}

SUBJECT(unreadable)
{
	int shm = shmget(IPC_PRIVATE, PAGE, 0200);
	int sem = semget(IPC_PRIVATE, 2, 0200);
	int msg = msgget(IPC_PRIVATE, 0200);

	CHECK(shm >= 0 && sem >= 0 && msg >= 0);
	ask();
	CHECK_EQ(0, shmctl(shm, IPC_RMID, NULL));
	CHECK_EQ(0, semctl(sem, 0, IPC_RMID));
	CHECK_EQ(0, msgctl(msg, IPC_RMID, NULL));
}

/* They have an owner who is unknown in the user namespace that we are in now. */
SUBJECT(unknown_owner)
{
	static const char * const maps[][2] = {
		{ "/proc/self/uid_map", "0 0 1" },
		{ "/proc/self/setgroups", "deny" },
		{ "/proc/self/gid_map", "0 0 1" },
	};
	struct shmid_ds shm_ds = { .shm_perm = { .uid = 1234, .mode = 0666 } };
	struct semid_ds sem_ds = { .sem_perm = { .uid = 1234, .mode = 0666 } };
	struct msqid_ds msg_ds = {
		.msg_perm = { .uid = 1234, .mode = 0666 },
		.msg_qbytes = 1000,
	};
	int shm = shmget(IPC_PRIVATE, PAGE, 0666), fd;
	int sem = semget(IPC_PRIVATE, 2, 0666);
	int msg = msgget(IPC_PRIVATE, 0666);
	unsigned int i;

	CHECK(shm >= 0 && sem >= 0 && msg >= 0);
	CHECK_EQ(0, shmctl(shm, IPC_SET, &shm_ds));
	CHECK_EQ(0, semctl(sem, 0, IPC_SET, (union semun) { .buf = &sem_ds }));
	CHECK_EQ(0, msgctl(msg, IPC_SET, &msg_ds));
	CHECK_EQ(0, unshare(CLONE_NEWUSER));
	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		fd = open(maps[i][0], O_WRONLY);
		CHECK_EQ(strlen(maps[i][1]), write(fd, maps[i][1], strlen(maps[i][1])));
		CHECK_EQ(0, close(fd));
	}
	ask();
	/* who made them may remove them, whoever they belong to */
	CHECK_EQ(0, shmctl(shm, IPC_RMID, NULL));
	CHECK_EQ(0, semctl(sem, 0, IPC_RMID));
	CHECK_EQ(0, msgctl(msg, IPC_RMID, NULL));
}

/* Each of them is named, and by the same words. */
static void expect_told(struct __test_metadata *_metadata, const char *subject, uid_t uid,
			const char *words)
{
	static const char * const kinds[] = {
		"shared memory segment", "semaphore set", "message queue",
	};
	struct ckpt_run run;
	char path[128], text[64];
	unsigned int i;
	long ret = 0;

	ckpt_init(&run, NULL);
	run.uid = uid;
	ASSERT_EQ(0, ckpt_start(&run, subject));
	snprintf(path, sizeof(path), "%s/told", run.dir);
	ASSERT_EQ(sizeof(ret), ckpt_slurp(path, text, sizeof(text)));
	memcpy(&ret, text, sizeof(ret));
	EXPECT_EQ(-EOPNOTSUPP, ret);
	EXPECT_EQ(3, ckpt_log_has(&run, words)) ckpt_print(&run, "log");
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		EXPECT_EQ(1, ckpt_log_has(&run, kinds[i])) ckpt_print(&run, "log");
	EXPECT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(obstacle, unreadable, CKPT_TIMEOUT)
{
	expect_told(_metadata, "unreadable", 1000, "may not be read by the caller");
}

TEST_F_TIMEOUT(obstacle, unknown_owner, CKPT_TIMEOUT)
{
	expect_told(_metadata, "unknown_owner", 0,
		    "has an owner that is unknown in this user namespace");
}

SUBJECT(shm_policy)
{
	int id = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0600);
	unsigned long nodes = 1;
	char *p = shmat(id, NULL, 0);

	CHECK(id >= 0 && p != (void *)-1);
	CHECK_EQ(0, shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(0, syscall(SYS_mbind, p, PAGE, 2 /* MPOL_BIND */, &nodes, 64, 0));
	subject_point();
	p[0] = 1;
}

TEST_F_TIMEOUT(obstacle, policy, CKPT_TIMEOUT)
{
	if (syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0) && errno == ENOSYS)
		SKIP(return, "no NUMA");
	EXPECT_EQ(0, ckpt_refused("shm_policy", "NUMA memory policy of shared", NULL));
}

TEST_F_TIMEOUT(obstacle, outside, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("shm_outside", "outside of the target", "segment"));
	EXPECT_EQ(0, ckpt_refused("sem_outside", "outside of the target", "semaphore set"));
	EXPECT_EQ(0, ckpt_refused("msg_outside", "outside of the target", "queue"));
	EXPECT_EQ(0, ckpt_refused("msg_waits_outside", "outside of the target", "queue"));
}

static int set_huge_pages(const char *nr)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY | O_CLOEXEC);
	int ret = write(fd, nr, strlen(nr)) > 0 ? 0 : -1;

	close(fd);
	return ret;
}

TEST_F_TIMEOUT(obstacle, huge, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, set_huge_pages("2"));
	EXPECT_EQ(0, ckpt_refused("shm_huge", "huge pages", "segment"));
	ASSERT_EQ(0, set_huge_pages("0"));
}

/* ---- hostile images ---- */

static uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	int k;

	while (len--) {
		crc ^= *p++;
		for (k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* Find a record in an image, and its number. */
static struct ckpt_record *find(char *image, size_t size, unsigned int type,
				uint32_t *nr)
{
	size_t pos = 0;

	for (*nr = 0; pos < size; ++*nr) {
		struct ckpt_record *rec = (void *)(image + pos);

		if (rec->type == type)
			return rec;
		pos += rec->length;
	}
	return NULL;
}

static void seal(struct ckpt_record *rec, uint32_t nr)
{
	rec->crc = 0;
	rec->crc = crc32c(crc32c(~0U, &nr, sizeof(nr)), rec, rec->length);
}

static long try_edited(struct ckpt_run *run, const void *image, size_t size)
{
	int fd = ckpt_open(run, "image", O_WRONLY | O_TRUNC);
	long ret;

	if (write(fd, image, size) != (ssize_t)size)
		return 0;
	close(fd);
	ret = ckpt_restart(run);
	if (ret > 0) {
		ckpt_kill(run);
		run->pid = 0;
	}
	return ret;
}

#define EXPECT_BAD(want, type_, struct_, edit) do {			\
	struct ckpt_record *rec;					\
	struct struct_ *p;						\
	uint32_t nr;							\
	void *data;							\
									\
	memcpy(edited, image, size);					\
	rec = find(edited, size, type_, &nr);				\
	ASSERT_NE(NULL, rec);						\
	p = (void *)(rec + 1);						\
	data = (char *)p + rec->body_len;				\
	(void)data;							\
	edit;								\
	seal(rec, nr);							\
	EXPECT_EQ(want, try_edited(&self->run, edited, size)) {		\
		TH_LOG("%s", #edit);					\
		ckpt_print(&self->run, "log");				\
	}								\
	EXPECT_EQ(left, nr_objects());					\
} while (0)

TEST_F_TIMEOUT(obstacle, hostile, CKPT_TIMEOUT)
{
	char *image, *edited;
	struct stat st;
	int fd, left;
	size_t size;

	ASSERT_EQ(0, begin(&self->run, "simple"));
	fd = ckpt_open(&self->run, "image", O_RDONLY);
	ASSERT_EQ(0, fstat(fd, &st));
	size = st.st_size;
	image = malloc(size);
	edited = malloc(size);
	ASSERT_EQ(size, read(fd, image, size));
	close(fd);

	for (left = 3; left >= 0; left -= 3) {
		if (!left)
			remove_all();
#define S(edit)	EXPECT_BAD(-EINVAL, CKPT_REC_SHM, ckpt_shm, edit)
		S(p->perm.id = -1);
		S(p->perm.mode = 010000);
		S(p->perm.mode |= SHM_DEST);
		S(p->perm.uid = ~0U);
		S(p->perm.cgid = ~0U);
		S(p->perm.creator = 99999);
		S(p->perm.creator = rec->objref);
		S(p->user = 99999);
		S(p->size = ~0ULL);
		S(p->owner = -1);
		S(p->flags = 2);
		S(rec->objref = 0);
#define E(edit)	EXPECT_BAD(-EINVAL, CKPT_REC_SEM, ckpt_sem, edit)
		E(p->perm.id = INT32_MIN);
		E(p->perm.mode |= SHM_LOCKED);
		E(p->nr = 0);
		E(p->nr = 1);
		E(p->nr = ~0U);
		E(p->reserved = 1);
		E(((struct ckpt_sem_value *)data)->value = 32768);
		E(((struct ckpt_sem_value *)data)->pid = 99999);
#define A(edit)	EXPECT_BAD(-EINVAL, CKPT_REC_SEM_ADJ, ckpt_sem_adj, edit)
		A(p->sem = 0);
		A(p->sem = rec->objref);
		A(p->nr = 1);
		A(p->nr = ~0U);
		A(rec->objref = p->sem);
#define Q(edit)	EXPECT_BAD(-EINVAL, CKPT_REC_MSGQ, ckpt_msgq, edit)
		Q(p->perm.mode = ~0U);
		Q(p->qbytes = 1ULL << 31);
		Q(p->sender = 99999);
		Q(p->receiver = rec->objref);
		EXPECT_BAD(-EINVAL, CKPT_REC_MSGQ_MSG, ckpt_msgq_msg, p->type = 0);
		EXPECT_BAD(-EINVAL, CKPT_REC_MSGQ_MSG, ckpt_msgq_msg, p->type = INT64_MIN);
		EXPECT_BAD(-EINVAL, CKPT_REC_MSGQ_MSG, ckpt_msgq_msg, rec->objref++);
	}
	ASSERT_LT(0, (fd = ckpt_open(&self->run, "image", O_WRONLY | O_TRUNC)));
	ASSERT_EQ(size, write(fd, image, size));
	close(fd);
	ASSERT_LT(0, ckpt_restart(&self->run)) ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
	free(image);
	free(edited);
}

CKPT_TEST_MAIN

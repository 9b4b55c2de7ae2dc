// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: what clone(2) lets tasks share, in all combinations that
 * it allows, and between tasks that are related in any way.
 */
#define _GNU_SOURCE
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define STACK_SIZE	(256 << 10)
#define PATIENCE_MS	(CKPT_PATIENCE * 1000)

/*
 * Tasks that share memory talk by it. They use no more of the C library than
 * does without thread-local memory, which they have in common.
 */
struct board {
	atomic_int here, step, left;
};

static struct board board;

static long raw(long nr, long a, long b, long c, long d)
{
	register long r10 asm("r10") = d;
	long ret;

	asm volatile("syscall" : "=a" (ret)
		     : "a" (nr), "D" (a), "S" (b), "d" (c), "r" (r10)
		     : "rcx", "r11", "memory");
	return ret;
}

static void raw_sleep(void)
{
	struct timespec ts = { .tv_nsec = 2000000 };

	raw(SYS_nanosleep, (long)&ts, 0, 0, 0);
}

/* Wait until *what is at least @value. A child that fails says so and dies. */
static void wait_step(atomic_int *what, int value)
{
	int i;

	for (i = 0; i < PATIENCE_MS / 2; i++) {
		if (*what >= value)
			return;
		raw_sleep();
	}
	raw(SYS_exit_group, 90, 0, 0, 0);
}

#define CHILD_CHECK(cond) do {						\
	if (!(cond))							\
		raw(SYS_exit_group, 91, 0, 0, 0);			\
} while (0)

static void *stack_top(void)
{
	void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(stack != MAP_FAILED);
	return stack + STACK_SIZE;
}

static pid_t start(int (*fn)(void *), int flags, void *arg)
{
	pid_t pid = clone(fn, stack_top(), flags, arg);

	CHECK(pid > 0);
	return pid;
}

/* ---- memory ---- */

static int sees_memory(void *arg)
{
	board.here++;
	wait_step(&board.step, 1);
	/* each sees what the others write */
	board.left++;
	wait_step(&board.left, (long)arg);
	return 0;
}

static void join_status(pid_t pid)
{
	int status;

	CHECK_EQ(pid, waitpid(pid, &status, __WALL));
	CHECK_EQ(0, status);
}

/* Two children that share memory with their parent. */
SUBJECT(vm_children)
{
	pid_t a = start(sees_memory, CLONE_VM | SIGCHLD, (void *)3L);
	pid_t b = start(sees_memory, CLONE_VM | SIGCHLD, (void *)3L);

	wait_step(&board.here, 2);
	subject_point();
	board.step = 1;
	board.left++;
	join_status(a);
	join_status(b);
}

static pid_t sibling;

static int makes_sibling(void *arg)
{
	sibling = clone(sees_memory, arg, CLONE_VM | CLONE_PARENT | SIGCHLD,
			(void *)3L);
	CHILD_CHECK(sibling > 0);
	return sees_memory((void *)3L);
}

/* A child makes another one of its parent's, all three share memory. */
SUBJECT(vm_sibling)
{
	void *stack = stack_top();
	pid_t child = start(makes_sibling, CLONE_VM | SIGCHLD, stack);

	wait_step(&board.here, 2);
	subject_point();
	board.step = 1;
	board.left++;
	join_status(child);
	join_status(sibling);
}

/*
 * Two siblings share memory that their parent has no more: a first process
 * makes them with CLONE_PARENT and dies.
 */
static struct board *shared_board;

static int sees_shared(void *arg)
{
	/* "board" is theirs, not the parent's */
	board.here++;
	shared_board->here++;
	wait_step(&shared_board->step, 1);
	board.left++;
	wait_step(&board.left, 2);
	CHILD_CHECK(board.here == 2);
	return 0;
}

SUBJECT(vm_orphans)
{
	int i, status;
	pid_t pid;

	shared_board = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = fork();
	if (!pid) {
		for (i = 0; i < 2; i++)
			start(sees_shared, CLONE_VM | CLONE_PARENT | SIGCHLD,
			      NULL);
		_exit(0);
	}
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(0, status);
	wait_step(&shared_board->here, 2);
	subject_point();
	CHECK_EQ(0, board.here);
	shared_board->step = 1;
	for (i = 0; i < 2; i++) {
		CHECK(waitpid(-1, &status, 0) > 0);
		CHECK_EQ(0, status);
	}
	CHECK_EQ(-1, waitpid(-1, &status, 0));
}

/* A grandchild shares with the subject what the child has given up. */
static int makes_grandchild(void *arg)
{
	char *argv[] = { "sharing", "--subject", "exec_middle", subject_dir, "0",
			 NULL };

	CHILD_CHECK(clone(sees_memory, arg, CLONE_VM | SIGCHLD,
			  (void *)2L) > 0);
	wait_step(&board.here, 1);
	execve("/proc/self/exe", argv, environ);
	return 92;
}

SUBJECT(exec_middle)
{
	int status;

	subject_touch("middle");
	if (waitpid(-1, NULL, WNOHANG) < 0) {
		/* run by its own */
		subject_point();
		return;
	}
	/* the grandchild ends when the subject lets it */
	CHECK(waitpid(-1, &status, 0) > 0);
	CHECK_EQ(0, status);
	_exit(0);
}

SUBJECT(vm_grandchild)
{
	void *stack = stack_top();
	pid_t child = start(makes_grandchild, CLONE_VM | SIGCHLD, stack);

	subject_wait("middle");
	subject_point();
	board.step = 1;
	board.left++;
	join_status(child);
	CHECK_EQ(2, board.left);
}

/* ---- signal handlers ---- */

static atomic_int handled;

static void old_handler(int sig)
{
	handled = -1;
}

static void new_handler(int sig)
{
	handled++;
}

static void set_handler(void (*fn)(int))
{
	struct sigaction sa = { .sa_handler = fn, .sa_flags = SA_RESTART };

	sigfillset(&sa.sa_mask);
	CHECK_EQ(0, sigaction(SIGUSR1, &sa, NULL));
}

static int gets_signal(void *arg)
{
	board.here++;
	wait_step(&board.step, 1);
	/* the parent has set another handler since */
	raw(SYS_kill, raw(SYS_getpid, 0, 0, 0, 0), SIGUSR1, 0, 0);
	wait_step(&handled, 1);
	board.left++;
	wait_step(&board.step, 2);
	return 0;
}

#define SHARES_HANDLERS	(CLONE_VM | CLONE_SIGHAND)

SUBJECT(sighand)
{
	pid_t a, b;

	set_handler(old_handler);
	a = start(gets_signal, SHARES_HANDLERS | SIGCHLD, NULL);
	b = start(gets_signal, SHARES_HANDLERS | SIGCHLD, NULL);
	wait_step(&board.here, 2);
	subject_point();
	set_handler(new_handler);
	board.step = 1;
	wait_step(&board.left, 2);
	CHECK_EQ(2, handled);
	board.step = 2;
	join_status(a);
	join_status(b);
}

/* Shared by two that are siblings, and not by who shares memory only. */
static int gets_signal_late(void *arg)
{
	board.here++;
	wait_step(&board.step, 2);
	raw(SYS_kill, raw(SYS_getpid, 0, 0, 0, 0), SIGUSR1, 0, 0);
	wait_step(&handled, 1);
	return 0;
}

static int makes_sighand_sibling(void *arg)
{
	sibling = clone(gets_signal_late, arg,
			SHARES_HANDLERS | CLONE_PARENT | SIGCHLD, NULL);
	CHILD_CHECK(sibling > 0);
	board.here++;
	wait_step(&board.step, 1);
	set_handler(new_handler);
	board.here++;
	wait_step(&handled, 1);
	return 0;
}

SUBJECT(sighand_sibling)
{
	void *stack = stack_top();
	struct sigaction sa;
	pid_t child;

	set_handler(old_handler);
	child = start(makes_sighand_sibling, CLONE_VM | SIGCHLD, stack);
	wait_step(&board.here, 2);
	subject_point();
	board.step = 1;
	wait_step(&board.here, 3);
	/* theirs has changed, ours has not */
	CHECK_EQ(0, sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == old_handler);
	board.step = 2;
	join_status(child);
	join_status(sibling);
	CHECK_EQ(1, handled);
}

/* Of a process whose leader is dead, by whom signals are sent to it. */
static atomic_int dying;

static int outlives_leader(void *arg)
{
	while (dying)
		raw_sleep();
	gets_signal(arg);
	raw(SYS_exit_group, 0, 0, 0, 0);
	return 0;
}

static int dies(void *arg)
{
	CHILD_CHECK(clone(outlives_leader, arg,
			  SHARES_HANDLERS | CLONE_THREAD, NULL) > 0);
	return 0;
}

SUBJECT(sighand_dead)
{
	void *stack = stack_top();
	pid_t child;

	set_handler(old_handler);
	dying = 1;
	child = clone(dies, stack_top(),
		      SHARES_HANDLERS | CLONE_CHILD_CLEARTID | SIGCHLD, stack,
		      NULL, NULL, &dying);
	CHECK(child > 0);
	wait_step(&board.here, 1);
	subject_point();
	set_handler(new_handler);
	board.step = 1;
	wait_step(&board.left, 1);
	CHECK_EQ(1, handled);
	board.step = 2;
	join_status(child);
}

/* ---- descriptors, and root, working directory and umask ---- */

static int new_fd;

static int opens_file(void *arg)
{
	board.here++;
	wait_step(&board.step, 1);
	new_fd = raw(SYS_dup, 2, 0, 0, 0);
	raw(SYS_umask, 0137, 0, 0, 0);
	board.left++;
	wait_step(&board.step, 2);
	return 0;
}

static void files_and_fs(int flags)
{
	pid_t child;
	mode_t mask;
	bool open;

	umask(0022);
	child = start(opens_file, CLONE_VM | SIGCHLD | flags, NULL);
	wait_step(&board.here, 1);
	subject_point();
	board.step = 1;
	wait_step(&board.left, 1);
	CHECK(new_fd > 2);
	open = fcntl(new_fd, F_GETFD) >= 0;
	CHECK_EQ(!!(flags & CLONE_FILES), open);
	mask = umask(0022);
	CHECK_EQ(flags & CLONE_FS ? 0137 : 0022, mask);
	board.step = 2;
	join_status(child);
}

SUBJECT(files_only)
{
	files_and_fs(CLONE_FILES);
}

SUBJECT(fs_only)
{
	files_and_fs(CLONE_FS);
}

SUBJECT(files_and_fs)
{
	files_and_fs(CLONE_FILES | CLONE_FS);
}

/* Is that the same in both of them? */
static bool same(pid_t a, pid_t b, int what)
{
	long ret = syscall(SYS_kcmp, a, b, what, 0, 0);

	CHECK(ret >= 0);
	return !ret;
}

static int sem_id;

static int uses_all_of_it(void *arg)
{
	struct sembuf op = { .sem_op = 1, .sem_flg = SEM_UNDO };

	gets_signal(arg);
	CHILD_CHECK(!raw(SYS_semop, sem_id, (long)&op, 1, 0));
	new_fd = raw(SYS_dup, 2, 0, 0, 0);
	raw(SYS_umask, 0137, 0, 0, 0);
	return 0;
}

SUBJECT(all_of_it)
{
	static const int what[] = {
		KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM,
	};
	unsigned int i;
	pid_t child;

	umask(0022);
	set_handler(old_handler);
	CHECK_EQ(0, syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
	child = start(uses_all_of_it, SHARES_HANDLERS | CLONE_FILES | CLONE_FS |
		      CLONE_IO | CLONE_SYSVSEM | SIGCHLD, NULL);
	wait_step(&board.here, 1);
	for (i = 0; i < ARRAY_SIZE(what); i++)
		CHECK(same(getpid(), child, what[i]));
	subject_point();
	for (i = 0; i < ARRAY_SIZE(what); i++)
		CHECK(same(getpid(), child, what[i]));
	/* it runs the handler that we set now */
	set_handler(new_handler);
	board.step = 1;
	wait_step(&board.left, 1);
	CHECK_EQ(1, handled);
	sem_id = semget(IPC_PRIVATE, 1, 0600);
	CHECK(sem_id >= 0);
	CHECK_EQ(0, semctl(sem_id, 0, SETVAL, 0));
	board.step = 2;
	join_status(child);
	CHECK(fcntl(new_fd, F_GETFD) >= 0);
	CHECK_EQ(0137, umask(0022));
	/* what it has adjusted is undone when we are gone, too */
	CHECK_EQ(1, semctl(sem_id, 0, GETVAL));
	CHECK_EQ(0, semctl(sem_id, 0, IPC_RMID));
}

/* Each combination that clone() allows: who shares what, with each other, too. */
static const int shared_kinds[] = {
	KCMP_VM, KCMP_SIGHAND, KCMP_FILES, KCMP_FS, KCMP_IO,
};

#define NR_KINDS	ARRAY_SIZE(shared_kinds)
#define NR_COMBINATIONS	(3 * 2 * 2 * 2)

static const int kind_flags[NR_KINDS] = {
	CLONE_VM, CLONE_SIGHAND, CLONE_FILES, CLONE_FS, CLONE_IO,
};

static int combination_flags(int nr)
{
	static const int memory[] = { 0, CLONE_VM, CLONE_VM | CLONE_SIGHAND };
	int flags = memory[nr % 3];

	nr /= 3;
	if (nr & 1)
		flags |= CLONE_FILES;
	if (nr & 2)
		flags |= CLONE_FS;
	if (nr & 4)
		flags |= CLONE_IO;
	return flags;
}

static int is_there(void *arg)
{
	struct board *b = arg;

	b->here++;
	wait_step(&b->step, 1);
	return 0;
}

static void check_combinations(const pid_t *pids, const int *flags)
{
	unsigned int i, k, n;

	for (i = 0; i <= NR_COMBINATIONS; i++) {
		for (k = 0; k < i; k++) {
			for (n = 0; n < NR_KINDS; n++) {
				bool want = flags[i] & flags[k] & kind_flags[n];

				if (same(pids[i], pids[k], shared_kinds[n]) != want)
					subject_fail(__FILE__, __LINE__,
						     "%u (%#x) and %u (%#x): %s what %d is", i,
						     flags[i], k, flags[k],
						     want ? "do not share" : "share",
						     shared_kinds[n]);
			}
		}
	}
}

SUBJECT(combinations)
{
	/* the last one is who has all of it */
	int flags[NR_COMBINATIONS + 1], i;
	pid_t pids[NR_COMBINATIONS + 1];

	shared_board = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared_board != MAP_FAILED);
	CHECK_EQ(0, syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
	for (i = 0; i < NR_COMBINATIONS; i++) {
		flags[i] = combination_flags(i);
		pids[i] = start(is_there, flags[i] | SIGCHLD, shared_board);
	}
	flags[i] = ~0;
	pids[i] = getpid();
	wait_step(&shared_board->here, NR_COMBINATIONS);
	check_combinations(pids, flags);
	subject_point();
	check_combinations(pids, flags);
	shared_board->step = 1;
	for (i = 0; i < NR_COMBINATIONS; i++)
		join_status(pids[i]);
}

/* A thread with tables of its own. */
static void *own_tables(void *arg)
{
	struct stat st;
	char cwd[64];
	int fd;

	CHECK_EQ(0, unshare(CLONE_FILES | CLONE_FS));
	CHECK_EQ(0, chdir("/"));
	umask(0077);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	new_fd = fd;
	board.here++;
	wait_step(&board.step, 1);
	CHECK_EQ(0, fstat(fd, &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(!strcmp(cwd, "/"));
	CHECK_EQ(0077, umask(0077));
	return arg;
}

SUBJECT(thread_tables)
{
	pthread_t thread;
	char cwd[64];

	CHECK_EQ(0, chdir("/dev"));
	umask(0022);
	CHECK_EQ(0, pthread_create(&thread, NULL, own_tables, NULL));
	wait_step(&board.here, 1);
	subject_point();
	CHECK_EQ(-1, fcntl(new_fd, F_GETFD));
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(!strcmp(cwd, "/dev"));
	CHECK_EQ(0022, umask(0022));
	board.step = 1;
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* ---- semaphore adjustments ---- */

static int adjusts(void *arg)
{
	struct sembuf op = { .sem_op = 1, .sem_flg = SEM_UNDO };

	shared_board->here++;
	wait_step(&shared_board->step, 1);
	CHECK_EQ(0, semop(shared_board->left, &op, 1));
	_exit(0);
}

/* What one does is undone when all that share the list are gone. */
static void semaphores(int flags)
{
	pid_t child;

	shared_board = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child = start(adjusts, flags | SIGCHLD, NULL);
	wait_step(&shared_board->here, 1);
	subject_point();
	sem_id = semget(IPC_PRIVATE, 1, 0600);
	CHECK(sem_id >= 0);
	CHECK_EQ(0, semctl(sem_id, 0, SETVAL, 0));
	shared_board->left = sem_id;
	shared_board->step = 1;
	join_status(child);
	CHECK_EQ(!!(flags & CLONE_SYSVSEM), semctl(sem_id, 0, GETVAL));
	CHECK_EQ(0, semctl(sem_id, 0, IPC_RMID));
}

SUBJECT(semundo)
{
	semaphores(CLONE_SYSVSEM);
}

SUBJECT(semundo_alone)
{
	semaphores(0);
}

static int waits(void *arg)
{
	wait_step(arg, 1);
	raw(SYS_exit, 0, 0, 0, 0);
	return 0;
}

/* Who has no list does not get one from having threads. */
SUBJECT(semundo_none)
{
	pid_t me = getpid(), thread;

	thread = start(waits, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS | CLONE_FILES,
		       &board.step);
	/* nor has the other one */
	CHECK_EQ(0, syscall(SYS_kcmp, me, thread, KCMP_SYSVSEM, 0, 0));
	subject_point();
	CHECK_EQ(0, syscall(SYS_kcmp, me, thread, KCMP_SYSVSEM, 0, 0));
	board.step = 1;
}

/* ---- tests ---- */

CKPT_FIXTURE_HOW(sharing);
CKPT_VARIANTS(sharing);

CKPT_ROUNDTRIP(sharing, vm_children);
CKPT_ROUNDTRIP(sharing, vm_sibling);
CKPT_ROUNDTRIP(sharing, vm_orphans);
CKPT_ROUNDTRIP(sharing, vm_grandchild);
CKPT_ROUNDTRIP(sharing, sighand);
CKPT_ROUNDTRIP(sharing, sighand_sibling);
CKPT_ROUNDTRIP(sharing, sighand_dead);
CKPT_ROUNDTRIP(sharing, files_only);
CKPT_ROUNDTRIP(sharing, fs_only);
CKPT_ROUNDTRIP(sharing, files_and_fs);
CKPT_ROUNDTRIP(sharing, all_of_it);
CKPT_ROUNDTRIP(sharing, combinations);
CKPT_ROUNDTRIP(sharing, thread_tables);
CKPT_ROUNDTRIP(sharing, semundo);
CKPT_ROUNDTRIP(sharing, semundo_alone);
CKPT_ROUNDTRIP(sharing, semundo_none);

CKPT_TEST_MAIN

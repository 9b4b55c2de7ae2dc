// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: what processes may have that checkpoint() refuses. Each
 * such thing is made, and seen to be named: by a dry run and by a checkpoint
 * from outside, of the process and of its cgroup, and by the process itself. It
 * then has to go on as if nothing had been asked.
 *
 * Kinds of state that other programs test are refused there: keys, seccomp,
 * pipes and so on.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <elf.h>
#include <grp.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/futex.h>
#include <linux/if_ether.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/user_events.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/user.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>

#ifdef __x86_64__
#include <sys/io.h>
#endif

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME		0x80
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE	67
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif
#ifndef SYS_mseal
#define SYS_mseal		462
#endif

/* ---- how to ask -------------------------------------------------------- */

/* In which ways, and whether it brings other things along that are refused. */
#define SUBTREE		1
#define CGROUP		2
#define SELF		4
#define ALL		(SUBTREE | CGROUP | SELF)
#define MORE		8

struct refusal {
	const char	*subject;
	const char	*words;
	unsigned int	how;
};

static int check_log(const struct ckpt_run *run, const char *words, bool dry,
		     bool more)
{
	int all = ckpt_log_has(run, ""), right = ckpt_log_has(run, words);

	if (dry ? right && (more || right == all) : right == 1 && all == 1)
		return 0;
	ckpt_msg("%s: log has \"%s\" in %d of %d lines",
		 dry ? "dry run" : "checkpoint", words, right, all);
	ckpt_print(run, "log");
	return -EINVAL;
}

static int ask(struct ckpt_run *run, const struct refusal *r)
{
	int fd, ret;
	long err;

	err = ckpt_checkpoint_log(run, CHECKPOINT_DRY_RUN, -1);
	if (err != -EOPNOTSUPP) {
		ckpt_msg("dry run: %ld", err);
		ckpt_print(run, "log");
		return -EINVAL;
	}
	ret = check_log(run, r->words, true, r->how & MORE);
	if (ret)
		return ret;

	fd = ckpt_open(run, "image", O_CREAT | O_TRUNC | O_WRONLY);
	err = ckpt_checkpoint_log(run, CHECKPOINT_KILL, fd);
	close(fd);
	if (err != -EOPNOTSUPP) {
		ckpt_msg("checkpoint: %ld", err);
		ckpt_print(run, "log");
		return -EINVAL;
	}
	return check_log(run, r->words, false, false);
}

/* What the subject itself was told, by a dry run and then by a checkpoint. */
static int ask_self(struct ckpt_run *run, const struct refusal *r)
{
	long err[2] = {};
	char path[128];
	int i, ret;

	for (i = 0; i < 2; i++) {
		ckpt_remove(run, "log");
		ckpt_touch(run, i ? "self-1" : "self-0");
		ret = ckpt_wait_for(run, i ? "told-1" : "told-0");
		if (ret)
			return ret;
		snprintf(path, sizeof(path), "%s/told-%d", run->dir, i);
		/* the name is there before what is in it */
		while (ckpt_slurp(path, (char *)err, sizeof(err)) < (int)sizeof(long))
			ckpt_sleep_ms(2);
		if (err[0] != -EOPNOTSUPP) {
			ckpt_msg("itself, %d: %ld", i, err[0]);
			ckpt_print(run, "log");
			return -EINVAL;
		}
		ret = check_log(run, r->words, !i, r->how & MORE);
		if (ret)
			return ret;
	}
	return 0;
}

static int refused_run(struct ckpt_run *run, const struct refusal *r)
{
	pid_t group;
	int ret;

	ret = ckpt_start(run, r->subject);
	if (ret)
		goto out;
	group = run->pid;
	if (r->how & SUBTREE)
		ret = ask(run, r);
	if (!ret && r->how & CGROUP) {
		run->how.target = CKPT_CGROUP;
		ret = ask(run, r);
	}
	if (!ret && r->how & SELF)
		ret = ask_self(run, r);
	/* refused, hence neither killed nor changed */
	ret = ckpt_finish(run) ?: ret;
	/* those that were outside, too */
	if (!ret) {
		ckpt_touch(run, "go");
		while (waitpid(-group, NULL, __WALL) > 0)
			;
	}
out:
	if (ret)
		ckpt_msg("that was \"%s\"", r->subject);
	return ckpt_cleanup(run) ?: ret;
}

static int refused(const char *subject, const char *words, unsigned int how)
{
	struct refusal r = { subject, words, how };
	struct ckpt_run run;

	ckpt_init(&run, NULL);
	return refused_run(&run, &r);
}

/* Where the others ask, and then it does itself. */
static void point(void)
{
	static const char * const self[] = { "self-0", "self-1" };
	static const char * const told[] = { "told-0", "told-1" };
	int fd, log, i;
	long ret;

	subject_ready();
	for (i = 0; i < 2; i++) {
		while (!subject_told(self[i])) {
			if (subject_told("go"))
				return;
			ckpt_sleep_ms(3);
		}
		log = subject_open("log", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC);
		fd = subject_open("image", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC);
		CHECK(log >= 0 && fd >= 0);
		ret = i ? ckpt_checkpoint_to(-1, fd, CHECKPOINT_KILL, log) :
			  ckpt_checkpoint_to(-1, -1, CHECKPOINT_DRY_RUN, log);
		close(fd);
		close(log);
		subject_report(told[i], &ret, sizeof(ret));
	}
	subject_wait("go");
}

CKPT_FIXTURE(refused);

/* ---- small things ------------------------------------------------------ */

static void leave_cgroup(void)
{
	int fd = open("/sys/fs/cgroup/cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		fd = open("/sys/fs/cgroup/unified/cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		CHECK_EQ(1, write(fd, "0", 1));
		close(fd);
	}
}

/*
 * A child of our parent, in another cgroup: outside of the target, whichever way
 * that is named. It ends when it is told to go.
 */
static pid_t fork_outside(unsigned long flags)
{
	static pid_t pid;

	pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD | flags, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (!pid)
		leave_cgroup();
	return pid;
}

static __noreturn void outside_waits(void)
{
	subject_touch("outside");
	subject_wait("go");
	_exit(0);
}

/* A child that waits for a byte, which parent and child say of each other. */
struct child {
	pid_t	pid;
	int	wr;
	int	rd;
};

static bool make_child(struct child *child)
{
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	child->rd = fds[0];
	child->wr = fds[1];
	child->pid = fork();
	CHECK(child->pid >= 0);
	return !child->pid;
}

static __noreturn void child_waits(struct child *child)
{
	char c = 0;

	subject_touch("child");
	if (read(child->rd, &c, 1) != 1 || c != 'e')
		_exit(3);
	_exit(0);
}

/* One that cannot name files any more. */
static __noreturn void child_waits_quietly(struct child *child)
{
	char c = 0;

	if (read(child->rd, &c, 1) != 1 || c != 'e')
		_exit(3);
	_exit(0);
}

static void end_child(struct child *child)
{
	CHECK_EQ(1, write(child->wr, "e", 1));
	subject_join(child->pid);
}

static void await_sleep(pid_t pid)
{
	while (ckpt_state(pid) != 'S')
		ckpt_sleep_ms(1);
	/* not just in one of the sleeps on the way there */
	ckpt_sleep_ms(20);
}

static int make_file(const char *name)
{
	int fd = subject_open(name, O_CREAT | O_TRUNC | O_RDWR);

	CHECK(fd >= 0);
	CHECK_EQ(4, write(fd, "file", 4));
	return fd;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(strlen(text), write(fd, text, strlen(text)));
	close(fd);
}

static void *map_page(int flags)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS,
		       -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* ---- sessions, cgroups, what is shared with others --------------------- */

/* A member of our session leads a group that we are in, and has been orphaned. */
SUBJECT(session_group)
{
	pid_t group, pid;
	int status;
	char c = 0;
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		pid = fork();
		CHECK(pid >= 0);
		if (pid) {
			CHECK_EQ(sizeof(pid), write(fds[1], &pid, sizeof(pid)));
			_exit(0);
		}
		close(fds[0]);
		close(fds[1]);
		leave_cgroup();
		CHECK_EQ(0, setpgid(0, 0));
		outside_waits();
	}
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(0, status);
	CHECK_EQ(sizeof(group), read(fds[0], &group, sizeof(group)));
	subject_wait("outside");
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(0, setpgid(0, group));
		subject_touch("child");
		CHECK_EQ(1, read(fds[0], &c, 1));
		CHECK_EQ(group, getpgrp());
		_exit(0);
	}
	subject_wait("child");
	point();
	CHECK_EQ(1, write(fds[1], "e", 1));
	subject_join(pid);
}

TEST_F_TIMEOUT(refused, session_group, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("session_group", "process group has members outside", ALL));
}

SUBJECT(session_terminal)
{
	CHECK_EQ(0, ioctl(0, TIOCSCTTY, 0));
	point();
	CHECK_EQ(getpid(), tcgetsid(0));
	signal(SIGHUP, SIG_IGN);
}

TEST_F_TIMEOUT(refused, session_terminal, CKPT_TIMEOUT)
{
	struct refusal r = { "session_terminal", "began in the target and has a terminal",
			     ALL };
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct ckpt_run run;

	ASSERT_LE(0, master);
	ASSERT_EQ(0, grantpt(master));
	ASSERT_EQ(0, unlockpt(master));
	ckpt_init(&run, NULL);
	run.stdio_fd = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, run.stdio_fd);
	ASSERT_EQ(0, refused_run(&run, &r));
}

SUBJECT(cgroup_child)
{
	struct child child;

	if (make_child(&child)) {
		leave_cgroup();
		child_waits(&child);
	}
	subject_wait("child");
	point();
	end_child(&child);
}

TEST_F_TIMEOUT(refused, cgroup_child, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("cgroup_child", "children outside of the target", CGROUP));
}

static alignas(16) char shared_stack[65536];

static int shares_memory(void *arg)
{
	leave_cgroup();
	subject_touch("outside");
	while (!READ_ONCE(*(char *)arg))
		ckpt_sleep_ms(3);
	WRITE_ONCE(*(char *)arg, 2);
	_exit(0);
}

SUBJECT(outside_memory)
{
	char *word = map_page(MAP_PRIVATE);
	pid_t pid = clone(shares_memory, shared_stack + sizeof(shared_stack),
			  CLONE_VM | CLONE_PARENT | SIGCHLD, word);

	CHECK(pid > 0);
	subject_wait("outside");
	point();
	WRITE_ONCE(*word, 1);
	while (READ_ONCE(*word) != 2)
		ckpt_sleep_ms(3);
	/* it runs on our stack of paths */
	while (ckpt_state(pid) != 'Z' && ckpt_state(pid))
		ckpt_sleep_ms(1);
}

TEST_F_TIMEOUT(refused, outside_memory, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("outside_memory", "shares its memory with it", ALL));
}

SUBJECT(outside_files)
{
	int fd = make_file("f/shared"), other = dup(fd);

	if (!fork_outside(CLONE_FILES)) {
		subject_touch("outside");
		subject_wait("go");
		CHECK_EQ(0, close(other));
		_exit(0);
	}
	subject_wait("outside");
	point();
	while (fcntl(other, F_GETFD) >= 0)
		ckpt_sleep_ms(3);
	CHECK_EQ(0, close(fd));
}

TEST_F_TIMEOUT(refused, outside_files, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("outside_files", "shares its descriptor table with it",
			     ALL));
}

SUBJECT(outside_fs)
{
	char cwd[PATH_MAX];

	if (!fork_outside(CLONE_FS)) {
		subject_touch("outside");
		subject_wait("go");
		CHECK_EQ(0, chdir("/proc"));
		_exit(0);
	}
	subject_wait("outside");
	point();
	do {
		ckpt_sleep_ms(3);
		CHECK(getcwd(cwd, sizeof(cwd)));
	} while (strcmp(cwd, "/proc"));
}

TEST_F_TIMEOUT(refused, outside_fs, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("outside_fs", "shares its root and working directory", ALL));
}

SUBJECT(outside_io)
{
	/* there is a context once it was used */
	CHECK_EQ(0, syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
	if (!fork_outside(CLONE_IO))
		outside_waits();
	subject_wait("outside");
	point();
}

TEST_F_TIMEOUT(refused, outside_io, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("outside_io", "shares its I/O context", ALL));
}

/* What each of several would undo is in a list that they share. */
SUBJECT(outside_semundo)
{
	struct sembuf op = { .sem_op = 1, .sem_flg = SEM_UNDO };
	int id = semget(IPC_PRIVATE, 1, 0600);

	CHECK(id >= 0);
	/* there is a list once it was used, and nothing in it without the set */
	CHECK_EQ(0, semop(id, &op, 1));
	CHECK_EQ(0, semctl(id, 0, IPC_RMID));
	if (!fork_outside(CLONE_SYSVSEM))
		outside_waits();
	subject_wait("outside");
	point();
}

TEST_F_TIMEOUT(refused, outside_semundo, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("outside_semundo", "shares its semaphore adjustments", ALL));
}

SUBJECT(outside_anon)
{
	char *p = map_page(MAP_SHARED);

	if (!fork_outside(0)) {
		subject_touch("outside");
		subject_wait("go");
		*p = 7;
		_exit(0);
	}
	subject_wait("outside");
	point();
	while (READ_ONCE(*p) != 7)
		ckpt_sleep_ms(3);
}

TEST_F_TIMEOUT(refused, outside_anon, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("outside_anon", "memory shared with a task outside", ALL));
}

/* ---- directories ------------------------------------------------------- */

/* Of a filesystem that is mounted nowhere any more. */
SUBJECT(cwd_detached)
{
	CHECK_EQ(0, mkdir(subject_path("f/cwd"), 0700));
	CHECK_EQ(0, mount("none", subject_path("f/cwd"), "tmpfs", 0, NULL));
	CHECK_EQ(0, chdir(subject_path("f/cwd")));
	CHECK_EQ(0, umount2(subject_path("f/cwd"), MNT_DETACH));
	point();
	CHECK_EQ(0, mkdir("works", 0700));
}

/* Something else is mounted over it. */
SUBJECT(cwd_hidden)
{
	CHECK_EQ(0, mkdir(subject_path("f/cwd"), 0700));
	CHECK_EQ(0, chdir(subject_path("f/cwd")));
	CHECK_EQ(0, mount("none", subject_path("f/cwd"), "tmpfs", 0, NULL));
	point();
	CHECK_EQ(0, mkdir("works", 0700));
	CHECK_EQ(0, rmdir("works"));
	CHECK_EQ(0, umount(subject_path("f/cwd")));
}

TEST_F_TIMEOUT(refused, cwd, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("cwd_detached",
			     "is not below the root directory of the caller", ALL));
	ASSERT_EQ(0, refused("cwd_hidden", "is now the name of something else", ALL));
}

SUBJECT(root)
{
	struct child child;

	CHECK_EQ(0, mkdir(subject_path("f/root"), 0700));
	if (make_child(&child)) {
		subject_touch("child");
		CHECK_EQ(0, chroot(subject_path("f/root")));
		child_waits_quietly(&child);
	}
	await_sleep(child.pid);
	CHECK_EQ(0, rmdir(subject_path("f/root")));
	point();
	end_child(&child);
}

TEST_F_TIMEOUT(refused, root, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("root", "root directory: root was deleted", ALL));
}

/* ---- namespaces -------------------------------------------------------- */

static void other_namespace(int flag)
{
	struct child child;

	if (make_child(&child)) {
		CHECK_EQ(0, unshare(flag));
		child_waits(&child);
	}
	subject_wait("child");
	point();
	end_child(&child);
}

SUBJECT(ns_mount) { other_namespace(CLONE_NEWNS); }
SUBJECT(ns_net) { other_namespace(CLONE_NEWNET); }
SUBJECT(ns_uts) { other_namespace(CLONE_NEWUTS); }
SUBJECT(ns_ipc) { other_namespace(CLONE_NEWIPC); }
SUBJECT(ns_cgroup) { other_namespace(CLONE_NEWCGROUP); }
SUBJECT(ns_time) { other_namespace(CLONE_NEWTIME); }
SUBJECT(ns_pid) { other_namespace(CLONE_NEWPID); }
SUBJECT(ns_user) { other_namespace(CLONE_NEWUSER); }

TEST_F_TIMEOUT(refused, namespaces, CKPT_TIMEOUT)
{
	/* files are those of mounts that are not ours */
	ASSERT_EQ(0, refused("ns_mount", "another mount namespace", ALL | MORE));
	ASSERT_EQ(0, refused("ns_net", "another network namespace", ALL));
	ASSERT_EQ(0, refused("ns_uts", "another UTS namespace", ALL));
	ASSERT_EQ(0, refused("ns_ipc", "another IPC namespace", ALL));
	ASSERT_EQ(0, refused("ns_cgroup", "another cgroup namespace", ALL));
	ASSERT_EQ(0, refused("ns_time", "another time namespace", ALL));
	ASSERT_EQ(0, refused("ns_pid", "another pid (of its children) namespace", ALL));
	ASSERT_EQ(0, refused("ns_user", "another user namespace than the caller",
			     ALL | MORE));
}

/* A pid namespace in it, with its process 1 and another process. */
SUBJECT(nested_pids)
{
	struct child child;
	int fds[2];
	pid_t pid;
	char c;

	CHECK_EQ(0, pipe(fds));
	child.rd = fds[0];
	child.wr = fds[1];
	child.pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	CHECK(child.pid >= 0);
	if (!child.pid) {
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			subject_touch("child");
			CHECK_EQ(1, read(fds[0], &c, 1));
			_exit(0);
		}
		subject_join(pid);
		_exit(0);
	}
	subject_report("init", &child.pid, sizeof(child.pid));
	subject_wait("child");
	point();
	end_child(&child);
}

TEST_F_TIMEOUT(refused, nested_pids, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("nested_pids", "process 1 of a pid namespace",
			     SUBTREE | SELF | MORE));
	/* which of them is found first, nobody knows */
	ASSERT_EQ(0, refused("nested_pids", "pid namespace", CGROUP | MORE));
}

TEST_F_TIMEOUT(refused, process_1, CKPT_TIMEOUT)
{
	struct refusal r = { "nested_pids", "process 1 of a pid namespace",
			     SUBTREE | MORE };
	char path[128], text[16];
	struct ckpt_run run;
	pid_t pid, init;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, r.subject));
	snprintf(path, sizeof(path), "%s/init", run.dir);
	ASSERT_EQ(sizeof(init), ckpt_slurp(path, text, sizeof(text)));
	memcpy(&init, text, sizeof(init));
	pid = run.pid;
	run.pid = init;
	/* the pipe is ours, too, which makes it external, not refused */
	EXPECT_EQ(0, ask(&run, &r));
	run.pid = pid;
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* One of its supplementary groups has no number there. */
SUBJECT(no_number)
{
	gid_t group = 4321;

	CHECK_EQ(0, setgroups(1, &group));
	CHECK_EQ(0, unshare(CLONE_NEWUSER));
	put("/proc/self/uid_map", "0 0 1");
	put("/proc/self/setgroups", "deny");
	put("/proc/self/gid_map", "0 0 1");
	point();
	CHECK_EQ(1, getgroups(1, &group));
	CHECK_EQ(65534, group);
}

TEST_F_TIMEOUT(refused, no_number, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("no_number", "a user or group id has no number in its user namespace",
			     SELF));
}

/* ---- who waits for, traces or watches others --------------------------- */

/* The child of vfork() alone, and its parent waits. They do not share memory. */
SUBJECT(vfork_outside)
{
	pid_t pid, self;
	int status;

	pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (!pid) {
		self = getpid();
		subject_report("child", &self, sizeof(self));
		subject_ready();
		subject_wait("go");
		_exit(0);
	}
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(0, status);
}

TEST_F_TIMEOUT(refused, vfork_outside, CKPT_TIMEOUT)
{
	struct refusal r = { "vfork_outside",
			     "a task outside of the target waits for it in vfork()",
			     SUBTREE };
	char path[128], text[16];
	struct ckpt_run run;
	pid_t pid, child;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, r.subject));
	snprintf(path, sizeof(path), "%s/child", run.dir);
	ASSERT_EQ(sizeof(child), ckpt_slurp(path, text, sizeof(text)));
	memcpy(&child, text, sizeof(child));
	pid = run.pid;
	run.pid = child;
	EXPECT_EQ(0, ask(&run, &r));
	run.pid = pid;
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

SUBJECT(tracing)
{
	pid_t pid = fork_outside(0);

	if (!pid)
		outside_waits();
	subject_wait("outside");
	CHECK_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	point();
}

TEST_F_TIMEOUT(refused, tracing, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("tracing", "tracing other tasks (ptrace)", ALL));
}

/* One that is held at an event that its tracer asked for. */
SUBJECT(tracing_options)
{
	unsigned long child;
	int fds[2], status;
	pid_t pid;
	char c;

	CHECK_EQ(0, pipe(fds));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(1, read(fds[0], &c, 1));
		CHECK(fork() >= 0);
		_exit(0);
	}
	CHECK_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL,
			   PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL));
	CHECK_EQ(1, write(fds[1], "e", 1));
	CHECK_EQ(pid, waitpid(pid, &status, __WALL));
	CHECK_EQ(SIGTRAP | PTRACE_EVENT_FORK << 8, status >> 8);
	point();
	CHECK_EQ(0, ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child));
	CHECK_EQ(child, waitpid(child, &status, __WALL));
	CHECK_EQ(SIGTRAP | PTRACE_EVENT_STOP << 8, status >> 8);
	/* the options are there yet */
	CHECK_EQ(0, ptrace(PTRACE_CONT, pid, NULL, NULL));
	CHECK_EQ(pid, waitpid(pid, &status, __WALL));
	CHECK_EQ(SIGTRAP | PTRACE_EVENT_EXIT << 8, status >> 8);
	CHECK_EQ(0, ptrace(PTRACE_CONT, pid, NULL, NULL));
	CHECK_EQ(pid, waitpid(pid, &status, __WALL));
	CHECK_EQ(0, status);
	/* no sooner: its parent would be sent a signal */
	CHECK_EQ(0, ptrace(PTRACE_DETACH, child, NULL, NULL));
}

/* a dry run names the tracer, too; the others, that the first cannot be stopped */
TEST_F_TIMEOUT(refused, tracing_options, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("tracing_options", "trac", ALL | MORE));
}

/* None of a target, but one could be named. */
TEST_F_TIMEOUT(refused, kernel_thread, CKPT_TIMEOUT)
{
	struct refusal r = { NULL, "is a kernel thread", SUBTREE | MORE };
	struct ckpt_run run;
	char comm[32];
	pid_t pid;

	/* kthreadd, with all of its children, and the first of these */
	if (ckpt_slurp("/proc/2/comm", comm, sizeof(comm)) <= 0 ||
	    strcmp(comm, "kthreadd\n"))
		SKIP(return, "in a pid namespace");
	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "uprobe_not_hit"));
	pid = run.pid;
	for (run.pid = 2; run.pid <= 3; run.pid++)
		EXPECT_EQ(0, ask(&run, &r));
	/* and those of the root cgroup, among all others */
	run.pid = pid;
	run.how.target = CKPT_CGROUP;
	close(run.cgroup_fd);
	run.cgroup_fd = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run.cgroup_fd >= 0 && !access("/sys/fs/cgroup/cgroup.procs", F_OK)) {
		int fd = ckpt_open(&run, "image", O_CREAT | O_TRUNC | O_WRONLY);

		EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd));
		EXPECT_EQ(1, ckpt_log_has(&run, r.words)) ckpt_print(&run, "log");
		close(fd);
	}
	close(run.cgroup_fd);
	run.cgroup_fd = -1;
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
	rmdir(run.cgroup);
}

/* What its parent is told of its end with is not for the program it now runs. */
SUBJECT(exit_signal)
{
	char self[PATH_MAX];
	pid_t pid;

	signal(SIGUSR1, SIG_IGN);
	pid = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (!pid) {
		subject_wait("go");
		_exit(0);
	}
	self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = '\0';
	execl(self, self, "--subject", "exit_signal_exec", subject_dir, "0", NULL);
	CHECK(false);
}

SUBJECT(exit_signal_exec)
{
	int status;

	point();
	CHECK(waitpid(-1, &status, __WALL) > 0);
	CHECK_EQ(0, status);
}

TEST_F_TIMEOUT(refused, exit_signal, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("exit_signal", "of which its parent no longer knows", ALL));
}

/* ---- Landlock, perf, tracing, io_uring --------------------------------- */

SUBJECT(landlock)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_FIFO,
	};
	int fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	CHECK(fd >= 0);
	CHECK_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_EQ(0, syscall(SYS_landlock_restrict_self, fd, 0));
	close(fd);
	point();
	CHECK_EQ(-1, mkfifo(subject_path("f/fifo"), 0600));
	CHECK_EQ(EACCES, errno);
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
		       LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

TEST_F_TIMEOUT(refused, landlock, CKPT_TIMEOUT)
{
	if (!has_landlock())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("landlock", "a Landlock domain", ALL));
}

/* What the caller of restart() may not do, those that it makes may not, either. */
SUBJECT(landlock_caller)
{
	subject_point();
	if (mkfifo(subject_path("f/fifo"), 0600))
		CHECK_EQ(EACCES, errno);
	CHECK_EQ(subject_told("landlock"), !subject_told("f/fifo"));
}

TEST_F_TIMEOUT(refused, landlock_caller, CKPT_TIMEOUT)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_FIFO,
	};
	struct ckpt_run run;
	int status, fd;
	pid_t pid;

	if (!has_landlock())
		SKIP(return, "no Landlock");
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "landlock_caller"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	pid = fork();
	if (!pid) {
		fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
		if (syscall(SYS_landlock_restrict_self, fd, 0))
			_exit(1);
		ckpt_touch(&run, "landlock");
		_exit(ckpt_restart(&run) != run.pid || ckpt_finish(&run) ? 2 : 0);
	}
	run.pid = 0;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status) ckpt_print(&run, "log");
	ckpt_remove(&run, "landlock");
	EXPECT_LT(0, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

static int perf_clock(void)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_TASK_CLOCK,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* The event is ours, though somebody else has its descriptor. */
SUBJECT(perf_events)
{
	int fd = perf_clock();

	CHECK(fd >= 0);
	if (!fork_outside(0))
		outside_waits();
	subject_wait("outside");
	close(fd);
	point();
}

static bool has_perf(void)
{
	int fd = perf_clock();

	close(fd);
	return fd >= 0;
}

TEST_F_TIMEOUT(refused, perf_events, CKPT_TIMEOUT)
{
	if (!has_perf())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("perf_events", "perf events: not supported", ALL));
}

/* One that watches it from outside is no state of its own. */
static __attribute__((noinline, aligned(16))) int probed(int i)
{
	asm volatile("nop");
	return i + 1;
}

SUBJECT(uprobe)
{
	int (*volatile fn)(int) = probed;

	CHECK_EQ(2, fn(1));
	point();
	CHECK_EQ(3, fn(2));
}

SUBJECT(uprobe_not_hit)
{
	point();
}

/* Where a function is in the file that we run. */
static uint64_t file_offset(const void *address)
{
	const Elf64_Phdr *phdr = (void *)getauxval(AT_PHDR);
	unsigned long nr = getauxval(AT_PHNUM), i;

	for (i = 0; i < nr; i++)
		if (phdr[i].p_type == PT_LOAD &&
		    (uintptr_t)address - phdr[i].p_vaddr < phdr[i].p_filesz)
			return (uintptr_t)address - phdr[i].p_vaddr + phdr[i].p_offset;
	return 0;
}

static int probe(void)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	char self[PATH_MAX], type[32];
	ssize_t len;

	if (ckpt_slurp("/sys/bus/event_source/devices/uprobe/type", type, sizeof(type)) <= 0)
		return -1;
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len < 0)
		return -1;
	self[len] = '\0';
	attr.type = atoi(type);
	attr.config1 = (uintptr_t)self;
	attr.config2 = file_offset(probed);
	return syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

TEST_F_TIMEOUT(refused, uprobes, CKPT_TIMEOUT)
{
	int fd = probe();

	if (fd < 0)
		SKIP(return, "no uprobes: %s", strerror(errno));
	EXPECT_EQ(0, refused("uprobe_not_hit", "uprobes", ALL));
	/* the page where it steps over what the probe took the place of */
	EXPECT_EQ(0, refused("uprobe", "uprobes", ALL | MORE));
	close(fd);
}

/* The descriptor is as good as what it does to its task. */
#define KCOV		"/sys/kernel/debug/kcov"
#define KCOV_INIT_TRACE	_IOR('c', 1, unsigned long)
#define KCOV_ENABLE	_IO('c', 100)

SUBJECT(kcov)
{
	int fd = open(KCOV, O_RDWR | O_CLOEXEC);
	void *p;

	CHECK_EQ(0, ioctl(fd, KCOV_INIT_TRACE, 512));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(0, ioctl(fd, KCOV_ENABLE, 0));
	point();
}

TEST_F_TIMEOUT(refused, kcov, CKPT_TIMEOUT)
{
	if (access(KCOV, W_OK))
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("kcov", "kcov", ALL | MORE));
}

static int user_events_open(void)
{
	int fd = open("/sys/kernel/tracing/user_events_data", O_RDWR | O_CLOEXEC);

	return fd >= 0 ? fd : open("/sys/kernel/debug/tracing/user_events_data",
				   O_RDWR | O_CLOEXEC);
}

SUBJECT(user_events)
{
	static uint32_t enabled;
	struct user_reg reg = {
		.size = sizeof(reg),
		.enable_bit = 31,
		.enable_size = sizeof(enabled),
		.enable_addr = (uintptr_t)&enabled,
		.name_args = (uintptr_t)"ckpt_test u32 number",
	};
	struct user_unreg unreg = {
		.size = sizeof(unreg),
		.disable_bit = 31,
		.disable_addr = (uintptr_t)&enabled,
	};
	int fd = user_events_open();

	CHECK(fd >= 0);
	CHECK_EQ(0, ioctl(fd, DIAG_IOCSREG, &reg));
	close(fd);
	point();
	fd = user_events_open();
	CHECK_EQ(0, ioctl(fd, DIAG_IOCSUNREG, &unreg));
	close(fd);
}

static bool has_user_events(void)
{
	int fd = user_events_open();

	close(fd);
	return fd >= 0;
}

TEST_F_TIMEOUT(refused, user_events, CKPT_TIMEOUT)
{
	if (!has_user_events())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("user_events", "user events: not supported", ALL));
}

static int ring(void)
{
	struct io_uring_params params = {};

	return syscall(SYS_io_uring_setup, 4, &params);
}

/* Somebody outside has it, and we do, or have no more. */
SUBJECT(io_uring_shared)
{
	int fd = ring();

	CHECK(fd >= 0);
	if (!fork_outside(0))
		outside_waits();
	subject_wait("outside");
	point();
	CHECK_EQ(0, fcntl(fd, F_GETFD) & ~FD_CLOEXEC);
}

SUBJECT(io_uring_given)
{
	int fd = ring();

	CHECK(fd >= 0);
	if (!fork_outside(0))
		outside_waits();
	subject_wait("outside");
	close(fd);
	point();
}

/* A ring with memory, to make requests with. */
struct ring {
	int			fd;
	struct io_uring_params	params;
	char			*mem;
	struct io_uring_sqe	*sqes;
};

static void ring_open(struct ring *ring, unsigned int flags)
{
	size_t len;

	memset(ring, 0, sizeof(*ring));
	ring->params.flags = flags;
	ring->fd = syscall(SYS_io_uring_setup, 4, &ring->params);
	CHECK(ring->fd >= 0);
	CHECK(ring->params.features & IORING_FEAT_SINGLE_MMAP);
	len = ring->params.cq_off.cqes +
		ring->params.cq_entries * sizeof(struct io_uring_cqe);
	ring->mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			 IORING_OFF_SQ_RING);
	CHECK(ring->mem != MAP_FAILED);
	ring->sqes = mmap(NULL, 4 * sizeof(*ring->sqes), PROT_READ | PROT_WRITE,
			  MAP_SHARED, ring->fd, IORING_OFF_SQES);
	CHECK(ring->sqes != MAP_FAILED);
}

static unsigned int *ring_word(struct ring *ring, uint32_t offset)
{
	return (unsigned int *)(ring->mem + offset);
}

static void ring_submit(struct ring *ring, const struct io_uring_sqe *sqe)
{
	ring->sqes[0] = *sqe;
	ring_word(ring, ring->params.sq_off.array)[0] = 0;
	__atomic_store_n(ring_word(ring, ring->params.sq_off.tail), 1, __ATOMIC_RELEASE);
	CHECK_EQ(1, syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0));
}

/* Nothing is done yet. */
static void ring_idle(struct ring *ring)
{
	CHECK_EQ(0, __atomic_load_n(ring_word(ring, ring->params.cq_off.tail),
				    __ATOMIC_ACQUIRE));
}

static int ring_result(struct ring *ring)
{
	struct io_uring_cqe *cqes = (void *)(ring->mem + ring->params.cq_off.cqes);

	CHECK_EQ(0, syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS,
			    NULL, 0));
	CHECK_EQ(1, __atomic_load_n(ring_word(ring, ring->params.cq_off.tail),
				    __ATOMIC_ACQUIRE));
	return cqes[0].res;
}

/* A read that is under way, */
SUBJECT(io_uring_read)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_READ, .len = 4 };
	struct ring ring;
	char buf[4] = "";
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	ring_open(&ring, 0);
	sqe.fd = fds[0];
	sqe.addr = (uintptr_t)buf;
	ring_submit(&ring, &sqe);
	point();
	ring_idle(&ring);
	CHECK_EQ(3, write(fds[1], "abc", 3));
	CHECK_EQ(3, ring_result(&ring));
	CHECK_MEM("abc", buf, 4);
}

/* ... and one that a thread of the kernel does, as it sleeps. */
SUBJECT(io_uring_worker)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_OPENAT, .flags = IOSQE_ASYNC,
		.fd = AT_FDCWD, .open_flags = O_RDONLY,
	};
	struct ring ring;
	int fd;

	CHECK_EQ(0, mkfifo(subject_path("f/fifo"), 0600));
	ring_open(&ring, 0);
	sqe.addr = (uintptr_t)subject_path("f/fifo");
	ring_submit(&ring, &sqe);
	ckpt_sleep_ms(50);
	point();
	ring_idle(&ring);
	fd = subject_open("f/fifo", O_WRONLY);
	CHECK(fd >= 0);
	CHECK(ring_result(&ring) >= 0);
}

SUBJECT(io_uring_thread)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_NOP };
	struct ring ring;

	ring_open(&ring, IORING_SETUP_SQPOLL);
	point();
	ring_idle(&ring);
	ring.sqes[0] = sqe;
	ring_word(&ring, ring.params.sq_off.array)[0] = 0;
	__atomic_store_n(ring_word(&ring, ring.params.sq_off.tail), 1, __ATOMIC_RELEASE);
	CHECK(syscall(SYS_io_uring_enter, ring.fd, 1, 0, IORING_ENTER_SQ_WAKEUP,
		      NULL, 0) >= 0);
	CHECK_EQ(0, ring_result(&ring));
}

static bool has_io_uring(void)
{
	int fd = ring();

	close(fd);
	return fd >= 0;
}

TEST_F_TIMEOUT(refused, io_uring, CKPT_TIMEOUT)
{
	if (!has_io_uring())
		SKIP(return, "no io_uring");
	EXPECT_EQ(0, refused("io_uring_shared", "io_uring: a ring that", ALL));
	EXPECT_EQ(0, refused("io_uring_given", "has given to others", ALL));
	EXPECT_EQ(0, refused("io_uring_read", "requests are in flight", ALL | MORE));
	EXPECT_EQ(0, refused("io_uring_worker", "requests are in flight", ALL | MORE));
	EXPECT_EQ(0, refused("io_uring_thread", "IORING_SETUP_SQPOLL", ALL));
}

/* ---- futexes, timers, sleeps ------------------------------------------- */

/* One outside waits for what we hold, in a file that both have mapped. */
SUBJECT(pi_outside)
{
	int fd = make_file("f/futex");
	uint32_t *futex;

	CHECK_EQ(0, ftruncate(fd, 4096));
	futex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(futex != MAP_FAILED);
	*futex = 0;
	CHECK_EQ(0, syscall(SYS_futex, futex, FUTEX_LOCK_PI, 0, NULL));
	CHECK_EQ(getpid(), *futex);
	if (!fork_outside(0)) {
		CHECK_EQ(0, syscall(SYS_futex, futex, FUTEX_LOCK_PI, 0, NULL));
		CHECK_EQ(0, syscall(SYS_futex, futex, FUTEX_UNLOCK_PI));
		_exit(0);
	}
	while (!(READ_ONCE(*futex) & FUTEX_WAITERS))
		ckpt_sleep_ms(1);
	ckpt_sleep_ms(20);
	point();
	CHECK_EQ(getpid() | FUTEX_WAITERS, *futex);
	CHECK_EQ(0, syscall(SYS_futex, futex, FUTEX_UNLOCK_PI));
	CHECK_EQ(0, syscall(SYS_futex, futex, FUTEX_LOCK_PI, 0, NULL));
}

TEST_F_TIMEOUT(refused, pi_outside, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("pi_outside", "a contended priority-inheriting futex", ALL));
}

static pthread_barrier_t barrier;
static pid_t notified;

/* It has to be there for the timer to be made. */
static void *is_notified(void *arg)
{
	notified = gettid();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return arg;
}

SUBJECT(timer_gone)
{
	struct itimerspec left, set = { .it_value.tv_sec = 1000 };
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGUSR1,
	};
	pthread_t thread;
	timer_t timer;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(0, pthread_create(&thread, NULL, is_notified, NULL));
	pthread_barrier_wait(&barrier);
	event._sigev_un._tid = notified;
	CHECK_EQ(0, timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK_EQ(0, timer_settime(timer, 0, &set, NULL));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(0, pthread_join(thread, NULL));
	point();
	CHECK_EQ(0, timer_gettime(timer, &left));
	CHECK(left.it_value.tv_sec > 500);
}

TEST_F_TIMEOUT(refused, timer_gone, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("timer_gone", "a POSIX timer of, or for, a task that is gone",
			     ALL));
}

static clockid_t cpu_clock;
static atomic_int sleeper;

static volatile sig_atomic_t usr1s;

static void on_usr1(int sig)
{
	usr1s++;
}

static void *sleeps_by_cpu(void *arg)
{
	struct timespec left = {}, ts = { .tv_sec = 1000 };

	sleeper = gettid();
	CHECK_EQ(EINTR, clock_nanosleep(cpu_clock, 0, &ts, &left));
	CHECK(left.tv_sec > 500);
	return arg;
}

SUBJECT(cpu_sleep)
{
	struct sigaction sa = { .sa_handler = on_usr1 };
	pthread_t thread;

	CHECK_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	CHECK_EQ(0, pthread_getcpuclockid(pthread_self(), &cpu_clock));
	CHECK_EQ(0, pthread_create(&thread, NULL, sleeps_by_cpu, NULL));
	while (!sleeper)
		ckpt_sleep_ms(1);
	await_sleep(sleeper);
	point();
	CHECK_EQ(0, pthread_kill(thread, SIGUSR1));
	CHECK_EQ(0, pthread_join(thread, NULL));
}

TEST_F_TIMEOUT(refused, cpu_sleep, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("cpu_sleep", "a sleep on a CPU-time or alarm clock", ALL));
}

/* ---- scheduling -------------------------------------------------------- */

static bool new_cookie(void)
{
	/* PR_SCHED_CORE_CREATE, for this thread */
	return !prctl(PR_SCHED_CORE, 1, 0, 0, 0);
}

SUBJECT(core_cookie)
{
	CHECK(new_cookie());
	point();
}

static bool has_cookies(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(new_cookie() ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && !status;
}

TEST_F_TIMEOUT(refused, core_cookie, CKPT_TIMEOUT)
{
	if (!has_cookies())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("core_cookie", "core scheduling (PR_SCHED_CORE)", ALL));
}

/* ---- memory ------------------------------------------------------------ */

#define HUGE_SIZE	(2UL << 20)

static void *map_huge(void)
{
	return mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
}

SUBJECT(hugetlb_anon)
{
	char *p = map_huge();

	CHECK(p != MAP_FAILED);
	p[HUGE_SIZE - 1] = 7;
	point();
	CHECK_EQ(7, p[HUGE_SIZE - 1]);
}

SUBJECT(hugetlb_memfd)
{
	CHECK_EQ(5, dup2(memfd_create("huge", MFD_HUGETLB), 5));
	close(3);
	point();
	CHECK_EQ(0, ftruncate(5, HUGE_SIZE));
}

TEST_F_TIMEOUT(refused, hugetlb, CKPT_TIMEOUT)
{
	char was[32] = "0";
	void *p;

	if (access("/proc/sys/vm/nr_hugepages", W_OK))
		SKIP(return, "no huge pages");
	ckpt_slurp("/proc/sys/vm/nr_hugepages", was, sizeof(was));
	put("/proc/sys/vm/nr_hugepages", "2");
	p = map_huge();
	if (p == MAP_FAILED)
		SKIP(return, "no memory for huge pages");
	munmap(p, HUGE_SIZE);
	EXPECT_EQ(0, refused("hugetlb_anon", "hugetlbfs memory", ALL));
	EXPECT_EQ(0, refused("hugetlb_memfd", "fd 5", ALL));
	put("/proc/sys/vm/nr_hugepages", was);
}

static int uffd_register(void *p, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)p, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -1;
	CHECK_EQ(0, ioctl(fd, UFFDIO_API, &api));
	CHECK_EQ(0, ioctl(fd, UFFDIO_REGISTER, &reg));
	return fd;
}

SUBJECT(uffd_fd)
{
	CHECK_EQ(5, dup2(uffd_register(map_page(MAP_PRIVATE), 4096), 5));
	close(3);
	point();
	CHECK_EQ(0, fcntl(5, F_GETFD));
}

/* Somebody else brings our pages in. */
SUBJECT(uffd_given)
{
	char *p = map_page(MAP_PRIVATE), *from = map_page(MAP_PRIVATE);
	int fd = uffd_register(p, 4096);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)p, .src = (uintptr_t)from, .len = 4096,
	};

	CHECK(fd >= 0);
	*from = 7;
	if (!fork_outside(0)) {
		subject_touch("outside");
		subject_wait("go");
		CHECK_EQ(0, ioctl(fd, UFFDIO_COPY, &copy));
		_exit(0);
	}
	subject_wait("outside");
	close(fd);
	point();
	CHECK_EQ(7, *p);
}

static void *touch(void *page)
{
	return (void *)(long)*(volatile char *)page;
}

/* A thread waits for a page, and nobody was told of it yet. */
SUBJECT(uffd_waiting)
{
	char *p = map_page(MAP_PRIVATE), *from = map_page(MAP_PRIVATE);
	int fd = uffd_register(p, 4096);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)p, .src = (uintptr_t)from, .len = 4096,
	};
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	struct uffd_msg msg;
	pthread_t thread;
	void *ret;

	CHECK(fd >= 0);
	CHECK_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	*from = 7;
	CHECK_EQ(0, pthread_create(&thread, NULL, touch, p));
	CHECK_EQ(1, poll(&poller, 1, -1));
	point();
	CHECK_EQ(1, poll(&poller, 1, -1));
	CHECK_EQ(sizeof(msg), read(fd, &msg, sizeof(msg)));
	CHECK_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
	CHECK_EQ(0, ioctl(fd, UFFDIO_COPY, &copy));
	CHECK_EQ(0, pthread_join(thread, &ret));
	CHECK_EQ(7, (long)ret);
}

TEST_F_TIMEOUT(refused, userfaultfd, CKPT_TIMEOUT)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		SKIP(return, "no userfaultfd");
	close(fd);
	EXPECT_EQ(0, refused("uffd_fd", "userfaultfd", ALL));
	EXPECT_EQ(0, refused("uffd_given", ": userfaultfd", ALL));
	EXPECT_EQ(0, refused("uffd_waiting", "userfaultfd", ALL | MORE));
}

static int new_secret(void)
{
	return syscall(SYS_memfd_secret, 0);
}

SUBJECT(secret_fd)
{
	int fd = new_secret();

	CHECK_EQ(0, ftruncate(fd, 4096));
	CHECK_EQ(5, dup2(fd, 5));
	close(fd);
	point();
	CHECK_EQ(0, fcntl(5, F_GETFD));
}

SUBJECT(secret_memory)
{
	int fd = new_secret();
	char *p;

	CHECK_EQ(0, ftruncate(fd, 4096));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	close(fd);
	*p = 7;
	point();
	CHECK_EQ(7, *p);
}

TEST_F_TIMEOUT(refused, secret_memory, CKPT_TIMEOUT)
{
	int fd = new_secret();

	if (fd < 0)
		SKIP(return, "no memfd_secret()");
	close(fd);
	EXPECT_EQ(0, refused("secret_fd", "fd 5: ", ALL));
	EXPECT_EQ(0, refused("secret_memory", "secretmem", ALL));
}

SUBJECT(sealed)
{
	char *p = map_page(MAP_PRIVATE);

	CHECK_EQ(0, syscall(SYS_mseal, p, 4096, 0));
	point();
	CHECK_EQ(-1, munmap(p, 4096));
	CHECK_EQ(EPERM, errno);
}

static bool has_mseal(void)
{
	return !syscall(SYS_mseal, 0, 0, 0) || errno != ENOSYS;
}

TEST_F_TIMEOUT(refused, sealed, CKPT_TIMEOUT)
{
	if (!has_mseal())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("sealed", "a sealed mapping", ALL));
}

SUBJECT(merge_all)
{
	CHECK_EQ(0, prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0));
	point();
	/* PR_GET_MEMORY_MERGE */
	CHECK_EQ(1, prctl(PR_SET_MEMORY_MERGE + 1, 0, 0, 0, 0));
}

TEST_F_TIMEOUT(refused, merge_all, CKPT_TIMEOUT)
{
	if (!(prctl(PR_SET_MEMORY_MERGE + 1, 0, 0, 0, 0) >= 0))
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("merge_all", "merging of all of its memory (PR_SET_MEMORY_MERGE)",
			     ALL));
}

/* Somebody outside has the ring mapped. */
SUBJECT(aio_outside)
{
	aio_context_t ctx = 0;

	CHECK_EQ(0, syscall(SYS_io_setup, 4, &ctx));
	if (!fork_outside(0))
		outside_waits();
	subject_wait("outside");
	point();
	CHECK_EQ(0, syscall(SYS_io_destroy, ctx));
}

TEST_F_TIMEOUT(refused, aio, CKPT_TIMEOUT)
{
	aio_context_t ctx = 0;

	if (syscall(SYS_io_setup, 4, &ctx))
		SKIP(return, "not in this kernel or machine");
	syscall(SYS_io_destroy, ctx);
	ASSERT_EQ(0, refused("aio_outside",
			     "a ring of asynchronous I/O that a task outside has mapped",
			     ALL));
}

static int *map_device(void)
{
	int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

SUBJECT(device_memory)
{
	int *p = map_device(), word;

	CHECK(p);
	word = *p;
	point();
	CHECK_EQ(word, *p);
}

TEST_F_TIMEOUT(refused, device_memory, CKPT_TIMEOUT)
{
	if (!map_device())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("device_memory", "memory of a device", ALL));
}

static sig_atomic_t failed_memory;

static void on_sigbus(int sig)
{
	failed_memory = 1;
}

/* A page that the machine says is broken. */
SUBJECT(failed_memory)
{
	char *p = map_page(MAP_PRIVATE);

	signal(SIGBUS, on_sigbus);
	*p = 7;
	/* which it may be told of with a signal */
	CHECK_EQ(0, madvise(p, 4096, MADV_HWPOISON));
	point();
	CHECK_EQ(0, munmap(p, 4096));
}

static bool can_fail_memory(void)
{
	/* of nothing */
	return !madvise(map_page(MAP_PRIVATE), 0, MADV_HWPOISON);
}

TEST_F_TIMEOUT(refused, failed_memory, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int fd;

	if (!can_fail_memory())
		SKIP(return, "no MADV_HWPOISON");
	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "failed_memory"));
	EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1));
	EXPECT_EQ(1, ckpt_log_has(&run, "memory that failed")) ckpt_print(&run, "log");
	EXPECT_EQ(1, ckpt_log_has(&run, "")) ckpt_print(&run, "log");
	fd = ckpt_open(&run, "image", O_CREAT | O_TRUNC | O_WRONLY);
	EXPECT_EQ(-EIO, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd));
	EXPECT_EQ(1, ckpt_log_has(&run, "memory that failed")) ckpt_print(&run, "log");
	close(fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ---- the vDSO ---------------------------------------------------------- */

static bool find_map(const char *name, unsigned long *start, unsigned long *end)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	bool found = false;
	char line[512];

	while (!found && maps && fgets(line, sizeof(line), maps))
		found = strstr(line, name) &&
			sscanf(line, "%lx-%lx", start, end) == 2;
	if (maps)
		fclose(maps);
	return found;
}

/* No more calls of libc that may go by way of it. */
static void vdso_child(void (*fn)(void *start, size_t len))
{
	unsigned long start, end;
	struct child child;

	CHECK(find_map("[vdso]", &start, &end));
	if (make_child(&child)) {
		subject_touch("child");
		fn((void *)start, end - start);
		child_waits_quietly(&child);
	}
	await_sleep(child.pid);
	point();
	end_child(&child);
}

static void vdso_unmap(void *start, size_t len)
{
	CHECK_EQ(0, munmap(start, len));
}

static void vdso_protect(void *start, size_t len)
{
	CHECK_EQ(0, mprotect(start, len, PROT_READ));
}

static void vdso_write(void *start, size_t len)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(1, pwrite(fd, "", 1, (off_t)start + len - 1));
	close(fd);
}

static void vdso_move(void *start, size_t len)
{
	void *to = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(to != MAP_FAILED);
	CHECK(mremap(start, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

SUBJECT(vdso_gone) { vdso_child(vdso_unmap); }
SUBJECT(vdso_protected) { vdso_child(vdso_protect); }
SUBJECT(vdso_written) { vdso_child(vdso_write); }
SUBJECT(vdso_moved) { vdso_child(vdso_move); }

TEST_F_TIMEOUT(refused, vdso, CKPT_TIMEOUT)
{
	unsigned long start, end;

	if (!find_map("[vdso]", &start, &end))
		SKIP(return, "no vDSO");
	EXPECT_EQ(0, refused("vdso_gone", "a vDSO without its other half", ALL | MORE));
	EXPECT_EQ(0, refused("vdso_protected", "a vDSO with another protection", ALL));
	EXPECT_EQ(0, refused("vdso_written", "a vDSO that was written to", ALL));
	EXPECT_EQ(0, refused("vdso_moved", "vDSO", ALL | MORE));
}

/* ---- files ------------------------------------------------------------- */

/* Whatever is descriptor 5 is refused, with some words. */
static void file_point(int fd)
{
	int flags;

	CHECK(fd >= 0);
	CHECK_EQ(5, dup2(fd, 5));
	if (fd != 5)
		close(fd);
	flags = fcntl(5, F_GETFL);
	point();
	CHECK_EQ(flags, fcntl(5, F_GETFL));
}

#define FILE_SUBJECT(name, fd)	SUBJECT(name) { file_point(fd); }

FILE_SUBJECT(packet, socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)))

static bool has_socket(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);

	close(fd);
	return fd >= 0;
}

TEST_F_TIMEOUT(refused, sockets, CKPT_TIMEOUT)
{
	static const char words[] = "is of a family that is not supported";

	if (!has_socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)))
		SKIP(return, "kernel has no packet sockets");
	EXPECT_EQ(0, refused("packet", words, ALL));
}

FILE_SUBJECT(fanotify, fanotify_init(FAN_CLASS_CONTENT, O_RDONLY))
FILE_SUBJECT(perf_fd, perf_clock())

static int new_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1,
	};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

FILE_SUBJECT(bpf_map, new_map())

static int new_program(void)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = 2,
		.insns = (uintptr_t)insns,
		.license = (uintptr_t)"GPL",
	};

	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

FILE_SUBJECT(bpf_program, new_program())

static int new_ruleset(void)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_FIFO,
	};

	return syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
}

FILE_SUBJECT(ruleset, new_ruleset())

TEST_F_TIMEOUT(refused, fanotify, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, refused("fanotify", "fd 5: a fanotify group", ALL));
}

TEST_F_TIMEOUT(refused, bpf, CKPT_TIMEOUT)
{
	int fd = new_map();

	if (fd < 0)
		SKIP(return, "no bpf()");
	close(fd);
	EXPECT_EQ(0, refused("bpf_map", "fd 5: anon_inode:bpf-map", ALL));
	EXPECT_EQ(0, refused("bpf_program", "fd 5: anon_inode:bpf-prog", ALL));
}

TEST_F_TIMEOUT(refused, other_fds, CKPT_TIMEOUT)
{
	if (has_perf())
		EXPECT_EQ(0, refused("perf_fd", "perf", ALL | MORE));
	if (has_landlock())
		EXPECT_EQ(0, refused("ruleset", "fd 5: anon_inode:[landlock-ruleset]", ALL));
}

static const char * const devices[] = {
	"/dev/fuse", "/dev/net/tun", "/dev/mem", "/dev/kmsg", "/dev/hwrng",
	"/dev/loop-control", "/dev/loop0", "/dev/cpu/0/cpuid",
};

/* So many of them are there wherever this runs, see the file config. */
#define DEVICES_NEEDED	2

static int open_device(unsigned int i)
{
	return open(devices[i], O_RDONLY | O_NONBLOCK);
}

/* Which one, the name of the subject says. */
FILE_SUBJECT(device_0, open_device(0))
FILE_SUBJECT(device_1, open_device(1))
FILE_SUBJECT(device_2, open_device(2))
FILE_SUBJECT(device_3, open_device(3))
FILE_SUBJECT(device_4, open_device(4))
FILE_SUBJECT(device_5, open_device(5))
FILE_SUBJECT(device_6, open_device(6))
FILE_SUBJECT(device_7, open_device(7))

/* Those that are supported, but not without a name. */
SUBJECT(device_deleted)
{
	static const char name[] = "/dev/ckpt-test-null";
	int fd;

	unlink(name);
	CHECK_EQ(0, mknod(name, S_IFCHR | 0600, makedev(1, 3)));
	fd = open(name, O_RDWR);
	CHECK_EQ(0, unlink(name));
	file_point(fd);
}

TEST_F_TIMEOUT(refused, devices, CKPT_TIMEOUT)
{
	char subject[16], words[64];
	unsigned int i, nr = 0;
	int fd;

	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		fd = open_device(i);
		close(fd);
		if (i < DEVICES_NEEDED)
			EXPECT_LE(0, fd) TH_LOG("no %s", devices[i]);
		if (fd < 0)
			continue;
		snprintf(subject, sizeof(subject), "device_%u", i);
		snprintf(words, sizeof(words), "fd 5: %s", devices[i]);
		EXPECT_EQ(0, refused(subject, words, ALL));
		nr++;
	}
	EXPECT_LT(2, nr);
	EXPECT_EQ(0, refused("device_deleted", "is a device node that was deleted", ALL));
}

/* Files of filesystems that nobody vouches for. */
#define DEBUGFS_FILE	"/sys/kernel/debug/sched/features"

FILE_SUBJECT(on_debugfs, open(DEBUGFS_FILE, O_RDONLY))

TEST_F_TIMEOUT(refused, filesystems, CKPT_TIMEOUT)
{
	if (!access(DEBUGFS_FILE, R_OK))
		EXPECT_EQ(0, refused("on_debugfs", "fd 5: " DEBUGFS_FILE, ALL));
}

/* Anything may be locked; what is no file is restored, but not that. */
static int lock_it(int fd)
{
	CHECK_EQ(0, flock(fd, LOCK_EX));
	return fd;
}

static int pipe_end(void)
{
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	close(fds[1]);
	return fds[0];
}

FILE_SUBJECT(locked_device, lock_it(open("/dev/null", O_RDWR)))
FILE_SUBJECT(locked_pipe, lock_it(pipe_end()))

TEST_F_TIMEOUT(refused, locked, CKPT_TIMEOUT)
{
	static const char words[] = "is locked, but neither a file nor a directory";

	EXPECT_EQ(0, refused("locked_device", words, ALL));
	EXPECT_EQ(0, refused("locked_pipe", words, ALL));
}

/* O_PATH descriptors, but of files and directories. */
SUBJECT(o_path_fifo)
{
	CHECK_EQ(0, mkfifo(subject_path("f/fifo"), 0600));
	file_point(subject_open("f/fifo", O_PATH));
}

SUBJECT(o_path_link)
{
	CHECK_EQ(0, symlink("target", subject_path("f/link")));
	file_point(subject_open("f/link", O_PATH | O_NOFOLLOW));
}

SUBJECT(o_path_deleted)
{
	int fd;

	close(make_file("f/deleted"));
	fd = subject_open("f/deleted", O_PATH);
	CHECK_EQ(0, unlink(subject_path("f/deleted")));
	file_point(fd);
}

FILE_SUBJECT(o_path_device, open("/dev/null", O_PATH))

/* Of a mount that is nowhere, and goes away with its last descriptor. */
SUBJECT(o_path_detached)
{
	CHECK_EQ(0, mkdir(subject_path("f/dir"), 0700));
	file_point(syscall(SYS_open_tree, AT_FDCWD, subject_path("f/dir"),
			   OPEN_TREE_CLONE));
	CHECK_EQ(0, mkdirat(5, "works", 0700));
}

TEST_F_TIMEOUT(refused, o_path, CKPT_TIMEOUT)
{
	static const char words[] = "is open with O_PATH, but no file or directory";

	EXPECT_EQ(0, refused("o_path_fifo", words, ALL));
	EXPECT_EQ(0, refused("o_path_link", words, ALL));
	EXPECT_EQ(0, refused("o_path_deleted", words, ALL));
	EXPECT_EQ(0, refused("o_path_device", words, ALL));
	EXPECT_EQ(0, refused("o_path_detached",
			     "is not below the root directory of the caller", ALL));
}

/* Neither to be read nor written. */
SUBJECT(ioctl_only)
{
	close(make_file("f/file"));
	file_point(subject_open("f/file", O_ACCMODE));
	CHECK_EQ(-1, read(5, NULL, 0));
	CHECK_EQ(-1, write(5, NULL, 0));
}

TEST_F_TIMEOUT(refused, ioctl_only, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("ioctl_only", "is open for ioctl() only", ALL));
}

/* ---- who is told of files ---------------------------------------------- */

SUBJECT(dnotify)
{
	int fd = subject_open("f", O_RDONLY | O_DIRECTORY);

	/* to close any descriptor of it ends that, so there is but this one */
	CHECK_EQ(0, fcntl(fd, F_SETSIG, SIGUSR1));
	signal(SIGUSR1, on_usr1);
	CHECK_EQ(0, fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	/* nor is anybody told, by which it would be refused already */
	CHECK_EQ(0, fcntl(fd, F_SETOWN, 0));
	CHECK_EQ(0, fcntl(fd, F_SETSIG, 0));
	point();
	CHECK_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	CHECK_EQ(0, fcntl(fd, F_SETSIG, SIGUSR1));
	close(make_file("f/new"));
	CHECK_EQ(1, usr1s);
}

TEST_F_TIMEOUT(refused, dnotify, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("dnotify", "is watched (F_NOTIFY)", ALL));
}

static int fanotify_file(const char *path)
{
	struct fanotify_event_metadata event = {};
	int group = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY);

	if (group < 0)
		return -1;
	if (fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, path))
		return -1;
	close(open(path, O_RDONLY));
	if (read(group, &event, sizeof(event)) != sizeof(event))
		return -1;
	close(group);
	return event.fd;
}

SUBJECT(from_fanotify)
{
	int fd;

	close(make_file("f/watched"));
	fd = fanotify_file(subject_path("f/watched"));
	file_point(fd);
}

TEST_F_TIMEOUT(refused, from_fanotify, CKPT_TIMEOUT)
{
	if (!(fanotify_file("/proc/self/exe") >= 0))
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("from_fanotify", "comes from a fanotify event", ALL));
}

/* ---- files without a name ---------------------------------------------- */

/* It has another name, which something that is mounted there hides. */
SUBJECT(deleted_linked)
{
	int fd = make_file("f/first");

	CHECK_EQ(0, mkdir(subject_path("f/hidden"), 0700));
	CHECK_EQ(0, link(subject_path("f/first"), subject_path("f/hidden/second")));
	CHECK_EQ(0, unlink(subject_path("f/first")));
	CHECK_EQ(0, mount("none", subject_path("f/hidden"), "tmpfs", 0, NULL));
	file_point(fd);
	CHECK_EQ(0, umount(subject_path("f/hidden")));
}

SUBJECT(deleted_xattr)
{
	int fd = make_file("f/attributes");

	CHECK_EQ(0, fsetxattr(fd, "trusted.ckpt", "value", 5, 0));
	CHECK_EQ(0, unlink(subject_path("f/attributes")));
	file_point(fd);
}

/* As chattr(1) does. */
static void add_attribute(int fd, int attribute)
{
	int flags;

	CHECK_EQ(0, ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= attribute;
	CHECK_EQ(0, ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

SUBJECT(deleted_append)
{
	int fd = make_file("f/append");

	CHECK_EQ(0, unlink(subject_path("f/append")));
	add_attribute(fd, FS_APPEND_FL);
	file_point(fd);
}

TEST_F_TIMEOUT(refused, deleted, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, refused("deleted_linked", "but has another one that is not known", ALL));
	EXPECT_EQ(0, refused("deleted_xattr", "has extended attributes", ALL));
	EXPECT_EQ(0, refused("deleted_append", "attributes of chattr(1)", ALL));
}

/* The attributes are those of the file below. */
SUBJECT(deleted_overlay)
{
	char options[3 * PATH_MAX];
	int fd;

	CHECK_EQ(0, mkdir(subject_path("f/lower"), 0700));
	CHECK_EQ(0, mkdir(subject_path("f/upper"), 0700));
	CHECK_EQ(0, mkdir(subject_path("f/work"), 0700));
	CHECK_EQ(0, mkdir(subject_path("f/both"), 0700));
	fd = make_file("f/lower/file");
	CHECK_EQ(0, fsetxattr(fd, "trusted.ckpt", "value", 5, 0));
	close(fd);
	snprintf(options, sizeof(options),
		 "lowerdir=%1$s/f/lower,upperdir=%1$s/f/upper,workdir=%1$s/f/work",
		 subject_dir);
	CHECK_EQ(0, mount("none", subject_path("f/both"), "overlay", 0, options));
	fd = subject_open("f/both/file", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(0, unlink(subject_path("f/both/file")));
	file_point(fd);
	close(5);
	CHECK_EQ(0, umount(subject_path("f/both")));
}

static bool has_overlay(void)
{
	char text[4096];

	return ckpt_slurp("/proc/filesystems", text, sizeof(text)) > 0 &&
		strstr(text, "\toverlay\n");
}

TEST_F_TIMEOUT(refused, deleted_overlay, CKPT_TIMEOUT)
{
	if (!has_overlay())
		SKIP(return, "no overlayfs");
	ASSERT_EQ(0, refused("deleted_overlay", "has extended attributes", ALL));
}

/*
 * A page of a file is broken before it was written back. Each who had the file
 * open is told of that once.
 */
SUBJECT(write_error)
{
	int fd = make_file("f/file");
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	signal(SIGBUS, on_sigbus);
	*p = 7;
	CHECK_EQ(0, madvise(p, 4096, MADV_HWPOISON));
	CHECK_EQ(0, munmap(p, 4096));
	file_point(fd);
	/* unlike fsync() it does something on tmpfs, too */
	CHECK_EQ(-1, sync_file_range(5, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE));
	CHECK_EQ(EIO, errno);
	CHECK_EQ(0, sync_file_range(5, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE));
}

TEST_F_TIMEOUT(refused, write_error, CKPT_TIMEOUT)
{
	if (!can_fail_memory())
		SKIP(return, "no MADV_HWPOISON");
	ASSERT_EQ(0, refused("write_error", "has a write error that nobody was told of yet",
			     ALL));
}

SUBJECT(hidden_file)
{
	int fd;

	CHECK_EQ(0, mkdir(subject_path("f/dir"), 0700));
	fd = make_file("f/dir/file");
	CHECK_EQ(0, mount("none", subject_path("f/dir"), "tmpfs", 0, NULL));
	file_point(fd);
	CHECK_EQ(0, umount(subject_path("f/dir")));
}

TEST_F_TIMEOUT(refused, hidden_file, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("hidden_file", "is not found under its name", ALL));
}

SUBJECT(memfd_xattr)
{
	int fd = memfd_create("attributes", 0);

	CHECK_EQ(0, fsetxattr(fd, "trusted.ckpt", "value", 5, 0));
	file_point(fd);
}

SUBJECT(memfd_immutable)
{
	int fd = memfd_create("immutable", 0);

	add_attribute(fd, FS_IMMUTABLE_FL);
	file_point(fd);
}

SUBJECT(memfd_sealed_late)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	char *p;

	CHECK_EQ(0, ftruncate(fd, 4096));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(0, fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	file_point(fd);
	*p = 7;
	CHECK_EQ(-1, pwrite(5, "x", 1, 0));
}

TEST_F_TIMEOUT(refused, memfd, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, refused("memfd_xattr", "has extended attributes", ALL));
	EXPECT_EQ(0, refused("memfd_immutable", "attributes of chattr(1)", ALL));
	EXPECT_EQ(0, refused("memfd_sealed_late",
			     "F_SEAL_FUTURE_WRITE came after it was mapped", ALL));
}

/* Memory that was opened as a file. */
SUBJECT(map_file)
{
	char path[128], *p = map_page(MAP_SHARED);

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)p, (unsigned long)p + 4096);
	*p = 7;
	file_point(open(path, O_RDWR));
	CHECK_EQ(7, *p);
}

TEST_F_TIMEOUT(refused, map_file, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, refused("map_file", "is memory of a process, not a file", ALL));
}

/* ---- where the image goes to ------------------------------------------- */

SUBJECT(has_image)
{
	point();
	CHECK_EQ(0, fcntl(SUBJECT_FD, F_GETFD));
}

static void refused_image(struct __test_metadata *_metadata, int subject_fd,
			  int image, const char *words)
{
	struct ckpt_run run;

	ckpt_init(&run, NULL);
	run.extra_fd = subject_fd;
	ASSERT_EQ(0, ckpt_start(&run, "has_image"));
	EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, image));
	EXPECT_EQ(1, ckpt_log_has(&run, words)) ckpt_print(&run, "log");
	EXPECT_EQ(1, ckpt_log_has(&run, ""));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(refused, image_file, CKPT_TIMEOUT)
{
	char path[] = "/tmp/ckpt-test-image-XXXXXX";
	int fd = mkstemp(path);

	ASSERT_LE(0, fd);
	refused_image(_metadata, fd, fd, "is where the image goes to");
	close(fd);
	unlink(path);
}

TEST_F_TIMEOUT(refused, image_pipe, CKPT_TIMEOUT)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	refused_image(_metadata, fds[0], fds[1],
		      "is an end of the pipe that the image goes through");
}

/* One that checkpoints itself, to a file that it has locked. */
SUBJECT(image_locked)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = subject_open("image", O_CREAT | O_RDWR), log;
	long ret;

	CHECK_EQ(0, fcntl(fd, F_SETLK, &lock));
	subject_ready();
	log = subject_open("log", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC);
	ret = ckpt_checkpoint_to(-1, fd, CHECKPOINT_KILL, log);
	close(log);
	subject_report("ret", &ret, sizeof(ret));
	subject_wait("go");
	CHECK_EQ(-EOPNOTSUPP, ret);
}

TEST_F_TIMEOUT(refused, image_locked, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "image_locked"));
	ASSERT_EQ(0, ckpt_wait_for(&run, "ret"));
	ASSERT_EQ(0, ckpt_finish(&run)) ckpt_print(&run, "log");
	EXPECT_EQ(1, ckpt_log_has(&run, "is where the image goes to, and locked"))
		ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

#ifdef __x86_64__

/* ---- x86: 32-bit code and calls ---------------------------------------- */

#define CALL32_READ		3
#define CALL32_SIGACTION	174
#define CALL32_SET_THREAD_AREA	243
#define CALL32_ROBUST_LIST	311

/* A 32-bit system call; addresses are below 4 GB. */
static long call32(long nr, unsigned long a, unsigned long b, unsigned long c,
		   unsigned long d)
{
	long ret = nr;

	asm volatile("int $0x80"
		     : "+a" (ret)
		     : "b" (a), "c" (b), "d" (c), "S" (d)
		     : "memory", "cc", "r8", "r9", "r10", "r11");
	return (int)ret;
}

static void *map_low(size_t len, int prot)
{
	void *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* Not in the task that asks, as it would be the test that fails. */
static bool has_call32(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		/* getpid() */
		_exit(call32(20, 0, 0, 0, 0) == getpid() ? 0 : 1);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

SUBJECT(robust_list_32)
{
	struct {
		uint32_t next;
		int32_t offset;
		uint32_t pending;
	} *head = map_low(4096, PROT_READ | PROT_WRITE);

	head->next = (uintptr_t)head;
	CHECK_EQ(0, call32(CALL32_ROBUST_LIST, (uintptr_t)head, sizeof(*head), 0, 0));
	point();
}

TEST_F_TIMEOUT(refused, robust_list_32, CKPT_TIMEOUT)
{
	if (!has_call32())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("robust_list_32", "a 32-bit robust list", ALL));
}

/* Where a 32-bit frame is made nothing can be returned from. */
SUBJECT(handler_32)
{
	struct {
		uint32_t handler;
		uint32_t flags;
		uint32_t restorer;
		uint32_t mask[2];
	} *act = map_low(4096, PROT_READ | PROT_WRITE);

	act->handler = 0x1000;
	CHECK_EQ(0, call32(CALL32_SIGACTION, SIGUSR1, (uintptr_t)act, 0, 8));
	point();
	memset(act, 0xff, sizeof(*act));
	CHECK_EQ(0, call32(CALL32_SIGACTION, SIGUSR1, 0, (uintptr_t)act, 8));
	CHECK_EQ(0x1000, act->handler);
}

TEST_F_TIMEOUT(refused, handler_32, CKPT_TIMEOUT)
{
	if (!has_call32())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("handler_32", "a signal handler of another ABI", ALL));
}

/* A thread within one. */
static int call_fds[2];
static char *low_buf;

static void *calls_32(void *arg)
{
	sleeper = gettid();
	CHECK_EQ(1, call32(CALL32_READ, call_fds[0], (uintptr_t)low_buf, 1, 0));
	return arg;
}

SUBJECT(call_32)
{
	pthread_t thread;

	CHECK_EQ(0, pipe(call_fds));
	low_buf = map_low(4096, PROT_READ | PROT_WRITE);
	CHECK_EQ(0, pthread_create(&thread, NULL, calls_32, NULL));
	while (!sleeper)
		ckpt_sleep_ms(1);
	await_sleep(sleeper);
	point();
	CHECK_EQ(1, write(call_fds[1], "e", 1));
	CHECK_EQ(0, pthread_join(thread, NULL));
	CHECK_EQ('e', *low_buf);
}

TEST_F_TIMEOUT(refused, call_32, CKPT_TIMEOUT)
{
	if (!has_call32())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("call_32", "a 32-bit system call (int 0x80) in progress",
			     ALL));
}

/*
 * A thread that runs 32-bit code until a word is set, and comes back. There it
 * has neither a stack of ours nor the upper halves of registers.
 */
extern const char code32_start[], code32_end[];
asm(".pushsection .rodata\n"
	"code32_start:\n"
	"	.code32\n"
	"	movl	$1, %ss:4(%esi)\n"
	"1:	pause\n"
	"	cmpl	$0, %ss:(%esi)\n"
	"	je	1b\n"
	"	ljmp	*%ss:8(%esi)\n"
	"	.code64\n"
	"code32_end:\n"
	".popsection\n");

struct code32 {
	volatile uint32_t stop;
	volatile uint32_t runs;
	uint32_t back;		/* the far address to return to */
	uint16_t back_cs;
};

static struct code32 *code32;
static void *code32_text;

static void *runs_code32(void *arg)
{
	struct {
		uint32_t ip;
		uint16_t cs;
	} to = { (uintptr_t)code32_text, 0x23 };
	void *page = code32;

	asm volatile("lea	-128(%%rsp), %%rsp\n\t"
		     "push	%%rbp\n\t"
		     "lea	1f(%%rip), %%rax\n\t"
		     "movl	%%eax, 8(%%rsi)\n\t"
		     "movw	$0x33, 12(%%rsi)\n\t"
		     "movq	%%rsp, 16(%%rsi)\n\t"
		     "ljmpl	*(%%rdi)\n"
		     "1:\tmovq	16(%%rsi), %%rsp\n\t"
		     "pop	%%rbp\n\t"
		     "lea	128(%%rsp), %%rsp"
		     : "+S" (page)
		     : "D" (&to)
		     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11",
		       "r12", "r13", "r14", "r15", "memory", "cc");
	return arg;
}

SUBJECT(code_32)
{
	pthread_t thread;

	code32 = map_low(4096, PROT_READ | PROT_WRITE);
	code32_text = map_low(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(code32_text, code32_start, code32_end - code32_start);
	CHECK_EQ(0, pthread_create(&thread, NULL, runs_code32, NULL));
	while (!code32->runs)
		ckpt_sleep_ms(1);
	point();
	code32->stop = 1;
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* the return address is below 4 GB in a static program only */
TEST_F_TIMEOUT(refused, code_32, CKPT_TIMEOUT)
{
	if (!(has_call32() && (uintptr_t)probed < 1UL << 32))
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("code_32", "32-bit code is not supported", ALL | MORE));
}

/*
 * A whole program: it reads a byte and exits with that. There is no 32-bit
 * compiler wherever there is a kernel for it.
 */
static const unsigned char program32[] = {
	0xb8, 3, 0, 0, 0,		/* mov $3 (read), %eax */
	0x31, 0xdb,			/* xor %ebx, %ebx */
	0x6a, 0,			/* push $0 */
	0x89, 0xe1,			/* mov %esp, %ecx */
	0xba, 1, 0, 0, 0,		/* mov $1, %edx */
	0xcd, 0x80,			/* int $0x80 */
	0x8b, 0x1c, 0x24,		/* mov (%esp), %ebx */
	0xb8, 1, 0, 0, 0,		/* mov $1 (exit), %eax */
	0xcd, 0x80,			/* int $0x80 */
};

static void write_program32(const char *path)
{
	struct {
		Elf32_Ehdr ehdr;
		Elf32_Phdr phdr;
		unsigned char code[sizeof(program32)];
	} file = {
		.ehdr = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				     ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf32_Ehdr),
			.e_ehsize = sizeof(Elf32_Ehdr),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 1,
		},
		.phdr = {
			.p_type = PT_LOAD,
			.p_vaddr = 0x8048000,
			.p_filesz = sizeof(file),
			.p_memsz = sizeof(file),
			.p_flags = PF_R | PF_X,
			.p_align = 4096,
		},
	};
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);

	CHECK(fd >= 0);
	file.ehdr.e_entry = 0x8048000 + offsetof(typeof(file), code);
	memcpy(file.code, program32, sizeof(program32));
	CHECK_EQ(sizeof(file), write(fd, &file, sizeof(file)));
	close(fd);
}

SUBJECT(program_32)
{
	int fds[2], status;
	pid_t pid;

	write_program32(subject_path("f/program"));
	CHECK_EQ(0, pipe2(fds, O_CLOEXEC));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(0, dup2(fds[0], 0));
		execl(subject_path("f/program"), "program", NULL);
		CHECK(false);
	}
	do {
		ckpt_sleep_ms(1);
		status = 0;
		{
			char path[64], comm[32];

			snprintf(path, sizeof(path), "/proc/%d/comm", pid);
			CHECK(ckpt_slurp(path, comm, sizeof(comm)) > 0);
			status = !strcmp(comm, "program\n");
		}
	} while (!status);
	await_sleep(pid);
	point();
	CHECK_EQ(1, write(fds[1], "*", 1));
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ('*' << 8, status);
}

TEST_F_TIMEOUT(refused, program_32, CKPT_TIMEOUT)
{
	if (!has_call32())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("program_32", "32-bit", ALL | MORE));
}

/* ---- x86: segments, ports, registers ----------------------------------- */

struct segment {
	uint32_t number;
	uint32_t base;
	uint32_t limit;
	uint32_t flags;
};

#define SEGMENT_32BIT	1	/* and data, writable, in bytes */

SUBJECT(tls_segment)
{
	struct segment *seg = map_low(4096, PROT_READ | PROT_WRITE);

	seg->number = -1;
	seg->base = (uintptr_t)seg;
	seg->limit = 4095;
	seg->flags = SEGMENT_32BIT;
	CHECK_EQ(0, call32(CALL32_SET_THREAD_AREA, (uintptr_t)seg, 0, 0, 0));
	point();
	CHECK(seg->number != (uint32_t)-1);
}

TEST_F_TIMEOUT(refused, tls_segment, CKPT_TIMEOUT)
{
	if (!has_call32())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("tls_segment", "TLS segments (set_thread_area())", ALL));
}

static bool set_ldt(void)
{
	struct segment seg = { .limit = 4095, .flags = SEGMENT_32BIT };

	return !syscall(SYS_modify_ldt, 1, &seg, sizeof(seg));
}

SUBJECT(ldt)
{
	uint64_t entry = 0;

	CHECK(set_ldt());
	point();
	CHECK_EQ(8, syscall(SYS_modify_ldt, 0, &entry, sizeof(entry)));
	CHECK(entry);
}

static bool in_child(bool (*can)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(can() ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && !status;
}

TEST_F_TIMEOUT(refused, ldt, CKPT_TIMEOUT)
{
	if (!in_child(set_ldt))
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("ldt", "a local descriptor table", ALL));
}

/* Nobody is at home at this port, it is what a delay is made with. */
#define PORT	0x80

SUBJECT(ioperm)
{
	CHECK_EQ(0, ioperm(PORT, 1, 1));
	point();
	outb(0, PORT);
}

SUBJECT(iopl)
{
	CHECK_EQ(0, iopl(3));
	point();
	outb(0, PORT);
}

static bool has_ioperm(void)
{
	return !ioperm(PORT, 1, 1);
}

TEST_F_TIMEOUT(refused, io_ports, CKPT_TIMEOUT)
{
	if (!in_child(has_ioperm))
		SKIP(return, "no ioperm()");
	EXPECT_EQ(0, refused("ioperm", "I/O port access (ioperm(), iopl())", ALL | MORE));
	EXPECT_EQ(0, refused("iopl", "I/O port access", ALL | MORE));
}

/* XTILEDATA */
static bool want_amx(void)
{
	return !syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18);
}

SUBJECT(amx)
{
	CHECK(want_amx());
	point();
}

TEST_F_TIMEOUT(refused, amx, CKPT_TIMEOUT)
{
	if (!in_child(want_amx))
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("amx", "extended registers (ARCH_REQ_XCOMP_PERM)", ALL));
}

static bool lock_shadow_stack(void)
{
	/* so that it can't be enabled any more, which any CPU can do */
	return !syscall(SYS_arch_prctl, 0x5003 /* ARCH_SHSTK_LOCK */, 1);
}

SUBJECT(shadow_stack)
{
	CHECK(lock_shadow_stack());
	point();
}

TEST_F_TIMEOUT(refused, shadow_stack, CKPT_TIMEOUT)
{
	if (!in_child(lock_shadow_stack))
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("shadow_stack", "a shadow stack", ALL));
}

static bool mask_addresses(void)
{
	return !syscall(SYS_arch_prctl, 0x4002 /* ARCH_ENABLE_TAGGED_ADDR */, 6);
}

SUBJECT(address_mask)
{
	CHECK(mask_addresses());
	point();
}

TEST_F_TIMEOUT(refused, address_mask, CKPT_TIMEOUT)
{
	if (!in_child(mask_addresses))
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("address_mask", "linear address masking", ALL));
}

/* ---- x86: what a debugger leaves behind -------------------------------- */

/* Has a task outside do something to a child of ours, of which it is the tracer. */
static void traced_child(struct child *child, void (*fn)(pid_t pid, int how), int how,
			 void (*in_child)(struct child *child))
{
	pid_t tracer;
	int status;

	if (make_child(child))
		in_child(child);
	await_sleep(child->pid);
	tracer = fork();
	CHECK(tracer >= 0);
	if (!tracer) {
		CHECK_EQ(0, ptrace(PTRACE_SEIZE, child->pid, NULL, NULL));
		CHECK_EQ(0, ptrace(PTRACE_INTERRUPT, child->pid, NULL, NULL));
		CHECK_EQ(child->pid, waitpid(child->pid, &status, __WALL));
		fn(child->pid, how);
		_exit(0);
	}
	subject_join(tracer);
	await_sleep(child->pid);
}

static volatile sig_atomic_t traps;

static void on_sigtrap(int sig)
{
	traps++;
}

static void set_breakpoint(pid_t pid, int how)
{
	CHECK_EQ(0, ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]),
			   probed));
	/* the first one, to be executed, one byte */
	CHECK_EQ(0, ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]),
			   how));
	CHECK_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
}

static __noreturn void child_probed(struct child *child)
{
	int (*volatile fn)(int) = probed;
	char c = 0;

	signal(SIGTRAP, on_sigtrap);
	if (read(child->rd, &c, 1) != 1 || c != 'e')
		_exit(3);
	CHECK_EQ(8, fn(7));
	_exit(traps ? 0 : 4);
}

SUBJECT(breakpoint)
{
	struct child child;

	traced_child(&child, set_breakpoint, 1, child_probed);
	point();
	end_child(&child);
}

TEST_F_TIMEOUT(refused, breakpoint, CKPT_TIMEOUT)
{
	if (!has_perf())
		SKIP(return, "not in this kernel or machine");
	ASSERT_EQ(0, refused("breakpoint", "hardware breakpoints", ALL));
}

#endif /* __x86_64__ */

/* ---- those on their way to an end, or to another program --------------- */

static long ask_soon(struct ckpt_run *run, uint64_t flags)
{
	struct checkpoint_args args = { .flags = flags, .timeout_ms = 700 };
	long ret;

	args.target_fd = run->how.target == CKPT_CGROUP ? dup(run->cgroup_fd) :
			 ckpt_pidfd(run->pid);
	args.image_fd = ckpt_open(run, "image", O_CREAT | O_TRUNC | O_WRONLY);
	args.log_fd = ckpt_open(run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	ret = sys_checkpoint(&args, sizeof(args));
	close(args.target_fd);
	close(args.image_fd);
	close(args.log_fd);
	return ret;
}

/* They cannot be stopped where they are, and that is what is said of one. */
static int does_not_stop(struct ckpt_run *run, const char *why)
{
	static const uint64_t flags[] = { CHECKPOINT_DRY_RUN, CHECKPOINT_KILL };
	char words[128];
	int i, ret = 0;
	long err;

	snprintf(words, sizeof(words), "did not stop in time: %s", why);

	for (i = 0; i < 2; i++) {
		err = ask_soon(run, flags[i]);
		if (err == -ETIMEDOUT && ckpt_log_has(run, words))
			continue;
		ckpt_msg("%s: %ld", i ? "checkpoint" : "dry run", err);
		ckpt_print(run, "log");
		ret = -EINVAL;
	}
	return ret;
}

/* Only its child could let it go on, and that is not part of the target. */
SUBJECT(vfork_waits)
{
	pid_t pid;
	int status;

	pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (!pid) {
		leave_cgroup();
		subject_ready();
		subject_wait("go");
		_exit(0);
	}
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(0, status);
}

TEST_F_TIMEOUT(refused, vfork_waits, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	ckpt_init(&run, &(struct ckpt_how) { .target = CKPT_CGROUP });
	ASSERT_EQ(0, ckpt_start(&run, "vfork_waits"));
	EXPECT_EQ(0, does_not_stop(&run, "it waits in vfork() for a task that does not stop"));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/*
 * The kernel runs this program, too, and has it read what a process leaves. It
 * takes its time, until it is told; then it says whether the dump is all there.
 */
#define CORE_SIZE	(4UL << 20)
#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

static int core_helper(int argc, char **argv)
{
	static char buf[65536];
	size_t len = 0;
	ssize_t n;

	if (argc != 3 || strcmp(argv[1], "--core"))
		return -1;
	snprintf(subject_dir, sizeof(subject_dir), "%s", argv[2]);
	subject_touch("dumping");
	subject_wait("dump");
	while ((n = read(0, buf, sizeof(buf))) > 0)
		len += n;
	subject_report("dumped", &len, sizeof(len));
	return 0;
}

SUBJECT(dumping)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	char self[64], pattern[160];
	int status;
	ssize_t n;
	pid_t pid;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	CHECK(n > 0);
	self[n] = '\0';
	snprintf(pattern, sizeof(pattern), "|%s --core %s", self, subject_dir);
	put(CORE_PATTERN, pattern);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		char *p = mmap(NULL, CORE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(p != MAP_FAILED);
		memset(p, 7, CORE_SIZE);
		CHECK_EQ(0, setrlimit(RLIMIT_CORE, &limit));
		signal(SIGQUIT, SIG_DFL);
		raise(SIGQUIT);
		_exit(0);
	}
	subject_wait("dumping");
	/* the pipe is full */
	await_sleep(pid);
	subject_point();
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(SIGQUIT, WTERMSIG(status));
	CHECK(WCOREDUMP(status));
}

TEST_F_TIMEOUT(refused, dumping, CKPT_TIMEOUT)
{
	char was[128] = "", path[128], text[16];
	struct ckpt_run run;
	size_t len = 0;

	if (access(CORE_PATTERN, W_OK))
		SKIP(return, "no core dumps");
	ckpt_slurp(CORE_PATTERN, was, sizeof(was));
	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "dumping"));
	put(CORE_PATTERN, was);
	EXPECT_EQ(0, does_not_stop(&run, "it dumps core"));
	ckpt_touch(&run, "dump");
	ASSERT_EQ(0, ckpt_finish(&run));
	snprintf(path, sizeof(path), "%s/dumped", run.dir);
	while (ckpt_slurp(path, text, sizeof(text)) != sizeof(len))
		ckpt_sleep_ms(5);
	memcpy(&len, text, sizeof(len));
	EXPECT_LT(CORE_SIZE, len);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Between two programs, where the arguments are slow to come. */
static char *slow_page;
static int slow_fd;

static void *brings_arguments(void *arg)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)slow_page, .src = (uintptr_t)arg, .len = 4096,
	};

	subject_wait("go");
	CHECK_EQ(0, ioctl(slow_fd, UFFDIO_COPY, &copy));
	return NULL;
}

SUBJECT(exec_arguments)
{
	pthread_t thread;
	char *page;
	pid_t pid;

	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		slow_page = map_page(MAP_PRIVATE);
		page = map_page(MAP_PRIVATE);
		snprintf(page, 4096, "exec_arguments_end");
		slow_fd = uffd_register(slow_page, 4096);
		CHECK(slow_fd >= 0);
		CHECK_EQ(0, pthread_create(&thread, NULL, brings_arguments, page));
		subject_touch("child");
		execl("/proc/self/exe", "exe", "--subject", slow_page, subject_dir,
		      "0", NULL);
		CHECK(false);
	}
	subject_wait("child");
	ckpt_sleep_ms(200);
	subject_point();
	subject_join(pid);
}

SUBJECT(exec_arguments_end)
{
}

TEST_F_TIMEOUT(refused, exec_arguments, CKPT_TIMEOUT)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct ckpt_run run;

	if (fd < 0)
		SKIP(return, "no userfaultfd");
	close(fd);
	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "exec_arguments"));
	/* not inside yet: it takes one page fault after the other */
	EXPECT_EQ(0, does_not_stop(&run, "it "));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ---- FUSE -------------------------------------------------------------- */

#define FUSE_FILE	2
#define FUSE_SLOW	3	/* reads of it last until there is a file "answer" */

/* A filesystem with two files, from a process of ours. */
struct server {
	pid_t	pid;
	int	fd;
	char	dir[64];
};

static void fuse_reply(int fd, uint64_t unique, int error, const void *data, size_t len)
{
	char buf[512];
	struct fuse_out_header *out = (void *)buf;

	out->len = sizeof(*out) + len;
	out->error = error;
	out->unique = unique;
	memcpy(out + 1, data, len);
	/* whoever asked may be gone */
	if (write(fd, buf, out->len) < 0)
		return;
}

static void fuse_attributes(struct fuse_attr *attr, uint64_t node)
{
	attr->ino = node;
	attr->mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	attr->nlink = 1;
	attr->size = node == FUSE_ROOT_ID ? 0 : 4;
}

static void fuse_serve(const struct server *server, const struct fuse_in_header *in)
{
	const void *arg = in + 1;
	struct fuse_entry_out entry = {};
	struct fuse_attr_out attr = {};
	struct fuse_open_out opened = {};
	struct fuse_init_out init = {};
	char answer[80];

	switch (in->opcode) {
	case FUSE_INIT:
		init.major = FUSE_KERNEL_VERSION;
		init.minor = FUSE_KERNEL_MINOR_VERSION;
		init.max_write = 4096;
		fuse_reply(server->fd, in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		entry.nodeid = strcmp(arg, "slow") ? FUSE_FILE : FUSE_SLOW;
		fuse_attributes(&entry.attr, entry.nodeid);
		fuse_reply(server->fd, in->unique, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		fuse_attributes(&attr.attr, in->nodeid);
		fuse_reply(server->fd, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		fuse_reply(server->fd, in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		if (in->nodeid == FUSE_SLOW) {
			snprintf(answer, sizeof(answer), "%s.asked", server->dir);
			close(open(answer, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
			/* another one goes on with the rest */
			if (fork())
				break;
			snprintf(answer, sizeof(answer), "%s.answer", server->dir);
			while (access(answer, F_OK))
				ckpt_sleep_ms(5);
			fuse_reply(server->fd, in->unique, 0, "slow", 4);
			_exit(0);
		}
		fuse_reply(server->fd, in->unique, 0, "fast", 4);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		fuse_reply(server->fd, in->unique, -ENOSYS, NULL, 0);
	}
}

/* 0, 1 if there is no FUSE here, or a negative errno. */
static int fuse_start(struct server *server)
{
	static char request[FUSE_MIN_READ_BUFFER + 65536];
	char options[64], answer[80];
	int err;

	server->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (server->fd < 0)
		return 1;
	snprintf(server->dir, sizeof(server->dir), "/tmp/ckpt-test-fuse-XXXXXX");
	if (!mkdtemp(server->dir)) {
		err = -errno;
		goto close;
	}
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0",
		 server->fd);
	if (mount("ckpt", server->dir, "fuse", 0, options)) {
		err = -errno;
		goto remove;
	}
	setenv("CKPT_FUSE", server->dir, 1);
	snprintf(answer, sizeof(answer), "%s.answer", server->dir);
	unlink(answer);
	server->pid = fork();
	if (server->pid < 0) {
		err = -errno;
		umount2(server->dir, MNT_DETACH);
		goto remove;
	}
	if (!server->pid) {
		signal(SIGCHLD, SIG_IGN);
		while (read(server->fd, request, sizeof(request)) > 0)
			fuse_serve(server, (void *)request);
		_exit(0);
	}
	close(server->fd);
	return 0;

remove:
	rmdir(server->dir);
close:
	close(server->fd);
	return err;
}

static void fuse_answer(const struct server *server, bool answer)
{
	char path[80];

	snprintf(path, sizeof(path), "%s.answer", server->dir);
	if (answer) {
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		return;
	}
	unlink(path);
	snprintf(path, sizeof(path), "%s.asked", server->dir);
	unlink(path);
}

static void fuse_stop(const struct server *server)
{
	umount2(server->dir, MNT_DETACH);
	unsetenv("CKPT_FUSE");
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	rmdir(server->dir);
	fuse_answer(server, false);
}

static int fuse_open(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", getenv("CKPT_FUSE"), name);
	return open(path, O_RDONLY);
}

FILE_SUBJECT(on_fuse, fuse_open("file"))

/* ... and memory of it. */
SUBJECT(mapped_fuse)
{
	int fd = fuse_open("file");
	char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(p != MAP_FAILED);
	close(fd);
	point();
	CHECK_MEM("fast", p, 4);
}

TEST_F_TIMEOUT(refused, fuse, CKPT_TIMEOUT)
{
	struct server server;
	int ret;

	ret = fuse_start(&server);
	if (ret == 1)
		SKIP(return, "no FUSE");
	ASSERT_EQ(0, ret);
	EXPECT_EQ(0, refused("on_fuse", "fd 5: ", ALL));
	EXPECT_EQ(0, refused("mapped_fuse", "/file is not supported", ALL));
	fuse_stop(&server);
}

/* The server has to answer, whatever becomes of who asked. */
static void await_asked(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s.asked", getenv("CKPT_FUSE"));
	while (access(path, F_OK))
		ckpt_sleep_ms(1);
}

/* A thread that nothing can end before its file is read. */
static void *reads_slowly(void *arg)
{
	char buf[4];
	int fd = fuse_open("slow");

	CHECK(fd >= 0);
	sleeper = gettid();
	CHECK_EQ(4, read(fd, buf, 4));
	return arg;
}

SUBJECT(exec_threads)
{
	pthread_t thread;
	pid_t pid;

	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(0, pthread_create(&thread, NULL, reads_slowly, NULL));
		await_asked();
		subject_touch("child");
		execl("/proc/self/exe", "exe", "--subject", "exec_arguments_end",
		      subject_dir, "0", NULL);
		CHECK(false);
	}
	subject_wait("child");
	ckpt_sleep_ms(100);
	subject_point();
	subject_join(pid);
}

SUBJECT(exiting)
{
	int status;
	pid_t pid;

	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		reads_slowly(NULL);
		_exit(0);
	}
	await_asked();
	CHECK_EQ(0, kill(pid, SIGKILL));
	ckpt_sleep_ms(100);
	CHECK_EQ(0, waitpid(pid, &status, WNOHANG));
	subject_point();
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(SIGKILL, status);
}

TEST_F_TIMEOUT(refused, leaving, CKPT_TIMEOUT)
{
	static const char * const subjects[][2] = {
		{ "exec_threads", "it is inside an exec" }, { "exiting", "it exits" },
	};
	struct server server;
	struct ckpt_run run;
	int i, ret;

	ret = fuse_start(&server);
	if (ret == 1)
		SKIP(return, "no FUSE");
	ASSERT_EQ(0, ret);
	for (i = 0; i < 2; i++) {
		fuse_answer(&server, false);
		ckpt_init(&run, NULL);
		ASSERT_EQ(0, ckpt_start(&run, subjects[i][0]));
		EXPECT_EQ(0, does_not_stop(&run, subjects[i][1]))
			TH_LOG("%s", subjects[i][0]);
		fuse_answer(&server, true);
		ASSERT_EQ(0, ckpt_finish(&run));
		ASSERT_EQ(0, ckpt_cleanup(&run));
	}
	fuse_stop(&server);
}

/* ---- what the caller of restart() must not have ------------------------ */

#ifdef __x86_64__

SUBJECT(idle)
{
	subject_point();
}

static void set_segment(void)
{
	struct segment *seg = map_low(4096, PROT_READ | PROT_WRITE);

	seg->number = -1;
	seg->limit = 4095;
	seg->flags = SEGMENT_32BIT;
	call32(CALL32_SET_THREAD_AREA, (uintptr_t)seg, 0, 0, 0);
}

static void set_ports(void)
{
	iopl(3);
}

static void set_features(void)
{
	lock_shadow_stack();
}

TEST_F_TIMEOUT(refused, caller_state, CKPT_TIMEOUT)
{
	static const struct {
		void		(*set)(void);
		const char	*words;
	} states[] = {
		{ set_segment, "the caller of restart() has TLS segments" },
		{ set_features, "the caller of restart() has a shadow stack" },
		{ set_ports, "the caller of restart() has I/O port access" },
	};
	struct ckpt_run run;
	unsigned int i;
	int status;
	pid_t pid, was;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "idle"));
	was = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		if ((i == 0 && !has_call32()) ||
		    (i == 1 && !in_child(lock_shadow_stack)) ||
		    (i == 2 && !in_child(has_ioperm)))
			continue;
		pid = fork();
		if (!pid) {
			states[i].set();
			_exit(ckpt_restart(&run) == -EOPNOTSUPP ? 0 : 1);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(1, ckpt_log_has(&run, states[i].words)) {
			TH_LOG("not \"%s\"", states[i].words);
			ckpt_print(&run, "log");
		}
	}
	ASSERT_EQ(was, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

#endif /* __x86_64__ */

/*
 * What the harness keeps in shared memory, for each test, a subject has no use
 * for; whom it forks outside of the target would share it.
 */
static void drop_harness(void)
{
	unsigned long start, end;

	while (find_map("/dev/zero (deleted)", &start, &end))
		munmap((void *)start, end - start);
}

int main(int argc, char **argv)
{
	int ret = core_helper(argc, argv);

	if (argc > 1 && !strcmp(argv[1], "--subject"))
		drop_harness();
	if (ret < 0)
		ret = ckpt_subject_main(argc, argv);
	return ret < 0 ? test_harness_run(argc, argv) : ret;
}

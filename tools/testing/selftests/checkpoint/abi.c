// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: arguments, errors, privileges, the log and the dry run.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define BAD_FD		987654
#define CHECKPOINT_ALL	(CHECKPOINT_KILL | CHECKPOINT_STOP | CHECKPOINT_DRY_RUN | \
			 CHECKPOINT_LEAK_OK)
#define RESTART_ALL	(RESTART_PIDFD | RESTART_CGROUP |		\
			 RESTART_FILES_CHANGED | RESTART_STOPPED)

SUBJECT(idle)
{
	pid_t pid = getpid();

	subject_point();
	CHECK_EQ(pid, getpid());
}

/* Two things that are not supported, one that is. */
SUBJECT(blocked)
{
	CHECK_EQ(5, dup2(socket(AF_PACKET, SOCK_DGRAM, 0), 5));
	CHECK_EQ(7, dup2(open("/dev/kmsg", O_RDONLY), 7));
	close(3);
	close(4);
	subject_point();
	CHECK_EQ(0, fcntl(5, F_GETFD));
	CHECK_EQ(0, fcntl(7, F_GETFD));
}

/* Blockers in two tasks. */
SUBJECT(blocked_family)
{
	pid_t pid;

	CHECK(socket(AF_PACKET, SOCK_DGRAM, 0) >= 0);
	CHECK(socket(AF_PACKET, SOCK_DGRAM, 0) >= 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK(open("/dev/kmsg", O_RDONLY) >= 0);
		subject_touch("child");
		subject_wait("go");
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	subject_join(pid);
}

/* Blockers in tasks of which one cannot even be stopped, and has a child. */
SUBJECT(blocked_and_traced)
{
	int sock = socket(AF_PACKET, SOCK_DGRAM, 0);
	pid_t traced, grandchild;
	sigset_t all;

	CHECK(sock >= 0);
	traced = fork();
	CHECK(traced >= 0);
	if (!traced) {
		CHECK_EQ(0, close(sock));
		/* to end must not make it stop for its tracer */
		sigfillset(&all);
		CHECK_EQ(0, sigprocmask(SIG_SETMASK, &all, NULL));
		CHECK_EQ(0, ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		grandchild = fork();
		CHECK(grandchild >= 0);
		if (!grandchild) {
			CHECK(open("/dev/kmsg", O_RDONLY) >= 0);
			subject_touch("grandchild");
			subject_wait("go");
			_exit(0);
		}
		subject_wait("go");
		subject_join(grandchild);
		_exit(0);
	}
	subject_wait("grandchild");
	subject_point();
	subject_join(traced);
}

/* A child, in another cgroup, never lets its parent go on that called vfork(). */
SUBJECT(blocked_and_vfork)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		CHECK(open("/dev/kmsg", O_RDONLY) >= 0);
		subject_touch("child");
		subject_wait("go");
		_exit(0);
	}
	subject_wait("child");
	if (!vfork()) {
		int fd = open("/sys/fs/cgroup/cgroup.procs", O_WRONLY | O_CLOEXEC);

		CHECK_EQ(1, write(fd, "0", 1));
		subject_ready();
		subject_wait("go");
		_exit(0);
	}
	CHECK(wait(NULL) > 0);
	CHECK(wait(NULL) > 0);
}

/* A process of somebody else's among one's own. */
SUBJECT(blocked_and_foreign)
{
	pid_t pid;

	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		subject_touch("child");
		subject_wait("go");
		_exit(0);
	}
	subject_wait("child");
	CHECK(socket(AF_PACKET, SOCK_DGRAM, 0) >= 0);
	CHECK(socket(AF_PACKET, SOCK_DGRAM, 0) >= 0);
	CHECK_EQ(0, setresgid(1000, 1000, 1000));
	CHECK_EQ(0, setresuid(1000, 1000, 1000));
	CHECK_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	subject_point();
	subject_join(pid);
}

/* A descendant checkpoints a target that it is itself part of. */
SUBJECT(family)
{
	pid_t pid = fork(), parent = getppid();
	long ret;
	int fd;

	CHECK(pid >= 0);
	if (!pid) {
		fd = subject_open("image", O_CREAT | O_WRONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		subject_wait("now");
		ret = ckpt_checkpoint_to(ckpt_pidfd(getppid()), fd, 0, -1);
		subject_report("ret", &ret, sizeof(ret));
		subject_wait("go");
		_exit(0);
	}
	subject_point();
	CHECK_EQ(parent, getppid());
	subject_join(pid);
}

FIXTURE(abi)
{
	struct ckpt_run run;
	struct checkpoint_args c;
	struct restart_args r;
	int null_rd;
	int null_wr;
	int pidfd;
};

FIXTURE_SETUP(abi)
{
	ASSERT_TRUE(ckpt_supported()) {
		TH_LOG("kernel has no checkpoint()");
	}
	ckpt_init(&self->run, NULL);
	ASSERT_EQ(0, ckpt_start(&self->run, "idle"));
	self->null_rd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	self->null_wr = open("/dev/null", O_WRONLY | O_CLOEXEC);
	self->pidfd = ckpt_pidfd(self->run.pid);
	ASSERT_LE(0, self->pidfd);
	self->c = (struct checkpoint_args) {
		.target_fd = self->pidfd,
		.image_fd = self->null_wr,
		.log_fd = -1,
	};
	self->r = (struct restart_args) {
		.image_fd = self->null_rd,
		.log_fd = -1,
		.cgroup_fd = -1,
	};
}

FIXTURE_TEARDOWN(abi)
{
	/* whatever was tried, the target is well */
	EXPECT_EQ(0, ckpt_finish(&self->run));
	EXPECT_EQ(0, ckpt_cleanup(&self->run));
}

/* The calls that the other tests change one thing of. */
static long do_checkpoint(const struct checkpoint_args *args)
{
	return sys_checkpoint(args, sizeof(*args));
}

static long do_restart(const struct restart_args *args)
{
	return sys_restart(args, sizeof(*args));
}

TEST_F(abi, layout)
{
	ASSERT_EQ(CHECKPOINT_ARGS_SIZE_VER0, offsetof(struct checkpoint_args, external));
	ASSERT_EQ(CHECKPOINT_ARGS_SIZE_VER1, sizeof(struct checkpoint_args));
	ASSERT_EQ(RESTART_ARGS_SIZE_VER0, offsetof(struct restart_args, inherit_keys));
	ASSERT_EQ(RESTART_ARGS_SIZE_VER1, sizeof(struct restart_args));
	ASSERT_EQ(48, sizeof(struct restart_inherit));
	ASSERT_EQ(32, sizeof(struct ckpt_record));
}

TEST_F(abi, query)
{
	ASSERT_EQ(CHECKPOINT_ALL, sys_checkpoint(NULL, 0) & CHECKPOINT_ALL);
	ASSERT_EQ(RESTART_ALL, sys_restart(NULL, 0) & RESTART_ALL);
}

TEST_F(abi, good)
{
	ASSERT_LT(0, do_checkpoint(&self->c));
}

TEST_F(abi, address)
{
	void *bad = (void *)8;

	EXPECT_EQ(-EFAULT, sys_checkpoint(NULL, sizeof(self->c)));
	EXPECT_EQ(-EFAULT, sys_checkpoint(bad, sizeof(self->c)));
	EXPECT_EQ(-EFAULT, sys_restart(NULL, sizeof(self->r)));
	EXPECT_EQ(-EFAULT, sys_restart(bad, sizeof(self->r)));
}

TEST_F(abi, size_short)
{
	size_t size;

	for (size = 1; size < CHECKPOINT_ARGS_SIZE_VER0; size++)
		EXPECT_EQ(-EINVAL, sys_checkpoint(&self->c, size));
	for (size = 1; size < RESTART_ARGS_SIZE_VER0; size++)
		EXPECT_EQ(-EINVAL, sys_restart(&self->r, size));
}

TEST_F(abi, size_long)
{
	struct {
		struct checkpoint_args args;
		char tail[64];
	} c = { .args = self->c };
	struct {
		struct restart_args args;
		char tail[64];
	} r = { .args = self->r };
	unsigned int i;
	char *huge;

	/* a tail of zeros is what a program built for a later kernel has */
	EXPECT_LT(0, sys_checkpoint(&c, sizeof(c)));
	r.args.image_fd = BAD_FD;
	EXPECT_EQ(-EBADF, sys_restart(&r, sizeof(r)));
	for (i = 0; i < sizeof(c.tail); i += 21) {
		c.tail[i] = 1;
		r.tail[i] = 1;
		EXPECT_EQ(-E2BIG, sys_checkpoint(&c, sizeof(c)));
		EXPECT_EQ(-E2BIG, sys_restart(&r, sizeof(r)));
		c.tail[i] = 0;
		r.tail[i] = 0;
	}
	huge = calloc(1, 1 << 20);
	ASSERT_NE(NULL, huge);
	memcpy(huge, &self->c, sizeof(self->c));
	EXPECT_EQ(-E2BIG, sys_checkpoint(huge, 1 << 20));
	memcpy(huge, &self->r, sizeof(self->r));
	EXPECT_EQ(-E2BIG, sys_restart(huge, 1 << 20));
	EXPECT_EQ(-E2BIG, sys_restart(huge, SIZE_MAX));
	free(huge);
}

TEST_F(abi, flags_unknown)
{
	int bit;

	for (bit = 0; bit < 64; bit++) {
		self->c.flags = 1ULL << bit;
		if (!(self->c.flags & sys_checkpoint(NULL, 0)))
			EXPECT_EQ(-EINVAL, do_checkpoint(&self->c))
				TH_LOG("bit %d", bit);
		self->r.flags = 1ULL << bit;
		if (!(self->r.flags & sys_restart(NULL, 0)))
			EXPECT_EQ(-EINVAL, do_restart(&self->r))
				TH_LOG("bit %d", bit);
	}
}

TEST_F(abi, checkpoint_fds)
{
	struct checkpoint_args good = self->c;

	self->c.target_fd = BAD_FD;
	EXPECT_EQ(-EBADF, do_checkpoint(&self->c));
	self->c.target_fd = -2;
	EXPECT_EQ(-EBADF, do_checkpoint(&self->c));

	self->c = good;
	self->c.image_fd = BAD_FD;
	EXPECT_EQ(-EBADF, do_checkpoint(&self->c));
	self->c.image_fd = -1;
	EXPECT_EQ(-EBADF, do_checkpoint(&self->c));
	self->c.image_fd = self->null_rd;
	EXPECT_EQ(-EBADF, do_checkpoint(&self->c));

	self->c = good;
	self->c.log_fd = BAD_FD;
	EXPECT_EQ(-EBADF, do_checkpoint(&self->c));
	self->c.log_fd = self->null_rd;
	EXPECT_EQ(-EBADF, do_checkpoint(&self->c));
}

/* Descriptors of other things are no target. */
TEST_F(abi, target_kind)
{
	long ret;
	int fd;

	self->c.target_fd = self->null_rd;
	ret = do_checkpoint(&self->c);
	EXPECT_TRUE(ret == -EINVAL || ret == -EBADF) TH_LOG("%ld", ret);

	fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	self->c.target_fd = fd;
	ret = do_checkpoint(&self->c);
	EXPECT_TRUE(ret == -EINVAL || ret == -EBADF) TH_LOG("%ld", ret);
	close(fd);

	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	self->c.target_fd = fd;
	ret = do_checkpoint(&self->c);
	EXPECT_TRUE(ret == -EINVAL || ret == -EBADF) TH_LOG("%ld", ret);
	close(fd);

	/* a file in a cgroup directory, rather than the directory */
	ASSERT_LE(0, self->run.cgroup_fd);
	fd = openat(self->run.cgroup_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	self->c.target_fd = fd;
	ret = do_checkpoint(&self->c);
	EXPECT_TRUE(ret == -EINVAL || ret == -EBADF) TH_LOG("%ld", ret);
	close(fd);
}

TEST_F(abi, target_gone)
{
	pid_t pid = fork();
	long ret;
	int fd;

	if (!pid)
		_exit(0);
	fd = ckpt_pidfd(pid);
	ASSERT_LE(0, fd);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	self->c.target_fd = fd;
	EXPECT_EQ(-ESRCH, do_checkpoint(&self->c));
	close(fd);

	/* and a cgroup with nobody in it */
	ASSERT_LE(0, self->run.cgroup_fd);
	ASSERT_EQ(0, mkdirat(self->run.cgroup_fd, "empty", 0755));
	fd = openat(self->run.cgroup_fd, "empty",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	self->c.target_fd = fd;
	ret = do_checkpoint(&self->c);
	EXPECT_EQ(-ESRCH, ret);
	close(fd);
	ASSERT_EQ(0, unlinkat(self->run.cgroup_fd, "empty", AT_REMOVEDIR));
}

/* A zombie alone is nothing that could be restarted, but nothing breaks. */
TEST_F(abi, target_zombie)
{
	pid_t pid = fork();
	siginfo_t info;

	if (!pid)
		_exit(0);
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	self->c.target_fd = ckpt_pidfd(pid);
	ASSERT_LE(0, self->c.target_fd);
	EXPECT_GT(0, do_checkpoint(&self->c));
	close(self->c.target_fd);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F(abi, restart_fds)
{
	struct restart_args good = self->r;
	int fd = -1;

	self->r.image_fd = BAD_FD;
	EXPECT_EQ(-EBADF, do_restart(&self->r));
	self->r.image_fd = -1;
	EXPECT_EQ(-EBADF, do_restart(&self->r));
	self->r.image_fd = self->null_wr;
	EXPECT_EQ(-EBADF, do_restart(&self->r));

	self->r = good;
	self->r.log_fd = BAD_FD;
	EXPECT_EQ(-EBADF, do_restart(&self->r));
	self->r.log_fd = self->null_rd;
	EXPECT_EQ(-EBADF, do_restart(&self->r));

	self->r = good;
	self->r.flags = RESTART_CGROUP;
	self->r.cgroup_fd = BAD_FD;
	EXPECT_GT(0, do_restart(&self->r));

	self->r = good;
	self->r.flags = RESTART_PIDFD;
	self->r.pidfd = (uintptr_t)&fd;
	EXPECT_GT(0, do_restart(&self->r));
	EXPECT_EQ(-1, fd);
}

TEST_F(abi, restart_inherit)
{
	struct restart_inherit inherit[2] = {
		{ .key = "tty", .fd = self->null_wr },
		{ .key = "fd[5]", .fd = self->null_rd },
	}, good = inherit[1];
	int empty;

	/* with arguments as they should be, what is wrong is the empty image */
	empty = ckpt_open(&self->run, "empty", O_CREAT | O_RDONLY);
	ASSERT_LE(0, empty);
	self->r.image_fd = empty;
	self->r.inherit = (uintptr_t)inherit;
	self->r.inherit_count = 2;
	EXPECT_EQ(-EBADMSG, do_restart(&self->r));

	self->r.inherit_count = RESTART_INHERIT_MAX + 1;
	EXPECT_EQ(-E2BIG, do_restart(&self->r));
	self->r.inherit_count = 2;

	self->r.inherit = 0;
	EXPECT_EQ(-EFAULT, do_restart(&self->r));
	self->r.inherit = (uintptr_t)inherit;

	inherit[1].reserved = 1;
	EXPECT_EQ(-EINVAL, do_restart(&self->r));
	inherit[1] = good;

	memset(inherit[1].key, 'x', sizeof(inherit[1].key));
	EXPECT_EQ(-EINVAL, do_restart(&self->r));
	inherit[1] = good;

	inherit[1].fd = BAD_FD;
	EXPECT_EQ(-EBADF, do_restart(&self->r));
	inherit[1].fd = -1;
	EXPECT_EQ(-EBADF, do_restart(&self->r));
	close(empty);
}

TEST_F(abi, dry_run_clean)
{
	char log[256];

	int fd = ckpt_open(&self->run, "image", O_CREAT | O_RDWR);
	struct stat st;

	EXPECT_LE(0, ckpt_checkpoint_log(&self->run, CHECKPOINT_DRY_RUN, -1));
	EXPECT_LE(0, ckpt_checkpoint_log(&self->run, CHECKPOINT_DRY_RUN, fd));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, st.st_size);
	EXPECT_EQ(0, ckpt_log_has(&self->run, "not supported"));
	close(fd);
	snprintf(log, sizeof(log), "%s/log", self->run.dir);
	EXPECT_EQ(0, access(log, F_OK));
}

/* What makes no sense together. */
TEST_F(abi, flags_exclusive)
{
	static const uint64_t flags[] = {
		CHECKPOINT_DRY_RUN | CHECKPOINT_KILL,
		CHECKPOINT_DRY_RUN | CHECKPOINT_STOP,
		CHECKPOINT_KILL | CHECKPOINT_STOP,
		CHECKPOINT_ALL,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		self->c.flags = flags[i];
		EXPECT_EQ(-EINVAL, do_checkpoint(&self->c));
	}
	ckpt_sleep_ms(20);
	EXPECT_NE('Z', ckpt_state(self->run.pid));
	EXPECT_NE('T', ckpt_state(self->run.pid));
}

/* The log gets whole lines, and is not needed. */
TEST_F(abi, log_file)
{
	char path[128], text[4096];
	struct ckpt_run run;
	ssize_t len;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "blocked"));
	ASSERT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, 0, self->null_wr));
	snprintf(path, sizeof(path), "%s/log", run.dir);
	len = ckpt_slurp(path, text, sizeof(text));
	ASSERT_LT(0, len);
	EXPECT_EQ('\n', text[len - 1]);
	EXPECT_EQ(len, strlen(text));
	self->c.target_fd = ckpt_pidfd(run.pid);
	EXPECT_EQ(-EOPNOTSUPP, do_checkpoint(&self->c));
	close(self->c.target_fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* A log that nobody can write to is no reason to fail, nor to be killed. */
TEST_F(abi, log_broken_pipe)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	self->c.log_fd = fds[1];
	EXPECT_LT(0, do_checkpoint(&self->c));
	close(fds[1]);
}

TEST_F(abi, dry_run_lists_all)
{
	struct ckpt_run run;
	char name[32];

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "blocked"));
	EXPECT_EQ(-EOPNOTSUPP,
		  ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1));
	EXPECT_EQ(1, ckpt_log_has(&run, "fd 5:")) ckpt_print(&run, "log");
	EXPECT_EQ(1, ckpt_log_has(&run, "fd 7:")) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, "socket")) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, "/dev/kmsg")) ckpt_print(&run, "log");
	snprintf(name, sizeof(name), "task %d", run.pid);
	EXPECT_EQ(2, ckpt_log_has(&run, name)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F(abi, dry_run_lists_all_tasks)
{
	struct ckpt_run run;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "blocked_family"));
	EXPECT_EQ(-EOPNOTSUPP,
		  ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1));
	/* both of them, however many tasks have them */
	EXPECT_LE(2, ckpt_log_has(&run, "socket")) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, "/dev/kmsg")) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Nor does one that cannot be stopped hide the others. */
TEST_F(abi, dry_run_traced)
{
	struct ckpt_run run;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "blocked_and_traced"));
	EXPECT_EQ(-EOPNOTSUPP,
		  ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1));
	EXPECT_EQ(1, ckpt_log_has(&run, "socket")) ckpt_print(&run, "log");
	EXPECT_EQ(1, ckpt_log_has(&run, "being traced")) ckpt_print(&run, "log");
	EXPECT_EQ(1, ckpt_log_has(&run, "tracing other tasks")) ckpt_print(&run, "log");
	EXPECT_EQ(1, ckpt_log_has(&run, "/dev/kmsg")) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(abi, dry_run_timeout, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	ckpt_init(&run, &(struct ckpt_how) { .target = CKPT_CGROUP });
	ASSERT_EQ(0, ckpt_start(&run, "blocked_and_vfork"));
	EXPECT_EQ(-ETIMEDOUT,
		  ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1));
	EXPECT_LE(1, ckpt_log_has(&run, "did not stop in time")) ckpt_print(&run, "log");
	EXPECT_EQ(1, ckpt_log_has(&run, "/dev/kmsg")) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Runs fn as an ordinary user; its result comes back as an exit status. */
static int as_user(uid_t uid, long (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid = fork();
	long ret;

	if (!pid) {
		if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(255);
		ret = fn(arg);
		_exit(ret < 0 ? -ret : 0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -EIO;
	return -WEXITSTATUS(status);
}

static long checkpoint_arg(void *arg)
{
	return do_checkpoint(arg);
}

static long restart_arg(void *arg)
{
	return do_restart(arg);
}

TEST_F(abi, privilege_checkpoint)
{
	EXPECT_EQ(-EPERM, as_user(1000, checkpoint_arg, &self->c));
	self->c.flags = CHECKPOINT_KILL;
	EXPECT_EQ(-EPERM, as_user(1000, checkpoint_arg, &self->c));
	self->c.flags = CHECKPOINT_DRY_RUN;
	EXPECT_EQ(-EPERM, as_user(1000, checkpoint_arg, &self->c));
	ASSERT_LE(0, self->run.cgroup_fd);
	self->c.target_fd = self->run.cgroup_fd;
	EXPECT_EQ(-EPERM, as_user(1000, checkpoint_arg, &self->c));
}

/* One's own process can be checkpointed with no privilege at all. */
TEST_F(abi, privilege_checkpoint_own)
{
	struct ckpt_run run;

	ckpt_init(&run, NULL);
	run.uid = 1000;
	ASSERT_EQ(0, ckpt_start(&run, "idle"));
	self->c.target_fd = ckpt_pidfd(run.pid);
	EXPECT_EQ(0, as_user(1000, checkpoint_arg, &self->c));
	EXPECT_EQ(-EPERM, as_user(1001, checkpoint_arg, &self->c));
	close(self->c.target_fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

static long dry_run_arg(void *arg)
{
	return ckpt_checkpoint_log(arg, CHECKPOINT_DRY_RUN, -1);
}

TEST_F(abi, dry_run_foreign)
{
	struct ckpt_run run;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "blocked_and_foreign"));
	ASSERT_EQ(0, chmod(run.dir, 0777));
	EXPECT_EQ(-EPERM, as_user(1000, dry_run_arg, &run));
	EXPECT_EQ(1, ckpt_log_has(&run, "no permission")) ckpt_print(&run, "log");
	EXPECT_LE(2, ckpt_log_has(&run, "socket")) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* To choose pids takes a privilege in the pid namespace. */
TEST_F(abi, privilege_restart)
{
	struct ckpt_run run;
	int pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.uid = 1000;
	ASSERT_EQ(0, ckpt_start(&run, "idle"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	self->r.image_fd = ckpt_open(&run, "image", O_RDONLY);
	EXPECT_EQ(-EPERM, as_user(1000, restart_arg, &self->r));
	EXPECT_EQ(-1, kill(pid, 0));
	close(self->r.image_fd);
	EXPECT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/*
 * The caller is in the target but is not all of it. That works or is refused,
 * and either way everything goes on.
 */
TEST_F_TIMEOUT(abi, target_includes_caller, CKPT_TIMEOUT)
{
	char path[128], text[64];
	struct ckpt_run run;
	long ret;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "family"));
	ckpt_touch(&run, "now");
	ASSERT_EQ(0, ckpt_wait_for(&run, "ret"));
	ckpt_sleep_ms(20);
	snprintf(path, sizeof(path), "%s/ret", run.dir);
	ASSERT_EQ(sizeof(ret), ckpt_slurp(path, text, sizeof(text)));
	memcpy(&ret, text, sizeof(ret));
	EXPECT_TRUE(ret > 0 || ret == -EINVAL || ret == -EDEADLK ||
		    ret == -EOPNOTSUPP) TH_LOG("%ld", ret);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* The time-out is honoured, but is no reason to fail when all goes well. */
TEST_F(abi, timeout)
{
	self->c.timeout_ms = 0;
	EXPECT_LT(0, do_checkpoint(&self->c));
	self->c.timeout_ms = 1000000;
	EXPECT_LT(0, do_checkpoint(&self->c));
	/* the kernel could not wait for so long */
	self->c.timeout_ms = UINT32_MAX;
	EXPECT_EQ(-EINVAL, do_checkpoint(&self->c));
}

CKPT_TEST_MAIN

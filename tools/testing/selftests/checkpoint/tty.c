// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: terminals. They are external, and handed in again.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

/* Reads a line and writes it back, before and after. */
SUBJECT(echo)
{
	char line[64];
	ssize_t len;

	len = read(0, line, sizeof(line));
	CHECK_EQ(5, len);
	CHECK_EQ(len, write(1, line, len));
	subject_point();
	CHECK(isatty(0) && isatty(1) && isatty(2));
	len = read(0, line, sizeof(line));
	CHECK_EQ(6, len);
	CHECK_EQ(len, write(1, line, len));
	CHECK_EQ(4, write(2, "err\n", 4));
	CHECK_EQ(O_RDWR, fcntl(1, F_GETFL) & O_ACCMODE);
}

/* Sits in read(). */
SUBJECT(reader)
{
	char line[64];
	ssize_t len;

	subject_ready();
	len = read(0, line, sizeof(line));
	CHECK_EQ(6, len);
	CHECK_EQ(len, write(1, line, len));
	subject_wait("go");
}

/* The controlling terminal is its session's, which is its caller's. */
SUBJECT(foreground)
{
	int fd;

	CHECK_EQ(getpgrp(), tcgetpgrp(0));
	subject_point();
	fd = open("/dev/tty", O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(5, write(fd, "dtty\n", 5));
	CHECK_EQ(5, write(1, "stdo\n", 5));
}

static int open_pty(int *master)
{
	struct termios tio;
	int slave;

	if (openpty(master, &slave, NULL, NULL, NULL))
		return -1;
	tcgetattr(slave, &tio);
	cfmakeraw(&tio);
	tcsetattr(slave, TCSANOW, &tio);
	fcntl(*master, F_SETFD, FD_CLOEXEC);
	fcntl(slave, F_SETFD, FD_CLOEXEC);
	return slave;
}

static int expect_on(int fd, const char *want)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[64] = "";
	size_t have = 0;
	ssize_t n;

	while (have < strlen(want)) {
		if (poll(&p, 1, 20000) != 1)
			break;
		n = read(fd, buf + have, strlen(want) - have);
		if (n <= 0)
			break;
		have += n;
	}
	if (!strcmp(buf, want))
		return 0;
	ckpt_msg("terminal got \"%s\", not \"%s\"", buf, want);
	return -EIO;
}

CKPT_FIXTURE_HOW(tty);
CKPT_VARIANT(tty, subtree_kill_file, .target = CKPT_SUBTREE, .kill = true);
CKPT_VARIANT(tty, cgroup_kill_pipe, .target = CKPT_CGROUP, .kill = true,
	     .pipe = true);

TEST_F_TIMEOUT(tty, handed_in, CKPT_TIMEOUT)
{
	struct restart_inherit inherit = { .key = "tty" };
	int master, slave, new_master, new_slave;
	struct ckpt_run run;
	pid_t pid;

	slave = open_pty(&master);
	ASSERT_LE(0, slave);
	new_slave = open_pty(&new_master);
	ASSERT_LE(0, new_slave);
	ckpt_init(&run, &variant->how);
	run.stdio_fd = slave;
	ASSERT_EQ(5, write(master, "ping\n", 5));
	ASSERT_EQ(0, ckpt_start(&run, "echo"));
	ASSERT_EQ(0, expect_on(master, "ping\n"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;

	EXPECT_EQ(-ENXIO, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "tty")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));

	inherit.fd = new_slave;
	run.inherit = &inherit;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(6, write(new_master, "again\n", 6));
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, expect_on(new_master, "again\nerr\n"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* The terminal can be asked for by the number of its descriptor as well. */
TEST_F_TIMEOUT(tty, by_number, CKPT_TIMEOUT)
{
	struct restart_inherit inherit = { .key = "fd[0]" };
	int master, slave, new_master, new_slave;
	struct ckpt_run run;
	pid_t pid;

	slave = open_pty(&master);
	ASSERT_LE(0, slave);
	new_slave = open_pty(&new_master);
	ASSERT_LE(0, new_slave);
	ckpt_init(&run, &variant->how);
	run.stdio_fd = slave;
	ASSERT_EQ(0, ckpt_start(&run, "reader"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	inherit.fd = new_slave;
	run.inherit = &inherit;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ckpt_sleep_ms(50);
	ASSERT_EQ(6, write(new_master, "wake!\n", 6));
	ASSERT_EQ(0, expect_on(new_master, "wake!\n"));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* A terminal is nothing that a checkpoint disturbs. */
TEST_F_TIMEOUT(tty, left_alone, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int master, slave;

	slave = open_pty(&master);
	ASSERT_LE(0, slave);
	ckpt_init(&run, &variant->how);
	run.stdio_fd = slave;
	ASSERT_EQ(0, ckpt_start(&run, "reader"));
	/* a dry run has nothing against a terminal */
	EXPECT_EQ(0, ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1))
		ckpt_print(&run, "log");
	ASSERT_EQ(6, write(master, "wake!\n", 6));
	ASSERT_EQ(0, expect_on(master, "wake!\n"));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* In a session of its own, with slave as its controlling terminal. */
static void become_session(int slave)
{
	setsid();
	if (ioctl(slave, TIOCSCTTY, 0))
		_exit(90);
}

/*
 * As it is in real life: a shell in a terminal starts a program, which is
 * checkpointed; a shell in another terminal restarts it.
 */
TEST_F_TIMEOUT(tty, controlling, CKPT_TIMEOUT)
{
	struct restart_inherit inherit = { .key = "tty" };
	int master, slave, new_master, new_slave, status;
	struct ckpt_run *run;
	pid_t shell;

	slave = open_pty(&master);
	ASSERT_LE(0, slave);
	new_slave = open_pty(&new_master);
	ASSERT_LE(0, new_slave);
	run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, run);
	ckpt_init(run, &variant->how);
	run->stdio_fd = slave;
	run->same_session = true;
	shell = fork();
	if (!shell) {
		become_session(slave);
		if (ckpt_start(run, "foreground"))
			_exit(1);
		if (ckpt_checkpoint(run))
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(shell, waitpid(shell, &status, 0));
	ASSERT_EQ(0, status);
	close(slave);
	close(master);

	/* descriptors that the first shell opened were its own */
	if (run->cgroup_fd >= 0)
		run->cgroup_fd = open(run->cgroup,
				      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	shell = fork();
	if (!shell) {
		pid_t pid = run->pid;

		become_session(new_slave);
		inherit.fd = new_slave;
		run->inherit = &inherit;
		run->nr_inherit = 1;
		if (ckpt_restart(run) != pid) {
			ckpt_print(run, "log");
			_exit(3);
		}
		if (ckpt_finish(run))
			_exit(4);
		_exit(0);
	}
	ASSERT_EQ(shell, waitpid(shell, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, expect_on(new_master, "dtty\nstdo\n"));
	run->pid = 0;
	ASSERT_EQ(0, ckpt_cleanup(run));
}

CKPT_TEST_MAIN

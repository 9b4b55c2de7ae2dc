// SPDX-License-Identifier: GPL-2.0
/*
 * System calls that only pretend, to test the tools where there are none.
 *
 * FAKE_CHECKPOINT	errno to fail with; or "slow"; else succeed
 * FAKE_RESTART		errno to fail with; or "slow"; or a shell command,
 *			which runs as the restarted root task
 * FAKE_COPY		file to copy the image to that restart gets
 * FAKE_GROUP		if set, it leads its own process group
 * FAKE_RECORD		file to write the arguments to
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "image.h"

static const char log_text[] = "task 12 (name): fd 5: sockets are not supported\n";

/* Does what a system call does that waits: ends when a signal comes. */
static int doze(void)
{
	struct timespec ts = { .tv_nsec = 20000000 };

	return nanosleep(&ts, NULL);
}

int ckpt_features(__u64 *checkpoint_flags, __u64 *restart_flags)
{
	*checkpoint_flags = CHECKPOINT_KILL | CHECKPOINT_STOP | CHECKPOINT_DRY_RUN |
			    CHECKPOINT_LEAK_OK;
	*restart_flags = RESTART_PIDFD | RESTART_CGROUP | RESTART_FILES_CHANGED |
			 RESTART_STOPPED | RESTART_TIMENS | RESTART_LSM_CALLER;
	return 0;
}

static long fail(int fd, int err)
{
	if (fd >= 0 && write(fd, log_text, sizeof(log_text) - 1) < 0)
		return -1;
	errno = err;
	return -1;
}

static FILE *record(void)
{
	const char *name = getenv("FAKE_RECORD");

	return name ? fopen(name, "a") : NULL;
}

static const char *string(__u64 addr)
{
	return (const char *)(uintptr_t)addr;
}

long ckpt_checkpoint(const struct checkpoint_args *args)
{
	const char *how = getenv("FAKE_CHECKPOINT");
	FILE *f = record();
	struct builder b;
	ssize_t n;
	size_t i;

	if (f) {
		fprintf(f, "flags=%llx timeout=%u image=%d", args->flags,
			args->timeout_ms, args->image_fd >= 0);
		for (i = 0; i < args->external_count; i++)
			fprintf(f, " %s", string(((const __u64 *)(uintptr_t)args->external)[i]));
		fputc('\n', f);
		fclose(f);
	}
	if (how && atoi(how))
		return fail(args->log_fd, atoi(how));
	if (args->flags & CHECKPOINT_DRY_RUN)
		return 1;
	make_image(&b, 0);
	for (i = 0; i < b.len; i += n) {
		n = -1;
		if (!how || strcmp(how, "slow") || !doze())
			n = write(args->image_fd, b.p + i,
				  b.len - i < 1000 ? b.len - i : 1000);
		if (n < 0) {
			free(b.p);
			return -1;
		}
	}
	free(b.p);
	return 42;
}

static int copy_image(int fd, const char *name)
{
	FILE *f = fopen(name, "w");
	char buf[4096];
	ssize_t n;

	if (!f)
		return -1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, f);
	if (fclose(f) || n < 0)
		return -1;
	return 0;
}

pid_t ckpt_restart(const struct restart_args *args)
{
	const struct restart_inherit *in =
		(const struct restart_inherit *)(uintptr_t)args->inherit;
	const __u64 *keys = (const __u64 *)(uintptr_t)args->inherit_keys;
	const char *how = getenv("FAKE_RESTART"), *copy = getenv("FAKE_COPY");
	FILE *f = record();
	sigset_t none;
	pid_t pid;
	__u32 i;
	int pidfd, sig;

	if (f) {
		fprintf(f, "flags=%llx cgroup=%d", args->flags, args->cgroup_fd >= 0);
		for (i = 0; i < args->inherit_count; i++)
			fprintf(f, " %s=%d", keys && keys[i] ? string(keys[i]) : in[i].key,
				in[i].fd);
		fputc('\n', f);
		fclose(f);
	}
	if (copy && copy_image(args->image_fd, copy))
		return -1;
	if (!how)
		how = "exit 0";
	if (atoi(how))
		return (pid_t)fail(args->log_fd, atoi(how));
	while (!strcmp(how, "slow"))
		if (doze())
			return -1;
	pid = fork();
	if (!pid) {
		for (sig = 1; sig < 32; sig++)
			signal(sig, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (getenv("FAKE_GROUP"))
			setpgid(0, 0);
		execl("/bin/sh", "sh", "-c", how, NULL);
		_exit(127);
	}
	if (pid > 0 && getenv("FAKE_GROUP"))
		setpgid(pid, pid);
	if (pid > 0 && args->flags & RESTART_PIDFD) {
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		memcpy((void *)(uintptr_t)args->pidfd, &pidfd, sizeof(pidfd));
	}
	return pid;
}

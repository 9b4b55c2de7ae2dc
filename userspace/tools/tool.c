// SPDX-License-Identifier: GPL-2.0
/*
 * What checkpoint and restart share.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

const char *tool_name = "ckpt";

/* The line with the progress is on the terminal and must be cleared first. */
static bool progress_shown;

static void clear_progress(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

static void vsay(const char *fmt, va_list ap)
{
	flockfile(stderr);
	clear_progress();
	fprintf(stderr, "%s: ", tool_name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	funlockfile(stderr);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

void die(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	exit(code);
}

void die_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	fprintf(stderr, "Try '%s --help'.\n", tool_name);
	exit(CKPT_EXIT_USAGE);
}

int own_exit_code(int err)
{
	return err == EACCES || err == EPERM ? CKPT_EXIT_PERMISSION : CKPT_EXIT_IO;
}

const char *human_bytes(char *buf, __u64 bytes)
{
	static const char * const units[] = {
		"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
	};
	double n = (double)bytes;
	size_t i = 0;

	while (n >= 1024 && i < ARRAY_SIZE(units) - 1) {
		n /= 1024;
		i++;
	}
	snprintf(buf, 32, i ? "%.1f %s" : "%.0f %s", n, units[i]);
	return buf;
}

void open_std_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return;
	} while (fd <= 2);
	close(fd);
}

bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	if (!strcmp(a, b))
		return strcmp(a, "-");
	return !stat(a, &sa) && !stat(b, &sb) && S_ISREG(sa.st_mode) &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

int open_cgroup(const char *dir)
{
	struct statfs fs;
	int fd;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT)
			die(CKPT_EXIT_USAGE, "%s: no such cgroup", dir);
		if (errno == ENOTDIR)
			die(CKPT_EXIT_USAGE, "%s: not a cgroup: not a directory", dir);
		die(own_exit_code(errno), "%s: %s", dir, strerror(errno));
	}
	if (fstatfs(fd, &fs))
		die(CKPT_EXIT_IO, "%s: %s", dir, strerror(errno));
	if ((unsigned long)fs.f_type == CGROUP_SUPER_MAGIC)
		die(CKPT_EXIT_USAGE,
		    "%s: is a cgroup of version 1; give a directory of cgroup v2", dir);
	if ((unsigned long)fs.f_type != CGROUP2_SUPER_MAGIC)
		die(CKPT_EXIT_USAGE,
		    "%s: not a cgroup; give a directory below where cgroup2 is mounted, such as /sys/fs/cgroup/JOB",
		    dir);
	return fd;
}

void require_features(enum ckpt_op op, __u64 flags)
{
	__u64 have_checkpoint, have_restart, have;

	if (ckpt_features(&have_checkpoint, &have_restart)) {
		int err = errno;

		die(ckpt_exit_code(op, err), "%s", ckpt_explain(op, err));
	}
	have = op == CKPT_OP_CHECKPOINT ? have_checkpoint : have_restart;
	if (flags & ~have)
		die(CKPT_EXIT_REFUSED,
		    "this kernel does not support what you asked for (flags %#llx)",
		    flags & ~have);
}

void die_by_signal(int sig)
{
	static const struct rlimit no_core;
	sigset_t set;

	/* If it dumped core, then not because of a bug of this program. */
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	fflush(NULL);
	raise(sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + sig);
}

/* ---- the kernel's log ------------------------------------------------- */

void klog_open(struct klog *log, const char *path)
{
	struct stat st;
	FILE *tmp;

	log->fd = -1;
	log->copy_fd = -1;
	log->shown = 0;
	log->statistics = false;

	if (path) {
		int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY,
			      0666);

		if (fd < 0)	/* a pipe, or append-only, or ... */
			fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			die(own_exit_code(errno), "log file %s: %s", path,
			    strerror(errno));
		if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
			log->fd = fd;
			return;
		}
		log->copy_fd = fd;
	}
	/*
	 * Never a pipe: nobody may be able to hold up the kernel, while tasks
	 * stand still, by not reading.
	 */
	log->fd = memfd_create("log", MFD_CLOEXEC);
	if (log->fd >= 0)
		return;
	tmp = tmpfile();
	if (tmp) {
		log->fd = fcntl(fileno(tmp), F_DUPFD_CLOEXEC, 3);
		fclose(tmp);
	}
}

static void show_line(char *line, char *end)
{
	char *c;

	/* Names of tasks and files are in it: nothing a terminal obeys. */
	for (c = line; c < end; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	say("%.*s", (int)(end - line), line);
}

/* How the line of the kernel begins that has no news. */
#define STATISTICS	"statistics: "
#define STATISTICS_LEN	((int)sizeof(STATISTICS) - 1)

void klog_show(struct klog *log, bool all)
{
	char buf[4096], *line, *nl, *end;
	ssize_t n;

	if (log->fd < 0)
		return;
	while ((n = pread(log->fd, buf, sizeof(buf), log->shown)) > 0) {
		bool full = n == (ssize_t)sizeof(buf);

		line = buf;
		end = buf + n;
		while ((nl = memchr(line, '\n', end - line))) {
			if (log->statistics || nl - line < STATISTICS_LEN ||
			    memcmp(line, STATISTICS, STATISTICS_LEN))
				show_line(line, nl);
			line = nl + 1;
		}
		/* A piece of a very long line, or the end of the log. */
		if (line < end && (full ? line == buf : all)) {
			show_line(line, end);
			line = end;
		}
		if (line == buf)
			break;
		log->shown += line - buf;
	}
}

void klog_close(struct klog *log)
{
	char buf[4096];
	off_t pos = 0;
	ssize_t n;

	if (log->copy_fd >= 0 && log->fd >= 0) {
		while ((n = pread(log->fd, buf, sizeof(buf), pos)) > 0) {
			if (write(log->copy_fd, buf, n) != n)
				break;
			pos += n;
		}
	}
	if (log->copy_fd >= 0)
		close(log->copy_fd);
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
	log->copy_fd = -1;
}

/* ---- progress --------------------------------------------------------- */

#define TICK_MS		100
#define FIRST_SHOWN_MS	1000

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000 + (__u64)ts.tv_nsec / 1000000;
}

/* How much the caller has transferred. Returns false if that is not known. */
static bool bytes_done(const struct watch *w, __u64 *done)
{
	char name[64], line[128];
	bool found = false;
	struct stat st;
	off_t pos;
	FILE *f;

	if (!fstat(w->fd, &st) && S_ISREG(st.st_mode)) {
		pos = *w->verb == 'w' ? st.st_size : lseek(w->fd, 0, SEEK_CUR);
		*done = (__u64)pos;
		return pos >= 0;
	}
	snprintf(name, sizeof(name), "/proc/self/task/%d/io", w->caller_tid);
	f = fopen(name, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = *line == *w->verb &&
			sscanf(line, "%*1cchar: %llu", done) == 1;
	fclose(f);
	return found;
}

static void show_progress(const struct watch *w, __u64 ms)
{
	char a[32], b[32];
	__u64 done;

	/* Not over the output of what is in the foreground. */
	if (tcgetpgrp(STDERR_FILENO) != getpgrp() || !bytes_done(w, &done))
		return;
	flockfile(stderr);
	fprintf(stderr, "\r%s: %s %s, %s/s\033[K", tool_name,
		human_bytes(a, done), w->verb, human_bytes(b, done * 1000 / ms));
	fflush(stderr);
	progress_shown = true;
	funlockfile(stderr);
}

static void *watch_thread(void *arg)
{
	struct watch *w = arg;
	struct pollfd pfd = { .fd = w->stop_fd, .events = POLLIN };
	bool tty = isatty(STDERR_FILENO);
	__u64 start = now_ms(), ms;

	while (!poll(&pfd, 1, TICK_MS)) {
		int sig = w->interrupted ? atomic_load(w->interrupted) : 0;

		if (sig)
			pthread_kill(w->caller, sig);
		if (w->log)
			klog_show(w->log, false);
		ms = now_ms() - start;
		if (tty && ms >= FIRST_SHOWN_MS)
			show_progress(w, ms);
	}
	return NULL;
}

void watch_start(struct watch *w)
{
	sigset_t all, old;

	w->caller = pthread_self();
	w->caller_tid = gettid();
	w->running = false;
	w->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (w->stop_fd < 0)
		return;
	/* Signals are for the caller. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!pthread_create(&w->thread, NULL, watch_thread, w))
		w->running = true;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void watch_stop(struct watch *w)
{
	if (w->running) {
		eventfd_write(w->stop_fd, 1);
		pthread_join(w->thread, NULL);
	}
	if (w->stop_fd >= 0)
		close(w->stop_fd);
	w->running = false;
	flockfile(stderr);
	clear_progress();
	funlockfile(stderr);
}

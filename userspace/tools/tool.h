/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What checkpoint and restart share: messages, the kernel's log, and a thread
 * that shows how far a long system call is.
 */
#ifndef TOOL_H
#define TOOL_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ckpt.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

extern const char *tool_name;

/* Message on stderr: "NAME: ..." and a newline. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same, then exit. */
void die(int code, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* Wrong use: the same, with a hint at --help, then exit. */
void die_usage(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* Exit code for something of the tool's own that failed: a file, say. */
int own_exit_code(int err);

/* "12.3 MiB"; buf has room for 32 bytes. */
const char *human_bytes(char *buf, __u64 bytes);

/* Descriptors 0 to 2 are open afterwards, be it on /dev/null. */
void open_std_fds(void);

/* Is it one file, by whatever name? It need not exist. */
bool same_file(const char *a, const char *b);

/* Opens a directory of cgroup v2 or exits with a message. */
int open_cgroup(const char *dir);

/* Refuse what the kernel does not support, with a message. */
void require_features(enum ckpt_op op, __u64 flags);

/* Go by a signal, as seen by whoever waits for this process. */
void die_by_signal(int sig) __attribute__((noreturn));

/**
 * struct klog - the kernel's log
 * @fd: What the kernel writes to, or -1.
 * @copy_fd: Where it is to be copied when it is complete, or -1.
 * @shown: How much of it was shown.
 * @statistics: Show the line of statistics, too.
 */
struct klog {
	int	fd;
	int	copy_fd;
	off_t	shown;
	bool	statistics;
};

/* Exits with a message if it cannot open @path, which may be NULL. */
void klog_open(struct klog *log, const char *path);

/* Show what is new on stderr; the last line too if @all, complete or not. */
void klog_show(struct klog *log, bool all);

/* Copies to where -l said. */
void klog_close(struct klog *log);

/**
 * struct watch - a thread that looks after a long system call of another
 * @fd: Descriptor whose position or size tells how far it is.
 * @verb: "written" or "read".
 * @log: Show new lines of this one as they come, or NULL.
 * @interrupted: If this becomes a signal, keep sending it to the thread that
 *	called watch_start(), so that its system call returns; or NULL.
 */
struct watch {
	int			fd;
	const char		*verb;
	struct klog		*log;
	atomic_int		*interrupted;
	pthread_t		caller;
	pid_t			caller_tid;
	pthread_t		thread;
	int			stop_fd;
	bool			running;
};

void watch_start(struct watch *w);
void watch_stop(struct watch *w);

#endif /* TOOL_H */

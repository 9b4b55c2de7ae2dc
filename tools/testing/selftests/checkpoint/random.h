/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checkpoint/restart: random trees of tasks. See random.c.
 */
#ifndef CKPT_RANDOM_H
#define CKPT_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define MAX_TASKS	9
#define MAX_OPS		400
#define MAX_SLOTS	12
#define SLOT_ADDR	0x100000000000UL
#define SLOT_SIZE	(1UL << 24)

/* A struct timespec for each task: how long it waits. */
#define PATIENCE_ADDR	0x110000000000UL
#define PATIENCE_SECONDS	600

/*
 * What the tasks do, one after the other: operation, its name, and the names of
 * its operands a, b, c, d and v. All of them may fail, and then do nothing: so
 * each can be left out of a plan.
 */
#define OPS(X)								\
	X(NOP, "nothing", "")						\
	/* tasks */							\
	X(FORK, "clone", "task flags")					\
	X(EXIT, "exit", "status how")					\
	X(GONE, "wait-for-exit", "task")				\
	X(SETSID, "setsid", "")						\
	X(SETPGID, "setpgid", "")					\
	X(MODE, "wait-in", "mode fd arg")				\
	X(AWAKE, "wakes-up", "task")					\
	X(COLLECT, "woke-up", "")					\
	X(SMALL, "set", "what value")					\
	X(MASK, "sigprocmask", "signal how")				\
	X(HANDLER, "sigaction", "signal flags")				\
	X(QUEUE, "queue-signal", "task signal whom - value")		\
	X(SIGDRAIN, "take-signals", "")					\
	X(ITIMER, "setitimer", "which seconds")				\
	X(TIMER, "timer_create", "clock signal seconds")		\
	X(TIMERGET, "timer_gettime", "id")				\
	X(WAITID, "waitid", "task")					\
	/* files */							\
	X(MKFILE, "make-file", "file - length - value")			\
	X(MKDIR, "mkdir", "dir")					\
	X(OPEN, "open", "fd file flags position")			\
	X(UNLINK, "unlink", "file")					\
	X(TMPFILE, "open-tmpfile", "fd - flags length value")		\
	X(OPENDIR, "opendir", "fd dir flags entries")			\
	X(GETDENTS, "getdents", "fd")					\
	X(TOUCH, "create-in-dir", "dir file")				\
	X(DEV, "open-device", "fd which flags")				\
	X(MEMFD, "memfd_create", "fd - flags length value")		\
	X(SEAL, "seal", "fd seals")					\
	X(FLOCK, "flock", "fd how")					\
	X(LOCK, "fcntl-lock", "fd type start length")			\
	X(OFD, "ofd-lock", "fd type start length")			\
	X(TESTLOCK, "test-lock", "fd - start length")			\
	X(TRUNCATE, "ftruncate", "fd length")				\
	X(SEEK, "lseek", "fd position")					\
	/* channels */							\
	X(PIPE, "pipe", "read write flags size")			\
	X(MKFIFO, "mkfifo", "fifo")					\
	X(FIFO, "open-fifo", "fd fifo flags")				\
	X(EVENTFD, "eventfd", "fd - flags - value")			\
	X(TIMERFD, "timerfd", "fd clock flags seconds interval")	\
	X(TIMERFDGET, "timerfd_gettime", "fd")				\
	X(SIGNALFD, "signalfd", "fd - flags - mask")			\
	X(EPOLL, "epoll_create", "fd - flags")				\
	X(EPCTL, "epoll_ctl", "epfd fd events op data")			\
	X(EPWAIT, "epoll_wait", "epfd max")				\
	X(INOTIFY, "inotify_init", "fd - flags")			\
	X(WATCH, "inotify_add_watch", "fd file mask dir")		\
	X(PTY, "open-pty", "master slave flags mode")			\
	X(CTTY, "set-ctty", "fd")					\
	X(TTYSET, "tcsetattr", "fd what value")				\
	X(PIDFD, "pidfd_open", "fd task flags")				\
	X(MQOPEN, "mq_open", "fd queue flags")				\
	X(MQSEND, "mq_send", "fd - length priority value")		\
	X(MQRECV, "mq_receive", "fd")					\
	X(MQNOTIFY, "mq_notify", "fd signal")				\
	X(MQUNLINK, "mq_unlink", "queue")				\
	/* sockets */							\
	X(PAIR, "socketpair", "fd fd type")				\
	X(SOCKET, "socket", "fd domain type")				\
	X(BIND, "bind", "fd name how")					\
	X(LISTEN, "listen", "fd backlog")				\
	X(CONNECT, "connect", "fd name how")				\
	X(ACCEPT, "accept", "fd newfd")					\
	X(SENDFD, "send-fd", "fd passed length cred value")		\
	X(SENDTO, "sendto", "fd name length how value")			\
	X(RECV, "recvmsg", "fd newfd wait-ms")				\
	X(SHUTDOWN, "shutdown", "fd how")				\
	X(OOB, "send-oob", "fd - - - value")				\
	X(SOCKOPT, "setsockopt", "fd what value")			\
	/* descriptors */						\
	X(WRITE, "write", "fd - length - value")			\
	X(READ, "read", "fd - length wait-ms")				\
	X(POLL, "poll", "fd")						\
	X(DUP, "dup3", "fd newfd flags")				\
	X(CLOSE, "close", "fd")						\
	X(SETFL, "set-flags", "fd flags")				\
	X(SETFD, "set-cloexec", "fd flags")				\
	X(SETOWN, "set-owner", "fd task signal async")			\
	/* memory */							\
	X(MMAP, "mmap", "slot fd how pages value")			\
	X(POKE, "write-memory", "slot - page pages value")		\
	X(PEEK, "read-memory", "slot")					\
	X(MPROTECT, "mprotect", "slot prot page pages")			\
	X(MUNMAP, "munmap", "slot - page pages")			\
	X(MADVISE, "madvise", "slot advice page pages")			\
	/* System V IPC */						\
	X(SHM, "shmat", "key slot flags pages")				\
	X(SHMRM, "shm-remove", "key")					\
	X(SEM, "semget", "key count")					\
	X(SEMOP, "semop", "key number undo by")				\
	X(SEMGET, "sem-values", "key count")				\
	X(MSG, "msgget", "key")						\
	X(MSGSND, "msgsnd", "key - length type value")			\
	X(MSGRCV, "msgrcv", "key type")

enum op_kind {
#define X(kind, name, operands) OP_##kind,
	OPS(X)
#undef X
	NR_OP_KINDS
};

/* Ways to wait, while the checkpoint is made. */
enum wait_mode {
	WAIT_FUTEX, WAIT_NAP, WAIT_SPIN, WAIT_STOPPED, WAIT_POLL, WAIT_READ,
	WAIT_SIGNAL, WAIT_EPOLL, WAIT_SEM, WAIT_MSG, WAIT_FLOCK, WAIT_CHILD,
	NR_WAIT_MODES
};

/* FORK: beyond the flags of clone(2) */
#define FORK_THREAD	1	/* in place of an exit signal */

/**
 * struct op - one operation
 * @kind: One of enum op_kind.
 * @task: Who does it.
 */
struct op {
	uint8_t kind, task, dropped, pad;
	int32_t a, b, c, d;
	uint32_t v;
};

/**
 * struct plan - what the tasks do
 * @seed: Where it comes from.
 * @nr: Number of operations.
 * @point: The checkpoint is before this one.
 * @op: In the order in which they are done.
 */
struct plan {
	uint32_t seed, nr, point, pad;
	struct op op[MAX_OPS];
};

/**
 * struct result - what came of an operation
 * @ret: What the system call returned, -errno if it failed.
 * @hash: Of what it has told.
 */
struct result {
	int32_t ret;
	uint32_t hash;
};

void raw_restorer(void);	/* in assembler */

void plan_make(struct plan *plan, uint32_t seed);
void plan_print(const struct plan *plan);
void op_print(const struct plan *plan, unsigned int i, char *buf, size_t size);

/**
 * struct snapshot - what can be seen of some tasks
 * @text: Lines.
 */
struct snapshot {
	char *text;
	size_t len, size;
};

/* Of all tasks of the pid namespace but our own process. */
void snapshot_take(struct snapshot *snap);
int snapshot_diff(const struct snapshot *a, const struct snapshot *b, char *first, size_t size);
void snapshot_free(struct snapshot *snap);
int snapshot_wait(void);

static inline uint32_t hash_add(uint32_t hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len--)
		hash = (hash ^ *p++) * 16777619u;
	return hash;
}

#define HASH_START	2166136261u

#endif /* CKPT_RANDOM_H */

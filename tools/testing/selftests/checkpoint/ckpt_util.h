/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checkpoint/restart selftests: what they share.
 *
 * What is checkpointed is called a subject. It is the test program itself,
 * executed anew with "--subject NAME", so that it shares nothing with the test
 * harness: neither memory nor descriptors. A subject prepares some state, calls
 * subject_point(), where it is checkpointed, and afterwards verifies every bit
 * of that state with CHECK(). It does not matter to it whether it went on or
 * was restarted; both must look the same.
 *
 * Subject and test communicate through files in a directory of their own,
 * always by name: a pipe between them would be state that leads out of the
 * target.
 *
 *	ready	made by the subject: the state is there
 *	done	made by the subject: it has checkpointed itself and goes on
 *	go	made by the test: verify the state
 *	result	written by the subject: what is wrong
 *	image	the image
 *	log	what the kernel had to say
 *	f/	files that the subject works on; set back to what they were at the
 *		checkpoint when the subject went on after it
 *
 * "PROGRAM --control [NAME...]" runs subjects without checkpointing them. That
 * shows that a subject is happy with itself on any kernel.
 */
#ifndef CKPT_UTIL_H
#define CKPT_UTIL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/checkpoint.h>
#include <linux/checkpoint_image.h>
#include <signal.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest.h"

/* As the kernel has them. */
#ifndef READ_ONCE
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#endif

#ifndef __NR_checkpoint
#define __NR_checkpoint		548
#define __NR_restart		549
#endif

/* How long anything may take, in seconds: emulation is slow. */
#define CKPT_PATIENCE		180
#define CKPT_TIMEOUT		420

/* The one descriptor, beside 0 to 2, that a subject may be given. */
#define SUBJECT_FD		10

/**
 * struct ckpt_how - one way to checkpoint and restart
 * @target: How the target is named.
 * @kill: Kill it, rather than let it go on.
 * @pipe: The image goes through pipes, rather than to a file.
 */
struct ckpt_how {
	enum ckpt_how_target {
		CKPT_SUBTREE,
		CKPT_CGROUP,
		CKPT_SELF,
	} target;
	bool kill;
	bool pipe;
};

/**
 * struct ckpt_run - one subject, from start to end
 * @how: How to checkpoint and restart it.
 * @dir: Where it communicates with us.
 * @cgroup: Its own cgroup.
 * @pid: Its process id.
 * @cgroup_fd: Descriptor of @cgroup, or -1 if there is no cgroup v2.
 * @stdio_fd: What it has as descriptors 0 to 2; -1 for /dev/null.
 * @extra_fd: What it has as SUBJECT_FD, or -1.
 * @uid: Who it is, if not 0.
 * @pipe_ms: Who is at the other end of a pipe waits for so long first.
 * @same_session: Leave it in our session and process group.
 * @checkpoint_flags: In addition to what @how asks for.
 * @restart_flags: Likewise.
 * @external: For checkpoint(): what is to be external.
 * @nr_external: Likewise.
 * @inherit: For restart().
 * @nr_inherit: Likewise.
 * @inherit_keys: Likewise; or NULL.
 * @image_id: What checkpoint() returned.
 * @checkpoint_ns: When (CLOCK_MONOTONIC) it was called.
 * @restart_ns: When restart() returned.
 */
struct ckpt_run {
	struct ckpt_how how;
	char dir[64];
	char cgroup[128];
	pid_t pid;
	int cgroup_fd;
	int stdio_fd;
	int extra_fd;
	uid_t uid;
	unsigned int pipe_ms;
	bool same_session;
	uint64_t checkpoint_flags;
	uint64_t restart_flags;
	const uint64_t *external;
	unsigned int nr_external;
	struct restart_inherit *inherit;
	unsigned int nr_inherit;
	const uint64_t *inherit_keys;
	long image_id;
	uint64_t checkpoint_ns;
	uint64_t restart_ns;
};

/* System calls; these return -errno rather than set errno. */
long sys_checkpoint(const void *args, size_t size);
long sys_restart(const void *args, size_t size);
long ckpt_checkpoint_to(int target_fd, int image_fd, uint64_t flags, int log_fd);
long ckpt_restart_from(int image_fd, uint64_t flags, int log_fd);
bool ckpt_supported(void);
int ckpt_pidfd(pid_t pid);

/*
 * The steps of a test, in this order. All but ckpt_restart() return 0, or a
 * negative number after they have printed why.
 */
void ckpt_init(struct ckpt_run *run, const struct ckpt_how *how);
int ckpt_start(struct ckpt_run *run, const char *subject);
long ckpt_checkpoint_log(struct ckpt_run *run, uint64_t flags, int image_fd);
int ckpt_checkpoint(struct ckpt_run *run);
int ckpt_go_on(struct ckpt_run *run);
int ckpt_kill(struct ckpt_run *run);
long ckpt_restart(struct ckpt_run *run);
int ckpt_finish(struct ckpt_run *run);
int ckpt_cleanup(struct ckpt_run *run);

/* All of the steps. */
int ckpt_roundtrip(const char *subject, const struct ckpt_how *how);
int ckpt_roundtrip_run(const char *subject, struct ckpt_run *run);
/* Expects a refusal with these words in the log, and an unharmed subject. */
int ckpt_refused(const char *subject, const char *words, const char *more_words);

/* Small things. */
__printf(1, 2) void ckpt_msg(const char *fmt, ...);
uint64_t ckpt_now(void);
void ckpt_sleep_ms(unsigned int ms);
int ckpt_open(const struct ckpt_run *run, const char *name, int flags);
bool ckpt_exists(const struct ckpt_run *run, const char *name);
int ckpt_wait_for(const struct ckpt_run *run, const char *name);
void ckpt_touch(const struct ckpt_run *run, const char *name);
void ckpt_remove(const struct ckpt_run *run, const char *name);
void ckpt_print(const struct ckpt_run *run, const char *name);
int ckpt_log_has(const struct ckpt_run *run, const char *words);
char ckpt_state(pid_t pid);
int ckpt_wait_state(pid_t pid, char state);
int ckpt_nr_fds(void);
ssize_t ckpt_slurp(const char *path, char *buf, size_t size);

/* In a subject. */
extern char subject_dir[64];

void subject_ready(void);
void subject_wait(const char *name);
bool subject_told(const char *name);
void subject_point(void);
void subject_touch(const char *name);
int subject_open(const char *name, int flags);
const char *subject_path(const char *name);
void subject_join(pid_t pid);
void subject_report(const char *name, const void *buf, size_t len);
__printf(3, 4) __noreturn
void subject_fail(const char *file, int line, const char *fmt, ...);

#define CHECK(cond) do {						\
	if (!(cond))							\
		subject_fail(__FILE__, __LINE__, "%s (errno %d)",	\
			     #cond, errno);				\
} while (0)

#define CHECK_EQ(want, seen) do {					\
	long long want_ = (long long)(want);				\
	long long seen_ = (long long)(seen);				\
									\
	if (want_ != seen_)						\
		subject_fail(__FILE__, __LINE__,			\
			     "%s is %lld (%#llx), not %s %lld (%#llx) (errno %d)", \
			     #seen, seen_, seen_, #want, want_, want_,	\
			     errno);					\
} while (0)

#define CHECK_MEM(want, seen, len) do {					\
	if (memcmp(want, seen, len))					\
		subject_fail(__FILE__, __LINE__, "%s is not as %s",	\
			     #seen, #want);				\
} while (0)

struct ckpt_subject {
	const char *name;
	void (*fn)(void);
	struct ckpt_subject *next;
};

void ckpt_register_subject(struct ckpt_subject *subject);

#define SUBJECT(name_)							\
	static void subject_fn_##name_(void);				\
	static struct ckpt_subject subject_entry_##name_ = {		\
		.name = #name_, .fn = subject_fn_##name_,		\
	};								\
	static void __attribute__((constructor))			\
	subject_register_##name_(void)					\
	{								\
		ckpt_register_subject(&subject_entry_##name_);		\
	}								\
	static void subject_fn_##name_(void)

int ckpt_subject_main(int argc, char **argv);

#define CKPT_TEST_MAIN							\
	int main(int argc, char **argv)					\
	{								\
		int ret = ckpt_subject_main(argc, argv);		\
									\
		return ret < 0 ? test_harness_run(argc, argv) : ret;	\
	}

/* Fails each test, rather than skip it, where there is nothing to test. */
#define CKPT_FIXTURE_SETUP(name)					\
	FIXTURE_SETUP(name)						\
	{								\
		ASSERT_TRUE(ckpt_supported()) {				\
			TH_LOG("kernel has no checkpoint()");		\
		}							\
	}								\
	FIXTURE_TEARDOWN(name) { }

/* A fixture for tests that have no variants. */
#define CKPT_FIXTURE(name)						\
	FIXTURE(name) { };						\
	CKPT_FIXTURE_SETUP(name)

/* A fixture for tests that run with each of a few ways to do it. */
#define CKPT_FIXTURE_HOW(name)						\
	FIXTURE(name) { };						\
	FIXTURE_VARIANT(name)						\
	{								\
		struct ckpt_how how;					\
	};								\
	CKPT_FIXTURE_SETUP(name)

#define CKPT_VARIANT(fixture, name, ...)				\
	FIXTURE_VARIANT_ADD(fixture, name)				\
	{								\
		.how = { __VA_ARGS__ },					\
	}

/* The usual few. */
#define CKPT_VARIANTS(fixture)						\
	CKPT_VARIANT(fixture, subtree_kill_file,			\
		     .target = CKPT_SUBTREE, .kill = true);		\
	CKPT_VARIANT(fixture, cgroup_leave_pipe,			\
		     .target = CKPT_CGROUP, .pipe = true);		\
	CKPT_VARIANT(fixture, self_kill_file,				\
		     .target = CKPT_SELF, .kill = true)

/* The usual few where a subject cannot checkpoint itself. */
#define CKPT_VARIANTS_OTHER(fixture)					\
	CKPT_VARIANT(fixture, subtree_kill_file,			\
		     .target = CKPT_SUBTREE, .kill = true);		\
	CKPT_VARIANT(fixture, cgroup_leave_pipe,			\
		     .target = CKPT_CGROUP, .pipe = true)

#define CKPT_ROUNDTRIP(fixture, subject)				\
	TEST_F_TIMEOUT(fixture, subject, CKPT_TIMEOUT)			\
	{								\
		ASSERT_EQ(0, ckpt_roundtrip(#subject, &variant->how));	\
	}

#endif /* CKPT_UTIL_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * drive: measures in the guest, for scripts/bench. It starts a load, has it
 * checkpointed, kills it, has it restarted and asks it for its checksum, by
 * turns with checkpoint(2) and with CRIU, and in between the things that no
 * checkpoint can be quicker than. What it finds goes to the standard output:
 *
 *	sample NAME ROUND METRIC VALUE		times in ns, sizes in bytes
 *	fail NAME TOOL ROUND TEXT
 *
 * A round of which the load does not prove that it is what it was gives no
 * sample.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/checkpoint_image.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORK		"/tmp/bench"
#define IMAGE		WORK "/image"
#define CRIU_DIR	WORK "/criu"
#define LOG		WORK "/log"
#define SAID		WORK "/said"	/* what a command printed */
#define MAX_METRICS	16
#define HUGE		(2UL << 20)

enum tool { OURS, CRIU };
static const char * const tools[] = { "checkpoint", "criu" };

static const char *name = "load";
static unsigned int rounds = 1, first_round;
static int timeout_s = 120;
/* options, see main() */
static int no_criu, no_ours, limits, beat, killing, ipc_namespace, thp, lazy, pss, peak;
static const char *program, *ready_command, *check_command, *profile;
static char **load_args;
static pid_t root;

/* What a round has found out; counts only once the load has proved itself. */
static struct {
	char		name[40];
	uint64_t	value;
} metrics[MAX_METRICS];
static int nr_metrics;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void metric(const char *prefix, const char *what, uint64_t value)
{
	if (nr_metrics == MAX_METRICS)
		abort();
	snprintf(metrics[nr_metrics].name, sizeof(metrics->name), "%s%s%s", prefix,
		 *prefix ? "." : "", what);
	metrics[nr_metrics++].value = value;
}

static void publish(unsigned int round)
{
	int i;

	for (i = 0; i < nr_metrics; i++)
		printf("sample %s %u %s %lu\n", name, round, metrics[i].name,
		       metrics[i].value);
	fflush(stdout);
}

/* The end of what the last command said, in one line. */
static void tail(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "r");
	char *p;

	*text = 0;
	if (!f)
		return;
	if (fseek(f, -(long)size + 1, SEEK_END))
		rewind(f);
	text[fread(text, 1, size - 1, f)] = 0;
	fclose(f);
	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
}

__attribute__((format(printf, 3, 4)))
static bool give_up(enum tool tool, unsigned int round, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	printf("fail %s %s %u ", name, tools[tool], round);
	vprintf(fmt, ap);
	va_end(ap);
	tail(SAID, text, sizeof(text));
	if (*text)
		printf(": %s", text);
	tail(WORK "/error", text, sizeof(text));
	if (*text)
		printf(": load: %s", text);
	tail(CRIU_DIR "/dump.log", text, sizeof(text));
	if (tool == CRIU && *text)
		printf(": dump.log: %s", text);
	tail(CRIU_DIR "/restore.log", text, sizeof(text));
	if (tool == CRIU && *text)
		printf(": restore.log: %s", text);
	putchar('\n');
	fflush(stdout);
	return false;
}

/* ---- commands --------------------------------------------------------- */

static pid_t start(char **argv, bool session)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	pid_t pid;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (session)
		posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	else
		posix_spawn_file_actions_addopen(&actions, 1, SAID,
						 O_WRONLY | O_CREAT | O_TRUNC | O_APPEND,
						 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
				 (session ? POSIX_SPAWN_SETSID : 0));
	err = posix_spawnp(&pid, argv[0], &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	errno = err;
	return err ? -1 : pid;
}

/* Returns its exit status, 128 + signal, or -1 if it took too long. */
static int run(char **argv, uint64_t *took)
{
	struct pollfd pfd = { .events = POLLIN };
	uint64_t began = now();
	pid_t pid = start(argv, false);
	int status;

	if (pid < 0)
		return 127;
	pfd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (poll(&pfd, 1, timeout_s * 1000) <= 0)
		kill(pid, SIGKILL);
	close(pfd.fd);
	if (waitpid(pid, &status, 0) != pid)
		return 127;
	*took = now() - began;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return *took / 1000000000 >= (uint64_t)timeout_s ? -1 : 128 + WTERMSIG(status);
}

static int shell(const char *command)
{
	char *argv[] = { "sh", "-c", (char *)command, NULL };
	uint64_t took;

	return run(argv, &took);
}

static int bash(const char *command)
{
	char *argv[] = { "bash", "-c", (char *)command, NULL };
	uint64_t took;

	return run(argv, &took);
}

/* ---- perf ------------------------------------------------------------- */

static int perf_ctl = -1, perf_ack = -1;
static pid_t perf_pid;

static void perf_start(void)
{
	static char *argv[] = {
		"perf", "record", "-q", "-a", "-g", "-e", "cpu-clock", "-F", "1000", "-D", "-1",
		"--control", "fifo:" WORK "/perf.ctl," WORK "/perf.ack",
		"-o", WORK "/perf.data", NULL
	};

	mkfifo(WORK "/perf.ctl", 0600);
	mkfifo(WORK "/perf.ack", 0600);
	perf_ctl = open(WORK "/perf.ctl", O_RDWR | O_CLOEXEC);
	perf_ack = open(WORK "/perf.ack", O_RDWR | O_CLOEXEC);
	perf_pid = start(argv, true);
	sleep(3);
}

static void perf_switch(const char *op, bool on)
{
	struct pollfd pfd = { .fd = perf_ack, .events = POLLIN };
	const char *word = on ? "enable\n" : "disable\n";
	char ack[16];

	if (perf_ctl < 0 || strcmp(op, profile))
		return;
	if (write(perf_ctl, word, strlen(word)) < 0 || poll(&pfd, 1, 20000) <= 0 ||
	    read(perf_ack, ack, sizeof(ack)) < 0)
		printf("note perf does not answer\n");
}

static void perf_stop(void)
{
	if (perf_pid <= 0)
		return;
	kill(perf_pid, SIGINT);
	waitpid(perf_pid, NULL, 0);
}

/* ---- the load --------------------------------------------------------- */

static bool wait_file(const char *path)
{
	uint64_t end = now() + (uint64_t)timeout_s * 1000000000;

	while (access(path, F_OK)) {
		if (now() > end || !access(WORK "/error", F_OK))
			return false;
		usleep(500);
	}
	return true;
}

static bool read_answer(const char *path, char *text, int size)
{
	FILE *f = fopen(path, "r");
	bool ok;

	if (!f)
		return false;
	ok = fgets(text, size, f);
	fclose(f);
	return ok;
}

static bool ask(const char *what, char *text, int size)
{
	FILE *f;

	unlink(WORK "/answer");
	f = fopen(WORK "/request", "w");
	if (!f || fprintf(f, "%s\n", what) < 0 || fclose(f))
		return false;
	return !kill(root, SIGUSR1) && wait_file(WORK "/answer") &&
	       read_answer(WORK "/answer", text, size);
}

static bool check(char *sum, int size)
{
	if (!program)
		return ask("check", sum, size);
	return !shell(check_command) && read_answer(SAID, sum, size);
}

static bool start_load(enum tool tool)
{
	char *argv[32], text[64];
	uint64_t end = now() + (uint64_t)timeout_s * 1000000000;
	int n = 0, i;

	unlink(WORK "/error");
	unlink(WORK "/answer");
	unlink(WORK "/request");
	/* CRIU saves System V IPC only with the namespace that it is in */
	if (tool == CRIU && ipc_namespace) {
		argv[n++] = "unshare";
		argv[n++] = "--ipc";
	}
	if (program) {
		argv[n++] = "sh";
		argv[n++] = "-c";
		argv[n++] = (char *)program;
	} else {
		argv[n++] = WORK "/load";
		argv[n++] = WORK;
		for (i = 0; load_args[i] && n < 30; i++)
			argv[n++] = load_args[i];
		if (beat)
			argv[n++] = "--beat";
	}
	argv[n] = NULL;
	root = start(argv, true);
	if (root < 0)
		return false;
	if (!program)
		return wait_file(WORK "/answer") &&
		       read_answer(WORK "/answer", text, sizeof(text));
	while (shell(ready_command)) {
		if (now() > end)
			return false;
		usleep(100000);
	}
	return true;
}

/* What survives its creator would meet its restored self. */
static void remove_ipc(void)
{
	static const char * const kinds[] = { "msg", "sem", "shm" };
	char path[64], line[256];
	int i, id;
	FILE *f;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/proc/sysvipc/%s", kinds[i]);
		f = fopen(path, "r");
		if (!f)
			continue;
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%*d %d", &id) != 1)
				continue;
			if (i == 0)
				msgctl(id, IPC_RMID, NULL);
			else if (i == 1)
				semctl(id, 0, IPC_RMID);
			else
				shmctl(id, IPC_RMID, NULL);
		}
		fclose(f);
	}
}

/* The processes of the load: those of its session. */
static int each_process(void (*fn)(pid_t pid, void *arg), void *arg)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int n = 0;
	pid_t pid;

	while (d && (e = readdir(d))) {
		pid = atoi(e->d_name);
		if (pid > 0 && getsid(pid) == root) {
			fn(pid, arg);
			n++;
		}
	}
	if (d)
		closedir(d);
	return n;
}

static void kill_one(pid_t pid, void *arg)
{
	(void)arg;
	kill(pid, SIGKILL);
}

static void kill_load(void)
{
	int tries;

	if (root <= 0)
		return;
	kill(-root, SIGKILL);
	/* all children of the dead become ours */
	for (tries = 0; each_process(kill_one, NULL) && tries < 10000; tries++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		usleep(1000);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	remove_ipc();
}

static void add_pss(pid_t pid, void *arg)
{
	unsigned long kb;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Pss: %lu", &kb) == 1)
			*(uint64_t *)arg += kb << 10;
	fclose(f);
}

static void measure_pss(const char *tool, const char *when)
{
	uint64_t sum = 0;

	if (!pss)
		return;
	each_process(add_pss, &sum);
	metric(tool, when, sum);
}

static void measure_gap(const char *tool, bool done)
{
	char text[64];

	if (!beat || !ask("gap", text, sizeof(text)) || !done)
		return;
	metric(tool, "gap", strtoul(text, NULL, 10));
}

/* ---- what no checkpoint can be quicker than ------------------------------ */

static void measure_limits(void)
{
	uint64_t forked, waited;
	char text[64];

	if (!limits)
		return;
	if (ask("fork", text, sizeof(text)) &&
	    sscanf(text, "%lu %lu", &forked, &waited) == 2) {
		metric("", "fork", forked);
		metric("", "fork_exit", waited);
	}
	if (ask("write " WORK "/written", text, sizeof(text)))
		metric("", "write", strtoul(text, NULL, 10));
}

/* read(2) of the image into fresh memory, in a process that has no more */
static void measure_read(void)
{
	struct stat st;
	uint64_t took;
	int fds[2], fd;
	ssize_t n;
	size_t done;
	char *p;
	pid_t pid;

	if (!limits || stat(IMAGE, &st) || pipe(fds))
		return;
	pid = fork();
	if (!pid) {
		fd = open(IMAGE, O_RDONLY);
		p = mmap(NULL, (size_t)st.st_size + 2 * HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			_exit(1);
		p += -(uintptr_t)p & (HUGE - 1);
		madvise(p, ((size_t)st.st_size + HUGE) & ~(HUGE - 1),
			thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		took = now();
		for (done = 0; done < (size_t)st.st_size; done += (size_t)n) {
			n = read(fd, p + done, (size_t)st.st_size - done);
			if (n <= 0)
				_exit(1);
		}
		took = now() - took;
		_exit(write(fds[1], &took, sizeof(took)) != sizeof(took));
	}
	close(fds[1]);
	if (read(fds[0], &took, sizeof(took)) == sizeof(took))
		metric("", "read", took);
	close(fds[0]);
	waitpid(pid, NULL, 0);
}

/* ---- ours ------------------------------------------------------------- */

/* How long the tasks stood still: in the log, or else at the end of the image. */
static void image_metrics(void)
{
	uint64_t us, frozen = 0;
	char line[256], *p;
	FILE *f;

	struct {
		struct ckpt_record h;
		struct ckpt_trailer t;
	} last;
	struct stat st;
	int fd = open(IMAGE, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && !fstat(fd, &st) && st.st_size > (off_t)sizeof(last) &&
	    pread(fd, &last, sizeof(last), st.st_size - (off_t)sizeof(last)) ==
	    sizeof(last) && last.h.type == CKPT_REC_TRAILER) {
		frozen = last.t.frozen_ns;
		metric("checkpoint", "bytes", (uint64_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	f = fopen(LOG, "r");
	while (f && fgets(line, sizeof(line), f)) {
		p = strstr(line, "frozen ");
		if (p && sscanf(p, "frozen %lu us", &us) == 1)
			frozen = us * 1000;
	}
	if (f)
		fclose(f);
	if (frozen)
		metric("checkpoint", "frozen", frozen);
}

static bool ours_checkpoint(unsigned int round)
{
	char pid[16];
	char *argv[] = {
		"checkpoint", "-p", pid, "-o", IMAGE, "-l", LOG, killing ? "-k" : NULL, NULL
	};
	uint64_t took;
	int status;

	snprintf(pid, sizeof(pid), "%d", root);
	measure_gap("checkpoint", false);
	perf_switch("checkpoint", true);
	status = run(argv, &took);
	perf_switch("checkpoint", false);
	if (status != (killing ? 85 : 0))
		return give_up(OURS, round, "checkpoint: exit status %d", status);
	measure_gap("checkpoint", true);
	metric("checkpoint", "checkpoint", took);
	image_metrics();
	return true;
}

static bool ours_restart(unsigned int round, bool lazily)
{
	char *argv[] = { "restart", "-d", "-i", IMAGE, lazily ? "--lazy" : NULL, NULL };
	uint64_t took;
	int status;

	perf_switch("restart", true);
	status = run(argv, &took);
	perf_switch("restart", false);
	if (status)
		return give_up(OURS, round, "restart%s: exit status %d",
			       lazily ? " --lazy" : "", status);
	metric("checkpoint", lazily ? "lazy" : "restart", took);
	return true;
}

/* ---- how much memory the kernel takes for it ----------------------------- */

static atomic_ulong least_free;
static atomic_bool sampling;

static uint64_t free_bytes(void)
{
	unsigned long kb = 0;
	char text[256];
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *p;

	close(fd);
	text[n > 0 ? n : 0] = 0;
	p = strstr(text, "MemFree:");
	if (!p || sscanf(p, "MemFree: %lu", &kb) != 1)
		return 0;
	return (uint64_t)kb << 10;
}

static void *sample_free(void *arg)
{
	uint64_t n;

	(void)arg;
	while (sampling) {
		n = free_bytes();
		if (n < least_free)
			least_free = n;
		usleep(1000);
	}
	return NULL;
}

/* Into a pipe, so that the image itself takes no memory. */
static bool measure_peak(unsigned int round)
{
	char command[128];
	pthread_t thread;
	uint64_t before;
	int status;

	snprintf(command, sizeof(command),
		 "set -o pipefail; checkpoint -p %d | cat > /dev/null", root);
	before = free_bytes();
	least_free = before;
	sampling = true;
	if (pthread_create(&thread, NULL, sample_free, NULL))
		return give_up(OURS, round, "no thread");
	status = bash(command);
	sampling = false;
	pthread_join(thread, NULL);
	if (status)
		return give_up(OURS, round, "checkpoint to a pipe: exit status %d", status);
	metric("checkpoint", "peak", before - least_free);
	return true;
}

/* ---- CRIU ------------------------------------------------------------- */

static uint64_t varint(const uint8_t **p, const uint8_t *end)
{
	uint64_t value = 0;
	int shift = 0;

	while (*p < end && shift < 64) {
		value |= (uint64_t)(**p & 0x7f) << shift;
		shift += 7;
		if (!(*(*p)++ & 0x80))
			break;
	}
	return value;
}

/*
 * A field of a statistics file: two magic numbers, a length, and then the
 * protocol buffer {1: dump, 2: restore}, each of numbers. Returns microseconds,
 * or a number.
 */
static bool criu_stat(const char *file, unsigned int message, unsigned int field,
		      uint64_t *value)
{
	uint8_t data[4096];
	const uint8_t *p = data + 12, *end;
	FILE *f = fopen(file, "r");
	uint64_t key, len;
	size_t n;

	if (!f)
		return false;
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	end = data + n;
	while (n > 12 && p < end) {
		key = varint(&p, end);
		if ((key & 7) == 2) {
			len = varint(&p, end);
			if (key >> 3 == message)
				continue;	/* go into it */
			if (len > (uint64_t)(end - p))
				break;
			p += len;
		} else if ((key & 7) == 0) {
			*value = varint(&p, end);
			if (key >> 3 == field)
				return true;
		} else {
			break;
		}
	}
	return false;
}

static uint64_t directory_bytes(const char *path)
{
	DIR *d = opendir(path);
	uint64_t bytes = 0;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)))
		if (!fstatat(dirfd(d), e->d_name, &st, 0) && S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_size;
	if (d)
		closedir(d);
	return bytes;
}

static bool criu_dump(unsigned int round)
{
	char pid[16];
	char *argv[] = {
		"criu", "dump", "-t", pid, "-D", CRIU_DIR, "-o", "dump.log",
		"--manage-cgroups=ignore", "--ghost-limit", "2000000000",
		killing ? NULL : "--leave-running", NULL
	};
	uint64_t took, value;
	int status;

	snprintf(pid, sizeof(pid), "%d", root);
	measure_gap("criu", false);
	perf_switch("criu-dump", true);
	status = run(argv, &took);
	perf_switch("criu-dump", false);
	if (status)
		return give_up(CRIU, round, "dump: exit status %d", status);
	measure_gap("criu", true);
	metric("criu", "checkpoint", took);
	if (criu_stat(CRIU_DIR "/stats-dump", 1, 2, &value))
		metric("criu", "frozen", value * 1000);
	metric("criu", "bytes", directory_bytes(CRIU_DIR));
	return true;
}

static bool criu_restore(unsigned int round)
{
	char *argv[] = {
		"criu", "restore", "-d", "-D", CRIU_DIR, "-o", "restore.log",
		"--manage-cgroups=ignore", NULL
	};
	uint64_t took;
	int status;

	perf_switch("criu-restore", true);
	status = run(argv, &took);
	perf_switch("criu-restore", false);
	if (status)
		return give_up(CRIU, round, "restore: exit status %d", status);
	metric("criu", "restart", took);
	return true;
}

/* ---- rounds ----------------------------------------------------------- */

static void clear_images(void)
{
	unlink(IMAGE);
	if (!shell("rm -rf " CRIU_DIR))
		mkdir(CRIU_DIR, 0700);
}

static bool measure(enum tool tool, unsigned int round, bool with_limits)
{
	char before[256], after[256];
	bool lazily;

	nr_metrics = 0;
	unlink(SAID);
	clear_images();
	if (!start_load(tool) || !check(before, sizeof(before)))
		return give_up(tool, round, "the load does not start");
	/* forks leave traces in its page tables, so not before a checkpoint of ours */
	if (with_limits && tool == CRIU)
		measure_limits();
	measure_pss(tools[tool], "pss_before");
	if (!(tool == OURS ? ours_checkpoint(round) : criu_dump(round)))
		return false;
	if (with_limits && tool == OURS)
		measure_limits();
	if (peak && tool == OURS && !measure_peak(round))
		return false;
	for (lazily = false;; lazily = true) {
		kill_load();
		if (!(tool == OURS ? ours_restart(round, lazily) : criu_restore(round)))
			return false;
		if (!check(after, sizeof(after)))
			return give_up(tool, round, "restarted, the load does not answer");
		if (strcmp(before, after))
			return give_up(tool, round, "restarted, the load is not what it was");
		if (!lazily)
			measure_pss(tools[tool], "pss_after");
		if (lazily || !lazy || tool == CRIU)
			break;
	}
	kill_load();
	if (tool == OURS)
		measure_read();
	publish(round);
	return true;
}

/* How often the tool has failed with this load, in earlier runs of drive, too. */
static unsigned int failure_count(enum tool tool, bool one_more)
{
	char path[PATH_MAX];
	unsigned int nr = 0;
	FILE *f;

	snprintf(path, sizeof(path), WORK "/failures.%s.%s", name, tools[tool]);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%u", &nr) != 1)
			nr = 0;
		fclose(f);
	}
	if (one_more) {
		f = fopen(path, "w");
		if (f) {
			fprintf(f, "%u\n", nr + 1);
			fclose(f);
		}
	}
	return nr;
}

/* Memory that the host has not given to the guest yet is slower. */
static int warm(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i;

	if (p == MAP_FAILED)
		return 1;
	for (i = 0; i < bytes; i += 4096)
		p[i] = 1;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "first", required_argument, NULL, 'f' },
		{ "timeout", required_argument, NULL, 't' },
		/* a real program instead of a load: three shell commands */
		{ "program", required_argument, NULL, 'p' },
		{ "ready", required_argument, NULL, 'y' },
		{ "check", required_argument, NULL, 'c' },
		{ "profile", required_argument, NULL, 'P' },
		{ "warm", required_argument, NULL, 'w' },
		{ "no-criu", no_argument, &no_criu, 1 },
		{ "no-checkpoint", no_argument, &no_ours, 1 },
		{ "limits", no_argument, &limits, 1 },
		{ "beat", no_argument, &beat, 1 },
		{ "pss", no_argument, &pss, 1 },
		{ "peak", no_argument, &peak, 1 },
		{ "lazy", no_argument, &lazy, 1 },
		{ "thp", no_argument, &thp, 1 },
		{ "kill", no_argument, &killing, 1 },
		{ "ipc-namespace", no_argument, &ipc_namespace, 1 },
		{ }
	};
	unsigned int round;
	enum tool tool;
	sigset_t set;
	int c, i;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		switch (c) {
		case 0:
			break;
		case 'n':
			name = optarg;
			break;
		case 'r':
			rounds = (unsigned int)atoi(optarg);
			break;
		case 'f':
			first_round = (unsigned int)atoi(optarg);
			break;
		case 't':
			timeout_s = atoi(optarg);
			break;
		case 'p':
			program = optarg;
			break;
		case 'y':
			ready_command = optarg;
			break;
		case 'c':
			check_command = optarg;
			break;
		case 'P':
			profile = optarg;
			break;
		case 'w':
			return warm(strtoul(optarg, NULL, 10) << 20);
		default:
			return 1;
		}
	}
	load_args = argv + optind;
	if (program ? !ready_command || !check_command : !*load_args) {
		fputs("usage: drive [OPTION]... KIND SIZE [OPTION]...\n", stderr);
		return 1;
	}
	/* an answer may come at any time, and the dead are to be reaped here */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (profile)
		perf_start();
	for (round = first_round; round < first_round + rounds; round++) {
		/* by turns, and who begins takes turns, too */
		for (i = 0; i < 2; i++) {
			tool = (enum tool)((unsigned int)i ^ (round & 1));
			if (tool == OURS ? no_ours : no_criu)
				continue;
			if (failure_count(tool, false) == 2)
				continue;	/* it will not get better */
			if (!measure(tool, round, tool == CRIU || no_criu ||
				     failure_count(CRIU, false) == 2))
				failure_count(tool, true);
			kill_load();
		}
	}
	perf_stop();
	clear_images();
	return 0;
}

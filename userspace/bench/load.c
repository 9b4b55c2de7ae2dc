// SPDX-License-Identifier: GPL-2.0
/*
 * load: a process, or a family of them, with state of a given kind and size,
 * for the benchmark to checkpoint. It proves on request that all of it is what
 * it was: the checksum of the state after a restart is the one of before.
 *
 *   load DIR KIND SIZE [OPTION]...
 *
 * Requests come as DIR/request and SIGUSR1, answers go to DIR/answer: nothing
 * is open that would have to be part of an image.
 *
 *   check		the checksum of all of the state
 *   fork		how long fork() takes, and fork(), exit and wait: two of ns
 *   write FILE	how long write(2) of the whole memory to FILE takes: ns
 *   gap		the longest time that the thread of --beat stood still since
 *			the last "gap": ns
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB	(1024UL * 1024)
#define HUGE	(2 * MIB)
#define PRIVATE_BYTES	65536	/* of each process of "processes" */
#define PIPE_BYTES	MIB
#define MESSAGE_BYTES	64
#define WRITE_BYTES	65536
#define FAMILY		8	/* children of "family" */

struct region {
	uint64_t	*base;
	size_t		bytes;
};

/* What the other processes and threads answer with. */
struct slot {
	atomic_uint		generation;
	atomic_ulong		sum;
};

static const char *dir = ".";
static unsigned long size;
static bool thp, half_shared, beating;
static struct region regions[2];
static int nr_regions;
static struct slot *slots;
static pid_t *pids;
static unsigned long nr_slots;
static int *fds;
static int queue;
static atomic_uint generation;
static atomic_ulong longest_gap;

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *fmt, ...)
{
	char text[512], path[PATH_MAX];
	int err = errno, fd, len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text) - 64, fmt, ap);
	va_end(ap);
	len = (int)strlen(text);
	len += snprintf(text + len, sizeof(text) - len, ": %s\n", strerror(err));
	snprintf(path, sizeof(path), "%s/error", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || write(fd, text, len) != len)
		fputs(text, stderr);
	_exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ---- contents --------------------------------------------------------- */

/* No page is like another one, none is zero, and none can be compressed. */
static void fill(void *p, size_t bytes, uint64_t seed)
{
	uint64_t *word = p, x = seed * 0x9e3779b97f4a7c15ULL + 1;
	size_t i;

	for (i = 0; i < bytes / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		word[i] = x;
	}
}

/*
 * Each step can be undone for a given word, so a change of one word cannot go
 * unseen, and the place of each counts.
 */
static uint64_t sum_words(uint64_t sum, const void *p, size_t bytes)
{
	const uint64_t *word = p;
	size_t i;

	for (i = 0; i < bytes / 8; i++) {
		sum = (sum ^ word[i]) * 0xff51afd7ed558ccdULL;
		sum = sum << 23 | sum >> 41;
	}
	return sum;
}

static uint64_t sum_word(uint64_t sum, uint64_t word)
{
	return sum_words(sum, &word, 8);
}

static void *map(size_t bytes, int flags)
{
	char *p = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE,
		       flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t skip;

	if (p == MAP_FAILED)
		die("mmap");
	if (bytes < HUGE) {
		munmap(p + bytes, HUGE);
	} else {
		/* just the memory, at an address that suits huge pages */
		skip = -(uintptr_t)p & (HUGE - 1);
		if (skip)
			munmap(p, skip);
		munmap(p + skip + bytes, HUGE - skip);
		p += skip;
	}
	if (madvise(p, bytes, thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		die("madvise");
	return p;
}

static void add_region(size_t bytes, int flags)
{
	struct region *r = &regions[nr_regions++];

	r->base = map(bytes, flags);
	r->bytes = bytes;
	fill(r->base, bytes, nr_regions);
}

static uint64_t sum_regions(uint64_t sum)
{
	int i;

	for (i = 0; i < nr_regions; i++)
		sum = sum_words(sum, regions[i].base, regions[i].bytes);
	return sum;
}

/* ---- memory ----------------------------------------------------------- */

static void setup_memory(void)
{
	size_t bytes = size * MIB;

	if (half_shared) {
		add_region(bytes / 2, MAP_PRIVATE);
		add_region(bytes / 2, MAP_SHARED);
	} else {
		add_region(bytes, MAP_PRIVATE);
	}
}

static uint64_t check_memory(void)
{
	return sum_regions(1);
}

/* ---- processes, and a family that shares its memory copy-on-write ------ */

static void make_slots(unsigned long nr)
{
	nr_slots = nr;
	slots = mmap(NULL, nr * sizeof(*slots) + 1, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pids = calloc(nr, sizeof(*pids));
	if (slots == MAP_FAILED || !pids)
		die("no memory");
}

static int wait_request(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigwaitinfo(&set, NULL);
}

__attribute__((noreturn))
static void serve_as_child(unsigned long i, bool family)
{
	uint64_t *own = NULL;
	uint64_t sum;

	if (family) {
		/* one page of each MiB is its own */
		for (sum = 0; sum < regions[0].bytes / 8; sum += MIB / 8)
			regions[0].base[sum] += i + 1;
	} else {
		own = map(PRIVATE_BYTES, MAP_PRIVATE);
		fill(own, PRIVATE_BYTES, i + 100);
	}
	atomic_fetch_add(&slots[i].generation, 1);
	for (;;) {
		if (wait_request() != SIGUSR1)
			continue;
		sum = sum_word(1, (uint64_t)getpid());
		sum = own ? sum_words(sum, own, PRIVATE_BYTES) : sum_regions(sum);
		atomic_store(&slots[i].sum, sum);
		atomic_fetch_add(&slots[i].generation, 1);
	}
}

static uint64_t wait_slots(uint64_t sum)
{
	unsigned long i;

	for (i = 0; i < nr_slots; i++) {
		while (atomic_load(&slots[i].generation) != atomic_load(&generation))
			usleep(500);
		sum = sum_word(sum, atomic_load(&slots[i].sum));
	}
	return sum;
}

static void make_children(bool family)
{
	unsigned long i;

	for (i = 0; i < nr_slots; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (!pids[i])
			serve_as_child(i, family);
	}
	generation = 1;
	wait_slots(0);
}

static uint64_t check_children(void)
{
	unsigned long i;

	generation++;
	for (i = 0; i < nr_slots; i++)
		if (kill(pids[i], SIGUSR1))
			die("kill %d", pids[i]);
	return wait_slots(sum_regions(1));
}

static void setup_processes(void)
{
	make_slots(size - 1);
	make_children(false);
}

static void setup_family(void)
{
	add_region(size * MIB, MAP_PRIVATE);
	make_slots(FAMILY);
	make_children(true);
}

/* ---- threads ---------------------------------------------------------- */

static __thread uint64_t own_word;

static void *serve_as_thread(void *arg)
{
	unsigned long i = (unsigned long)arg;
	uint64_t stack[128];
	uint32_t seen = 0;

	fill(stack, sizeof(stack), i + 100);
	own_word = i + 1;
	for (;;) {
		atomic_store(&slots[i].sum,
			     sum_word(sum_words(own_word, stack, sizeof(stack)),
				      (uint64_t)gettid()));
		seen++;
		atomic_store(&slots[i].generation, seen);
		while (atomic_load(&generation) == seen)
			syscall(SYS_futex, &generation, FUTEX_WAIT_PRIVATE, seen,
				NULL, NULL, 0);
	}
	return NULL;
}

static void setup_threads(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	unsigned long i;

	make_slots(size - 1);
	generation = 1;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (i = 0; i < nr_slots; i++) {
		errno = pthread_create(&thread, &attr, serve_as_thread, (void *)i);
		if (errno)
			die("pthread_create");
	}
	wait_slots(0);
}

static uint64_t check_threads(void)
{
	generation++;
	syscall(SYS_futex, &generation, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	return wait_slots(1);
}

/* ---- descriptors ------------------------------------------------------ */

/* By turns: a file, a counter, a pipe (two of them), a pair of sockets (two). */
static void setup_descriptors(void)
{
	struct rlimit limit = { size + 64, size + 64 };
	char path[PATH_MAX];
	unsigned long i = 0;
	uint64_t word;
	int kind = 0;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("setrlimit");
	fds = malloc((size + 1) * sizeof(*fds));
	if (!fds)
		die("no memory");
	snprintf(path, sizeof(path), "%s/data", dir);
	for (i = 0; i < size; kind++) {
		word = i + 1;
		switch (kind % 4) {
		case 0:
			fds[i] = open(path, O_RDONLY);
			if (fds[i] < 0 || lseek(fds[i], (off_t)word, SEEK_SET) < 0)
				die("%s", path);
			i++;
			break;
		case 1:
			fds[i] = eventfd(word, 0);
			if (fds[i] < 0)
				die("eventfd");
			i++;
			break;
		case 2:
			if (i + 2 > size)
				break;
			if (pipe(&fds[i]) || write(fds[i + 1], &word, 8) != 8)
				die("pipe");
			i += 2;
			break;
		case 3:
			if (i + 2 > size)
				break;
			if (socketpair(AF_UNIX, SOCK_STREAM, 0, &fds[i]) ||
			    write(fds[i + 1], &word, 8) != 8)
				die("socketpair");
			i += 2;
			break;
		}
	}
}

static uint64_t check_descriptors(void)
{
	unsigned long i = 0;
	uint64_t sum = 1, word = 0;
	struct stat st;
	int kind = 0;

	for (i = 0; i < size; kind++) {
		switch (kind % 4) {
		case 0:
			word = (uint64_t)lseek(fds[i], 0, SEEK_CUR);
			if (fstat(fds[i], &st) || !S_ISREG(st.st_mode))
				die("descriptor %d", fds[i]);
			i++;
			break;
		case 1:
			if (read(fds[i], &word, 8) != 8 || write(fds[i], &word, 8) != 8)
				die("descriptor %d", fds[i]);
			i++;
			break;
		case 2:
			if (i + 2 > size)
				continue;
			if (read(fds[i], &word, 8) != 8 ||
			    write(fds[i + 1], &word, 8) != 8)
				die("descriptor %d", fds[i]);
			i += 2;
			break;
		case 3:
			if (i + 2 > size)
				continue;
			if (recv(fds[i], &word, 8, MSG_PEEK) != 8)
				die("descriptor %d", fds[i]);
			i += 2;
			break;
		}
		sum = sum_word(sum, word);
	}
	return sum;
}

/* ---- what waits to be read -------------------------------------------- */

struct message {
	long		type;
	uint64_t	text[MESSAGE_BYTES / 8];
};

/* CRIU restores a queue with the limit of its namespace, not with its own. */
static void raise_limit(void)
{
	FILE *f = fopen("/proc/sys/kernel/msgmnb", "w");

	if (!f)
		return;
	fprintf(f, "%lu\n", size * MESSAGE_BYTES);
	fclose(f);
}

static void setup_messages(void)
{
	struct msqid_ds ds;
	struct message m;
	unsigned long i;

	raise_limit();
	queue = msgget(IPC_PRIVATE, 0600);
	if (queue < 0 || msgctl(queue, IPC_STAT, &ds))
		die("msgget");
	ds.msg_qbytes = size * MESSAGE_BYTES;
	if (msgctl(queue, IPC_SET, &ds))
		die("msgctl");
	for (i = 0; i < size; i++) {
		m.type = (long)(i % 100 + 1);
		fill(m.text, MESSAGE_BYTES, i);
		if (msgsnd(queue, &m, MESSAGE_BYTES, IPC_NOWAIT))
			die("msgsnd %lu", i);
	}
}

/* Takes all out and puts all back. */
static uint64_t check_messages(void)
{
	struct message m;
	uint64_t sum = 1;
	unsigned long i;

	for (i = 0; i < size; i++) {
		if (msgrcv(queue, &m, MESSAGE_BYTES, 0, IPC_NOWAIT) != MESSAGE_BYTES)
			die("msgrcv %lu", i);
		sum = sum_words(sum_word(sum, (uint64_t)m.type), m.text, MESSAGE_BYTES);
		if (msgsnd(queue, &m, MESSAGE_BYTES, IPC_NOWAIT))
			die("msgsnd %lu", i);
	}
	return sum;
}

static void setup_memfd(void)
{
	void *p;

	fds = malloc(sizeof(*fds));
	fds[0] = memfd_create("bench", 0);
	if (fds[0] < 0 || ftruncate(fds[0], (off_t)(size * MIB)))
		die("memfd_create");
	p = mmap(NULL, size * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	if (p == MAP_FAILED)
		die("mmap");
	fill(p, size * MIB, 1);
	munmap(p, size * MIB);
}

static uint64_t check_memfd(void)
{
	void *p = mmap(NULL, size * MIB, PROT_READ, MAP_SHARED, fds[0], 0);
	uint64_t sum;

	if (p == MAP_FAILED)
		die("mmap");
	sum = sum_words(1, p, size * MIB);
	munmap(p, size * MIB);
	return sum;
}

static void *pipe_buffer(void)
{
	static void *buffer;

	if (!buffer)
		buffer = map(PIPE_BYTES, MAP_PRIVATE);
	return buffer;
}

static void setup_pipes(void)
{
	void *buffer = pipe_buffer();
	unsigned long i;

	fds = malloc(2 * size * sizeof(*fds));
	for (i = 0; i < size; i++) {
		if (pipe(&fds[2 * i]) || fcntl(fds[2 * i], F_SETPIPE_SZ, PIPE_BYTES) < 0)
			die("pipe");
		fill(buffer, PIPE_BYTES, i);
		if (write(fds[2 * i + 1], buffer, PIPE_BYTES) != (ssize_t)PIPE_BYTES)
			die("write to a pipe");
	}
}

static uint64_t check_pipes(void)
{
	void *buffer = pipe_buffer();
	uint64_t sum = 1;
	unsigned long i;

	for (i = 0; i < size; i++) {
		if (read(fds[2 * i], buffer, PIPE_BYTES) != (ssize_t)PIPE_BYTES)
			die("read from a pipe");
		sum = sum_words(sum, buffer, PIPE_BYTES);
		if (write(fds[2 * i + 1], buffer, PIPE_BYTES) != (ssize_t)PIPE_BYTES)
			die("write to a pipe");
	}
	return sum;
}

/* ---- the thread that sees how long it stood still ----------------------- */

static void *beat(void *arg)
{
	uint64_t last = now(), t;

	(void)arg;
	for (;;) {
		t = now();
		if (t - last > atomic_load(&longest_gap))
			atomic_store(&longest_gap, t - last);
		last = t;
	}
	return NULL;
}

/* ---- requests --------------------------------------------------------- */

static const struct kind {
	const char	*name;
	void		(*setup)(void);
	uint64_t	(*check)(void);
} kinds[] = {
	{ "memory", setup_memory, check_memory },
	{ "processes", setup_processes, check_children },
	{ "family", setup_family, check_children },
	{ "threads", setup_threads, check_threads },
	{ "descriptors", setup_descriptors, check_descriptors },
	{ "messages", setup_messages, check_messages },
	{ "memfd", setup_memfd, check_memfd },
	{ "pipes", setup_pipes, check_pipes },
};

__attribute__((format(printf, 1, 2)))
static void reply(const char *fmt, ...)
{
	char tmp[PATH_MAX], path[PATH_MAX];
	va_list ap;
	FILE *f;

	snprintf(tmp, sizeof(tmp), "%s/answered.tmp", dir);
	snprintf(path, sizeof(path), "%s/answer", dir);
	f = fopen(tmp, "w");
	if (!f)
		die("%s", tmp);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	if (fclose(f) || rename(tmp, path))
		die("%s", path);
}

static void measure_fork(void)
{
	uint64_t start = now(), forked;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	forked = now();
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		die("fork");
	reply("%lu %lu\n", forked - start, now() - start);
}

/*
 * In pieces: Linux 6.12 looks at up to 2 MiB of the buffer before each page that
 * it writes to tmpfs, so one large write(2) takes several times as long.
 */
static void measure_write(const char *path)
{
	size_t done, left;
	uint64_t start;
	ssize_t n;
	int fd, i;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		die("%s", path);
	start = now();
	for (i = 0; i < nr_regions; i++) {
		for (done = 0; done < regions[i].bytes; done += (size_t)n) {
			left = regions[i].bytes - done;
			n = write(fd, (char *)regions[i].base + done,
				  left < WRITE_BYTES ? left : WRITE_BYTES);
			if (n <= 0)
				die("%s", path);
		}
	}
	start = now() - start;
	close(fd);
	unlink(path);
	reply("%lu\n", start);
}

static void serve(const struct kind *kind)
{
	char path[PATH_MAX], request[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/request", dir);
	f = fopen(path, "r");
	if (!f || !fgets(request, sizeof(request), f))
		die("%s", path);
	fclose(f);
	request[strcspn(request, "\n")] = 0;
	if (!strcmp(request, "check"))
		reply("%016lx\n", kind->check());
	else if (!strcmp(request, "fork"))
		measure_fork();
	else if (!strncmp(request, "write ", 6))
		measure_write(request + 6);
	else if (!strcmp(request, "gap"))
		reply("%lu\n", atomic_exchange(&longest_gap, 0));
	else
		die("no such request: %s", request);
}

int main(int argc, char **argv)
{
	const struct kind *kind = NULL;
	pthread_t thread;
	sigset_t set;
	size_t i;
	int n;

	if (argc < 4) {
		fputs("usage: load DIR KIND SIZE [--thp] [--half-shared] [--beat]\n",
		      stderr);
		return 1;
	}
	dir = argv[1];
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(argv[2], kinds[i].name))
			kind = &kinds[i];
	size = strtoul(argv[3], NULL, 10);
	if (!kind || !size)
		die("no such load: %s %s", argv[2], argv[3]);
	for (n = 4; n < argc; n++) {
		if (!strcmp(argv[n], "--thp"))
			thp = true;
		else if (!strcmp(argv[n], "--half-shared"))
			half_shared = true;
		else if (!strcmp(argv[n], "--beat"))
			beating = true;
		else
			die("no such option: %s", argv[n]);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kind->setup();
	if (beating) {
		errno = pthread_create(&thread, NULL, beat, NULL);
		if (errno)
			die("pthread_create");
	}
	reply("ready\n");
	for (;;)
		if (wait_request() == SIGUSR1)
			serve(kind);
}

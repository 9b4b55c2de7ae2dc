// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: random trees of tasks that share random things.
 *
 * From a number, the seed, a plan is made (random_plan.c): which tasks there are,
 * what they open, map, share, pass on and leave in queues, how each of them waits,
 * and what they do afterwards with what they have. It is done twice
 * (random_subject.c):
 *
 * - without a checkpoint: that tells what shall come of each operation;
 * - with one half way. All that can be seen of the tasks before the checkpoint
 *   (random_snapshot.c) must be the same after the restart, and if they were left
 *   running also after the checkpoint; and the rest of the plan must come to the
 *   same results, so that all is connected as it was, and who waits wakes up.
 *
 * That checkpoint() refuses is a failure, too: plans avoid what the documentation
 * says is refused.
 *
 * Each run has pid, mount, IPC and network namespaces of its own, so that ids are
 * the same in each, and that several can go on at a time.
 *
 *	random [--first SEED] [--seeds N] [--jobs N] [--seconds N] [--shrink]
 *	       [--verbose] [--plan] [--twice] [--spoil]
 *
 * Without arguments, a few seeds are tested. With --shrink, operations that have
 * nothing to do with a failure are left out of its plan before that is shown; only
 * of the first failure of a kind.
 * --plan shows plans and does nothing. --twice makes no checkpoint: that shows, on
 * any kernel, that plans come to the same results each time, and that it does not
 * matter that we look. --spoil tests the test: it changes one bit of each image, and
 * tells which of them made no difference, neither to restart() nor to what is compared.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <getopt.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "ckpt_util.h"
#include "random.h"

#define DEFAULT_SEEDS	20
#define RUN_SECONDS	CKPT_PATIENCE
#define SHRINK_SECONDS	100
#define MAX_REASONS	64

enum outcome {
	FINE, NO_PLAN, REFUSED, NOT_WRITTEN, NOT_READ, CHANGED_RUNNING, CHANGED, ANOTHER_END,
	HANGS,
};

static const char * const outcomes[] = {
	"fine", "the plan does not work, even without a checkpoint",
	"checkpoint() refuses", "checkpoint() fails", "restart() fails",
	"the tasks are not the same after the checkpoint",
	"the tasks are not the same after the restart",
	"the tasks come to other results after the restart", "hangs",
};

/* Between a run and who waits for it. */
struct shared {
	enum outcome outcome;
	char reason[160];
	char spoilt[80];
	struct result results[2][MAX_OPS];
};

/* Between all workers. */
struct tally {
	atomic_uint next, fine, failed;
	struct {
		char text[160];
		atomic_uint count;
	} reasons[MAX_REASONS];
};

static struct shared *shared;
static struct tally *tally;
static struct plan plan;
static char plan_path[64];
static bool opt_verbose, opt_shrink, opt_plan, opt_twice, opt_spoil;

static void *shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(KSFT_FAIL);
	return p;
}

/* ---- files ---- */

static int write_plan(void)
{
	int fd = open(plan_path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	bool ok = write(fd, &plan, sizeof(plan)) == sizeof(plan);

	close(fd);
	return ok ? 0 : -EIO;
}

static int read_results(const struct ckpt_run *run, struct result *results)
{
	size_t size = sizeof(shared->results[0]);
	int fd = ckpt_open(run, "results", O_RDONLY);
	ssize_t n = read(fd, results, size);

	close(fd);
	return n == (ssize_t)size ? 0 : -EIO;
}

/* The first line of a text, without its numbers: what many failures have in common. */
static void keep_reason(const char *from)
{
	char *to = shared->reason;

	for (; *from && *from != '\n' && to < shared->reason + 120; from++) {
		if (!isdigit(*from))
			*to++ = *from;
		else if (to == shared->reason || to[-1] != '#')
			*to++ = '#';
	}
	*to = 0;
}

/* What it was that checkpoint() or restart() did not like. */
static void keep_log(const struct ckpt_run *run, long err)
{
	char path[PATH_MAX], text[4096] = "";

	snprintf(path, sizeof(path), "%s/log", run->dir);
	if (ckpt_slurp(path, text, sizeof(text)) <= 0)
		snprintf(text, sizeof(text), "%s", strerror(-err));
	keep_reason(text);
}

/* ---- to spoil an image ---- */

static uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	int k;

	while (len--) {
		crc ^= *p++;
		for (k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* Of records that are small and about what plans make. */
static bool can_spoil(const struct ckpt_record *rec)
{
	return rec->type >= CKPT_REC_FILES && rec->type <= CKPT_REC_MQUEUE_MSG &&
	       rec->type != CKPT_REC_PAGES && rec->type != CKPT_REC_FILE_DATA &&
	       rec->body_len && rec->length < 8192;
}

/* Changes one bit of the body of a record, and makes the record valid again. */
static void spoil(const struct ckpt_run *run)
{
	const size_t max = 64 << 20;
	/* not a static one: subjects would have it, and we look at all they have */
	char *image = malloc(max);
	uint64_t random = plan.seed * 0x9e3779b97f4a7c15ULL;
	int fd = ckpt_open(run, "image", O_RDWR);
	ssize_t size = image ? read(fd, image, max) : 0, pos;
	unsigned int nr = 0, number = 0, chosen, bit;
	struct ckpt_record *rec;

	for (pos = 0; pos < size; pos += rec->length) {
		rec = (void *)(image + pos);
		nr += can_spoil(rec);
	}
	if (!nr)
		goto out;
	random ^= random >> 29;
	chosen = (random >> 8) % nr;
	for (pos = 0; pos < size; pos += rec->length, number++) {
		rec = (void *)(image + pos);
		if (can_spoil(rec) && !chosen--)
			break;
	}
	bit = (random >> 32) % (rec->body_len * 8);
	image[pos + sizeof(*rec) + bit / 8] ^= 1 << bit % 8;
	rec->crc = 0;
	rec->crc = crc32c(crc32c(~0U, &number, sizeof(number)), rec, rec->length);
	snprintf(shared->spoilt, sizeof(shared->spoilt), "record %u type %u byte %u bit %u",
		 number, rec->type, bit / 8, bit % 8);
	if (pwrite(fd, rec, rec->length, pos) != (ssize_t)rec->length)
		ckpt_msg("cannot write: %m");
out:
	close(fd);
	free(image);
}

/* ---- one run ---- */

static void reap(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

static int compare(const struct snapshot *before, const struct snapshot *after)
{
	char first[256] = "";
	int nr = snapshot_diff(before, after, first, sizeof(first));

	keep_reason(first);
	return nr;
}

static enum outcome with_checkpoint(struct ckpt_run *run)
{
	struct snapshot before, after;
	pid_t was = run->pid;
	int nr;
	long ret;

	if (snapshot_wait())
		ckpt_msg("the tasks do not come to rest");
	snapshot_take(&before);
	if (opt_verbose) {
		ckpt_msg("before the checkpoint:");
		printf("%.*s", (int)before.len, before.text);
		fflush(stdout);
	}
	if (opt_twice) {
		snapshot_take(&after);
		nr = compare(&before, &after);
		snapshot_free(&before);
		snapshot_free(&after);
		return nr ? NO_PLAN : FINE;
	}
	ret = ckpt_checkpoint(run);
	if (ret) {
		keep_log(run, ret);
		return ret == -EOPNOTSUPP ? REFUSED : NOT_WRITTEN;
	}
	if (!run->how.kill) {
		snapshot_wait();
		snapshot_take(&after);
		nr = compare(&before, &after);
		snapshot_free(&after);
		if (nr)
			return CHANGED_RUNNING;
	}
	/* as init, we have got all orphans */
	reap();
	if (opt_spoil)
		spoil(run);
	ret = ckpt_restart(run);
	if (ret != was) {
		ckpt_msg("restart: %ld (%s)", ret, ret < 0 ? strerror(-ret) : "another pid");
		ckpt_print(run, "log");
		keep_log(run, ret);
		run->pid = 0;
		return NOT_READ;
	}
	snapshot_wait();
	snapshot_take(&after);
	nr = compare(&before, &after);
	snapshot_free(&before);
	snapshot_free(&after);
	return nr ? CHANGED : FINE;
}

/* In a process that is init of its pid namespace. */
static void run_as_init(const struct ckpt_how *how)
{
	struct result *results = shared->results[!!how];
	struct ckpt_run run;
	enum outcome outcome = NO_PLAN;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=0666")) {
		ckpt_msg("cannot mount: %m");
		return;
	}
	setenv("CKPT_PLAN", plan_path, 1);
	/* its thread-local memory would tell on which CPU it is */
	setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
	ckpt_init(&run, how ?: &(struct ckpt_how) { .kill = true });
	if (ckpt_start(&run, "random"))
		goto out;
	outcome = how ? with_checkpoint(&run) : FINE;
	if (outcome == FINE) {
		if (ckpt_finish(&run) || read_results(&run, results))
			outcome = how ? HANGS : NO_PLAN;
	}
out:
	reap();
	run.pid = 0;
	if (ckpt_cleanup(&run) && outcome == FINE)
		outcome = how ? HANGS : NO_PLAN;
	shared->outcome = outcome;
}

static enum outcome run_once(const struct ckpt_how *how)
{
	uint64_t end = ckpt_now() + RUN_SECONDS * 1000000000ULL;
	int status;
	pid_t pid;

	shared->outcome = HANGS;
	fflush(stdout);
	pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | SIGCHLD, 0, 0, 0,
		      0);
	if (!pid) {
		run_as_init(how);
		_exit(0);
	}
	if (pid < 0) {
		ckpt_msg("cannot fork: %m");
		return NO_PLAN;
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		if (ckpt_now() > end) {
			ckpt_msg("no end in %d seconds", RUN_SECONDS);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return HANGS;
		}
		ckpt_sleep_ms(3);
	}
	return shared->outcome;
}

/* ---- one plan ---- */

static void choose_how(struct ckpt_how *how, uint32_t seed)
{
	*how = (struct ckpt_how) {
		.target = seed % 3 == 2 && !opt_twice ? CKPT_CGROUP : CKPT_SUBTREE,
		.kill = seed % 4 != 3,
		.pipe = seed % 5 == 4,
	};
}

static int compare_results(void)
{
	const struct result *want = shared->results[0], *seen = shared->results[1];
	unsigned int i, nr = 0;
	char line[256];

	for (i = 0; i < plan.nr; i++) {
		if (!memcmp(&want[i], &seen[i], sizeof(*want)))
			continue;
		op_print(&plan, i, line, sizeof(line));
		if (!nr)
			keep_reason(strchr(line, ':') ?: line);
		if (nr++ < 20)
			ckpt_msg("  %s: %d (%s) %08x, not %d (%s) %08x", line, seen[i].ret,
				 seen[i].ret < 0 ? strerrorname_np(-seen[i].ret) : "",
				 seen[i].hash, want[i].ret,
				 want[i].ret < 0 ? strerrorname_np(-want[i].ret) : "",
				 want[i].hash);
	}
	return nr;
}

static enum outcome try_plan(void)
{
	struct ckpt_how how;
	enum outcome outcome;

	choose_how(&how, plan.seed);
	memset(shared, 0, sizeof(*shared));
	if (write_plan())
		return NO_PLAN;
	outcome = run_once(NULL);
	if (outcome != FINE)
		return NO_PLAN;
	if (opt_verbose) {
		char line[256];
		unsigned int i;

		for (i = 0; i < plan.nr; i++) {
			op_print(&plan, i, line, sizeof(line));
			ckpt_msg("%s: %d (%s)", line, shared->results[0][i].ret,
				 shared->results[0][i].ret < 0 ?
				 strerrorname_np(-shared->results[0][i].ret) : "");
		}
	}
	outcome = run_once(&how);
	if (outcome == FINE && compare_results())
		outcome = ANOTHER_END;
	return outcome;
}

/* Leaves out what makes no difference, first many operations at a time. */
static void shrink(enum outcome outcome)
{
	uint64_t end = ckpt_now() + SHRINK_SECONDS * 1000000000ULL;
	int out = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	unsigned int size, from, i, nr, before = 0;
	char reason[sizeof(shared->reason)];
	struct plan was;

	memcpy(reason, shared->reason, sizeof(reason));
	fflush(stdout);
	dup2(null, STDOUT_FILENO);
again:
	for (size = plan.nr / 2; size; size /= 2) {
		for (from = 0; from < plan.nr && ckpt_now() < end; from += size) {
			was = plan;
			for (i = from, nr = 0; i < from + size && i < plan.nr; i++) {
				if (i == plan.point || plan.op[i].dropped)
					continue;
				plan.op[i].dropped = 1;
				nr++;
			}
			if (nr && (try_plan() != outcome || strcmp(reason, shared->reason)))
				plan = was;
		}
	}
	for (i = 0, nr = 0; i < plan.nr; i++)
		nr += !plan.op[i].dropped;
	if (nr != before && ckpt_now() < end) {
		before = nr;
		goto again;
	}
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	close(null);
}

/* Counts it; was there one like that before? */
static bool count_reason(enum outcome outcome)
{
	char text[sizeof(shared->reason) + 100];
	int i;

	snprintf(text, sizeof(text), "%s%s%s", outcomes[outcome], shared->reason[0] ? ": " : "",
		 shared->reason);
	text[sizeof(tally->reasons[0].text) - 1] = 0;
	for (i = 0; i < MAX_REASONS; i++) {
		if (!tally->reasons[i].text[0])
			memcpy(tally->reasons[i].text, text, sizeof(tally->reasons[i].text));
		if (!strcmp(tally->reasons[i].text, text))
			return tally->reasons[i].count++;
	}
	return true;
}

static enum outcome test_seed(uint32_t seed)
{
	struct ckpt_how how;
	enum outcome outcome;

	plan_make(&plan, seed);
	if (opt_plan) {
		plan_print(&plan);
		return FINE;
	}
	outcome = try_plan();
	if (opt_spoil) {
		ckpt_msg("%s: %s%s%s", shared->spoilt, outcome == FINE ? "not noticed" :
			 outcomes[outcome], shared->reason[0] ? ": " : "", shared->reason);
		count_reason(outcome);
		return FINE;
	}
	if (outcome == FINE)
		return FINE;
	choose_how(&how, seed);
	ckpt_msg("seed %u: %s%s%s", seed, outcomes[outcome], shared->reason[0] ? ": " : "",
		 shared->reason);
	ckpt_msg("a %s is checkpointed, %s, through a %s",
		 how.target == CKPT_CGROUP ? "cgroup" : "subtree",
		 how.kill ? "killed" : "left running, then killed", how.pipe ? "pipe" : "file");
	if (!count_reason(outcome) && opt_shrink) {
		shrink(outcome);
		ckpt_msg("what is left of the plan:");
		plan_print(&plan);
		/* once more, to be seen */
		outcome = try_plan();
		ckpt_msg("now: %s", outcomes[outcome]);
		if (outcome == FINE)
			outcome = HANGS;
	}
	return outcome;
}

/* ---- all ---- */

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
}

static void worker(uint32_t first, unsigned int nr, uint64_t end)
{
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 500), tmp;
	enum outcome outcome;
	unsigned int i;
	char *text;
	off_t len;
	int n;

	shared = shared_memory(sizeof(*shared));
	snprintf(plan_path, sizeof(plan_path), "/tmp/ckpt-plan-%d", getpid());
	if (unshare(CLONE_NEWNET))
		ckpt_msg("cannot unshare: %m");
	loopback_up();
	while ((i = tally->next++) < nr) {
		if (end && ckpt_now() > end)
			break;
		/* all of what is said about a seed stands together */
		tmp = memfd_create("out", MFD_CLOEXEC);
		dup2(tmp, STDOUT_FILENO);
		outcome = test_seed(first + i);
		fflush(stdout);
		len = lseek(tmp, 0, SEEK_END);
		text = malloc(len + 128);
		len = pread(tmp, text, len, 0);
		n = sprintf(text + len, "%sok %u - seed %u%s%s\n", outcome == FINE ? "" : "not ",
			    i + 1, first + i, outcome == FINE ? "" : ": ",
			    outcome == FINE ? "" : outcomes[outcome]);
		if (write(out, text, len + n) != len + n)
			exit(1);
		free(text);
		close(tmp);
		if (outcome == FINE)
			tally->fine++;
		else
			tally->failed++;
	}
	unlink(plan_path);
	fflush(stdout);
	_exit(0);
}

static unsigned int to_number(const char *arg)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 0);

	if (!*arg || *end || n > 1UL << 31) {
		fprintf(stderr, "random: '%s' is none\n", arg);
		exit(1);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "first", 1, NULL, 'f' }, { "seeds", 1, NULL, 'n' }, { "jobs", 1, NULL, 'j' },
		{ "seconds", 1, NULL, 's' }, { "shrink", 0, NULL, 'S' },
		{ "verbose", 0, NULL, 'v' }, { "plan", 0, NULL, 'p' },
		{ "twice", 0, NULL, 't' }, { "spoil", 0, NULL, 'x' }, { }
	};
	unsigned int first = 1, seeds = DEFAULT_SEEDS, jobs = 2, seconds = 0, i;
	int ret = ckpt_subject_main(argc, argv), opt;
	uint64_t start = ckpt_now();

	if (ret >= 0)
		return ret;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (opt) {
		case 'f':
			first = to_number(optarg);
			break;
		case 'n':
			seeds = to_number(optarg);
			break;
		case 'j':
			jobs = to_number(optarg);
			break;
		case 's':
			seconds = to_number(optarg);
			break;
		case 'S':
			opt_shrink = true;
			break;
		case 'v':
			opt_verbose = true;
			break;
		case 'p':
			opt_plan = true;
			break;
		case 't':
			opt_twice = true;
			break;
		case 'x':
			opt_spoil = true;
			break;
		default:
			return 1;
		}
	}
	printf("TAP version 13\n1..%u\n", seeds);
	fflush(stdout);
	if (!opt_plan && !opt_twice && !ckpt_supported()) {
		printf("Bail out! kernel has no checkpoint()\n");
		return KSFT_FAIL;
	}
	tally = shared_memory(sizeof(*tally));
	for (i = 0; i < jobs; i++)
		if (!fork())
			worker(first, seeds, seconds ? start + seconds * 1000000000ULL : 0);
	while (wait(NULL) > 0)
		;
	for (i = 0; i < MAX_REASONS && tally->reasons[i].count; i++)
		ckpt_msg("%u times: %s", tally->reasons[i].count, tally->reasons[i].text);
	ckpt_msg("%u seeds from %u on, %u failed, in %u s", tally->fine + tally->failed, first,
		 tally->failed, (unsigned int)((ckpt_now() - start) / 1000000000ULL));
	return tally->failed || !tally->fine ? KSFT_FAIL : KSFT_PASS;
}

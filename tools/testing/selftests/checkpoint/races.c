// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: tasks that do all they can while they are checkpointed,
 * and others who do all they can to tasks that are checkpointed or restarted.
 *
 * Whatever comes of a call, there is an end to it, an error is one that says
 * what happened, an image that was called whole can be restarted, and what runs
 * on does so unharmed. The kernel's log is for the caller of this to look at.
 *
 * CKPT_RACE_SECONDS in the environment says how long each race takes (2 if
 * not).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define RACE_TIMEOUT	7200
#define NR_THREADS	3

static unsigned int seed;

static unsigned int any(unsigned int below)
{
	return rand_r(&seed) % below;
}

static void any_pause(unsigned int max_us)
{
	struct timespec ts = { .tv_nsec = any(max_us) * 1000L };

	nanosleep(&ts, NULL);
}

static uint64_t race_end(void)
{
	const char *env = getenv("CKPT_RACE_SECONDS");

	return ckpt_now() + (env ? atoi(env) : 2) * 1000000000ULL;
}

/* ---- who is checkpointed ---------------------------------------------- */

/* To ask the file system all the time would be all that it does. */
static bool told(void)
{
	static atomic_uint count;

	return count++ % 8 == 0 && subject_told("go");
}

/* Forks all the time, in three generations, and waits for some only late. */
static void forks(int depth)
{
	int live = 0, i, status;

	for (i = 0; !told(); i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid) {
			if (depth && i % 3 == 0)
				for (live = 0; live < 2; live++)
					if (!fork())
						_exit(4);
			_exit(i & 0x7f);
		}
		live++;
		while (live > 6 || (live && i % 4 == 0)) {
			CHECK(waitpid(-1, &status, 0) > 0);
			CHECK(WIFEXITED(status));
			live--;
		}
	}
	while (live--)
		CHECK(waitpid(-1, &status, 0) > 0);
}

SUBJECT(forks)
{
	subject_ready();
	forks(1);
}

/* Threads that come and go, some of them waited for, and their parents. */
static void *thread_ends(void *arg)
{
	return arg;
}

static void *thread_starts(void *arg)
{
	pthread_t thread;
	void *ret;
	intptr_t i;

	for (i = 0; !told(); i++) {
		CHECK_EQ(0, pthread_create(&thread, NULL, thread_ends, (void *)i));
		if (i % 3) {
			CHECK_EQ(0, pthread_join(thread, &ret));
			CHECK_EQ(i, (intptr_t)ret);
		} else {
			CHECK_EQ(0, pthread_detach(thread));
		}
	}
	return arg;
}

SUBJECT(threads)
{
	pthread_t threads[NR_THREADS];
	int i;

	subject_ready();
	for (i = 0; i < NR_THREADS; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, thread_starts, NULL));
	for (i = 0; i < NR_THREADS; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
}

/* Processes with threads that end all together, by exit() or a signal. */
static void *thread_waits(void *arg)
{
	pause();
	return arg;
}

SUBJECT(exits)
{
	pthread_t thread;
	int i, k, status;

	subject_ready();
	for (i = 0; !told(); i++) {
		pid_t pid = fork();

		if (!pid) {
			for (k = 0; k < NR_THREADS; k++)
				if (pthread_create(&thread, NULL, thread_waits, NULL))
					_exit(1);
			switch (i % 4) {
			case 0:
				exit(0);
			case 1:
				kill(getpid(), SIGKILL);
				break;
			case 2:
				raise(SIGTERM);
				break;
			}
			/* the leader is the first to go */
			syscall(SYS_exit, 0);
		}
		if (i % 4 == 3) {
			usleep(1000);
			CHECK_EQ(0, kill(pid, SIGKILL));
		}
		CHECK_EQ(pid, waitpid(pid, &status, 0));
	}
}

/* Becomes another program all the time, also from a thread. */
static char *exec_args[6];
static char exec_count[16];

static void *thread_execs(void *arg)
{
	execv("/proc/self/exe", exec_args);
	subject_fail(__FILE__, __LINE__, "execv: %m");
	return arg;
}

static void exec_again(int count)
{
	pthread_t thread;

	snprintf(exec_count, sizeof(exec_count), "CKPT_EXEC=%d", count + 1);
	CHECK_EQ(0, putenv(exec_count));
	exec_args[0] = "/proc/self/exe";
	exec_args[1] = "--subject";
	exec_args[2] = "execs";
	exec_args[3] = subject_dir;
	exec_args[4] = "0";
	if (count % 2)
		thread_execs(NULL);
	CHECK_EQ(0, pthread_create(&thread, NULL, thread_waits, NULL));
	CHECK_EQ(0, pthread_create(&thread, NULL, thread_execs, NULL));
	for (;;)
		pause();
}

SUBJECT(execs)
{
	const char *env = getenv("CKPT_EXEC");
	pid_t pids[2];
	int i;

	if (env) {
		if (!subject_told("go"))
			exec_again(atoi(env));
		return;
	}
	subject_ready();
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		if (!pids[i])
			exec_again(i);
	}
	for (i = 0; i < 2; i++)
		subject_join(pids[i]);
}

/* All threads change who they are, one after the other. */
SUBJECT(setuids)
{
	pthread_t thread;
	int i;

	for (i = 0; i < NR_THREADS; i++)
		CHECK_EQ(0, pthread_create(&thread, NULL, thread_waits, NULL));
	subject_ready();
	while (!told()) {
		CHECK_EQ(0, setresuid(0, 1000, 0));
		CHECK_EQ(1000, geteuid());
		CHECK_EQ(0, setresuid(0, 0, 0));
		CHECK_EQ(0, geteuid());
	}
}

/* Memory that is mapped and unmapped while others use it. */
static char *churned;

static void *thread_maps(void *arg)
{
	size_t size = 64 << 12;
	char *p = churned;
	int i;

	for (i = 0; !told(); i++) {
		switch (i % 5) {
		case 0:
			CHECK_EQ(0, munmap(p, size));
			break;
		case 1:
			CHECK(mmap(p, size, PROT_READ | PROT_WRITE, MAP_FIXED |
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p);
			break;
		case 2:
			memset(p, 1, size);
			CHECK_EQ(0, mprotect(p + (3 << 12), 5 << 12, PROT_READ));
			break;
		case 3:
			CHECK_EQ(0, madvise(p, size, MADV_DONTNEED));
			break;
		case 4:
			CHECK(mmap(p + (2 << 12), 9 << 12, PROT_READ, MAP_FIXED |
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
			break;
		}
	}
	return arg;
}

static void *thread_uses(void *arg)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	/* a pointer that leads nowhere is an error to a call, no signal */
	while (!told())
		if (read(fd, churned, 64 << 12) < 0)
			CHECK_EQ(EFAULT, errno);
	return arg;
}

SUBJECT(maps)
{
	pthread_t threads[2];

	churned = mmap(NULL, 64 << 12, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(churned != MAP_FAILED);
	CHECK_EQ(0, pthread_create(&threads[0], NULL, thread_maps, NULL));
	CHECK_EQ(0, pthread_create(&threads[1], NULL, thread_uses, NULL));
	subject_ready();
	CHECK_EQ(0, pthread_join(threads[0], NULL));
	CHECK_EQ(0, pthread_join(threads[1], NULL));
}

/* A few tasks that do little, for others to do something to. */
static void *thread_counts(void *arg)
{
	while (!told())
		usleep(100);
	return arg;
}

SUBJECT(victims)
{
	pthread_t threads[2];
	pid_t pids[2];
	int i;

	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			while (!told())
				usleep(100 * i);
			_exit(0);
		}
	}
	for (i = 0; i < 2; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, thread_counts, NULL));
	subject_ready();
	for (i = 0; i < 2; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
	for (i = 0; i < 2; i++)
		subject_join(pids[i]);
}

/* ---- who disturbs ------------------------------------------------------ */

#define MAX_VICTIMS	16

/* What the one who disturbs is to know, in memory that he shares with us. */
struct scene {
	pid_t caller;
	pid_t pids[MAX_VICTIMS];	/* all tasks */
	int nr_pids;
	bool kills;			/* what they do is fatal */
	bool stop;
};

static struct scene *scene;

static pid_t victim(void)
{
	return scene->pids[any(scene->nr_pids)];
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* the other may be gone by now */
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

static void disturb_ptrace(struct ckpt_run *run)
{
	pid_t pid = victim();
	int status;

	(void)run;
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
		return;
	any_pause(300);
	if (!ptrace(PTRACE_INTERRUPT, pid, NULL, NULL))
		waitpid(pid, &status, __WALL);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	any_pause(30000);
}

static void disturb_attach(struct ckpt_run *run)
{
	pid_t pid = victim();
	int status;

	(void)run;
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL))
		return;
	waitpid(pid, &status, __WALL);
	any_pause(300);
	/* one that was killed meanwhile is a zombie until we wait for it */
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL))
		waitpid(pid, &status, __WALL);
	any_pause(30000);
}

static void disturb_move(struct ckpt_run *run)
{
	char path[200], text[16];

	snprintf(path, sizeof(path), "%s/%c/cgroup.procs", run->cgroup,
		 any(2) ? 'a' : 'b');
	snprintf(text, sizeof(text), "%d", victim());
	write_file(path, text);
	any_pause(300);
}

static void disturb_freeze(struct ckpt_run *run)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/cgroup.freeze", run->cgroup);
	write_file(path, "1");
	any_pause(1000);
	write_file(path, "0");
	any_pause(1000);
}

static void disturb_stop(struct ckpt_run *run)
{
	pid_t pid = victim();

	(void)run;
	kill(pid, SIGSTOP);
	any_pause(500);
	kill(pid, SIGCONT);
	any_pause(2000);
}

static void disturb_checkpoint(struct ckpt_run *run)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int pidfd = ckpt_pidfd(scene->pids[0]);
	int target = any(2) ? pidfd : run->cgroup_fd;

	if (target >= 0)
		ckpt_checkpoint_to(target, null, 0, -1);
	close(pidfd);
	close(null);
	any_pause(500);
}

static void disturb_kill(struct ckpt_run *run)
{
	(void)run;
	any_pause(100000);
	kill(victim(), SIGKILL);
}

static void disturb_caller(struct ckpt_run *run)
{
	(void)run;
	any_pause(100000);
	if (scene->caller > 0)
		kill(scene->caller, SIGKILL);
}

static void disturb_signals(struct ckpt_run *run)
{
	/* of no use to anybody: ignored, or blocked */
	(void)run;
	kill(victim(), any(2) ? SIGCHLD : SIGURG);
	any_pause(200);
}

static pid_t start_disturbing(struct ckpt_run *run, void (*disturb)(struct ckpt_run *))
{
	pid_t pid;

	if (!disturb)
		return 0;
	scene->stop = false;
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	seed = getpid();
	while (!READ_ONCE(scene->stop))
		disturb(run);
	_exit(0);
}

static void stop_disturbing(pid_t pid)
{
	int status;

	WRITE_ONCE(scene->stop, true);
	if (pid > 0)
		waitpid(pid, &status, 0);
}

/* All tasks of the subject's cgroup. */
static void find_victims(struct ckpt_run *run)
{
	static const char * const below[] = { "", "/a", "/b" };
	char path[200], text[4096], *line, *next = NULL;
	unsigned int i;
	int nr = 0;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s/cgroup.threads", run->cgroup,
			 below[i]);
		if (ckpt_slurp(path, text, sizeof(text)) <= 0)
			continue;
		for (line = strtok_r(text, "\n", &next); line && nr < MAX_VICTIMS - 1;
		     line = strtok_r(NULL, "\n", &next))
			if (atoi(line) != run->pid)
				scene->pids[++nr] = atoi(line);
	}
	scene->pids[0] = run->pid;
	scene->nr_pids = nr + 1;
}

static int kill_cgroup(struct ckpt_run *run, bool no_other)
{
	char path[200], text[256];
	int i;

	snprintf(path, sizeof(path), "%s/cgroup.kill", run->cgroup);
	write_file(path, "1");
	snprintf(path, sizeof(path), "%s/cgroup.events", run->cgroup);
	/* whoever has no parent any more is ours, or that of init */
	for (i = 0; i < 10000; i++) {
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		if (ckpt_slurp(path, text, sizeof(text)) > 0 &&
		    strstr(text, "populated 0"))
			break;
		ckpt_sleep_ms(1);
	}
	/* a pid is taken until somebody has waited for it */
	while (waitpid(-1, NULL, (no_other && i < 10000 ? 0 : WNOHANG) | __WALL) > 0)
		;
	if (i < 10000)
		return 0;
	ckpt_msg("tasks that do not die");
	return -EBUSY;
}

/* ---- the races --------------------------------------------------------- */

static void make_cgroups(struct ckpt_run *run, bool make)
{
	char path[200];
	int i, k;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%c", run->cgroup, 'a' + i);
		if (make)
			mkdir(path, 0755);
		for (k = 0; !make && rmdir(path) && errno == EBUSY && k < 500; k++)
			ckpt_sleep_ms(10);
	}
}

/* What may come of a call that is disturbed; the log has to say of what. */
static bool is_excuse(const struct ckpt_run *run, long ret, bool restart)
{
	switch (ret) {
	case -EAGAIN:
	case -EBUSY:
	case -EINTR:
	case -ESRCH:
		return true;
	case -EOPNOTSUPP:
		/* who has lost his parent is no descendant, but has its memory */
		return !restart &&
		       (ckpt_log_has(run, "outside of the target") ||
			ckpt_log_has(run, "traced") || ckpt_log_has(run, "execve") ||
			ckpt_log_has(run, "exit") || ckpt_log_has(run, "dumps core"));
	case -EEXIST:
		return restart && ckpt_log_has(run, "is taken");
	}
	return false;
}

/**
 * race_checkpoint - checkpoint a subject again and again
 * @subject: Who.
 * @target: By what it is named.
 * @disturb: What somebody does meanwhile, over and over again, or NULL.
 */
static int race_checkpoint(const char *subject, enum ckpt_how_target target,
			   void (*disturb)(struct ckpt_run *))
{
	unsigned int calls = 0, good = 0, restarts = 0;
	uint64_t end = race_end();
	struct ckpt_run run;
	pid_t other = 0, was;
	int fd, ret;
	long err;

	ckpt_init(&run, &(struct ckpt_how) { .target = target });
	ret = ckpt_start(&run, subject);
	if (ret)
		goto out;
	make_cgroups(&run, true);
	find_victims(&run);
	was = run.pid;
	other = start_disturbing(&run, disturb);
	while (ckpt_now() < end || !good) {
		/* twice the time, and some more for slow machines */
		if (ckpt_now() > end + 60 * 1000000000ULL)
			break;
		calls++;
		fd = ckpt_open(&run, "image", O_CREAT | O_TRUNC | O_WRONLY);
		err = ckpt_checkpoint_log(&run, 0, fd);
		close(fd);
		if (err < 0 && !is_excuse(&run, err, false)) {
			ckpt_msg("checkpoint: %ld (%s)", err, strerror(-err));
			ckpt_print(&run, "log");
			ret = err;
			break;
		}
		if (err < 0 || good++ % 8)
			continue;

		/* the image takes the place of the subject */
		stop_disturbing(other);
		ret = kill_cgroup(&run, true);
		if (ret)
			break;
		run.pid = 0;
		/* into its cgroup; others may have lost their parents, and be roots */
		run.how.target = CKPT_CGROUP;
		err = ckpt_restart(&run);
		run.how.target = target;
		if (err != was) {
			ckpt_msg("restart: %ld (%s)", err,
				 err < 0 ? strerror(-err) : "");
			ckpt_print(&run, "log");
			ret = err < 0 ? err : -ESRCH;
			break;
		}
		restarts++;
		/* its threads and children may be other ones */
		find_victims(&run);
		other = start_disturbing(&run, disturb);
	}
	stop_disturbing(other);
	ckpt_msg("%s: %u checkpoints, %u of them whole, %u restarts", subject,
		 calls, good, restarts);
	if (!ret && !good)
		ret = -EAGAIN;
	if (!ret) {
		kill(run.pid, SIGCONT);
		ret = ckpt_finish(&run);
	}
out:
	make_cgroups(&run, false);
	if (ret)
		kill_cgroup(&run, false);
	return ckpt_cleanup(&run) ?: ret;
}

/**
 * race_restart - restart a subject again and again
 * @disturb: What somebody does meanwhile.
 * @may_fail: No restart need succeed.
 */
static int race_restart(void (*disturb)(struct ckpt_run *), bool may_fail)
{
	unsigned int calls = 0, good = 0;
	struct ckpt_run run;
	uint64_t end;
	pid_t other, was, caller;
	int ret, status, i;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ret = ckpt_start(&run, "victims");
	if (ret)
		goto out;
	make_cgroups(&run, true);
	find_victims(&run);
	was = run.pid;
	ret = ckpt_checkpoint(&run) ?: kill_cgroup(&run, true);
	if (ret)
		goto out;
	run.pid = 0;
	/* where the tasks are */
	run.how.target = CKPT_CGROUP;
	end = race_end();
	other = start_disturbing(&run, disturb);
	while (!ret && (ckpt_now() < end || (!good && !may_fail))) {
		if (ckpt_now() > end + 60 * 1000000000ULL)
			break;
		calls++;
		caller = fork();
		if (!caller) {
			long err = ckpt_restart(&run);

			if (err == was)
				_exit(0);
			if (is_excuse(&run, err, true))
				_exit(1);
			ckpt_msg("restart: %ld (%s)", err,
				 err < 0 ? strerror(-err) : "");
			ckpt_print(&run, "log");
			_exit(2);
		}
		scene->caller = caller;
		if (waitpid(caller, &status, 0) != caller)
			ret = -ECHILD;
		scene->caller = 0;
		if (WIFEXITED(status) && !WEXITSTATUS(status))
			good++;
		else if (WIFEXITED(status) ? WEXITSTATUS(status) != 1 :
			 WTERMSIG(status) != SIGKILL)
			ret = -EINVAL;
		/* they run for a moment */
		if (good % 2)
			any_pause(3000);
		if (!ret)
			ret = kill_cgroup(&run, false);
		/* and nothing of them is left */
		for (i = 0; !ret && i < scene->nr_pids; i++) {
			int k;

			for (k = 0; !kill(scene->pids[i], 0) && k < 5000; k++) {
				while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
					;
				ckpt_sleep_ms(1);
			}
			if (k == 5000) {
				ckpt_msg("task %d is left", scene->pids[i]);
				ret = -EBUSY;
			}
		}
	}
	stop_disturbing(other);
	ckpt_msg("victims: %u restarts, %u of them complete", calls, good);
	if (!ret && !good && !may_fail)
		ret = -EAGAIN;
	/* after all of that, the image is what it was */
	if (!ret && ckpt_restart(&run) != was) {
		ckpt_print(&run, "log");
		ret = -ESRCH;
	}
	if (!ret) {
		run.pid = was;
		ret = ckpt_finish(&run);
	}
out:
	make_cgroups(&run, false);
	if (ret)
		kill_cgroup(&run, false);
	return ckpt_cleanup(&run) ?: ret;
}

FIXTURE(races) { };

FIXTURE_SETUP(races)
{
	ASSERT_TRUE(ckpt_supported()) {
		TH_LOG("kernel has no checkpoint()");
	}
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, scene);
	/* who loses his parent is ours to wait for */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	seed = 1;
}

FIXTURE_TEARDOWN(races)
{
	munmap(scene, sizeof(*scene));
}

#define CHECKPOINT_RACE(name, subject, target, disturb)			\
	TEST_F_TIMEOUT(races, name, RACE_TIMEOUT)			\
	{								\
		ASSERT_EQ(0, race_checkpoint(subject, target, disturb));	\
	}

#define RESTART_RACE(name, disturb, may_fail)				\
	TEST_F_TIMEOUT(races, name, RACE_TIMEOUT)			\
	{								\
		ASSERT_EQ(0, race_restart(disturb, may_fail));		\
	}

CHECKPOINT_RACE(forks, "forks", CKPT_SUBTREE, NULL);
CHECKPOINT_RACE(forks_cgroup, "forks", CKPT_CGROUP, NULL);
CHECKPOINT_RACE(threads, "threads", CKPT_SUBTREE, NULL);
CHECKPOINT_RACE(exits, "exits", CKPT_SUBTREE, NULL);
CHECKPOINT_RACE(execs, "execs", CKPT_SUBTREE, NULL);
CHECKPOINT_RACE(setuids, "setuids", CKPT_SUBTREE, NULL);
CHECKPOINT_RACE(maps, "maps", CKPT_SUBTREE, NULL);
CHECKPOINT_RACE(ptrace, "victims", CKPT_SUBTREE, disturb_ptrace);
CHECKPOINT_RACE(attach, "victims", CKPT_SUBTREE, disturb_attach);
CHECKPOINT_RACE(move, "victims", CKPT_CGROUP, disturb_move);
CHECKPOINT_RACE(move_subtree, "victims", CKPT_SUBTREE, disturb_move);
CHECKPOINT_RACE(thaw, "victims", CKPT_CGROUP, disturb_freeze);
CHECKPOINT_RACE(stop, "victims", CKPT_SUBTREE, disturb_stop);
CHECKPOINT_RACE(signals, "victims", CKPT_SUBTREE, disturb_signals);
CHECKPOINT_RACE(second, "victims", CKPT_SUBTREE, disturb_checkpoint);

RESTART_RACE(restart_killed, disturb_kill, true);
RESTART_RACE(restart_caller, disturb_caller, true);
RESTART_RACE(restart_ptrace, disturb_ptrace, false);
RESTART_RACE(restart_attach, disturb_attach, false);
RESTART_RACE(restart_move, disturb_move, false);
RESTART_RACE(restart_thaw, disturb_freeze, false);
RESTART_RACE(restart_stop, disturb_stop, false);
RESTART_RACE(restart_second, disturb_checkpoint, false);

/* How long a checkpoint takes with nobody in the way, in us. */
static unsigned int checkpoint_us(struct ckpt_run *run)
{
	int fd = ckpt_open(run, "image", O_CREAT | O_TRUNC | O_WRONLY);
	uint64_t start = ckpt_now(), us;

	if (ckpt_checkpoint_log(run, 0, fd) <= 0)
		ckpt_print(run, "log");
	us = (ckpt_now() - start) / 1000;
	close(fd);
	/* what any_pause() can sleep, and a moment at least */
	return us < 100 ? 100 : us > 999999 ? 999999 : us;
}

/* One that dies in the middle of it, at any moment. */
TEST_F_TIMEOUT(races, killed, RACE_TIMEOUT)
{
	unsigned int calls = 0, good = 0, us;
	uint64_t end = race_end(), last = end + 60 * 1000000000ULL;
	struct ckpt_run run;
	int fd, status;
	pid_t killer;
	long ret;

	ckpt_init(&run, NULL);
	/* some of them have to be hit */
	while (ckpt_now() < end || (good == calls && ckpt_now() < last)) {
		ASSERT_EQ(0, ckpt_start(&run, "victims"));
		find_victims(&run);
		us = checkpoint_us(&run);
		/* not always the same moments */
		any(2);
		killer = fork();
		if (!killer) {
			any_pause(us);
			kill(victim(), SIGKILL);
			_exit(0);
		}
		fd = ckpt_open(&run, "image", O_CREAT | O_TRUNC | O_WRONLY);
		ret = ckpt_checkpoint_log(&run, 0, fd);
		close(fd);
		calls++;
		good += ret > 0;
		ASSERT_TRUE(ret > 0 || is_excuse(&run, ret, false)) {
			TH_LOG("checkpoint: %ld", ret);
			ckpt_print(&run, "log");
		}
		ASSERT_EQ(killer, waitpid(killer, &status, 0));
		ASSERT_EQ(0, kill_cgroup(&run, true));
		run.pid = 0;
		ASSERT_EQ(0, ckpt_cleanup(&run));
		ckpt_init(&run, NULL);
	}
	TH_LOG("%u checkpoints, %u of them whole", calls, good);
	EXPECT_LT(good, calls);
}

CKPT_TEST_MAIN

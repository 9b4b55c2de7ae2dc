/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A job that restart has started: how to look after it.
 */
#ifndef JOB_H
#define JOB_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/**
 * struct job - the processes that were restarted
 * @root: Root task, as this process sees it.
 * @pidfd: Of the root task.
 * @pgid: Its process group at the start.
 * @sock: With --pidns, where its init reports from; else -1, and the root task
 *	is a child of this process.
 * @init: With --pidns, pid of its init.
 * @signals: Those to be passed on; they are blocked.
 */
struct job {
	pid_t		root;
	int		pidfd;
	pid_t		pgid;
	int		sock;
	pid_t		init;
	sigset_t	signals;
};

/* What the init of a pid namespace reports. */
enum job_event {
	JOB_FAILED,	/* value: errno */
	JOB_RUNS,	/* with a pidfd of the root task */
	JOB_STOPPED,	/* value: signal */
	JOB_DONE,	/* value: wait status of the root task */
};

struct job_message {
	int	event;
	int	value;
};

/* The signals to pass on: none that this process was told to ignore. */
void job_signals(sigset_t *set);

/*
 * No child is left in a process group, and the root task is gone. Once that is,
 * ask every now and then: who leaves the group, for a life as a daemon, does
 * not tell.
 */
#define JOB_POLL_MS	100
bool job_is_over(bool root_gone, pid_t pgid);

/* Wait for the end of the job. Returns the wait status of its root task. */
int job_wait(struct job *job);

#endif /* JOB_H */

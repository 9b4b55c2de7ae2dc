// SPDX-License-Identifier: GPL-2.0
/*
 * A job in the foreground: restart stands in for it before whoever started
 * restart, a shell or a batch system. Signals go down, stops and the exit
 * status come up, and the terminal goes to where it belongs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "job.h"
#include "tool.h"

void job_signals(sigset_t *set)
{
	static const int forwarded[] = {
		SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP
	};
	struct sigaction sa;
	size_t i;

	sigemptyset(set);
	for (i = 0; i < ARRAY_SIZE(forwarded); i++)
		if (sigaction(forwarded[i], NULL, &sa) || sa.sa_handler != SIG_IGN)
			sigaddset(set, forwarded[i]);
}

bool job_is_over(bool root_gone, pid_t pgid)
{
	siginfo_t info;

	if (!root_gone)
		return false;
	/*
	 * The other members of a pipeline: they are children too, where their
	 * parent was no part of the image. 0 stands for the caller's group.
	 */
	return waitid(P_PGID, (id_t)pgid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 &&
	       errno == ECHILD;
}

static void send_root(const struct job *job, int sig)
{
	syscall(SYS_pidfd_send_signal, job->pidfd, sig, NULL, 0);
}

/* To all of the job, as a terminal does. */
static void send_group(const struct job *job, int sig)
{
	if (job->pgid > 0 && job->pgid != getpgrp())
		kill(-job->pgid, sig);
	else
		send_root(job, sig);
}

/* Give the terminal to the job, if it is ours to give. */
static void give_terminal(const struct job *job, int tty)
{
	if (tty >= 0 && job->pgid > 0 && job->pgid != getpgrp() &&
	    tcgetpgrp(tty) == getpgrp() && getsid(job->root) == getsid(0))
		tcsetpgrp(tty, job->pgid);
}

static void take_terminal(const struct job *job, int tty)
{
	if (tty >= 0 && job->pgid > 0 && job->pgid != getpgrp() &&
	    tcgetpgrp(tty) == job->pgid)
		tcsetpgrp(tty, getpgrp());
}

/* The root task has stopped: so do we, for the shell to see. */
static void on_stop(const struct job *job, int tty, int sig)
{
	if (tty < 0)
		return;		/* nobody there to continue us */
	if ((sig == SIGTTIN || sig == SIGTTOU) && job->pgid != getpgrp() &&
	    tcgetpgrp(tty) == job->pgid) {
		/* It was faster than give_terminal(). */
		send_group(job, SIGCONT);
		return;
	}
	take_terminal(job, tty);
	raise(SIGSTOP);
	/* Somebody has sent SIGCONT, which on_signal() is about to see. */
}

static void on_signal(const struct job *job, int tty,
		      const struct signalfd_siginfo *si)
{
	int sig = (int)si->ssi_signo;

	if (sig == SIGCONT) {
		give_terminal(job, tty);
		send_group(job, SIGCONT);
	} else if (si->ssi_code == SI_KERNEL) {
		/* From the terminal; the job has got it too if it shares our group. */
		if (job->pgid != getpgrp())
			send_group(job, sig);
	} else {
		send_root(job, sig);
	}
}

/* Returns true when the job is over. */
static bool reap(const struct job *job, int tty, bool *gone, int *status)
{
	int st;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG | WUNTRACED)) > 0) {
		if (pid != job->root)
			continue;
		if (WIFSTOPPED(st)) {
			on_stop(job, tty, WSTOPSIG(st));
		} else {
			*status = st;
			*gone = true;
		}
	}
	return job_is_over(*gone, job->pgid);
}

/* Returns true when the job is over. */
static bool hear(const struct job *job, int tty, int *status)
{
	struct job_message m;
	ssize_t n;

	n = recv(job->sock, &m, sizeof(m), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n != (ssize_t)sizeof(m)) {
		/* Somebody has killed the init, and with it the job. */
		*status = SIGKILL;
		return true;
	}
	if (m.event == JOB_STOPPED)
		on_stop(job, tty, m.value);
	if (m.event != JOB_DONE)
		return false;
	*status = m.value;
	return true;
}

int job_wait(struct job *job)
{
	struct signalfd_siginfo si;
	struct pollfd pfd[2];
	bool gone = false, over = false;
	int status = 0, tty;
	sigset_t set = job->signals;

	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pfd[0].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	pfd[0].events = POLLIN;
	pfd[1].fd = job->sock;
	pfd[1].events = POLLIN;
	/* tcsetpgrp() of a process in the background */
	sigaddset(&set, SIGTTOU);
	sigaddset(&set, SIGTTIN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);

	tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	give_terminal(job, tty);

	/* The root task may have exited before there was a signalfd. */
	if (job->sock < 0)
		over = reap(job, tty, &gone, &status);
	while (!over) {
		if (poll(pfd, 2, gone ? JOB_POLL_MS : -1) < 0)
			continue;
		if (pfd[0].revents) {
			while (read(pfd[0].fd, &si, sizeof(si)) == sizeof(si))
				if (si.ssi_signo != SIGCHLD)
					on_signal(job, tty, &si);
		}
		if (job->sock < 0)
			over = reap(job, tty, &gone, &status);
		else if (pfd[1].revents)
			over = hear(job, tty, &status);
	}
	if (job->sock >= 0)
		waitpid(job->init, NULL, 0);
	take_terminal(job, tty);
	if (tty >= 0)
		close(tty);
	close(pfd[0].fd);
	return status;
}

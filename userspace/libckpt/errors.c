// SPDX-License-Identifier: LGPL-2.1
/*
 * What the errnos of checkpoint(2) and restart(2) mean.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "ckpt.h"

struct meaning {
	int		err;
	enum ckpt_exit	code;
	const char	*text;
};

static const struct meaning checkpoint_meanings[] = {
	{ ENOSYS, CKPT_EXIT_REFUSED,
	  "this kernel has no checkpoint(2): it takes one with CONFIG_CHECKPOINT=y" },
	{ ESRCH, CKPT_EXIT_USAGE, "no such process, or no task is left in the target" },
	{ EPERM, CKPT_EXIT_PERMISSION,
	  "not permitted: you must own every task of the target, or be root" },
	{ EACCES, CKPT_EXIT_PERMISSION,
	  "not permitted: you must own every task of the target, or be root" },
	{ EOPNOTSUPP, CKPT_EXIT_REFUSED,
	  "refused: it has what cannot be checkpointed; --dry-run lists all of it" },
	{ EBUSY, CKPT_EXIT_REFUSED,
	  "busy: another checkpoint or restart of it is going on" },
	{ ETIMEDOUT, CKPT_EXIT_REFUSED,
	  "some of its tasks did not stop in time; try again, or a longer --timeout" },
	{ EAGAIN, CKPT_EXIT_REFUSED, "it changes too fast to be checkpointed; try again" },
	{ EINVAL, CKPT_EXIT_REFUSED,
	  "the kernel does not understand the request: it may be of another version" },
	{ E2BIG, CKPT_EXIT_REFUSED,
	  "the kernel does not understand the request: it may be of another version" },
	{ EINTR, CKPT_EXIT_IO, "interrupted" },
	{ ENOSPC, CKPT_EXIT_IO, "no space is left for the image" },
	{ EDQUOT, CKPT_EXIT_IO, "the image does not fit into your disk quota" },
	{ EFBIG, CKPT_EXIT_IO,
	  "the image is larger than the file system or ulimit -f allows" },
	{ EPIPE, CKPT_EXIT_IO, "whoever was to read the image has gone away" },
	{ EIO, CKPT_EXIT_IO, "the image could not be written: input/output error" },
	{ ENOMEM, CKPT_EXIT_IO, "not enough memory" },
};

static const struct meaning restart_meanings[] = {
	{ ENOSYS, CKPT_EXIT_REFUSED,
	  "this kernel has no restart(2): it takes one with CONFIG_CHECKPOINT=y" },
	{ ENOEXEC, CKPT_EXIT_IMAGE,
	  "not an image, or one that was made for another kernel or kind of machine" },
	{ EBADMSG, CKPT_EXIT_IMAGE, "the image is truncated or damaged" },
	{ EINVAL, CKPT_EXIT_IMAGE,
	  "the contents of the image make no sense, or it has user ids unknown here" },
	{ E2BIG, CKPT_EXIT_IMAGE, "the image has records that are too large to be true" },
	{ EEXIST, CKPT_EXIT_REFUSED,
	  "a process id that the image needs is taken; try --pidns" },
	{ ENOENT, CKPT_EXIT_REFUSED, "a file that the image needs is missing" },
	{ ENOTDIR, CKPT_EXIT_REFUSED, "a directory that the image needs is missing" },
	{ ESTALE, CKPT_EXIT_REFUSED,
	  "a file that the image needs has changed; see --allow-changed-files" },
	{ ENXIO, CKPT_EXIT_REFUSED,
	  "the image needs something from outside that was not handed in; see --inherit" },
	{ EOPNOTSUPP, CKPT_EXIT_REFUSED,
	  "refused: the image needs something that this kernel or machine does not have" },
	{ ENOTTY, CKPT_EXIT_REFUSED,
	  "what was handed in for a terminal is none; see --inherit" },
	{ ENOTSOCK, CKPT_EXIT_REFUSED,
	  "what was handed in for a socket is none; see --inherit" },
	{ EPROTOTYPE, CKPT_EXIT_REFUSED,
	  "what was handed in is a socket of another kind; see --inherit" },
	{ ENAMETOOLONG, CKPT_EXIT_REFUSED, "a path would become too long" },
	{ EAGAIN, CKPT_EXIT_REFUSED,
	  "the limit on the number of processes (ulimit -u, pids.max) does not allow so many" },
	{ EBUSY, CKPT_EXIT_REFUSED, "busy: something that the image needs is in use" },
	{ EPERM, CKPT_EXIT_PERMISSION,
	  "not permitted: original process ids take root, or --pidns" },
	{ EACCES, CKPT_EXIT_PERMISSION,
	  "not permitted: you have no access to something that the image needs" },
	{ EINTR, CKPT_EXIT_IO, "interrupted" },
	{ ENOMEM, CKPT_EXIT_IO, "not enough memory" },
	{ EIO, CKPT_EXIT_IO, "input/output error" },
};

static const struct meaning *find(enum ckpt_op op, int err)
{
	const struct meaning *m = checkpoint_meanings;
	size_t i, n = sizeof(checkpoint_meanings) / sizeof(*m);

	if (op == CKPT_OP_RESTART) {
		m = restart_meanings;
		n = sizeof(restart_meanings) / sizeof(*m);
	}
	for (i = 0; i < n; i++)
		if (m[i].err == err)
			return &m[i];
	return NULL;
}

enum ckpt_exit ckpt_exit_code(enum ckpt_op op, int err)
{
	const struct meaning *m;

	if (!err)
		return CKPT_EXIT_OK;
	m = find(op, err);
	return m ? m->code : CKPT_EXIT_IO;
}

const char *ckpt_explain(enum ckpt_op op, int err)
{
	const struct meaning *m = find(op, err);
	const char *text;

	if (m)
		return m->text;
	text = strerrordesc_np(err);
	return text ? text : "unknown error";
}

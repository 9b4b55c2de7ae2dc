// SPDX-License-Identifier: LGPL-2.1
/*
 * The system calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "ckpt.h"

long ckpt_checkpoint(const struct checkpoint_args *args)
{
	return syscall(__NR_checkpoint, args, sizeof(*args));
}

pid_t ckpt_restart(const struct restart_args *args)
{
	return (pid_t)syscall(__NR_restart, args, sizeof(*args));
}

int ckpt_features(__u64 *checkpoint_flags, __u64 *restart_flags)
{
	long ret;

	ret = syscall(__NR_checkpoint, NULL, 0);
	if (ret < 0)
		return -1;
	if (checkpoint_flags)
		*checkpoint_flags = (__u64)ret;

	ret = syscall(__NR_restart, NULL, 0);
	if (ret < 0)
		return -1;
	if (restart_flags)
		*restart_flags = (__u64)ret;
	return 0;
}

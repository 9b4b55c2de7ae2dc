/* SPDX-License-Identifier: LGPL-2.1 */
/*
 * The bytes of an image, wherever they are: of one that stands on others, see
 * ckpt_shrink(), those that it does not have come from there.
 */
#ifndef STREAM_H
#define STREAM_H

#include "ckpt.h"

/**
 * struct parent - an image that another stands on
 * @path: Where it was found.
 * @fd: It, open.
 * @info: What is known of it.
 */
struct parent {
	char	*path;
	int	fd;
	struct ckpt_parent info;
};

/**
 * struct stream - an image that is read from the front
 * @fd: Where from.
 * @taken: How much was read from @fd.
 * @parents, @nr_parents: What it stands on.
 * @piece: The piece at hand, of which @piece.len bytes are left.
 * @pos: How much of the image was read.
 * @error: What went wrong.
 */
struct stream {
	int		fd;
	__u64		taken;
	bool		begun, done, incremental;
	unsigned char	head[sizeof(struct ckpt_incremental)];
	size_t		head_at, head_len;
	struct parent	*parents;
	__u32		nr_parents;
	struct ckpt_piece piece;
	__u64		pos;
	char		error[512];
};

void stream_init(struct stream *s, int fd);
void stream_free(struct stream *s);

/* As read(2); what it returns was next to each other wherever it came from. */
ssize_t stream_read(struct stream *s, void *buf, size_t len);

/*
 * Which of the parents, or @nr_parents for the image's own file, has the bytes
 * that the last stream_read() returned, and where their end is.
 */
__u32 stream_where(const struct stream *s, __u64 *offset);

/* Look at a file as a parent: its size and its ends. Returns 0 or a negative errno. */
int parent_examine(int fd, struct ckpt_parent *info);

#endif /* STREAM_H */

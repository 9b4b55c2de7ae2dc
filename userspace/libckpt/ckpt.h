/* SPDX-License-Identifier: LGPL-2.1 */
/*
 * libckpt: checkpoint(2) and restart(2) from C, and reading of their images.
 *
 * All functions are thread-safe as long as no two threads use the same
 * struct ckpt_reader at the same time.
 */
#ifndef CKPT_H
#define CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include <linux/checkpoint.h>
#include <linux/checkpoint_image.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CKPT_TOOLS_VERSION	"1.0"

/* One place for the numbers, until the C library's headers have them. */
#ifndef __NR_checkpoint
#define __NR_checkpoint		548
#endif
#ifndef __NR_restart
#define __NR_restart		549
#endif

/* ---- system calls ----------------------------------------------------- */

/**
 * ckpt_checkpoint() - write the state of a tree of processes to a descriptor
 * @args: What to checkpoint, and where to; see checkpoint(2).
 *
 * Return: -1 with errno set if it failed. Otherwise a positive image id (0
 * after a dry run), and, where the target includes the caller, once more for
 * each restart from the image: then 0.
 */
long ckpt_checkpoint(const struct checkpoint_args *args);

/**
 * ckpt_restart() - make the tree of processes that an image describes
 * @args: Where the image is, and what to do with it; see restart(2).
 *
 * Return: the pid of the root task, which is a child of the caller, or -1 with
 * errno set.
 */
pid_t ckpt_restart(const struct restart_args *args);

/**
 * ckpt_features() - ask the kernel what it supports
 * @checkpoint_flags: Gets the mask of CHECKPOINT_* flags, or NULL.
 * @restart_flags: Gets the mask of RESTART_* flags, or NULL.
 *
 * Return: 0, or -1 with errno set: ENOSYS if the kernel has no
 * checkpoint/restart.
 */
int ckpt_features(__u64 *checkpoint_flags, __u64 *restart_flags);

/* ---- errors ----------------------------------------------------------- */

/* Exit codes of the tools. They are stable: batch schedulers know them. */
enum ckpt_exit {
	CKPT_EXIT_OK		= 0,
	CKPT_EXIT_USAGE		= 1,	/* wrong use, no such process or cgroup */
	CKPT_EXIT_REFUSED	= 2,	/* something that is not supported */
	CKPT_EXIT_PERMISSION	= 3,
	CKPT_EXIT_IMAGE		= 4,	/* bad or incompatible image */
	CKPT_EXIT_IO		= 5,	/* reading, writing, memory, interrupted */
	CKPT_EXIT_KILLED	= 85,	/* checkpointed and killed, as asked */
};

enum ckpt_op {
	CKPT_OP_CHECKPOINT,
	CKPT_OP_RESTART,
};

/**
 * ckpt_exit_code() - what a program should exit with
 * @op: Which of the two system calls failed.
 * @err: Its errno.
 *
 * Return: one of enum ckpt_exit.
 */
enum ckpt_exit ckpt_exit_code(enum ckpt_op op, int err);

/**
 * ckpt_explain() - say what an errno of the two system calls means
 * @op: Which of the two system calls failed.
 * @err: Its errno.
 *
 * Return: a constant string for people, never NULL, without a final full stop
 * or newline.
 */
const char *ckpt_explain(enum ckpt_op op, int err);

/* ---- images ----------------------------------------------------------- */

/**
 * ckpt_crc32c() - go on with a CRC32C
 * @crc: So far.
 * @data: What comes next.
 * @len: Its length in bytes.
 *
 * As the kernel's crc32c(): bits are inverted neither before nor after.
 */
__u32 ckpt_crc32c(__u32 crc, const void *data, size_t len);

/**
 * ckpt_record_name() - name of a type of record
 * @type: CKPT_REC_*.
 *
 * Return: a constant string such as "TASK_BEGIN", or NULL for a type that this
 * version does not know.
 */
const char *ckpt_record_name(__u32 type);

/**
 * ckpt_record_size() - size of a type's body
 * @type: CKPT_REC_*.
 *
 * Return: sizeof the type's structure, 0 for a type without a body or unknown.
 */
size_t ckpt_record_size(__u32 type);

/**
 * ckpt_record_is_object() - whether records of a type define an object
 * @type: CKPT_REC_*.
 */
bool ckpt_record_is_object(__u32 type);

/**
 * struct ckpt_rec - a record, as ckpt_reader_next() gives it
 * @h: Its header.
 * @number: Its place in the stream, counted from 0.
 * @offset: Where it begins, in bytes from the start of the stream.
 * @body: Its body, extended by zeros to ckpt_record_size() where the image is
 *	older and has less. NULL if both are 0.
 * @data: Its data. Of CKPT_REC_PAGES only the runs. Always followed by a NUL
 *	byte that is not part of it, so that a string ends.
 * @data_len: Length of @data.
 * @stream_len: What ckpt_reader_read() has to offer: the pages of
 *	CKPT_REC_PAGES, the data of types that this version does not know.
 *
 * Pointers are valid until the next call of ckpt_reader_next().
 */
struct ckpt_rec {
	struct ckpt_record h;
	__u64	number;
	__u64	offset;
	const void	*body;
	const void	*data;
	__u64	data_len;
	__u64	stream_len;
};

struct ckpt_reader;

/**
 * ckpt_reader_open() - begin to read an image
 * @fd: Where from: a file, a pipe, a socket. It stays the caller's to close,
 *	after ckpt_reader_close(). It is never sought, but is read ahead. Of an
 *	incremental image, the parents are read, too: what the reader gives is
 *	the image as it was.
 *
 * Return: the reader, or NULL with errno set to ENOMEM.
 */
struct ckpt_reader *ckpt_reader_open(int fd);

/**
 * ckpt_reader_next() - get the next record
 * @reader: The reader.
 * @rec: Gets the record.
 *
 * What can be said of a single record is checked: its lengths, its checksum,
 * that its flags and, where it must be understood, its type are known; header
 * and trailer in full. A record with data that are streamed is checked by the
 * call that comes after it.
 *
 * Return: 1 if there was one, 0 after the trailer, -1 with errno set:
 *	ENOEXEC not an image, or of a version that this one does not know;
 *	EBADMSG truncated or damaged; EINVAL, E2BIG contents make no sense;
 *	EOPNOTSUPP a type that must be understood and is not; ENOMEM; or what
 *	read(2) said. ckpt_reader_error() has the details. Once it failed it
 *	fails for ever.
 */
int ckpt_reader_next(struct ckpt_reader *reader, struct ckpt_rec *rec);

/**
 * ckpt_reader_read() - read streamed data of the record at hand
 * @reader: The reader.
 * @buf: Where to.
 * @len: How much at most.
 *
 * Return: number of bytes, less than @len only at the end of the record; -1
 * with errno set as above.
 */
ssize_t ckpt_reader_read(struct ckpt_reader *reader, void *buf, size_t len);

/**
 * ckpt_reader_rest() - count what follows an image
 * @reader: The reader, after ckpt_reader_next() has returned 0.
 *
 * Return: 0 if the trailer was the end, 1 if there is more, -1 with errno set.
 */
int ckpt_reader_rest(struct ckpt_reader *reader);

/**
 * ckpt_reader_header() - the image's header, once it was read; else NULL
 */
const struct ckpt_header *ckpt_reader_header(const struct ckpt_reader *reader);

/**
 * ckpt_reader_error() - what went wrong, and where, for people
 */
const char *ckpt_reader_error(const struct ckpt_reader *reader);

/**
 * ckpt_reader_close() - free the reader
 */
void ckpt_reader_close(struct ckpt_reader *reader);

/* ---- images that stand on others -------------------------------------- */

/*
 * An incremental image has of the bytes of an image only those that its parents
 * do not have. It begins with a struct ckpt_incremental. For each parent a struct
 * ckpt_parent follows, and its path, with NULs up to a multiple of 8. Then come
 * pieces, which together are the image: struct ckpt_piece, each CKPT_PIECE_HERE
 * followed by its bytes. The last one is CKPT_PIECE_END. All is little endian.
 *
 * A parent that is incremental itself is a file with bytes like any other: what
 * is needed of its own parents is taken from there.
 */
#define CKPT_INCREMENTAL_MAGIC	0x52434e4954504b43ULL	/* "CKPTINCR" */
#define CKPT_INCREMENTAL_VERSION 1
#define CKPT_INCREMENTAL_BLOCK	4096	/* bytes; nothing smaller is looked for */
#define CKPT_PARENTS_MAX	256

/**
 * struct ckpt_incremental - what an incremental image begins with
 * @magic: CKPT_INCREMENTAL_MAGIC.
 * @version: CKPT_INCREMENTAL_VERSION.
 * @nr_parents: How many images it stands on, at most CKPT_PARENTS_MAX.
 * @reserved: Zero.
 */
struct ckpt_incremental {
	__u64	magic;
	__u32	version;
	__u32	nr_parents;
	__u64	reserved;
};

/**
 * struct ckpt_parent - one of them
 * @size: Of the file, in bytes.
 * @crc_first: CRC32C of its first 4096 bytes, which say when it was made.
 * @crc_last: Of its last 4096 bytes.
 * @path_len: Length of its path with the NULs behind it.
 * @reserved: Zero.
 */
struct ckpt_parent {
	__u64	size;
	__u32	crc_first;
	__u32	crc_last;
	__u32	path_len;
	__u32	reserved;
};

enum ckpt_piece_kind {
	CKPT_PIECE_END		= 0,
	CKPT_PIECE_HERE		= 1,
	CKPT_PIECE_PARENT	= 2,
};

/**
 * struct ckpt_piece - the next bytes of an image
 * @kind: enum ckpt_piece_kind.
 * @parent: Which parent has them (CKPT_PIECE_PARENT), counted from 0.
 * @len: How many; of CKPT_PIECE_END all of the image.
 * @offset: Where they are in the parent.
 */
struct ckpt_piece {
	__u32	kind;
	__u32	parent;
	__u64	len;
	__u64	offset;
};

/**
 * ckpt_is_incremental() - whether an image stands on others
 * @fd: Where it is: a file, pipe or socket. Nothing is taken from it.
 */
bool ckpt_is_incremental(int fd);

/**
 * ckpt_shrink() - leave out of an image what an earlier one has
 * @in: Where the image comes from, front to back.
 * @out: Where the incremental image goes.
 * @parent: Path of the earlier one: a file, incremental or not, that is not
 *	changed or removed as long as images stand on it.
 * @replaces: Path of a file that the image will replace, or NULL.
 * @error: Gets what went wrong, for people.
 * @error_size: Room in @error.
 *
 * The parent is read once, and 16 to 32 bytes of memory are used for each 4 KiB
 * of it.
 *
 * Return: 0, or -1 with errno set: EBADMSG if the parent is no whole image, or
 * not all that it stands on is there; EINVAL if it has none of the processes, or
 * would be replaced;
 * E2BIG if it stands on too many others; ENOMEM, or what a system call said.
 */
int ckpt_shrink(int in, int out, const char *parent, const char *replaces,
		char *error, size_t error_size);

/**
 * ckpt_merge() - copy an image, with all that it has from others
 * @in: Where from; incremental or not.
 * @out: Where to. Neither is ever sought.
 * @error: Gets what went wrong, for people.
 * @error_size: Room in @error.
 *
 * Parents are looked for where they were, and in the directory of the image. The
 * records of the image are not looked at: whoever reads it will check them.
 *
 * Return: 0, or -1 with errno set: EBADMSG if the image is truncated, or a
 * parent is missing or was changed; ENOEXEC, EINVAL if it makes no sense; ENOMEM,
 * or what a system call said.
 */
int ckpt_merge(int in, int out, char *error, size_t error_size);

/* ---- other paths ------------------------------------------------------ */

/**
 * struct ckpt_move - where files are that were elsewhere
 * @from: A path, absolute: it and everything below it
 * @to: is now here.
 */
struct ckpt_move {
	const char	*from;
	const char	*to;
};

/**
 * ckpt_move_path() - find out where a file is now
 * @moves: What was moved. The longest path that the file is at or below counts.
 * @nr: How many.
 * @path: Where it was.
 * @buf: Gets where it is, if it was moved.
 * @size: Room in @buf.
 *
 * Return: 1 if it was moved, 0 if not, -1 with errno set to ENAMETOOLONG.
 */
int ckpt_move_path(const struct ckpt_move *moves, size_t nr, const char *path,
		   char *buf, size_t size);

/**
 * ckpt_relocate() - copy an image, with other paths
 * @in: Where from, as for ckpt_reader_open().
 * @out: Where to. Neither is ever sought.
 * @moves: What was moved.
 * @nr: How many.
 * @error: Gets what went wrong, for people.
 * @error_size: Room in @error.
 *
 * The paths of open and mapped files, directories, executables, named pipes,
 * sockets, terminals and what is watched are changed, and what follows from
 * their lengths. Of files that restart() is to be handed in the key remains.
 *
 * Return: 0, or -1 with errno set as by ckpt_reader_next(), or to ENAMETOOLONG,
 * or to what write(2) said. Then what was written is no whole image.
 */
int ckpt_relocate(int in, int out, const struct ckpt_move *moves, size_t nr,
		  char *error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif /* CKPT_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ckptinfo: an image in memory, without the contents of pages and files.
 */
#ifndef INFO_H
#define INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ckpt.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- what records are made of (types.c) ------------------------------- */

/* How a member of a structure is shown. */
enum format {
	FMT_UNSIGNED,
	FMT_SIGNED,
	FMT_HEX,
	FMT_OCTAL,
	FMT_STRING,	/* array of char */
	FMT_REF,	/* objref; the type in @ref */
	FMT_LINK,	/* likewise, of an object that may be defined later */
	FMT_BYTES,
	FMT_ZERO,	/* reserved */
	FMT_COUNT,	/* follows from the data */
};

/* What time itself changes of a member. */
enum time_kind {
	TIME_STAYS,
	TIME_USED,	/* any value: what was used so far */
	TIME_LEFT,	/* time that is left, but for 0 and ~0, which say more */
};

struct field {
	const char	*name;
	unsigned short	offset;
	unsigned short	size;
	enum format	format;
	unsigned int	ref;
	enum time_kind	time;
};

/* What data a record has. */
enum data_kind {
	DATA_NONE,
	DATA_ARRAY,	/* of a structure, and nothing else */
	DATA_STRINGS,	/* each with its NUL */
	DATA_BYTES,	/* whatever */
};

struct type {
	const struct field *fields;	/* of the body, up to a NULL name */
	enum data_kind	data;
	const struct field *elem;	/* of the array's structure */
	unsigned int	elem_size;
};

/* Never NULL; a type that is not known has neither fields nor data. */
const struct type *type_of(__u32 type);

/* The value of a member that is a number. */
__u64 field_value(const struct field *f, const void *from);

/* Text of a member; buf has room for FIELD_TEXT bytes. */
#define FIELD_TEXT	400
const char *field_text(const struct field *f, const void *from, char *buf);

/* What is fit for a terminal of a string: cut off at its NUL, and escaped. */
const char *clean(const char *s, size_t len, char *buf, size_t size);

__u64 hash_bytes(const void *data, size_t len);

/* ---- an image (load.c) ------------------------------------------------ */

/**
 * struct rec - a record
 * @next: The next one of the same task or object.
 * @h: Its header.
 * @number: Of the record in the stream.
 * @body: As struct ckpt_rec has it.
 * @data: Likewise; NULL for FILE_DATA.
 * @data_len: Length of @data, also if that is NULL.
 * @hash: Of the data.
 * @pages: Of PAGES and PAGES_SHARED: a hash for each,
 * @nr_pages: of so many.
 */
struct rec {
	struct rec	*next;
	struct ckpt_record h;
	__u64		number;
	void		*body;
	char		*data;
	__u64		data_len;
	__u64		hash;
	__u64		*pages;
	__u32		nr_pages;
};

/**
 * struct object - what tasks share
 * @rec: The record that defines it.
 * @parts: Those that belong to it.
 * @users: Number of references to it.
 * @complete: Of an mm: its end was seen.
 * @name: For diff: how to get there.
 */
struct object {
	struct rec	*rec;
	struct rec	*parts;
	struct rec	**last_part;
	unsigned int	users;
	bool		complete;
	char		*name;
};

/**
 * struct task - a task
 * @tree: Its line in the tree.
 * @recs: Its records.
 * @seen: Those were there at all.
 * @first_child, @next_sibling: Indices, or CKPT_NO_PARENT; processes only.
 * @threads: Number of tasks that it leads, with itself.
 */
struct task {
	struct ckpt_tree_task tree;
	struct rec	*recs;
	struct rec	**last_rec;
	bool		seen;
	__u32		first_child;
	__u32		last_child;
	__u32		next_sibling;
	__u32		threads;
};

struct type_count {
	__u64		records;
	__u64		bytes;
};

#define NR_COUNTS	128		/* types; the rest goes to 0 */
#define MAX_PROBLEMS	100

/**
 * struct image - an image
 * @name: Of the file.
 * @header, @trailer: Of the image; which of them were there is in
 *	@have_header and @complete.
 * @label: Of the security module, or NULL.
 * @bytes: How long it is.
 * @tasks, @nr_tasks: The tree.
 * @objects, @nr_objects: In the order of their objrefs.
 * @counts: By type.
 * @problems: What is wrong with it; the first MAX_PROBLEMS.
 * @error: Why reading came to an end before the image did, or NULL.
 * @err: Then, the errno.
 */
struct image {
	const char	*name;
	struct ckpt_header header;
	char		*label;
	struct ckpt_trailer trailer;
	bool		have_header;
	bool		have_tree;
	bool		complete;
	__u64		bytes;
	struct task	*tasks;
	__u32		nr_tasks;
	struct object	*objects;
	size_t		nr_objects;
	size_t		max_objects;
	struct type_count counts[NR_COUNTS];
	char		*problems[MAX_PROBLEMS];
	unsigned int	nr_problems;
	char		*error;
	int		err;
};

/* Never fails but for want of memory, which ends the program. */
struct image *image_load(const char *name, int fd);
void image_free(struct image *img);

/* Of an image with an error. */
int image_exit_code(const struct image *img);

struct object *image_object(const struct image *img, __u32 ref);
bool next_run(const struct rec *rec, __u64 *pos, struct ckpt_page_run *run);
struct rec *task_rec(const struct task *t, __u32 type);

/* Name of a task, fit for a terminal; buf has room for 72 bytes. */
const char *task_comm(const struct task *t, char *buf);
const char *task_state(const struct task *t);
bool task_is_leader(const struct image *img, __u32 index);

/* Body of a task's record, NULL if it has none. */
const void *task_body(const struct task *t, __u32 type);
struct object *task_object(const struct image *img, const struct task *t,
			   __u32 type);

/* Describes an open file; buf has room for FIELD_TEXT bytes. */
const char *file_path(const struct object *file, char *buf);
const char *file_kind(__u32 kind);

void *xmalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- what to show (print.c, externals.c, diff.c) ---------------------- */

/* Each of these prints to @out and returns an exit code. */
int show_summary(const struct image *img, bool json, FILE *out);
int show_tree(const struct image *img, bool json, FILE *out);
int show_fds(const struct image *img, bool json, FILE *out);
int show_maps(const struct image *img, bool json, FILE *out);
int show_stats(const struct image *img, bool json, FILE *out);
int show_verify(const struct image *img, bool json, FILE *out);
int show_externals(const struct image *img, bool json, FILE *out);
int show_diff(struct image *a, struct image *b, bool but_time, bool json,
	      FILE *out);

struct json_object;
int print_json(struct json_object *obj, FILE *out);

#endif /* INFO_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * Views of one image: for people, or as JSON.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "info.h"

#define MAX_DEPTH	64	/* of what is drawn of a tree */

int print_json(struct json_object *obj, FILE *out)
{
	fputs(json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PRETTY |
					     JSON_C_TO_STRING_NOSLASHESCAPE), out);
	fputc('\n', out);
	json_object_put(obj);
	return CKPT_EXIT_OK;
}

static void add_str(struct json_object *to, const char *key, const char *value)
{
	json_object_object_add(to, key, json_object_new_string(value));
}

static void add_u64(struct json_object *to, const char *key, __u64 value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static void add_int(struct json_object *to, const char *key, __s64 value)
{
	json_object_object_add(to, key, json_object_new_int64(value));
}

static struct json_object *add_array(struct json_object *to, const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(to, key, array);
	return array;
}

static struct json_object *add_element(struct json_object *array)
{
	struct json_object *obj = json_object_new_object();

	json_object_array_add(array, obj);
	return obj;
}

/* The members of a structure, by the table of types. */
static void add_fields(struct json_object *to, const struct field *f, const void *from)
{
	char buf[FIELD_TEXT];

	for (; f->name; f++) {
		if (f->format == FMT_ZERO)
			continue;
		if (f->format == FMT_SIGNED)
			add_int(to, f->name, (__s64)field_value(f, from));
		else if (f->format == FMT_STRING || f->format == FMT_BYTES)
			add_str(to, f->name, field_text(f, from, buf));
		else
			add_u64(to, f->name, field_value(f, from));
	}
}

static const char *size_text(char *buf, __u64 bytes)
{
	if (bytes < 1024)
		snprintf(buf, 32, "%llu bytes", bytes);
	else if (bytes < 1024 * 1024)
		snprintf(buf, 32, "%.1f KiB", (double)bytes / 1024);
	else if (bytes < 1024 * 1024 * 1024)
		snprintf(buf, 32, "%.1f MiB", (double)bytes / (1024 * 1024));
	else
		snprintf(buf, 32, "%.1f GiB", (double)bytes / (1024 * 1024 * 1024));
	return buf;
}

static const char *arch_name(__u32 arch)
{
	switch (arch) {
	case EM_X86_64:
		return "x86_64";
	case EM_AARCH64:
		return "aarch64";
	case EM_RISCV:
		return "riscv";
	default:
		return "unknown";
	}
}

static const char *time_text(__u64 ns, char *buf, size_t size)
{
	time_t sec = (time_t)(ns / 1000000000);
	struct tm tm;

	if (!gmtime_r(&sec, &tm) || !strftime(buf, size, "%F %T UTC", &tm))
		snprintf(buf, size, "unknown");
	return buf;
}

static void count_tasks(const struct image *img, __u32 *processes, __u32 *threads,
			__u32 *zombies, __u32 *stopped)
{
	__u32 i;

	*processes = 0;
	*threads = 0;
	*zombies = 0;
	*stopped = 0;
	for (i = 0; i < img->nr_tasks; i++) {
		const struct task *t = &img->tasks[i];
		bool leads = task_is_leader(img, i);

		*processes += leads;
		*threads += !(t->tree.flags & CKPT_TASK_ZOMBIE);
		*zombies += leads && t->tree.flags & CKPT_TASK_ZOMBIE;
		*stopped += leads && !strcmp(task_state(t), "stopped");
	}
}

/* ---- tree ------------------------------------------------------------- */

struct art {
	const char *bar, *none, *tee, *end;
};

static const struct art *tree_art(void)
{
	static const struct art ascii = { "| ", "  ", "|-", "`-" };
	static const struct art utf8 = {
		"\u2502 ", "  ", "\u251c\u2500", "\u2514\u2500"
	};
	const char *loc = getenv("LC_ALL");

	if (!loc || !*loc)
		loc = getenv("LC_CTYPE");
	if (!loc || !*loc)
		loc = getenv("LANG");
	return loc && (strcasestr(loc, "utf-8") || strcasestr(loc, "utf8")) ?
		&utf8 : &ascii;
}

static void draw_task(const struct image *img, __u32 i, FILE *out)
{
	const struct task *t = &img->tasks[i];
	char comm[72];

	fprintf(out, "%d %s", t->tree.pid, task_comm(t, comm));
	if (strcmp(task_state(t), "running"))
		fprintf(out, " (%s)", task_state(t));
	if (t->threads > 1)
		fprintf(out, " {%u threads}", t->threads);
	fputc('\n', out);
}

/* Without recursion: an image may have a tree as deep as it is long. */
static void draw_tree(const struct image *img, FILE *out)
{
	const struct art *art = tree_art();
	__u32 *stack = xmalloc(((size_t)img->nr_tasks + 1) * sizeof(*stack));
	__u32 root, depth, d, i;

	for (root = 0; root < img->nr_tasks; root++) {
		if (!task_is_leader(img, root) ||
		    img->tasks[root].tree.parent != CKPT_NO_PARENT)
			continue;
		depth = 0;
		stack[0] = root;
		for (;;) {
			i = stack[depth];
			/* Ancestors that have another child yet to be drawn. */
			for (d = 1; d < depth && d < MAX_DEPTH; d++)
				fputs(img->tasks[stack[d]].next_sibling ==
				      CKPT_NO_PARENT ? art->none : art->bar, out);
			if (depth >= MAX_DEPTH)
				fprintf(out, "[%u more levels] ", depth - MAX_DEPTH + 1);
			if (depth)
				fputs(img->tasks[i].next_sibling ==
				      CKPT_NO_PARENT ? art->end : art->tee, out);
			draw_task(img, i, out);

			if (img->tasks[i].first_child != CKPT_NO_PARENT) {
				stack[++depth] = img->tasks[i].first_child;
				continue;
			}
			while (depth && img->tasks[stack[depth]].next_sibling ==
			       CKPT_NO_PARENT)
				depth--;
			if (!depth)
				break;
			stack[depth] = img->tasks[stack[depth]].next_sibling;
		}
	}
	free(stack);
}

static struct json_object *tasks_json(const struct image *img)
{
	struct json_object *array = json_object_new_array(), *obj;
	char comm[72];
	__u32 i;

	for (i = 0; i < img->nr_tasks; i++) {
		const struct task *t = &img->tasks[i];
		const struct ckpt_tree_task *tt = &t->tree;

		obj = add_element(array);
		add_int(obj, "pid", tt->pid);
		add_int(obj, "tgid", img->tasks[tt->leader].tree.pid);
		add_int(obj, "ppid", tt->parent == CKPT_NO_PARENT ? 0 :
			img->tasks[tt->parent].tree.pid);
		add_int(obj, "pgid", tt->pgid);
		add_int(obj, "sid", tt->sid);
		add_str(obj, "comm", task_comm(t, comm));
		add_str(obj, "state", task_state(t));
		if (task_is_leader(img, i))
			add_u64(obj, "threads", t->threads);
	}
	return array;
}

int show_tree(const struct image *img, bool as_json, FILE *out)
{
	if (as_json)
		return print_json(tasks_json(img), out);
	draw_tree(img, out);
	return CKPT_EXIT_OK;
}

/* ---- statistics ------------------------------------------------------- */

static const char *count_name(__u32 type)
{
	const char *name = ckpt_record_name(type);

	return name ? name : "(unknown)";
}

static struct json_object *counts_json(const struct image *img)
{
	struct json_object *array = json_object_new_array(), *obj;
	__u32 i;

	for (i = 0; i < NR_COUNTS; i++) {
		if (!img->counts[i].records)
			continue;
		obj = add_element(array);
		add_str(obj, "type", count_name(i));
		add_u64(obj, "records", img->counts[i].records);
		add_u64(obj, "bytes", img->counts[i].bytes);
	}
	return array;
}

static void print_counts(const struct image *img, FILE *out)
{
	char size[32];
	__u32 i;

	fprintf(out, "%-14s %9s %12s\n", "RECORDS OF", "NUMBER", "SIZE");
	for (i = 0; i < NR_COUNTS; i++)
		if (img->counts[i].records)
			fprintf(out, "%-14s %9llu %12s\n", count_name(i),
				img->counts[i].records,
				size_text(size, img->counts[i].bytes));
}

/* Bytes of pages that were saved of an address space, and of its mappings. */
static void mm_sizes(const struct object *mm, __u32 page_size, __u64 *mapped,
		     __u64 *saved, __u64 *mappings)
{
	const struct rec *part;

	*mapped = 0;
	*saved = 0;
	*mappings = 0;
	for (part = mm->parts; part; part = part->next) {
		if (part->h.type == CKPT_REC_VMA) {
			const struct ckpt_vma *v = part->body;

			if (v->end > v->start)
				*mapped += v->end - v->start;
			(*mappings)++;
		} else if (part->h.type == CKPT_REC_PAGES) {
			*saved += (__u64)part->nr_pages * page_size;
		}
	}
}

static __u64 nr_fds(const struct image *img, const struct task *t)
{
	struct object *files = task_object(img, t, CKPT_REC_FILES);

	return files ? files->rec->data_len / sizeof(struct ckpt_fd) : 0;
}

int show_stats(const struct image *img, bool as_json, FILE *out)
{
	__u64 mapped, saved, mappings;
	char comm[72], a[32], b[32];
	struct json_object *top = NULL, *array = NULL, *obj;
	struct object *mm;
	__u32 i;

	if (as_json) {
		top = json_object_new_object();
		add_u64(top, "bytes", img->bytes);
		add_u64(top, "records", img->trailer.records);
		add_u64(top, "objects", img->trailer.objects);
		add_u64(top, "pages", img->trailer.pages);
		add_u64(top, "frozen_ns", img->trailer.frozen_ns);
		json_object_object_add(top, "types", counts_json(img));
		array = add_array(top, "processes");
	} else {
		print_counts(img, out);
		fprintf(out, "\n%10s %-16s %7s %8s %8s %12s %12s\n", "PID", "NAME",
			"THREADS", "FILES", "MAPPINGS", "MAPPED", "SAVED");
	}
	for (i = 0; i < img->nr_tasks; i++) {
		const struct task *t = &img->tasks[i];

		if (!task_is_leader(img, i))
			continue;
		mapped = 0;
		saved = 0;
		mappings = 0;
		mm = task_object(img, t, CKPT_REC_MM);
		if (mm)
			mm_sizes(mm, img->header.page_size, &mapped, &saved, &mappings);
		if (!as_json) {
			fprintf(out, "%10d %-16s %7u %8llu %8llu %12s %12s\n",
				t->tree.pid, task_comm(t, comm), t->threads,
				nr_fds(img, t), mappings, size_text(a, mapped),
				size_text(b, saved));
			continue;
		}
		obj = add_element(array);
		add_int(obj, "pid", t->tree.pid);
		add_str(obj, "comm", task_comm(t, comm));
		add_u64(obj, "threads", t->threads);
		add_u64(obj, "files", nr_fds(img, t));
		add_u64(obj, "mappings", mappings);
		add_u64(obj, "mapped_bytes", mapped);
		add_u64(obj, "saved_bytes", saved);
	}
	return as_json ? print_json(top, out) : CKPT_EXIT_OK;
}

/* ---- summary ---------------------------------------------------------- */

int show_summary(const struct image *img, bool as_json, FILE *out)
{
	const struct ckpt_header *h = &img->header;
	__u32 processes, threads, zombies, stopped;
	char buf[64], release[FIELD_TEXT];
	struct json_object *top, *obj;

	count_tasks(img, &processes, &threads, &zombies, &stopped);
	if (as_json) {
		top = json_object_new_object();
		add_str(top, "file", img->name);
		add_u64(top, "bytes", img->bytes);
		obj = json_object_new_object();
		add_fields(obj, type_of(CKPT_REC_HEADER)->fields, h);
		add_str(obj, "arch_name", arch_name(h->arch));
		if (img->label)
			add_str(obj, "label", clean(img->label, strlen(img->label),
						    release, sizeof(release)));
		json_object_object_add(top, "header", obj);
		obj = json_object_new_object();
		add_fields(obj, type_of(CKPT_REC_TRAILER)->fields, &img->trailer);
		json_object_object_add(top, "trailer", obj);
		json_object_object_add(top, "tasks", tasks_json(img));
		json_object_object_add(top, "types", counts_json(img));
		return print_json(top, out);
	}

	fprintf(out, "Image:    %s, %s, format %u, id %u\n", img->name,
		size_text(buf, img->bytes), h->version, h->image_id);
	fprintf(out, "Made:     %s\n", time_text(h->time_ns, buf, sizeof(buf)));
	fprintf(out, "Kernel:   %s, %s, page size %u, vDSO %08x\n",
		clean(h->release, sizeof(h->release), release, sizeof(release)),
		arch_name(h->arch), h->page_size, h->vdso_crc);
	if (img->label)
		fprintf(out, "Label:    %s\n", clean(img->label, strlen(img->label),
						     release, sizeof(release)));
	fprintf(out, "Frozen:   %.1f ms\n", (double)img->trailer.frozen_ns / 1e6);
	fprintf(out, "Tasks:    %u process%s, %u thread%s", processes,
		processes == 1 ? "" : "es", threads, threads == 1 ? "" : "s");
	if (zombies)
		fprintf(out, ", %u of the processes exited", zombies);
	if (stopped)
		fprintf(out, ", %u of the processes stopped", stopped);
	fprintf(out, "\nContents: %llu records, %llu objects, %llu pages (%s)\n\n",
		img->trailer.records, img->trailer.objects, img->trailer.pages,
		size_text(buf, img->trailer.pages * h->page_size));
	draw_tree(img, out);
	fputc('\n', out);
	print_counts(img, out);
	return CKPT_EXIT_OK;
}

/* ---- descriptors ------------------------------------------------------ */

static const char *access_mode(__u32 flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return "r";
	case O_WRONLY:
		return "w";
	case O_RDWR:
		return "rw";
	default:
		return "-";
	}
}

int show_fds(const struct image *img, bool as_json, FILE *out)
{
	struct json_object *array = as_json ? json_object_new_array() : NULL, *obj;
	char path[FIELD_TEXT], comm[72];
	const struct ckpt_file *body;
	struct object *files, *file;
	struct ckpt_fd fd;
	__u64 pos;
	__u32 i;

	if (!as_json)
		fprintf(out, "%10s %-16s %5s %-4s %-7s %-9s %8s %12s  %s\n", "PID",
			"NAME", "FD", "MODE", "FLAGS", "KIND", "DESCR", "POSITION",
			"WHAT");
	for (i = 0; i < img->nr_tasks; i++) {
		const struct task *t = &img->tasks[i];

		files = task_is_leader(img, i) ? task_object(img, t, CKPT_REC_FILES) : NULL;
		if (!files)
			continue;
		for (pos = 0; pos + sizeof(fd) <= files->rec->data_len; pos += sizeof(fd)) {
			memcpy(&fd, files->rec->data + pos, sizeof(fd));
			file = image_object(img, fd.file);
			if (!file || file->rec->h.type != CKPT_REC_FILE)
				continue;
			body = file->rec->body;
			file_path(file, path);
			if (!as_json) {
				fprintf(out, "%10d %-16s %5u %-4s %-7s %-9s %8u %12llu  %s\n",
					t->tree.pid, task_comm(t, comm), fd.fd,
					access_mode(body->f_flags),
					fd.flags & CKPT_FD_CLOEXEC ? "cloexec" : "",
					file_kind(body->kind), fd.file, body->pos, path);
				continue;
			}
			obj = add_element(array);
			add_int(obj, "pid", t->tree.pid);
			add_u64(obj, "table", files->rec->h.objref);
			add_u64(obj, "fd", fd.fd);
			json_object_object_add(obj, "cloexec",
					       json_object_new_boolean(fd.flags & CKPT_FD_CLOEXEC));
			add_u64(obj, "description", fd.file);
			add_str(obj, "kind_name", file_kind(body->kind));
			add_str(obj, "path", path);
			add_fields(obj, type_of(CKPT_REC_FILE)->fields, body);
		}
	}
	return as_json ? print_json(array, out) : CKPT_EXIT_OK;
}

/* ---- mappings --------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
	const struct ckpt_page_run *x = a, *y = b;

	return (x->addr > y->addr) - (x->addr < y->addr);
}

/* All runs of pages of an address space, in order. */
static struct ckpt_page_run *sorted_runs(const struct object *mm, size_t *nr)
{
	struct ckpt_page_run *runs;
	const struct rec *part;
	size_t bytes = 0;

	for (part = mm->parts; part; part = part->next)
		if (part->h.type == CKPT_REC_PAGES)
			bytes += part->data_len / sizeof(*runs) * sizeof(*runs);
	runs = xmalloc(bytes);
	bytes = 0;
	for (part = mm->parts; part; part = part->next) {
		if (part->h.type != CKPT_REC_PAGES)
			continue;
		memcpy((char *)runs + bytes, part->data, part->data_len);
		bytes += part->data_len;
	}
	*nr = bytes / sizeof(*runs);
	qsort(runs, *nr, sizeof(*runs), by_address);
	return runs;
}

static __u64 pages_between(const struct ckpt_page_run *runs, size_t nr,
			   __u64 start, __u64 end, __u32 page_size)
{
	size_t lo = 0, hi = nr, mid;
	__u64 sum = 0;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (runs[mid].addr < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* A run may begin in the mapping before, and end in the one after. */
	if (lo)
		lo--;
	for (; lo < nr && runs[lo].addr < end; lo++) {
		__u64 a = runs[lo].addr, b = a + runs[lo].nr * page_size;

		if (a < start)
			a = start;
		if (b > end)
			b = end;
		if (b > a)
			sum += (b - a) / page_size;
	}
	return sum;
}

static const char *vma_name(const struct image *img, const struct object *mm,
			    const struct rec *rec, char *buf)
{
	const struct ckpt_vma *v = rec->body;
	const struct ckpt_mm *m = mm->rec->body;
	struct object *file = image_object(img, v->file);

	if (v->kind == CKPT_VMA_VDSO)
		return "[vdso]";
	if (v->kind == CKPT_VMA_VVAR)
		return "[vvar]";
	if (file && file->rec->h.type == CKPT_REC_FILE)
		return file_path(file, buf);
	if (rec->data_len) {
		char name[FIELD_TEXT - 16];

		snprintf(buf, FIELD_TEXT, "[anon:%s]",
			 clean(rec->data, rec->data_len, name, sizeof(name)));
		return buf;
	}
	if (v->start <= m->brk && v->end >= m->start_brk)
		return "[heap]";
	if (v->start <= m->start_stack && v->end >= m->start_stack)
		return "[stack]";
	return "";
}

int show_maps(const struct image *img, bool as_json, FILE *out)
{
	struct json_object *array = as_json ? json_object_new_array() : NULL, *obj;
	char name[FIELD_TEXT], comm[72], perms[5];
	struct ckpt_page_run *runs;
	const struct rec *part;
	__u32 i, page_size = img->header.page_size;
	struct object *mm;
	__u64 saved;
	size_t nr;

	for (i = 0; i < img->nr_tasks; i++) {
		const struct task *t = &img->tasks[i];

		mm = task_is_leader(img, i) ? task_object(img, t, CKPT_REC_MM) : NULL;
		if (!mm)
			continue;
		if (!as_json)
			fprintf(out, "%d %s\n", t->tree.pid, task_comm(t, comm));
		runs = sorted_runs(mm, &nr);
		for (part = mm->parts; part; part = part->next) {
			const struct ckpt_vma *v = part->body;

			if (part->h.type != CKPT_REC_VMA)
				continue;
			snprintf(perms, sizeof(perms), "%c%c%c%c",
				 v->flags & CKPT_VM_READ ? 'r' : '-',
				 v->flags & CKPT_VM_WRITE ? 'w' : '-',
				 v->flags & CKPT_VM_EXEC ? 'x' : '-',
				 v->flags & CKPT_VM_SHARED ? 's' : 'p');
			saved = pages_between(runs, nr, v->start, v->end, page_size);
			if (!as_json) {
				fprintf(out, "  %012llx-%012llx %s %08llx", v->start,
					v->end, perms, v->pgoff);
				fprintf(out, " %8llu KiB %8llu KiB saved  %s\n",
					(v->end - v->start) / 1024,
					saved * page_size / 1024,
					vma_name(img, mm, part, name));
				continue;
			}
			obj = add_element(array);
			add_int(obj, "pid", t->tree.pid);
			add_u64(obj, "mm", mm->rec->h.objref);
			add_str(obj, "perms", perms);
			add_u64(obj, "saved_pages", saved);
			add_str(obj, "name", vma_name(img, mm, part, name));
			add_fields(obj, type_of(CKPT_REC_VMA)->fields, v);
		}
		free(runs);
	}
	return as_json ? print_json(array, out) : CKPT_EXIT_OK;
}

/* ---- verify ----------------------------------------------------------- */

int show_verify(const struct image *img, bool as_json, FILE *out)
{
	bool good = !img->error && !img->nr_problems;
	struct json_object *top, *array;
	unsigned int i;

	if (as_json) {
		top = json_object_new_object();
		add_str(top, "file", img->name);
		json_object_object_add(top, "ok", json_object_new_boolean(good));
		array = add_array(top, "problems");
		for (i = 0; i < img->nr_problems; i++)
			json_object_array_add(array,
					      json_object_new_string(img->problems[i]));
		if (img->error)
			json_object_array_add(array, json_object_new_string(img->error));
		print_json(top, out);
	} else {
		for (i = 0; i < img->nr_problems; i++)
			fprintf(out, "%s: %s\n", img->name, img->problems[i]);
		if (img->error)
			fprintf(out, "%s: %s\n", img->name, img->error);
		if (good)
			fprintf(out, "%s: good: %llu records, all checksums are right\n",
				img->name, img->trailer.records + 1);
	}
	if (good)
		return CKPT_EXIT_OK;
	return img->error ? image_exit_code(img) : CKPT_EXIT_IMAGE;
}

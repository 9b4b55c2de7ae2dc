// SPDX-License-Identifier: GPL-2.0
/*
 * What an image has but a key of: restart() is to be handed it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <json-c/json.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "info.h"

/* A path of the longest kind, if each of its bytes is escaped. */
#define KEY_TEXT	(4 * 4096 + 64)

#define SOCKET_FAMILY(rdev)	((rdev) & 0xffff)
#define SOCKET_TYPE(rdev)	((rdev) >> 16 & 0xffff)
#define SOCKET_PROTOCOL(rdev)	((rdev) >> 32)

/* Names of numbers; of others there is none. */
static const char *family_name(__u64 rdev)
{
	switch (SOCKET_FAMILY(rdev)) {
	case AF_UNIX:
		return "unix";
	case AF_INET:
		return "inet";
	case AF_INET6:
		return "inet6";
	case AF_NETLINK:
		return "netlink";
	default:
		return "other";
	}
}

static const char *type_name(__u64 rdev)
{
	switch (SOCKET_TYPE(rdev)) {
	case SOCK_STREAM:
		return "stream";
	case SOCK_DGRAM:
		return "dgram";
	case SOCK_SEQPACKET:
		return "seqpacket";
	case SOCK_RAW:
		return "raw";
	default:
		return "other";
	}
}

static const char *kind_name(const struct object *file, char *buf, size_t size)
{
	const struct ckpt_file *body = file->rec->body;

	switch (body->mode & S_IFMT) {
	case S_IFSOCK:
		if (SOCKET_FAMILY(body->rdev) == AF_INET || SOCKET_FAMILY(body->rdev) == AF_INET6) {
			if (SOCKET_PROTOCOL(body->rdev) == IPPROTO_TCP)
				return "tcp socket";
			if (SOCKET_PROTOCOL(body->rdev) == IPPROTO_UDP)
				return "udp socket";
		}
		snprintf(buf, size, "%s %s socket", family_name(body->rdev),
			 type_name(body->rdev));
		return buf;
	case S_IFIFO:
		return file->rec->data && !strncmp(file->rec->data, "fifo:", 5) ? "fifo" : "pipe";
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFCHR:
		return file->rec->data && !strcmp(file->rec->data, "tty") ? "terminal" : "device";
	case S_IFBLK:
		return "device";
	default:
		return "unknown";
	}
}

static bool is_external(const struct object *obj)
{
	const struct ckpt_file *body = obj->rec->body;

	return obj->rec->h.type == CKPT_REC_FILE && body->kind == CKPT_FILE_EXTERNAL;
}

/* The same key: what is handed in takes the place of both. */
static bool same_key(const struct object *a, const struct object *b)
{
	return is_external(b) && a->rec->data_len == b->rec->data_len &&
	       !memcmp(a->rec->data, b->rec->data, a->rec->data_len);
}

static bool seen_before(const struct image *img, size_t which)
{
	size_t i;

	for (i = 0; i < which; i++)
		if (same_key(&img->objects[which], &img->objects[i]))
			return true;
	return false;
}

/* Of all descriptions that have the key. */
static const char *access_of(const struct image *img, const struct object *file)
{
	bool r = false, w = false;
	size_t i;

	for (i = 0; i < img->nr_objects; i++) {
		const struct ckpt_file *body = img->objects[i].rec->body;

		if (!same_key(file, &img->objects[i]))
			continue;
		r |= (body->f_flags & O_ACCMODE) != O_WRONLY;
		w |= (body->f_flags & O_ACCMODE) != O_RDONLY;
	}
	return r && w ? "rw" : w ? "w" : "r";
}

/* Tells who has it: as text, or as elements of an array. */
struct holders {
	const struct image	*img;
	const struct object	*file;
	FILE			*out;
	struct json_object	*array;
	bool			any;
};

static bool refers(const struct holders *h, __u32 ref)
{
	const struct object *obj = image_object(h->img, ref);

	return obj && same_key(h->file, obj);
}

static void tell(struct holders *h, const struct task *t, const char *how, long fd)
{
	struct json_object *obj;
	char comm[72];

	if (h->array) {
		obj = json_object_new_object();
		if (t) {
			json_object_object_add(obj, "pid", json_object_new_int(t->tree.pid));
			json_object_object_add(obj, "comm",
					       json_object_new_string(task_comm(t, comm)));
		}
		json_object_object_add(obj, "how", json_object_new_string(how));
		if (fd >= 0)
			json_object_object_add(obj, "fd", json_object_new_int64(fd));
		json_object_array_add(h->array, obj);
	} else if (t) {
		fprintf(h->out, "%s%d (%s) %s", h->any ? ", " : "", t->tree.pid,
			task_comm(t, comm), how);
		if (fd >= 0)
			fprintf(h->out, " %ld", fd);
	} else {
		fprintf(h->out, "%s%s", h->any ? ", " : "", how);
	}
	h->any = true;
}

static void tell_fds(struct holders *h, const struct task *t)
{
	const struct object *files = task_object(h->img, t, CKPT_REC_FILES);
	struct ckpt_fd fd;
	__u64 pos;

	for (pos = 0; files && pos + sizeof(fd) <= files->rec->data_len; pos += sizeof(fd)) {
		memcpy(&fd, files->rec->data + pos, sizeof(fd));
		if (refers(h, fd.file))
			tell(h, t, "fd", fd.fd);
	}
}

static void tell_maps(struct holders *h, const struct task *t)
{
	const struct object *mm = task_object(h->img, t, CKPT_REC_MM);
	const struct rec *part;
	bool mapped = false;

	if (mm && refers(h, ((const struct ckpt_mm *)mm->rec->body)->exe))
		tell(h, t, "executable", -1);
	for (part = mm ? mm->parts : NULL; part && !mapped; part = part->next)
		mapped = part->h.type == CKPT_REC_VMA &&
			 refers(h, ((const struct ckpt_vma *)part->body)->file);
	if (mapped)
		tell(h, t, "mapped", -1);
}

/* On its way from one socket to another. */
static bool in_message(const struct holders *h)
{
	const struct rec *part;
	size_t i;
	__u32 k, ref;

	for (i = 0; i < h->img->nr_objects; i++) {
		for (part = h->img->objects[i].parts; part; part = part->next) {
			const struct ckpt_unix_msg *m = part->body;

			if (part->h.type != CKPT_REC_UNIX_MSG ||
			    m->nr_files * (__u64)sizeof(ref) > part->data_len)
				continue;
			for (k = 0; k < m->nr_files; k++) {
				memcpy(&ref, part->data + k * sizeof(ref), sizeof(ref));
				if (refers(h, ref))
					return true;
			}
		}
	}
	return false;
}

static void tell_holders(struct holders *h)
{
	__u32 i;

	for (i = 0; i < h->img->nr_tasks; i++) {
		const struct task *t = &h->img->tasks[i];

		/* Threads have what their leader has, but for a few. */
		if (!task_is_leader(h->img, i) &&
		    task_object(h->img, t, CKPT_REC_FILES) ==
		    task_object(h->img, &h->img->tasks[t->tree.leader], CKPT_REC_FILES))
			continue;
		tell_fds(h, t);
		if (task_is_leader(h->img, i))
			tell_maps(h, t);
	}
	if (in_message(h))
		tell(h, NULL, "in a message", -1);
}

int show_externals(const struct image *img, bool as_json, FILE *out)
{
	struct json_object *array = as_json ? json_object_new_array() : NULL, *obj;
	char *key = xmalloc(KEY_TEXT), kind[64];
	const struct ckpt_file *body;
	struct holders h;
	bool any = false;
	size_t i;

	for (i = 0; i < img->nr_objects; i++) {
		const struct object *file = &img->objects[i];

		if (!is_external(file) || seen_before(img, i))
			continue;
		body = file->rec->body;
		clean(file->rec->data, file->rec->data_len, key, KEY_TEXT);
		h = (struct holders){ .img = img, .file = file, .out = out };
		if (!as_json) {
			if (!any)
				fprintf(out, "%-24s %-22s %-4s %s\n", "KEY", "KIND", "MODE",
					"HELD BY");
			any = true;
			fprintf(out, "%-24s %-22s %-4s ", key, kind_name(file, kind, sizeof(kind)),
				access_of(img, file));
			tell_holders(&h);
			fputc('\n', out);
			continue;
		}
		obj = json_object_new_object();
		json_object_array_add(array, obj);
		json_object_object_add(obj, "key", json_object_new_string(key));
		json_object_object_add(obj, "kind",
				       json_object_new_string(kind_name(file, kind,
									sizeof(kind))));
		json_object_object_add(obj, "mode", json_object_new_string(access_of(img, file)));
		json_object_object_add(obj, "fd", json_object_new_int(body->low_fd));
		h.array = json_object_new_array();
		json_object_object_add(obj, "holders", h.array);
		tell_holders(&h);
	}
	free(key);
	return as_json ? print_json(array, out) : CKPT_EXIT_OK;
}

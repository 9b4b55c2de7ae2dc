// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: is there a member of a core structure that nobody thought
 * of?
 *
 * manifest.h says of each member what becomes of it. That is compared with the
 * types of the kernel that runs: a member that was added since fails the test
 * of its structure, by name.
 *
 * CKPT_BTF in the environment names another file with types (raw BTF), such as
 * "pahole --btf_encode_detached" makes from an object file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/btf.h>

#include "../kselftest_harness.h"
#include "manifest.h"

#define BTF_FILE	"/sys/kernel/btf/vmlinux"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

/* ---- types of the kernel ---------------------------------------------- */

/* Type 0 is void; types[0] stays NULL. */
struct btf {
	char			*data;
	const char		*strings;
	uint32_t		strings_len;
	const struct btf_type	**types;
	uint32_t		nr_types;
};

/* How long what follows a type is, or -1. */
static long btf_tail(const struct btf_type *t)
{
	uint32_t nr = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	case BTF_KIND_INT:
		return sizeof(uint32_t);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return nr * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return nr * sizeof(struct btf_enum);
	case BTF_KIND_FUNC_PROTO:
		return nr * sizeof(struct btf_param);
	case BTF_KIND_VAR:
		return sizeof(struct btf_var);
	case BTF_KIND_DATASEC:
		return nr * sizeof(struct btf_var_secinfo);
	case BTF_KIND_DECL_TAG:
		return sizeof(struct btf_decl_tag);
	case BTF_KIND_ENUM64:
		return nr * sizeof(struct btf_enum64);
	default:
		return -1;
	}
}

/* Find out where each type is. Returns what is wrong, or NULL. */
static const char *btf_index(struct btf *btf, size_t len)
{
	const struct btf_header *h = (void *)btf->data;
	const char *pos, *end;
	uint32_t max = 0;

	if (len < sizeof(*h) || h->magic != BTF_MAGIC || h->hdr_len > len)
		return "no BTF";
	len -= h->hdr_len;
	if (h->type_off > len || h->type_len > len - h->type_off ||
	    h->str_off > len || h->str_len > len - h->str_off || !h->str_len)
		return "BTF is cut off";
	pos = btf->data + h->hdr_len + h->type_off;
	end = pos + h->type_len;
	btf->strings = btf->data + h->hdr_len + h->str_off;
	btf->strings_len = h->str_len;
	if (btf->strings[btf->strings_len - 1])
		return "BTF has names without an end";

	btf->nr_types = 1;
	while (pos < end) {
		const struct btf_type *t = (const void *)pos;
		long tail = -1;

		if ((size_t)(end - pos) >= sizeof(*t))
			tail = btf_tail(t);
		if (tail < 0 || (size_t)(end - pos) < sizeof(*t) + tail)
			return "BTF has a kind of type that this test does not know";
		if (btf->nr_types >= max) {
			max = max ? 2 * max : 4096;
			btf->types = realloc(btf->types, max * sizeof(*btf->types));
			if (!btf->types)
				return "out of memory";
			btf->types[0] = NULL;
		}
		btf->types[btf->nr_types++] = t;
		pos += sizeof(*t) + tail;
	}
	return NULL;
}

static const char *btf_name(const struct btf *btf, uint32_t off)
{
	return off < btf->strings_len ? btf->strings + off : "";
}

/* The type behind typedefs, const and the like. */
static const struct btf_type *btf_resolve(const struct btf *btf, uint32_t id)
{
	uint32_t depth;

	for (depth = 0; depth < 32 && id && id < btf->nr_types; depth++) {
		const struct btf_type *t = btf->types[id];

		switch (BTF_INFO_KIND(t->info)) {
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_CONST:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			id = t->type;
			break;
		default:
			return t;
		}
	}
	return NULL;
}

static bool btf_is_compound(const struct btf_type *t)
{
	return t && (BTF_INFO_KIND(t->info) == BTF_KIND_STRUCT ||
		     BTF_INFO_KIND(t->info) == BTF_KIND_UNION);
}

/* A structure, by its name or that of its typedef, after *@from. */
static const struct btf_type *btf_find(const struct btf *btf, const char *name,
				       uint32_t *from)
{
	while (++*from < btf->nr_types) {
		const struct btf_type *t = btf->types[*from];

		if ((BTF_INFO_KIND(t->info) == BTF_KIND_STRUCT ||
		     BTF_INFO_KIND(t->info) == BTF_KIND_TYPEDEF) &&
		    !strcmp(btf_name(btf, t->name_off), name) &&
		    btf_is_compound(btf_resolve(btf, *from)))
			return btf_resolve(btf, *from);
	}
	return NULL;
}

/* The names of all members; those of anonymous members are its own. */
struct names {
	const char	**names;
	unsigned int	nr;
};

static void btf_members(const struct btf *btf, const struct btf_type *t,
			struct names *to)
{
	const struct btf_member *member = (const void *)(t + 1);
	unsigned int i, nr = BTF_INFO_VLEN(t->info);

	for (i = 0; i < nr; i++, member++) {
		const char *name = btf_name(btf, member->name_off);
		const struct btf_type *inner;

		if (*name) {
			to->names = realloc(to->names,
					    (to->nr + 1) * sizeof(*to->names));
			if (!to->names)
				exit(KSFT_FAIL);
			to->names[to->nr++] = name;
			continue;
		}
		/* or it is a bit-field without a name: nothing */
		inner = btf_resolve(btf, member->type);
		if (btf_is_compound(inner))
			btf_members(btf, inner, to);
	}
}

static char *slurp(const char *path, size_t *len)
{
	size_t max = 0;
	char *data = NULL;
	ssize_t got = 1;
	int fd;

	*len = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	while (got > 0) {
		if (*len == max) {
			max = max ? 2 * max : 1 << 20;
			data = realloc(data, max);
			if (!data)
				break;
		}
		got = read(fd, data + *len, max - *len);
		if (got > 0)
			*len += got;
	}
	close(fd);
	return data;
}

/* ---- tests ------------------------------------------------------------ */

FIXTURE(manifest)
{
	struct btf btf;
	struct names have;
};

FIXTURE_VARIANT(manifest)
{
	const char *name;
	const struct manifest_member *members;
	unsigned int nr;
};

#define MANIFEST(_name)						\
	.name = #_name,						\
	.members = _name##_members,				\
	.nr = ARRAY_SIZE(_name##_members)

FIXTURE_VARIANT_ADD(manifest, task_struct)
{
	MANIFEST(task_struct)
};

FIXTURE_VARIANT_ADD(manifest, sched_entity)
{
	MANIFEST(sched_entity)
};

FIXTURE_VARIANT_ADD(manifest, signal_struct)
{
	MANIFEST(signal_struct)
};

FIXTURE_VARIANT_ADD(manifest, k_itimer)
{
	MANIFEST(k_itimer)
};

FIXTURE_VARIANT_ADD(manifest, sighand_struct)
{
	MANIFEST(sighand_struct)
};

FIXTURE_VARIANT_ADD(manifest, mm_struct)
{
	MANIFEST(mm_struct)
};

FIXTURE_VARIANT_ADD(manifest, vm_area_struct)
{
	MANIFEST(vm_area_struct)
};

FIXTURE_VARIANT_ADD(manifest, cred)
{
	MANIFEST(cred)
};

FIXTURE_VARIANT_ADD(manifest, fs_struct)
{
	MANIFEST(fs_struct)
};

FIXTURE_VARIANT_ADD(manifest, files_struct)
{
	MANIFEST(files_struct)
};

FIXTURE_VARIANT_ADD(manifest, fdtable)
{
	MANIFEST(fdtable)
};

#ifdef __x86_64__
FIXTURE_VARIANT_ADD(manifest, thread_info)
{
	MANIFEST(thread_info)
};

FIXTURE_VARIANT_ADD(manifest, thread_struct)
{
	MANIFEST(thread_struct)
};

FIXTURE_VARIANT_ADD(manifest, fpu)
{
	MANIFEST(fpu)
};

FIXTURE_VARIANT_ADD(manifest, mm_context_t)
{
	MANIFEST(mm_context_t)
};
#endif

FIXTURE_SETUP(manifest)
{
	const char *path = getenv("CKPT_BTF") ?: BTF_FILE, *wrong;
	const struct btf_type *t;
	uint32_t from = 0;
	size_t len;

	self->btf.data = slurp(path, &len);
	if (!self->btf.data)
		SKIP(return, "%s: %s; the kernel needs CONFIG_DEBUG_INFO_BTF",
		     path, strerror(errno));
	wrong = btf_index(&self->btf, len);
	ASSERT_EQ(NULL, wrong) {
		TH_LOG("%s: %s", path, wrong);
	}
	/* All structures of that name, should there be several. */
	while ((t = btf_find(&self->btf, variant->name, &from)))
		btf_members(&self->btf, t, &self->have);
}

FIXTURE_TEARDOWN(manifest)
{
	free(self->have.names);
	free(self->btf.types);
	free(self->btf.data);
}

static const struct manifest_member *find(const struct manifest_member *members,
					  unsigned int nr, const char *name)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(members[i].name, name))
			return &members[i];
	return NULL;
}

/* All that the structure has is in the table. */
TEST_F(manifest, members)
{
	unsigned int i, unknown = 0;

	EXPECT_NE(0, self->have.nr) {
		TH_LOG("the kernel has no %s", variant->name);
	}
	for (i = 0; i < self->have.nr; i++) {
		const char *name = self->have.names[i];

		if (find(variant->members, variant->nr, name))
			continue;
		TH_LOG("%s.%s: nobody has said what becomes of it",
		       variant->name, name);
		unknown++;
	}
	EXPECT_EQ(0, unknown) {
		TH_LOG("Save it, or refuse it by name where it is set, or see that neither is");
		TH_LOG("needed; then enter it in manifest.h. See");
		TH_LOG("Documentation/core-api/checkpoint.rst of the kernel.");
	}
}

/* What is known to get lost, in this configuration. */
TEST_F(manifest, gaps)
{
	const struct manifest_member *member;
	unsigned int i, gaps = 0;

	for (i = 0; i < self->have.nr; i++) {
		member = find(variant->members, variant->nr, self->have.names[i]);
		if (!member || member->class != GAP)
			continue;
		TH_LOG("%s.%s: %s", variant->name, member->name, member->why);
		gaps++;
	}
	if (!gaps)
		return;
	snprintf(_metadata->results->reason, sizeof(_metadata->results->reason),
		 "%u members are not kept, or not all of them", gaps);
	_metadata->exit_code = KSFT_XFAIL;
}

/* The table itself: each member once, and with all that is to be said. */
TEST_F(manifest, table)
{
	unsigned int i;

	for (i = 0; i < variant->nr; i++) {
		const struct manifest_member *member = &variant->members[i];

		EXPECT_EQ(member, find(variant->members, i + 1, member->name)) {
			TH_LOG("%s is there twice", member->name);
		}
		EXPECT_TRUE(member->class >= SAVED && member->class <= GAP) {
			TH_LOG("%s has no class", member->name);
		}
		EXPECT_TRUE(member->why && *member->why) {
			TH_LOG("%s: why?", member->name);
		}
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * Comparison of two images. Each becomes a list of facts, {key, value}, in
 * which objects have names that tell how to get there ("files of 12") in place
 * of their numbers, which mean nothing. Then the lists are compared.
 */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "info.h"

struct fact {
	char	*key;
	char	*value;
	size_t	order;
};

/* A page, or rather what tells whether it is the same. */
struct page {
	const char *mm;
	__u64	addr;
	__u64	hash;
};

struct facts {
	struct image	*img;
	bool		but_time;	/* no fact is what time itself changes */
	struct fact	*list;
	size_t		nr, max;
	struct page	*pages;
	size_t		nr_pages, max_pages;
	struct object	**todo;		/* named, not yet described */
	size_t		nr_todo;
};

static void add_fact(struct facts *fs, char *key, char *value)
{
	if (fs->nr == fs->max) {
		fs->max = fs->max ? 2 * fs->max : 256;
		fs->list = xrealloc(fs->list, fs->max * sizeof(*fs->list));
	}
	fs->list[fs->nr] = (struct fact){ key, value, fs->nr };
	fs->nr++;
}

/* The name of an object; the first who refers to it is godparent. */
static const char *name_object(struct facts *fs, __u32 ref, const char *what,
			       const char *owner)
{
	struct object *obj = image_object(fs->img, ref);

	if (!ref)
		return "none";
	if (!obj)
		return "missing";
	if (!obj->name) {
		obj->name = xasprintf("%s of %s", what, owner);
		fs->todo[fs->nr_todo++] = obj;
	}
	return obj->name;
}

/* The data of a record that are no array. */
static char *data_text(const struct rec *rec)
{
	char a[FIELD_TEXT], b[FIELD_TEXT];
	size_t first;

	if (type_of(rec->h.type)->data != DATA_STRINGS)
		return xasprintf("%llu bytes with hash %016llx", rec->data_len, rec->hash);
	first = strnlen(rec->data, rec->data_len);
	clean(rec->data, first, a, sizeof(a));
	if (first + 1 >= rec->data_len)
		return xasprintf("%s", a);
	clean(rec->data + first + 1, rec->data_len - first - 1, b, sizeof(b));
	return xasprintf("%s, %s", a, b);
}

static const char *member_text(struct facts *fs, const struct field *f,
			       const void *from, const char *what,
			       const char *owner, char *buf)
{
	__u64 value;

	if (f->format == FMT_REF || f->format == FMT_LINK)
		return name_object(fs, (__u32)field_value(f, from), what, owner);
	if (fs->but_time && f->time == TIME_USED)
		return "some";
	if (fs->but_time && f->time == TIME_LEFT) {
		value = field_value(f, from);
		if (value && ~value)
			return "some";
	}
	return field_text(f, from, buf);
}

/* All members of a structure as one value. */
static char *fields_text(struct facts *fs, const struct field *f,
			 const void *from, const char *what, const char *owner)
{
	char *all = xasprintf("%s", ""), *more, buf[FIELD_TEXT];

	for (; f->name; f++) {
		if (f->format == FMT_ZERO || f->format == FMT_COUNT)
			continue;
		more = xasprintf("%s%s%s=%s", all, *all ? " " : "", f->name,
				 member_text(fs, f, from, what, owner, buf));
		free(all);
		all = more;
	}
	return all;
}

static void elements(struct facts *fs, const struct rec *rec, const char *key,
		     const char *owner)
{
	const struct type *type = type_of(rec->h.type);
	char *what;
	__u64 i;

	for (i = 0; i + 1 <= rec->data_len / type->elem_size; i++) {
		const char *from = rec->data + i * type->elem_size;

		if (rec->h.type == CKPT_REC_FILES)
			what = xasprintf("fd %llu", field_value(&type->elem[0], from));
		else
			what = xasprintf("%s[%llu]", key, i);
		add_fact(fs, xasprintf("%s: %s", owner, what),
			 fields_text(fs, type->elem, from, what, owner));
		free(what);
	}
}

/* A record whose members are facts each. */
static void describe(struct facts *fs, const struct rec *rec, const char *key,
		     const char *owner)
{
	const struct type *type = type_of(rec->h.type);
	const struct field *f;
	char buf[FIELD_TEXT];

	for (f = type->fields; f->name; f++) {
		if (f->format == FMT_ZERO || f->format == FMT_COUNT)
			continue;
		add_fact(fs, xasprintf("%s: %s%s%s", owner, key, *key ? " " : "", f->name),
			 xasprintf("%s", member_text(fs, f, rec->body, f->name,
						     owner, buf)));
	}
	if (type->data == DATA_ARRAY)
		elements(fs, rec, key, owner);
	else if (type->data != DATA_NONE && rec->data_len)
		add_fact(fs, xasprintf("%s: %s%sdata", owner, key, *key ? " " : ""),
			 data_text(rec));
}

static void collect_pages(struct facts *fs, const struct rec *rec, const char *mm)
{
	__u32 page_size = fs->img->header.page_size, i = 0;
	struct ckpt_page_run run;
	__u64 pos, n;

	if (fs->nr_pages + rec->nr_pages > fs->max_pages) {
		fs->max_pages = 2 * (fs->nr_pages + rec->nr_pages);
		fs->pages = xrealloc(fs->pages, fs->max_pages * sizeof(*fs->pages));
	}
	for (pos = 0; next_run(rec, &pos, &run); ) {
		for (n = 0; n < run.nr && i < rec->nr_pages; n++, i++)
			fs->pages[fs->nr_pages++] = (struct page){
				mm, run.addr + n * page_size, rec->pages[i]
			};
	}
}

static void lower(char *to, const char *from)
{
	for (; *from; from++)
		*to++ = *from == '_' ? ' ' : (*from >= 'A' && *from <= 'Z') ?
			(char)(*from + 'a' - 'A') : *from;
	*to = '\0';
}

/* What belongs to an object; @nr parts come before it. */
static void describe_part(struct facts *fs, const struct rec *rec, int nr,
			  const char *owner)
{
	const struct type *type = type_of(rec->h.type);
	char *what, *value, *data, name[32];

	switch (rec->h.type) {
	case CKPT_REC_PAGES:
	case CKPT_REC_PAGES_SHARED:
		collect_pages(fs, rec, owner);
		return;
	case CKPT_REC_LOCKS:
		elements(fs, rec, "lock", owner);
		return;
	case CKPT_REC_MM_END:
		return;
	case CKPT_REC_VMA:
		what = xasprintf("mapping %#llx", ((const struct ckpt_vma *)rec->body)->start);
		break;
	case CKPT_REC_FILE_DATA:
		what = xasprintf("contents at %llu",
				 ((const struct ckpt_file_data *)rec->body)->offset);
		break;
	default:
		lower(name, ckpt_record_name(rec->h.type));
		what = xasprintf("%s %d", name, nr);
		describe(fs, rec, what, owner);
		free(what);
		return;
	}
	value = fields_text(fs, type->fields, rec->body, what, owner);
	if (rec->data_len) {
		data = data_text(rec);
		add_fact(fs, xasprintf("%s: %s", owner, what),
			 xasprintf("%s %s", value, data));
		free(data);
		free(value);
	} else {
		add_fact(fs, xasprintf("%s: %s", owner, what), value);
	}
	free(what);
}

static void describe_objects(struct facts *fs)
{
	size_t i;
	const struct rec *part;
	int nr;

	for (i = 0; i < fs->nr_todo; i++) {
		struct object *obj = fs->todo[i];

		describe(fs, obj->rec, "", obj->name);
		for (part = obj->parts, nr = 0; part; part = part->next)
			describe_part(fs, part, nr++, obj->name);
	}
}

static void describe_task(struct facts *fs, const struct task *t)
{
	const struct image *img = fs->img;
	const struct ckpt_tree_task *tt = &t->tree;
	const struct rec *rec;
	char *owner, *key, name[32];
	int nr = 0;

	owner = xasprintf("%d", tt->pid);
	add_fact(fs, xasprintf("%s: place in the tree", owner),
		 xasprintf("process %d, parent %d, group %d, session %d, flags %#x",
			   img->tasks[tt->leader].tree.pid,
			   tt->parent == CKPT_NO_PARENT ? 0 :
			   img->tasks[tt->parent].tree.pid,
			   tt->pgid, tt->sid, tt->flags));
	for (rec = t->recs; rec; rec = rec->next) {
		lower(name, ckpt_record_name(rec->h.type));
		if (rec->h.type == CKPT_REC_CPU)
			key = xasprintf("%s note %#x", name,
					((const struct ckpt_cpu *)rec->body)->note);
		else if (rec->h.type == CKPT_REC_SIGPENDING)
			key = xasprintf("%s %s", ((const struct ckpt_sigpending *)
						  rec->body)->shared ?
					"process" : "thread", name);
		else if (task_rec(t, rec->h.type) == rec)
			key = xasprintf("%s", rec->h.type == CKPT_REC_TASK ||
					rec->h.type == CKPT_REC_TASK_OBJS ? "" : name);
		else
			key = xasprintf("%s %d", name, ++nr);
		describe(fs, rec, key, owner);
		free(key);
	}
	free(owner);
}

static int by_key(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;
	int ret = strcmp(x->key, y->key);

	return ret ? ret : (x->order > y->order) - (x->order < y->order);
}

static int by_page(const void *a, const void *b)
{
	const struct page *x = a, *y = b;
	int ret = strcmp(x->mm, y->mm);

	return ret ? ret : (x->addr > y->addr) - (x->addr < y->addr);
}

static void collect(struct facts *fs, struct image *img, bool but_time)
{
	const struct ckpt_header *h = &img->header;
	char buf[FIELD_TEXT];
	__u32 i;

	memset(fs, 0, sizeof(*fs));
	fs->img = img;
	fs->but_time = but_time;
	fs->todo = xmalloc((img->nr_objects + 1) * sizeof(*fs->todo));
	add_fact(fs, xasprintf("image: kernel"),
		 xasprintf("%s", clean(h->release, sizeof(h->release), buf, sizeof(buf))));
	add_fact(fs, xasprintf("image: machine"),
		 xasprintf("architecture %u, page size %u, features %#llx, vDSO %08x of %u bytes",
			   h->arch, h->page_size, h->features, h->vdso_crc, h->vdso_size));
	if (img->label)
		add_fact(fs, xasprintf("image: security label"),
			 xasprintf("%s", clean(img->label, strlen(img->label), buf,
					       sizeof(buf))));
	for (i = 0; i < img->nr_tasks; i++)
		describe_task(fs, &img->tasks[i]);
	describe_objects(fs);
	qsort(fs->list, fs->nr, sizeof(*fs->list), by_key);
	if (fs->nr_pages)
		qsort(fs->pages, fs->nr_pages, sizeof(*fs->pages), by_page);
}

static void drop(struct facts *fs)
{
	size_t i;

	for (i = 0; i < fs->nr; i++) {
		free(fs->list[i].key);
		free(fs->list[i].value);
	}
	free(fs->list);
	free(fs->pages);
	free(fs->todo);
}

/* ---- comparison ------------------------------------------------------- */

/**
 * struct change - something that differs
 * @key: What.
 * @a, @b: How it is in either image, or NULL.
 * @order: When to tell.
 */
struct change {
	char	*key;
	char	*a, *b;
	size_t	order;
};

struct changes {
	struct change	*list;
	size_t		nr, max;
};

static void add_change(struct changes *cs, const char *key, const char *a,
		       const char *b, size_t order)
{
	struct change *c;

	if (cs->nr == cs->max) {
		cs->max = cs->max ? 2 * cs->max : 64;
		cs->list = xrealloc(cs->list, cs->max * sizeof(*cs->list));
	}
	c = &cs->list[cs->nr++];
	c->key = xasprintf("%s", key);
	c->a = a ? xasprintf("%s", a) : NULL;
	c->b = b ? xasprintf("%s", b) : NULL;
	c->order = order;
}

static int by_change(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

static void compare_facts(struct changes *cs, const struct facts *a,
			  const struct facts *b)
{
	size_t i = 0, j = 0;
	int order;

	while (i < a->nr || j < b->nr) {
		const struct fact *x = i < a->nr ? &a->list[i] : NULL;
		const struct fact *y = j < b->nr ? &b->list[j] : NULL;

		order = !x ? 1 : !y ? -1 : strcmp(x->key, y->key);
		if (order < 0)
			add_change(cs, x->key, x->value, NULL, x->order);
		else if (order > 0)
			add_change(cs, y->key, NULL, y->value, y->order);
		else if (strcmp(x->value, y->value))
			add_change(cs, x->key, x->value, y->value, x->order);
		i += order <= 0;
		j += order >= 0;
	}
}

/* Neighbouring pages that differ in the same way are one change. */
struct span {
	const char *mm;
	__u64	start, end;
	int	how;
};

static void end_span(struct changes *cs, struct span *span, __u32 page_size)
{
	static const char * const a[] = { "saved", "saved", NULL };
	static const char * const b[] = { NULL, "saved, and different", "saved" };
	char *key;

	if (!span->mm)
		return;
	key = xasprintf("%s: %llu pages at %#llx-%#llx", span->mm,
			(span->end - span->start) / page_size, span->start, span->end);
	add_change(cs, key, a[span->how + 1], b[span->how + 1], (size_t)-1);
	free(key);
	span->mm = NULL;
}

static void compare_pages(struct changes *cs, const struct facts *a,
			  const struct facts *b)
{
	__u32 page_size = a->img->header.page_size;
	struct span span = { };
	size_t i = 0, j = 0;
	int how;

	while (i < a->nr_pages || j < b->nr_pages) {
		const struct page *x = i < a->nr_pages ? &a->pages[i] : NULL;
		const struct page *y = j < b->nr_pages ? &b->pages[j] : NULL;
		const struct page *p;

		how = !x ? 1 : !y ? -1 : by_page(x, y);
		how = (how > 0) - (how < 0);
		p = how > 0 ? y : x;
		i += how <= 0;
		j += how >= 0;
		if (!how && x->hash == y->hash)
			continue;
		if (!span.mm || strcmp(span.mm, p->mm) || span.end != p->addr ||
		    span.how != how) {
			end_span(cs, &span, page_size);
			span = (struct span){ p->mm, p->addr, p->addr, how };
		}
		span.end += page_size;
	}
	end_span(cs, &span, page_size);
}

static int changes_json(const struct changes *cs, FILE *out)
{
	struct json_object *top = json_object_new_object(), *array, *obj;
	size_t i;

	json_object_object_add(top, "equal", json_object_new_boolean(!cs->nr));
	array = json_object_new_array();
	json_object_object_add(top, "differences", array);
	for (i = 0; i < cs->nr; i++) {
		const struct change *c = &cs->list[i];

		obj = json_object_new_object();
		json_object_object_add(obj, "what", json_object_new_string(c->key));
		json_object_object_add(obj, "first", c->a ?
				       json_object_new_string(c->a) : NULL);
		json_object_object_add(obj, "second", c->b ?
				       json_object_new_string(c->b) : NULL);
		json_object_array_add(array, obj);
	}
	return print_json(top, out);
}

int show_diff(struct image *ia, struct image *ib, bool but_time, bool json,
	      FILE *out)
{
	struct changes cs = { };
	struct facts a, b;
	size_t i;

	collect(&a, ia, but_time);
	collect(&b, ib, but_time);
	compare_facts(&cs, &a, &b);
	if (ia->header.page_size == ib->header.page_size)
		compare_pages(&cs, &a, &b);
	if (cs.nr)
		qsort(cs.list, cs.nr, sizeof(*cs.list), by_change);

	if (json)
		changes_json(&cs, out);
	for (i = 0; i < cs.nr && !json; i++) {
		const struct change *c = &cs.list[i];

		if (!c->b)
			fprintf(out, "- %s: %s\n", c->key, c->a);
		else if (!c->a)
			fprintf(out, "+ %s: %s\n", c->key, c->b);
		else
			fprintf(out, "~ %s: %s -> %s\n", c->key, c->a, c->b);
	}

	for (i = 0; i < cs.nr; i++) {
		free(cs.list[i].key);
		free(cs.list[i].a);
		free(cs.list[i].b);
	}
	free(cs.list);
	drop(&a);
	drop(&b);
	return cs.nr ? 1 : CKPT_EXIT_OK;
}

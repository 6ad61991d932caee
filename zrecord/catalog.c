/*
 * catalog.c - see catalog.h.
 */
#include "catalog.h"
#include "libzmalloc/logger/session.h"
#include "report.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct catalog_module {
	int64_t id;
	struct symbol_module *symbols; /* NULL: no names */
	struct symbol_module *objects; /* the same, for objects */
	struct lookup_job heap;
	UT_hash_handle hh;
	size_t key_bytes;
	char key[]; /* build-id in hex, then the path */
};

struct place_key {
	int64_t module; /* 0: none, -1: a remark */
	uint64_t address;
};

struct catalog_place {
	struct place_key key;
	UT_hash_handle hh;
	struct lookup_job job;
	const char *remark;
	struct place *rows; /* NULL: not written yet */
};

void
catalog_init(struct catalog *c, struct writer *w)
{
	*c = (struct catalog){ .writer = w,
			       .symbols = symbols_new(),
			       .objects = symbols_new(),
			       .lookup = lookup_new() };
}

void
catalog_free(struct catalog *c)
{
	struct catalog_module *m, *m_next;
	struct catalog_place *p, *p_next;
	lookup_stop(c->lookup);
	HASH_ITER(hh, c->modules, m, m_next)
	{
		HASH_DEL(c->modules, m);
		free(m);
	}
	HASH_ITER(hh, c->places, p, p_next)
	{
		HASH_DEL(c->places, p);
		free(p->job.frames);
		free(p->rows);
		free(p);
	}
	symbols_free(c->symbols);
	symbols_free(c->objects);
	*c = (struct catalog){ 0 };
}

struct catalog_module *
catalog_module(struct catalog *c, const char *path, const uint8_t *build_id,
	       size_t bytes)
{
	struct catalog_module *m;
	size_t key_bytes = bytes * 2 + strlen(path) + 1;
	char *key = malloc(key_bytes + 1);
	if (!key)
		return NULL;
	for (size_t i = 0; i < bytes; i++)
		snprintf(key + 2 * i, 3, "%02x", build_id[i]);
	strcpy(key + 2 * bytes, path);
	HASH_FIND(hh, c->modules, key, key_bytes, m);
	if (m || !(m = malloc(sizeof *m + key_bytes)))
		goto out;
	*m = (struct catalog_module){ .key_bytes = key_bytes };
	memcpy(m->key, key, key_bytes);
	if (c->symbols)
		m->symbols = symbols_module(c->symbols, path, build_id, bytes);
	if (c->objects)
		m->objects = symbols_module(c->objects, path, build_id, bytes);
	char *name = key + 2 * bytes;
	char *id = bytes ? strndup(key, 2 * bytes) : NULL;
	utf8_clean(name);
	m->id = writer_row(c->writer, ROW_MODULE, "tt", name, id);
	free(id);
	HASH_ADD_KEYPTR(hh, c->modules, m->key, key_bytes, m);
	if (m->symbols && c->lookup) {
		m->heap.module = m->symbols;
		m->heap.address = LOOKUP_HEAP;
		lookup_ask(c->lookup, &m->heap);
	}
out:
	free(key);
	return m;
}

static struct catalog_place *
place_new(struct catalog *c, struct place_key key)
{
	struct catalog_place *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->key = key;
	HASH_ADD(hh, c->places, key, sizeof p->key, p);
	return p;
}

/* Writes one location row. */
static int64_t
write_frame(struct catalog *c, const struct place_key *key,
	    const struct symbol_frame *f)
{
	/* file names and symbols are bytes; a report holds UTF-8 */
	char *function = f->function ? strdup(f->function) : NULL;
	char *file = f->file ? strdup(f->file) : NULL;
	if (function)
		utf8_clean(function);
	if (file)
		utf8_clean(file);
	int64_t id = writer_row(
	    c->writer, ROW_LOCATION, "iittii",
	    key->module > 0 ? key->module : NO_INTEGER,
	    key->module >= 0 ? (int64_t)key->address : NO_INTEGER, function,
	    file, f->line > 0 ? (int64_t)f->line : NO_INTEGER,
	    (int64_t)f->inlined);
	free(function);
	free(file);
	return id;
}

struct catalog_place *
catalog_place(struct catalog *c, struct catalog_module *module,
	      uint64_t address)
{
	struct catalog_place *p;
	/* a return address is behind its call */
	struct place_key key = { module ? module->id : 0, address - 1 };
	HASH_FIND(hh, c->places, &key, sizeof key, p);
	if (p || !(p = place_new(c, key)))
		return p;
	if (module && module->symbols && c->lookup) {
		p->job.module = module->symbols;
		p->job.address = key.address;
		lookup_ask(c->lookup, &p->job);
	}
	return p;
}

struct catalog_place *
catalog_remark(struct catalog *c, uint64_t pc)
{
	struct place_key key = { -1, pc };
	struct catalog_place *p;
	HASH_FIND(hh, c->places, &key, sizeof key, p);
	if (p || !(p = place_new(c, key)))
		return p;
	if (pc == ZS_PC_CUT)
		p->remark = REPORT_FRAMES_CUT;
	else if (pc == ZS_PC_EARLY)
		p->remark = REPORT_FRAMES_EARLY;
	else
		p->remark = REPORT_FRAMES_UNKNOWN;
	return p;
}

int
catalog_ready(const struct catalog_place *p)
{
	return p->rows || !p->job.module || lookup_done(&p->job);
}

const struct place *
catalog_rows(struct catalog *c, struct catalog_place *p)
{
	struct symbol_frame plain = { .function = p->remark };
	const struct symbol_frame *frames = &plain;
	size_t n = 1;
	if (p->rows)
		return p->rows;
	if (p->job.module) {
		lookup_wait(c->lookup, &p->job);
		if (p->job.count) {
			frames = p->job.frames;
			n = p->job.count;
		}
	}
	p->rows = calloc(1, sizeof *p->rows + n * sizeof p->rows->ids[0]);
	if (!p->rows)
		return NULL;
	p->rows->count = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		p->rows->ids[i] = write_frame(c, &p->key, &frames[i]);
	return p->rows;
}

int64_t
catalog_module_id(const struct catalog_module *m)
{
	return m->id;
}

int
catalog_object(const struct catalog_module *m, uint64_t address, int tls,
	       struct symbol_object *o)
{
	return m->objects ? symbols_object(m->objects, address, tls, o) : -1;
}

void
catalog_heaps(struct catalog *c)
{
	struct catalog_module *m, *next;
	HASH_ITER(hh, c->modules, m, next)
	{
		if (!m->heap.module)
			continue;
		lookup_wait(c->lookup, &m->heap);
		if (m->heap.heap)
			writer_row(c->writer, ROW_MODULE_HEAP, "it", m->id,
				   m->heap.heap);
	}
}

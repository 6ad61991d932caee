/*
 * options.c - reads the environment variables of options.h.
 *
 * Runs at the first malloc of the process: uses string functions of libc and
 * metadata memory, nothing else; no strtol (locales), no getenv (libc's
 * environ may not be set).  Called by boot.c.
 */
#include "malloc/options.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "malloc/message.h"
#include "zone/szone.h"

#define ZM_DEFAULT(name, field, type, min, max, def, help) .field = def,
struct zm_options zm_options = { ZM_OPTIONS(ZM_DEFAULT) };

bool zm_tracing_quiet;

#define ZM_RANGE_FLAG(min, max)	  min, max, NULL
#define ZM_RANGE_BOOL(min, max)	  min, max, NULL
#define ZM_RANGE_NUMBER(min, max) min, max, NULL
#define ZM_RANGE_TEXT(min, max)	  min, max, NULL
#define ZM_RANGE_WORD(min, max)	  0, 0, min

#define ZM_ROW(name, field, type, min, max, def, help) \
	{ #name,                                       \
	  ZM_OPTION_##type,                            \
	  offsetof(struct zm_options, field),          \
	  ZM_RANGE_##type(min, max),                   \
	  #def,                                        \
	  help },
const struct zm_option zm_option_table[] = { ZM_OPTIONS(ZM_ROW) };

enum { COUNT = sizeof(zm_option_table) / sizeof(zm_option_table[0]) };
const size_t zm_option_count = COUNT;

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Decimal, 0x or 0 octal, signed, the whole string. */
static bool
parse_number(const char *s, long *out)
{
	bool negative = *s == '-';
	int base = 10;
	long v = 0;
	if (*s == '-' || *s == '+')
		s++;
	if (s[0] == '0' && (s[1] | 0x20) == 'x') {
		base = 16;
		s += 2;
	} else if (s[0] == '0' && s[1]) {
		base = 8;
	}
	if (!*s)
		return false;
	for (; *s; s++) {
		int d = digit(*s);
		if (d >= base || __builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, d, &v))
			return false;
	}
	*out = negative ? -v : v;
	return true;
}

static bool
set_bool(bool *field, const char *value)
{
	if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		return false;
	*field = *value == '1';
	return true;
}

/* The word's place in the list. */
static bool
set_word(long *field, const char *words, const char *value)
{
	size_t n = strlen(value);
	long place = 0;
	for (const char *w = words; *w; place++) {
		size_t length = strcspn(w, "|");
		if (length == n && memcmp(w, value, n) == 0) {
			*field = place;
			return true;
		}
		w += length + (w[length] == '|');
	}
	return false;
}

/* Texts live for ever: the program may overwrite its environment. */
static bool
set_text(const char **field, const char *value)
{
	size_t n = strlen(value) + 1;
	char *copy = zm_meta_alloc(n);
	if (!copy)
		return false;
	memcpy(copy, value, n);
	*field = copy;
	return true;
}

bool
zm_option_set(struct zm_options *o, const struct zm_option *opt,
	      const char *value)
{
	void *field = (char *)o + opt->offset;
	long v;
	switch (opt->type) {
	case ZM_OPTION_FLAG:
		*(bool *)field = strcmp(value, "0") != 0;
		return true;
	case ZM_OPTION_BOOL:
		return set_bool(field, value);
	case ZM_OPTION_NUMBER:
		if (!parse_number(value, &v) || v < opt->min || v > opt->max)
			return false;
		*(long *)field = v;
		return true;
	case ZM_OPTION_WORD:
		return set_word(field, opt->words, value);
	case ZM_OPTION_TEXT:
		return set_text(field, value);
	}
	return false;
}

bool
zm_option_looks_like(const char *entry)
{
	return strncmp(entry + (*entry == '_'), "Malloc", 6) == 0;
}

static const struct zm_option *
find(const char *entry, const char **value)
{
	const char *equal = strchr(entry, '=');
	if (!equal)
		return NULL;
	entry += *entry == '_';
	size_t n = (size_t)(equal - entry);
	*value = equal + 1;
	for (size_t i = 0; i < COUNT; i++) {
		const struct zm_option *opt = &zm_option_table[i];
		if (strncmp(opt->name, entry, n) == 0 && !opt->name[n])
			return opt;
	}
	return NULL;
}

void
zm_options_read(char *const *envp)
{
	bool seen[COUNT] = { false }, bad[COUNT] = { false };
	for (; envp && *envp; envp++) {
		const char *value;
		if (!zm_option_looks_like(*envp))
			continue;
		const struct zm_option *opt = find(*envp, &value);
		if (!opt || seen[opt - zm_option_table])
			continue; /* as getenv: the first one counts */
		seen[opt - zm_option_table] = true;
		if (!zm_option_set(&zm_options, opt, value))
			bad[opt - zm_option_table] = true;
	}
	/* only now, when MallocDebugReport has surely been read */
	for (size_t i = 0; i < COUNT; i++)
		if (bad[i])
			zm_warn("%s: bad value, ignored",
				zm_option_table[i].name);
}

/* The word that stands at a place, which is a digit. */
static const char *
word_at(char *out, size_t cap, const char *words, char place)
{
	for (; place > '0'; place--)
		words = strchr(words, '|') + 1;
	size_t n = strcspn(words, "|");
	n = n < cap ? n : cap - 1;
	memcpy(out, words, n);
	out[n] = '\0';
	return out;
}

void
zm_options_help(void)
{
	static const char *const kind[] = { "flag", "0|1", "number", "word",
					    "text" };
	zm_print("environment variables of libzmalloc (type, default):\n");
	for (size_t i = 0; i < COUNT; i++) {
		const struct zm_option *opt = &zm_option_table[i];
		const char *def = opt->standard;
		char word[24];
		if (opt->type == ZM_OPTION_WORD)
			def = word_at(word, sizeof(word), opt->words, *def);
		if (opt->type == ZM_OPTION_TEXT)
			def = "-";
		zm_print("  %-34s %-7s %-7s %s\n", opt->name, kind[opt->type],
			 def, opt->help);
	}
}

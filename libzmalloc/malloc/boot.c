/*
 * boot.c - early start, constructor and end.
 *
 * The first call of any entry point comes from the dynamic linker, before
 * libc's and anybody's constructor.  zm_boot then reads the environment, makes
 * zone 1 and, if asked to, starts the recorder, so that even the first block
 * is recorded.  The constructor runs later and does what needs a working
 * libc.
 *
 * From libc: pthread_key_create and pthread_atfork (see threads.c, fork.c),
 * on_exit, whose first 32 handlers lie in static memory.
 */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "malloc/environment.h"
#include "malloc/message.h"
#include "malloc/options.h"
#include "malloc/registry.h"
#include "malloc/state.h"
#include "os/os.h"

unsigned zm_slow = ZM_SLOW_BOOT;
/* The name by which a recorder finds it: see ZM_SLOW_ATTACH. */
extern unsigned zmalloc_record_word ZM_ALIAS(zm_slow);
struct zm_szone *zm_main_szone;

const struct zm_hook *zm_hook;
int zm_hook_on;

/* Replaced by logger/ where that is linked in. */
__attribute__((weak)) const struct zm_hook *
zm_logger_boot(void)
{
	return NULL;
}

__thread int64_t zm_sample_left;

__attribute__((weak)) bool
zm_sample_end(int64_t size)
{
	(void)size;
	return false;
}

__attribute__((weak)) void
zm_logger_attach(const void *ra, bool zeroed)
{
	(void)ra;
	(void)zeroed;
	zm_slow_set(ZM_SLOW_ATTACH, false);
}

void
zm_slow_set(unsigned bits, bool on)
{
	if (on)
		__atomic_fetch_or(&zm_slow, bits, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&zm_slow, ~bits, __ATOMIC_SEQ_CST);
}

void
zm_hook_enable(int on)
{
	if (!zm_hook)
		return;
	__atomic_store_n(&zm_hook_on, on, __ATOMIC_RELAXED);
	zm_slow_set(on ? ZM_SLOW_HOOK : ZM_SLOW_HOOK | ZM_SLOW_SAMPLE, on);
}

/* ---- the recorder's zone ------------------------------------------------ */

static struct zm_zone *logger_zone;

struct zm_zone *
zm_logger_zone(void)
{
	struct zm_zone *z = __atomic_load_n(&logger_zone, __ATOMIC_ACQUIRE);
	if (ZM_LIKELY(z))
		return z;
	z = zm_zone_new(ZM_ZONE_ID_LOGGER, ZM_SZONE_NO_CACHE,
			"MallocLoggerZone");
	if (!z)
		zm_fatal("can't allocate region for the logger zone", NULL);
	__atomic_store_n(&logger_zone, z, __ATOMIC_RELEASE);
	zm_registry_add(&z->pub);
	return z;
}

void *
zm_logger_alloc(size_t bytes)
{
	return zm_szone_malloc(zm_logger_zone()->szone, bytes);
}

void
zm_logger_free(void *p)
{
	struct zm_region *r = p ? zm_region_of(p) : NULL;
	if (r)
		zm_szone_free(zm_szone_of(r), r, p);
}

/* ---- start -------------------------------------------------------------- */

static bool
text_is(const char *text, const char *what)
{
	return text && strcmp(text, what) == 0;
}

/* Free nano slabs that keep their pages. */
static unsigned
nano_keep(long policy)
{
	enum { SOME = 16 };
	return policy == ZM_NANO_IMMEDIATE ? 0
	       : policy == ZM_NANO_WARNING ? SOME
					   : UINT_MAX;
}

/* What the options say together. */
static void
configure_zones(void)
{
	const struct zm_options *o = &zm_options;
	bool all = text_is(o->guard_edges, "all"), spare = o->space_efficient;
	bool one_medium = spare && o->medium_efficient && !o->max_medium;
	zm_zone_fatal = zm_corrupt;
	zm_zone_config = (struct zm_zone_config){
		.scribble = o->scribble,
		.guard_edges = o->guard_edges && !text_is(o->guard_edges, "0"),
		.guard_all = all,
		.no_prelude = o->no_prelude && !all,
		.no_postlude = o->no_postlude && !all,
		.medium = o->medium && zm_os_ram() >= (uint64_t)o->medium_ram,
		.large_cache = o->large_cache && !spare,
		.aggressive_madvise = o->aggressive_madvise || spare,
		.nano = o->nano != ZM_NANO_OFF,
		.max_magazines = (unsigned)o->max_magazines,
		.retained_regions = spare ? 0 : (unsigned)o->retained_regions,
		.max_medium_magazines =
		    one_medium ? 1 : (unsigned)o->max_medium,
		.max_nano_magazines = (unsigned)o->max_nano,
		.nano_keep = nano_keep(o->nano_madvise),
		.large_expanded_ram = (uint64_t)o->large_ram,
	};
}

static void
make_main_zone(void)
{
	unsigned flags = zm_zone_config.nano ? 0 : ZM_SZONE_NO_NANO;
	if (zm_options.scribble)
		flags |= ZM_SZONE_NO_CACHE;
	struct zm_zone *z =
	    zm_zone_new(ZM_ZONE_ID_MAIN, flags, "DefaultMallocZone");
	if (!z || !zm_registry_add(&z->pub))
		zm_fatal("can't allocate region for the default zone", NULL);
	zm_main_szone = z->szone;
}

/* MallocStackLogging is a way to say MallocTracing.  Values that ask for what
 * is not recorded here (vm, vmlite), or that some tool invented, ask for
 * nothing: programs inherit the variable without knowing. */
static void
stack_logging(struct zm_options *o)
{
	static const char *const yes[] = { "1", "lite", "malloc", "full" };
	static char file[PATH_MAX];
	zm_tracing_quiet = !o->tracing;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		o->tracing |= text_is(o->stack_logging, yes[i]);
	if (!o->logging_directory || o->tracing_file)
		return;
	zm_format(file, sizeof(file), "%s/report.%%p.db", o->logging_directory);
	o->tracing_file = file;
}

static void
start_recorder(void)
{
	/* zrecord sets the session alone */
	zm_options.tracing |= zm_options.tracing_session != NULL;
	stack_logging(&zm_options);
	if (!zm_options.tracing ||
	    (zm_options.tracing_process &&
	     zm_options.tracing_process != zm_os_getpid()))
		return;
	struct zm_zone *logger = zm_logger_zone();
	zm_hook = zm_logger_boot();
	if (!zm_hook)
		return;
	zm_hook->zone(ZM_ZONE_ID_MAIN, "DefaultMallocZone");
	zm_hook->zone(ZM_ZONE_ID_LOGGER, logger->pub.zone_name);
	if (zm_options.tracing_sample)
		zm_slow_set(ZM_SLOW_SAMPLE, true);
	zm_hook_enable(1);
}

static void
boot(void)
{
	const char *argv0;
	char *const *envp;
	zm_environment(&argv0, &envp);
	if (argv0)
		zm_message_program(argv0);
	zm_options_read(envp);
	configure_zones();
	make_main_zone();
	zm_check_start();
	start_recorder();
	zm_slow_set(ZM_SLOW_BOOT, false);
	zm_threads_start();
	zm_fork_start();
	if (zm_options.help)
		zm_options_help();
}

/* One thread boots; that there are others already is possible, not likely. */
void
zm_boot(void)
{
	static bool begun;
	if (!__atomic_exchange_n(&begun, true, __ATOMIC_ACQ_REL)) {
		boot();
		return;
	}
	while (zm_is_slow() & ZM_SLOW_BOOT)
		zm_os_yield();
}

/* ---- constructor and end ------------------------------------------------ */

/*
 * The recorder hears of the end as late as possible, with exit's argument.
 * In a shared library the destructor runs first and the handler last, since
 * it was registered before everything else; linked statically it is the other
 * way round.  Whichever comes second tells.
 */
static int exit_parts, exit_status, exit_known;

static void
exit_part(void)
{
	if (++exit_parts == 2 && zm_hook)
		zm_hook->exiting(exit_status, exit_known);
}

static void
at_exit(int status, void *unused)
{
	(void)unused;
	exit_status = status;
	exit_known = 1;
	exit_part();
}

/* on_exit allocates from its 33rd handler on: not where libc holds its lock. */
static void
watch_end(void)
{
	static bool watched;
	if (!watched && on_exit(at_exit, NULL))
		exit_parts++;
	watched = true;
}

/* With the registry locked, no thread is between fork's handlers, which call
 * the table both before and after. */
void
zm_hook_install(const struct zm_hook *hook, bool sampled)
{
	watch_end();
	zm_registry_lock();
	for (unsigned id = 1; id < zm_zone_id_end; id++) {
		struct zm_zone *z = zm_zone_by_id(id);
		if (z)
			hook->zone(z->id, z->pub.zone_name);
	}
	__atomic_store_n(&zm_hook, hook, __ATOMIC_RELEASE);
	if (sampled)
		zm_slow_set(ZM_SLOW_SAMPLE, true);
	zm_hook_enable(1);
	zm_registry_unlock();
}

/*
 * A program that allocates nothing, knows nothing of us and is not asked for
 * anything by a variable pays nothing: all else happens at its first malloc.
 */
__attribute__((constructor)) ZM_STARTUP static void
library_begin(void)
{
	bool linked = zm_deepbind_start();
	if (zm_is_slow() & ZM_SLOW_BOOT && !linked &&
	    !zm_environment_concerns_us())
		return;
	zm_boot_once();
	if (!zm_hook)
		return;
	watch_end();
	zm_hook->started();
}

__attribute__((destructor)) static void
library_end(void)
{
	exit_part();
}

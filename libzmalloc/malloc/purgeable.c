/*
 * purgeable.c - large blocks that the system may empty when memory is short.
 *
 * The purgeable zone is a zone like others, made when somebody asks for it;
 * the two functions work on large blocks of every zone of ours.  zone/lazy.c
 * does the work.
 */
#include <errno.h>

#include "malloc/message.h"
#include "malloc/registry.h"
#include "malloc/state.h"
#include "zone/lazy.h"

static struct zm_zone *purgeable;

ZM_EXPORT malloc_zone_t *
malloc_default_purgeable_zone(void)
{
	struct zm_zone *z, *none = NULL;
	zm_boot_once();
	z = __atomic_load_n(&purgeable, __ATOMIC_ACQUIRE);
	if (z)
		return &z->pub;
	z = zm_zone_new(0, 0, "DefaultPurgeableMallocZone");
	if (!z)
		return malloc_default_zone();
	if (__atomic_compare_exchange_n(&purgeable, &none, z, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		zm_registry_add(&z->pub);
		return &z->pub;
	}
	zm_zone_delete(z); /* another thread was first */
	return &none->pub;
}

bool
zm_zone_is_purgeable(const malloc_zone_t *zone)
{
	const struct zm_zone *z = __atomic_load_n(&purgeable, __ATOMIC_ACQUIRE);
	return z && &z->pub == zone;
}

ZM_EXPORT void
malloc_make_purgeable(void *p)
{
	zm_lazy_free(p); /* what does not qualify stays as it is */
}

ZM_EXPORT int
malloc_make_nonpurgeable(void *p)
{
	return zm_lazy_keep(p) == -EFAULT ? EFAULT : 0;
}

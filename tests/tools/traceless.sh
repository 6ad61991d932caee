#!/usr/bin/env bash
# traceless.sh - with tracing off the library is a plain allocator: it needs
# libc alone, starts no thread, opens no file, and exports the contract's names.
. tests/lib.sh

# ---- what it needs ----------------------------------------------------

# libm, libpthread and libdl are parts of libc; the loader too.
same 'depends on libc alone' '' "$(readelf -d "$LIB" |
    sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -v '^libc\.so\|^ld-linux\|^libpthread\.so\|^libdl\.so')"
same 'its name' 'libzmalloc.so' \
    "$(readelf -d "$LIB" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')"
same 'no text relocations, no executable stack' '' "$(
    readelf -d "$LIB" | grep TEXTREL
    readelf -lW "$LIB" | grep 'GNU_STACK.*E ')"
same 'thread-local storage is initial-exec' '' "$(readelf -rW "$LIB" |
    grep -o 'R_[A-Z0-9_]*DTPMOD[0-9]*' | sort -u)"

# ---- what it exports --------------------------------------------------

nm -D --defined-only "$LIB" | awk '{ print $3 }' | sed 's/@.*//' | sort -u \
    >"$T/exports"
family='malloc free calloc realloc reallocarray memalign aligned_alloc
posix_memalign valloc pvalloc malloc_usable_size malloc_trim malloc_stats
malloc_info mallinfo mallinfo2 mallopt'
operators=$(printf '%s\n' _Zn{w,a}m{,RKSt9nothrow_t,St11align_val_t,St11align_val_tRKSt9nothrow_t} \
    _Zd{l,a}Pv{,m,RKSt9nothrow_t,St11align_val_t,mSt11align_val_t,St11align_val_tRKSt9nothrow_t})
apple='malloc_default_zone malloc_create_zone malloc_destroy_zone
malloc_zone_malloc malloc_zone_calloc malloc_zone_valloc malloc_zone_realloc
malloc_zone_memalign malloc_zone_free malloc_zone_from_ptr malloc_size
malloc_good_size malloc_zone_batch_malloc malloc_zone_batch_free
malloc_zone_check malloc_zone_print malloc_zone_statistics
malloc_zone_pressure_relief malloc_zone_register malloc_zone_unregister
malloc_set_zone_name malloc_get_zone_name malloc_get_all_zones
malloc_zone_malloc_with_options malloc_zone_log malloc_zone_print_ptr_info
malloc_default_purgeable_zone malloc_make_purgeable malloc_make_nonpurgeable
malloc_claimed_address malloc_zone_claimed_address scalable_zone_statistics
mstats malloc_engaged_nano malloc_memory_event_handler mag_set_thread_index
malloc_zero_on_free_disable malloc_get_wrapped_zone malloc_error_break
malloc_printf malloc_num_zones malloc_zones reallocf reallocarrayf vfree'
# shellcheck disable=SC2086 # lists of names
printf '%s\n' $family $operators $apple | sort -u >"$T/wanted"
same 'exports the whole family, the operators, the zones' '' \
    "$(comm -23 "$T/wanted" "$T/exports")"
# The C library's own list: what it has of this kind, we have.
libc=$(ldd /bin/sh | awk '$1 ~ /^libc\.so/ { print $3 }')
same 'exports what libc exports' '' "$(nm -D --defined-only "$libc" |
    awk '{ print $3 }' | grep '@@' | sed 's/@.*//' |
    grep -x '[a-z]*alloc\|free\|mall[a-z0-9_]*\|memalign\|[a-z]*_memalign\|[a-z]*_alloc\|reallocarray' |
    grep -v -x 'pkey_alloc' | sort -u | comm -23 - "$T/exports")"
same 'exports nothing else' '' "$(grep -v -x \
    'malloc_[a-z_]*\|mstats\|zmalloc_record_[a-z_]*\|reallocf\|cfree\|vfree\|free_sized\|free_aligned_sized\|__libc_[a-z]*alloc\|__libc_c\?free\|__libc_memalign\|__posix_memalign' \
    "$T/exports" | comm -23 - "$T/wanted")"
same 'exports none of these' '' "$(grep -x \
    'zmalloc\|zfree\|zcalloc\|zrealloc\|sqlite3_.*\|unw_.*\|_U.*' "$T/exports")"

# ---- what it does -----------------------------------------------------

if ! have strace || ! strace -o /dev/null true 2>/dev/null; then
	skip 'opens no file, starts no thread' 'strace does not work here'
	exit 0
fi
# calls FILE PRELOAD: the calls that open, connect, start or change something.
calls()
{
	strace -f -o "$T/strace" -E "LD_PRELOAD=$2" -e trace=open,openat,openat2,socket,memfd_create,pipe,pipe2,clone,clone3,fork,vfork,execve,rt_sigaction,rt_sigprocmask,eventfd2,connect \
	    "$PROGRAMS/churn" 0 20000 3 >/dev/null 2>&1
	sed 's/^[0-9]* *//' "$T/strace" | grep -v 'libzmalloc\|libempty\|^execve\|^+++' >"$1"
}
calls "$T/with" "$LIB"
calls "$T/without" "$PROGRAMS/libempty.so"
same_file 'opens no file, starts no thread, changes no signal' \
    "$T/without" "$T/with"
check 'the strace saw something' grep -q libc.so "$T/without"
# libc's allocator would move the break.
same 'the library is the allocator' 1 "$(strace -E "LD_PRELOAD=$LIB" -e trace=brk -o "$T/brk" "$PROGRAMS/churn" 0 20000 3 >/dev/null 2>&1
    [ "$(grep -c 'brk(0x' "$T/brk")" = 0 ] && echo 1)"

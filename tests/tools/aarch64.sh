#!/usr/bin/env bash
# aarch64.sh - the zone layer on another processor, with weaker ordering of
# memory accesses and other system calls: its tests, cross-compiled, under
# qemu.  Skipped where compiler or emulator are missing.
. tests/lib.sh

if ! have aarch64-linux-gnu-gcc qemu-aarch64; then
	skip 'aarch64' 'needs aarch64-linux-gnu-gcc and qemu-aarch64'
	exit
fi
# The emulator keeps books of every page that is reserved: terabytes take
# minutes, so there is a limit, and the allocator does without its arena.
ulimit -v 16000000
for test in zone_model zone_race; do
	if ! out=$(aarch64-linux-gnu-gcc -std=gnu11 -O1 -static -D_GNU_SOURCE \
	    -I. -Ilibzmalloc -Itests -fno-builtin -o "$T/$test" \
	    "tests/unit/$test.c" libzmalloc/os/*.c libzmalloc/zone/*.c \
	    -lpthread 2>&1); then
		not_ok "$test, aarch64" 'does not compile'
		indent <<<"$out"
		continue
	fi
	check "$test, aarch64" qemu-aarch64 "$T/$test" 10000
done

#!/usr/bin/env bash
# model.sh - stress/model again with each variable that changes the ways of the
# allocator, with other seeds, and with little address space.
. tests/lib.sh

seed=100
model()
{
	local name=$1 out status
	shift
	seed=$((seed + 1))
	out=$(env "$@" LD_PRELOAD="$LIB" MODEL_OPS="${MODEL_OPS:-15000}" \
	    "$BUILD/tests/stress/model" 2>&1)
	status=$?
	if [ $status = 0 ]; then
		ok "model, $name"
	else
		not_ok "model, $name" "status $status, seed $seed"
		indent <<<"$out"
	fi
}

for variable in MallocNanoZone=0 MallocScribble=1 MallocGuardEdges=all \
    MallocMediumZone=0 MallocMaxMagazines=1 MallocAggressiveMadvise=1 \
    MallocLargeCache=0 MallocRecircRetainedRegions=0; do
	model "$variable" "$variable" MODEL_SEED=$((seed + 1))
done

# Blocks are refused, and the program goes on.
(ulimit -v 250000 && model '250 MB of addresses' MODEL_SEED=109 MODEL_OPS=40000)

# More forks than the recorded runs have time for.
check 'forks, 300 times' env LD_PRELOAD="$LIB" "$BUILD/tests/stress/forks" 300

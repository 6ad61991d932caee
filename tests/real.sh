# shellcheck shell=bash disable=SC2034 # variables for those who source it
# real.sh - programs of other people with the library preloaded, tracing off.
# Sourced by tests/tools/real_*.sh.
#
# A program is run without the library, with it, and with it under one of the
# environments of `harder`, in turn; ZM_ALL=1 runs it under all of them.
# Output, errors, exit status and the files it leaves are to be the same.
#
# That it did run with our malloc is not taken for granted: a witness
# (tests/programs/libwitness.c) is preloaded in all runs and tells whose malloc
# each process has, and its peak of memory, which VERBOSE=1 shows.  A program
# that is static, set-user-id or brings its own malloc is skipped.
. tests/lib.sh
ulimit -c 0
WITNESS_LIB=$PROGRAMS/libwitness.so
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 PERL_HASH_SEED=0
export PYTHONMALLOC=malloc HOME=$T TZ=UTC SOURCE_DATE_EPOCH=1600000000
export XDG_CONFIG_HOME=$T XDG_CACHE_HOME=$T XDG_DATA_HOME=$T TERM=dumb
export WITNESS=$T/witness D=$T
unset LD_PRELOAD DISPLAY
harder=(
	'MallocScribble=1 MallocGuardEdges=1 MallocCheckHeapStart=1 MallocCheckHeapEach=5000'
	'MallocMaxMagazines=1 MallocNanoZone=0'
)
turn=0

# once DIRECTORY LIBRARIES ENVIRONMENT SCRIPT: into DIRECTORY.{out,err,status}
once()
{
	local d=$1
	rm -rf "$T/w" "$d" "$d".*
	mkdir "$T/w"
	: >"$WITNESS"
	# shellcheck disable=SC2086 # a list of variables
	(cd "$T/w" && exec env $3 LD_PRELOAD="$2" bash -c "$4") \
	    >"$d.out" 2>"$d.err" </dev/null
	echo $? >"$d.status"
	mv "$T/w" "$d"
	cp "$WITNESS" "$d.witness"
}

# peak DIRECTORY GLOB: largest peak of the program's processes, in KiB.
peak()
{
	local best=0 what kib exe
	while read -r what kib exe; do
		# shellcheck disable=SC2053 # a pattern
		[ "$what" = rss ] && [[ ${exe##*/} == $2 ]] &&
		    [ "$kib" -gt $best ] && best=$kib
	done <"$1.witness"
	echo $best
}

# heap DIRECTORY GLOB: whose malloc the program had, nothing if none was seen.
heap()
{
	local what whose exe seen=
	while read -r what whose exe; do
		# shellcheck disable=SC2053 # a pattern
		[ "$what" = heap ] && [[ ${exe##*/} == $2 ]] && seen="$seen $whose"
	done <"$1.witness"
	case "$seen " in
	*' other '*) echo other ;;
	*' ours '*) echo ours ;;
	esac
}

# compare NAME: what the run in $T/b left with that in $T/a.
compare()
{
	if [ "$(cat "$T/a.status")" = "$(cat "$T/b.status")" ] &&
	    cmp -s "$T/a.out" "$T/b.out" && cmp -s "$T/a.err" "$T/b.err" &&
	    diff -r "$T/a" "$T/b" >/dev/null 2>&1; then
		ok "$1"
		return
	fi
	not_ok "$1" "status $(cat "$T/a.status") and $(cat "$T/b.status")"
	diff -a -U0 "$T/a.out" "$T/b.out" | tail -n +3 | cut -c 1-200 | indent 6
	diff -a -U0 "$T/a.err" "$T/b.err" | tail -n +3 | cut -c 1-200 | indent 6
	diff -r "$T/a" "$T/b" 2>&1 | cut -c 1-200 | indent 4
}

# available NAME PACKAGE COMMAND...
available()
{
	local name=$1 package=$2
	shift 2
	have "$@" && return
	skip "$name" "not installed (package $package)"
	return 1
}

# program NAME PACKAGE COMMANDS SCRIPT
# COMMANDS: what must be installed; the first is the program itself, after a
# colon the pattern of its file's name where that is another one.
program()
{
	local name=$1 package=$2 needs=$3 script=$4 exe glob i
	exe=${needs%% *} glob=
	case $exe in *:*) glob=${exe#*:} ;; esac
	needs=${needs/:$glob/}
	exe=${exe%%:*}
	# shellcheck disable=SC2086 # a list
	available "$name" "$package" $needs || return
	[ -n "$glob" ] || glob=$(basename "$(readlink -f "$(command -v "$exe")")")
	once "$T/a" "$WITNESS_LIB" '' "$script"
	if [ "$(cat "$T/a.status")" -gt 125 ]; then
		skip "$name" "fails without the library: $(tail -n 1 "$T/a.err")"
		return
	fi
	once "$T/b" "$LIB $WITNESS_LIB" '' "$script"
	compare "$name"
	case $(heap "$T/b" "$glob") in
	ours) ;;
	other) skip "$name" 'has a malloc of its own' ;;
	*) skip "$name" "$glob cannot be preloaded" ;;
	esac
	[ "$(peak "$T/b" "$glob")" = 0 ] ||
		echo "  rss $name: $(peak "$T/a" "$glob") $(peak "$T/b" "$glob") KiB"
	turn=$(((turn + 1) % ${#harder[@]}))
	for i in "${!harder[@]}"; do
		[ "$i" = $turn ] || [ "${ZM_ALL-}" = 1 ] || continue
		once "$T/b" "$LIB $WITNESS_LIB" "${harder[i]}" "$script"
		compare "$name, ${harder[i]%% *}"
	done
}

# ---- data ----------------------------------------------------------------

awk 'BEGIN { srand(7); for (i = 0; i < 6000; i++)
	printf "%d,%s%d,%f\n", i, substr("abcdefghij", 1 + int(rand() * 9)),
	    rand() * 1000, rand() }' >"$T/data.csv"
awk -F, 'BEGIN { print "[" } { printf "%s{\"id\":%d,\"name\":\"%s\",\"v\":%s}\n",
	(NR > 1 ? "," : ""), $1, $2, $3 } END { print "]" }' "$T/data.csv" \
	>"$T/data.json"
awk -F, 'BEGIN { print "<r>" } { printf "<e id=\"%d\"><n>%s</n>%s</e>\n",
	$1, $2, $3 } END { print "</r>" }' "$T/data.csv" >"$T/data.xml"
touch -d @1600000000 "$T"/data.*

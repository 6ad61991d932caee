# shellcheck shell=bash disable=SC2154 # start, ready, load, stop: the caller's
# real_server.sh - servers under a bounded load with the library preloaded;
# sourced by tests/tools/real_stores.sh and real_web.sh.  They listen on a
# socket file or on a free port of loopback; the answers and the exit status
# are compared with those of a run without the library, and no process may be
# left.
#
# Servers that are started by root run as somebody else, who must get there.
export TMPDIR=/tmp
. tests/real.sh
chmod 755 "$T"

# free_port: sets PORT to one that nobody listens on.
free_port()
{
	for _ in $(seq 100); do
		PORT=$((20000 + RANDOM % 12000))
		(: <"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null || break
	done
	export PORT
}

# The processes that a server has left behind, known by their environment.
leftover()
{
	local p
	for p in /proc/[0-9]*; do
		[ "${p#/proc/}" != $$ ] && [ "${p#/proc/}" != "$BASHPID" ] &&
		    grep -qs "SERVER_OF=$T" "$p/environ" && echo "${p#/proc/}"
	done
}

nothing_left() { [ -z "$(leftover)" ]; }

# It answers, or has ended.
settled()
{
	bash -c "$ready" || ! kill -0 "$SERVER"
}

# session DIRECTORY LIBRARIES ENVIRONMENT: one life of the server.
session()
{
	local d=$1 pid
	rm -rf "$d" "$d".* "$T/w"
	mkdir "$d" "$T/w"
	chmod 777 "$d" "$T/w"
	: >"$WITNESS"
	chmod 666 "$WITNESS"
	free_port
	# shellcheck disable=SC2086 # a list of variables
	(cd "$T/w" && exec env $3 SERVER_OF="$T" LD_PRELOAD="$2" \
	    bash -c "$start") >"$d.log" 2>&1 </dev/null &
	pid=$!
	export SERVER=$pid
	if (cd "$T/w" && wait_for settled) && kill -0 "$pid" 2>/dev/null; then
		(cd "$T/w" && timeout 60 bash -c "$load") >"$d.out" 2>&1 </dev/null
		echo "load: $?" >>"$d.out"
		(cd "$T/w" && bash -c "$stop") >/dev/null 2>&1
	else
		echo 'did not start' >"$d.out"
		tail -n 5 "$d.log" >>"$d.out"
		kill "$pid" 2>/dev/null
	fi
	wait "$pid" 2>/dev/null
	echo "exit status: $?" >>"$d.out"
	wait_for nothing_left ||
		echo "left: $(leftover)" >>"$d.out"
	cp "$WITNESS" "$d.witness"
}

# server NAME PACKAGE COMMANDS GLOB, with the scripts start, ready, load and
# stop set; start ends in an exec of the server.
server()
{
	local name=$1 package=$2 glob=$4 i
	# shellcheck disable=SC2086 # a list
	available "$name" "$package" $3 || return
	session "$T/a" "$WITNESS_LIB" ''
	if grep -q '^did not start' "$T/a.out"; then
		skip "$name" "fails without the library: $(tail -n 2 "$T/a.out" | head -n 1)"
		return
	fi
	session "$T/b" "$LIB $WITNESS_LIB" ''
	same_file "$name" "$T/a.out" "$T/b.out"
	[ "$(heap "$T/b" "$glob")" = ours ] ||
		skip "$name" "$glob does not have our malloc"
	echo "  rss $name: $(peak "$T/a" "$glob") $(peak "$T/b" "$glob") KiB"
	turn=$(((turn + 1) % ${#harder[@]}))
	for i in "${!harder[@]}"; do
		[ "$i" = $turn ] || [ "${ZM_ALL-}" = 1 ] || continue
		session "$T/b" "$LIB $WITNESS_LIB" "${harder[i]}"
		same_file "$name, ${harder[i]%% *}" "$T/a.out" "$T/b.out"
	done
}

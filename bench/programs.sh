# shellcheck shell=bash
# Part of bench/run: real programs under each allocator.  CPU is that of the
# program and of all processes it started, RSS that of the largest.
# shellcheck disable=SC2154 # tmp, here, runs, python, variants: bench/run's

# Fills `command` for a program; fails when it is not here.
program()
{
	case $1 in
	python) command=(env PYTHONMALLOC=malloc "$python" -S "$tmp/work.py" "$tmp/big.json") ;;
	gcc) command=(gcc -O1 -c -o "$tmp/big.o" "$tmp/small.c") ;;
	clang) command=(clang -O1 -c -o "$tmp/big.o" "$tmp/small.c") ;;
	sqlite3) command=(sqlite3 :memory: ".read $tmp/big.sql") ;;
	jq) command=(jq -c '.[].tags' "$tmp/big.json") ;;
	xmllint) command=(xmllint --noout "$tmp/big.xml") ;;
	git-log) command=(git -C "$tmp/repo" log -p --stat) ;;
	git-repack) command=(git -C "$tmp/repo" -c pack.threads=2 repack -adfq) ;;
	lua) command=("$(command -v lua5.4 || echo lua)" "$tmp/work.lua") ;;
	perl) command=(perl "$tmp/work.pl") ;;
	redis) command=(redis-server) ;;
	*) return 1 ;;
	esac
	local binary=${command[0]}
	[ "$binary" != env ] || binary=$python
	[ "$1" != git-repack ] && [ "$1" != git-log ] || [ -d "$tmp/repo" ] || return 1
	command -v "$binary" >/dev/null
}
programs=(python gcc clang sqlite3 jq xmllint git-log git-repack lua perl redis)

make_repository()
{
	command -v git >/dev/null || return
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
	git init -q --bare -b main "$tmp/repo" &&
		git -C "$tmp/repo" fast-import --quiet <"$tmp/repo.stream" || rm -rf "$tmp/repo"
}

# The server under one allocator, its client under none.  Packages may link it
# with jemalloc: glibc's malloc is then used only when libc is preloaded.
run_redis()
{
	local variant=$1 socket=$tmp/redis i
	[ "${variant%%=*}" != glibc ] || variant=glibc=$(library libc.so.6)
	"$tmp/measure" redis "$variant" -- redis-server --port 0 --unixsocket "$socket" \
		--save '' --appendonly no --daemonize no --dir "$tmp" &
	for ((i = 0; i < 100; i++)); do
		[ -S "$socket" ] && redis-cli -s "$socket" ping >/dev/null 2>&1 && break
		sleep 0.05
	done
	redis-benchmark -s "$socket" -q -n 60000 -r 50000 -P 16 -d 100 \
		-t set,get,lpush,lpop,sadd,hset,spop,zadd >/dev/null 2>&1
	redis-cli -s "$socket" shutdown nosave >/dev/null 2>&1
	wait
	rm -f "$socket"
}

bench_programs()
{
	prepare
	make_inputs
	make_repository
	local command name v i here_programs=()
	[ $# = 0 ] || programs=("$@")
	for name in "${programs[@]}"; do
		if program "$name"; then
			here_programs+=("$name")
		else
			echo "bench: $name is not here, left out" >&2
		fi
	done
	for ((i = 0; i < runs; i++)); do
		for name in "${here_programs[@]}"; do
			program "$name"
			if [ "$name" = redis ]; then
				for v in "${variants[@]}"; do run_redis "$v"; done
			else
				"$tmp/measure" "$name" "${variants[@]}" -- "${command[@]}"
			fi
		done
	done >"$tmp/raw"
	tables 'Real programs'
}

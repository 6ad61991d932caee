#!/usr/bin/env bash
# real_servers.sh - servers under a bounded load with the library preloaded;
# see tests/real.sh.  They listen on a socket file or on a free port of
# loopback; the answers and the exit status are compared with those of a run
# without the library, and no process may be left.
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

# ---- stores ----------------------------------------------------------------

start='exec redis-server --port 0 --save "" --unixsocket $PWD/s --dir $PWD'
ready='redis-cli -s s ping'
load='redis-benchmark -s s -n 4000 -c 20 -q -t set,get,lpush,lrange_100,sadd,hset,zadd >/dev/null; echo $?
for i in $(seq 500); do echo "rpush l $i"; echo "hset h$((i % 9)) f$i $(printf %0${i}d $i)"; echo "zadd z $i m$i"; done | redis-cli -s s | md5sum
redis-cli -s s lrange l 0 -1 | md5sum; redis-cli -s s sort l desc | head -n 3; redis-cli -s s zrange z 0 -1 | md5sum
for i in 1 5; do redis-cli -s s hgetall h$i; done | sort | md5sum
redis-cli -s s eval "local t = {} for i = 1, 3000 do t[i] = tostring(i) end return #table.concat(t)" 0
redis-cli -s s save; redis-cli -s s bgsave; redis-cli -s s flushall; redis-cli -s s dbsize'
stop='redis-cli -s s shutdown nosave'
server redis-server 'redis-server' 'redis-server redis-cli redis-benchmark' 'redis-*'

start='exec memcached -l 127.0.0.1 -p $PORT -U 0 -t 4 -m 64 -u "$(id -un)"'
ready='(: <"/dev/tcp/127.0.0.1/$PORT")'
load='talk() { exec 3<>"/dev/tcp/127.0.0.1/$PORT"; cat <&3 & cat >&3; wait; exec 3>&-; }
for k in 1 2 3 4; do { for i in $(seq 400); do v=$(printf "%0$((i * k))d" $i)
	printf "set k%d.%d 0 0 %d\r\n%s\r\nget k%d.%d\r\n" $k $i ${#v} $v $k $i; done
	printf "quit\r\n"; } | talk | md5sum & done | sort; wait'
stop='kill -TERM $SERVER'
server memcached memcached memcached memcached

PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' :)
export AS
AS=
[ "$(id -u)" != 0 ] || AS='setpriv --reuid 65534 --regid 65534 --clear-groups'
start='$AS initdb -D db -U me -A trust -N --no-locale >/dev/null && exec $AS postgres -D db -k "$PWD" -h "" -F'
ready='$AS psql -h "$PWD" -U me postgres -c "select 1"'
load='exec $AS psql -h "$PWD" -U me postgres -Atq <<"END"
create table t as select i, md5(i::text) as m, i % 97 as k from generate_series(1, 20000) i;
create index x on t (m); analyze t;
select k, count(*), max(m) from t group by k order by k limit 5;
select count(*) from t a join t b on a.i = b.k; select length(string_agg(m, $$,$$ order by m)) from t;
create function f(n int) returns text language plpgsql as $$ declare s text := $q$$q$; begin for i in 1..n loop s := s || i; end loop; return md5(s); end $$;
select f(3000); delete from t where k < 50; vacuum full t; select count(*) from t; select nonsense;
select jsonb_object_agg(k, m)->$$7$$ from (select k, max(m) m from t group by k) q;
END'
stop='kill -INT $SERVER'
server postgres postgresql 'initdb postgres psql setpriv' postgres

# ---- web ---------------------------------------------------------------------

mkdir -p "$T/www"
cp "$T/data.csv" "$T/data.json" "$T/www"
chmod -R a+rX "$T/www"
many='curl -s -Z --parallel-max 10 --compressed -o /dev/null -w "%{http_code} %{size_download}\n"'
export many
cat >"$T/nginx.conf" <<-END
daemon off; user $(id -un); worker_processes 2; pid w/nginx.pid;
events { worker_connections 64; }
http { access_log off; gzip on; gzip_types text/html application/json; types { application/json json; }
client_body_temp_path w/n1; proxy_temp_path w/n2; fastcgi_temp_path w/n3;
uwsgi_temp_path w/n4; scgi_temp_path w/n5;
server { listen unix:$T/w/web; root www; autoindex on;
location /proxy/ { proxy_pass http://unix:$T/w/web:/; } } }
END
start='exec nginx -p $D -e w/err -c nginx.conf'
ready='[ -S web ]'
load='eval "$many" --unix-socket web "http://localhost/{data.csv,data.json,proxy/data.json,none}?[1-60]" | sort | uniq -c
curl -s --unix-socket web http://localhost/data.csv | cmp - $D/data.csv; kill -HUP $SERVER; sleep 0.3
curl -s --retry 3 --retry-all-errors --unix-socket web http://localhost/proxy/data.json | cmp - $D/data.json'
stop='kill -QUIT $SERVER'
server nginx nginx-light 'nginx curl' nginx

modules=$(echo /usr/lib/apache2/modules | head -n 1)
cat >"$T/apache.conf" <<-END
ServerName localhost
ServerRoot $T
Listen 127.0.0.1:\${PORT}
PidFile w/pid
ErrorLog w/err
DocumentRoot $T/www
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule mime_module $modules/mod_mime.so
LoadModule filter_module $modules/mod_filter.so
LoadModule deflate_module $modules/mod_deflate.so
TypesConfig /dev/null
AddType application/json .json
AddOutputFilterByType DEFLATE application/json
StartServers 1
ThreadsPerChild 8
ThreadLimit 8
ServerLimit 2
MaxRequestWorkers 16
END
[ "$(id -u)" != 0 ] || printf 'User nobody\nGroup nogroup\n' >>"$T/apache.conf"
start='exec apache2 -f $D/apache.conf -D FOREGROUND'
ready='curl -sf http://127.0.0.1:$PORT/data.csv'
load='eval "$many" "http://127.0.0.1:$PORT/{data.csv,data.json,none}?[1-50]" | sort | uniq -c
! command -v ab >/dev/null || ab -q -n 400 -c 8 http://127.0.0.1:$PORT/data.csv 2>&1 | grep -E "^(Complete|Failed|Document L)"
curl -s http://127.0.0.1:$PORT/data.csv | cmp - $D/data.csv'
stop='kill -TERM $SERVER'
server apache2 'apache2-bin apache2-utils' 'apache2 curl' apache2

cat >"$T/www/a.php" <<'END'
<?php $s = []; for ($i = 0; $i < 3000; $i++) $s[] = md5($i . $_GET['n']); sort($s);
echo md5(implode($s)), ' ', strlen(json_encode($s));
END
start='exec php -S 127.0.0.1:$PORT -t $D/www'
ready='curl -sf http://127.0.0.1:$PORT/data.csv'
load='eval "$many" "http://127.0.0.1:$PORT/{data.csv,a.php}?n=[1-30]" | sort | uniq -c
curl -s "http://127.0.0.1:$PORT/a.php?n=5"'
stop='kill -INT $SERVER'
server 'php -S' php-cli 'php curl' 'php*'

start='exec python3 -m http.server --bind 127.0.0.1 --directory $D/www $PORT'
load='eval "$many" "http://127.0.0.1:$PORT/{data.csv,none}?[1-40]" | sort | uniq -c'
stop='kill -TERM $SERVER'
server 'python3 http.server' python3 'python3 curl' 'python3*'

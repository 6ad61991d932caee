#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2034 # scripts for tests/real_server.sh
# real_stores.sh - databases and caches under load with the library preloaded.
. tests/real_server.sh

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
create function f(n int) returns text language plpgsql as $f$ declare s text := $q$$q$; begin for i in 1..n loop s := s || i; end loop; return md5(s); end $f$;
select f(3000); delete from t where k < 50; vacuum full t; select count(*) from t; select nonsense;
select jsonb_object_agg(k, m)->$$7$$ from (select k, max(m) m from t group by k) q;
END'
stop='kill -INT $SERVER'
server postgres postgresql 'initdb postgres psql setpriv' postgres

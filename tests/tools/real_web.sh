#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2034 # scripts for tests/real_server.sh
# real_web.sh - web servers under load with the library preloaded.
. tests/real_server.sh

mkdir -p "$T/www"
cp "$T/data.csv" "$T/data.json" "$T/www"
chmod -R a+rX "$T/www"
# many URL OPTION...: asks for all that the URL's pattern means, some at a time.
many()
{
	curl -s -Z --no-progress-meter --parallel-max 10 --compressed \
	    -w '%{http_code} %{size_download}\n' -o 'got#1.#2' "$@" | sort | uniq -c
	cat got* | md5sum
	rm -f got*
}
export -f many
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
load='many "http://localhost/{data.csv,data.json,proxy/,none}?[1-40]" --unix-socket web
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
load='many "http://127.0.0.1:$PORT/{data.csv,data.json,none}?[1-40]"
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
load='many "http://127.0.0.1:$PORT/{data.csv,a.php}?n=[1-30]"
curl -s "http://127.0.0.1:$PORT/a.php?n=5"'
stop='kill -INT $SERVER'
server 'php -S' php-cli 'php curl' 'php*'

start='exec python3 -m http.server --bind 127.0.0.1 --directory $D/www $PORT'
load='many "http://127.0.0.1:$PORT/{data.csv,none}?[1-40]"'
stop='kill -TERM $SERVER'
server 'python3 http.server' python3 'python3 curl' 'python3*'

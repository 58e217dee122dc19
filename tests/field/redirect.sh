#!/usr/bin/env bash
# A server that answers with a redirect (http to https at an ingress) is not asked by GET what was a POST: no redirect is
# followed, and the message says where the registry is. Field: nginx-proxy/nginx-proxy#1737, zenodo/zenodo#1817,
# btcpayserver/btcpayserver-docker#1126.
. "$(dirname "$0")/lib.sh"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
{
  echo "daemon off; master_process off; pid $W/pid; error_log stderr error; events {} http { access_log $W/access;"
  for name in client_body proxy fastcgi uwsgi scgi; do echo "${name}_temp_path $W/$name;"; done
  echo "server { listen 127.0.0.1:$port;"
  for code in 301 302 303 307 308; do echo "location ~ ^/$code/(.*)$ { return $code $URL/below/\$1\$is_args\$args; }"; done
  echo "location / { proxy_pass $URL; } } }"
} >"$W/nginx.conf"
PATH=$PATH:/usr/sbin nginx -e stderr -p "$W" -c "$W/nginx.conf" 2>"$W/nginx.log" & started+=($!)
await 10 curl -sf -o /dev/null "http://127.0.0.1:$port/healthz" || wrong "nginx does not start: $(cat "$W/nginx.log")"
R=("$BIN" run "${FLAGS[@]}" --location "field-redirect-$N" --factor 0.1 --if-unreachable run --retry-for 1m)
for code in 301 302 303 307 308; do
  old=http://127.0.0.1:$port/$code
  timeout 20 "${R[@]}" --server "$old" -- echo started >"$W/log" 2>&1; exit=$?
  grep -qx started "$W/log" && wrong "$code: the load was started"
  grep -q "the registry at $old is at $URL/below now; set PERFREG_URL=$URL/below" "$W/log" && [ $exit = 78 ] ||
    wrong "$code: exit $exit, and the message does not say where the registry is now: $(tail -1 "$W/log")"
  timeout 20 "$BIN" status --server "$old" >"$W/log" 2>&1; exit=$?
  grep -q "set PERFREG_URL=$URL/below" "$W/log" && [ $exit = 78 ] || wrong "$code: status, exit $exit: $(tail -1 "$W/log")"
done
timeout 20 "${R[@]}" --server "http://127.0.0.1:$port" -- echo started >"$W/log" 2>&1
grep -qx started "$W/log" || wrong "through nginx without a redirect: $(tail -1 "$W/log")"
echo "no redirect is followed, and each is told"

#!/usr/bin/env bash
# An event arrives when it happens, also through a proxy that buffers answers, as nginx does with its defaults.
# Field: nginx/nginx#1505, vmware-archive/atc#139 (Concourse), fanout/django-eventstream#37.
. "$(dirname "$0")/lib.sh"
streams=()
follow() { # NAME PATH: follows the stream into a file
  curl -s -N -m 60 -o "$W/$1" -H 'Accept: text/event-stream' "$URL$2" & started+=($!)
  streams+=("$1")
  await 20 test -s "$W/$1" || wrong "not even the beginning of $2 arrives; a proxy holds it back"
}
follow all /events
code=$(post /register "$(body '"lease_seconds":600')"); [ "$code" = 200 ] || wrong "register says $code"
run=$(field run_id) token=$(field lease_token)
await 20 grep -q "\"started\".*\"run_id\":$run\b" "$W/all" || wrong "the start of run $run is not in /events after 20 s"
follow one "/executions/$run/events"
post /complete "{\"run_id\":$run,\"lease_token\":\"$token\",\"status\":\"success\"}" >/dev/null
for stream in "${streams[@]}"; do
  await 20 grep -q "\"ended\".*\"run_id\":$run\b" "$W/$stream" || wrong "the end of run $run is not in the stream '$stream' after 20 s"
done
echo "events arrive when they happen"

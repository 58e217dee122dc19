#!/usr/bin/env bash
# The pages work below a path that a proxy adds: every link of every page leads somewhere, and none leads out of the path.
# Field: locustio/locust#149, #2614.
. "$(dirname "$0")/lib.sh"
code=$(post /register "$(body "\"location\":\"field-prefix-$N/a b\",\"factor\":0.5")"); [ "$code" = 200 ] || wrong "register says $code"
run=$(field run_id)
post /register "$(body "\"location\":\"field-prefix-$N/a b\",\"factor\":0.5,\"wait_seconds\":60")" >/dev/null; waiter=$(field run_id)
python3 - "$URL" "$run" <<'P' || exit 1
import re, sys, urllib.error, urllib.parse, urllib.request
base, run = sys.argv[1] + "/", sys.argv[2]
seen, todo, wrong = set(), [(base, "the start"), (base + "runs/" + run, "the start"), (base + "history-html?limit=x", "the start")], []
while todo and len(seen) < 200:
    url, page = todo.pop()
    url = urllib.parse.urldefrag(url).url
    if url in seen: continue
    seen.add(url)
    if not url.startswith(base):
        wrong.append(f"{page} leads out of the path, to {url}"); continue
    try: answer = urllib.request.urlopen(url, timeout=10)
    except urllib.error.HTTPError as error:
        if not (error.code == 422 and "limit=x" in url): wrong.append(f"{page} leads to {url}: {error.code}"); continue
        answer = error
    if not answer.url.startswith(base): wrong.append(f"{url} redirects out of the path, to {answer.url}"); continue
    text = answer.read().decode(errors="replace")
    links = re.findall(r'(?:href|src|action)="([^"]*)"', text) if "html" in answer.headers["content-type"] else []
    if url.endswith("/docs/swagger-initializer.js"): links = re.findall(r'"url": "([^"]*)"', text)
    todo += [(urllib.parse.urljoin(answer.url, link.replace("&#38;", "&").replace("&amp;", "&")), url) for link in links if not link.startswith(("data:", "http:", "https:"))]
for needed in ("history-html", "history-html-filter", "docs/", "openapi.json", "assets/style-", "zone", "find", "runs/" + run):
    if not any(url.startswith(base + needed) for url in seen): wrong.append(f"no page leads to {needed}")
sys.exit("WRONG: " + "; ".join(wrong[:4]) if wrong else None)
P
for name in "field-$N/a b" "field-$N/50%" "field-$N/ü/ö" "field-$N/what?" "field-$N/#1"; do
  "$BIN" locations set "$name" --capacity 2 >"$W/log" 2>&1 || wrong "the location '$name' cannot be set: $(tail -1 "$W/log")"
  get /locations >/dev/null; grep -qF "\"$name\"" "$W/answer" || wrong "the location '$name' was set under another name"
done
for id in $run $waiter; do post "/cancel?run_id=$id" '' >/dev/null; done
echo "pages work below a prefix"

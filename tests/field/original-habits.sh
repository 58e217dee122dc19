#!/usr/bin/env bash
# What the original's framework took: a slash behind a path, a byte order mark before the JSON (FastAPI 0.165, Starlette 1.10: 307, and 200).
# Field: rommapp/romm#1059, cheshire-cat-ai/core#732; Badgerati/Pode#1604 (byte order mark).
. "$(dirname "$0")/lib.sh"
bad=()
for path in /status/ /history/ /locations/ /status-html/ '/history-html/?limit=5' '/history-html-filter/?stream=main%25' /docs /docs/ /openapi.json/ //status; do
  code=$(curl -s -L -m 10 -o "$W/answer" -w '%{http_code}' "$URL$path"); [ "$code" = 200 ] || bad+=("GET $path $code")
done
code=$(curl -s -L -m 10 -o "$W/answer" -w '%{http_code}' "$URL/nothing-here/"); [ "$code" = 404 ] || bad+=("GET /nothing-here/ $code")
register() { # CODE WHAT CURL-ARGUMENT…: registers, and ends what it has registered
  local expected=$1 what=$2; shift 2
  code=$(curl -s -m 10 -o "$W/answer" -w '%{http_code}' "$@")
  [ "$code" = "$expected" ] || bad+=("$what $code")
  [ "$code" = 200 ] && post /complete "{\"run_id\":$(field run_id),\"status\":\"success\"}" >/dev/null
  [ "$expected" = 200 ] || python3 -c 'import json,sys; json.load(open(sys.argv[1]))["detail"]' "$W/answer" 2>"$W/error" || bad+=("$what without a sentence")
}
body > "$W/plain.json"
printf '\xef\xbb\xbf%s' "$(body)" > "$W/bom.json"
gzip -c "$W/plain.json" > "$W/gzip.json"
iconv -f UTF-8 -t UTF-16 "$W/plain.json" > "$W/utf16.json"
json='Content-Type: application/json'
register 200 "register with a byte order mark" "$URL/register" -H "$json" --data-binary "@$W/bom.json"
register 200 "register with a slash behind" "$URL/register/" -H "$json" --data-binary "@$W/plain.json"
register 200 "register in UTF-8, said so" "$URL/register" -H "$json; charset=\"UTF-8\"" --data-binary "@$W/plain.json"
register 200 "register with the coding identity" "$URL/register" -H "$json" -H 'Content-Encoding: identity' --data-binary "@$W/plain.json"
register 200 "register that expects 100-continue" "$URL/register" -H "$json" -H 'Expect: 100-Continue' --data-binary "@$W/plain.json"
register 415 "register in gzip" "$URL/register" -H "$json" -H 'Content-Encoding: gzip' --data-binary "@$W/gzip.json"
register 415 "register in UTF-16" "$URL/register" -H "$json" --data-binary "@$W/utf16.json"
register 415 "register in Latin-1, said so" "$URL/register" -H "$json; charset=iso-8859-1" --data-binary "@$W/plain.json"
[ ${#bad[@]} = 0 ] || { IFS=,; wrong "${bad[*]}"; }
echo "the original's habits are kept"

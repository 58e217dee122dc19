"""What the server answers is what the document says that it answers.

It asks every call that only reads, and the calls of a test's life, and looks each answer up in the document.
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request

from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

URL, FILE = sys.argv[1:]
with open(FILE) as file:
    DOCUMENT = json.load(file)
REGISTRY = Registry().with_resource("urn:document", Resource(DOCUMENT, DRAFT202012))
LOCATION = "answers"
asked = set()


def pointer(*steps):
    return "urn:document#/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)


def check(value, *steps):
    """The value fits the schema that stands there."""
    validator = OAS31Validator({"$ref": pointer(*steps)}, registry=REGISTRY)
    errors = [f"{error.json_path} {error.message}" for error in validator.iter_errors(value)]
    assert not errors, f"{steps}: {errors[:3]} in {json.dumps(value)[:400]}"


def call(method, path, body=None, expected=200, query="", **names):
    """Asks, and holds what was asked and answered against the document."""
    if body is not None:
        check(body, "paths", path, method, "requestBody", "content", "application/json", "schema")
    names = {name: urllib.parse.quote(str(value), safe="") for name, value in names.items()}
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(URL + path.format(**names) + query, data, headers, method=method.upper())
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    text = answer.read().decode()
    assert answer.status == expected, f"{method} {path} is {answer.status}: {text}"
    content_type = answer.headers["content-type"].split(";")[0]
    content = DOCUMENT["paths"][path][method]["responses"][str(answer.status)]["content"]
    assert content_type in content, f"{method} {path} answers {content_type}, the document has {list(content)}"
    is_json = content_type.endswith("json")
    value = json.loads(text) if is_json else text
    check(value, "paths", path, method, "responses", str(answer.status), "content", content_type, "schema")
    asked.add((method, path))
    return value


def details(**more):
    example = {
        name: schema["example"]
        for name, schema in DOCUMENT["components"]["schemas"]["RegisterRequest"]["properties"].items()
        if name in DOCUMENT["components"]["schemas"]["RegisterRequest"]["required"]
    }
    return {**example, "location": LOCATION, **more}


run = call("post", "/register", details(factor=0.5, lease_seconds=60, build=17))
lease = {"run_id": run["run_id"], "lease_token": run["lease_token"], "receipt": run["receipt"]}
call("post", "/heartbeat", lease)
call("post", "/plan", details(factor="0.5", expected_seconds=60))
call("post", "/register", details(factor=0.6), 409)
call("post", "/register", details(factor=2), 422)
waiter = call("post", "/register", details(factor=0.6, wait_seconds=60, priority=9), 202)
itself = {"run_id": str(waiter["run_id"]), "lease_token": waiter["lease_token"]}
call("post", "/heartbeat", itself)
for path in ("/board", "/status", "/locations", "/events"):
    call("get", path)
call("get", "/history", query="?limit=2&status=queued")
call("post", "/complete", {"run_id": run["run_id"], "status": "success"}, 403)
call("post", "/complete", {**lease, "status": "success"})
# As a client that counts in floats writes it.
call("post", "/heartbeat", {**itself, "run_id": float(waiter["run_id"])})
call("post", "/complete", {**lease, "status": "failure"}, 409)
call("post", "/cancel", {"run_id": waiter["run_id"], "by": "ana", "reason": "the wrong build"}, 202)
call("post", "/cancel", {"run_id": waiter["run_id"], "force": True})
call("post", "/cancel", expected=404, query="?run_id=9223372036854775807")
call("post", "/cancel", {"location": LOCATION, "started_before": "2026-01-01", "dry_run": True})
call("put", "/locations/{name}", {"capacity": 2, "state": "draining", "reason": "release"}, name=LOCATION)
call("post", "/register", details(), 409)
call("put", "/locations/{name}", {"capacity": "1.5"}, name="a/b")
call("get", "/locations/{name}", expected=404, name="nowhere")
call("post", "/locations/{name}/merge", {"into": LOCATION, "by": "ana"}, name="a/b")
call("delete", "/locations/{name}", expected=404, name="a/b")
call("put", "/registry", {"state": "open"})
call("get", "/history", expected=422, query="?limit=0")
call("get", "/executions/{run_id}", expected=404, run_id=0)
call("get", "/history-html", expected=422, query="?limit=0")
paths = DOCUMENT["paths"].items()
for path in [path for path, item in paths if "get" in item]:
    call("get", path, run_id=run["run_id"], name=LOCATION)
call("delete", "/locations/{name}", name=LOCATION)
left = {(method, path) for path, item in paths for method in item if method != "parameters"} - asked
assert not left, f"never asked: {sorted(left)}"
print(f"{len(asked)} operations answer what the document says")

"""Asks every query of monitoring/ of a real Prometheus and of PostgreSQL while a server is under traffic.

It expects a PostgreSQL of its own, which scripts/with-postgres starts, and the server that PERFREG_TEST_BINARY names.
"""

import contextlib
import json
import math
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from traffic import Traffic, call

ROOT = Path(__file__).resolve().parents[3]
MONITORING = ROOT / "monitoring"
TRAFFIC_SECONDS = 60
PATIENCE_SECONDS = 60
# What shows only where something went wrong has no data here.
ONLY_IN_TROUBLE = {"Server errors"}
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def running(command, log):
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url, what, log):
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > give_up:
                sys.exit(f"{what} did not start within {PATIENCE_SECONDS} s: {Path(log).read_text()[-2000:]}")
            time.sleep(0.2)


def fetch(url, accept="*/*"):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=20) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def panels(board):
    return [panel for panel in json.loads((MONITORING / board).read_text())["panels"] if panel["type"] != "row"]


def alerts():
    """Names and expressions, as promtool prints them to be read by machines: not at all. So by their indentation."""
    text = (MONITORING / "alerts.yml").read_text()
    found = re.findall(r"- alert: (\w+)\n +expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", text)
    return [(name, block or line) for name, block, line in found]


def lost(ours, theirs, path):
    """Where what Grafana's SDK has read differs from what we wrote, but for what is empty."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [at for key, value in ours.items() for at in lost(value, theirs.get(key), f"{path}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [at for index, pair in enumerate(zip(ours, theirs)) for at in lost(*pair, f"{path}[{index}]")]
    return [] if ours == theirs or not (ours or theirs) else [path]


def check_boards():
    register_default_plugins()
    for name in ["perfreg.json", "executions.json"]:
        board = json.loads((MONITORING / name).read_text())
        read = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
        # It does not know what the data source alone reads of an annotation and of a variable.
        for part in ["annotations", "templating"]:
            board.pop(part)
        if wrong := lost(board, read, name):
            sys.exit(f"Grafana's SDK does not read these as they are written: {wrong}")
    print("Grafana's SDK reads both dashboards, and loses nothing of their panels")


def check_texts(server):
    content_type, plain = fetch(server + "/metrics")
    assert content_type.startswith("text/plain; version=0.0.4"), content_type
    checked = subprocess.run(["promtool", "check", "metrics"], input=plain, text=True, capture_output=True)
    if checked.returncode or checked.stdout or checked.stderr:
        sys.exit(f"promtool does not like /metrics: {checked.stdout}{checked.stderr}")
    content_type, text = fetch(server + "/metrics", OPEN_METRICS)
    assert content_type.startswith(OPEN_METRICS), content_type
    families = list(text_string_to_metric_families(text))
    print(f"promtool finds no fault in {len(plain.splitlines())} lines; as OpenMetrics there are {len(families)} families")
    return plain


def check_names(expressions, plain):
    """Every metric that a query names is there."""
    described = set(re.findall(r"^# TYPE (\w+) ", plain, re.M))
    for where, expression in expressions:
        for name in re.findall(r"\b(?:perfreg|process)_\w+\b", re.sub(r'"[^"]*"', "", expression)):
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            if not {name, family} & described:
                sys.exit(f"{where} asks for {name}, which /metrics does not have")


def ask(prometheus, expression):
    for macro, value in [("$location", ".*"), ("$__rate_interval", "30s")]:
        expression = expression.replace(macro, value)
    query = urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(f"{prometheus}/api/v1/query?{query}", timeout=20) as answer:
            result = json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        sys.exit(f"Prometheus refuses {expression}: {json.load(error)['error']}")
    return [float(one["value"][1]) for one in result if math.isfinite(float(one["value"][1]))]


def check_dashboard(prometheus):
    queries = [(panel["title"], target["expr"]) for panel in panels("perfreg.json") for target in panel["targets"]]
    for title, expression in queries:
        if not ask(prometheus, expression) and title not in ONLY_IN_TROUBLE:
            sys.exit(f"the panel {title!r} has no data: {expression}")
    return queries


def check_alerts(prometheus):
    rules = alerts()
    with urllib.request.urlopen(f"{prometheus}/api/v1/rules", timeout=20) as answer:
        loaded = [rule for group in json.load(answer)["data"]["groups"] for rule in group["rules"]]
    assert len(rules) == len(loaded), f"{len(loaded)} alerts were loaded, and {len(rules)} are read here"
    for rule in loaded:
        if rule["health"] == "err":
            sys.exit(f"the alert {rule['name']} cannot be evaluated: {rule['lastError']}")
    for _, expression in rules:
        ask(prometheus, expression)
    suspect = [rule["state"] for rule in loaded if rule["name"] == "PerfregRunsOverdue"]
    assert suspect == ["pending"], f"an overdue run should be on its way to an alert, which is {suspect}"
    return rules


def expanded(statement):
    """As Grafana expands its macros."""
    for macro, value in [
        (r"\$__timeFilter\(([^)]*)\)", r"\1 BETWEEN now() - interval '7 days' AND now()"),
        (r"\$__timeGroupAlias\(([^,]*), '1d'\)", r"floor(extract(epoch FROM \1) / 86400) * 86400 AS time"),
        (r"\$__timeFrom\(\)", "(now() - interval '7 days')"),
        (r"\$__timeTo\(\)", "now()"),
        (r"\$(stream|location)\b", "'main', 'azure-k8s', 'azure-vm', 'on-premise-vm', ''"),
    ]:
        statement = re.sub(macro, value, statement)
    assert "$" not in statement, f"a macro is left in {statement}"
    return statement


def check_statements():
    psql = [os.environ["PERFREG_TEST_POSTGRES_BIN"] + "/psql", "-X", "-At", os.environ["PERFREG_TEST_POSTGRES_URL"]]
    board = json.loads((MONITORING / "executions.json").read_text())
    statements = [(panel["title"], target["rawSql"]) for panel in panels("executions.json") for target in panel["targets"]]
    statements += [(f"variable {one['name']}", one["query"]) for one in board["templating"]["list"] if one["type"] == "query"]
    statements += [("annotation", one["rawQuery"]) for one in board["annotations"]["list"]]
    statements.append(("annotations.sql", (MONITORING / "annotations.sql").read_text()))
    for title, statement in statements:
        answer = subprocess.run([*psql, "-c", expanded(statement)], text=True, capture_output=True)
        if answer.returncode:
            sys.exit(f"PostgreSQL refuses {title!r}: {answer.stderr}")
        if not answer.stdout.strip():
            sys.exit(f"{title!r} has no rows: {statement}")
    print(f"PostgreSQL answers {len(statements)} statements, each with rows")


def configure(folder, server):
    """The shipped configuration, for this server and in haste."""
    text = (MONITORING / "prometheus.yml").read_text()
    first, second = re.findall(r"- (\S+:8000)\n", text)
    text = text.replace(first, server.removeprefix("http://")).replace(f"          - {second}\n", "")
    text = text.replace("alerts.yml", str(MONITORING / "alerts.yml")).replace("interval: 15s", "interval: 2s")
    (folder / "prometheus.yml").write_text(text)


def main():
    check_boards()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        server, prometheus = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        program, database = os.environ["PERFREG_TEST_BINARY"], os.environ["PERFREG_TEST_POSTGRES_URL"]
        listen = ["--listen", server.removeprefix("http://"), "--database", database]
        stack.enter_context(running([program, "serve", *listen], folder / "server.log"))
        wait_for(server + "/readyz", "the server", folder / "server.log")
        configure(folder, server)
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                   f"--web.listen-address={prometheus.removeprefix('http://')}"]
        stack.enter_context(running(command, folder / "prometheus.log"))
        wait_for(prometheus + "/-/ready", "Prometheus", folder / "prometheus.log")
        traffic = stack.enter_context(Traffic(server))
        call(server, "PUT", "/locations/closed", {"state": "draining", "reason": "a check"})
        traffic.over.wait(TRAFFIC_SECONDS)
        if traffic.problem:
            sys.exit(f"the traffic broke off: {traffic.problem}")
        plain = check_texts(server)
        queries, rules = check_dashboard(prometheus), check_alerts(prometheus)
        check_names(queries + rules, plain)
        print(f"Prometheus answers {len(queries)} queries of the dashboard, with data, and {len(rules)} alerts,"
              f" after {traffic.rounds} rounds of traffic")
        check_statements()


main()

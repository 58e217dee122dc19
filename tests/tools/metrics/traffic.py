"""Clients of a registry, so that there is something to be seen of all that can happen to a test."""

import json
import threading
import time
import urllib.error
import urllib.request


def call(url, method, path, body=None, headers=None):
    """Status and JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class Traffic:
    """Rounds of a second in which tests start, wait, are refused, are stopped, fall silent and end."""

    def __init__(self, url):
        self.url, self.rounds, self.problem = url, 0, None
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.guard, args=(work,)) for work in (self.live, self.hold)]
        self.watched = None

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def guard(self, work):
        try:
            work()
        except Exception as problem:  # The main thread tells it.
            self.problem = self.problem or problem
            self.over.set()

    def register(self, location, expected, headers=None, **more):
        body = {"repo": "shop", "lac": "lac1", "stream": "main", "test": "load", "type": "performance",
                "environment": "prod", "triggered_by": "ci", "factor": 0.6, "location": location, **more}
        status, answer = call(self.url, "POST", "/register", body, headers)
        if status not in expected:
            raise AssertionError(f"a registration at {location} was answered with {status}: {answer}")
        return answer

    def complete(self, run, status="success"):
        body = {"run_id": run["run_id"], "status": status}
        if run.get("lease_token"):
            body["lease_token"] = run["lease_token"]
        status, answer = call(self.url, "POST", "/complete", body)
        if status != 200:
            raise AssertionError(f"an end was answered with {status}: {answer}")

    def live(self):
        holder = self.register("azure-k8s", [200], factor=0.3)
        staying = self.register("on-premise-vm", [200], lease_seconds=3600, expected_seconds=1)
        waits = self.register("on-premise-vm", [202], wait_seconds=3600)
        key = {"Idempotency-Key": "the-same"}
        while not self.over.wait(1):
            self.rounds += 1
            self.watched = staying["run_id"]
            # The turn of a waiter comes when the one before it ends; one more is refused meanwhile.
            waiter = self.register("azure-k8s", [202], factor=0.8, wait_seconds=600)
            self.register("azure-k8s", [409], factor=0.8)
            self.register("azure-k8s", [422], factor=7)
            self.complete(holder)
            status, _ = call(self.url, "POST", "/heartbeat",
                             {"run_id": waiter["run_id"], "lease_token": waiter["lease_token"]})
            assert status == 200, status
            holder = waiter
            # A waiter of long standing is heard of; another one waits in vain; a request is sent twice.
            call(self.url, "POST", "/heartbeat", {"run_id": waits["run_id"], "lease_token": waits["lease_token"]})
            self.register("on-premise-vm", [202], wait_seconds=1)
            self.register(None, [200], headers=key)
            if self.rounds % 12 == 1:
                # Nobody hears of this one again: it is suspect, then lost.
                self.register("azure-vm", [200, 409], factor=0.2, lease_seconds=10)
            stopped = self.register("azure-vm", [200], factor=0.1, lease_seconds=60)
            call(self.url, "POST", "/cancel", {"run_id": stopped["run_id"], "reason": "a check"})
            self.complete(stopped, "cancelled")

    def hold(self):
        """Holds a call open, as a client does that waits for news."""
        while not self.over.wait(0.1):
            if self.watched is not None:
                call(self.url, "GET", f"/executions/{self.watched}?wait_seconds=5")

"""One test's life, by a client that openapi-python-client made."""

import sys

from perfreg_client import Client
from perfreg_client.api.events import list_execution_events
from perfreg_client.api.executions import (
    beat_execution,
    cancel_execution,
    complete_execution,
    get_execution,
    list_executions,
    list_running_executions,
    plan_execution,
    register_execution,
)
from perfreg_client.api.health import check_readiness, get_metrics
from perfreg_client.api.locations import list_locations, set_location
from perfreg_client.models import (
    CancelAnswer,
    CancelBody,
    CompleteConflict,
    CompleteRequest,
    CompleteRequestStatus,
    CompleteResponse,
    EventKind,
    ExecutionStatus,
    HeartbeatRequest,
    ListExecutionsStatus,
    Obstacle,
    PlanRequest,
    Problem,
    QueuedResponse,
    RegisterRefusal,
    RegisterRequest,
    RegisterResponse,
    SetLocationRequest,
)

URL, LOCATION = sys.argv[1], "python-client"
UNKNOWN_RUN = 9_007_199_254_740_993  # no float can say it
client = Client(base_url=URL, raise_on_unexpected_status=True)


def request(factor, **more):
    return RegisterRequest(
        repo="shop/web",
        lac="lac1",
        stream="main",
        test="load",
        type_="performance",
        environment="prod",
        triggered_by="python-client",
        factor=factor,
        location=LOCATION,
        **more,
    )


def complete(run_id, status, **more):
    body = CompleteRequest(run_id=run_id, status=CompleteRequestStatus(status), **more)
    return complete_execution.sync(client=client, body=body)


# It starts under a lease, and asking again with the same key is answered the same.
asked = request(0.5, lease_seconds=60)
asked["build"] = 17
run = register_execution.sync(client=client, body=asked, idempotency_key="python-client-1")
assert isinstance(run, RegisterResponse) and run.status is ExecutionStatus.RUNNING, run
assert run.factor == 0.5 and run.extra["build"] == 17 and run.lease_token, run
again = register_execution.sync(client=client, body=asked, idempotency_key="python-client-1")
assert again.run_id == run.run_id

heard = beat_execution.sync(
    client=client, body=HeartbeatRequest(run_id=run.run_id, lease_token=run.lease_token, receipt=run.receipt)
)
assert heard.message == "Heard" and heard.run_id == run.run_id, heard

# What is in the way of another, before it asks and when it does.
plan = plan_execution.sync(client=client, body=PlanRequest(location=LOCATION, factor="0.5"))
assert not plan.starts_now and plan.obstacle == Obstacle.NO_ROOM and plan.largest_factor == 0.499999, plan
refusal = register_execution.sync_detailed(client=client, body=request(0.5))
assert refusal.status_code == 409 and isinstance(refusal.parsed, RegisterRefusal), refusal
assert refusal.parsed.detail.startswith("Cannot register test:"), refusal
assert [one.run_id for one in refusal.parsed.blocking] == [run.run_id], refusal
problem = register_execution.sync(client=client, body=request(-1))
assert isinstance(problem, Problem) and problem.errors[0].field == "factor", problem

waiter = register_execution.sync(client=client, body=request(0.5, wait_seconds=600))
assert isinstance(waiter, QueuedResponse) and waiter.status is ExecutionStatus.QUEUED and waiter.position == 1, waiter

# It is seen while it runs, it ends, and the one that waits is told to start.
assert run.run_id in [one.run_id for one in list_running_executions.sync(client=client).running]
done = complete(run.run_id, "success", lease_token=run.lease_token)
assert isinstance(done, CompleteResponse) and done.status is ExecutionStatus.SUCCESS and done.end_time, done
conflict = complete(run.run_id, "failure", lease_token=run.lease_token)
assert isinstance(conflict, CompleteConflict) and conflict.outcome is ExecutionStatus.SUCCESS, conflict
told = beat_execution.sync(
    client=client, body=HeartbeatRequest(run_id=str(waiter.run_id), lease_token=waiter.lease_token)
)
assert told.status is ExecutionStatus.RUNNING, told

# One with a lease is asked to stop, one without is cancelled at once, by the query alone.
asked_to_stop = cancel_execution.sync(client=client, body=CancelBody(run_id=waiter.run_id, reason="why"))
assert isinstance(asked_to_stop, CompleteResponse) and asked_to_stop.stop.reason == "why", asked_to_stop
complete(str(waiter.run_id), "cancelled", lease_token=waiter.lease_token)
free = register_execution.sync(client=client, body=request(0.25))
cancelled = cancel_execution.sync(client=client, run_id=free.run_id)
assert cancelled.message == "Test cancelled" and cancelled.status is ExecutionStatus.CANCELLED, cancelled
tidied = cancel_execution.sync(
    client=client, body=CancelBody(location=LOCATION, started_before="2026-01-01", dry_run=True)
)
assert isinstance(tidied, CancelAnswer) and tidied.dry_run and tidied.ended == [], tidied
problem = complete(UNKNOWN_RUN, "success")
assert isinstance(problem, Problem) and problem.type_ == "urn:perfreg:problem:not-found", problem

# What is left of it.
history = list_executions.sync(client=client, location=LOCATION, status=ListExecutionsStatus.SUCCESS)
assert [one.run_id for one in history.executions] == [run.run_id], history
assert get_execution.sync(run.run_id, client=client).id == run.test_id
events = list_execution_events.sync(run.run_id, client=client, kind="started,ended").events
assert [one.kind for one in events] == [EventKind.STARTED, EventKind.ENDED], events
assert set_location.sync(LOCATION, client=client, body=SetLocationRequest(capacity="2.5")).capacity == 2.5
assert LOCATION in [one.name for one in list_locations.sync(client=client).locations]
assert check_readiness.sync(client=client).status == "ok"
assert "# TYPE perfreg_location_used gauge" in get_metrics.sync(client=client)
print(f"run {run.run_id} was registered, kept alive, completed and found again")

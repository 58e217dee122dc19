"""One test's life, by a client that openapi-generator made for Python."""

import sys

from perfreg import ApiClient, ApiException, Configuration
from perfreg.api import EventsApi, ExecutionsApi, HealthApi, LocationsApi
from perfreg.models import (
    CancelBody,
    CompleteConflict,
    CompleteRequest,
    ExecutionStatus,
    HeartbeatRequest,
    NumberOrText,
    Obstacle,
    PlanRequest,
    Problem,
    QueuedResponse,
    RegisterRefusal,
    RegisterRequest,
    SetLocationRequest,
    WholeNumberOrText,
)

URL, LOCATION = sys.argv[1], "python"
UNKNOWN_RUN = 9_007_199_254_740_993  # no float can say it


def request(factor, **more):
    return RegisterRequest(
        repo="shop/web",
        lac="lac1",
        stream="main",
        test="load",
        type="performance",
        environment="prod",
        triggered_by="python",
        factor=NumberOrText(factor),
        location=LOCATION,
        **more,
    )


def complete(run_id, status, **more):
    return CompleteRequest(run_id=WholeNumberOrText(run_id), status=status, **more)


def refused(call, *arguments, **named):
    try:
        answer = call(*arguments, **named)
    except ApiException as error:
        return error.status, error.data
    raise AssertionError(f"refused nothing: {answer}")


client = ApiClient(Configuration(host=URL))
executions = ExecutionsApi(client)

# It starts under a lease, and asking again with the same key is answered the same.
asked = request(0.5, lease_seconds=60)
asked.additional_properties = {"build": 17}
run = executions.register_execution(asked, idempotency_key="python-1")
assert run.message == "Test registered" and run.status == ExecutionStatus.RUNNING, run
assert run.factor == 0.5 and run.extra == {"build": 17} and run.lease_token, run
assert executions.register_execution(asked, idempotency_key="python-1").run_id == run.run_id

heard = executions.beat_execution(
    HeartbeatRequest(run_id=WholeNumberOrText(run.run_id), lease_token=run.lease_token, receipt=run.receipt)
)
assert heard.message == "Heard" and heard.run_id == run.run_id, heard

# What is in the way of another, before it asks and when it does.
plan = executions.plan_execution(PlanRequest(location=LOCATION, factor=NumberOrText("0.5")))
assert not plan.starts_now and plan.obstacle == Obstacle.NO_ROOM and plan.largest_factor == 0.499999, plan
status, refusal = refused(executions.register_execution, request(0.5))
assert status == 409 and isinstance(refusal, RegisterRefusal), refusal
assert refusal.type == "urn:perfreg:problem:refused" and refusal.detail.startswith("Cannot register test:"), refusal
assert [one.run_id for one in refusal.blocking] == [run.run_id], refusal
status, problem = refused(executions.register_execution, request(-1))
assert status == 422 and isinstance(problem, Problem) and problem.errors[0].var_field == "factor", problem

waiter = executions.register_execution(request(0.5, wait_seconds=600))
assert isinstance(waiter, QueuedResponse) and waiter.status == ExecutionStatus.QUEUED and waiter.position == 1, waiter

# It is seen while it runs, it ends, and the one that waits is told to start.
assert run.run_id in [one.run_id for one in executions.list_running_executions().running]
done = executions.complete_execution(complete(run.run_id, "success", lease_token=run.lease_token))
assert done.status == ExecutionStatus.SUCCESS and done.end_time, done
status, conflict = refused(executions.complete_execution, complete(run.run_id, "failure", lease_token=run.lease_token))
assert status == 409 and isinstance(conflict, CompleteConflict) and conflict.outcome == ExecutionStatus.SUCCESS
told = executions.beat_execution(
    HeartbeatRequest(run_id=WholeNumberOrText(waiter.run_id), lease_token=waiter.lease_token)
)
assert told.status == ExecutionStatus.RUNNING, told

# One with a lease is asked to stop, one without is cancelled at once, by the query alone.
asked_to_stop = executions.cancel_execution(cancel_body=CancelBody(run_id=WholeNumberOrText(waiter.run_id), reason="why"))
assert asked_to_stop.stop.reason == "why", asked_to_stop
executions.complete_execution(complete(str(waiter.run_id), "cancelled", lease_token=waiter.lease_token))
free = executions.register_execution(request(0.25))
cancelled = executions.cancel_execution(run_id=free.run_id)
assert cancelled.message == "Test cancelled" and cancelled.status == ExecutionStatus.CANCELLED, cancelled
tidied = executions.cancel_execution(
    cancel_body=CancelBody(location=LOCATION, started_before="2026-01-01", dry_run=True)
)
assert tidied.dry_run and tidied.ended == [], tidied
status, problem = refused(executions.complete_execution, complete(UNKNOWN_RUN, "success"))
assert status == 404 and problem.type == "urn:perfreg:problem:not-found", problem

# What is left of it.
history = executions.list_executions(location=LOCATION, status="success")
assert [one.run_id for one in history.executions] == [run.run_id], history
assert executions.get_execution(run.run_id).id == run.test_id
events = EventsApi(client).list_execution_events(run.run_id, kind="started,ended").events
assert [one.kind for one in events] == ["started", "ended"], events
locations = LocationsApi(client)
assert locations.set_location(LOCATION, SetLocationRequest(capacity=NumberOrText("2.5"))).capacity == 2.5
assert LOCATION in [one.name for one in locations.list_locations().locations]
health = HealthApi(client)
assert health.check_readiness().status == "ok"
assert "# TYPE perfreg_location_used gauge" in health.get_metrics(), health.get_metrics()
print(f"run {run.run_id} was registered, kept alive, completed and found again")

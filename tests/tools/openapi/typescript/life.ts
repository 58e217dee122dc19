// One test's life, by a client that openapi-generator made for TypeScript (typescript-fetch).

import assert from "node:assert/strict";

import {
  CompleteConflict,
  CompleteConflictFromJSON,
  CompleteRequest,
  Configuration,
  EventsApi,
  ExecutionsApi,
  HealthApi,
  LocationsApi,
  Problem,
  ProblemFromJSON,
  QueuedResponseFromJSON,
  RegisterRefusalFromJSON,
  RegisterRequest,
  ResponseError,
} from "./perfreg";

const location = "typescript";

function request(factor: number | string, more: Partial<RegisterRequest> = {}): RegisterRequest {
  return {
    repo: "shop/web",
    lac: "lac1",
    stream: "main",
    test: "load",
    type: "performance",
    environment: "prod",
    triggered_by: "typescript",
    factor,
    location,
    ...more,
  };
}

// The problem that a call is refused with.
async function refused<T>(call: Promise<unknown>, status: number, read: (json: unknown) => T): Promise<T> {
  try {
    await call;
  } catch (error) {
    assert(error instanceof ResponseError);
    assert.equal(error.response.status, status);
    return read(await error.response.json());
  }
  return assert.fail("it was not refused");
}

async function live(url: string): Promise<void> {
  const configuration = new Configuration({ basePath: url });
  const executions = new ExecutionsApi(configuration);
  const register = (registerRequest: RegisterRequest) => executions.registerExecution({ registerRequest });
  const complete = (completeRequest: CompleteRequest) => executions.completeExecution({ completeRequest });

  // It starts under a lease, and asking again with the same key is answered the same.
  const asked = { registerRequest: request(0.5, { lease_seconds: 60, build: 17 }), idempotencyKey: "typescript-1" };
  const run = await executions.registerExecution(asked);
  assert.equal(run.message, "Test registered");
  assert.equal(run.status, "running");
  assert.equal(run.factor, 0.5);
  assert.deepEqual(run.extra, { build: 17 });
  assert.equal((await executions.registerExecution(asked)).run_id, run.run_id);
  const lease_token = run.lease_token ?? assert.fail("no lease");

  const heartbeatRequest = { run_id: run.run_id, lease_token, receipt: run.receipt };
  const heard = await executions.beatExecution({ heartbeatRequest });
  assert.equal(heard.message, "Heard");
  assert.equal(heard.run_id, run.run_id);

  // What is in the way of another, before it asks and when it does.
  const plan = await executions.planExecution({ planRequest: { location, factor: "0.5" } });
  assert.equal(plan.starts_now, false);
  assert.equal(plan.obstacle, "no_room");
  assert.equal(plan.largest_factor, 0.499999);
  const refusal = await refused(register(request(0.5)), 409, RegisterRefusalFromJSON);
  assert.match(refusal.detail, /^Cannot register test:/);
  assert.deepEqual(refusal.blocking.map((one) => one.run_id), [run.run_id]);
  const invalid: Problem = await refused(register(request(-1)), 422, ProblemFromJSON);
  assert.equal(invalid.errors?.[0]?.field, "factor");

  // What waits is answered with more than what runs.
  const queued = await executions.registerExecutionRaw({ registerRequest: request(0.5, { wait_seconds: 600 }) });
  assert.equal(queued.raw.status, 202);
  const waiter = QueuedResponseFromJSON(await queued.raw.json());
  assert.equal(waiter.status, "queued");
  assert.equal(waiter.position, 1);
  const itsToken = waiter.lease_token ?? assert.fail("no lease");

  // It is seen while it runs, it ends, and the one that waits is told to start.
  const { running } = await executions.listRunningExecutions();
  assert(running.some((one) => one.run_id === run.run_id));
  const done = await complete({ run_id: run.run_id, status: "success", lease_token });
  assert.equal(done.status, "success");
  assert(done.end_time instanceof Date);
  const late = complete({ run_id: run.run_id, status: "failure", lease_token });
  const conflict: CompleteConflict = await refused(late, 409, CompleteConflictFromJSON);
  assert.equal(conflict.outcome, "success");
  const itsBeat = { run_id: String(waiter.run_id), lease_token: itsToken };
  assert.equal((await executions.beatExecution({ heartbeatRequest: itsBeat })).status, "running");

  // One with a lease is asked to stop, one without is cancelled at once, by the query alone.
  const askedToStop = await executions.cancelExecution({ cancelBody: { run_id: waiter.run_id, reason: "why" } });
  assert.equal(askedToStop.stop?.reason, "why");
  await complete({ run_id: String(waiter.run_id), status: "cancelled", lease_token: itsToken });
  const free = await register(request(0.25));
  const cancelled = await executions.cancelExecution({ runId: free.run_id });
  assert.equal(cancelled.message, "Test cancelled");
  assert.equal(cancelled.status, "cancelled");
  const tidied = await executions.cancelExecution({ cancelBody: { location, started_before: "2026-01-01", dry_run: true } });
  assert.deepEqual(tidied.ended, []);
  const missing = await refused(complete({ run_id: 4_294_967_297, status: "success" }), 404, ProblemFromJSON);
  assert.equal(missing.type, "urn:perfreg:problem:not-found");

  // What is left of it.
  const history = await executions.listExecutions({ location, status: "success" });
  assert.deepEqual(history.executions.map((one) => one.run_id), [run.run_id]);
  assert.equal((await executions.getExecution({ runId: run.run_id })).id, run.test_id);
  const events = new EventsApi(configuration);
  const told = await events.listExecutionEvents({ runId: run.run_id, kind: "started,ended" });
  assert.deepEqual(told.events.map((one) => one.kind), ["started", "ended"]);
  const locations = new LocationsApi(configuration);
  const here = await locations.setLocation({ name: location, setLocationRequest: { capacity: "2.5" } });
  assert.equal(here.capacity, 2.5);
  const health = new HealthApi(configuration);
  assert.equal((await health.checkReadiness()).status, "ok");
  assert.match(await health.getMetrics(), /# TYPE perfreg_location_used gauge/);
  console.log(`run ${run.run_id} was registered, kept alive, completed and found again`);
}

const [, , url] = process.argv;
void live(url ?? assert.fail("give the server's URL"));

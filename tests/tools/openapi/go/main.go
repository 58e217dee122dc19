// One test's life, by a client that openapi-generator made for Go.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"life/perfreg"
)

const location = "go"

// No float can say it.
const unknownRun = int64(9_007_199_254_740_993)

func request(factor float64) *perfreg.RegisterRequest {
	body := perfreg.NewRegisterRequest("shop/web", "lac1", "main", "load", "performance", "prod", "go")
	body.SetFactor(perfreg.NumberOrText{Float64: &factor})
	body.SetLocation(location)
	return body
}

func number(runID int64) perfreg.WholeNumberOrText {
	return perfreg.WholeNumberOrText{Int64: &runID}
}

func text(runID int64) perfreg.WholeNumberOrText {
	digits := strconv.FormatInt(runID, 10)
	return perfreg.WholeNumberOrText{String: &digits}
}

func check(holds bool, saw any) {
	if !holds {
		log.Output(2, fmt.Sprintf("saw %+v", saw))
		os.Exit(1)
	}
}

func must(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

// The problem that a call was refused with.
func problem[T any](response *http.Response, err error, status int) T {
	check(response != nil && response.StatusCode == status, err)
	var refused *perfreg.GenericOpenAPIError
	check(errors.As(err, &refused), err)
	model, isOne := refused.Model().(T)
	check(isOne, refused.Model())
	return model
}

func main() {
	log.SetFlags(log.Lshortfile)
	configuration := perfreg.NewConfiguration()
	configuration.Servers = perfreg.ServerConfigurations{{URL: os.Args[1]}}
	client, ctx := perfreg.NewAPIClient(configuration), context.Background()
	executions := client.ExecutionsAPI

	register := func(body *perfreg.RegisterRequest) (*perfreg.RegisterResponse, *http.Response, error) {
		return executions.RegisterExecution(ctx).RegisterRequest(*body).Execute()
	}
	complete := func(body *perfreg.CompleteRequest, token string) (*perfreg.CompleteResponse, *http.Response, error) {
		body.SetLeaseToken(token)
		return executions.CompleteExecution(ctx).CompleteRequest(*body).Execute()
	}

	// It starts under a lease, and asking again with the same key is answered the same.
	asked := request(0.5)
	asked.SetLeaseSeconds(60)
	asked.AdditionalProperties = map[string]any{"build": 17}
	run, _, err := executions.RegisterExecution(ctx).RegisterRequest(*asked).IdempotencyKey("go-1").Execute()
	must(err)
	check(run.Message == "Test registered" && run.Status == perfreg.RUNNING && run.GetFactor() == 0.5, run)
	check(run.Extra["build"] == 17.0 && run.GetLeaseToken() != "", run)
	again, _, err := executions.RegisterExecution(ctx).RegisterRequest(*asked).IdempotencyKey("go-1").Execute()
	must(err)
	check(again.RunId == run.RunId, again)

	beat := perfreg.NewHeartbeatRequest(number(run.RunId), run.GetLeaseToken())
	beat.SetReceipt(run.GetReceipt())
	heard, _, err := executions.BeatExecution(ctx).HeartbeatRequest(*beat).Execute()
	must(err)
	check(heard.Message == "Heard" && heard.RunId == run.RunId, heard)

	// What is in the way of another, before it asks and when it does.
	asking, half := perfreg.NewPlanRequest(), "0.5"
	asking.SetLocation(location)
	asking.SetFactor(perfreg.NumberOrText{String: &half})
	plan, _, err := executions.PlanExecution(ctx).PlanRequest(*asking).Execute()
	must(err)
	check(!plan.StartsNow && plan.GetObstacle() == perfreg.NO_ROOM && plan.GetLargestFactor() == 0.499999, plan)
	_, response, err := register(request(0.5))
	refusal := problem[perfreg.RegisterRefusal](response, err, 409)
	check(strings.HasPrefix(refusal.Detail, "Cannot register test:"), refusal)
	check(len(refusal.Blocking) == 1 && refusal.Blocking[0].RunId == run.RunId, refusal)
	_, response, err = register(request(-1))
	invalid := problem[perfreg.Problem](response, err, 422)
	check(invalid.Errors[0].Field == "factor", invalid)

	// What waits is answered with more than what runs, which is kept beside.
	waits := request(0.5)
	waits.SetWaitSeconds(600)
	waiter, response, err := register(waits)
	must(err)
	check(response.StatusCode == 202 && waiter.Status == perfreg.QUEUED, waiter)
	check(waiter.AdditionalProperties["position"] == 1.0, waiter)

	// It is seen while it runs, it ends, and the one that waits is told to start.
	running, _, err := executions.ListRunningExecutions(ctx).Execute()
	must(err)
	seen := false
	for _, one := range running.Running {
		seen = seen || one.RunId == run.RunId
	}
	check(seen, running)
	done, _, err := complete(perfreg.NewCompleteRequest(number(run.RunId), "success"), run.GetLeaseToken())
	must(err)
	check(done.Status == perfreg.SUCCESS && done.EndTime.IsSet(), done)
	_, response, err = complete(perfreg.NewCompleteRequest(number(run.RunId), "failure"), run.GetLeaseToken())
	conflict := problem[perfreg.CompleteConflict](response, err, 409)
	check(conflict.Outcome == perfreg.SUCCESS, conflict)
	beat = perfreg.NewHeartbeatRequest(text(waiter.RunId), waiter.GetLeaseToken())
	told, _, err := executions.BeatExecution(ctx).HeartbeatRequest(*beat).Execute()
	must(err)
	check(told.Status == perfreg.RUNNING, told)

	// One with a lease is asked to stop, one without is cancelled at once, by the query alone.
	stop := perfreg.NewCancelBody()
	stop.SetRunId(number(waiter.RunId))
	stop.SetReason("why")
	askedToStop, _, err := executions.CancelExecution(ctx).CancelBody(*stop).Execute()
	must(err)
	check(askedToStop.Stop.Get().Reason == "why", askedToStop)
	_, _, err = complete(perfreg.NewCompleteRequest(text(waiter.RunId), "cancelled"), waiter.GetLeaseToken())
	must(err)
	free, _, err := register(request(0.25))
	must(err)
	cancelled, _, err := executions.CancelExecution(ctx).RunId(free.RunId).Execute()
	must(err)
	check(cancelled.GetStatus() == perfreg.CANCELLED, cancelled)
	tidy := perfreg.NewCancelBody()
	tidy.SetLocation(location)
	tidy.SetStartedBefore("2026-01-01")
	tidy.SetDryRun(true)
	tidied, _, err := executions.CancelExecution(ctx).CancelBody(*tidy).Execute()
	must(err)
	check(tidied.GetDryRun() && len(tidied.Ended) == 0, tidied)
	_, response, err = complete(perfreg.NewCompleteRequest(number(unknownRun), "success"), "none")
	missing := problem[perfreg.Problem](response, err, 404)
	check(missing.Type == "urn:perfreg:problem:not-found", missing)

	// What is left of it.
	history, _, err := executions.ListExecutions(ctx).Location(location).Status("success").Execute()
	must(err)
	check(len(history.Executions) == 1 && history.Executions[0].RunId == run.RunId, history)
	one, _, err := executions.GetExecution(ctx, run.RunId).Execute()
	must(err)
	check(one.Id == run.TestId, one)
	events, _, err := client.EventsAPI.ListExecutionEvents(ctx, run.RunId).Kind("started,ended").Execute()
	must(err)
	check(len(events.Events) == 2 && events.Events[1].Kind == "ended", events)
	capacity := "2.5"
	set := perfreg.NewSetLocationRequest()
	set.SetCapacity(perfreg.NumberOrText{String: &capacity})
	here, _, err := client.LocationsAPI.SetLocation(ctx, location).SetLocationRequest(*set).Execute()
	must(err)
	check(here.Capacity == 2.5, here)
	ready, _, err := client.HealthAPI.CheckReadiness(ctx).Execute()
	must(err)
	check(ready.Status == "ok", ready)
	metrics, _, err := client.HealthAPI.GetMetrics(ctx).Execute()
	must(err)
	check(strings.Contains(metrics, "# TYPE perfreg_location_used gauge"), metrics)
	fmt.Printf("run %d was registered, kept alive, completed and found again\n", run.RunId)
}

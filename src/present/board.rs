//! What runs and waits where, and what ran beside a run.

use jiff::Timestamp;

use super::execution::{factor_to_wire, status_to_wire, stop_to_wire};
use super::{decimal, gate};
use crate::domain::schedule::board::{Board, BoardLocation, BoardRun, BoardWaiter};
use crate::domain::schedule::neighbours::Neighbour;
use crate::wire::board as wire;

#[must_use]
pub fn to_wire(board: Board, most: usize) -> wire::Board {
    let at = board.at;
    let location = |location: BoardLocation| location_to_wire(location.shortened(most), at);
    wire::Board {
        at,
        registry: gate::to_wire(&board.registry),
        locations: board.locations.into_iter().map(location).collect(),
    }
}

fn location_to_wire(here: BoardLocation, at: Timestamp) -> wire::BoardLocation {
    let location = &here.location;
    let is_bound = location.name.is_some();
    wire::BoardLocation {
        name: location.name.as_ref().map(ToString::to_string),
        capacity: is_bound.then(|| decimal(location.capacity)),
        used: decimal(location.used),
        available: is_bound.then(|| decimal(location.available())),
        gate: gate::to_wire(&here.gate),
        closed_by_registry: here.closed_by_registry,
        running: location.running,
        waiting: location.waiting,
        adopted: here.adopted,
        runs: here.running.iter().map(|run| run_to_wire(run, at)).collect(),
        queue: here.queue.iter().filter_map(waiter_to_wire).collect(),
    }
}

fn run_to_wire(run: &BoardRun, at: Timestamp) -> wire::BoardRun {
    let (execution, details) = (&run.execution, &run.execution.details);
    wire::BoardRun {
        run_id: execution.run_id.0,
        test: details.test.clone(),
        repo: details.repo.clone(),
        stream: details.stream.clone(),
        environment: details.environment.clone(),
        r#type: details.kind.clone(),
        triggered_by: details.triggered_by.clone(),
        factor: factor_to_wire(execution),
        start_time: execution.start_time,
        expected_end: run.expected_end,
        suspect: execution.is_suspect(),
        overdue: execution.is_overdue(at),
        stop: execution.stop.clone().map(stop_to_wire),
        adopted: execution.fence.is_none(),
    }
}

/// Everybody who waits has a place.
fn waiter_to_wire(waiter: &BoardWaiter) -> Option<wire::BoardWaiter> {
    let (execution, details) = (&waiter.execution, &waiter.execution.details);
    let place = execution.place.as_ref()?;
    Some(wire::BoardWaiter {
        run_id: execution.run_id.0,
        test: details.test.clone(),
        repo: details.repo.clone(),
        stream: details.stream.clone(),
        environment: details.environment.clone(),
        r#type: details.kind.clone(),
        triggered_by: details.triggered_by.clone(),
        factor: factor_to_wire(execution),
        priority: execution.priority.get(),
        position: waiter.position,
        queued_at: place.queued_at,
        wait_until: place.until,
        estimated_start: waiter.estimated_start,
        suspect: execution.is_suspect(),
    })
}

#[must_use]
pub fn neighbour_to_wire(neighbour: &Neighbour) -> wire::Neighbour {
    let (execution, details) = (&neighbour.execution, &neighbour.execution.details);
    wire::Neighbour {
        run_id: execution.run_id.0,
        test: details.test.clone(),
        repo: details.repo.clone(),
        environment: details.environment.clone(),
        triggered_by: details.triggered_by.clone(),
        status: status_to_wire(execution.status),
        factor: factor_to_wire(execution),
        start_time: execution.start_time,
        end_time: execution.end_time,
        overlap_seconds: neighbour.overlap.as_secs(),
    }
}

//! Locations that are new, known, deleted and merged.
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::Location;
use crate::domain::execution::Registration;
use crate::domain::execution::RunId;

use super::tests::{Rows, now, register, registration};
use super::waiting_tests::waiting;
use super::*;
use crate::domain::answer::Answer;
use crate::domain::capacity::location::LocationName;
use crate::domain::event::EventKind;
use crate::domain::execution::{EndReason, Outcome};

fn delete() -> Command {
    Command::DeleteLocation { by: Some("ana".to_owned()) }
}

fn only_where_known() -> Command {
    Command::Register(Registration { only_where_known: true, ..registration(500_000) })
}

fn set() -> Command {
    Command::SetLocation { capacity: Some(Factor::from_millionths(2_000_000)), gate: None, by: None }
}

#[test]
fn a_location_is_new_until_something_is_used_or_set_there() {
    for command in [register(500_000), set()] {
        let mut rows = Rows::new(Some("here"));
        assert_eq!(rows.apply(&[only_where_known()]), [Answer::UnknownLocation]);
        assert!(rows.location.is_new && rows.executions.is_empty());
        let answers = rows.apply(&[command, only_where_known()]);
        assert!(!matches!(answers[1], Answer::UnknownLocation), "{answers:?}");
        assert!(!rows.location.is_new);
    }
}

#[test]
fn what_is_refused_or_only_planned_makes_no_location_known() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(2_000_000), Command::Plan(registration(500_000)), Command::Sweep]);
    assert!(rows.location.is_new);
    let plan = Command::Plan(Registration { only_where_known: true, ..registration(500_000) });
    assert_eq!(rows.apply(&[plan]), [Answer::UnknownLocation]);
}

#[test]
fn a_location_in_use_is_not_deleted_and_one_that_is_deleted_is_new_but_for_its_fence() {
    let mut rows = Rows::new(Some("here"));
    assert_eq!(rows.apply(&[delete()]), [Answer::NotFound]);
    rows.apply(&[set(), register(500_000)]);
    assert!(matches!(rows.apply(&[delete()])[..], [Answer::LocationInUse(_)]));
    rows.apply(&[Command::Complete { run_id: RunId(1), outcome: Outcome::Success, token: None }]);
    assert!(matches!(rows.apply(&[delete()])[..], [Answer::Location(_)]));
    let unused = Location { fence: 1, ..Location::unused(Some(LocationName::new("here"))) };
    assert_eq!(rows.location, unused);
    assert_eq!(rows.events.last().map(|event| event.kind), Some(EventKind::LocationDeleted));
    assert_eq!(rows.apply(&[delete(), only_where_known()])[0], Answer::NotFound);
    rows.apply(&[register(500_000)]);
    assert_eq!((rows.location.fence, rows.location.is_new), (2, false));
}

#[test]
fn a_waiter_that_came_from_a_larger_location_and_can_never_fit_holds_up_nobody() {
    for looks in [Some(Command::TakeIn), None] {
        let mut rows = Rows::new(Some("here"));
        rows.apply(&[Command::SetLocation {
            capacity: Some(Factor::from_millionths(3_000_000)),
            gate: None,
            by: None,
        }]);
        rows.apply(&[
            register(2_500_000),
            Command::Register(waiting(1_500_000, 5)),
            Command::Register(waiting(200_000, 5)),
        ]);
        // As after a merge into a location with the capacity 1.
        rows.location.capacity = Factor::ONE;
        rows.apply(&looks.into_iter().collect::<Vec<_>>());
        rows.apply(&[Command::Complete { run_id: RunId(1), outcome: Outcome::Success, token: None }]);
        let statuses: Vec<&str> = rows.executions.iter().map(|run| run.status.as_str()).collect();
        assert_eq!(statuses, ["success", "cancelled", "running"]);
        assert_eq!(rows.executions[1].end_reason, Some(EndReason::CannotFit));
        rows.check_sums();
    }
}

#[test]
fn a_call_that_broke_off_elsewhere_is_not_said_to_be_noted_here() {
    let mut rows = Rows::new(Some("here"));
    assert_eq!(rows.apply(&[Command::BreakOff { run_id: RunId(7), heard_at: now() }]), [Answer::NotFound]);
}

#[test]
fn two_locations_that_become_one_have_the_second_ones_capacity_both_uses_and_the_higher_fence() {
    let named = |name: &str| Location::unused(Some(LocationName::new(name)));
    let factor = Factor::from_millionths;
    let from =
        Location { used: factor(600_000), running: 2, fence: 9, waiting: 1, leased: 1, version: 4, ..named("a") };
    let into =
        Location { capacity: factor(2_000_000), used: factor(500_000), running: 1, fence: 3, version: 7, ..named("b") };
    let into = Location { is_new: false, ..into };
    let (deleted, merged) = from.merged(&into);
    assert_eq!(deleted, Location { fence: 9, version: 5, ..named("a") });
    let sums = Location { used: factor(1_100_000), running: 3, fence: 9, waiting: 1, leased: 1, version: 8, ..into };
    assert_eq!(merged, sums);
}

use crate::domain::answer::Answer;
use crate::domain::answer::FirstAnswer;
use crate::domain::answer::Holder;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::Location;
use crate::domain::continuity::Continuity;
use crate::domain::event::Event;
use crate::domain::execution::Execution;
use crate::domain::execution::Outcome;
use crate::domain::execution::Registration;
use crate::domain::execution::RunId;
use crate::domain::gate::Gate;
use crate::domain::schedule::roster::Roster;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use uuid::Uuid;

use super::*;
use crate::domain::admission::keyed;
use crate::domain::answer::{Cause, Refusal};
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::{Details, Status};
use crate::domain::schedule::holders::Holders;

/// The smallest store there can be: what a location's rows hold between two batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    pub location: Location,
    pub registry: Gate,
    pub continuity: Continuity,
    pub executions: Vec<Execution>,
    pub events: Vec<Event>,
    pub first_answers: Vec<FirstAnswer>,
}

impl Rows {
    pub fn new(name: Option<&str>) -> Self {
        let location = Location::unused(name.map(LocationName::new));
        Self {
            location,
            registry: Gate::OPEN,
            continuity: Continuity::default(),
            executions: Vec::new(),
            events: Vec::new(),
            first_answers: Vec::new(),
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        let mut roster = Roster::default();
        roster.set_holders(Holders::new(self.running().map(Holder::of).collect(), self.location.running));
        Snapshot {
            location: self.location.clone(),
            registry: self.registry.clone(),
            continuity: self.continuity,
            roster,
            named: self.executions.clone(),
            first_answers: self.first_answers.clone(),
        }
    }

    pub fn running(&self) -> impl Iterator<Item = &Execution> {
        self.executions.iter().filter(|run| run.status == Status::Running)
    }

    pub fn queued(&self) -> impl Iterator<Item = &Execution> {
        self.executions.iter().filter(|run| run.status == Status::Queued)
    }

    /// Decides at a registry that was never away.
    pub fn apply_at(&mut self, commands: &[Command], now: Timestamp) -> Vec<Answer> {
        self.continuity.pulse_at = Some(now);
        self.decide(commands, now)
    }

    pub fn decide(&mut self, commands: &[Command], now: Timestamp) -> Vec<Answer> {
        let mut plan = decide(self.snapshot(), commands, now);
        let next = self.executions.len();
        let drawn = (next + 1..=next + plan.unnumbered()).map(|id| RunId(id as i64)).collect();
        let run_ids = plan.numbered(drawn);
        for (run, run_id) in plan.inserted.iter().zip(&run_ids) {
            self.executions.push(Execution { run_id: *run_id, ..run.clone() });
        }
        for updated in &plan.updated {
            *self.executions.iter_mut().find(|run| run.id == updated.id).expect("only known runs change") =
                updated.clone();
        }
        // The version counts batches, and so differs with how they are made.
        self.location = Location { version: 0, ..plan.location.clone() };
        let Outcomes { answers, events } = plan.take_outcomes(&run_ids);
        self.events.extend(events);
        self.first_answers.extend(
            keyed(commands, &answers)
                .map(|(key, answer)| FirstAnswer { key: key.clone(), answer: without_estimate(answer.clone()) }),
        );
        answers
    }

    pub fn apply(&mut self, commands: &[Command]) -> Vec<Answer> {
        self.apply_at(commands, now())
    }

    pub fn check_sums(&self) {
        assert_eq!(self.location.used, self.running().map(Execution::factor).sum());
        assert_eq!(self.location.running, self.running().count() as i64);
        assert_eq!(self.location.leased, self.running().filter(|run| run.lease.is_some()).count() as i64);
        assert_eq!(self.location.waiting, self.queued().count() as i64);
        let mut fences: Vec<i64> = self.executions.iter().filter_map(|run| run.fence).collect();
        let count = fences.len();
        fences.sort_unstable();
        fences.dedup();
        assert_eq!(fences.len(), count, "every start has a fence of its own");
        assert!(fences.iter().all(|fence| (1..=self.location.fence).contains(fence)));
    }
}

/// A batch estimates once, when all of it is decided; an estimate is no decision.
pub fn without_estimate(mut answer: Answer) -> Answer {
    if let Some(room) = answer.room_mut() {
        room.estimated_start = None;
    }
    answer
}

pub fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).expect("in range")
}

pub fn registration(millionths: i64) -> Registration {
    let example = Registration::example();
    let factor = Some(Factor::from_millionths(millionths));
    let details = Details { factor, location: Some(LocationName::new("here")), ..Details::clone(&example.details) };
    Registration { id: Uuid::now_v7(), details: Arc::new(details), ..example }
}

pub fn register(millionths: i64) -> Command {
    Command::Register(registration(millionths))
}

fn complete(run_id: i64, outcome: Outcome) -> Command {
    Command::Complete { run_id: RunId(run_id), outcome, token: None }
}

fn set_capacity(millionths: i64) -> Command {
    Command::SetLocation { capacity: Some(Factor::from_millionths(millionths)), gate: None, by: None }
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Cancelled)]
}

fn any_factor() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), Just(1), Just(100_000), Just(300_000), 0..=1_000_000_i64]
}

/// Commands that end only runs of `known`; nobody knows the number of a run before its answer.
fn any_command(known: Range<i64>) -> impl Strategy<Value = Command> {
    prop_oneof![
        5 => any_factor().prop_map(register),
        4 => (known, any_outcome()).prop_map(|(run_id, outcome)| complete(run_id, outcome)),
    ]
}

fn any_capacity() -> impl Strategy<Value = Command> {
    (1..3_000_000_i64).prop_map(set_capacity)
}

pub fn registered(answer: &Answer) -> bool {
    matches!(answer, Answer::Registered(_))
}

fn refusal(answer: &Answer) -> &Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

#[test]
fn nine_of_ten_tenths_fit_and_then_the_last_millionth_is_kept_free() {
    let mut rows = Rows::new(Some("here"));
    let tenths: Vec<Command> = (0..10).map(|_| register(100_000)).collect();
    assert_eq!(rows.apply(&tenths).iter().filter(|answer| registered(answer)).count(), 9);
    assert!(registered(&rows.apply(&[register(99_999)])[0]));
    assert!(!registered(&rows.apply(&[register(1)])[0]));
}

#[test]
fn a_refusal_names_what_runs_there_largest_first_even_within_the_batch() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(200_000)]);
    let end = complete(1, Outcome::Success);
    let answers = rows.apply(&[register(700_000), register(500_000), end, register(500_000), register(500_000)]);
    let named = |answer| refusal(answer).room.blocking.iter().map(|holder| holder.run_id.0).collect::<Vec<_>>();
    assert_eq!(named(&answers[1]), [2, 1]);
    assert_eq!(named(&answers[3]), [2]);
    let shared = |answer| Arc::as_ptr(&refusal(answer).room.blocking);
    assert_eq!(shared(&answers[3]), shared(&answers[4]), "equal lists are made once");
}

#[test]
fn a_factor_that_can_never_fit_is_refused_for_good_and_a_larger_one_is_an_error() {
    let mut rows = Rows::new(Some("here"));
    let answers = rows.apply(&[register(1_000_000), register(1_000_001)]);
    assert!(refusal(&answers[0]).cause == Cause::NeverFits);
    assert_eq!(answers[1], Answer::FactorTooLarge { largest: Factor::from_millionths(999_999) });
    rows.apply(&[set_capacity(1_500_000)]);
    let answers = rows.apply(&[register(1_500_000), register(1_499_999), register(1_500_001)]);
    assert!(refusal(&answers[0]).cause == Cause::NeverFits);
    assert!(registered(&answers[1]));
    assert_eq!(answers[2], Answer::FactorTooLarge { largest: Factor::from_millionths(1_499_999) });
}

#[test]
fn tests_without_a_location_are_bound_by_nothing() {
    let mut rows = Rows::new(None);
    let answers = rows.apply(&[register(1_000_000), register(1_000_000), register(999_999)]);
    assert!(answers.iter().all(registered));
    assert_eq!(rows.apply(&[register(1_000_001)]), [Answer::FactorTooLarge { largest: Factor::ONE }]);
}

#[test]
fn an_execution_ends_once_and_the_same_word_again_is_the_same_answer() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(500_000)]);
    let end = |outcome| complete(1, outcome);
    let first = rows.apply(&[end(Outcome::Success)]);
    assert!(matches!(first[0], Answer::Ended(_)));
    assert_eq!(rows.apply(&[end(Outcome::Success)]), first);
    assert!(matches!(rows.apply(&[end(Outcome::Failure)])[0], Answer::EndedOtherwise(_)));
    rows.check_sums();
}

#[test]
fn a_registration_that_an_earlier_attempt_saved_is_not_started_twice() {
    let mut rows = Rows::new(Some("here"));
    let command = register(600_000);
    let first = rows.apply(std::slice::from_ref(&command));
    assert_eq!(rows.apply(&[command]), first);
    rows.check_sums();
}

#[test]
fn a_location_above_its_capacity_admits_nothing_until_it_drains() {
    let mut rows = Rows::new(Some("here"));
    rows.apply(&[register(400_000), register(400_000)]);
    rows.apply(&[set_capacity(300_000)]);
    let end = |run_id| complete(run_id, Outcome::Success);
    let answers = rows.apply(&[register(0), end(1), register(0), end(2), register(0)]);
    assert_eq!(refusal(&answers[0]).room.available_factor(), Factor::ZERO);
    assert!(!registered(&answers[2]));
    assert!(registered(&answers[4]));
}

proptest! {
    #[test]
    fn the_sum_never_reaches_capacity_and_nothing_that_fits_is_refused(
        batches in vec(vec(any_command(1..40), 0..12), 0..20),
    ) {
        let mut rows = Rows::new(Some("here"));
        for batch in batches {
            let mut live: HashMap<RunId, Factor> = rows
                .executions
                .iter()
                .filter(|run| run.status == Status::Running)
                .map(|run| (run.run_id, run.factor()))
                .collect();
            for (command, answer) in batch.iter().zip(rows.apply(&batch)) {
                let used: Factor = live.values().copied().sum();
                match (command, answer) {
                    (Command::Register(registration), Answer::Registered(run)) => {
                        prop_assert!(used + registration.factor() < Factor::ONE);
                        live.insert(run.run_id, registration.factor());
                    }
                    (Command::Register(registration), Answer::Refused(refusal)) => {
                        prop_assert!(used + registration.factor() >= Factor::ONE);
                        prop_assert_eq!(refusal.room.running_factor, used);
                    }
                    (_, Answer::Ended(run)) => {
                        live.remove(&run.run_id);
                    }
                    (_, answer) => prop_assert!(!registered(&answer)),
                }
            }
            rows.check_sums();
            prop_assert!(rows.location.used < rows.location.capacity);
        }
    }

    #[test]
    fn batching_in_any_grouping_decides_as_one_by_one(
        before in vec(any_factor().prop_map(register), 0..30),
        commands in vec(prop_oneof![9 => any_command(1..30), 1 => any_capacity()], 0..40),
        cuts in vec(1..8_usize, 1..40),
    ) {
        let mut one_by_one = Rows::new(Some("here"));
        for command in &before {
            one_by_one.apply(std::slice::from_ref(command));
        }
        let mut batched = one_by_one.clone();
        let started_before = one_by_one.executions.len() as i64;
        let knowable = |command: &&Command| command.run_id().is_none_or(|run_id| run_id.0 <= started_before);
        let commands: Vec<Command> = commands.iter().filter(knowable).cloned().collect();

        let expected: Vec<Answer> =
            commands.iter().flat_map(|command| one_by_one.apply(std::slice::from_ref(command))).collect();
        let mut answers = Vec::new();
        let mut rest = commands.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (batch, later) = rest.split_at((*cut).min(rest.len()));
            answers.extend(batched.apply(batch));
            rest = later;
        }
        prop_assert_eq!(answers, expected);
        prop_assert_eq!(&batched, &one_by_one);
        batched.check_sums();
    }
}

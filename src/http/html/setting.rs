//! The form that sets a location or the whole registry: how it is filled in at first, and what it changes.

use axum::http::StatusCode;

use super::entry::{Browser, Entry, Outcome};
use super::gate::{is_same, mark, read_until, values};
use super::layout::Layout;
use crate::domain::capacity::factor::Factor;
use crate::domain::gate::{Gate, GateState};
use crate::http::error::ApiError;
use crate::http::request::fields::Fields;
use crate::http::request::form::Form;
use crate::http::request::setting::{read_capacity, read_gate};

/// What is set now.
pub struct Setting<'known> {
    /// None for the registry, which has none.
    pub capacity: Option<Factor>,
    pub gate: &'known Gate,
}

/// What a form changes of it.
pub struct Change {
    pub by: String,
    pub capacity: Option<Factor>,
    pub gate: Option<Gate>,
}

/// The form once more, and why nothing was changed.
pub struct Again {
    pub status: StatusCode,
    pub entry: Entry,
    pub outcome: Outcome,
}

impl Setting<'_> {
    /// Stands in the form, so that a change by somebody else meanwhile is noticed.
    pub fn mark(&self) -> String {
        mark(self.capacity, self.gate)
    }

    pub fn entry(&self, browser: &Browser, layout: &Layout) -> Entry {
        let mut values = values(self.gate, &layout.zone);
        values.extend(self.capacity.map(|capacity| ("capacity", capacity.to_string())));
        values.extend([("by", browser.name.clone()), ("shown", self.mark())]);
        Entry::new(values)
    }

    /// What the form changes, if all of it can be read and this is still what it has shown.
    ///
    /// # Errors
    /// If it is no form of this page.
    pub fn read(&self, form: &Form, entry: Entry, layout: &Layout) -> Result<Result<Change, Again>, ApiError> {
        let mut fields = form.fields()?;
        let capacity = self.capacity.and_then(|_| read_capacity(&mut fields));
        if self.capacity.is_some() && capacity.is_none() {
            fields.reject("capacity", "is required");
        }
        let by = fields.required_text("by");
        let gate = read_gate(&mut fields, Some(by.clone()), |fields| read_until(fields, self.gate, layout));
        match &gate {
            None => fields.reject("state", "is required"),
            Some(gate) if gate.state == GateState::Open => self.reject_beside_open(form, &mut fields, layout),
            Some(_) => {}
        }
        let shown = fields.string("shown");
        fields.reject_rest();
        if let Err(error) = fields.finish(Some(())) {
            let entry = entry.mended(form, error)?;
            return Ok(Err(Again { status: StatusCode::UNPROCESSABLE_ENTITY, entry, outcome: Outcome::None }));
        }
        if shown.is_some_and(|shown| shown != self.mark()) {
            let entry = entry.typed(form, Vec::new());
            return Ok(Err(Again { status: StatusCode::CONFLICT, entry, outcome: Outcome::ChangedMeanwhile }));
        }
        Ok(Ok(Change {
            by,
            capacity: capacity.filter(|capacity| Some(*capacity) != self.capacity),
            gate: gate.filter(|gate| !is_same(gate, self.gate)),
        }))
    }

    /// What stood there while it was closed may stay, and is dropped.
    fn reject_beside_open(&self, form: &Form, fields: &mut Fields, layout: &Layout) {
        for (name, shown) in values(self.gate, &layout.zone).into_iter().filter(|(name, _)| *name != "state") {
            if form.value(name).is_some_and(|typed| !typed.trim().is_empty() && typed != shown) {
                fields.reject(name, "must be empty where the state is open");
            }
        }
    }
}

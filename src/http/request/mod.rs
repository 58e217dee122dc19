//! Reads what stands in a request, for API and pages: its body, its fields, and what they say.

pub mod body;
pub mod fields;
pub mod form;
pub mod setting;
mod whole_number;

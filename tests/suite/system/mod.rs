//! Whole systems: several servers, crashes, load, and the tools of the field.

//! The binary, as a person or a script runs it.

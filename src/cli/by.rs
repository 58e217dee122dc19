//! Who does it, for the commands that change something.

use clap::Args;

use super::run::environment::{fit_text, who};

/// Found as `perfreg run` finds who started a test.
#[derive(Args)]
pub struct By {
    /// Who does it, as events and pages name it [default: who started the CI job, else the user].
    #[arg(
        long = "by",
        env = "PERFREG_TRIGGERED_BY",
        hide_env_values = true,
        value_name = "NAME",
        help_heading = "Why and who"
    )]
    by: Option<String>,
}

impl By {
    pub fn name(self) -> Option<String> {
        self.by.filter(|name| !name.is_empty()).or_else(|| fit_text(&who()).value)
    }
}

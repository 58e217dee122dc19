//! `perfreg completions`.

use std::io::{self, Write};

use clap::{Args, Command, ValueEnum};
use clap_complete::{Shell, generate};

use crate::client::ClientError;

const EXAMPLES: &str = "\
Examples:
  source <(perfreg completions bash)
  perfreg completions zsh > \"${fpath[1]}/_perfreg\"
  perfreg completions fish > ~/.config/fish/completions/perfreg.fish";

/// Print a script that completes commands and flags in a shell.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub struct Completions {
    /// The shell that it is for.
    shell: For,
}

/// The shells in which it is tested.
#[derive(Clone, Copy, ValueEnum)]
enum For {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub fn run(self, mut command: Command) -> Result<(), ClientError> {
        let shell = match self.shell {
            For::Bash => Shell::Bash,
            For::Zsh => Shell::Zsh,
            For::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        generate(shell, &mut command, "perfreg", &mut script);
        match io::stdout().write_all(&script) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(ClientError::Output(error)),
            _ => Ok(()),
        }
    }
}

//! `perfreg manual`: the manual pages, from what `--help` says.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::builder::StyledStr;
use clap::{Arg, Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::failure::Failure;
use super::output::write_line;
use crate::clock;

const EXAMPLES: &str = "\
Examples:
  perfreg manual ~/.local/share/man/man1 && man perfreg-run
  perfreg manual /tmp/perfreg && man /tmp/perfreg/perfreg-run.1";
const TITLE_OF_EXAMPLES: &str = "Examples:\n";
const LONGEST_LINE: usize = 80;

/// Write the manual pages into a directory, which is made if it is not there.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub struct Manual {
    /// Directory to write into, such as one named man1 in the MANPATH.
    directory: PathBuf,
}

impl Manual {
    pub fn run(self, command: &Command) -> Result<(), Failure> {
        let written = fs::create_dir_all(&self.directory).and_then(|()| write(command, &self.directory));
        let shown = self.directory.display();
        let count = written
            .map_err(|error| Failure::Machine(format!("cannot write the manual pages into {shown}: {error}")))?;
        Ok(write_line(&format!("{shown} has {count} manual pages."))?)
    }
}

/// Writes the page of the command, and those of all below it; how many they are.
fn write(command: &Command, directory: &Path) -> io::Result<usize> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = Man::new(command.clone().mut_args(described))
        .title(name.to_uppercase())
        .date(clock::now().strftime("%Y-%m-%d").to_string())
        .source(concat!("perfreg ", env!("CARGO_PKG_VERSION")))
        .manual("perfreg");
    fs::write(directory.join(man.get_filename()), page(command, &man)?)?;
    let has_page = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    command.get_subcommands().filter(has_page).try_fold(1, |count, below| Ok(count + write(below, directory)?))
}

/// The argument with all that its long help says, the name of its variable, and its other names.
fn described(argument: Arg) -> Arg {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let variable = argument.get_env().map(|name| format!(" [env: {}]", name.to_string_lossy())).unwrap_or_default();
    let aliases = argument.get_visible_aliases().unwrap_or_default();
    let aliases: Vec<String> = aliases.iter().map(|name| format!(" [the same: --{name}]")).collect();
    argument.long_help(format!("{help}{variable}{}", aliases.concat())).hide_env(true)
}

fn page(command: &Command, man: &Man) -> io::Result<String> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    as_it_stands("EXAMPLES", command.get_before_help(), &mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    as_it_stands("NOTES", command.get_after_long_help(), &mut page)?;
    Ok(tidy(&String::from_utf8_lossy(&page)))
}

/// A section whose lines stay lines.
fn as_it_stands(title: &str, text: Option<&StyledStr>, page: &mut Vec<u8>) -> io::Result<()> {
    let Some(text) = text.map(ToString::to_string) else { return Ok(()) };
    let mut roff = Roff::new();
    roff.control("SH", [title]).control("nf", []);
    for line in text.strip_prefix(TITLE_OF_EXAMPLES).unwrap_or(&text).lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_writer(page)
}

/// The page as mandoc has it: with one kind of blank line, and no line of the source too long.
fn tidy(page: &str) -> String {
    let mut is_filled = true;
    let mut tidied = String::new();
    for line in page.replace("\n.br\n\n.br\n", "\n.sp\n").lines() {
        match line {
            ".nf" => is_filled = false,
            ".fi" => is_filled = true,
            _ => {}
        }
        // Where lines stay lines, \c joins the next one to this one.
        let end = if is_filled { "\n" } else { " \\c\n" };
        let parts = if line.starts_with('.') { vec![line] } else { cut(line) };
        tidied.push_str(&parts.join(end));
        tidied.push('\n');
    }
    tidied
}

/// The line in parts that are short enough, none of which begins as an instruction does.
fn cut(mut line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while line.len() > LONGEST_LINE {
        let is_harmless = |at: &usize| !line[at + 1..].starts_with(['.', '\'', ' ']) && !line[..*at].trim().is_empty();
        let spaces = line.match_indices(' ').map(|(at, _)| at);
        let Some(at) = spaces.take_while(|at| *at < LONGEST_LINE - 3).filter(is_harmless).last() else { break };
        parts.push(&line[..at]);
        line = &line[at + 1..];
    }
    parts.push(line);
    parts
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::{Cli, help};

    #[test]
    fn the_pages_name_every_other_name_of_a_flag() {
        let folder = tempfile::TempDir::new().expect("a folder");
        write(&help::arranged(Cli::command()), folder.path()).expect("the pages");
        for command in ["status", "run", "watch", "locations-set"] {
            let page = fs::read_to_string(folder.path().join(format!("perfreg-{command}.1"))).expect("a page");
            assert!(page.replace('\\', "").contains("[the same: --url]"), "{page}");
        }
    }

    #[test]
    fn a_long_line_is_cut_where_a_formatter_joins_it_again() {
        let long = format!("{} ./load.sh {}", "word ".repeat(14), "word ".repeat(10).trim_end());
        let parts = cut(&long);
        assert!(
            parts.len() > 1 && parts.iter().all(|part| part.len() <= LONGEST_LINE && !part.starts_with('.')),
            "{parts:?}"
        );
        assert_eq!(parts.join(" "), long);
        assert_eq!(cut(&"x".repeat(200)), ["x".repeat(200)]);
        let stays = tidy(&format!(".nf\n  {}\n.fi\n", "word ".repeat(20).trim_end()));
        assert!(stays.starts_with(".nf\n  word ") && stays.contains(" \\c\nword "), "{stays}");
    }
}

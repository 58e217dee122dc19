//! The reference of the commands is made of their help.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use super::run;

const BEGIN: &str = "<!-- commands: begin -->\n";
const END: &str = "<!-- commands: end -->";
const SERVER: &str = "Server:\n";

/// The command's help, and after it the help of each command below it.
fn helps(command: &[&str]) -> Vec<(String, String)> {
    let (code, help, error) = run(&[command, &["--help"]].concat());
    assert_eq!(code, 0, "{command:?}: {error}");
    let below = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = below.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names: Vec<&str> = names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help").collect();
    let mut all = vec![([&["perfreg"], command].concat().join(" "), help.clone())];
    all.extend(names.into_iter().flat_map(|name| helps(&[command, &[name]].concat())));
    all
}

/// The paragraphs under this heading of a help, up to the next heading.
fn section<'help>(help: &'help str, heading: &str) -> Option<&'help str> {
    let section = &help[help.find(&format!("\n{heading}"))? + 1..];
    let is_next = |(at, _): &(usize, &str)| !section[at + 2..].starts_with([' ', '\n']);
    Some(section.match_indices("\n\n").find(is_next).map_or(section, |(at, _)| &section[..at + 2]))
}

/// A table of the commands, and a chapter for each. What every client command takes is told once.
fn reference() -> String {
    let all = helps(&[]);
    let (_, status) = all.iter().find(|(name, _)| name == "perfreg status").expect("a client command");
    let server = section(status, SERVER).expect("the flags of every client command").to_owned();
    let mut table = "## All commands\n\n| command | does |\n|---|---|\n".to_owned();
    let mut chapters = format!("\n## Options of every client command\n\n```text\n{}\n```\n", trimmed(&server));
    for (name, help) in all.iter().filter(|(name, _)| name != "perfreg") {
        let takes_server = help.contains(&server);
        let mut help = help.replacen(&server, "", 1);
        if let Some(same) = section(&help, "Help:\n").map(str::to_owned) {
            help = help.replacen(&same, "", 1);
        }
        let headings = ["\nExamples:\n", "\nUsage: "];
        let begin = headings.iter().filter_map(|heading| help.find(heading)).min().expect("how it is used");
        let about: Vec<String> = help[..begin].trim().split("\n\n").map(sentence).collect();
        let _ = writeln!(table, "| [`{name}`](#{}) | {} |", name.replace(' ', "-"), about[0].trim_end_matches('.'));
        let about = about.join("\n\n");
        let _ = write!(chapters, "\n## {name}\n\n{about}\n\n```text\n{}\n```\n", trimmed(&help[begin..]));
        if takes_server {
            chapters
                .push_str("\nIt also takes the [options of every client command](#options-of-every-client-command).\n");
        }
    }
    table + &chapters
}

/// A paragraph on one line, with a full stop.
fn sentence(paragraph: &str) -> String {
    format!("{}.", paragraph.replace('\n', " ").trim_end_matches('.'))
}

/// Without blanks at the ends of lines, and without the values of variables, which are not set here.
fn trimmed(text: &str) -> String {
    text.trim_matches('\n').lines().map(str::trim_end).collect::<Vec<_>>().join("\n").replace("=]", "]")
}

#[test]
fn the_reference_of_the_commands_is_what_their_help_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/commands.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("where the reference begins");
    let (published, after) = rest.split_once(END).expect("where it ends");
    let reference = format!("\n{}\n", reference());
    if env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, [before, BEGIN, &reference, END, after].concat()).expect("the page can be written");
    } else {
        assert_eq!(published, reference, "INSTA_UPDATE=always writes docs/reference/commands.md anew");
    }
}

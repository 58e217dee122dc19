//! What still runs of an adopted database, what it holds up, and how to end it.

use jiff::SignedDuration;

use crate::domain::adopted::Adopted;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::name::{is_clean, is_invisible};
use crate::wire;

/// So many locations are named in a sentence.
const MOST_NAMED: usize = 5;

#[must_use]
pub fn to_wire(adopted: &Adopted) -> wire::location::Adopted {
    let name = |location: &Location| location.name.as_ref().map(ToString::to_string);
    wire::location::Adopted {
        running: adopted.running,
        oldest: adopted.oldest,
        full: adopted.full.iter().filter_map(name).collect(),
        message: sentences(adopted),
        command: command(adopted),
    }
}

/// How many there are, since when, and what they hold up.
#[must_use]
pub fn sentences(adopted: &Adopted) -> String {
    let oldest = adopted.oldest;
    let since_when = match adopted.running {
        1 => format!("1 adopted run still runs, since {oldest:.0}."),
        running => format!("{running} adopted runs still run, the oldest since {oldest:.0}."),
    };
    let mut uses: Vec<String> = adopted.full.iter().take(MOST_NAMED).map(usage).collect();
    if adopted.full.len() > uses.len() {
        uses.push(format!("{} more are full", adopted.full.len() - uses.len()));
    }
    if uses.is_empty() {
        return since_when;
    }
    format!("{since_when} {}: nothing starts there until such runs end.", uses.join(", "))
}

/// Lists those where it is worst, and without its last word ends them.
#[must_use]
pub fn command(adopted: &Adopted) -> Option<String> {
    let name = adopted.full.first().map(|location| &location.name);
    let worst = adopted.at.iter().find(|at| name.is_none_or(|name| at.location == *name))?;
    let place = worst.location.as_ref().map_or_else(
        || "--without-location".to_owned(),
        |name| match name.as_str() {
            // Else it would be taken for a flag.
            dashed if dashed.starts_with('-') => format!("--location={}", shell_word(dashed)),
            name => format!("--location {}", shell_word(name)),
        },
    );
    // Times have fractions; all of them started before the next whole second.
    let before = worst.newest + SignedDuration::from_secs(1);
    Some(format!("perfreg cancel {place} --started-before {before:.0} --dry-run"))
}

/// Both in one line, for the log.
#[must_use]
pub fn line(adopted: &Adopted) -> String {
    let sentences = sentences(adopted);
    let Some(command) = command(adopted) else { return sentences };
    format!("{sentences} See which they are, then leave out --dry-run to end them: {command}")
}

fn usage(location: &Location) -> String {
    let name = location.name.as_ref().map_or("", LocationName::as_str);
    let shown = if is_clean(name) { name.to_owned() } else { quoted(name) };
    format!("{shown} uses {} of {}", location.used, location.capacity)
}

/// Where it begins and ends, and what in it does not show.
fn quoted(name: &str) -> String {
    let escaped = |one: char| match one {
        '\'' => one.to_string(),
        one if is_hidden(one) => one.escape_unicode().to_string(),
        one => one.escape_debug().to_string(),
    };
    format!("\"{}\"", name.chars().map(escaped).collect::<String>())
}

/// Whether it does not show, or shows as a plain space.
fn is_hidden(one: char) -> bool {
    one.is_control() || is_invisible(one) || (one != ' ' && one.is_whitespace())
}

/// As one word of a command line.
fn shell_word(name: &str) -> String {
    let is_plain = |one: char| one.is_alphanumeric() || "-_./:@%+,".contains(one);
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    if !name.contains(is_hidden) {
        return format!("'{}'", name.replace('\'', r"'\''"));
    }
    // Nobody could type what does not show; bash reads it so.
    let escaped = |one: char| match one {
        '\'' | '\\' => format!("\\{one}"),
        one if is_hidden(one) => format!("\\U{:08x}", u32::from(one)),
        one => one.to_string(),
    };
    format!("$'{}'", name.chars().map(escaped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::adopted::AdoptedAt;
    use crate::domain::capacity::factor::Factor;

    fn at(location: Option<&str>, running: i64, newest: &str) -> AdoptedAt {
        let oldest = "2026-11-22T13:14:54.5Z".parse().expect("a time");
        AdoptedAt {
            location: location.map(LocationName::new),
            running,
            oldest,
            newest: newest.parse().expect("a time"),
        }
    }

    fn location(name: &str, used: i64) -> Location {
        Location { used: Factor::from_millionths(used), ..Location::unused(Some(LocationName::new(name))) }
    }

    #[test]
    fn the_sentence_says_how_many_since_when_where_and_what_to_do() {
        let runs = vec![
            at(None, 3, "2026-11-22T13:20:00Z"),
            at(Some("azure-vm"), 80, "2026-11-22T13:20:00.9Z"),
            at(Some("on prem"), 104, "2026-11-22T13:20:00Z"),
            at(Some("roomy"), 1, "2026-11-22T13:20:00Z"),
        ];
        let locations = [location("azure-vm", 44_350_000), location("on prem", 1_000_000), location("roomy", 999_999)];
        let adopted = Adopted::new(runs, &locations).expect("some run");
        assert_eq!(
            line(&adopted),
            "188 adopted runs still run, the oldest since 2026-11-22T13:14:54Z. azure-vm uses 44.35 of 1, on prem uses 1 of \
             1: nothing starts there until such runs end. See which they are, then leave out --dry-run to end them: perfreg \
             cancel --location azure-vm --started-before 2026-11-22T13:20:01Z --dry-run"
        );
        assert_eq!(Adopted::new(Vec::new(), &locations), None);
    }

    #[test]
    fn runs_that_keep_nobody_from_starting_are_told_all_the_same() {
        let adopted = Adopted::new(vec![at(None, 1, "2026-11-22T13:14:54.5Z")], &[]).expect("one runs");
        assert_eq!(
            line(&adopted),
            "1 adopted run still runs, since 2026-11-22T13:14:54Z. See which they are, then leave out --dry-run to end them: \
             perfreg cancel --without-location --started-before 2026-11-22T13:14:55Z --dry-run"
        );
    }

    #[test]
    fn names_that_do_not_show_as_they_are_stand_in_quotes() {
        for (name, shown) in [
            ("azure-vm", "azure-vm uses 1 of 1"),
            ("Élan's lab", "Élan's lab uses 1 of 1"),
            ("", "\"\" uses 1 of 1"),
            (" azure-vm ", "\" azure-vm \" uses 1 of 1"),
            ("\"a\"\n", r#""\"a\"\u{a}" uses 1 of 1"#),
            ("azure\u{200b}-vm's", r#""azure\u{200b}-vm's" uses 1 of 1"#),
            ("azure\u{a0}vm", r#""azure\u{a0}vm" uses 1 of 1"#),
            ("e\u{301}", r#""e\u{301}" uses 1 of 1"#),
            ("\u{3164}", r#""\u{3164}" uses 1 of 1"#),
        ] {
            assert_eq!(usage(&location(name, 1_000_000)), shown);
        }
    }

    #[test]
    fn a_name_that_begins_with_a_dash_is_no_flag_of_the_command() {
        let runs = vec![at(Some("-dash"), 1, "2026-11-22T13:20:00Z")];
        let command = Adopted::new(runs, &[location("-dash", 1_000_000)]).and_then(|adopted| command(&adopted));
        let expected = "perfreg cancel --location=-dash --started-before 2026-11-22T13:20:01Z --dry-run";
        assert_eq!(command.as_deref(), Some(expected));
    }

    #[test]
    fn a_name_is_one_word_of_the_command() {
        for (name, word) in [
            ("azure-k8s", "azure-k8s"),
            ("on prem", "'on prem'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("-x", "-x"),
            ("- x", "'- x'"),
            ("a\u{7}'b", r"$'a\U00000007\'b'"),
            ("a\u{200b}b\u{a0}", r"$'a\U0000200bb\U000000a0'"),
        ] {
            assert_eq!(shell_word(name), word);
        }
    }
}

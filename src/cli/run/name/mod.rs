//! What a test is called: what the load tool calls it, read from the command line.
//!
//! The name depends on the words alone and not on which files are here, so that a test has one name everywhere.

mod wrappers;

use std::ffi::OsString;

use self::wrappers::{behind, tool_name, unwrap};

/// What a tool, whose name holds the word, calls its test: the value of one of these options.
const TEST_OPTIONS: [(&str, &[&str]); 7] = [
    ("jmeter", &["-t", "--testfile"]),
    ("locust", &["-f", "--locustfile"]),
    ("gatling", &["-s", "--simulation"]),
    ("gradle", &["--simulation", "--tests"]),
    ("tsung", &["-f"]),
    ("drill", &["-b", "--benchmark"]),
    ("wrk", &["-s", "--script"]),
];
/// What runs the task that is named behind it.
const TASK_RUNNERS: [&str; 7] = ["make", "gmake", "just", "task", "rake", "invoke", "mage"];
const TASK_OPTIONS: [&str; 5] = ["-C", "--directory", "-f", "--file", "-d"];
/// Options whose value is no test, although it may look like one.
const NO_TESTS: [&str; 19] = [
    "-c",
    "--config",
    "--config-file",
    "--conf",
    "--settings",
    "--variables",
    "--overrides",
    "--payload",
    "--require",
    "-r",
    "--import",
    "--loader",
    "-o",
    "--out",
    "--output",
    "--report",
    "--summary-export",
    "-l",
    "--env-file",
];
/// How the files end in which tests are written.
const TEST_ENDINGS: [&str; 23] = [
    "js", "mjs", "cjs", "ts", "mts", "cts", "py", "yml", "yaml", "jmx", "scala", "java", "kt", "groovy", "rb", "go",
    "exs", "php", "pl", "sh", "ps1", "robot", "tar",
];
/// What stands before the class of a test in an argument of Maven, Gradle or sbt.
const CLASS_PREFIXES: [&str; 5] =
    ["-Dgatling.simulationClass=", "-Dtest=", "-Dit.test=", "gatlingRun-", "Gatling/testOnly "];

/// The name of the test that the command runs; its program, if nothing says more.
pub fn name_of(command: &[OsString]) -> Option<String> {
    let words: Vec<String> = command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (program, arguments) = unwrap(&words).split_first()?;
    let tool = tool_name(program);
    let name = named_by_tool(tool, arguments).or_else(|| last_script(tool, arguments));
    Some(name.unwrap_or_else(|| tool.to_owned())).filter(|name| !name.is_empty())
}

/// What the tool itself calls its test.
fn named_by_tool(tool: &str, arguments: &[&str]) -> Option<String> {
    let class = CLASS_PREFIXES.iter().find_map(|prefix| arguments.iter().find_map(|word| word.strip_prefix(prefix)));
    let tool = tool.to_lowercase();
    let option = || {
        let (_, options) = TEST_OPTIONS.iter().find(|(word, _)| tool.contains(word))?;
        value_of(arguments, options).map(file_name)
    };
    let task = || {
        let task = TASK_RUNNERS.contains(&tool.as_str()).then(|| behind(arguments, &TASK_OPTIONS, 0))??;
        Some((*task.first()?).to_owned())
    };
    // Its tests are JSON, which is configuration for everybody else.
    let collection = || {
        let is_file = |word: &&&str| !word.starts_with('-') && **word != "run";
        (tool == "newman").then(|| arguments.iter().find(is_file))?.map(|word| file_name(word))
    };
    class.map(|class| class.trim().to_owned()).or_else(option).or_else(task).or_else(collection)
}

/// The value of the first of the options, given behind it or behind an equals sign.
fn value_of<'a>(arguments: &[&'a str], options: &[&str]) -> Option<&'a str> {
    arguments.iter().enumerate().find_map(|(index, word)| {
        if options.contains(word) {
            return arguments.get(index + 1).copied();
        }
        word.split_once('=').filter(|(name, _)| options.contains(name)).map(|(_, value)| value)
    })
}

/// The last argument that is a script or a scenario, and no option's value that is something else.
fn last_script(tool: &str, arguments: &[&str]) -> Option<String> {
    let is_value = |index: usize| index.checked_sub(1).is_some_and(|before| NO_TESTS.contains(&arguments[before]));
    let mut scripts = arguments.iter().enumerate().filter(|(index, word)| is_script(tool, word) && !is_value(*index));
    scripts.next_back().map(|(_, word)| file_name(word))
}

fn is_script(tool: &str, word: &str) -> bool {
    // Only k6 runs what is behind a URL; for all others it is what is tested.
    let may_be = if is_url(word) { tool.contains("k6") } else { !word.contains('=') };
    let name = file_name(word);
    // pytest names a test in a file as file.py::test.
    let file = name.split("::").next().unwrap_or_default();
    let has_ending = file.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty() && TEST_ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending))
    });
    may_be && has_ending && !word.starts_with('-') && !word.contains(char::is_whitespace)
}

fn is_url(word: &str) -> bool {
    let is_scheme = |text: &str| text.chars().all(|character| character.is_ascii_alphanumeric());
    word.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme))
}

/// What stands behind the last slash, without what a URL has behind its path.
fn file_name(word: &str) -> String {
    let path = if is_url(word) { word.split(['?', '#']).next().unwrap_or_default() } else { word };
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// The words of a line in which only double quotes hold blanks together.
    fn words(line: &str) -> Vec<OsString> {
        let parts = line.split('"').enumerate();
        let split = |(index, part): (usize, &str)| -> Vec<OsString> {
            if index % 2 == 1 { vec![part.into()] } else { part.split_whitespace().map(OsString::from).collect() }
        };
        parts.flat_map(split).collect()
    }

    #[test]
    fn a_test_is_named_as_its_tool_calls_it() {
        let table = include_str!("../../../../tests/suite/run/names.tsv");
        let mut wrong = Vec::new();
        for line in table.lines().skip(1) {
            let (command, expected) = line.split_once('\t').expect("a command and a name");
            let name = name_of(&words(command));
            if name.as_deref() != Some(expected) {
                wrong.push(format!("{command}: {name:?}, and not {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn no_words_have_no_name() {
        assert_eq!(name_of(&[]), None);
        assert_eq!(name_of(&words("timeout 600")), Some("timeout".to_owned()));
    }

    proptest! {
        #[test]
        fn any_words_have_a_name_without_a_slash(words in vec("(-{0,2}[a-z]{0,6}[=/. ]?[a-z]{0,4}|sh|-c|env|timeout|docker|run|--)", 1..8)) {
            let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
            if let Some(name) = name_of(&words) {
                prop_assert!(!name.is_empty());
            }
        }
    }
}

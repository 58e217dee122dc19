//! Imports point inwards only.

use std::fs;
use std::path::{Path, PathBuf};

/// Folder, and what must not be named in any of its files. `docs/internals/architecture.md` says why.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "axum",
            "tokio",
            "serde",
            "rusqlite",
            "tokio_postgres",
            "deadpool",
            "crate::store",
            "crate::registry",
            "crate::http",
            "crate::wire",
            "crate::present",
            "crate::cli",
            "crate::client",
            "crate::config",
            "crate::clock",
            "crate::metrics",
            "prometheus_client",
            "Timestamp::now",
            "SystemTime",
        ],
    ),
    (
        "registry",
        &[
            "axum",
            "rusqlite",
            "tokio_postgres",
            "crate::http",
            "crate::present",
            "crate::wire",
            "crate::cli",
            "crate::client",
            "store::sqlite",
            "store::postgres",
        ],
    ),
    (
        "store",
        &["axum", "crate::http", "crate::present", "crate::registry", "crate::wire", "crate::cli", "crate::client"],
    ),
    (
        "present",
        &[
            "axum",
            "tokio",
            "crate::registry",
            "crate::store",
            "crate::http",
            "crate::cli",
            "crate::client",
            "crate::clock",
        ],
    ),
    ("store/postgres", &["rusqlite", "store::sqlite"]),
    ("store/sqlite", &["tokio_postgres", "deadpool", "store::postgres"]),
    ("http", &["rusqlite", "tokio_postgres", "deadpool", "crate::store", "crate::cli", "crate::client"]),
    ("http/api", &["http::html", "super::html"]),
    ("http/html", &["http::api", "super::api"]),
    (
        "metrics",
        &[
            "axum",
            "tokio",
            "rusqlite",
            "tokio_postgres",
            "deadpool",
            "crate::store",
            "crate::registry",
            "crate::http",
            "crate::wire",
            "crate::cli",
            "crate::client",
            "crate::background",
            "crate::config",
        ],
    ),
    ("wire", &["axum", "tokio", "crate::"]),
    ("client", &["axum", "crate::domain", "crate::store", "crate::registry", "crate::http", "crate::cli"]),
    (
        "background",
        &["axum", "rusqlite", "tokio_postgres", "crate::store", "crate::http", "crate::domain", "crate::cli"],
    ),
    ("config", &["axum", "tokio", "crate::"]),
    ("cli", &["rusqlite", "tokio_postgres", "crate::domain"]),
];
/// Only `serve` builds the server, and only those that copy a database open one; the other commands are clients like any
/// other.
const OPEN_A_DATABASE: [&str; 4] = ["serve.rs", "backup.rs", "restore.rs", "copying.rs"];
const ONLY_THERE: &[&str] = &["crate::store", "crate::registry", "crate::http"];

pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The code before the tests, which may use what they like.
pub fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a source file");
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// Whether `name` stands in the code as a path of its own, not as the end of a longer word.
fn names(code: &str, name: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        line.match_indices(name).any(|(start, _)| {
            let before = line[..start].chars().next_back();
            let after = line[start + name.len()..].chars().next();
            !before.is_some_and(is_word) && (name.ends_with("::") || name.ends_with('{') || !after.is_some_and(is_word))
        })
    })
}

#[test]
fn imports_point_inwards_only() {
    let mut broken = Vec::new();
    for (folder, forbidden) in FORBIDDEN {
        for file in files(&source().join(folder)) {
            let code = code(&file);
            let named = forbidden.iter().filter(|name| names(&code, name));
            broken.extend(named.map(|name| format!("{} names {name}", file.display())));
        }
    }
    let elsewhere = files(&source()).into_iter().filter(|file| !file.starts_with(source().join("metrics")));
    let encoders = elsewhere.filter(|file| names(&code(file), "prometheus_client"));
    broken.extend(encoders.map(|file| format!("{} names prometheus_client", file.display())));
    // Grouped, a path could hide from the check above.
    let grouped = files(&source()).into_iter().filter(|file| names(&code(file), "crate::{"));
    broken.extend(grouped.map(|file| format!("{} groups imports after crate::", file.display())));
    for file in
        files(&source().join("cli")).iter().filter(|file| !OPEN_A_DATABASE.iter().any(|name| file.ends_with(name)))
    {
        let code = code(file);
        let named = ONLY_THERE.iter().filter(|name| names(&code, name));
        broken.extend(named.map(|name| format!("{} names {name}", file.display())));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_check_itself_sees_imports_and_inline_paths() {
    assert!(names("use axum::Router;", "axum"));
    assert!(names("    crate::http::service()", "crate::http"));
    assert!(names("use crate::domain::x;", "crate::"));
    assert!(!names("let taxum = axums();", "axum"));
    assert!(!names("/// Not axum.", "axum"));
}

/// What must not decide anything, since poolers and other engines lack it; `docs/evidence/distributed.md` says more.
const NOT_FOR_CORRECTNESS: &[&str] =
    &["LISTEN", "UNLISTEN", "NOTIFY", "PG_NOTIFY", "PG_ADVISORY", "PG_TRY_ADVISORY", "SERIALIZABLE"];
/// Servers that start at the same time take turns.
const ADVISORY_LOCK: (&str, &str) = ("postgres/migrate.rs", "PG_ADVISORY");

#[test]
fn no_statement_rests_on_listening_advisory_locks_or_serializability() {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let mut broken = Vec::new();
    let mut locks = 0;
    for file in [files(&source().join("store/postgres")), files(&migrations)].concat() {
        for line in statements(&file) {
            for word in NOT_FOR_CORRECTNESS.iter().filter(|word| line.contains(&format!(" {word}"))) {
                if file.ends_with(ADVISORY_LOCK.0) && *word == ADVISORY_LOCK.1 {
                    locks += 1;
                } else {
                    broken.push(format!("{} uses {word}: {line}", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert_eq!(locks, 1, "migrations take the one advisory lock");
}

/// The lines that are no comments, in capitals, with a space before each word.
fn statements(file: &Path) -> Vec<String> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//") && !line.trim_start().starts_with("--");
    let spaced = |line: &str| line.replace(|character: char| !character.is_alphanumeric() && character != '_', " ");
    code(file).lines().filter(is_code).map(|line| format!(" {}", spaced(line).to_uppercase())).collect()
}

#[test]
fn files_stay_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let too_long: Vec<String> = [files(&source()), files(&root.join("tests"))]
        .concat()
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .map(|file| (file, fs::read_to_string(file).expect("a source file").lines().count()))
        .filter(|(_, lines)| *lines > 420)
        .map(|(file, lines)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}

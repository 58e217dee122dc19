//! No file needs one that needs it back, so that each can be read after those that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::layering::{code, files, source};

/// The folders without rings. In the others a type stands beside what is built on it.
const FOLDERS: [&str; 8] = ["domain", "present", "wire", "client", "http", "cli", "background", "metrics"];

/// Files, and those that each of them names.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// `domain::execution::lease` for `domain/execution/lease.rs`, and `domain::execution` for its `mod.rs`.
fn module(file: &Path) -> String {
    let inner = file.strip_prefix(source()).expect("a source file").with_extension("");
    let parts: Vec<_> = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.join("::").trim_end_matches("::mod").to_owned()
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d` and `a::c::e`.
fn spread(path: &str) -> Vec<String> {
    let Some((before, group)) = path.split_once('{') else { return vec![path.trim().to_owned()] };
    let group = group.rsplit_once('}').map_or(group, |(inner, _)| inner);
    let mut members = vec![String::new()];
    let mut depth = 0;
    for character in group.chars() {
        depth += i32::from(character == '{') - i32::from(character == '}');
        match (character, depth) {
            (',', 0) => members.push(String::new()),
            _ => members.last_mut().expect("one at least").push(character),
        }
    }
    members
        .iter()
        .filter(|one| !one.trim().is_empty())
        .flat_map(|one| spread(&format!("{before}{}", one.trim_start())))
        .collect()
}

/// Every path that the code names, as it stands there. What a module hands on with `pub use` it does not need itself.
fn paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for statement in code.split_inclusive(';') {
        let Some(start) = statement.find("use ") else {
            paths.extend(inline_paths(statement));
            continue;
        };
        let (before, import) = statement.split_at(start);
        paths.extend(inline_paths(before));
        if !before.trim_end().ends_with("pub") {
            paths.extend(spread(import.trim_start_matches("use ").trim_end_matches(';')));
        }
    }
    paths
}

fn inline_paths(code: &str) -> Vec<String> {
    let is_part_of_a_path = |character: char| character.is_alphanumeric() || matches!(character, '_' | ':');
    let words = code.split(|character| !is_part_of_a_path(character));
    words.filter(|word| word.starts_with("crate::") || word.starts_with("super::")).map(str::to_owned).collect()
}

/// The file that has what `path` means in `module`.
fn resolve(path: &str, module: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut base: Vec<&str> = module.split("::").collect();
    let mut parts = path.split("::").peekable();
    if parts.next_if_eq(&"crate").is_some() {
        base.clear();
    } else {
        while parts.next_if_eq(&"super").is_some() {
            base.pop();
        }
    }
    base.extend(parts);
    (1..=base.len()).rev().map(|length| base[..length].join("::")).find(|name| modules.contains(name))
}

fn imports(folder: &str) -> Imports {
    let is_of_tests = |module: &str| module.ends_with("tests");
    let all = files(&source().join(folder));
    let modules: BTreeSet<String> = all.iter().map(|file| module(file)).filter(|name| !is_of_tests(name)).collect();
    let named = |file: &Path, module: &str| {
        let code =
            code(file).lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let named = paths(&code).into_iter().filter_map(|path| resolve(&path, module, &modules));
        named.filter(|other| other != module).collect()
    };
    let with_name = all.iter().map(|file| (module(file), file));
    with_name
        .filter(|(name, _)| modules.contains(name))
        .map(|(name, file)| (name.clone(), named(file, &name)))
        .collect()
}

/// The files that can be reached from themselves: those without a file left to begin with are taken away first.
fn in_rings(mut imports: Imports) -> BTreeSet<String> {
    loop {
        let last: BTreeSet<String> =
            imports.iter().filter(|(_, named)| named.is_empty()).map(|(name, _)| name.clone()).collect();
        let named: BTreeSet<String> = imports.values().flatten().cloned().collect();
        let first = imports.keys().filter(|name| !named.contains(*name)).cloned();
        let gone: BTreeSet<String> = last.into_iter().chain(first).collect();
        if gone.is_empty() {
            return imports.into_keys().collect();
        }
        imports.retain(|name, _| !gone.contains(name));
        for named in imports.values_mut() {
            named.retain(|name| !gone.contains(name));
        }
    }
}

#[test]
fn no_folder_of_these_has_a_ring_of_imports() {
    let domain = imports("domain");
    assert!(domain.len() > 30, "the files are read: {domain:?}");
    assert!(domain["domain::admission"].contains("domain::admission::batch"), "imports are seen: {domain:?}");
    for folder in FOLDERS {
        assert_eq!(in_rings(imports(folder)), BTreeSet::new(), "rings in {folder}");
    }
}

#[test]
fn the_check_for_rings_sees_groups_and_inline_paths() {
    let modules: BTreeSet<String> = ["a", "a::b", "a::b::c", "a::d"].map(str::to_owned).into();
    let seen =
        |code: &str| -> Vec<_> { paths(code).iter().filter_map(|path| resolve(path, "a::b", &modules)).collect() };
    assert_eq!(seen("use crate::a::{b::{c::X, Y}, d};"), ["a::b::c", "a::b", "a::d"]);
    assert_eq!(seen("use super::d::Z;\nfn f(x: super::d::Q) {}"), ["a::d", "a::d"]);
    assert_eq!(seen("pub use c::X;"), Vec::<String>::new());
    let ring = [("a", "b"), ("b", "c"), ("c", "b"), ("d", "d2")];
    let imports = ring.map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()]))).into();
    assert_eq!(in_rings(imports), BTreeSet::from(["b".to_owned(), "c".to_owned()]));
}

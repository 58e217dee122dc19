//! What the documents name is there.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|other| other == extension) {
            found.push(path);
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a text")
}

/// What stands between backticks and looks like the name of a test, which is a sentence, and not like that of a metric.
fn named_tests(text: &str) -> impl Iterator<Item = &str> {
    let is_sentence = |word: &&str| {
        word.matches('_').count() >= 3
            && !["perfreg_", "process_"].iter().any(|metric| word.starts_with(metric))
            && word.chars().all(|character| character == '_' || character.is_ascii_lowercase())
    };
    text.split('`').skip(1).step_by(2).filter(is_sentence)
}

#[test]
fn every_test_that_a_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources: Vec<String> = [root.join("src"), root.join("tests")]
        .iter()
        .flat_map(|folder| files(folder, "rs"))
        .map(|path| read(&path))
        .collect();
    let mut named = 0;
    for document in files(&root.join("docs"), "md") {
        let text = read(&document);
        for test in named_tests(&text) {
            named += 1;
            let definition = format!("fn {test}(");
            let exists = sources.iter().any(|source| source.contains(&definition));
            assert!(exists, "{} names the test {test}, which does not exist", document.display());
        }
    }
    assert!(named > 40, "the documents name tests, but only {named} were found");
}

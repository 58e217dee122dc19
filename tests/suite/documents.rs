//! What the documents name is there.

use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

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

/// What stands between backticks and looks like the name of a test, which is a sentence, and not like that of a metric or of PostgreSQL.
fn named_tests(text: &str) -> impl Iterator<Item = &str> {
    let is_sentence = |word: &&str| {
        word.matches('_').count() >= 3
            && !["perfreg_", "process_", "pg_"].iter().any(|known| word.starts_with(known))
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

/// A document's links, and the anchors of its headings as GitHub and mdBook make them.
#[derive(Default)]
struct Outline {
    links: Vec<String>,
    anchors: Vec<String>,
}

impl Outline {
    fn of(text: &str) -> Self {
        let mut outline = Self::default();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(words) | Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    outline.anchors.extend(heading.take().map(|heading| anchor(&heading)));
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    outline.links.push(dest_url.into_string());
                }
                Event::Html(html) | Event::InlineHtml(html) => outline.links.extend(addresses(&html)),
                _ => {}
            }
        }
        outline
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// What the attributes of pictures and links in HTML name.
fn addresses(html: &str) -> Vec<String> {
    let after = |attribute: &str| {
        let values: Vec<_> = html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).collect();
        values.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    ["href=\"", "src=\"", "srcset=\""].into_iter().flat_map(after).collect()
}

#[test]
fn every_link_of_a_document_leads_to_a_file_and_a_heading_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = files(&root.join("docs"), "md");
    documents
        .extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/peer/README.md"].map(|name| root.join(name)));
    let mut count = 0;
    for document in documents {
        for link in Outline::of(&read(&document)).links {
            if link.contains("://") {
                continue;
            }
            count += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { document.clone() } else { document.with_file_name(path) };
            assert!(target.exists(), "{} links to {link}, and there is no such file", document.display());
            if !anchor.is_empty() {
                let anchors = Outline::of(&read(&target)).anchors;
                assert!(
                    anchors.iter().any(|there| there == anchor),
                    "{} links to {link}, and there is no such heading among {anchors:?}",
                    document.display()
                );
            }
        }
    }
    assert!(count > 200, "the documents have links, but only {count} were found");
}

#[test]
fn every_page_is_in_the_contents_of_the_book() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let contents = Outline::of(&read(&docs.join("SUMMARY.md"))).links;
    for page in files(&docs, "md") {
        let name = page.strip_prefix(&docs).expect("a page").to_string_lossy().into_owned();
        let has_moved = read(&page).contains("\nThis page has moved to [");
        let is_listed = contents.contains(&name);
        assert_eq!(is_listed, !has_moved && name != "SUMMARY.md", "{name} in docs/SUMMARY.md");
    }
}

//! TeamCity, which says most of what it knows in files.

use std::fs;

use super::{Found, Variables, first, path_of_repository, without_prefix};

/// What TeamCity says of its build.
pub fn read(variables: &Variables) -> Found {
    let repo = first(variables, &["vcsroot.url"]).map(|url| path_of_repository(&url));
    let branch = first(variables, &["teamcity.build.branch", "vcsroot.branch"]);
    Found {
        repo: repo.or_else(|| first(variables, &["TEAMCITY_PROJECT_NAME"])),
        stream: branch.map(|branch| without_prefix(&branch, "refs/heads/")),
        triggered_by: first(variables, &["teamcity.build.triggeredBy.username", "TEAMCITY_BUILDCONF_NAME"]),
        dashboard_url: first(variables, &["BUILD_URL"]),
        ..Found::default()
    }
}

/// TeamCity says most of what it knows in files whose names it gives, one inside the other.
pub fn add_parameters(variables: &mut Variables) {
    for name in ["TEAMCITY_BUILD_PROPERTIES_FILE", "teamcity.configuration.properties.file"] {
        if let Some(text) = variables.get(name).and_then(|path| fs::read_to_string(path).ok()) {
            variables.extend(properties(&text));
        }
    }
}

/// The lines `name=value` of a Java properties file, in which a backslash takes a character as it is.
fn properties(text: &str) -> Variables {
    let unescaped = |text: &str| {
        let mut characters = text.chars();
        std::iter::from_fn(|| characters.next().and_then(|one| if one == '\\' { characters.next() } else { Some(one) }))
            .collect::<String>()
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (unescaped(name), unescaped(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    #[test]
    fn a_build_of_teamcity_is_described_by_its_variables_and_its_files() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let outer = format!("#comment\nteamcity.configuration.properties.file={}\n", path("inner"));
        let inner = "vcsroot.url=https\\://git.example.com/shop/web.git\nteamcity.build.branch=refs/heads/main\n\
                     teamcity.build.triggeredBy.username=ana\n";
        fs::write(path("outer"), outer).expect("written");
        fs::write(path("inner"), inner).expect("written");
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        let mut variables: Variables = [
            ("TEAMCITY_VERSION", "2023.11".to_owned()),
            ("TEAMCITY_PROJECT_NAME", "Web".to_owned()),
            ("TEAMCITY_BUILDCONF_NAME", "Load".to_owned()),
            ("BUILD_URL", "https://teamcity.example.com/build/9".to_owned()),
            ("TEAMCITY_BUILD_PROPERTIES_FILE", path("outer")),
        ]
        .map(own)
        .into();
        let plain = find(&variables);
        assert_eq!((plain.repo.as_deref(), plain.triggered_by.as_deref()), (Some("Web"), Some("Load")));
        add_parameters(&mut variables);
        let found = find(&variables);
        assert_eq!((found.repo.as_deref(), found.stream.as_deref()), (Some("shop/web"), Some("main")));
        assert_eq!(found.triggered_by.as_deref(), Some("ana"));
        assert_eq!(found.dashboard_url.as_deref(), Some("https://teamcity.example.com/build/9"));
    }
}

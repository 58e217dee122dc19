//! The lines of libpq's password file: `host:port:database:user:password`.

/// The password of the first line that is about this host, port, database and user.
pub fn password(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| password_on(line, wanted))
}

fn password_on(line: &str, wanted: [&str; 4]) -> Option<String> {
    let mut rest = line;
    for wanted in wanted {
        let (field, behind) = split(rest)?;
        // An asterisk alone stands for anything, unless it is escaped.
        if field != "*" && unescaped(field) != wanted {
            return None;
        }
        rest = behind;
    }
    let password = split(rest).map_or(rest, |(password, _)| password);
    Some(unescaped(password)).filter(|password| !password.is_empty())
}

/// What stands before the next colon that is not escaped, and behind it.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b':' if !is_escaped => return Some((&text[..index], &text[index + 1..])),
            b'\\' if !is_escaped => is_escaped = true,
            _ => is_escaped = false,
        }
    }
    None
}

fn unescaped(field: &str) -> String {
    let mut characters = field.chars();
    let mut text = String::with_capacity(field.len());
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_matches_counts_as_in_libpq() {
        for (text, found) in [
            ("db:5432:registry:me:secret", Some("secret")),
            ("db:5432:registry:me:secret\r\n", Some("secret")),
            ("*:*:*:*:any", Some("any")),
            ("other:*:*:*:wrong\ndb:*:*:*:first\n*:*:*:*:second", Some("first")),
            ("#db:5432:registry:me:comment\n\n*:5432:registry:me:secret", Some("secret")),
            (r"*:*:*:me:a\:b\\c", Some(r"a:b\c")),
            ("*:*:*:me:a:b", Some("a")),
            ("*:*:*:me:pässwörd", Some("pässwörd")),
            (r"\*:*:*:me:x", None),
            ("db:5433:registry:me:x", None),
            ("db:5432:registry:you:x", None),
            ("d*:*:*:*:x", None),
            ("db:5432:registry:me:", None),
            ("db:5432:registry:me", None),
            ("db", None),
            ("", None),
        ] {
            assert_eq!(password(text, ["db", "5432", "registry", "me"]).as_deref(), found, "{text:?}");
        }
        assert_eq!(password(r"\:\:1:*:*:*:six", ["::1", "5432", "registry", "me"]).as_deref(), Some("six"));
    }
}

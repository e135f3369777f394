//! Texts in which somebody may have written an address: what of them may be shown.
//!
//! Where a text could be parsed, `trusted_repo::Address` knows. This is for all the others: a file with a mistake in it, an
//! answer of a tool, an argument or a value of a setting that is no address.

/// A text in which somebody may have written addresses, without what may be secret in them: for whatever is shown of a
/// text that could not be parsed.
#[must_use]
pub fn redacted(text: &str) -> String {
    let ends = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>');
    let mut shown = String::with_capacity(text.len());
    for part in addresses_redacted(text).split_inclusive(ends) {
        // `user:password@host`, as proxies may be written.
        match part.rsplit_once('@') {
            Some((login, host)) if !part.contains("://") && login.contains(':') => {
                // Nor what follows a question mark, up to where the part ends.
                let (bare, end) = host.split_at(host.trim_end_matches(ends).len());
                let bare = bare.split_once('?').map_or(bare.to_owned(), |(bare, _)| format!("{bare}?…"));
                shown.push_str(&format!("…@{bare}{end}"));
            }
            _ => shown.push_str(part),
        }
    }
    shown
}

fn addresses_redacted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end =
            after.find(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>'));
        let (address, behind) = after.split_at(end.unwrap_or(after.len()));
        let (address, query) = match address.split_once('?') {
            Some((address, _)) => (address, "?…"),
            None => (address, ""),
        };
        let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        match host.rsplit_once('@') {
            Some((_, host)) => shown.push_str(&format!("…@{host}")),
            // A password may have a slash that nobody has escaped.
            None => match path.rsplit_once('@') {
                Some((_, path)) => {
                    shown.push_str(&format!("…@{path}{query}"));
                    rest = behind;
                    continue;
                }
                None => shown.push_str(host),
            },
        }
        shown.push_str(path);
        shown.push_str(query);
        rest = behind;
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_shown_without_the_secrets_of_its_addresses() {
        assert_eq!(
            redacted("a = \"http://me:s3cret@host/x?sig=abc\" b = 'https://h/' c"),
            "a = \"http://…@host/x?…\" b = 'https://h/' c"
        );
        assert_eq!(redacted("http://me:s3/cret@host/x"), "http://…@host/x");
        assert_eq!(redacted("me:s3cret@host/x?sig=abc y"), "…@host/x?… y");
        assert_eq!(redacted("no address"), "no address");
        assert_eq!(redacted("p = \"me:s3cret@proxy:1\" # me@home"), "p = \"…@proxy:1\" # me@home");
    }

    proptest! {
        #[test]
        fn no_secret_of_an_address_in_a_text_is_shown(
            user in "[a-z]{6}",
            password in "[A-Z]{8}",
            query in "[0-9]{9}"
        ) {
            let shown = redacted(&format!("x http://{user}:{password}@host/path?q={query} y"));
            prop_assert!(!shown.contains(&password) && !shown.contains(&query) && !shown.contains(&user));
        }

        #[test]
        fn any_text_can_be_shown(text in "\\PC{0,60}") {
            let _ = redacted(&text);
        }
    }
}

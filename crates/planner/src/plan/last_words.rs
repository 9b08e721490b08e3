//! The last line of a runner's output, as it stands in reasons.
//!
//! Forgejo Runner logs lines like `time="…" level=error msg="…"`; of those only the message is worth a place.

/// How much of it is kept, in characters.
const LONGEST: usize = 200;

/// Begins the message of such a line.
const MESSAGE: &str = " msg=\"";

/// The words of a line, without what a logger has put around them.
pub(super) fn plain(line: &str) -> String {
    let line = line.trim();
    let message = line.strip_prefix("time=").and_then(|rest| rest.split_once(MESSAGE)).map(|(_, message)| message);
    match message {
        Some(message) => unquoted(message).take(LONGEST).collect(),
        None => line.chars().take(LONGEST).collect(),
    }
}

/// The characters up to the closing quote; a backslash takes the next one as it is.
fn unquoted(text: &str) -> impl Iterator<Item = char> {
    let mut characters = text.chars();
    std::iter::from_fn(move || match characters.next()? {
        '"' => None,
        '\\' => characters.next(),
        other => Some(other),
    })
    .fuse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_loggers_line_only_the_message_is_kept() {
        let line = r#"time="2026-11-24T07:00:00Z" level=error msg="no \"docker\" here" module=main"#;
        assert_eq!(plain(line), r#"no "docker" here"#);
        assert_eq!(plain(" cannot find my engine\n"), "cannot find my engine");
        assert_eq!(plain(r#"say msg="hello""#), r#"say msg="hello""#);
        assert_eq!(plain(&"x".repeat(300)).len(), LONGEST);
    }
}

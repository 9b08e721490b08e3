//! The document that keeps the figures: everything between two markers is ours, the rest is its author's.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Before the figures.
const BEGIN: &str = "<!-- figures: written by `cargo xtask bench all --write` -->";

/// After the figures.
const END: &str = "<!-- end of figures -->";

/// Puts sentence and table into the file.
pub(crate) fn write(path: &Path, sentence: &str, table: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let changed = replaced(&text, &format!("{sentence}\n\n{table}"))
        .with_context(|| format!("{} has not the markers `{BEGIN}` and `{END}`", path.display()))?;
    fs::write(path, changed).with_context(|| format!("cannot write {}", path.display()))
}

/// The text with something else between the markers; nothing if they are not there.
fn replaced(text: &str, figures: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", figures.trim_end()))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    fn performance() -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/performance.md");
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn figures_replace_what_is_between_the_markers_and_nothing_else() {
        let text = format!("# T\n{BEGIN}\nold\n{END}\nrest\n");
        let expected = format!("# T\n{BEGIN}\n\nnew\n\n{END}\nrest\n");
        assert_eq!(replaced(&text, "new\n").as_deref(), Some(expected.as_str()));
        assert_eq!(replaced(&expected, "new\n").as_deref(), Some(expected.as_str()));
        assert_eq!(replaced("no markers", "new"), None);
        assert!(replaced(&performance(), "new").is_some());
    }

    #[test]
    fn every_command_of_the_document_exists() {
        let text = performance();
        let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("cargo xtask ")).collect();
        assert!(commands.len() >= 3, "{commands:?}");
        for command in commands {
            let words = command.split('#').next().unwrap_or_default().split_whitespace();
            let parsed = Arguments::try_parse_from(words);
            assert!(parsed.is_ok(), "{command}: {parsed:?}");
        }
    }
}

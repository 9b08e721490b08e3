//! The rules, applied to the tree.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::rules;
use crate::tree;

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// The file, below the root.
    pub(crate) path: String,
    /// The line, from 1; nothing for the file as a whole.
    pub(crate) line: Option<usize>,
    /// What is wrong.
    pub(crate) rule: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))?;
        write!(f, ": {}", self.rule)
    }
}

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All breaches, in the order of the paths.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<Complaint>> {
    let files = tree::files(root)?;
    let mut complaints: Vec<Complaint> = files.iter().flat_map(rules::of_file).collect();
    complaints.extend(rules::of_tree(&files));
    complaints.sort_by(|left, right| (&left.path, left.line).cmp(&(&right.path, right.line)));
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::{check, root};

    #[test]
    fn the_tree_is_tidy() {
        let complaints = check(&root()).unwrap();
        let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{} breaches:\n{}", lines.len(), lines.join("\n"));
    }
}

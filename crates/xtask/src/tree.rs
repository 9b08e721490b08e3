//! The project's files: everything below the root that is text and not made by a build.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// What is not the project's own text, wherever it is: folders, and the file that stands for `.git` in a linked worktree.
const NOT_OURS: [&str; 2] = ["target", ".git"];

/// Larger files are data.
const LARGEST: u64 = 1 << 20;

/// One text file.
pub(crate) struct TextFile {
    /// Its path below the root, with `/`.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

/// All text files, in the order of their paths. Links are not followed.
pub(crate) fn files(root: &Path) -> anyhow::Result<Vec<TextFile>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if NOT_OURS.iter().any(|name| entry.file_name() == **name) {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.extend(text_file(root, &entry.path())?);
            }
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(found)
}

fn text_file(root: &Path, path: &PathBuf) -> anyhow::Result<Option<TextFile>> {
    let metadata = fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?;
    if metadata.len() > LARGEST {
        return Ok(None);
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let below = path.strip_prefix(root).unwrap_or(path);
    Ok(String::from_utf8(bytes).ok().map(|text| TextFile { path: below.display().to_string(), text }))
}

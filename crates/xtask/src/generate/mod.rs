//! Documents that are made from the program: written by `cargo xtask generate`, and held against it by the tests.

mod commands;
mod page;
mod schema;

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// One document.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its path below the root.
    pub(crate) path: &'static str,
    /// What belongs in there.
    pub(crate) text: String,
}

/// All of them.
fn documents() -> anyhow::Result<Vec<Document>> {
    let keys = daemon::config::keys();
    let mut schema = serde_json::to_string_pretty(&schema::schema(&keys)).context("cannot write the schema")?;
    schema.push('\n');
    Ok(vec![
        Document { path: "docs/reference/config.schema.json", text: schema },
        Document { path: "docs/reference/config.md", text: page::page(&keys) },
        Document { path: "docs/reference/commands.md", text: commands::page(cli::command_line()) },
    ])
}

/// Those whose file says something else, or is not there.
fn stale(root: &Path) -> anyhow::Result<Vec<Document>> {
    let is_stale = |document: &Document| {
        fs::read_to_string(root.join(document.path)).ok().as_deref() != Some(document.text.as_str())
    };
    Ok(documents()?.into_iter().filter(is_stale).collect())
}

/// Writes those that are stale, and gives them back.
pub(crate) fn write(root: &Path) -> anyhow::Result<Vec<Document>> {
    let stale = stale(root)?;
    for document in &stale {
        let file = root.join(document.path);
        let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&file, &document.text));
        written.with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(stale)
}

#[cfg(test)]
mod tests {
    use super::stale;
    use crate::tidy::root;

    #[test]
    fn what_is_generated_is_fresh() {
        let stale: Vec<&str> = stale(&root()).unwrap().iter().map(|document| document.path).collect();
        assert!(stale.is_empty(), "stale: {}; mend it with `cargo xtask generate`", stale.join(", "));
    }
}

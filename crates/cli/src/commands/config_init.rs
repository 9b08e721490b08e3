//! `forgescale config init`: writes the commented example.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::anyhow;
use daemon::config::example;

use crate::failure::Failure;

/// Writes the example to a new file, or to `out`.
pub(super) fn run(output: Option<&Path>, out: &mut impl Write) -> Result<(), Failure> {
    let Some(path) = output else {
        return Ok(out.write_all(example().as_bytes())?);
    };
    let written = File::create_new(path).and_then(|mut file| file.write_all(example().as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::not_done(anyhow!("{} exists already", path.display()))
            .hint("remove it first, or choose another name"),
        _ => Failure::not_done(anyhow::Error::new(error).context(format!("cannot write {}", path.display()))),
    })
}

//! What is told when a seed breaks: the last events, and the smallest world that breaks so, as a file that can be kept.

use std::io;
use std::path::{Path, PathBuf};

use simulation::{Shape, Shrunk, explain, shrink};

use super::say;

/// So many worlds are run to find a smaller one.
const MOST_RUNS: u32 = 400;
/// Where scenarios are, seen from the root of the project.
const SCENARIOS: &str = "crates/simulation/tests/scenarios";

/// Tells about a seed that breaks.
pub(super) fn tell(seed: u64) {
    say(&format!("\n{}", explain(&Shape::of(seed))));
    // What panics has been told once.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let shrunk = shrink(&Shape::of(seed), MOST_RUNS);
    std::panic::set_hook(told);
    let Some(shrunk) = shrunk else { return };
    say(&format!("\nmade smaller in {} runs:\n{shrunk}", shrunk.runs));
    match keep(&shrunk) {
        Ok(path) => {
            let path = path.display();
            say(&format!(
                "written to {path}: `cargo test -p simulation scenarios` plays it, `cargo xtask trace {path}` tells all"
            ));
        }
        Err(error) => say(&format!("it could not be written: {error}")),
    }
}

/// Writes a scenario file beside the others, or where there are none, here.
#[expect(clippy::disallowed_methods, reason = "the file is what a person keeps")]
fn keep(shrunk: &Shrunk) -> io::Result<PathBuf> {
    let folder = if Path::new(SCENARIOS).is_dir() { Path::new(SCENARIOS) } else { Path::new("") };
    let path = folder.join(format!("seed-{}.txt", shrunk.shape.seed));
    std::fs::write(&path, shrunk.to_string())?;
    Ok(path)
}

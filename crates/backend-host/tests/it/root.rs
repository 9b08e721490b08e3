//! Tests that only root can run.

use crate::skipped::skip;

/// Whether the calling test can run machines as other users. Says so if not.
pub(crate) fn as_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("only root can run jobs as another user");
    }
    root
}

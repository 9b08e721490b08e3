//! A file with a secret that everybody can read.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::finding::Finding;
use crate::private::is_readable_by_all;

/// What is said where a file is one. `so`: what follows from it, if that is not plain.
pub(super) fn check(subject: &str, file: &Path, so: &str) -> Option<Finding> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode();
    let shown = file.display();
    let message = format!("everybody on this machine can read {shown}{so}");
    is_readable_by_all(mode).then(|| Finding::warning(subject, message).hint(format!("chmod 600 {shown}")))
}

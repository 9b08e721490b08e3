//! Names of repositories: told by the forge, or by the scope that a job was seen in.
//!
//! A job's row has the id of its repository alone, and the look-up of a name needs a right of its own (protocol 1.8). A
//! scope that is one repository names it all the same, and one that is an organization names at least the owner.

use daemon::report_file::{ReportFile, RepositoryName};
use planner::report::JobReport;

/// What telling names needs.
const NEEDED: &str = "for names of repositories the token needs read:repository";

/// What is said as long as a name may still come.
const LOOKED_UP: &str = "its name is being looked up";

/// Whether a job is of the repository that somebody named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    Yes,
    No,
    Perhaps,
}

/// The name of a job's repository, as far as it is known.
pub(super) fn name<'a>(job: &'a JobReport, file: &'a ReportFile) -> Option<&'a str> {
    told(job, file).and_then(|told| told.name.as_deref()).or_else(|| job.scope.as_str().strip_prefix("repo:"))
}

/// Why the name of a job's repository is not known.
pub(super) fn why_not(job: &JobReport, file: &ReportFile) -> &'static str {
    if told(job, file).is_some() { NEEDED } else { LOOKED_UP }
}

/// What the forge has said of the name of a job's repository.
fn told<'a>(job: &JobReport, file: &'a ReportFile) -> Option<&'a RepositoryName> {
    file.repositories.iter().find(|known| known.forge == job.forge && known.id == job.repository)
}

/// Whether a scope may show jobs of the repository `owner/name`.
pub(super) fn covers(scope: &str, repository: &str) -> bool {
    let owner = repository.split('/').next().unwrap_or_default();
    match scope.split_once(':') {
        Some(("org", name)) => name.eq_ignore_ascii_case(owner),
        Some(("repo", name)) => name.eq_ignore_ascii_case(repository),
        _ => true,
    }
}

/// Whether a job is of the repository `owner/name`. Names of owners and repositories differ by more than case.
pub(super) fn meant(job: &JobReport, repository: &str, file: &ReportFile) -> Meant {
    let scope = job.scope.as_str();
    let by_scope = scope.strip_prefix("repo:").is_some_and(|name| name.eq_ignore_ascii_case(repository));
    // A scope may be written by an old name, and the forge may tell the new one: either is meant.
    match name(job, file) {
        _ if by_scope => Meant::Yes,
        Some(name) if name.eq_ignore_ascii_case(repository) => Meant::Yes,
        None if covers(scope, repository) => Meant::Perhaps,
        Some(_) | None => Meant::No,
    }
}

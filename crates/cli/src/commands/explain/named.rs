//! Names of repositories: told by the forge, or by the scope that a job was seen in.
//!
//! A job's row has the id of its repository alone, and the look-up of a name needs a right of its own (protocol 1.8). A
//! scope that is one repository names it all the same, and one that is an organization names at least the owner.

use daemon::report_file::ReportFile;
use planner::report::JobReport;

/// What telling names needs.
pub(super) const NEEDED: &str = "for names of repositories the token needs read:repository";

/// Whether a job is of the repository that somebody named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    Yes,
    No,
    Perhaps,
}

/// The name of a job's repository, as far as it is known.
pub(super) fn name<'a>(job: &'a JobReport, file: &'a ReportFile) -> Option<&'a str> {
    let told = file.repositories.iter().find(|known| known.forge == job.forge && known.id == job.repository);
    told.map(|known| known.name.as_str()).or_else(|| job.scope.as_str().strip_prefix("repo:"))
}

/// Whether a job is of the repository `owner/name`. Names of owners and repositories differ by more than case.
pub(super) fn meant(job: &JobReport, repository: &str, file: &ReportFile) -> Meant {
    let scope = job.scope.as_str();
    let by_scope = scope.strip_prefix("repo:").is_some_and(|name| name.eq_ignore_ascii_case(repository));
    // A scope may be written by an old name, and the forge may tell the new one: either is meant.
    match name(job, file) {
        _ if by_scope => Meant::Yes,
        Some(name) if name.eq_ignore_ascii_case(repository) => Meant::Yes,
        Some(_) => Meant::No,
        None => {
            let owner = repository.split('/').next().unwrap_or_default();
            match scope.strip_prefix("org:") {
                Some(organization) if !organization.eq_ignore_ascii_case(owner) => Meant::No,
                _ => Meant::Perhaps,
            }
        }
    }
}

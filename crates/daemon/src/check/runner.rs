//! Which Forgejo Runner a backend has.

use backend_host::{Program, RunnerVersion, RunnerVersionError, User, runner_version};

use super::finding::Finding;
use crate::chain;

/// Asks the program. `path` is the PATH that it gets; it runs as `user` where one is given.
pub(super) async fn check(subject: &str, program: &Program, path: &str, user: Option<&User>) -> Finding {
    let shown = program.path.display();
    let version = match runner_version(program, path, user).await {
        Ok(version) => version,
        Err(error @ RunnerVersionError::Unknown { .. }) => {
            return Finding::warning(subject, chain(&error))
                .hint("a build of your own? It must know what Forgejo Runner 12.8.2 knows");
        }
        Err(error) => {
            return Finding::error(subject, chain(&error)).hint(upgrade());
        }
    };
    if version < RunnerVersion::LEAST {
        let message = format!("{shown} is version {version}, which cannot run one job by its handle");
        return Finding::error(subject, message).hint(upgrade());
    }
    if version < RunnerVersion::LEAST_WITHOUT_DOUBT {
        let message =
            format!("{shown} is version {version}, which ends with 0 when it got no job, as if it had had one");
        return Finding::warning(subject, message).hint(upgrade());
    }
    Finding::ok(subject, format!("{shown} is version {version}"))
}

fn upgrade() -> String {
    format!("install Forgejo Runner {} or newer", RunnerVersion::LEAST_WITHOUT_DOUBT)
}

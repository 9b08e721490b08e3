//! One backend: its runner program, what its jobs can reach, and what its labels need.

use backend_host::{RunAs, RunnerVersion, RunnerVersionError, runner_version};
use planner::ids::BackendId;
use planner::label::Environment;

use super::docker;
use super::finding::Finding;
use crate::chain;
use crate::config::{Backend, BackendKind, Config, HostSettings, Pool};

/// Everything about one backend.
pub(super) async fn check(id: &BackendId, backend: &Backend, config: &Config) -> Vec<Finding> {
    let subject = format!("backend {id}");
    let BackendKind::Host(host) = &backend.kind;
    let pools = || config.pools.iter().filter(|pool| pool.policy.backend == *id);
    let mut findings = vec![runner(&subject, host).await];
    findings.extend(docker::check(&subject, host, pools()));
    findings.extend(reach_of_jobs(&subject, host, pools()));
    findings
}

async fn runner(subject: &str, host: &HostSettings) -> Finding {
    let shown = host.runner.display();
    let program = host.program();
    let version = match runner_version(&program, &host.path).await {
        Ok(version) => version,
        Err(error @ RunnerVersionError::Unknown { .. }) => {
            return Finding::warning(subject, chain(&error))
                .hint("a build of your own? It must know what Forgejo Runner 12.8 knows");
        }
        Err(error) => {
            return Finding::error(subject, chain(&error))
                .hint(format!("install Forgejo Runner {} or newer", RunnerVersion::LEAST_WITHOUT_DOUBT));
        }
    };
    if version < RunnerVersion::LEAST {
        let message = format!("{shown} is version {version}, which cannot run one job by its handle");
        return Finding::error(subject, message).hint("install Forgejo Runner 12.8.2 or newer");
    }
    if version < RunnerVersion::LEAST_WITHOUT_DOUBT {
        let message =
            format!("{shown} is version {version}, which ends with 0 when it got no job, as if it had had one");
        return Finding::warning(subject, message).hint("install Forgejo Runner 12.8.2 or newer");
    }
    Finding::ok(subject, format!("{shown} is version {version}"))
}

/// What jobs that run on the host itself can read, by the user that they run as.
fn reach_of_jobs<'a>(subject: &str, host: &HostSettings, mut pools: impl Iterator<Item = &'a Pool>) -> Option<Finding> {
    let on_host = |pool: &&Pool| pool.policy.labels.iter().any(|label| *label.environment() == Environment::Host);
    let pool = pools.find(on_host)?;
    let jobs = format!("jobs of the pool {}", pool.policy.id);
    Some(match &host.run_as {
        RunAs::Daemon => Finding::warning(
            subject,
            format!(
                "{jobs} run as the user of Forgescale itself: each can read the forge's token and the files of other jobs"
            ),
        )
        .hint("run Forgescale as root with `user` or `users`, serve only repositories that you trust, or use docker:// labels"),
        RunAs::One(user) => {
            Finding::ok(subject, format!("{jobs} run as {}: each can read the files of the others", user.name))
        }
        RunAs::OnePerMachine(users) => {
            Finding::ok(subject, format!("{jobs} run as {} users, one for each machine", users.len()))
        }
    })
}

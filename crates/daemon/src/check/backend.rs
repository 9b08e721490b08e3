//! One backend: its runner program, what its jobs can reach, and what its labels need.

use backend_host::{RunAs, RunnerVersion, RunnerVersionError, runner_version};
use planner::ids::BackendId;

use super::finding::Finding;
use super::{containers, docker, jobs, limits, lxc};
use crate::chain;
use crate::config::{Backend, BackendKind, Config, HostSettings, Pool};

/// Everything about one backend.
pub(super) async fn check(id: &BackendId, backend: &Backend, config: &Config) -> Vec<Finding> {
    let subject = format!("backend {id}");
    let pools = || config.pools.iter().filter(|pool| pool.policy.backend == *id);
    let host = match &backend.kind {
        BackendKind::Host(host) => host,
        BackendKind::Docker(docker) => return containers::check(id, docker, config, pools()).await,
    };
    let mut findings = vec![runner(&subject, host).await];
    findings.extend(jobs::hindrances(&subject, host, config));
    findings.extend(limits::check(&subject, &host.limits));
    findings.extend(pools().filter_map(|pool| few_users(&subject, host, pool)));
    findings.extend(docker::check(&subject, host, pools()).await);
    findings.extend(lxc::check(&subject, host, pools()));
    findings.extend(jobs::check(&subject, host, config, pools()));
    findings
}

async fn runner(subject: &str, host: &HostSettings) -> Finding {
    let shown = host.runner.display();
    let program = host.program();
    let version = match runner_version(&program, &host.path, host.run_as.users().first()).await {
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

/// A pool that would have more machines than there are users for.
fn few_users(subject: &str, host: &HostSettings, pool: &Pool) -> Option<Finding> {
    let RunAs::OnePerMachine(users) = &host.run_as else { return None };
    let (id, max, users) = (&pool.policy.id, pool.policy.max, users.len());
    (u32::try_from(users).is_ok_and(|users| max > users)).then(|| {
        let message =
            format!("the pool {id} may have {max} machines at once, but there are {users} `users`, each for one");
        Finding::warning(subject, message).hint(format!("name more users, or set max = {users} in the pool"))
    })
}

fn upgrade() -> String {
    format!("install Forgejo Runner {} or newer", RunnerVersion::LEAST_WITHOUT_DOUBT)
}

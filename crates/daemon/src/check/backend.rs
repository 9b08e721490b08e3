//! One backend: its runner program, what its jobs can reach, and what its labels need.

use backend_host::RunAs;
use planner::ids::BackendId;

use super::finding::Finding;
use super::{containers, docker, jobs, limits, lxc, runner};
use crate::config::{Backend, BackendKind, Config, HostSettings, Pool};

/// Everything about one backend.
pub(super) async fn check(id: &BackendId, backend: &Backend, config: &Config) -> Vec<Finding> {
    let subject = format!("backend {id}");
    let pools = || config.pools.iter().filter(|pool| pool.policy.backend == *id);
    let host = match &backend.kind {
        BackendKind::Host(host) => host,
        BackendKind::Docker(docker) => return containers::check(id, docker, config, pools()).await,
    };
    let mut findings = vec![runner::check(&subject, &host.program(), &host.path, host.run_as.users().first()).await];
    findings.extend(jobs::hindrances(&subject, host, config));
    findings.extend(limits::check(&subject, &host.limits));
    findings.extend(pools().filter_map(|pool| few_users(&subject, host, pool)));
    findings.extend(docker::check(&subject, host, pools()).await);
    findings.extend(lxc::check(&subject, host, pools()));
    findings.extend(jobs::check(&subject, host, config, pools()));
    findings
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

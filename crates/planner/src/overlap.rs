//! Overlap: runners that are not ours and could take the jobs of our pools (design section 8, "Persistent runners beside
//! us"). The forge hands a job to whoever fits first, so that such a job runs on our machine or on that runner by chance.
//!
//! Judged from the labels alone: a job whose `runs_on` lies within what both have could go to either. Runners of another
//! autoscaler are left out, as they are ephemeral and wait for one job each; so are fenced ones, whose only label is none
//! of a pool's. One that is offline takes nothing now: it is told, and whoever reads it decides what to say.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{PoolId, RunnerId};
use crate::label::Label;
use crate::policy::PoolPolicy;
use crate::seen::RunnerStatus;

/// A runner that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRunner {
    /// Its row id.
    pub id: RunnerId,
    /// Its name; not unique.
    pub name: String,
    /// Names of its labels; none until it has declared itself.
    pub labels: Vec<String>,
    /// Whether it takes one job only.
    pub ephemeral: bool,
    /// Its activity by the forge's clocks.
    pub status: RunnerStatus,
}

/// A runner that could take jobs of ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Overlap {
    /// Its row id.
    pub id: RunnerId,
    /// Its name.
    pub name: String,
    /// Labels that it shares with pools, sorted.
    pub labels: Vec<String>,
    /// The pools that have one of them, in the order of the configuration.
    pub pools: Vec<PoolId>,
    /// Whether it was in touch with the forge within the last minute, as far as is known (protocol 1.4).
    pub online: bool,
}

/// The runners that could take jobs of these pools, in the order of `runners`.
pub fn overlap(pools: &[PoolPolicy], runners: &[ForeignRunner]) -> Vec<Overlap> {
    runners.iter().filter(|runner| !runner.ephemeral).filter_map(|runner| of_runner(pools, runner)).collect()
}

fn of_runner(pools: &[PoolPolicy], runner: &ForeignRunner) -> Option<Overlap> {
    let theirs: BTreeSet<&str> = runner.labels.iter().map(String::as_str).collect();
    let mut labels = BTreeSet::new();
    let mut shared_with = Vec::new();
    for pool in pools {
        let mut shared = pool.labels.iter().map(Label::name).filter(|name| theirs.contains(name)).peekable();
        if shared.peek().is_some() {
            shared_with.push(pool.id.clone());
        }
        labels.extend(shared.map(str::to_owned));
    }
    let online = runner.status != RunnerStatus::Offline;
    let labels: Vec<String> = labels.into_iter().collect();
    (!labels.is_empty()).then(|| Overlap {
        id: runner.id,
        name: runner.name.clone(),
        labels,
        pools: shared_with,
        online,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BackendId;
    use crate::policy::{Clocks, WarmPolicy};

    fn pool(name: &str, labels: &[&str]) -> PoolPolicy {
        PoolPolicy {
            id: PoolId::new(name),
            labels: labels.iter().map(|label| Label::parse(label).unwrap()).collect(),
            backend: BackendId::new("here"),
            max: 1,
            priority: 0,
            max_per_repository: None,
            clocks: Clocks::default(),
            warm: WarmPolicy::default(),
        }
    }

    fn runner(labels: &[&str]) -> ForeignRunner {
        ForeignRunner {
            id: RunnerId(7),
            name: "old".to_owned(),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            ephemeral: false,
            status: RunnerStatus::Idle,
        }
    }

    #[test]
    fn a_runner_that_shares_labels_is_named_with_them_and_the_pools() {
        let pools = [pool("a", &["debian:docker", "gpu:host"]), pool("b", &["debian:host"]), pool("c", &["arm"])];
        let found = overlap(&pools, &[runner(&["gpu", "debian", "windows"])]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].labels, ["debian", "gpu"]);
        assert_eq!(found[0].pools, [PoolId::new("a"), PoolId::new("b")]);
        assert!(found[0].online);
    }

    #[test]
    fn runners_that_can_take_none_of_our_jobs_are_left_out() {
        let pools = [pool("a", &["debian"])];
        let ephemeral = ForeignRunner { ephemeral: true, ..runner(&["debian"]) };
        let others = [runner(&["Debian"]), runner(&[]), runner(&["forgescale-fenced"]), ephemeral];
        assert_eq!(overlap(&pools, &others), []);
    }

    #[test]
    fn one_that_is_offline_is_told_as_such() {
        let offline = ForeignRunner { status: RunnerStatus::Offline, ..runner(&["debian"]) };
        assert!(!overlap(&[pool("a", &["debian"])], &[offline])[0].online);
    }
}

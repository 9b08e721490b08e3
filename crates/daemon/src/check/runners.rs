//! Persistent runners beside us: the forge hands a job to whoever fits first (design section 8).
//!
//! Those of single repositories within an organization or a user are in no list of that scope (protocol 1.4); the
//! daemon does not see them either.

use std::collections::BTreeMap;

use forgejo::{ErrorClass, Listing, Runner};
use futures_util::{StreamExt as _, stream};
use planner::overlap::{Overlap, overlap};
use planner::policy::PoolPolicy;

use super::SIDE_BY_SIDE;
use super::finding::Finding;
use crate::config::{Config, Forge};
use crate::convert;
use crate::forges::ScopeClient;

/// More than these are counted instead of named.
const MOST_NAMED: usize = 10;

/// All runners that jobs of a forge's scopes can go to, against all pools.
pub(super) async fn check(forge: &Forge, clients: &[&ScopeClient], config: &Config) -> Vec<Finding> {
    let subject = format!("runners of {}", forge.id);
    let lists = clients.iter().map(|of| of.client.list_runners_in_reach(&of.scope));
    let listings: Vec<_> = stream::iter(lists).buffered(SIDE_BY_SIDE).collect().await;
    let mut doubts = Vec::new();
    let mut rows: BTreeMap<i64, Runner> = BTreeMap::new();
    let mut read = 0;
    for listed in listings {
        match listed {
            Ok(Listing { rows: found, problem, .. }) => {
                read += 1;
                rows.extend(found.into_iter().map(|row| (row.id, row)));
                doubts.extend(problem.map(|problem| incomplete(&subject, &problem)));
            }
            // What a token lacks is told by its scope.
            Err(error) if !matches!(error.class(), ErrorClass::Transient | ErrorClass::RateLimited { .. }) => {}
            Err(error) => doubts.push(incomplete(&subject, &crate::chain(&error))),
        }
    }
    if read == 0 {
        return doubts;
    }
    let rows: Vec<Runner> = rows.into_values().collect();
    let foreign = convert::foreign_runners(&config.deployment, &forge.id, &rows);
    let pools: Vec<PoolPolicy> = config.pools.iter().map(|pool| pool.policy.clone()).collect();
    [told(&subject, &overlap(&pools, &foreign)), doubts].concat()
}

fn incomplete(subject: &str, problem: &str) -> Finding {
    Finding::warning(subject, format!("they could not all be listed: {problem}")).hint("try again")
}

fn told(subject: &str, overlaps: &[Overlap]) -> Vec<Finding> {
    let (online, offline): (Vec<&Overlap>, Vec<&Overlap>) = overlaps.iter().partition(|overlap| overlap.online);
    let mut findings: Vec<Finding> = online.iter().take(MOST_NAMED).map(|overlap| beside(subject, overlap)).collect();
    if online.len() > MOST_NAMED {
        let message = format!("so do {} more", online.len() - MOST_NAMED);
        findings.push(Finding::warning(subject, message).hint("give our pools labels that no other runner has"));
    }
    if findings.is_empty() {
        let message = match offline.first() {
            None => "no persistent runner in reach shares a label with our pools".to_owned(),
            Some(first) => format!(
                "persistent runners that share labels with our pools are all offline: {}, the first is {} ({})",
                offline.len(),
                first.name,
                first.labels.join(", ")
            ),
        };
        findings.push(Finding::ok(subject, message));
    }
    findings
}

fn beside(subject: &str, overlap: &Overlap) -> Finding {
    let Overlap { id, name, labels, pools, .. } = overlap;
    let pools: Vec<&str> = pools.iter().map(planner::ids::PoolId::as_str).collect();
    let message = format!(
        "the persistent runner {name} (id {}) takes jobs that our pools ({}) serve too, by its labels {}",
        id.0,
        pools.join(", "),
        labels.join(", ")
    );
    Finding::warning(subject, message)
        .hint("give one of the two other labels: the forge hands a job to whoever asks first")
}

//! Persistent runners beside us: the forge hands a job to whoever fits first (design section 8).
//!
//! Those of single repositories within an organization or a user are in no list of that scope (protocol 1.4); the
//! daemon does not see them either.

use std::collections::BTreeMap;

use forgejo::{Error, ErrorClass, Listing, Runner};
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
    if clients.is_empty() {
        // Without a token nothing was asked, and why is told elsewhere.
        return Vec::new();
    }
    let subject = format!("runners of {}", forge.id);
    let lists = clients.iter().map(|of| of.client.list_runners_in_reach(&of.scope));
    let listings: Vec<_> = stream::iter(lists).buffered(SIDE_BY_SIDE).collect().await;
    let mut rows: BTreeMap<i64, Runner> = BTreeMap::new();
    let mut doubts = Vec::new();
    for (of, listed) in clients.iter().zip(listings) {
        doubts.extend(doubt(&listed).map(|(why, hint)| {
            Finding::warning(&subject, format!("those in reach of {} were not all listed: {why}", of.scope)).hint(hint)
        }));
        rows.extend(listed.into_iter().flat_map(|listing| listing.rows).map(|row| (row.id, row)));
    }
    let rows: Vec<Runner> = rows.into_values().collect();
    let foreign = convert::foreign_runners(&config.deployment, &forge.id, &rows);
    let pools: Vec<PoolPolicy> = config.pools.iter().map(|pool| pool.policy.clone()).collect();
    let overlaps = overlap(&pools, &foreign);
    let mut findings = beside_us(&subject, &overlaps);
    if findings.is_empty() && doubts.is_empty() {
        findings.push(none_beside_us(&subject, &overlaps));
    }
    [findings, doubts].concat()
}

/// Why a list does not show all, and what to do; nothing when it does.
fn doubt(listed: &Result<Listing<Runner>, Error>) -> Option<(String, &'static str)> {
    match listed {
        Ok(Listing { problem: Some(problem), .. }) => Some((problem.clone(), "try again")),
        Ok(Listing { bad_rows, .. }) if !bad_rows.is_empty() => {
            Some((format!("{} could not be read", bad_rows.len()), "look into the forge's own log"))
        }
        Ok(_) => None,
        Err(error) => {
            let hint = match error.class() {
                ErrorClass::Transient | ErrorClass::RateLimited { .. } => "try again",
                _ => "see the scope",
            };
            Some((crate::chain(error), hint))
        }
    }
}

/// Those that are online.
fn beside_us(subject: &str, overlaps: &[Overlap]) -> Vec<Finding> {
    let online: Vec<&Overlap> = overlaps.iter().filter(|overlap| overlap.online).collect();
    let mut findings: Vec<Finding> = online.iter().take(MOST_NAMED).map(|overlap| beside(subject, overlap)).collect();
    if online.len() > MOST_NAMED {
        let message = format!("so do {} more", online.len() - MOST_NAMED);
        findings.push(Finding::warning(subject, message).hint("give our pools labels that no other runner has"));
    }
    findings
}

/// That none is online, which is known when all lists were read to their end.
fn none_beside_us(subject: &str, offline: &[Overlap]) -> Finding {
    let message = match offline.first() {
        None => "no persistent runner in reach shares a label with our pools".to_owned(),
        Some(first) => format!(
            "persistent runners that share labels with our pools are all offline: {}, the first is {} ({})",
            offline.len(),
            first.name,
            first.labels.join(", ")
        ),
    };
    Finding::ok(subject, message)
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

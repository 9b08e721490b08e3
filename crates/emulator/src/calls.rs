//! Counts of requests, by what they asked.

use std::collections::BTreeMap;

use crate::route::RouteKind;

/// How many requests came, by kind; requests whose answer was lost to a fault count as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    counts: BTreeMap<RouteKind, u64>,
}

impl Calls {
    /// Requests of one kind.
    pub fn of(&self, kind: RouteKind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// Requests of every kind seen so far.
    pub fn by_kind(&self) -> impl Iterator<Item = (RouteKind, u64)> + '_ {
        self.counts.iter().map(|(kind, count)| (*kind, *count))
    }

    /// All requests to the REST API: what an autoscaler costs a forge.
    pub fn rest(&self) -> u64 {
        self.by_kind().filter(|(kind, _)| !kind.is_rpc()).map(|(_, count)| count).sum()
    }

    /// All requests.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    pub(crate) fn count(&mut self, kind: RouteKind) {
        *self.counts.entry(kind).or_insert(0) += 1;
    }
}

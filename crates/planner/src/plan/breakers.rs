//! Pools whose launches fail one after the other, whatever the job: they rest, and then one launch at a time is a probe.
//!
//! ```text
//! closed ─► five launches in a row failed ─► open: rests, ever longer ─► half open: one launch at a time
//!   ▲                                          ▲──── it failed ────────────┘ │
//!   └──────────────── a job ran, or its runner waited in vain ◄──────────────┘
//! ```
//!
//! A handle that fails is parked by itself. This is for the pool in which everything fails: a thousand jobs would make three
//! machines each.

use std::collections::BTreeMap;

use super::context::Context;
use crate::ids::PoolId;
use crate::policy::PoolPolicy;
use crate::report::Reason;
use crate::state::Breaker;

/// The pools that are half open.
pub(super) struct Breakers {
    half_open: BTreeMap<PoolId, Probe>,
}

struct Probe {
    under_way: bool,
    last_error: String,
}

impl Breakers {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let journal = &context.state.journal;
        let broken = journal.breakers.iter().filter(|(_, breaker)| breaker.is_broken());
        let broken = broken.map(|(pool, breaker)| (pool, breaker.last_error.as_str()));
        let rests = journal.pool_rests.iter().filter(|(_, rest)| rest.failures >= Breaker::LAUNCHES);
        let rests = rests.map(|(pool, rest)| (pool, rest.last.message.as_str()));
        let half_open = broken.chain(rests).map(|(pool, last_error)| {
            let on_its_way = journal.assignments.values().any(|assignment| {
                assignment.pool == *pool
                    && assignment.keeps_its_job()
                    && assignment.ending.is_none()
                    && assignment.track.running_since.is_none()
            });
            (pool.clone(), Probe { under_way: on_its_way, last_error: last_error.to_owned() })
        });
        Self { half_open: half_open.collect() }
    }

    /// Why nothing more may be launched in a pool that does not rest.
    pub(super) fn lacks(&self, pool: &PoolPolicy) -> Option<Reason> {
        let probe = self.half_open.get(&pool.id).filter(|probe| probe.under_way)?;
        let last_error = probe.last_error.clone();
        Some(Reason::PoolBackingOff { pool: pool.id.clone(), remaining: std::time::Duration::ZERO, last_error })
    }

    /// A launch was begun in a pool.
    pub(super) fn launched(&mut self, pool: &PoolId) {
        if let Some(probe) = self.half_open.get_mut(pool) {
            probe.under_way = true;
        }
    }

    /// Why a pool rests, when it does.
    pub(super) fn rests(context: &Context<'_>, pool: &PoolPolicy) -> Option<Reason> {
        let breaker = context.state.journal.breakers.get(&pool.id).filter(|breaker| breaker.until > context.now)?;
        let remaining = breaker.until.since(context.now);
        Some(Reason::PoolBackingOff { pool: pool.id.clone(), remaining, last_error: breaker.last_error.clone() })
    }
}

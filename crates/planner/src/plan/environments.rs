//! Environments that cannot be had: an image that is missing, or still on its way. Whatever else a pool offers goes on.
//!
//! ```text
//! a create failed for its environment ─► rests, ever longer ─► one job at a time tries ─► a machine was made: all may
//!                                          ▲────────────────── it failed ───┘
//! ```
//!
//! Deliberately absent: images. The planner knows the label that names one; a backend knows what it means.

use std::collections::BTreeMap;
use std::time::Duration;

use super::context::Context;
use crate::ids::PoolId;
use crate::report::Reason;
use crate::state::MachineFact;

/// Those that could not be had lately, by pool and the first label of the jobs that want them.
pub(super) struct Environments<'a> {
    lacking: BTreeMap<(&'a PoolId, &'a str), Lacking<'a>>,
}

struct Lacking<'a> {
    remaining: Duration,
    /// Whether a machine with it is being made.
    is_tried: bool,
    last_error: &'a str,
}

impl<'a> Environments<'a> {
    pub(super) fn new(context: &Context<'a>) -> Self {
        let journal = &context.state.journal;
        let mut lacking = BTreeMap::new();
        for ((pool, label), rest) in &journal.environment_rests {
            let remaining = rest.until.since(context.now);
            let of = Lacking { remaining, is_tried: false, last_error: &rest.last.message };
            lacking.insert((pool, label.as_str()), of);
        }
        if !lacking.is_empty() {
            for assignment in journal.assignments.values() {
                let label = assignment.job.as_ref().and_then(|job| job.runs_on.first());
                let is_being_made = matches!(assignment.machine, MachineFact::Asked | MachineFact::Lost { .. });
                if let Some(label) = label.filter(|_| is_being_made)
                    && let Some(of) = lacking.get_mut(&(&assignment.pool, label.as_str()))
                {
                    of.is_tried = true;
                }
            }
        }
        Self { lacking }
    }

    /// Why no job whose first label this is may be launched in a pool now.
    pub(super) fn lacks(&self, pool: &PoolId, label: &str) -> Option<Reason> {
        let of = self.lacking.get(&(pool, label)).filter(|of| of.is_tried || !of.remaining.is_zero())?;
        Some(Reason::EnvironmentBackingOff {
            pool: pool.clone(),
            label: label.to_owned(),
            remaining: of.remaining,
            last_error: of.last_error.to_owned(),
        })
    }

    /// A launch was begun for such a job.
    pub(super) fn launched(&mut self, pool: &'a PoolId, label: &'a str) {
        if let Some(of) = self.lacking.get_mut(&(pool, label)) {
            of.is_tried = true;
        }
    }
}

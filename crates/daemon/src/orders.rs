//! What the owner is asked to do from outside, between two plans.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use planner::change::{retired, stranded};
use planner::event::Event;
use planner::ids::PoolId;
use planner::time::Tick;
use tokio::sync::oneshot;

use crate::control::{Left, Order, Said};
use crate::hours::Hours;
use crate::lanes::Lanes;
use crate::left;
use crate::owner::Owner;
use crate::parts::Parts;
use crate::reload;

/// How long a look at everything is waited for.
const LOOK: Duration = Duration::from_secs(10);

/// Somebody waits for a look at everything.
#[derive(Debug)]
pub(crate) struct Asked {
    since: Tick,
    until: Instant,
    answer: oneshot::Sender<Left>,
}

impl Owner {
    /// Does it and answers. Whoever asked may have gone: then nobody hears the answer, and no other configuration is used.
    pub(crate) fn obey(&mut self, order: Order) {
        match order {
            Order::Confirm { answer } => {
                let kills = self.state.journal.kills_held();
                let grace = self.state.journal.grace_of_held(&self.policy);
                tracing::info!(kills, "kills that were held were confirmed");
                self.fold(&Event::Confirmed);
                let _ = answer.send((kills, grace));
            }
            // Whoever asked was told that nothing has changed.
            Order::Use { answer, .. } if answer.is_closed() => {}
            Order::Use { parts, answer } => {
                let _ = answer.send(self.make_use_of(*parts));
            }
            Order::Gc { list: false, answer } => {
                let _ = answer.send(left::told(&self.reports.borrow()));
            }
            Order::Gc { list: true, answer } => {
                self.observing.begin(&self.policy, &self.lanes.forges, &self.lanes.backends);
                self.asked.retain(|asked| !asked.answer.is_closed());
                self.asked.push(Asked { since: self.clock.now(), until: Instant::now() + LOOK, answer });
            }
        }
    }

    /// Uses another configuration, unless something of ours would be left with nobody to look after it. Calls that are
    /// under way go on as they were begun. Returns the pools that drain.
    fn make_use_of(&mut self, mut parts: Parts) -> Result<Vec<String>, Vec<Said>> {
        let found = stranded(&self.state, &parts.policy);
        if !found.is_empty() {
            return Err(found.iter().map(reload::stranded).collect());
        }
        parts.made.keep();
        let mut policy = parts.policy;
        policy.retired = retired(&self.state, &self.policy, &policy);
        policy.draining = self.policy.draining;
        self.policy = policy;
        self.fold(&Event::PolicyReplaced);
        // What the hour asks for is told again before the next plan.
        self.hours = Hours::new(parts.pools.values());
        self.remembered.are_configured(parts.configured);
        self.names.ask(Arc::clone(&parts.forges));
        self.observing.begin(&self.policy, &parts.forges, &parts.backends);
        self.tending.begin(&parts.backends, &parts.images);
        self.lanes.close_dropped(&parts.backends);
        self.lanes = Arc::new(Lanes {
            deployment: self.lanes.deployment.clone(),
            limits: parts.limits,
            forges: parts.forges,
            backends: parts.backends,
            pools: parts.pools,
            vault: Arc::clone(&self.lanes.vault),
            events: self.lanes.events.clone(),
            calls: Arc::clone(&self.lanes.calls),
        });
        self.notifier.reloaded();
        Ok(self.draining())
    }

    /// Pools that are configured no more, with what is there of them.
    fn draining(&self) -> Vec<String> {
        let mut machines: BTreeMap<&PoolId, usize> = BTreeMap::new();
        for assignment in self.state.journal.assignments.values() {
            if self.policy.retired.contains_key(&assignment.pool) {
                *machines.entry(&assignment.pool).or_default() += 1;
            }
        }
        let mut spare: BTreeMap<&PoolId, usize> = BTreeMap::new();
        for machine in self.state.journal.warm.values() {
            if self.policy.pool(&machine.tags.pool).is_none() {
                *spare.entry(&machine.tags.pool).or_default() += 1;
            }
        }
        let told = |(pool, count): (&PoolId, usize)| match count {
            1 => format!("{pool}: 1 machine goes on until its job has ended"),
            _ => format!("{pool}: {count} machines go on until their jobs have ended"),
        };
        let removed = |(pool, count): (&PoolId, usize)| match count {
            1 => format!("{pool}: 1 machine without a job is removed"),
            _ => format!("{pool}: {count} machines without a job are removed"),
        };
        machines.into_iter().map(told).chain(spare.into_iter().map(removed)).collect()
    }

    /// Answers those who wait for a look at everything, once it has come, or not come in time.
    pub(crate) fn answer_asked(&mut self) {
        let seen = &self.state.seen;
        let looked_since = |since: Tick| {
            let scopes = self.policy.scopes.keys().filter_map(|scope| seen.scopes.get(scope));
            let backends = self.policy.backends.keys().filter_map(|backend| seen.backends.get(backend));
            scopes
                .map(|seen| seen.runners_begun_at)
                .chain(backends.map(|seen| seen.begun_at))
                .all(|at| at > Some(since))
        };
        let (ready, waiting) = std::mem::take(&mut self.asked)
            .into_iter()
            .partition::<Vec<_>, _>(|asked| looked_since(asked.since) || Instant::now() >= asked.until);
        self.asked = waiting;
        for asked in ready {
            let _ = asked.answer.send(left::told(&self.reports.borrow()));
        }
    }
}

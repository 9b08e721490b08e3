//! Jobs that the forge holds back, after one of their kind was: how many machines wait for them, and how soon the next one
//! runs when the one before it has ended (design section 5, "Suspects").

use std::collections::BTreeMap;

use forge_model::Status;
use planner::ids::ForgeId;
use planner::policy::PoolPolicy;
use planner::state::{Breaker, Rest};

use super::Kind;
use super::bounds::{Bound, Standing};
use crate::world::World;

/// How long a pool or a scope may rest after something was struck: the longest back-off with its jitter.
pub(super) const REST_MS: u64 = 75_000;

/// A job that may run now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offered {
    since: u64,
    /// Whether it was being tried itself just then.
    is_probe: bool,
}

/// A job of a kind, as the forge has it.
struct Alike {
    id: i64,
    handle: String,
    is_offered: bool,
    /// When it was pushed, or run again.
    since: u64,
}

/// From when on nothing rests any more after what was disturbed at that moment.
pub(super) fn rested(disturbed: u64) -> u64 {
    if disturbed == 0 { 0 } else { disturbed + REST_MS }
}

impl World {
    /// One of a kind was held back: from now on its kind is bounded.
    pub(super) fn note_held_back(&mut self, kind: Kind) {
        let now = self.now;
        self.judge.held_back.entry(kind).or_insert(now);
    }

    /// The daemon forgets a kind when none of it is listed any more, or when two of it run at once; and a new life knows
    /// none. Called when jobs are read for a list.
    pub(crate) fn forget_kinds(&mut self) {
        if self.judge.held_back.is_empty() {
            return;
        }
        let held_back = std::mem::take(&mut self.judge.held_back);
        let kept = held_back.into_iter().filter(|(kind, _)| !self.kind_runs(kind) && self.kind_is_listed(kind));
        self.judge.held_back = kept.collect();
    }

    fn kind_is_listed(&self, kind: &Kind) -> bool {
        let is_listed = |status| matches!(status, Status::Waiting | Status::Running);
        self.alike(kind, is_listed).next().is_some()
    }

    /// The jobs of a kind that have a status.
    fn alike<'a>(
        &'a self,
        (forge, repository, name, labels): &'a Kind,
        is: impl Fn(Status) -> bool + 'a,
    ) -> impl Iterator<Item = Alike> + 'a {
        let model = &self.forge(forge).model;
        let attempts = model.books().attempts().iter().filter(move |attempt| is(attempt.status));
        let alike = attempts.filter(move |attempt| attempt.repo.0 == *repository && attempt.name == *name);
        alike.filter(move |attempt| model.labels_of(attempt.job) == *labels).map(|attempt| Alike {
            id: attempt.job.0,
            handle: attempt.handle.as_str().to_owned(),
            is_offered: model.is_offered(attempt.job),
            since: attempt.waiting_at.map_or(0, forge_model::Moment::as_millis),
        })
    }

    pub(super) fn held_back(&mut self, standing: &mut Vec<Standing>) {
        let (mut surplus, mut offered, mut tried) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let peace = rested(self.judge.calm.of_all());
        for (kind, since) in &self.judge.held_back {
            let Some((vain, probe)) = self.longest_waits(&kind.0) else { continue };
            let waiting: Vec<Alike> = self.alike(kind, |status| status == Status::Waiting).collect();
            let in_vain = waiting.iter().filter(|job| !job.is_offered);
            let machines: u64 = in_vain.clone().map(|job| self.machines_for(&job.handle)).sum();
            if machines > 1 {
                let begun = self.judge.surplus.get(kind).copied().unwrap_or(self.now);
                surplus.insert(kind.clone(), begun);
                let (since, subject) = (begun.max(*since).max(peace), format!("{kind:?}"));
                standing.push(Standing { bound: Bound::Surplus, subject, since, limit: vain });
            }
            // A probe goes on after its machine is gone: until polls and its registration tell that it is over.
            let tail = probe.saturating_sub(vain);
            for job in &waiting {
                let has_machine = self.machines_for(&job.handle) > 0;
                let last = if has_machine { Some(self.now) } else { self.judge.tried.get(&job.handle).copied() };
                tried.extend(last.map(|last| (job.handle.clone(), last)));
            }
            let in_vain: Vec<i64> = in_vain.map(|job| job.id).collect();
            for job in waiting.iter().filter(|job| job.is_offered && self.may_have_its_turn(job, kind)) {
                let known = self.judge.offered.get(&job.handle).copied();
                // One that has a machine already is its kind's probe, and may be taken back at this moment.
                let is_probe = tried.get(&job.handle).is_some_and(|last| self.now <= last + tail);
                let turn = known.unwrap_or(Offered { since: self.now, is_probe });
                offered.insert(job.handle.clone(), turn);
                let quick = self.longest_poll(&kind.0) + self.launch_ms() + self.calls_ms();
                // One that came first by itself, run again perhaps, waits until those alike have been tried and rested.
                let made_way = self.judge.ledger.left_at(&kind.0, kind.1) > Some(self.tick_of(job.since));
                let (bound, limit) = if !made_way || in_vain.iter().any(|id| *id < job.id) {
                    let rounds = in_vain.len().max(1) as u64;
                    (Bound::RoundRobin, rounds * (probe + REST_MS) + probe + quick)
                } else if turn.is_probe {
                    (Bound::TurnAfterProbe, probe + quick)
                } else {
                    (Bound::Turn, quick)
                };
                standing.push(Standing { bound, subject: job.handle.clone(), since: turn.since.max(peace), limit });
            }
        }
        self.judge.offered = offered;
        self.judge.surplus = surplus;
        self.judge.tried = tried;
    }

    pub(super) fn machines_for(&self, handle: &str) -> u64 {
        let machines = self.backends.values().flat_map(|model| &model.machines);
        let of_the_job =
            machines.filter(|(_, machine)| machine.serves().is_some_and(|job| job.handle.as_str() == handle));
        of_the_job.filter(|(name, machine)| self.is_plain(name, machine)).count() as u64
    }

    /// Whether a job has a machine or room for one, and rests for no reason of its own.
    fn may_have_its_turn(&self, job: &Alike, kind: &Kind) -> bool {
        let labels = &kind.3;
        if self.has_failed(&job.handle) || self.has_ghosts() || self.policy.pools.iter().any(|pool| self.rests(pool)) {
            return false;
        }
        let mut pools = self.policy.pools.iter().filter(|pool| planner::label::fits(labels, &pool.labels));
        self.machines_for(&job.handle) > 0
            || pools.any(|pool| self.has_room(pool) || self.has_spare(pool, labels)) && !self.yields_to_others(kind)
    }

    /// Whether jobs of other kinds wait for machines that one of this kind could have: they come first.
    fn yields_to_others(&self, kind: &Kind) -> bool {
        let pools = || self.policy.pools.iter().filter(|pool| planner::label::fits(&kind.3, &pool.labels));
        self.without_machine().any(|(id, of, labels)| {
            let is_of_kind = *id == kind.0 && of.repo.0 == kind.1 && of.name == kind.2 && labels == kind.3;
            !is_of_kind && pools().any(|pool| planner::label::fits(&labels, &pool.labels))
        })
    }

    /// Whether launches in a pool were struck, and it rests for that, or is probed by one launch at a time.
    pub(super) fn rests(&self, pool: &PoolPolicy) -> bool {
        let (journal, now) = (&self.daemon.state.journal, self.tick());
        let disturbed = self.judge.calm.of_backend(&pool.backend) > 0;
        let is_broken = journal.breakers.get(&pool.id).is_some_and(Breaker::is_broken);
        let goes_on = |rest: &Rest| rest.until > now;
        let lacks_some = || journal.environment_rests.iter().any(|((of, _), rest)| *of == pool.id && goes_on(rest));
        disturbed && (is_broken || journal.pool_rests.get(&pool.id).is_some_and(goes_on) || lacks_some())
    }

    pub(super) fn longest_poll(&self, forge: &ForgeId) -> u64 {
        let scopes = self.first_policy.scopes.keys().filter(|scope| scope.forge == *forge);
        scopes.map(|scope| self.poll_ms(scope)).max().unwrap_or(0)
    }

    /// The longest that a machine may wait in vain, and the longest probe: that is over when its machine is listed as gone,
    /// two polls show where its job stands, and its registration is deleted.
    fn longest_waits(&self, forge: &ForgeId) -> Option<(u64, u64)> {
        let scopes = || self.first_policy.scopes.keys().filter(|scope| scope.forge == *forge);
        let pools = self.first_policy.pools.iter();
        let vain =
            pools.flat_map(|pool| scopes().map(|scope| self.vain_ms(&pool.clocks, scope, &pool.backend))).max()?;
        let machines = self.first_policy.backends.keys().map(|backend| self.machines_ms(backend)).max()?;
        Some((vain, vain + machines + 3 * self.longest_poll(forge)))
    }
}

//! What one pool keeps without a job: what it has, and what it has too few or too many of.

use std::collections::{BTreeMap, BTreeSet};

use super::images::Mix;
use super::{Key, Spares, kind_rests, like};
use crate::action::{Action, Lane, Leaving};
use crate::event::EndReason;
use crate::ids::{AssignmentKey, PoolId};
use crate::label::fits;
use crate::plan::Plan;
use crate::plan::budget::Budget;
use crate::plan::context::Context;
use crate::plan::placing::resting;
use crate::plan::room::Room;
use crate::policy::PoolPolicy;
use crate::report::{JobReport, Reason};
use crate::sabotage::{self, Sabotage};
use crate::state::{Assignment, Breaker, Start, WarmMachine};

/// The machines of a pool without a job, but for those that are of no use any more.
pub(super) struct Stock<'a> {
    pool: &'a PoolPolicy,
    wanted: u32,
    /// Those that wait, the oldest first.
    there: Vec<(&'a WarmMachine, &'a Key)>,
    /// How many are being made, or may come back from a job that does not run.
    coming: u32,
    /// How many of each image are there or coming.
    images: BTreeMap<Option<&'a str>, u32>,
    /// How many are told to go.
    going: u32,
}

impl<'a> Stock<'a> {
    /// Of every pool, after the plan for jobs was made.
    pub(super) fn all(context: &Context<'a>, spares: &Spares<'a>, plan: &Plan) -> Vec<Self> {
        let empty = |pool: &'a PoolPolicy| Self {
            pool,
            wanted: super::wanted(context, pool),
            there: Vec::new(),
            coming: 0,
            images: BTreeMap::new(),
            going: 0,
        };
        let mut stocks: Vec<Self> = context.policy.pools.iter().map(empty).collect();
        let places: BTreeMap<&PoolId, usize> = context.policy.pools.iter().map(|pool| &pool.id).zip(0..).collect();
        for (key, of) in &context.state.journal.warm {
            let Some(stock) = places.get(&of.tags.pool).and_then(|&at| stocks.get_mut(at)) else { continue };
            let is_of_use = of.is_current(&key.0, stock.pool);
            if of.leaving.is_some() || spares.why_it_goes(key).is_some() {
                stock.going += u32::from(!of.is_set_aside());
            } else if of.is_there() && is_of_use && !spares.is_bound(key) {
                stock.there.push((of, key));
                *stock.images.entry(of.tags.image.as_deref()).or_default() += 1;
            } else if of.is_on_its_way() && is_of_use && !sabotage::is(Sabotage::StockAgain) {
                stock.comes(of.tags.image.as_deref());
            }
        }
        let told_to_go = told_to_go(plan);
        let stay = context.state.journal.assignments.iter().filter(|(key, _)| !told_to_go.contains(key));
        for (_, assignment) in stay.filter(|(_, of)| comes_back(of)) {
            let stock = places.get(&assignment.pool).and_then(|&at| stocks.get_mut(at));
            if let (Some(stock), Some(tags)) = (stock, &assignment.warm) {
                stock.comes(tags.image.as_deref());
            }
        }
        for stock in &mut stocks {
            stock.there.sort_by_key(|(of, _)| of.since);
        }
        stocks
    }

    fn comes(&mut self, image: Option<&'a str>) {
        self.coming += 1;
        *self.images.entry(image).or_default() += 1;
    }

    /// Brings it to what is wanted, as far as room and calls allow.
    pub(super) fn balance(
        mut self,
        context: &Context<'a>,
        spares: &mut Spares<'a>,
        room: &mut Room,
        budget: &mut Budget<'_>,
        plan: &mut Plan,
    ) {
        let mix = Mix::spread(context, self.pool, self.wanted);
        self.part_with_surplus(context, &mix, spares, plan);
        if self.wanted == 0 || !may_make(context, self.pool) {
            return;
        }
        while self.count() < self.wanted {
            let lacking = mix.lacking(&self.images);
            if !self.make_first_of(&lacking, context, spares, room, budget, plan) {
                return;
            }
        }
        self.renew(&mix, context, spares, room, budget, plan);
    }

    fn count(&self) -> u32 {
        self.has().saturating_add(self.coming)
    }

    /// How many are there.
    fn has(&self) -> u32 {
        u32::try_from(self.there.len()).unwrap_or(u32::MAX)
    }

    /// Lets go what is there beyond what is wanted: the oldest of those of whose image there are too many. What came back
    /// from jobs that are held back stays for them, though: else each would be made a second time when their turn comes.
    /// It takes nothing from anybody, since it yields to demand as all do.
    fn part_with_surplus(&mut self, context: &Context<'a>, mix: &Mix<'_>, spares: &mut Spares<'a>, plan: &Plan) {
        let mut surplus = self.has().saturating_sub(self.wanted);
        if surplus == 0 || sabotage::is(Sabotage::KeepSurplus) {
            return;
        }
        let turns = if self.wanted > 0 { turns(self.pool, plan) } else { BTreeMap::new() };
        let mut has: BTreeMap<Option<&str>, u32> = BTreeMap::new();
        for (of, _) in &self.there {
            *has.entry(of.tags.image.as_deref()).or_default() += 1;
        }
        let mut kept = Vec::with_capacity(self.there.len());
        for (of, key) in std::mem::take(&mut self.there) {
            let image = of.tags.image.as_deref();
            let count = has.entry(image).or_default();
            let kept_for_turns = turns.get(&image).copied().unwrap_or(0);
            if surplus > 0 && *count > mix.of(image).saturating_add(kept_for_turns) {
                surplus -= 1;
                *count -= 1;
                self.goes(image);
                spares.goes(key, self.why(context, of));
            } else {
                kept.push((of, key));
            }
        }
        self.there = kept;
    }

    fn is_too_old(&self, context: &Context<'_>, of: &WarmMachine) -> bool {
        let max_age = self.pool.warm.max_age;
        !max_age.is_zero() && context.now.since(of.since) > max_age
    }

    /// Why one goes that is not needed.
    fn why(&self, context: &Context<'_>, of: &WarmMachine) -> Leaving {
        if self.is_too_old(context, of) { Leaving::TooOld } else { Leaving::Surplus }
    }

    fn goes(&mut self, image: Option<&'a str>) {
        self.going += 1;
        let count = self.images.entry(image).or_default();
        *count = count.saturating_sub(1);
    }

    /// Makes one of the first of these images that can be had. Whether one is made.
    fn make_first_of(
        &mut self,
        images: &[Option<&'a str>],
        context: &Context<'a>,
        spares: &mut Spares<'a>,
        room: &mut Room,
        budget: &mut Budget<'_>,
        plan: &mut Plan,
    ) -> bool {
        let pool = self.pool;
        let Some(image) = images.iter().copied().find(|image| !rests(context, pool, *image)) else { return false };
        if room.full(context.policy, pool).is_some() || !takes_slot(context, pool, budget, plan) {
            return false;
        }
        room.charge_spare(&pool.id, &pool.backend);
        self.comes(image);
        plan.actions.push(Action::CreateWarm {
            backend: pool.backend.clone(),
            machine: spares.next_name(context, pool),
            tags: like(pool, image),
            stop_grace: pool.clocks.stop,
        });
        true
    }

    /// Lets another take the place of one that is too old, or whose image has too many while another has too few. One at a
    /// time, so that never all are gone at once.
    fn renew(
        &mut self,
        mix: &Mix<'a>,
        context: &Context<'a>,
        spares: &mut Spares<'a>,
        room: &mut Room,
        budget: &mut Budget<'_>,
        plan: &mut Plan,
    ) {
        if self.coming > 0 || self.going > 0 {
            return;
        }
        let is_misplaced = |of: &'a WarmMachine| mix.is_misplaced(of.tags.image.as_deref(), &self.images);
        let Some(&(of, key)) = self.there.iter().find(|(of, _)| self.is_too_old(context, of) || is_misplaced(of))
        else {
            return;
        };
        self.goes(of.tags.image.as_deref());
        let lacking = mix.lacking(&self.images);
        if lacking.is_empty() {
            // There are more than are wanted, for jobs that wait for their turn: nothing takes its place.
            spares.goes(key, self.why(context, of));
            return;
        }
        if lacking.iter().all(|image| rests(context, self.pool, *image)) {
            return;
        }
        let is_full = room.full(context.policy, self.pool).is_some();
        if is_full {
            spares.goes(key, self.why(context, of));
        } else {
            self.make_first_of(&lacking, context, spares, room, budget, plan);
        }
    }
}

/// Whether the machine of an assignment may wait for a job again soon: its job was not seen to run. Most are within seconds,
/// and another takes the machine's place then; but for each job that is held back there would be one too many.
fn comes_back(assignment: &Assignment) -> bool {
    let may = match &assignment.ending {
        None => true,
        Some(end) => assignment.start == Start::No || end.reason == EndReason::HeldBack,
    };
    let has_run = assignment.track.running_since.is_some() && !sabotage::is(Sabotage::CountUsed);
    may && assignment.is_reusable() && assignment.destroys == 0 && !has_run
}

/// How many jobs of each image wait in a pool for nothing but their turn among those alike, or for what is left of their
/// last try.
fn turns<'a>(pool: &'a PoolPolicy, plan: &Plan) -> BTreeMap<Option<&'a str>, u32> {
    let mut turns = BTreeMap::new();
    let waits = |job: &&JobReport| {
        matches!(job.reason, Reason::Suspect { .. } | Reason::HeldBack { .. } | Reason::EarlierTry { .. })
    };
    for job in plan.report.jobs.iter().filter(waits).filter(|job| fits(&job.runs_on, &pool.labels)) {
        *turns.entry(job.runs_on.first().and_then(|label| pool.image(label))).or_default() += 1;
    }
    turns
}

/// The assignments whose machines a plan tells to go: they do not come back, as the next plan will know from the books.
fn told_to_go(plan: &Plan) -> BTreeSet<&AssignmentKey> {
    let told = plan.actions.iter().filter(|action| matches!(action, Action::Destroy { .. }));
    told.filter_map(Action::key).collect()
}

/// Whether anything may be made in a pool at all.
fn may_make(context: &Context<'_>, pool: &PoolPolicy) -> bool {
    let breaker = context.state.journal.breakers.get(&pool.id);
    resting(context, pool).is_none() && !breaker.is_some_and(Breaker::is_broken)
}

/// Whether machines of an image could not be had lately.
fn rests(context: &Context<'_>, pool: &PoolPolicy, image: Option<&str>) -> bool {
    let rests = &context.state.journal.environment_rests;
    let of_label = |label: &str| rests.get(&(pool.id.clone(), label.to_owned()));
    let mut labels = pool.labels.iter().filter(|label| label.environment().image() == image);
    kind_rests(context, pool, image)
        || labels.any(|label| of_label(label.name()).is_some_and(|rest| rest.until > context.now))
}

/// Takes a slot of the backend's, but no more than half of them: should these calls hang, jobs have the others.
fn takes_slot(context: &Context<'_>, pool: &PoolPolicy, budget: &mut Budget<'_>, plan: &Plan) -> bool {
    let is_one = |action: &Action| matches!(action, Action::CreateWarm { backend, .. } if *backend == pool.backend);
    let flights = context.state.journal.in_flight.values().map(|flight| &flight.action);
    let under_way = flights.chain(&plan.actions).filter(|action| is_one(action)).count();
    let slots = context.policy.backends.get(&pool.backend).map_or(0, |backend| backend.parallel_creates);
    under_way < slots.div_ceil(2) && budget.take(&Lane::BackendLaunch(pool.backend.clone()))
}

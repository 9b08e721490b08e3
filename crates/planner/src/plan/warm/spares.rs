//! Which machines without a job a plan has left: each is bound once, or told to go once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Key;
use super::names::Names;
use crate::action::Leaving;
use crate::ids::{BackendId, MachineName, PoolId};
use crate::plan::context::Context;
use crate::plan::reach;
use crate::plan::room::Limit;
use crate::policy::PoolPolicy;
use crate::sabotage::{self, Sabotage};
use crate::state::WarmMachine;

/// Machines that are alike: what makes them useful to a job, and which limits they count towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind<'a> {
    /// Whether one made anew would be like them; those that are outdated go first.
    is_current: bool,
    pool: &'a PoolId,
    image: Option<&'a str>,
    backend: &'a BackendId,
}

/// See the module.
pub(in crate::plan) struct Spares<'a> {
    /// To which a job can be bound now, the oldest first.
    ready: BTreeMap<(&'a PoolId, Option<&'a str>), VecDeque<&'a Key>>,
    /// Which could make room, the oldest first; those that are ready are among them.
    there: BTreeMap<Kind<'a>, VecDeque<(&'a WarmMachine, &'a Key)>>,
    /// Which are going already and make room for somebody: each for one job.
    going: BTreeMap<Kind<'a>, VecDeque<&'a Key>>,
    /// For whom there is nothing left that could make room.
    in_vain: BTreeSet<(Limit<'a>, &'a PoolId, Option<&'a str>)>,
    /// Backends that are away, or rest.
    out_of_reach: BTreeSet<&'a BackendId>,
    bound: BTreeSet<&'a Key>,
    leaving: BTreeMap<&'a Key, Leaving>,
    names: Names,
}

impl<'a> Spares<'a> {
    pub(in crate::plan) fn new(context: &Context<'a>) -> Self {
        let mut all: Vec<(&Key, &WarmMachine)> = context.state.journal.warm.iter().collect();
        all.sort_by_key(|(_, of)| of.since);
        let backends = context.policy.backends.keys();
        let mut spares = Self {
            ready: BTreeMap::new(),
            there: BTreeMap::new(),
            going: BTreeMap::new(),
            in_vain: BTreeSet::new(),
            out_of_reach: backends.filter(|backend| reach::lacks(context, backend).is_some()).collect(),
            bound: BTreeSet::new(),
            leaving: BTreeMap::new(),
            names: Names::new(context.state),
        };
        for (key, of) in all {
            let is_current = context.policy.pool(&of.tags.pool).is_some_and(|pool| of.is_current(&key.0, pool));
            let (pool, image) = (&of.tags.pool, of.tags.image.as_deref());
            let kind = Kind { is_current, pool, image, backend: &key.0 };
            if of.leaving.is_some() && !of.is_set_aside() {
                spares.going.entry(kind).or_default().push_back(key);
            }
            if !of.is_there() {
                continue;
            }
            spares.there.entry(kind).or_default().push_back((of, key));
            if of.is_ready() && is_current {
                spares.ready.entry((pool, image)).or_default().push_back(key);
            }
        }
        spares
    }

    /// A name for one that is made now, which was never used.
    pub(in crate::plan) fn next_name(&mut self, context: &Context<'_>, pool: &PoolPolicy) -> MachineName {
        self.names.next(context, pool)
    }

    /// Whether a job that asks for this image in a pool could be bound.
    pub(in crate::plan) fn has(&self, pool: &PoolPolicy, image: Option<&str>) -> bool {
        self.ready.get(&(&pool.id, image)).is_some_and(|ready| !ready.is_empty())
    }

    /// The machine that a job gets.
    pub(in crate::plan) fn take(&mut self, pool: &'a PoolPolicy, image: Option<&'a str>) -> Option<&'a Key> {
        let key = self.ready.get_mut(&(&pool.id, image))?.pop_front()?;
        self.bound.insert(key);
        Some(key)
    }

    /// One that goes, or is going already, so that a job gets the room that it takes towards a limit. None that the job
    /// itself could be bound to.
    pub(in crate::plan) fn give_way(
        &mut self,
        limit: Limit<'a>,
        pool: &'a PoolPolicy,
        image: Option<&'a str>,
    ) -> Option<&'a Key> {
        let whom = (limit, &pool.id, image);
        if sabotage::is(Sabotage::NeverYield) || self.in_vain.contains(&whom) {
            return None;
        }
        // One that cannot be asked to go makes no room.
        let counts = |kind: &Kind<'_>| match limit {
            _ if self.out_of_reach.contains(kind.backend) => false,
            Limit::Pool(pool) => kind.pool == pool,
            Limit::Backend(backend) => kind.backend == backend,
            Limit::Deployment => true,
        };
        let is_his = |kind: &Kind<'_>| kind.is_current && *kind.pool == pool.id && kind.image == image;
        let mut going = self.going.iter_mut().filter(|(kind, keys)| counts(kind) && !keys.is_empty());
        if let Some(key) = going.next().and_then(|(_, keys)| keys.pop_front()) {
            return Some(key);
        }
        let mut oldest: Option<(Kind<'a>, &WarmMachine)> = None;
        for (kind, machines) in self.there.iter_mut().filter(|(kind, _)| counts(kind) && !is_his(kind)) {
            while machines.front().is_some_and(|(_, key)| self.bound.contains(key) || self.leaving.contains_key(key)) {
                machines.pop_front();
            }
            let Some((of, _)) = machines.front() else { continue };
            if oldest.is_none_or(|(first, than)| (kind.is_current, of.since) < (first.is_current, than.since)) {
                oldest = Some((*kind, of));
            }
        }
        let key = oldest.and_then(|(kind, _)| self.there.get_mut(&kind)?.pop_front()).map(|(_, key)| key);
        match key {
            Some(key) => self.goes(key, Leaving::MakesRoom),
            None => drop(self.in_vain.insert(whom)),
        }
        key
    }

    /// One shall go.
    pub(super) fn goes(&mut self, key: &'a Key, why: Leaving) {
        self.leaving.entry(key).or_insert(why);
    }

    /// Why one goes, if that was decided now.
    pub(super) fn why_it_goes(&self, key: &Key) -> Option<Leaving> {
        self.leaving.get(key).copied()
    }

    /// Whether a job gets one.
    pub(super) fn is_bound(&self, key: &Key) -> bool {
        self.bound.contains(key)
    }
}

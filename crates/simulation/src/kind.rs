//! Kinds of worlds and of work in them, so that a long run can say that it has met each.

use forge_model::{Area, Version};

use crate::backends::{CONTAINER, VIRTUAL_MACHINE};
use crate::forge::ForgeSide;
use crate::world::World;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {
        /// What a world has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in tables.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

kinds! {
    /// A forge of version 15.
    ForgeV15 "forge v15";
    /// A forge of version 16 or later.
    ForgeV16 "forge v16";
    /// More than one forge.
    TwoForges "two forges";
    /// The whole instance is watched.
    Instance "scope instance";
    /// An organization is watched.
    Organization "scope organization";
    /// A repository is watched.
    Repository "scope repository";
    /// Two scopes show the same jobs.
    Overlapping "scopes that overlap";
    /// Runners are registered at the repositories of their jobs.
    AtRepository "scope at repository";
    /// A backend whose machines are there within a second.
    Container "backend container";
    /// A backend whose machines boot for long before a runner can be started.
    VirtualMachine "backend virtual machine";
    /// A backend that removes what it has stopped.
    RemovesStopped "backend removes what stopped";
    /// A backend that lists what it has stopped until it is removed.
    KeepsStopped "backend keeps what stopped";
    /// A backend that can make machines without a job.
    Warm "backend with machines without a job";
    /// A pool that keeps such machines ready.
    WarmPool "pool with machines without a job";
    /// A pool whose count of them follows the hour.
    Hourly "count of them by the hour";
    /// A job got a machine that waited.
    Bound "job bound to a machine that waited";
    /// A job got a machine that came back from another.
    BoundAgain "job bound to one that came back";
    /// A runner was taken back, and its machine waits again.
    Released "runner taken back";
    /// A machine came back before a runner was asked for on it.
    HandedBack "machine handed back unused";
    /// A machine went since a job lacked its room.
    MadeRoom "machine that made room for a job";
    /// A machine went for its age.
    Renewed "machine renewed for its age";
    /// A machine went since it would be made otherwise now.
    Outdated "machine that was outdated";
    /// A machine went since there were more than were wanted.
    Surplus "machine that was one too many";
    /// More than one pool.
    Pools "pools on one backend or more";
    /// A limit for all machines, or for those of a backend.
    Limited "limit beyond those of pools";
    /// A hundred jobs and more.
    Big "work of 100 jobs and more";
    /// Webhooks.
    Hooks "webhooks";
    /// A run of one job.
    Single "run of one job";
    /// A matrix.
    Matrix "run of a matrix";
    /// So many at once that no pool has room for all.
    Burst "run of a burst";
    /// A job that needs another.
    Needs "run with needs";
    /// A concurrency group that queues.
    Queue "run in a group that queues";
    /// A concurrency group that cancels.
    Cancelling "run in a group that cancels";
    /// A run by schedule.
    Schedule "run by schedule";
    /// A job that nobody can serve.
    Unservable "run that no pool serves";
    /// Somebody cancels a running job.
    CancelRunning "cancel of a running job";
    /// Somebody cancels a waiting job.
    CancelWaiting "cancel of a waiting job";
    /// Somebody runs a job again.
    RunAgain "job run again";
}

impl World {
    /// Counts the kinds of a world that was drawn.
    pub(crate) fn count_kinds(&mut self) {
        let tally = &mut self.tally;
        let mut count = |kind, is: bool| {
            if is {
                tally.kind(kind);
            }
        };
        let forges = || self.forges.values();
        count(Kind::TwoForges, forges().count() > 1);
        count(Kind::ForgeV15, forges().any(|forge| forge.version == Version::V15));
        count(Kind::ForgeV16, forges().any(|forge| forge.version == Version::V16));
        let areas = || forges().flat_map(|forge| forge.areas.values());
        count(Kind::Instance, areas().any(|area| matches!(area, Area::Instance)));
        count(Kind::Organization, areas().any(|area| matches!(area, Area::Owner(_))));
        count(Kind::Repository, areas().any(|area| matches!(area, Area::Repository(_))));
        let overlaps = |forge: &ForgeSide| {
            let owner = forge.areas.values().any(|area| matches!(area, Area::Owner(_)));
            owner && forge.areas.len() > 1
        };
        count(Kind::Overlapping, forges().any(overlaps));
        count(Kind::AtRepository, self.policy.scopes.values().any(|scope| scope.at_repository));
        let backends = || self.backends.values();
        count(Kind::Container, backends().any(|backend| backend.boot == CONTAINER));
        count(Kind::VirtualMachine, backends().any(|backend| backend.boot == VIRTUAL_MACHINE));
        count(Kind::RemovesStopped, backends().any(|backend| backend.removes_stopped));
        count(Kind::KeepsStopped, backends().any(|backend| !backend.removes_stopped));
        count(Kind::Warm, backends().any(|backend| backend.warm));
        count(Kind::WarmPool, self.policy.pools.iter().any(|pool| pool.warm.count > 0));
        count(Kind::Hourly, self.policy.pools.iter().any(|pool| self.hours.count(&pool.id).is_some()));
        count(Kind::Pools, self.policy.pools.len() > 1);
        let limits = self.policy.backends.values().map(|backend| backend.max).chain([self.policy.max]);
        count(Kind::Limited, limits.flatten().next().is_some());
        count(Kind::Big, self.workload.most >= 100);
        count(Kind::Hooks, self.workload.has_hooks);
    }
}

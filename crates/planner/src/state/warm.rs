//! Machines that are made without a job and wait for one.
//!
//! ```text
//! asked for ─► ready ─► bound: its assignment has it from now on ─► its job ran ─► removed, never used again
//!   │            ▲ └─► outdated, too old, too many, in the way ─► removed    └─► no code of a job ran on it ─┐
//!   └─► refused  └──────────────────── handed back ◄─────────────────────────────────────────────────────────┘
//! ```
//!
//! Each is in the books once: here, or in the assignment that it is bound to. A machine that was found, or taken back, may
//! still be given a runner by a call that comes late; until a listing begun after that time shows it unbound it is bound to
//! nothing.

use crate::action::Leaving;
use crate::error_class::Failure;
use crate::evidence::LastTwo;
use crate::ids::{ActionId, BackendId, PoolId};
use crate::policy::PoolPolicy;
use crate::seen::{MachineState, WarmTags};
use crate::state::MachineFact;
use crate::time::Tick;

/// The facts of one machine that waits for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmMachine {
    /// What it was made with.
    pub tags: WarmTags,
    /// Where it stands.
    pub machine: MachineFact,
    /// When it was asked for, or was found after a restart: its age.
    pub since: Tick,
    /// When the last action on it was answered: older listings prove nothing.
    pub touched: Tick,
    /// Complete listings without it, after the last action on it.
    pub absent: LastTwo,
    /// Until when a call that comes late may give it a runner. A listing begun afterwards that shows it ready ends this.
    pub doubted_until: Option<Tick>,
    /// Whether a runner is bound to it of which nobody knows where it is registered: it is left alone until it has ended.
    pub is_bound: bool,
    /// The call for it that is under way.
    pub busy: Option<ActionId>,
    /// Failed calls in a row.
    pub failures: u32,
    /// No call before this moment.
    pub retry_at: Tick,
    /// What the last failed call said.
    pub last_failure: Option<Failure>,
    /// Why it goes, once it was told to.
    pub leaving: Option<Leaving>,
    /// How often it was told to go.
    pub destroys: u32,
    /// When the backend last accepted to remove it without having done so yet.
    pub stop_accepted: Option<Tick>,
}

impl WarmMachine {
    /// After how many vain removals nothing waits for its going any more. It is tried on.
    pub const REMOVALS: u32 = 3;

    /// One that is there, or was asked for.
    pub(crate) fn new(tags: WarmTags, machine: MachineFact, since: Tick) -> Self {
        Self {
            tags,
            machine,
            since,
            touched: since,
            absent: LastTwo::default(),
            doubted_until: None,
            is_bound: false,
            busy: None,
            failures: 0,
            retry_at: since,
            last_failure: None,
            leaving: None,
            destroys: 0,
            stop_accepted: None,
        }
    }

    /// Whether a job can be bound to it now.
    pub fn is_ready(&self) -> bool {
        self.is_there() && self.doubted_until.is_none() && self.absent.newest().is_none()
    }

    /// Whether a call that comes late may give it a runner, or has done so since the last list: until a list tells it is
    /// neither bound nor told to go.
    pub fn is_in_doubt(&self) -> bool {
        let is_listed_ready = self.machine == MachineFact::Exists { state: MachineState::Ready };
        self.doubted_until.is_some() && is_listed_ready && self.absent.newest().is_none()
    }

    /// Whether it is there without a job, as far as is known, and stays.
    pub fn is_there(&self) -> bool {
        self.machine == MachineFact::Exists { state: MachineState::Ready } && self.leaving.is_none() && !self.is_bound
    }

    /// Whether it will wait for a job as soon as it is ready: it is being made, or an earlier life was just taking it back.
    pub fn is_on_its_way(&self) -> bool {
        let is_unready = match self.machine {
            MachineFact::Asked | MachineFact::Lost { .. } => true,
            MachineFact::Exists { state } => match state {
                MachineState::Creating | MachineState::Running | MachineState::Stopping => true,
                MachineState::Ready | MachineState::Orphaned | MachineState::Ended { .. } => false,
            },
            MachineFact::Ended | MachineFact::Gone => false,
        };
        is_unready && self.leaving.is_none() && !self.is_bound
    }

    /// Whether it cannot be removed, as it seems.
    pub fn is_set_aside(&self) -> bool {
        // One that is under way is no vain one yet.
        self.destroys.saturating_sub(u32::from(self.busy.is_some())) >= Self::REMOVALS
    }

    /// Whether a machine of a pool, made anew now, would be like it.
    pub fn is_current(&self, backend: &BackendId, pool: &PoolPolicy) -> bool {
        pool.backend == *backend
            && self.tags.made_of == pool.warm.made_of
            && pool.images().any(|image| image == self.tags.image.as_deref())
    }
}

/// An image that jobs of a pool asked for: the one that their first label names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageAsked {
    /// The image; none where the label names none.
    pub image: Option<String>,
    /// When a job with it was last launched.
    pub at: Tick,
}

/// How many images are remembered for each pool: more than a few are not kept warm anyway.
const IMAGES: usize = 8;

/// Takes note of a job with an image: the newest first, each once.
pub(crate) fn note_image(asked: &mut Vec<ImageAsked>, image: Option<&str>, at: Tick) {
    asked.retain(|of| of.image.as_deref() != image);
    asked.insert(0, ImageAsked { image: image.map(str::to_owned), at });
    asked.truncate(IMAGES);
}

/// The key of rests after machines without a job could not be made: those of one image of a pool.
pub type WarmKind = (PoolId, Option<String>);

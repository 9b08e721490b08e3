//! How bad a world is: rates of faults, drawn from the seed. Each kind of fault is absent from half of the worlds, so that
//! each is also met without the others.

use crate::dice::Dice;

/// Rates per thousand, and spans in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    /// A call never arrives; nobody is told.
    pub(crate) lost_before: u64,
    /// A call acts, its answer is lost.
    pub(crate) lost_after: u64,
    /// A call is refused.
    pub(crate) refused: u64,
    /// A call takes seconds.
    pub(crate) slow: u64,
    /// A listing fails.
    pub(crate) listing_fails: u64,
    /// A listing lacks some rows and says so.
    pub(crate) listing_incomplete: u64,
    /// A complete listing lacks rows, once.
    pub(crate) listing_lies: u64,
    /// A listing is answered after the next one.
    pub(crate) listing_late: u64,
    /// A job's row cannot be read beyond its handle.
    pub(crate) row_unreadable: u64,
    /// A runner never contacts the forge.
    pub(crate) never_contacts: u64,
    /// A runner contacts the forge after the boot clock.
    pub(crate) contacts_late: u64,
    /// A runner dies before it contacts the forge.
    pub(crate) dies_early: u64,
    /// A runner dies while its job runs.
    pub(crate) dies_mid_job: u64,
    /// A runner hangs after its job.
    pub(crate) hangs_after: u64,
    /// A job does not end by itself.
    pub(crate) endless: u64,
    /// The answer that hands a job over is lost.
    pub(crate) fetch_lost: u64,
    /// A machine vanishes from listings although it lives, or dies unseen.
    pub(crate) vanishes: u64,
    /// Mean time between restarts of the daemon; 0 for none.
    pub(crate) restart_every: u64,
    /// Of restarts, those that lose all memory.
    pub(crate) memory_lost: u64,
    /// Of restarts, those that lose all credentials.
    pub(crate) credentials_lost: u64,
    /// Mean time between outages of the forge; 0 for none.
    pub(crate) forge_down_every: u64,
    /// Mean time between outages of a backend; 0 for none.
    pub(crate) backend_down_every: u64,
    /// Whether a persistent runner of somebody else takes jobs, and how often it asks.
    pub(crate) rival_every: u64,
    /// A registration of ours is deleted by somebody while it waits.
    pub(crate) meddler: u64,
}

impl Weather {
    /// Draws the weather of a world.
    pub(crate) fn drawn(dice: &mut Dice) -> Self {
        let rate = |dice: &mut Dice, most: u64| if dice.chance(500) { dice.between(1, most) } else { 0 };
        let every = |dice: &mut Dice, low: u64, high: u64| if dice.chance(500) { dice.between(low, high) } else { 0 };
        Self {
            lost_before: rate(dice, 80),
            lost_after: rate(dice, 120),
            refused: rate(dice, 120),
            slow: rate(dice, 200),
            listing_fails: rate(dice, 150),
            listing_incomplete: rate(dice, 150),
            listing_lies: rate(dice, 60),
            listing_late: rate(dice, 100),
            row_unreadable: rate(dice, 50),
            never_contacts: rate(dice, 150),
            contacts_late: rate(dice, 150),
            dies_early: rate(dice, 200),
            dies_mid_job: rate(dice, 200),
            hangs_after: rate(dice, 200),
            endless: rate(dice, 80),
            fetch_lost: rate(dice, 200),
            vanishes: rate(dice, 80),
            restart_every: every(dice, 15_000, 120_000),
            memory_lost: dice.between(0, 1000),
            credentials_lost: dice.between(0, 1000),
            forge_down_every: every(dice, 60_000, 240_000),
            backend_down_every: every(dice, 60_000, 240_000),
            rival_every: every(dice, 1_000, 30_000),
            meddler: rate(dice, 60),
        }
    }
}

//! Deliberate defects, so that checker and simulation can show that they find them.
//!
//! Without the feature `sabotage`, which no product may have, [`is`] is constantly false and nothing of this is compiled
//! into a decision. With it, one defect at a time can be chosen for a thread.

macro_rules! sabotages {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {
        /// A deliberate defect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Sabotage {
            $($(#[$doc])* $name,)*
        }

        impl Sabotage {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it does, in words.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

sabotages! {
    /// A registration is deleted without a look at its job.
    DeleteBlindly "delete a registration without looking";
    /// What an incomplete list lacks counts as absent.
    BelieveIncomplete "believe an incomplete list";
    /// A list that failed counts as an empty one.
    BelieveFailure "believe that a failed list is empty";
    /// What was asked for counts only once it is there.
    ChargeLate "charge the cap after the call";
    /// Limits of backend and deployment are not looked at.
    ForgetLimits "forget the limits of backend and deployment";
    /// One observation is enough.
    LookOnce "one observation instead of two";
    /// A process whose job is gone is stopped at once.
    NoGrace "no grace";
    /// What failed is tried again at once.
    NoBackoff "retry without back-off";
    /// A deployment whose name begins like ours is ours.
    AdoptByPrefix "adopt by prefix instead of identity";
    /// A machine's name does not tell the try.
    ForgetTry "forget the try number in the name";
    /// A job whose launch failed once counts as served.
    FailedAsSupply "count failed machines as supply";
    /// A job that the forge holds back keeps its machine.
    NeverRelease "give blocked jobs run time";
    /// A job whose machine is not listed is failed.
    EndWithoutProof "end a lost job without proof of death";
    /// The time of booting counts as time of claiming.
    MergeClocks "two clocks merged";
    /// Clocks count what nobody has observed.
    CountUnobserved "clocks count a pause";
    /// A runner that waits is stopped without a fence.
    NoFence "release without fence";
    /// A runner that has not contacted the forge is fenced.
    FenceEarly "fence before the runner's own Declare";
    /// A runner is stopped as soon as it is fenced.
    NoSettle "stop before a poll after the fence";
    /// Lists that were begun before an end count for what came of it.
    BelieveEarly "believe lists begun before the end";
    /// Two observations are enough, whenever they were begun.
    BelieveBefore "believe a listing begun before the action";
    /// What is planned is begun twice.
    PlanTwice "plan twice before folding";
    /// All jobs like one that was held back are tried at once.
    ProbeAll "all suspects probed at once";
    /// A job that left is gone without a look at its runner.
    GoneUnasked "gone without the runner's 404";
    /// A machine that is not listed is dead.
    AbsenceIsDeath "absence is proof of death";
    /// A stop that was accepted is a death.
    StopIsDeath "an accepted stop is proof of death";
    /// A runner that reads idle has no job.
    IdleIsProof "an idle runner has no job";
    /// Registrations without an assignment stay.
    NeverSweep "never sweep";
    /// Registrations without an assignment are deleted at once.
    SweepAtOnce "sweep without waiting";
    /// Machines that have ended stay.
    KeepMachines "never remove ended machines";
    /// A new life launches before it has seen what there is.
    LaunchBlindly "launch before anything was listed";
    /// A try that ends no longer keeps its job from another.
    LaunchBeside "launch beside a try that is not over";
    /// All backends share one lane.
    OneLane "one lane for all backends";
    /// Machines are made on a backend that is away.
    AskAway "make machines on a backend that is away";
    /// A job that was parked is never tried again.
    ParkForEver "park for ever";
    /// A job is launched again while its runner has not come yet.
    LaunchAgain "launch a job again whose runner is slow to come";
    /// A job that runs is stopped long before its clock is over.
    StopEarly "stop a job at half of its time";
    /// A job that we fail has no reason in its log.
    EndSilently "fail a lost job and do not say why";
    /// Reports grow with the square of the jobs.
    TellAgain "tell of each job once for every job";
    /// Nothing is ever forgotten.
    RememberAll "remember all for ever";
    /// Machines without a job take no room.
    IgnoreWarm "machines without a job do not count";
    /// Machines without a job stay although a job lacks their room.
    NeverYield "spare machines never yield";
    /// Machines without a job that are being made do not count towards what is wanted.
    StockAgain "machines without a job count once they are there";
    /// Machines whose job runs count as ones that may wait again.
    CountUsed "count machines whose job runs as ones that wait";
    /// Machines without a job stay although fewer are wanted.
    KeepSurplus "keep machines that nobody wants";
    /// A machine goes back to those without a job whatever ran on it.
    ReleaseUsed "release a machine on which a job ran";
    /// A machine that is being taken back counts as ready.
    BindEarly "bind a machine before its release is answered";
}

#[cfg(feature = "sabotage")]
mod chosen {
    use std::cell::Cell;

    use super::Sabotage;

    thread_local! {
        static CHOSEN: Cell<Option<Sabotage>> = const { Cell::new(None) };
        static BLIND: Cell<bool> = const { Cell::new(false) };
    }

    /// Chooses a defect for this thread, or none.
    pub fn choose(sabotage: Option<Sabotage>) {
        CHOSEN.set(sabotage);
    }

    /// Lets the plan checker stop nothing on this thread, so that a world shows what it would have stopped, or stops it again.
    pub fn blind_checker(blind: bool) {
        BLIND.set(blind);
    }

    /// Whether the plan checker stops nothing.
    pub(crate) fn checker_is_blind() -> bool {
        BLIND.get()
    }

    /// Whether this defect is chosen.
    pub(crate) fn is(sabotage: Sabotage) -> bool {
        CHOSEN.get() == Some(sabotage)
    }
}

#[cfg(feature = "sabotage")]
pub use chosen::{blind_checker, choose};
#[cfg(feature = "sabotage")]
pub(crate) use chosen::{checker_is_blind, is};

/// Whether this defect is chosen: never.
#[cfg(not(feature = "sabotage"))]
pub(crate) const fn is(_: Sabotage) -> bool {
    false
}

/// Whether the plan checker stops nothing: never.
#[cfg(not(feature = "sabotage"))]
pub(crate) const fn checker_is_blind() -> bool {
    false
}

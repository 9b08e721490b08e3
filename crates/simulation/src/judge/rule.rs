//! The rules that a judge holds a world to, each with a name, so that a table can say how each was seen broken.
//!
//! A rule that nothing can break says nothing. `cargo xtask sabotage --rules` lets worlds with deliberate defects go on to
//! their ends, and tells for each rule by which defect it was broken first.

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident $invariant:literal $word:literal;)*) => {
        /// A rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it says, in a few words.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The invariant that it is part of; 0 for none of them.
            pub const fn invariant(self) -> u8 {
                match self {
                    $(Self::$name => $invariant,)*
                }
            }
        }
    };
}

rules! {
    /// What a scenario expects.
    Expected 0 "a scenario's expectations hold";
    /// A turn that has nothing new to think about does nothing.
    Rest 0 "a turn without news comes to nothing";
    /// The plan checker has nothing to stop. It names the invariant itself.
    Checker 0 "the plan checker stops nothing";
    /// At most one living process could be given a job.
    OneTaker 1 "one runner could be given a job";
    /// A job is handed out once.
    OneHandOut 1 "a job is handed out once";
    /// A fenced runner that was stopped has got no job.
    FencedInVain 1 "no fenced runner is given a job";
    /// A machine that was made without a job has one at a time.
    OneBinding 1 "a machine is bound to one job at a time";
    /// Nothing is called twice at once.
    CalledOnce 1 "nothing is called twice at once";
    /// A process that is stopped has no running job.
    Stopped 2 "no process is stopped whose job runs";
    /// A job whose process lives is not failed.
    EarlyEnd 2 "no job is failed whose process lives";
    /// A runner that is taken back had no job.
    ReleasedUsed 2 "no machine waits again on which a job ran";
    /// A machine on which a job ran gets no other.
    UsedTwice 2 "a machine on which a job ran gets no other";
    /// A process whose job is gone has its grace.
    Grace 2 "a process whose job is gone has its grace";
    /// Who is said to be dead is dead.
    Dead 2 "who is said to be dead is dead";
    /// A registration that is deleted holds no job.
    HoldsJob 3 "no registration is deleted that holds a job";
    /// A registration that is deleted could not get a job.
    CouldGetJob 3 "no registration is deleted that could get its job";
    /// No pool has more machines than its max.
    PoolMax 4 "a pool keeps its max";
    /// No backend has more machines than its max.
    BackendMax 4 "a backend keeps its max";
    /// The deployment has no more machines than its max.
    DeploymentMax 4 "the deployment keeps its max";
    /// An end is backed by what has reached the daemon.
    EndBacked 5 "an end rests on what was heard";
    /// A deletion is backed by what has reached the daemon.
    DeletionBacked 5 "a deletion rests on what was heard";
    /// A runner that waits is stopped when its time is over.
    StopBegun 5 "a runner that waits is left its time";
    /// A job is held back when its runner has asked for long enough.
    HeldBackEarly 5 "a job is held back after the claim clock";
    /// A job that is gone has no registered runner.
    Gone 5 "a job that is gone has no registered runner";
    /// No machine is left in the end.
    MachinesLeft 6 "no machine is left";
    /// No registration is left in the end.
    RunnersLeft 6 "no registration is left";
    /// No machine waits in the end that nobody wants.
    SparesLeft 6 "no machine without a job is left that nobody wants";
    /// Nothing is left in the books in the end.
    BooksLeft 6 "no assignment is left in the books";
    /// A machine does not outlive its job by long.
    Outlives 6 "no machine outlives its job for long";
    /// How soon a machine goes after its job.
    RemovalBound 6 "bound: machine after its job";
    /// How soon a lost job is ended.
    LostBound 6 "bound: job after its process";
    /// A job that is ended early has a log that says why.
    Told 6 "the log of a job that we end says why";
    /// What is not ours is not touched.
    Foreign 7 "nothing of others is deleted";
    /// All jobs come to an end.
    JobsLeft 8 "every job comes to its end";
    /// A job that could run is launched.
    Launched 8 "a job that could run is launched";
    /// In the end as many machines wait as are wanted.
    SparesKept 8 "as many machines without a job are kept as are wanted";
    /// No runner waits for long for a job that is held back.
    WaitsInVain 8 "no runner waits for long for a job that is held back";
    /// Of jobs like one that was held back one is tried at a time.
    OneProbe 8 "one suspect is tried at a time";
    /// How long machines wait for jobs that are held back.
    SurplusBound 8 "bound: machines beyond one for jobs that are held back";
    /// How soon a job runs whose turn has come.
    TurnBound 8 "bound: turn of a job that was held back";
    /// The same where it was being tried itself.
    TurnAfterProbeBound 8 "bound: turn of a job that was held back, after its own probe";
    /// The same among older ones that are held back on.
    RoundRobinBound 8 "bound: turn of a job that was held back, among older ones that still are";
    /// How soon a job with room is launched.
    LaunchBound 8 "bound: launch of a job with room";
    /// The same while something else is broken.
    LaunchBesideBound 9 "bound: launch of a job with room, beside what is broken";
    /// A runner is registered for a machine that has its job.
    SpareRegistered 14 "no runner is registered for a machine that waits";
    /// How soon a machine without a job yields to a job that lacks its room.
    YieldBound 14 "bound: launch of a job whose room a machine without a job has";
    /// How soon as many machines without a job are kept as are wanted.
    LackBound 8 "bound: fewer machines without a job than are wanted";
    /// How soon those go that nobody wants.
    ExcessBound 14 "bound: more machines without a job than are wanted";
    /// Nothing waits for a lane that is free.
    FreeLanes 9 "nothing waits for a lane that is free";
    /// Nothing new is made on a backend that is away.
    AskedAway 9 "nothing new is asked of a backend that is away";
    /// Every failure of a job has a reason that is not ours.
    Explained 10 "every failed job is explained by the world";
    /// No token is in books or reports.
    TokenInBooks 11 "no token is in books or reports";
    /// No token is in a trace.
    TokenInTrace 11 "no token is in a trace";
    /// Nothing panics.
    Panic 12 "nothing panics";
    /// A turn is no larger than what it is about.
    Size 12 "a turn is no larger than what it is about";
    /// No calls go round and round.
    HotLoop 13 "no hot loop";
    /// What is remembered is bounded.
    Remembered 13 "what is remembered is bounded";
    /// What is over is forgotten.
    Forgotten 13 "what is over is forgotten";
}

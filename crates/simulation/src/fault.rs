//! Faults: what a world may do to us, each with a name, a rate and a count.
//!
//! Each fault draws from a stream of its own, so that a world without one of them is otherwise the same world.

/// How often a fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Often {
    /// In so many of a thousand cases at the most.
    Of(u64),
    /// By itself, with a mean span between these, in milliseconds.
    Every(u64, u64),
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident $word:literal $often:expr;)*) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $name,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in tables and scenario files.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// How often it comes in a world that has it.
            pub(crate) const fn often(self) -> Often {
                match self {
                    $(Self::$name => $often,)*
                }
            }
        }
    };
}

impl Fault {
    /// The fault of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.word() == word)
    }
}

use Often::{Every, Of};

faults! {
    /// A call never arrives.
    LostBefore "call-lost" Of(80);
    /// A call acts, its answer is lost.
    LostAfter "answer-lost" Of(120);
    /// A call arrives twice.
    Duplicated "call-twice" Of(80);
    /// A call takes seconds.
    Slow "call-slow" Of(200);
    /// 401 for a call to the forge.
    Unauthorised "call-401" Of(40);
    /// 403 for a call to the forge.
    Forbidden "call-403" Of(40);
    /// 404 for a registration: the scope is not there.
    Missing "call-404" Of(40);
    /// 429 for a call to forge or backend, with a time to wait.
    TooMany "call-429" Of(40);
    /// 5xx for a call to the forge.
    ServerError "call-5xx" Of(80);
    /// A backend has no room.
    Capacity "backend-capacity" Of(60);
    /// A backend's account has reached its quota.
    Quota "backend-quota" Of(60);
    /// A backend refuses for good.
    Permanent "backend-permanent" Of(40);
    /// The image of a job's first label cannot be had.
    ImageMissing "image-missing" Of(40);
    /// A backend stumbles.
    Stumbles "backend-transient" Of(80);
    /// A listing fails.
    ListingFails "listing-fails" Of(150);
    /// A listing lacks some rows and says so.
    ListingCut "listing-incomplete" Of(150);
    /// A complete listing lacks rows, once.
    ListingLies "listing-lies" Of(60);
    /// A listing is answered after the next one.
    ListingLate "listing-late" Of(100);
    /// A listing shows what was true up to two seconds before it was begun.
    ListingStale "listing-stale" Of(100);
    /// A job's row cannot be read beyond its handle.
    RowUnreadable "row-unreadable" Of(50);
    /// A row without a handle, as of a job older than Forgejo 15.
    RowWithoutHandle "row-without-handle" Of(20);
    /// The status of a runner is wrong.
    StatusLies "status-lies" Of(150);
    /// The forge is away for seconds.
    ForgeAway "forge-away" Every(60_000, 240_000);
    /// The forge is away for minutes to hours, and starts up with its zombie cron.
    ForgeDown "forge-down" Every(400_000, 1_600_000);
    /// A backend is away.
    BackendAway "backend-away" Every(60_000, 240_000);
    /// A backend has no room for a while.
    BackendFull "backend-full" Every(60_000, 240_000);
    /// The image of a pool is broken for a while: every runner on it dies at once.
    ImageBroken "pool-image-broken" Every(60_000, 300_000);
    /// The token of a scope is rotated: 401 until the new one is read.
    TokenRotated "token-rotated" Every(100_000, 400_000);
    /// The token of a scope loses a right for a while: 403.
    TokenStripped "token-stripped" Every(100_000, 400_000);
    /// The token file of a scope holds another user's token for a while: a daemon that begins then sees empty lists and
    /// another id.
    ScopeSwapped "token-of-another" Every(30_000, 300_000);
    /// A machine stays in the making for ever.
    NeverMade "machine-never-made" Of(80);
    /// A machine is made after the boot clock.
    MadeLate "machine-made-late" Of(80);
    /// A machine whose maker was killed is never made.
    MakerDied "machine-maker-died" Of(500);
    /// A runner never contacts the forge.
    NeverContacts "runner-never-contacts" Of(150);
    /// A runner contacts the forge after the boot clock.
    ContactsLate "runner-contacts-late" Of(150);
    /// A runner dies before it contacts the forge.
    DiesEarly "runner-dies-early" Of(600);
    /// A runner dies while its job runs.
    DiesMidJob "runner-dies-mid-job" Of(200);
    /// A machine fails while its job runs: it is listed as ended, and nobody knows how.
    MachineFails "machine-fails" Of(150);
    /// A runner is dead and its machine is listed as running.
    DiesSilently "machine-dies-silently" Of(60);
    /// A machine starts its runner a second time, with the same credentials.
    BootsTwice "machine-boots-twice" Of(80);
    /// A runner exits before its job with any code.
    OddExit "runner-exits-oddly" Of(100);
    /// A runner's process stays after its job.
    HangsAfter "runner-hangs-after" Of(200);
    /// A job does not end by itself.
    Endless "job-endless" Of(150);
    /// The report of a job's end is lost, and its process exits.
    LosesEnd "runner-loses-end" Of(100);
    /// The answer that hands a job over is lost.
    FetchLost "fetch-lost" Of(200);
    /// A machine that cannot be removed for a long time.
    Undeletable "machine-undeletable" Of(20);
    /// A living machine is listed no more for a while.
    Hidden "machine-hidden" Every(40_000, 300_000);
    /// A machine disappears with its process.
    Vanishes "machine-vanishes" Every(40_000, 300_000);
    /// A registration of ours is deleted by somebody while it waits.
    Meddler "registration-deleted" Every(40_000, 300_000);
    /// A webhook is dropped.
    HookDropped "hook-dropped" Of(500);
    /// A webhook comes twice.
    HookTwice "hook-twice" Of(200);
    /// A webhook comes late, after others.
    HookLate "hook-late" Of(200);
    /// A webhook that nobody at the forge has sent.
    HookForged "hook-forged" Every(10_000, 60_000);
    /// The daemon is killed.
    Killed "daemon-killed" Every(20_000, 120_000);
    /// The daemon is killed between two effects of one turn.
    KilledBetween "daemon-killed-between" Of(4);
    /// Another daemon takes over at once: it waited for the lock.
    Follower "daemon-followed" Of(500);
    /// A second daemon wants to begin while the first lives: the lock says no.
    SecondDaemon "second-daemon" Every(60_000, 240_000);
    /// Of restarts, those that lose all memory.
    MemoryLost "memory-lost" Of(600);
    /// Of restarts, those that find an old memory.
    MemoryOld "memory-old" Of(400);
    /// Of restarts, those that lose all credentials.
    CredentialsLost "credentials-lost" Of(600);
    /// The time of day jumps while the daemon is away.
    ClockJumps "clock-jumps" Of(300);
    /// The daemon stands still for seconds to an hour.
    Paused "daemon-paused" Every(60_000, 400_000);
    /// Daemon and machines stand still for up to an hour (a lid that is closed).
    HostPaused "host-paused" Every(40_000, 300_000);
    /// The daemon is stopped and lets its jobs end first.
    Drained "daemon-drained" Every(200_000, 800_000);
    /// A pool is removed from the configuration.
    PoolRemoved "reload-pool-removed" Every(100_000, 600_000);
    /// The max of a pool becomes 0.
    MaxZero "reload-max-zero" Every(100_000, 600_000);
    /// The labels of a pool change.
    LabelsChanged "reload-labels-changed" Every(100_000, 600_000);
    /// A pool keeps another count of machines without a job.
    WarmChanged "reload-warm-changed" Every(100_000, 600_000);
    /// The machines of a pool are made of something else, and its labels name other images.
    MadeAnew "reload-image-changed" Every(100_000, 600_000);
    /// A machine that waits for a job ends.
    SpareDies "spare-dies" Every(20_000, 150_000);
    /// A runner is half taken back from its machine: the next list goes on with it.
    LeftHalfWay "release-half-way" Of(200);
    /// A machine without a job is bound to a launch that it never gets.
    NotLaunched "start-without-launch" Of(60);
    /// A persistent runner of somebody else takes jobs.
    Rival "rival-runner" Every(1_000, 30_000);
    /// Another autoscaler takes jobs and leaves registrations.
    RivalAutoscaler "rival-autoscaler" Every(10_000, 60_000);
}

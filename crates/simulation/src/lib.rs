//! Worlds made of planner, forge model, modelled backends and faults, each from one seed.
//!
//! A world drives [`planner::step::step`] and [`planner::fold::fold`] exactly as a daemon does: it lists, hands actions to
//! the forge model and to modelled backends, and brings answers back, or loses them. After a while faults stop, and all
//! must come to a good end within [`QUIET_BOUND_MS`].
//!
//! ```text
//! people, rival ──► forge model ──listings──► daemon (planner) ──actions──► forge model, backends ──► processes
//!                        ▲                                                                              │
//!                        └──────────────────── declare, fetch, update ──────────────────────────────────┘
//! ```
//!
//! Promises: the same seed gives the same trace; time is virtual; each consumer draws from its own stream; the invariants
//! of the design (section 6) are judged from the world's own truth, never from what the planner believes, but for the
//! narrow races that the design documents: those are counted ([`Tally::races`]).
//!
//! | Module | Holds |
//! |---|---|
//! | `world`, `happening`, `dice`, `trace` | the loop, its agenda, streams of draws, and what is written down |
//! | `shape`, `setting`, `people` | which world; forges and configuration; the work |
//! | `fault`, `weather`, `outages`, `reload`, `rivals` | what may go wrong, how often, and what comes by itself |
//! | `forge`, `backends`, `processes`, `calls`, `listings` | what daemons talk to, and what becomes of calls and listings |
//! | `warm` | machines without a job |
//! | `daemon`, `lives` | the daemon, and what a new life finds |
//! | `judge`, `ending` | the invariants, on every step and in the end |
//! | `tally`, `reasons`, `kind` | what was counted |
//! | `script`, `scenario` | scenarios: a world that follows a script, and the files that hold them |
//! | `explain`, `shrink` | what a person reads when something breaks, and the smallest world that breaks so |
//!
//! Deliberately absent: HTTP, real processes, a real clock.
#![forbid(unsafe_code)]

mod backends;
mod calls;
mod daemon;
mod dice;
mod ending;
mod explain;
mod fault;
mod forge;
mod happening;
mod judge;
mod kind;
mod listings;
mod lives;
mod outages;
mod people;
mod processes;
mod reasons;
mod reload;
mod rivals;
mod scenario;
mod script;
mod setting;
mod shape;
mod shrink;
mod tally;
mod trace;
mod warm;
mod weather;
mod world;

pub use ending::{QUIET_BOUND_MS, QUIET_BOUND_PER_JOB_MS, Report, run, run_whole};
pub use explain::explain;
pub use fault::Fault;
pub use judge::{Bound, Broken, LAUNCH_BOUND_MS, Measured, REMOVAL_BOUND_MS, Rule};
pub use kind::Kind;
pub use scenario::{Played, Scenario};
pub use shape::Shape;
pub use shrink::{Shrunk, shrink};
pub use tally::Tally;

#[cfg(feature = "sabotage")]
pub use planner::sabotage;

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
//! narrow races that the design documents: those are counted ([`Counters::races`]).
//!
//! Deliberately absent: HTTP, real processes, a real clock, several forges.
#![forbid(unsafe_code)]

mod backends;
mod calls;
mod daemon;
mod dice;
mod ending;
mod forge;
mod happening;
mod judge;
mod listings;
mod people;
mod processes;
mod rival;
mod setting;
mod trace;
mod weather;
mod world;

pub use ending::{Counters, QUIET_BOUND_MS, Report, run};
pub use judge::Broken;

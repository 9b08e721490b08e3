//! Decides what happens next: pure, total, without input or output.
//!
//! Events are folded into a [`state::State`]; [`plan::plan`] reads it together with a [`policy::Policy`] and says what to
//! decide, what to call, and why everything else is left alone. [`step::step`] does both in turn; [`check::check`] judges
//! every action by the invariants before it is begun.
//!
//! Deliberately absent: clocks, randomness, input and output, threads, maps of random order, secrets. Jitter is drawn from
//! the names of things, so that the same state always gives the same plan.
#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]

pub mod action;
mod backoff;
pub mod change;
pub mod check;
pub mod error_class;
pub mod event;
pub mod evidence;
pub mod fold;
pub mod identity;
pub mod ids;
pub mod label;
pub mod overlap;
pub mod plan;
pub mod policy;
pub mod report;
pub mod sabotage;
pub mod seen;
pub mod state;
pub mod step;
pub mod time;

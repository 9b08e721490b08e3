//! A minimal `one-job` runner, for the demo and for tests where the real Forgejo Runner is not installed.
//!
//! ```text
//! flags ─► Declare ─► fetch ─(none, --wait: again)─► job ─► last report ─► exit
//!   │        │          └─ none: 2                   │           └─ 0, also when it never arrived
//!   └────────┴─ failed: 1     (signal: 0) ───────────┴─ signal: steps killed, failure reported, 0
//! ```
//!
//! Promises: flags, calls, exit codes and signals are those of the real runner (protocol 3.6), against a real Forgejo
//! as against an emulated one; what a job asks for and does not get here makes it fail with a clear line in its log.
//!
//! Deliberately absent: actions (`uses:`), containers and services, expressions beyond the trivial, caches, artifacts,
//! and everything about scaling: this crate does not know that it is started by an autoscaler.
#![forbid(unsafe_code)]

mod args;
mod config;
mod console;
mod contexts;
mod delivery;
mod environment;
mod environment_files;
mod error;
mod expression;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod go_duration;
mod job;
mod label;
mod log_buffer;
mod mask;
mod places;
mod poll;
mod process;
mod report;
mod runner;
mod signals;
mod step;
mod stop;
mod token;
mod workflow;

pub use args::OneJob;
pub use delivery::Pace;
pub use runner::{run, run_at};

//! Owner task, observers and lanes around the planner.
//!
//! Data flows one way (design section 2): observers and lanes send events, the owner folds them and plans, lanes carry out
//! what was planned. Nothing here decides.
//!
//! Deliberately absent: flags and signals (the command's), rules of any kind (the planner's).
#![forbid(unsafe_code)]

mod alerts;
mod at_repositories;
pub mod check;
mod claim;
mod clock;
mod collect;
pub mod config;
pub mod control;
mod convert;
mod daemon;
mod follow;
mod forges;
mod fresh_start;
mod history;
pub mod hours;
mod lanes;
mod left;
mod lock;
mod machines;
mod made;
mod names;
mod notify;
mod observers;
mod observing;
mod orders;
mod owner;
mod parts;
mod places;
mod private;
mod reload;
mod remembered;
mod remembered_pools;
pub mod report_file;
mod repositories;
#[cfg(test)]
mod stage;
mod tending;
mod tokens;
mod vault;

pub use backend::{chain, wall_ms};
pub use collect::{Collect, Collected, Collection, Waiting};
pub use daemon::{Control, Daemon, Options, StartError};
pub use follow::follow;
pub use forges::ForgeError;
pub use lock::{LockError, StateDirectory};
pub use machines::BackendRefused;

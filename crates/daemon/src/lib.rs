//! Owner task, observers and lanes around the planner.
//!
//! Data flows one way (design section 2): observers and lanes send events, the owner folds them and plans, lanes carry out
//! what was planned. Nothing here decides.
//!
//! Deliberately absent: flags and signals (the command's), rules of any kind (the planner's).
#![forbid(unsafe_code)]

pub mod check;
mod claim;
mod clock;
pub mod config;
mod convert;
mod daemon;
mod forges;
mod fresh_start;
mod history;
mod lanes;
mod lock;
mod machines;
mod names;
mod notify;
mod observers;
mod owner;
mod places;
mod private;
mod remembered;
pub mod report_file;
mod repositories;
mod tokens;
mod vault;

pub use backend::{chain, wall_ms};
pub use daemon::{Control, Daemon, Options, StartError};
pub use forges::ForgeError;
pub use lock::{LockError, StateDirectory};

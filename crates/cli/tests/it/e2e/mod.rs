//! The daemon as people run it: the real binary with real machines, against an emulated forge on loopback.
//!
//! ```text
//! World: emulated forge (in this process) ◄─ HTTP ─ forgescale run (child) ─► supervisors ─► stand-in runners ─► jobs
//! ```
//!
//! What happened is read from the forge's books and the process table, never from the daemon's own records. Each test
//! has its own forge, directories and deployment, so that all of them can run at once. Nothing here measures time:
//! deadlines are only there so that a test that hangs ends.

mod away;
mod bad_luck;
mod cancelling;
mod claims;
mod config;
mod containers;
mod control;
pub(crate) mod daemon;
mod deaths;
mod demo;
mod explained;
mod follower;
mod foreign;
mod gc;
mod kills;
pub(crate) mod leftovers;
mod lost_answers;
mod parked;
pub(crate) mod processes;
mod refused;
mod register_at;
mod release_race;
mod reload;
mod rival;
mod rivalry;
mod run_clock;
mod scopes;
pub(crate) mod secrets;
mod service;
mod signals;
pub(crate) mod world;
mod written_otherwise;

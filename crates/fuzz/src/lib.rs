//! What must hold for any bytes that come from outside.
//!
//! ```text
//! corpus/TARGET/* ─► tests (stable compiler)  ─┐
//!                                              ├─► TARGET(bytes): panics when its property is broken
//! libFuzzer       ─► engine/ (nightly)        ─┘
//! ```
//!
//! Each target is one function with its property as its documentation. Tests replay the corpus; to search for more, see
//! `engine/README.md`. An input that breaks a property is added to the corpus when the defect is mended.
//!
//! Deliberately absent: webhooks. Nothing here receives one yet; the reader brings its target along.
#![forbid(unsafe_code)]

mod config;
mod lists;
mod payload;

pub use config::config;
pub use lists::{job_list, runner_list};
pub use payload::payload;

/// A target.
pub type Target = fn(&[u8]);

/// All targets; each name is that of its folder in the corpus.
pub const TARGETS: [(&str, Target); 4] =
    [("config", config), ("job_list", job_list), ("payload", payload), ("runner_list", runner_list)];

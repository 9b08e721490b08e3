//! Decides what happens next: pure, total, without input or output.
#![forbid(unsafe_code)]

pub mod error_class;
pub mod identity;
pub mod ids;
pub mod label;
pub mod policy;
pub mod report;
pub mod seen;
pub mod time;

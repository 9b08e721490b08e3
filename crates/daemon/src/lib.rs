//! Owner task, observers and lanes around the planner.
#![forbid(unsafe_code)]

pub mod config;
pub mod report_file;

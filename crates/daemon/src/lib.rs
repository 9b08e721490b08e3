//! Owner task, observers and lanes around the planner.
#![forbid(unsafe_code)]

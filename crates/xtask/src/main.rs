//! Checks and generated files of the project.
#![forbid(unsafe_code)]
fn main() {}

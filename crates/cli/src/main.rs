//! The program forgescale.
#![forbid(unsafe_code)]
fn main() {}

//! Decides what happens next: pure, total, without input or output.
#![forbid(unsafe_code)]

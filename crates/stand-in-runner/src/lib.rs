//! A minimal one-job runner for the demo and for tests.
#![forbid(unsafe_code)]

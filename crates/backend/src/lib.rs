//! What a backend is: the interface, error classes and the conformance suite.
#![forbid(unsafe_code)]

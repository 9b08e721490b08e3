//! Forgejo's Actions queue as a pure state machine.
#![forbid(unsafe_code)]

//! Thin client of Forgejo's REST API.
#![forbid(unsafe_code)]

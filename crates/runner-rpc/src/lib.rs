//! The runner's RPC of Forgejo Actions: protobuf messages, the Connect error model and a client.
//!
//! Seven unary calls make up the whole protocol (protocol reference, section 3), so the messages are written by hand
//! and no code generator runs at build time. Servers use [`messages`], [`wire`] and [`connect`]; callers use
//! [`RunnerClient`]. The REST client shares [`transport`], so that one place decides about TLS, proxies and redirects.
//!
//! Promise: no runner token, job token or job secret appears in the `Debug` or `Display` text of anything here.
//!
//! Deliberately absent: retries (the caller decides), compression of requests, gRPC, and serde on the messages (the
//! JSON form of protobuf has its own rules, which only a server that speaks it needs).
#![forbid(unsafe_code)]

mod client;
pub mod connect;
mod error;
pub mod messages;
pub mod outcome;
pub mod transport;
pub mod wire;

pub use client::{CallLimits, Credentials, RunnerClient};
pub use error::{Acted, Error, acted_without_answer, bounded_message, retry_after};

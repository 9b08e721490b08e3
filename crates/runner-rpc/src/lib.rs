//! The runner's RPC of Forgejo Actions: protobuf messages, the Connect error model and a client.
//!
//! Seven unary calls make up the whole protocol (protocol reference, section 3), so the messages are written by hand
//! and no code generator runs at build time. Servers use [`messages`], [`wire`] and [`connect`]; callers use
//! the client.
//!
//! Promise: no runner token, job token or job secret appears in the `Debug` or `Display` text of anything here.
//!
//! Deliberately absent: retries (the caller decides), compression of requests, gRPC, and serde on the messages (the
//! JSON form of protobuf has its own rules, which only a server that speaks it needs).
#![forbid(unsafe_code)]

pub mod connect;
pub mod messages;
pub mod outcome;
pub mod wire;

//! A Forgejo to talk to: `forge-model` behind the real wire, on loopback, for the demo, tests and benches.
//!
//! ```text
//! TCP ─► server ─► route ─► faults ─► rest │ rpc ─► Forge (under one lock) ─► answer ─► faults ─► TCP
//! ```
//!
//! The wire is that of protocol 1 and 3: paths, statuses, headers, JSON with its quirks, Connect RPC in both encodings.
//! Beside the wire there are: [`Emulator::with_forge`] to script what people do, [`Emulator::calls`] to count requests,
//! [`Emulator::faults`] to break answers by rule, [`AnswerTimes`] to be as slow as a real forge, [`EmulatorClock`] to
//! move time.
//!
//! Promises: one request is one step under one lock; a fault never changes what the forge did, only what the caller
//! learns; nothing outlives the [`Emulator`] value but requests that are being answered.
//!
//! Deliberately absent: TLS, compression, gRPC, delivery of webhooks, files of logs and artifacts, every other path.
#![forbid(unsafe_code)]

mod answer;
mod calls;
mod clock;
mod emulator;
mod faults;
mod latency;
mod request;
mod rest;
mod route;
mod rpc;
mod server;

pub use calls::Calls;
pub use clock::EmulatorClock;
pub use emulator::{Emulator, EmulatorSettings, StartError};
pub use faults::{Effect, FaultId, FaultRule, Faults, Matcher, Rewrite};
pub use latency::AnswerTimes;
pub use route::RouteKind;

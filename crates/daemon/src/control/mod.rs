//! The control socket: how another process of the same user asks a running daemon for something.
//!
//! ```text
//! forgescale confirm ─► control.sock, one line of JSON ─► server ─► desk ─► owner, between two plans
//!                   ◄─────────────── one line of JSON ◄────────────────────────┘
//! ```
//!
//! Promises: one request per connection; requests, answers, connections and waiting are all bounded, so that whoever asks
//! badly holds up nobody else and no job; only the daemon's own user and root are answered. The socket lies in the state
//! directory and belongs to whoever holds its lock: one that a killed daemon has left is replaced.
//!
//! Deliberately absent: anything that decides. A request becomes an event for the planner, or a question about its books.

mod client;
mod desk;
mod message;
mod server;
mod socket;

pub use client::{ControlError, ask};
pub(crate) use desk::{Desk, Order};
pub use message::{Left, Reloaded, Reply, Request, Said};
pub(crate) use server::Server;

/// The socket's name in the state directory.
pub(crate) const NAME: &str = "control.sock";

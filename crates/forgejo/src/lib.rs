//! Thin client of a forge: the REST calls of Forgejo Actions that an autoscaler needs, and the runner's own calls that
//! fence, question or end a runner from outside.
//!
//! ```text
//! Scope ─► Client ─► GET/POST/DELETE ─► status ─► body, in rows ─► Listing { rows, bad_rows, complete }
//!                                        └► Error ─► class(), acted()
//! ```
//!
//! Promises:
//! - Every call has one deadline and a limit on its answer, and is sent exactly once: retries, pauses and budgets are
//!   the planner's business.
//! - The status decides; the body of an answer that says no is never taken for a result, and that of a 401 is never
//!   looked at, since Forgejo repeats the rejected token in it (protocol 1.1 and 1.9).
//! - A bad row never fails a listing. A listing says itself whether what it lacks is really absent.
//! - Tokens appear in no `Debug` or `Display` text.
//!
//! Deliberately absent: retries, caches, policy, and every field that nothing decides on.
#![forbid(unsafe_code)]

mod answer;
mod client;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod greeting;
mod list_reader;
mod listing;
mod request;
mod rights;
mod rows;
mod runner_calls;
mod scope;
mod splitter;
mod stranger;
mod version;

pub use client::{Client, ClientSettings, Deletion, Limits, Registration, Repository, RepositoryOwner};
pub use error::{Error, ErrorClass};
pub use greeting::{Greeting, NoAnswer};
pub use listing::{BadRow, Listing};
pub use rights::{Lack, Rights};
pub use rows::{Job, JobStatus, Runner, RunnerStatus};
pub use runner_calls::{EarlyEnd, FENCE_LABEL, FenceAnswer, TaskOwner};
pub use runner_rpc::{Acted, Credentials};
pub use scope::{Scope, ScopeError};
pub use stranger::Stranger;
pub use version::Version;

//! What the REST API answers about Actions (protocol 1), without statuses, headers and JSON.
//!
//! A request is first authorised, which resolves its [`Scope`] to an [`crate::Area`]; the other calls then take that area
//! and trust it. A simulator may skip authorisation.

mod authorise;
mod dispatch;
mod hooks;
mod jobs;
mod refusal;
mod runners;
mod runs;
mod tokens;

pub use authorise::{Access, Caller, Scope};
pub use dispatch::Dispatched;
pub use hooks::{Hook, HookSpec};
pub use jobs::{JobRow, LabelFilter};
pub use refusal::Refusal;
pub use runners::{Registration, RunnerPage, RunnerQuery, RunnerRow};
pub use runs::{RunQuery, RunRow, TaskRow};
pub use tokens::MadeToken;

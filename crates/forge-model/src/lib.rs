//! Forgejo's Actions queue as a pure state machine.
//!
//! [`Forge`] is the whole state of one forge: who owns what, workflow runs and their jobs, runners, and which runner was
//! given which job. Three groups of calls change or read it:
//!
//! | Group | Who calls it on a real forge | Module |
//! |---|---|---|
//! | scripting | people, the web interface, cron | [`script`] |
//! | REST | an autoscaler with an access token | [`rest`] |
//! | runner RPC | a runner with its own credentials | [`rpc`] |
//!
//! Calls of scripts that play bad luck: [`Forge::rename_repository`], [`Forge::transfer_repository`] (the old path
//! redirects), [`Forge::set_actions_enabled`] (the unit, also in the middle of a job), [`Forge::set_archived`],
//! [`Forge::delete_repository`], [`Forge::delete_owner`], [`Forge::revoke_token`], [`Forge::create_token`] (with
//! [`TokenSpec::with_text`] a rotated token of another user), [`Forge::start_up`] (after a restart),
//! [`Forge::show_status_as`] (a status that no client knows), [`Settings::unknown_fields`] (likewise, fields); a restored
//! backup is an earlier clone.
//!
//! What happened is kept in [`Books`], so that a test can say afterwards what really took place.
//!
//! Promises: the same seed, settings and calls give the same answers, bit for bit; no clock, no randomness of its own,
//! no input or output; a listing costs what the *unfinished* jobs cost, never what the history costs; `Clone` is a
//! complete snapshot.
//!
//! Deliberately absent: HTTP (statuses, headers, JSON), delivery of webhooks, the evaluation of workflow files and
//! expressions (the caller says what they would have come to), approval, artifacts, reusable workflows.
//!
//! Facts about Forgejo are cited as "protocol N.M", the section of the project's protocol reference.
#![forbid(unsafe_code)]

mod books;
mod forge;
mod ids;
mod job;
mod moment;
mod owners;
pub mod rest;
pub mod rpc;
mod runner;
pub mod script;
mod settings;
mod status;
mod transitions;

pub use books::{AttemptRecord, Books, HandOut, RegistrationEnd, RegistrationRecord};
pub use forge::Forge;
pub use ids::{Handle, JobId, OwnerId, RepoId, RunId, RunnerId, TaskId};
pub use job::{Need, TaskAnswer, TaskContext};
pub use moment::Moment;
pub use owners::{AccessToken, Category, Owner, OwnerKind, Repository, TokenScope, TokenSpec};
pub use runner::{Area, RunnerStatus};
pub use settings::{CronPeriods, Settings, Version};
pub use status::Status;

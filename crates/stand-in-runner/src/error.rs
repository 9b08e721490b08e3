//! Everything that can go wrong, in one place. Errors before the job go to standard error; errors of a job go into
//! its log.

use std::io;
use std::path::PathBuf;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    // Before any call.
    #[error("--{flag} is missing or empty")]
    FlagMissing { flag: &'static str },
    #[error("--url cannot be used")]
    Url {
        #[source]
        source: runner_rpc::Error,
    },
    #[error("--uuid {uuid:?} is malformed")]
    Uuid {
        uuid: String,
        #[source]
        source: uuid::Error,
    },
    #[error("--label {label:?} is malformed: {reason}")]
    Label { label: String, reason: &'static str },
    #[error("--fetch-interval {text:?} is no positive duration such as 500ms, 2s or 1m")]
    FetchInterval { text: String },
    #[error("--token-url {address:?} is not of the form file:/absolute/path")]
    TokenUrl { address: String },
    #[error("the token cannot be read from {path:?}")]
    TokenRead {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("what {path:?} holds is no token: it is empty, too long, or has a newline, a space or the like")]
    TokenContent { path: PathBuf },
    #[error("the configuration {path:?} cannot be read")]
    ConfigRead {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("what {path:?} holds is no configuration of a runner")]
    ConfigContent { path: PathBuf },
    #[error("the configuration {path:?} has several connections; exactly one is expected")]
    ConfigConnections { path: PathBuf },
    #[error("a connection stands both in the configuration and in the flags")]
    ConfigConflict,
    #[error("the connection in the configuration has no token")]
    TokenMissing,
    #[error("the token in the configuration is none: it is empty, too long, or has a newline, a space or the like")]
    TokenInConfig,
    #[error("cannot set up {what}")]
    SetUp {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot set up the calls to the forge")]
    Client {
        #[source]
        source: runner_rpc::Error,
    },
    // Calls.
    #[error("cannot introduce the runner to the forge")]
    Declare {
        #[source]
        source: runner_rpc::Error,
    },
    #[error("cannot send log and state of the job")]
    Deliver {
        #[source]
        source: runner_rpc::Error,
    },
    #[error(
        "the forge stores no more log rows: it acknowledged {acknowledged} when the rows from {index} on were sent"
    )]
    LogStuck { acknowledged: i64, index: i64 },
    #[error("stopped by {signal} during Declare")]
    StoppedAtDeclare { signal: &'static str },
    // The job.
    #[error("the task has no workflow")]
    NoWorkflow,
    #[error("the task's workflow cannot be read")]
    Workflow {
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    #[error("the task's workflow has {count} jobs; exactly one is expected")]
    JobCount { count: usize },
    #[error("the stand-in runner does not execute {what}")]
    NotExecuted { what: String },
    #[error(
        "the stand-in runner evaluates only trivial expressions (a dotted path, a literal, two of them compared by == \
         or !=, and in an if: success(), failure(), always(), cancelled()); this one is not: {expression}"
    )]
    NotTrivial { expression: String },
    #[error("the stand-in runner does not know the context {context:?} of the expression {expression}")]
    UnknownContext { context: String, expression: String },
    #[error("timeout-minutes {text:?} is no positive number of minutes")]
    TimeoutMinutes { text: String },
    #[error("cannot {action} {path:?}")]
    Directory {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{variable} cannot be read after the step")]
    EnvironmentFile {
        variable: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("an entry that the step wrote has neither the form name=value nor that of a here-document: {line}")]
    EnvironmentEntry { line: String },
    #[error("cannot run the step's shell")]
    Shell {
        #[source]
        source: io::Error,
    },
}

//! Descriptions of runs to be pushed: what a workflow file would have come to.

use crate::ids::{OwnerId, RepoId};

/// What caused a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// `push`.
    Push,
    /// `pull_request`, first opened.
    PullRequest,
    /// `pull_request`, new commits.
    PullRequestSync,
    /// `workflow_dispatch`.
    Dispatch,
    /// `schedule`.
    Schedule,
}

impl Event {
    /// The word in the job's context.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::PullRequest | Self::PullRequestSync => "pull_request",
            Self::Dispatch => "workflow_dispatch",
            Self::Schedule => "schedule",
        }
    }

    /// Whether a newer run cancels older ones when the workflow says nothing (protocol 2.5).
    pub(crate) const fn cancels_by_default(self) -> bool {
        matches!(self, Self::Push | Self::PullRequestSync)
    }
}

/// The workflow's `concurrency`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concurrency {
    /// `group`; `None` puts the run into the automatic group of its ref, file and event.
    pub group: Option<String>,
    /// `cancel-in-progress`; `None` leaves it to the event.
    pub cancel_in_progress: Option<bool>,
}

impl Concurrency {
    /// Runs of this group wait for each other.
    pub fn queue(group: &str) -> Self {
        Self { group: Some(group.to_owned()), cancel_in_progress: Some(false) }
    }

    /// A newer run of this group cancels the older ones.
    pub fn cancel(group: &str) -> Self {
        Self { group: Some(group.to_owned()), cancel_in_progress: Some(true) }
    }

    /// No limit, whatever the event (a push would cancel its forerunner otherwise).
    pub const fn unlimited() -> Self {
        Self { group: None, cancel_in_progress: Some(false) }
    }
}

/// A job's `if:`. Version 15 leaves it to the runner, version 16 decides it before the job ever waits (protocol 2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// No `if:`: the job runs when all its needs succeeded.
    #[default]
    Absent,
    /// An `if:`, and what it comes to.
    Present {
        /// When there are no needs, or all of them succeeded.
        after_success: bool,
        /// When some need did not succeed.
        after_failure: bool,
    },
}

/// One job of a run. A static matrix is several of these with one `key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Key under `jobs:`; what `needs` refers to.
    pub key: String,
    /// Display name, matrix values included.
    pub name: String,
    /// Labels, in order. Empty: the job waits and can never be taken.
    pub runs_on: Vec<String>,
    /// Keys of needed jobs.
    pub needs: Vec<String>,
    /// YAML of a workflow with exactly this job (protocol 3.5).
    pub payload: String,
    /// Its `if:`.
    pub condition: Condition,
    /// The jobs that take its place when its needs have succeeded: a matrix or labels made from outputs (protocol 2.3).
    /// Empty: it is what it is.
    pub expands_to: Vec<JobSpec>,
}

impl JobSpec {
    /// A job of one `run:` step.
    pub fn shell(key: &str, runs_on: &[&str], script: &str) -> Self {
        let labels = runs_on.iter().map(|label| quoted(label)).collect::<Vec<_>>().join(", ");
        let payload = format!(
            "name: generated\n\"on\": push\njobs:\n  {key}:\n    name: {}\n    runs-on: [{labels}]\n    steps:\n      - run: {}\n",
            quoted(key),
            quoted(script)
        );
        Self {
            key: key.to_owned(),
            name: key.to_owned(),
            runs_on: runs_on.iter().map(|label| (*label).to_owned()).collect(),
            needs: Vec::new(),
            payload,
            condition: Condition::Absent,
            expands_to: Vec::new(),
        }
    }

    /// The same job under another display name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The same job after others.
    #[must_use]
    pub fn needing(mut self, keys: &[&str]) -> Self {
        self.needs = keys.iter().map(|key| (*key).to_owned()).collect();
        self
    }

    /// The same job with another payload.
    #[must_use]
    pub fn with_payload(mut self, payload: &str) -> Self {
        payload.clone_into(&mut self.payload);
        self
    }

    /// The same job, to be replaced by others when its needs have succeeded.
    #[must_use]
    pub fn expanding_to(mut self, jobs: Vec<Self>) -> Self {
        self.expands_to = jobs;
        self
    }

    /// The same job with an `if:`.
    #[must_use]
    pub const fn with_condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }
}

/// A YAML double-quoted scalar.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A run to be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSpec {
    /// Where.
    pub repo: RepoId,
    /// File name of the workflow.
    pub workflow: String,
    /// What caused it.
    pub event: Event,
    /// Branch or tag, e.g. `refs/heads/main`.
    pub reference: String,
    /// Who caused it; `None`: the repository's owner.
    pub actor: Option<OwnerId>,
    /// Its concurrency group.
    pub concurrency: Concurrency,
    /// Its jobs, at least one.
    pub jobs: Vec<JobSpec>,
}

impl RunSpec {
    /// A dispatched run on the main branch, unlimited by default.
    pub fn new(repo: RepoId, workflow: &str, jobs: Vec<JobSpec>) -> Self {
        Self {
            repo,
            workflow: workflow.to_owned(),
            event: Event::Dispatch,
            reference: "refs/heads/main".to_owned(),
            actor: None,
            concurrency: Concurrency::default(),
            jobs,
        }
    }

    /// The same run in a concurrency group.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: Concurrency) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// The same run by another event.
    #[must_use]
    pub const fn with_event(mut self, event: Event) -> Self {
        self.event = event;
        self
    }
}

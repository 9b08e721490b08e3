//! Webhooks as rows (protocol 5.1). They are stored and shown; nothing is ever delivered.

use crate::forge::Forge;
use crate::moment::Moment;
use crate::runner::Area;

/// Events that a webhook can name, in the order in which they are shown; other words are dropped. None of them is about
/// jobs.
const EVENTS: [&str; 26] = [
    "create",
    "delete",
    "fork",
    "push",
    "issues",
    "issue_assign",
    "issue_label",
    "issue_milestone",
    "issue_comment",
    "pull_request",
    "pull_request_assign",
    "pull_request_label",
    "pull_request_milestone",
    "pull_request_comment",
    "pull_request_review_approved",
    "pull_request_review_rejected",
    "pull_request_review_comment",
    "pull_request_sync",
    "wiki",
    "repository",
    "release",
    "package",
    "pull_request_review_request",
    "action_run_failure",
    "action_run_recover",
    "action_run_success",
];

/// A webhook to be made. Its secret is not kept: nothing is signed here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookSpec {
    /// Where deliveries go.
    pub url: String,
    /// `json` or `form`.
    pub content_type: String,
    /// Events as asked for; none means `push`.
    pub events: Vec<String>,
    /// Branches that it is for.
    pub branch_filter: String,
    /// Sent with every delivery.
    pub authorization_header: String,
    /// Whether it is switched on.
    pub active: bool,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Number.
    pub id: i64,
    /// Whose it is.
    pub area: Area,
    /// As asked for, with the events that exist.
    pub spec: HookSpec,
    /// When it was made.
    pub created: Moment,
}

impl Forge {
    /// Makes a webhook.
    pub fn create_hook(&mut self, now: Moment, area: Area, mut spec: HookSpec) -> Hook {
        spec.events = match spec.events.as_slice() {
            [] => vec!["push".to_owned()],
            asked => EVENTS.iter().map(|event| (*event).to_owned()).filter(|event| asked.contains(event)).collect(),
        };
        self.last_hook += 1;
        let hook = Hook { id: self.last_hook, area, spec, created: now };
        self.hooks.insert(hook.id, hook.clone());
        hook
    }

    /// Webhooks of an area, oldest first.
    pub fn list_hooks(&self, area: Area) -> Vec<&Hook> {
        self.hooks.values().filter(|hook| hook.area == area).collect()
    }

    /// Deletes a webhook; one that is not there is no error.
    pub fn delete_hook(&mut self, id: i64) {
        self.hooks.remove(&id);
    }
}

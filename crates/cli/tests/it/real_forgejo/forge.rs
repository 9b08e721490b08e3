//! A real server's REST API as a person's script would use it, and what differs between its versions.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode, redirect};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::settings::Settings;

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// The first version with results of jobs, logs and cancellation by REST (protocol 1.8).
const WITH_RUN_CALLS: u32 = 16;

/// So many jobs of a run at most have their logs looked for on a server that does not list jobs.
const MOST_JOBS: u32 = 12;

/// A workflow's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) id: i64,
    /// Counted within the repository.
    number: i64,
}

/// An answer.
struct Answer {
    status: StatusCode,
    text: String,
}

/// The server.
pub(super) struct Forge {
    url: String,
    token: String,
    client: Client,
    runtime: Runtime,
    /// The major version.
    version: u32,
}

impl Forge {
    pub(super) fn connect(settings: &Settings) -> Self {
        // An error only says that a provider is there already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client =
            Client::builder().timeout(DEADLINE).redirect(redirect::Policy::none()).user_agent("forgescale-test");
        let client = client.build().expect("a client");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut forge = Self { url: settings.url.clone(), token: settings.token.clone(), client, runtime, version: 0 };
        let text = forge.version_text().expect("a server that answers");
        let major = text.split('.').next().and_then(|major| major.parse().ok());
        forge.version = major.unwrap_or_else(|| panic!("{text} is no version"));
        forge
    }

    /// What the server says of its version; nothing while it does not answer.
    pub(super) fn version_text(&self) -> Option<String> {
        let answer = self.call(Method::GET, "/api/v1/version", None).ok()?;
        let value: Value = serde_json::from_str(&answer.text).ok()?;
        Some(value["version"].as_str()?.to_owned())
    }

    /// The name of the token's user.
    #[track_caller]
    pub(super) fn user(&self) -> String {
        text(&self.get("/user")["login"])
    }

    #[track_caller]
    pub(super) fn create_organization(&self, name: &str) {
        self.post("/orgs", &json!({ "username": name }));
    }

    /// Creates a public repository with one commit: an organization's, or else the user's own.
    #[track_caller]
    pub(super) fn create_repository(&self, organization: Option<&str>, name: &str) {
        let place = organization.map_or_else(|| "/user/repos".to_owned(), |name| format!("/orgs/{name}/repos"));
        self.post(&place, &json!({ "name": name, "auto_init": true, "default_branch": "main" }));
    }

    /// Deletes something; says what is in the way.
    pub(super) fn delete(&self, path: &str) -> Result<(), String> {
        let answer = self.call(Method::DELETE, &format!("/api/v1{path}"), None)?;
        if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND {
            Ok(())
        } else {
            Err(format!("DELETE {path}: {} {}", answer.status, answer.text))
        }
    }

    /// Commits new files to the main branch, which is a push.
    #[track_caller]
    pub(super) fn commit(&self, repository: &str, files: &[(&str, &str)]) {
        let files: Vec<Value> = files
            .iter()
            .map(|(path, content)| json!({ "path": path, "operation": "create", "content": base64(content) }))
            .collect();
        let body = json!({ "branch": "main", "message": "Add files", "files": files });
        self.post(&format!("/repos/{repository}/contents"), &body);
    }

    /// Runs a workflow by dispatch.
    #[track_caller]
    pub(super) fn dispatch(&self, repository: &str, workflow: &str, inputs: &Value) -> Run {
        let body = json!({ "ref": "main", "inputs": inputs, "return_run_info": true });
        let answer = self.post(&format!("/repos/{repository}/actions/workflows/{workflow}/dispatches"), &body);
        Run { id: number(&answer["id"]), number: number(&answer["run_number"]) }
    }

    /// The runs of a workflow, oldest first.
    #[track_caller]
    pub(super) fn runs(&self, repository: &str, workflow: &str) -> Vec<Run> {
        let answer = self.get(&format!("/repos/{repository}/actions/runs?limit=50"));
        let all = rows(&answer["workflow_runs"]).iter().filter(|run| run["workflow_id"] == workflow);
        let mut runs: Vec<Run> =
            all.map(|run| Run { id: number(&run["id"]), number: number(&run["index_in_repo"]) }).collect();
        runs.sort_by_key(|run| run.id);
        runs
    }

    /// The jobs of a run by name, with their statuses. Those that were skipped are left out, since a version without
    /// [`WITH_RUN_CALLS`] does not show those that no runner took. It does not show waiting ones either.
    #[track_caller]
    pub(super) fn results(&self, repository: &str, run: Run) -> BTreeMap<String, String> {
        let jobs = if self.has_run_calls() { self.jobs(repository, run) } else { self.tasks(repository, run) };
        let results = jobs.iter().map(|job| (text(&job["name"]), text(&job["status"])));
        results.filter(|(_, status)| status != "skipped").collect()
    }

    /// How often jobs of a run were given to a runner, by name.
    #[track_caller]
    pub(super) fn hand_outs(&self, repository: &str, run: Run) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for task in self.tasks(repository, run) {
            *counts.entry(text(&task["name"])).or_insert(0) += 1;
        }
        counts
    }

    /// The logs of a run's jobs, as far as there are any.
    #[track_caller]
    pub(super) fn logs(&self, repository: &str, run: Run) -> Vec<String> {
        let paths: Vec<String> = if self.has_run_calls() {
            let jobs = self.jobs(repository, run);
            let log = |job: &Value| format!("/api/v1/repos/{repository}/actions/jobs/{}/logs?attempt=1", job["id"]);
            jobs.iter().map(log).collect()
        } else {
            let page = |job| format!("/{repository}/actions/runs/{}/jobs/{job}/attempt/1/logs", run.number);
            (0..MOST_JOBS).map(page).collect()
        };
        let answers = paths.iter().map(|path| self.call(Method::GET, path, None).expect("an answer"));
        answers.filter(|answer| answer.status == StatusCode::OK).map(|answer| answer.text).collect()
    }

    /// Cancels a run, where that can be done by REST.
    #[track_caller]
    pub(super) fn cancel(&self, repository: &str, run: Run) {
        self.post(&format!("/repos/{repository}/actions/runs/{}/cancel", run.id), &Value::Null);
    }

    /// Whether runs can be cancelled, and their jobs and logs read, by REST.
    pub(super) const fn has_run_calls(&self) -> bool {
        self.version >= WITH_RUN_CALLS
    }

    /// The registrations below a scope's path that are of a deployment: id and name.
    pub(super) fn registrations(&self, scope: &str, deployment: &str) -> Result<Vec<(i64, String)>, String> {
        let answer = self.call(Method::GET, &format!("/api/v1{scope}/actions/runners?visible=true"), None)?;
        if answer.status != StatusCode::OK {
            return Err(format!("{scope}: {} {}", answer.status, answer.text));
        }
        let value: Value = serde_json::from_str(&answer.text).map_err(|error| error.to_string())?;
        let is_ours = |row: &&Value| row["description"].as_str().is_some_and(|text| text.contains(deployment));
        Ok(rows(&value).iter().filter(is_ours).map(|row| (number(&row["id"]), text(&row["name"]))).collect())
    }

    #[track_caller]
    fn jobs(&self, repository: &str, run: Run) -> Vec<Value> {
        rows(&self.get(&format!("/repos/{repository}/actions/runs/{}/jobs", run.id))).to_vec()
    }

    #[track_caller]
    fn tasks(&self, repository: &str, run: Run) -> Vec<Value> {
        let answer = self.get(&format!("/repos/{repository}/actions/tasks?limit=50"));
        rows(&answer["workflow_runs"]).iter().filter(|task| task["run_number"] == run.number).cloned().collect()
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.expect(&Method::GET, path, None)
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.expect(&Method::POST, path, Some(body))
    }

    /// A call that has to succeed.
    #[track_caller]
    fn expect(&self, method: &Method, path: &str, body: Option<&Value>) -> Value {
        let answer = self.call(method.clone(), &format!("/api/v1{path}"), body);
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text);
        if answer.text.is_empty() { Value::Null } else { serde_json::from_str(&answer.text).expect("JSON") }
    }

    fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        // Pages take no tokens; those that are asked for are public.
        if path.starts_with("/api/") {
            request = request.header("Authorization", format!("token {}", self.token));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
            let status = answer.status();
            let text = answer.text().await.map_err(|error| error.without_url().to_string())?;
            Ok(Answer { status, text })
        })
    }
}

fn base64(content: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(content)
}

/// The rows of a list; Forgejo says `null` for an empty one at times.
fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[track_caller]
fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

//! What happened between the recorded exchanges: commits, dispatches, registrations, and time.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use emulator::Emulator;
use forge_model::rest::Registration;
use forge_model::rpc::{Credentials, FetchAsk, TaskReport};
use forge_model::script::{JobSpec, RunSpec, Workflow};
use forge_model::{Area, Forge, JobId, Moment, OwnerId, RepoId, RunId, Status, TaskId};

use super::Case;
use super::mapping::{Kind, Mapping};

mod later;
mod people;
mod queueing;
mod rights;

pub(crate) use people::password;
use people::people;

/// The script, and what it has to remember.
pub(crate) struct Scenario<'a> {
    emulator: &'a Emulator,
    cases: BTreeMap<&'a str, &'a Case>,
    repositories: BTreeMap<&'static str, RepoId>,
    /// Runners registered by the script, by UUID.
    registered: BTreeMap<String, Registration>,
    run: RunId,
    /// The runner that last took a job by [`Scenario::take_as`], and its task.
    working: Option<(Registration, TaskId)>,
    /// The text for `JOB-TOKEN` and for `REGISTRATION-TOKEN`.
    pub(crate) job_token: String,
    pub(crate) registration_token: String,
}

impl<'a> Scenario<'a> {
    pub(crate) fn new(emulator: &'a Emulator, cases: &'a [Case]) -> Self {
        let repositories = emulator.with_forge(|forge, _| people(forge, cases));
        let registration_token = emulator.with_forge(|forge, _| forge.registration_token(Area::Instance));
        Self {
            emulator,
            cases: cases.iter().map(|case| (case.name.as_str(), case)).collect(),
            repositories,
            registered: BTreeMap::new(),
            run: RunId(0),
            working: None,
            job_token: String::new(),
            registration_token,
        }
    }

    /// The token of one of our runners.
    pub(crate) fn token_of(&self, uuid: &str, mapping: &Mapping) -> Option<String> {
        let scripted = self.registered.get(uuid).map(|registration| registration.token.clone());
        scripted.or_else(|| mapping.tokens.get(uuid).cloned())
    }

    /// Brings the forge into the state in which a case was recorded.
    pub(crate) fn before(&mut self, case: &Case, mapping: &mut Mapping) {
        self.set_size(case);
        match case.name.as_str() {
            "jobs.one-waiting.admin" => {
                self.push("app", vec![job("build")]);
                self.push("web", vec![job("build")]);
            }
            "dispatch.return-run-info" => {
                let deploy =
                    self.payload_of("fetch.needs.second", job("deploy").named("Deploy it")).needing(&["build"]);
                let build = self.payload_of("fetch.needs.first", job("build"));
                self.workflow("needs", "ci.yml", Workflow::of(vec![build, deploy]));
            }
            "fetch.needs.first" | "fetch.needs.second" => self.runner_for(case, "needs", mapping),
            "jobs.needs.unblocked" => self.pass(Duration::from_secs(2)),
            "jobs.forms.all" => self.push_recorded("forms", case),
            "jobs.sixty.plain" => self.push_recorded("many", case),
            "jobs.after-cancel" => {
                self.script(|forge, now, this| forge.cancel_run(now, this.run).expect("a run to cancel"));
            }
            "jobs.rerun.0-first-attempt" => self.push("rerun", vec![job("a"), job("b").needing(&["a"])]),
            "jobs.rerun.1-done" => self.finish_both(),
            "jobs.rerun.2-whole-run" => {
                self.script(|forge, now, this| forge.rerun_run(now, this.run).expect("an ended run"));
            }
            "jobs.rerun.3-one-job-with-needs" => {
                self.finish_both();
                self.script(|forge, now, this| {
                    let second = forge.jobs_of_run(this.run)[1];
                    forge.rerun_job(now, second).expect("an ended job");
                });
            }
            "fetch.old-attempt-handle" => self.runner_for(case, "rerun", mapping),
            "runners.list.empty.admin" => self.delete_all_runners(),
            "runners.list.visible.admin.absent" => self.one_runner_per_scope(),
            "runners.list.paging.none" => self.sixty_four_runners(),
            "runner.life.0-register" => {
                let job = self.payload_of("runner.life.4-fetch-empty-handle", job("a"));
                self.push("life", vec![job]);
            }
            "runner.life.8-silent-12s" => self.pass(Duration::from_secs(12)),
            "rpc.auth.uuid-only" => self.bare_runner_for(case, "empty", mapping),
            "fetch.undeclared-runner" => {
                self.jobs_to_fetch(mapping);
                self.bare_runner_for(case, "fetch", mapping);
            }
            "fetch.unknown-handle" | "fetch.taken-by-another" => self.runner_for(case, "fetch", mapping),
            "fetch.blocked-by-needs-handle" => {
                self.push("fetch", vec![job("a"), job("b").needing(&["a"])]);
                self.bind_handle("fetch.blocked-by-needs-handle", 1, mapping);
            }
            "runner.delete.with-running-job" => self.bind_number(case, "fetch.taken-by-another", mapping),
            "early-end.log" | "early-end.minimal" | "updatetask.result_cancelled" | "updatetask.result_skipped" => {
                self.push("fetch", vec![job("a")]);
                self.runner_for(case, "fetch", mapping);
                self.take(case, mapping);
            }
            "early-end.runner" => self.bind_number(case, "early-end.log", mapping),
            // The runner that a failing database kept from being deleted.
            "runner.offline-after-60s" => self.pass(Duration::from_secs(61)),
            _ => self.before_later(case, mapping),
        }
    }

    /// Gives a repository whose whole row a case shows its recorded size on disk: nothing is stored here.
    fn set_size(&self, case: &Case) {
        let Some(body) = case.json() else { return };
        let places = ["", "/repository", "/workflow_runs/0/repository"];
        let rows = places.iter().filter_map(|place| body.pointer(place)).find(|row| row["full_name"].is_string());
        if let Some((id, size)) = rows.and_then(|row| Some((row["id"].as_i64()?, row["size"].as_i64()?))) {
            self.script(|forge, _, _| forge.set_size(RepoId(id), size).expect("a repository"));
        }
    }

    /// Runs a step of the script under the forge's lock.
    fn script<R>(&self, step: impl FnOnce(&mut Forge, Moment, &Self) -> R) -> R {
        self.emulator.with_forge(|forge, now| step(forge, now, self))
    }

    fn repo(&self, name: &str) -> RepoId {
        self.repositories[name]
    }

    fn pass(&self, span: Duration) {
        self.emulator.clock().forward(span);
    }

    fn push(&mut self, repo: &str, jobs: Vec<JobSpec>) {
        let spec = RunSpec::new(self.repo(repo), "ci.yml", jobs);
        self.run = self.script(|forge, now, _| forge.push_run(now, spec).expect("a repository with Actions"));
    }

    /// Pushes jobs with the names and labels that a recorded list shows (newest first).
    fn push_recorded(&mut self, repo: &str, case: &Case) {
        let rows = case.json().expect("a job list");
        let jobs = rows.as_array().expect("a job list").iter().rev().map(|row| {
            let name = row["name"].as_str().expect("a name");
            let labels = row["runs_on"].as_array().expect("labels").iter().filter_map(|label| label.as_str());
            JobSpec::shell("key", &labels.collect::<Vec<_>>(), "true").named(name)
        });
        self.push(repo, jobs.collect());
    }

    /// The job with the payload that a recorded fetch shows.
    fn payload_of(&self, case: &str, job: JobSpec) -> JobSpec {
        let answer = self.cases[case].json().expect("a task");
        let encoded = answer["task"]["workflowPayload"].as_str().expect("a payload");
        let payload = base64::engine::general_purpose::STANDARD.decode(encoded).expect("base64");
        job.with_payload(std::str::from_utf8(&payload).expect("YAML"))
    }

    fn workflow(&self, repo: &str, file: &str, workflow: Workflow) {
        self.script(|forge, _, this| forge.set_workflow(this.repo(repo), file, workflow).expect("a repository"));
    }

    fn register(&mut self, area: Area, name: &str) -> Registration {
        self.register_kind(area, name, true)
    }

    fn register_kind(&mut self, area: Area, name: &str, ephemeral: bool) -> Registration {
        let made = self.script(|forge, now, _| forge.register_runner(now, area, name, "", ephemeral).expect("a name"));
        self.registered.insert(made.uuid.clone(), made.clone());
        made
    }

    /// Registers the runner whose credentials a case presents, without declaring it.
    fn bare_runner_for(&mut self, case: &Case, repo: &str, mapping: &mut Mapping) {
        let made = self.register(Area::Repository(self.repo(repo)), "r");
        bind_credentials(case, &made, mapping);
    }

    /// Registers and declares the runner whose credentials a case presents, for an area.
    fn declared_for(&mut self, case: &Case, area: Area, label: &str, ephemeral: bool, mapping: &mut Mapping) {
        let name = if ephemeral { "r" } else { "persistent" };
        let made = self.register_kind(area, name, ephemeral);
        bind_credentials(case, &made, mapping);
        self.script(|forge, now, _| declare_as(forge, now, &made, label));
    }

    /// Registers and declares the runner whose credentials a case presents.
    fn runner_for(&mut self, case: &Case, repo: &str, mapping: &mut Mapping) {
        self.bare_runner_for(case, repo, mapping);
        let registration = self.presented(case, mapping);
        self.script(|forge, now, _| declare(forge, now, &registration));
    }

    /// Our registration for the credentials of a case.
    fn presented(&self, case: &Case, mapping: &Mapping) -> Registration {
        let uuid = mapping.emulated(Kind::Uuid, &case.request_headers["x-runner-uuid"]).expect("a known runner");
        self.registered[uuid].clone()
    }

    /// Binds the runner number in a case's path to the runner that another case presents.
    fn bind_number(&self, case: &Case, presented_by: &str, mapping: &mut Mapping) {
        let registration = self.presented(self.cases[presented_by], mapping);
        let recorded = case.runner_in_path().expect("a runner in the path");
        let ours = registration.id.to_string();
        assert!(mapping.agrees(Kind::Runner, recorded, &ours), "{}: {ours} for {recorded}", case.name);
    }

    /// Binds the handle that a case asks for to a job of the last run.
    fn bind_handle(&self, case: &str, index: usize, mapping: &mut Mapping) {
        let request = self.cases[case].request_json().expect("a fetch");
        let recorded = request["handle"].as_str().expect("a handle").to_owned();
        let ours = self.script(|forge, _, this| {
            let job = forge.jobs_of_run(this.run)[index];
            forge.handle_of(job).expect("a job").to_string()
        });
        assert!(mapping.agrees(Kind::Handle, &recorded, &ours), "{case} asks for another job");
    }

    /// Lets the runner of a case take the job of the last run, and binds the task that the case reports on.
    fn take(&self, case: &Case, mapping: &mut Mapping) {
        let registration = self.presented(case, mapping);
        let task = self.script(|forge, now, this| {
            let job = forge.jobs_of_run(this.run)[0];
            fetch(forge, now, &registration, job)
        });
        let request = case.request_json().expect("a report");
        let recorded = request.pointer("/state/id").or_else(|| request.pointer("/taskId")).and_then(|id| id.as_str());
        assert!(mapping.agrees(Kind::Task, recorded.expect("a task"), &task.to_string()));
    }

    /// Runs both jobs of the last run to success, one after the other.
    fn finish_both(&mut self) {
        for index in 0..2 {
            let registration = self.register(Area::Repository(self.repo("rerun")), "r");
            self.script(|forge, now, this| {
                declare(forge, now, &registration);
                let job = forge.jobs_of_run(this.run)[index];
                let task = fetch(forge, now, &registration, job);
                report(forge, now, &registration, task, Status::Success);
            });
            self.pass(Duration::from_secs(2));
        }
    }

    fn delete_all_runners(&self) {
        self.script(|forge, now, _| {
            for runner in forge.runners_now() {
                forge.delete_runner(now, Area::Instance, runner).expect("an existing runner");
            }
        });
    }

    fn one_runner_per_scope(&mut self) {
        let (app, web) = (self.repo("app"), self.repo("web"));
        for (name, area) in [
            ("one-admin", Area::Instance),
            ("one-org", Area::Owner(OwnerId(6))),
            ("one-user", Area::Owner(OwnerId(2))),
            ("one-repo", Area::Repository(app)),
            ("one-acme-web", Area::Repository(web)),
        ] {
            self.register(area, name);
        }
    }

    fn sixty_four_runners(&mut self) {
        let area = Area::Repository(self.repo("app"));
        for number in 0..64 {
            self.register(area, &format!("p{number:02}"));
        }
    }

    /// Three jobs in the repository of the fetches, the last for other labels, and one elsewhere.
    fn jobs_to_fetch(&mut self, mapping: &mut Mapping) {
        let first = self.payload_of("fetch.request-key.first", job("a"));
        self.push("fetch", vec![first]);
        self.bind_handle("fetch.request-key.first", 0, mapping);
        let second = self.payload_of("fetch.right-handle", job("a"));
        self.push("fetch", vec![second]);
        self.bind_handle("fetch.right-handle", 0, mapping);
        self.push("fetch", vec![JobSpec::shell("a", &["debian", "gpu"], "true")]);
        self.bind_handle("fetch.label-mismatch", 0, mapping);
        self.push("empty", vec![job("a")]);
        self.bind_handle("fetch.other-repo-handle", 0, mapping);
    }
}

fn job(key: &str) -> JobSpec {
    JobSpec::shell(key, &["debian"], "true")
}

fn credentials(registration: &Registration) -> Credentials<'_> {
    Credentials { uuid: &registration.uuid, token: &registration.token }
}

fn bind_credentials(case: &Case, made: &Registration, mapping: &mut Mapping) {
    let uuid = &case.request_headers["x-runner-uuid"];
    assert!(mapping.agrees(Kind::Uuid, uuid, &made.uuid), "{} has a new runner", case.name);
}

fn declare(forge: &mut Forge, now: Moment, registration: &Registration) {
    declare_as(forge, now, registration, "debian");
}

fn declare_as(forge: &mut Forge, now: Moment, registration: &Registration, label: &str) {
    let labels = [label.to_owned()];
    forge.declare(now, credentials(registration), "v12.10.2", &labels).expect("a registered runner");
}

fn fetch(forge: &mut Forge, now: Moment, registration: &Registration, job: JobId) -> TaskId {
    let handle = forge.handle_of(job).expect("a job").to_string();
    let ask = FetchAsk { tasks_version: 0, handle: Some(&handle), request_key: None };
    let answer = forge.fetch_single_task(now, credentials(registration), ask).expect("a registered runner");
    answer.tasks.first().expect("a task").id
}

fn report(forge: &mut Forge, now: Moment, registration: &Registration, task: TaskId, status: Status) {
    let report = TaskReport { task, result: Some(status), outputs: BTreeMap::new() };
    forge.update_task(now, credentials(registration), &report).expect("its own task");
}

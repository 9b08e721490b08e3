//! The groups about runs, repositories and the forge as a whole.

use std::time::Duration;

use forge_model::script::{Condition, CronTask, Input, JobSpec, Workflow};
use forge_model::{Area, OwnerId, RunId, Status};

use super::{Scenario, declare_as, fetch, job, report};
use crate::replay::Case;
use crate::replay::mapping::{Kind, Mapping};

/// The user alice and the organization acme.
pub(super) const ALICE: OwnerId = OwnerId(2);
pub(super) const ACME: OwnerId = OwnerId(6);

impl Scenario<'_> {
    /// What [`Scenario::before`] does not know.
    pub(super) fn before_later(&mut self, case: &Case, mapping: &mut Mapping) {
        match case.name.as_str() {
            "archived.get" => self.archive("archived"),
            "archived.with-waiting-job" => {
                self.push("arch2", vec![job("a")]);
                self.archive("arch2");
            }
            "dispatch.with-inputs" => self.workflow("runs", "ci.yml", workflow_with_inputs()),
            "tasks.list.running" => self.take_hello(mapping),
            "tasks.list.done" => self.finish_last(Status::Failure),
            "run.jobs" => self.pass(Duration::from_secs(2)),
            "if.at-creation" => self.push("ifs", jobs_with_conditions()),
            "if.after-need-succeeded" => {
                self.take_as(Area::Repository(self.repo("ifs")), "debian", 2);
                self.finish_last(Status::Success);
                self.pass(Duration::from_secs(2));
            }
            "dynamic-matrix.after" => self.dynamic_matrix(),
            "dispatch.broken-needs" => {
                let run = self.run;
                self.script(|forge, now, _| forge.cancel_run(now, run).expect("a run"));
                let broken = Workflow { broken: true, ..Workflow::of(vec![job("a")]) };
                self.workflow("dyn", "bad.yml", broken);
                self.workflow("dyn", "norunson.yml", Workflow::of(vec![JobSpec::shell("a", &[], "true")]));
            }
            "transfer.old-path" => self.script(|forge, _, this| {
                forge.transfer_repository(this.repo("moved"), ACME).expect("a repository and an owner");
            }),
            "renamed-repo.get" => self.script(|forge, _, this| {
                forge.rename_repository(this.repo("oldname"), "newname").expect("a repository");
            }),
            "repo-deleted.repo-runner" => self.delete_repository(case, mapping),
            "run.cancel.while-running" => {
                self.push("restcancel", vec![job("a")]);
                self.take_as(Area::Repository(self.repo("restcancel")), "debian", 0);
                let recorded = case.run_in_path().expect("a run in the path");
                assert!(mapping.agrees(Kind::Run, recorded, &self.run.to_string()));
            }
            "abandoned.jobs-after" => {
                self.push("speedpush", vec![job("a")]);
                self.pass(Duration::from_hours(25));
                self.script(|forge, now, _| forge.run_cron(now, CronTask::CancelAbandonedJobs));
            }
            "endless.heartbeat-after" => {
                self.push("speedpush", vec![job("a")]);
                self.runner_for(case, "speedpush", mapping);
                self.take(case, mapping);
                self.pass(Duration::from_hours(4));
                self.script(|forge, now, _| forge.run_cron(now, CronTask::StopEndlessTasks));
            }
            "hook.list.repo" => self.script(|forge, _, _| [6, 7].into_iter().for_each(|id| forge.delete_hook(id))),
            _ => self.before_queueing(case, mapping),
        }
    }

    fn archive(&self, repo: &str) {
        self.script(|forge, _, this| forge.set_archived(this.repo(repo), true).expect("a repository"));
    }

    /// A runner takes the first job of the first dispatched run, whose label came from an input.
    fn take_hello(&mut self, mapping: &Mapping) {
        let run = mapping.emulated(Kind::Run, "44").expect("a dispatched run");
        self.run = RunId(run.parse().expect("a number"));
        self.take_as(Area::Repository(self.repo("runs")), "l", 0);
    }

    /// A new runner with one label takes a job of the last run.
    pub(super) fn take_as(&mut self, area: Area, label: &str, index: usize) {
        let registration = self.register(area, "r");
        let task = self.script(|forge, now, this| {
            declare_as(forge, now, &registration, label);
            let job = forge.jobs_of_run(this.run)[index];
            fetch(forge, now, &registration, job)
        });
        self.working = Some((registration, task));
    }

    /// The runner of the last [`Scenario::take_as`] ends its job.
    pub(super) fn finish_last(&mut self, status: Status) {
        let (registration, task) = self.working.take().expect("a runner at work");
        self.script(|forge, now, _| report(forge, now, &registration, task, status));
    }

    /// A job whose outputs make a matrix and the label of another.
    fn dynamic_matrix(&mut self) {
        let matrix = ["mx (1)", "mx (2)"].map(|name| job("mx").named(name)).to_vec();
        let label = JobSpec::shell("ro", &["gpu"], "true");
        self.push(
            "dyn",
            vec![
                job("gen"),
                job("mx").needing(&["gen"]).expanding_to(matrix),
                job("ro").needing(&["gen"]).expanding_to(vec![label]),
            ],
        );
        self.take_as(Area::Repository(self.repo("dyn")), "debian", 0);
        self.finish_last(Status::Success);
        self.pass(Duration::from_secs(2));
    }

    /// A repository vanishes with its runner, and with one of its owner that works for it.
    fn delete_repository(&mut self, case: &Case, mapping: &mut Mapping) {
        self.push("gone", vec![job("a")]);
        self.runner_for(case, "gone", mapping);
        let worker = self.cases["repo-deleted.user-runner"];
        self.declared_for(worker, Area::Owner(ALICE), "debian", true, mapping);
        self.take(worker, mapping);
        self.script(|forge, now, this| forge.delete_repository(now, this.repo("gone")).expect("a repository"));
    }
}

fn workflow_with_inputs() -> Workflow {
    let input = |name: &str, required: bool, default: &str| Input {
        name: name.to_owned(),
        required,
        default: default.to_owned(),
    };
    let never = Condition::Present { after_success: false, after_failure: false };
    Workflow {
        inputs: vec![input("who", false, "me"), input("size", true, "")],
        ..Workflow::of(vec![
            JobSpec::shell("a", &["${{ inputs.size }}"], "true").named("hello ${{ inputs.who }}"),
            job("b").needing(&["a"]),
            job("skip").with_condition(never),
        ])
    }
}

fn jobs_with_conditions() -> Vec<JobSpec> {
    let when = |after_success: bool, after_failure: bool| Condition::Present { after_success, after_failure };
    vec![
        job("never").with_condition(when(false, false)),
        job("ref").with_condition(when(false, false)),
        job("a"),
        job("after-ok").needing(&["a"]).with_condition(when(true, false)),
        job("after-fail").needing(&["a"]).with_condition(when(false, true)),
        job("after-always").needing(&["a"]).with_condition(when(true, true)),
    ]
}

//! The groups about handing out: cancellation, versions, concurrency, zombies.

use std::time::Duration;

use forge_model::script::{Concurrency, JobSpec, RunSpec};
use forge_model::{Area, RunId, Status};

use super::{Scenario, job, report};
use crate::replay::Case;
use crate::replay::mapping::{Kind, Mapping};

impl Scenario<'_> {
    pub(super) fn before_queueing(&mut self, case: &Case, mapping: &mut Mapping) {
        match case.name.as_str() {
            "cron.stop_zombie_tasks" => self.pass(Duration::from_mins(11)),
            "cancel-running.ephemeral.runner" => self.cancel_running(case, true, mapping),
            "cancel-running.persistent.runner" => self.cancel_running(case, false, mapping),
            "cancel-waiting.fetch" => {
                self.push("fetch", vec![job("a")]);
                self.bind_handle(&case.name, 0, mapping);
                self.runner_for(case, "fetch", mapping);
                self.cancel_last();
            }
            "cancel-waiting.runner" => self.bind_number(case, "cancel-waiting.fetch", mapping),
            "fetchtask.empty-queue" => {
                let area = Area::Repository(self.repo("fetchtask"));
                self.declared_for(case, area, "debian", false, mapping);
            }
            "fetchtask.stale-version" => self.push_fetchtask(5),
            "fetchtask.after-finish-with-old-version" => self.finish_recorded(case, &["25", "26", "27", "28"], mapping),
            "persistent.fetchsingle-after-done" => self.finish_recorded(case, &["29"], mapping),
            "fetchtask.ephemeral-capacity-3" => {
                let area = Area::Repository(self.repo("fetchtask"));
                self.declared_for(case, area, "debian", true, mapping);
                self.push_fetchtask(2);
            }
            "concurrency.queue.all-listed-as-waiting" => self.push_queue(),
            "concurrency.queue.fetch.second-run-before-first-started" => self.runner_for(case, "conc", mapping),
            "concurrency.queue.fetch.second-run-while-first-runs" => {
                self.take_as(Area::Repository(self.repo("conc")), "debian", 0);
                self.runner_for(case, "conc", mapping);
            }
            "concurrency.queue.fetch.second-run-while-first-half-done" => self.finish_last(Status::Success),
            "concurrency.cancel.second-run-cancelled-first" => {
                self.cancel_all_but(Area::Repository(self.repo("conc")), None, mapping);
                for key in ["d", "e"] {
                    self.push_in_group("ci.yml", vec![job(key)], Concurrency::cancel("other"));
                }
            }
            _ => self.before_rights(case, mapping),
        }
    }

    pub(super) fn cancel_last(&self) {
        self.script(|forge, now, this| forge.cancel_run(now, this.run).expect("a run"));
    }

    /// A runner's job is cancelled while it runs.
    fn cancel_running(&mut self, case: &Case, ephemeral: bool, mapping: &mut Mapping) {
        let heartbeat = case.name.replace(".runner", ".heartbeat");
        let worker = self.cases[heartbeat.as_str()];
        self.push("fetch", vec![job("a")]);
        self.declared_for(worker, Area::Repository(self.repo("fetch")), "debian", ephemeral, mapping);
        self.take(worker, mapping);
        self.cancel_last();
        self.bind_number(case, &heartbeat, mapping);
    }

    fn push_fetchtask(&mut self, count: usize) {
        for _ in 0..count {
            let job = self.payload_of("fetchtask.stale-version", job("a"));
            self.push("fetchtask", vec![job]);
        }
    }

    /// The runner of a case ends tasks with these recorded numbers.
    fn finish_recorded(&self, case: &Case, tasks: &[&str], mapping: &Mapping) {
        let registration = self.presented(case, mapping);
        for recorded in tasks {
            let task = mapping.emulated(Kind::Task, recorded).expect("a known task").parse().expect("a number");
            self.script(|forge, now, _| {
                report(forge, now, &registration, forge_model::TaskId(task), Status::Success);
            });
        }
    }

    /// Three runs of one group, whose name is written in two ways; the first is remembered as the last run.
    fn push_queue(&mut self) {
        self.push_in_group("ci.yml", vec![job("a"), job("b")], Concurrency::queue("Deploy"));
        let first: RunId = self.run;
        self.push_in_group("ci.yml", vec![job("a"), job("b")], Concurrency::queue("Deploy"));
        self.push_in_group("other.yml", vec![job("c")], Concurrency::queue("dEPLOY"));
        self.run = first;
    }

    fn push_in_group(&mut self, file: &str, jobs: Vec<JobSpec>, concurrency: Concurrency) {
        let spec = RunSpec::new(self.repo("conc"), file, jobs).with_concurrency(concurrency);
        self.run = self.script(|forge, now, _| forge.push_run(now, spec).expect("a repository with Actions"));
    }

    /// Cancels what an area lists, but for the jobs that a recorded list shows: what happened in cases of which only
    /// the effect was recorded.
    pub(super) fn cancel_all_but(&self, area: Area, kept: Option<&Case>, mapping: &Mapping) {
        let rows = kept.and_then(Case::json).unwrap_or_default();
        let kept: Vec<&str> = rows
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| mapping.emulated(Kind::Job, &row["id"].to_string()))
            .collect();
        self.script(|forge, now, _| {
            for row in forge.list_jobs(area, &forge_model::rest::LabelFilter::Absent) {
                if !kept.contains(&row.id.to_string().as_str()) {
                    forge.cancel_job(now, row.id).expect("a listed job");
                }
            }
        });
    }
}

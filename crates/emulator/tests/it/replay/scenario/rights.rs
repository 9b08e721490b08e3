//! The groups about tokens, other users and switched-off units.

use forge_model::Area;
use forge_model::rpc::FetchAsk;
use forge_model::script::RunSpec;

use super::later::{ACME, ALICE};
use super::{Scenario, credentials, declare_as, job};
use crate::replay::Case;
use crate::replay::mapping::Mapping;

impl Scenario<'_> {
    pub(super) fn before_rights(&mut self, case: &Case, mapping: &mut Mapping) {
        match case.name.as_str() {
            "unit-off.get" => self.switch_off("unitoff"),
            "unit-off.user-jobs" => {
                self.cancel_all_but(Area::Owner(ALICE), Some(case), mapping);
                self.push_and_switch_off("unit", "debian", "unit-off.fetch-global-runner");
            }
            "unit-off.fetch-user-runner" => {
                self.declared_for(case, Area::Owner(ALICE), "debian", true, mapping);
                self.catch_up(case, Area::Owner(ALICE), "idle");
            }
            "unit-off.fetch-global-runner" => {
                self.declared_for(case, Area::Instance, "debian", true, mapping);
                self.catch_up(case, Area::Instance, "web");
            }
            "unit-off.global-runner-fetchtask-any" => {
                self.push_and_switch_off("poison", "poison", "unit-off.global-runner-fetchtask-any");
                self.declared_for(case, Area::Instance, "poison", false, mapping);
                self.catch_up(case, Area::Instance, "web");
            }
            "sudo.all-token.user-jobs" => self.cancel_all_but(Area::Owner(ALICE), Some(case), mapping),
            "token.repo-scoped.list" => self.delete_all_runners(),
            "db-error.register" => self.script(|forge, _, _| {
                forge.settings_mut().database_error = Some("lab".to_owned());
            }),
            "db-error.delete" => self.register_before_error(case, mapping),
            "private-job.org-list.alice_read_organization" => {
                self.script(|forge, _, _| forge.settings_mut().database_error = None);
                self.cancel_all_but(Area::Owner(ACME), None, mapping);
                self.push("private", vec![job("a")]);
            }
            "jobtoken.get.jobs" => self.make_job_token(),
            _ => {}
        }
    }

    fn switch_off(&self, repo: &str) {
        self.script(|forge, _, this| forge.set_actions_enabled(this.repo(repo), false).expect("a repository"));
    }

    /// A job waits in a repository that then loses its Actions unit. Version 16 recorded no payload: nobody gets it.
    fn push_and_switch_off(&mut self, repo: &str, label: &str, payload_of: &str) {
        let spec = forge_model::script::JobSpec::shell("a", &[label], "true");
        let handed_out = self.cases[payload_of].json().is_some_and(|answer| answer.get("task").is_some());
        let spec = if handed_out { self.payload_of(payload_of, spec) } else { spec };
        self.push(repo, vec![spec]);
        self.switch_off(repo);
    }

    /// Lets as many jobs come and go as the recorded version of an area says: those of cases of which nothing else was
    /// recorded. (Refused calls show no version.)
    fn catch_up(&mut self, case: &Case, area: Area, repo: &str) {
        let recorded = case.json().and_then(|answer| answer["tasksVersion"].as_str()?.parse::<i64>().ok());
        let Some(recorded) = recorded else { return };
        let probe = self.register(area, "probe");
        self.script(|forge, now, this| {
            declare_as(forge, now, &probe, "nothing");
            let ask = FetchAsk { tasks_version: 0, handle: None, request_key: None };
            let known = forge.fetch_single_task(now, credentials(&probe), ask).expect("a runner").tasks_version;
            for _ in known..recorded {
                let spec = RunSpec::new(this.repo(repo), "ci.yml", vec![job("a")]);
                let run = forge.push_run(now, spec).expect("a repository with Actions");
                forge.cancel_run(now, run).expect("a run");
            }
        });
    }

    /// A runner from before the database failed. (The recorded one later shows the UUID of a deleted row, although it is
    /// still answered; UUIDs are mapped, so this is not looked at.)
    fn register_before_error(&mut self, case: &Case, mapping: &mut Mapping) {
        let error = self.script(|forge, _, _| forge.settings_mut().database_error.take());
        let made = self.register(Area::Repository(self.repo("empty")), "offline-after-60s");
        self.script(|forge, now, _| declare_as(forge, now, &made, "debian"));
        self.script(|forge, _, _| forge.settings_mut().database_error = error);
        let recorded = case.runner_in_path().expect("a runner in the path");
        assert!(mapping.agrees(crate::replay::mapping::Kind::Runner, recorded, &made.id.to_string()));
    }

    /// A job runs whose own token is then used.
    fn make_job_token(&mut self) {
        self.push("jobtoken", vec![job("a")]);
        let runner = self.register(Area::Repository(self.repo("jobtoken")), "r");
        self.job_token = self.script(|forge, now, this| {
            declare_as(forge, now, &runner, "debian");
            let handle = forge.handle_of(forge.jobs_of_run(this.run)[0]).expect("a job").to_string();
            let ask = FetchAsk { tasks_version: 0, handle: Some(&handle), request_key: None };
            let answer = forge.fetch_single_task(now, credentials(&runner), ask).expect("a registered runner");
            answer.tasks[0].token.clone()
        });
    }
}

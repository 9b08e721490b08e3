//! The job emitter: unblocks jobs whose needs have ended, some time after they did (protocol 2.3).

use super::Condition;
use crate::forge::Forge;
use crate::ids::{JobId, RunId};
use crate::job::Job;
use crate::moment::Moment;
use crate::settings::Version;
use crate::status::Status;

impl Forge {
    /// Does everything that is due at `now`: unblocks jobs, and runs the scheduled clean-ups.
    pub fn advance(&mut self, now: Moment) {
        while let Some((at, run)) = self.queue.emitter.first().copied().filter(|(at, _)| *at <= now) {
            self.queue.emitter.remove(&(at, run));
            self.unblock(now, run);
        }
        self.run_due_crons(now);
    }

    /// Resolves blocked jobs of a run until nothing changes any more: a skipped job may settle further ones.
    fn unblock(&mut self, now: Moment, run: RunId) {
        loop {
            let settled: Vec<(JobId, Status)> = self
                .jobs_of_run(run)
                .iter()
                .filter_map(|id| self.jobs.get(id))
                .filter(|job| job.status == Status::Blocked)
                .filter_map(|job| self.settle(job).map(|status| (job.id, status)))
                .collect();
            if settled.is_empty() {
                return;
            }
            for (job, status) in settled {
                if status == Status::Waiting && self.expand(now, job) {
                    continue;
                }
                self.set_job_status(now, job, status);
            }
        }
    }

    /// Replaces an incomplete job by what it comes to: new rows with new handles (protocol 2.3).
    fn expand(&mut self, now: Moment, id: JobId) -> bool {
        let Some(job) = self.jobs.get(&id).filter(|job| !job.expands_to.is_empty()) else { return false };
        let (run, repo, owner, specs) = (job.run, job.repo, job.owner, job.expands_to.clone());
        let needs = job.needs.clone();
        self.set_job_status(now, id, Status::Skipped);
        self.forget_jobs(now, &[id]);
        if let Some(run) = self.runs.get_mut(&run) {
            run.jobs.retain(|job| *job != id);
        }
        for spec in specs {
            self.last_job += 1;
            let new = JobId(self.last_job);
            let spec = super::JobSpec { needs: needs.clone(), ..spec };
            self.jobs.insert(new, super::runs::new_job(new, run, repo, owner, spec, now));
            if let Some(run) = self.runs.get_mut(&run) {
                run.jobs.push(new);
            }
            self.next_attempt(now, new, Status::Waiting);
        }
        self.bump_versions(owner, repo);
        true
    }

    /// What a blocked job becomes; `None` while a need has not ended.
    fn settle(&self, job: &Job) -> Option<Status> {
        let needs: Vec<Status> = self
            .jobs_of_run(job.run)
            .iter()
            .filter_map(|id| self.jobs.get(id))
            .filter(|other| job.needs.contains(&other.key))
            .map(|other| other.status)
            .collect();
        if !needs.iter().all(|status| status.is_final()) {
            return None;
        }
        let succeeded = needs.iter().all(|status| *status == Status::Success);
        let runs = match (job.condition, self.settings.version) {
            (Condition::Absent, _) => succeeded,
            (Condition::Present { .. }, Version::V15) => true,
            (Condition::Present { after_success, after_failure }, Version::V16) => {
                if succeeded {
                    after_success
                } else {
                    after_failure
                }
            }
        };
        Some(if runs { Status::Waiting } else { Status::Skipped })
    }
}

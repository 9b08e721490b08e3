//! Reruns: the same job rows, new attempts with new handles (protocol 2.7).

use std::collections::BTreeSet;

use super::ScriptError;
use crate::forge::Forge;
use crate::ids::{JobId, RunId};
use crate::moment::Moment;
use crate::status::Status;

impl Forge {
    /// Runs all jobs of an ended run again; those with needs start blocked.
    pub fn rerun_run(&mut self, now: Moment, run: RunId) -> Result<(), ScriptError> {
        let jobs = self.runs.get(&run).ok_or(ScriptError::NoRun(run))?.jobs.clone();
        if jobs.iter().any(|job| self.job_status(*job).is_some_and(|status| !status.is_final())) {
            return Err(ScriptError::NotEnded(run));
        }
        for job in jobs {
            let blocked = self.jobs.get(&job).is_some_and(|job| !job.needs.is_empty());
            self.again(now, job, if blocked { Status::Blocked } else { Status::Waiting });
        }
        Ok(())
    }

    /// Runs one ended job again. It waits at once even if it has needs; its dependents, unfinished ones cancelled
    /// first, follow as blocked.
    pub fn rerun_job(&mut self, now: Moment, job: JobId) -> Result<(), ScriptError> {
        let row = self.jobs.get(&job).ok_or(ScriptError::NoJob(job))?;
        let run = row.run;
        if !row.status.is_final() {
            return Err(ScriptError::NotEnded(run));
        }
        let dependents = self.dependents(run, job);
        for dependent in &dependents {
            self.cancel(now, *dependent);
        }
        self.again(now, job, Status::Waiting);
        for dependent in dependents {
            self.again(now, dependent, Status::Blocked);
        }
        Ok(())
    }

    fn again(&mut self, now: Moment, job: JobId, status: Status) {
        self.next_attempt(now, job, status);
        if status == Status::Waiting
            && let Some((owner, repo)) = self.jobs.get(&job).map(|job| (job.owner, job.repo))
        {
            self.bump_versions(owner, repo);
        }
    }

    /// Jobs that need this one, directly or not.
    fn dependents(&self, run: RunId, job: JobId) -> Vec<JobId> {
        let mut keys: BTreeSet<&str> = self.jobs.get(&job).map(|job| job.key.as_str()).into_iter().collect();
        let mut found = BTreeSet::new();
        loop {
            let next: Vec<_> = self
                .jobs_of_run(run)
                .iter()
                .filter_map(|id| self.jobs.get(id))
                .filter(|other| other.id != job && !found.contains(&other.id))
                .filter(|other| other.needs.iter().any(|need| keys.contains(need.as_str())))
                .collect();
            if next.is_empty() {
                return found.into_iter().collect();
            }
            for other in next {
                found.insert(other.id);
                keys.insert(&other.key);
            }
        }
    }
}

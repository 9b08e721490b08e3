//! Handing jobs out (protocol 2.5, 2.6 and 3.4).

use std::collections::BTreeMap;

use super::{Credentials, RpcRefusal, Sign};
use crate::forge::Forge;
use crate::ids::{JobId, RunnerId, TaskId};
use crate::job::{Job, Need, TaskAnswer, TaskContext};
use crate::moment::Moment;
use crate::runner::Area;
use crate::settings::Version;
use crate::status::Status;

/// Parameters of a fetch.
#[derive(Clone, Copy, Debug, Default)]
pub struct FetchAsk<'a> {
    /// The version that the caller saw last; 0 to look in any case.
    pub tasks_version: i64,
    /// The attempt wanted; `None` or empty takes any.
    pub handle: Option<&'a str>,
    /// The header `x-runner-request-key`.
    pub request_key: Option<&'a str>,
}

/// The answer of a fetch. No task is not an error, whatever the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchAnswer {
    /// Current version of the runner's scope; 0 when tasks were recovered.
    pub tasks_version: i64,
    /// New or recovered tasks.
    pub tasks: Vec<TaskAnswer>,
}

impl Forge {
    /// `FetchTask`: up to `capacity` tasks (less than 1 counts as 1).
    pub fn fetch_task(
        &mut self,
        now: Moment,
        credentials: Credentials<'_>,
        ask: FetchAsk<'_>,
        capacity: i64,
    ) -> Result<FetchAnswer, RpcRefusal> {
        self.fetch(now, credentials, FetchAsk { handle: None, ..ask }, capacity)
    }

    /// `FetchSingleTask`: at most one task, of the attempt with the handle if there is one.
    pub fn fetch_single_task(
        &mut self,
        now: Moment,
        credentials: Credentials<'_>,
        ask: FetchAsk<'_>,
    ) -> Result<FetchAnswer, RpcRefusal> {
        let answer = self.fetch(now, credentials, ask, 1)?;
        if answer.tasks.len() > 1 {
            return Err(RpcRefusal::Internal("more than one task recovered"));
        }
        Ok(answer)
    }

    fn fetch(
        &mut self,
        now: Moment,
        credentials: Credentials<'_>,
        ask: FetchAsk<'_>,
        capacity: i64,
    ) -> Result<FetchAnswer, RpcRefusal> {
        let runner = self.caller(now, credentials, Sign::OfLife)?;
        let recovered = self.recover(runner, ask.request_key);
        if !recovered.is_empty() {
            return Ok(FetchAnswer { tasks_version: 0, tasks: recovered });
        }
        let tasks_version = self.current_version(runner);
        let mut tasks = Vec::new();
        if ask.tasks_version != tasks_version {
            for _ in 0..capacity.max(1) {
                let Some(job) = self.pick(runner, ask.handle.filter(|handle| !handle.is_empty()))? else { break };
                let task = self.hand_out(now, job, runner, ask.request_key);
                tasks.extend(task.and_then(|task| self.task_answer(task)));
            }
        }
        Ok(FetchAnswer { tasks_version, tasks })
    }

    /// Tasks that were handed to this runner under this key, with new job tokens.
    fn recover(&mut self, runner: RunnerId, key: Option<&str>) -> Vec<TaskAnswer> {
        let Some(key) = key else { return Vec::new() };
        let ids = self.recoverable.get(&(runner, key.to_owned())).cloned().unwrap_or_default();
        for id in &ids {
            let token = self.ids.secret();
            if let Some(task) = self.tasks.get_mut(id) {
                task.token = token;
            }
        }
        ids.into_iter().filter_map(|id| self.task_answer(id)).collect()
    }

    /// The version of the runner's scope, at least 1.
    fn current_version(&mut self, runner: RunnerId) -> i64 {
        let area = self.runners.get(&runner).map_or(Area::Instance, |runner| runner.area);
        if self.versions.get(&area).is_none_or(|version| *version == 0) {
            self.bump_area(area);
        }
        self.versions.get(&area).copied().unwrap_or(1)
    }

    /// The job that this runner would be given now.
    fn pick(&self, runner: RunnerId, handle: Option<&str>) -> Result<Option<JobId>, RpcRefusal> {
        let Some(runner) = self.runners.get(&runner) else { return Ok(None) };
        if runner.ephemeral && runner.had_task {
            return Ok(None);
        }
        let labels = runner.labels.as_deref().unwrap_or(&[]);
        if let Some(handle) = handle {
            let job = self.queue.by_handle.get(&crate::ids::Handle(handle.to_owned())).and_then(|id| self.jobs.get(id));
            return match job {
                Some(job) if job.status == Status::Waiting => self.offer(runner.area, labels, job),
                _ => Ok(None),
            };
        }
        for (_, _, id) in &self.queue.waiting {
            let Some(job) = self.jobs.get(id) else { continue };
            if let Some(id) = self.offer(runner.area, labels, job)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Whether a waiting job may go to a runner of this area with these labels.
    fn offer(&self, area: Area, labels: &[String], job: &Job) -> Result<Option<JobId>, RpcRefusal> {
        let fits = !job.runs_on.is_empty() && job.runs_on.iter().all(|label| labels.contains(label));
        if !fits || job.task.is_some() || !self.covers(area, job) {
            return Ok(None);
        }
        let Some(run) = self.runs.get(&job.run) else { return Ok(None) };
        if !self.group_admits(run) {
            return Ok(None);
        }
        let unit_on = self.repository(job.repo).is_some_and(|repository| repository.actions_enabled);
        if area == Area::Instance && !unit_on && self.settings.version == Version::V16 {
            return Err(RpcRefusal::Internal("pick task: GetUnit: Unit type does not exist: TypeActions"));
        }
        Ok(Some(job.id))
    }

    /// Whether a runner of this area serves the job's repository, as it is owned *now*.
    fn covers(&self, area: Area, job: &Job) -> bool {
        match area {
            Area::Instance => true,
            Area::Repository(repo) => job.repo == repo,
            Area::Owner(owner) => self
                .repository(job.repo)
                .is_some_and(|repository| repository.owner == owner && repository.actions_enabled),
        }
    }

    /// A task as its runner gets it.
    fn task_answer(&self, id: TaskId) -> Option<TaskAnswer> {
        let task = self.tasks.get(&id)?;
        let job = self.jobs.get(&task.job)?;
        Some(TaskAnswer {
            id,
            handle: task.handle.clone(),
            payload: job.payload.clone(),
            context: self.task_context(job, task.attempt)?,
            token: task.token.clone(),
            needs: self.needs_of(job),
            secrets: self.secrets.get(&job.repo).cloned().unwrap_or_default(),
            vars: self.variables.get(&job.repo).cloned().unwrap_or_default(),
        })
    }

    fn task_context(&self, job: &Job, attempt: i64) -> Option<TaskContext> {
        let run = self.runs.get(&job.run)?;
        let repository = self.repository(job.repo)?;
        let owner = self.owner(repository.owner)?;
        Some(TaskContext {
            repository: format!("{}/{}", owner.name, repository.name),
            repository_owner: owner.name.clone(),
            repo_id: repository.id,
            owner_id: owner.id,
            event_name: run.event,
            reference: run.reference.clone(),
            sha: run.sha.clone(),
            run_id: run.id,
            run_number: run.number,
            run_attempt: attempt,
            workflow: run.workflow.clone(),
            job: job.key.clone(),
            actor: self.owner(run.actor).map(|actor| actor.name.clone()).unwrap_or_default(),
            actor_id: run.actor,
        })
    }

    /// Results and outputs of needed jobs; those of a matrix are merged, the worst result counts.
    fn needs_of(&self, job: &Job) -> BTreeMap<String, Need> {
        let mut needs: BTreeMap<String, Need> = BTreeMap::new();
        let needed = self
            .jobs_of_run(job.run)
            .iter()
            .filter_map(|id| self.jobs.get(id))
            .filter(|other| job.needs.contains(&other.key) && other.status.is_final());
        for other in needed {
            let need = needs
                .entry(other.key.clone())
                .or_insert_with(|| Need { outputs: BTreeMap::new(), result: other.status });
            need.result = Status::of_run(&[need.result, other.status]);
            if let Some(task) = other.task.and_then(|task| self.tasks.get(&task)) {
                need.outputs.extend(task.outputs.clone());
            }
        }
        needs
    }
}

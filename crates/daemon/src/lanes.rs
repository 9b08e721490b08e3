//! Lanes: carry out actions, each in a task of its own with a deadline, and answer the owner. They choose nothing.
//!
//! The planner hands out no more actions than a lane has slots, so that nothing waits in a queue here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backend::{Cache, CreateRequest, Destroyed, Launch};
use backend_docker::WithCaches;
use forgejo::{Client, Credentials, Deletion, EarlyEnd, FenceAnswer, TaskOwner};
use planner::action::Action;
use planner::error_class::{Acted, Concerns, ErrorClass, Failure};
use planner::event::{Answer, Event};
use planner::ids::{
    ActionId, AssignmentKey, BackendId, DeploymentId, ForgeId, MachineName, PoolId, RepositoryKey, RunnerId,
    RunnerUuid, ScopeKey,
};
use planner::policy::Limits;
use planner::seen::{BoundAt, MachineTags};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::Pool;
use crate::convert;
use crate::forges::Forges;
use crate::machines::Backend;
use crate::vault::Vault;

/// How long calls that are under way are waited for at the end.
const MOMENT: Duration = Duration::from_secs(2);

/// What the lanes work with.
#[derive(Debug)]
pub(crate) struct Lanes {
    pub(crate) deployment: DeploymentId,
    pub(crate) limits: Limits,
    pub(crate) forges: Arc<Forges>,
    pub(crate) backends: BTreeMap<BackendId, Backend>,
    pub(crate) pools: BTreeMap<PoolId, Pool>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) events: mpsc::Sender<Event>,
    /// Shared with the lanes of another configuration, before or after.
    pub(crate) calls: Arc<Mutex<JoinSet<()>>>,
}

impl Lanes {
    /// Begins an action; its answer comes as an event.
    pub(crate) fn begin(self: &Arc<Self>, id: ActionId, action: Action) {
        let lanes = Arc::clone(self);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        while calls.try_join_next().is_some() {}
        calls.spawn(async move {
            let deadline = action.deadline(&lanes.limits);
            let word = action.word();
            let answer = tokio::time::timeout(deadline, lanes.carry_out(action))
                .await
                .unwrap_or_else(|_| Answer::Failed(too_late(deadline)));
            if let Answer::Failed(failure) = &answer {
                tracing::warn!(action = word, class = %failure.class, error = failure.message, "a call failed");
            }
            // The owner has gone: then nobody needs the answer, listings will tell.
            let _ = lanes.events.send(Event::Answered { id, answer }).await;
        });
    }

    /// Closes the backends that are configured no more, beside what else is done; none of them has a machine.
    pub(crate) fn close_dropped(&self, next: &BTreeMap<BackendId, Backend>) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, backend) in &self.backends {
            if !next.get(id).is_some_and(|next| backend.lives_on_in(next)) {
                let backend = backend.clone();
                calls.spawn(async move { drop(backend.close(WithCaches::Keep).await) });
            }
        }
    }

    /// Waits for the calls that are under way, for a moment at the most; those that take longer are given up. Whoever
    /// clears up after the daemon would otherwise meet a machine that comes late.
    pub(crate) async fn finish(&self) {
        let mut calls = std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while calls.join_next().await.is_some() {} };
        // What was given up is found by the next start.
        let _ = tokio::time::timeout(MOMENT, all).await;
    }

    async fn carry_out(&self, action: Action) -> Answer {
        match action {
            Action::Create { backend, machine, tags, label, warm, repository, stop_grace, .. } => {
                let image = self.pools.get(&tags.pool).and_then(|pool| pool.policy.image(&label)).map(str::to_owned);
                let caches = self.caches(&tags.pool, repository.as_ref());
                let tags = warm.map_or_else(|| tags.into(), MachineTags::from);
                self.create(&backend, CreateRequest { name: machine, tags, image, caches, stop_grace }).await
            }
            Action::CreateWarm { backend, machine, tags, stop_grace } => {
                let (image, caches) = (tags.image.clone(), self.caches(&tags.pool, None));
                let request = CreateRequest { name: machine, tags: tags.into(), image, caches, stop_grace };
                self.create(&backend, request).await
            }
            Action::Release { backend, machine, .. } => {
                let Some(backend) = self.backends.get(&backend) else { return unknown("backend") };
                answered(backend.release(&machine).await.map(|()| Answer::Released))
            }
            Action::Register { scope, machine, identity, .. } => {
                let name = identity.runner_name(&machine);
                self.register(&scope, &name, &identity.description(&self.deployment)).await
            }
            Action::Start { key, backend, machine, pool, runner, at } => {
                let Some(backend) = self.backends.get(&backend) else { return unknown("backend") };
                match self.launch(&key, &pool, &runner, at) {
                    Ok(launch) => answered(backend.start(&machine, launch).await.map(|()| Answer::Started)),
                    Err(failure) => Answer::Failed(failure),
                }
            }
            Action::Destroy { backend, machine, stop, .. } => self.destroy(&backend, &machine, stop).await,
            // No process of a job is in it that could need time to end.
            Action::DestroyWarm { backend, machine, .. } => self.destroy(&backend, &machine, Duration::ZERO).await,
            Action::ReadLog { backend, machine, .. } => {
                let Some(backend) = self.backends.get(&backend) else { return unknown("backend") };
                answered(backend.logs(&machine).await.map(|lines| Answer::Log { lines }))
            }
            Action::Fence { key, runner } => self.fence(&key.job.forge, &runner).await,
            Action::AskWhose { key, runner, task } => self.ask_whose(&key.job.forge, &runner, task.0).await,
            Action::EndEarly { key, runner, task, reason } => {
                self.end_early(&key.job.forge, &runner, task.0, &reason).await
            }
            Action::LookUpRunner { scope, id, .. } => self.look_up(&scope, id).await,
            Action::DeleteRunner { scope, id, .. } | Action::Sweep { scope, id } => self.delete(&scope, id).await,
            Action::CheckScope { scope } => self.check_scope(&scope).await,
        }
    }

    /// Those of a machine of a pool that serves one repository, or of one that may serve any.
    fn caches(&self, pool: &PoolId, repository: Option<&RepositoryKey>) -> Vec<Cache> {
        let caches = self.pools.get(pool).map(|pool| pool.caches.iter());
        caches.into_iter().flatten().filter_map(|cache| cache.of(repository)).collect()
    }

    async fn create(&self, backend: &BackendId, request: CreateRequest) -> Answer {
        let Some(backend) = self.backends.get(backend) else { return unknown("backend") };
        answered(backend.create(request).await.map(|()| Answer::Created))
    }

    async fn destroy(&self, backend: &BackendId, machine: &MachineName, stop: Duration) -> Answer {
        let Some(backend) = self.backends.get(backend) else { return unknown("backend") };
        answered(backend.destroy(machine, stop).await.map(|destroyed| match destroyed {
            Destroyed::Gone => Answer::Destroyed,
            Destroyed::Accepted => Answer::Stopping,
        }))
    }

    async fn register(&self, scope: &ScopeKey, name: &str, description: &str) -> Answer {
        let Some(of) = self.forges.scope(scope) else { return unknown("scope") };
        match of.register(scope, name, description).await {
            Ok(registration) => {
                let uuid = RunnerUuid::new(registration.uuid);
                self.vault.put(&uuid, &registration.token);
                Answer::Registered { id: RunnerId(registration.id), uuid }
            }
            Err(error) => failed(&error),
        }
    }

    fn launch(
        &self,
        key: &AssignmentKey,
        pool: &PoolId,
        runner: &RunnerUuid,
        at: Option<BoundAt>,
    ) -> Result<Launch, Failure> {
        let pool = self.pools.get(pool).ok_or_else(|| lacking("the pool"))?;
        let url = self.forges.runner_url(&key.job.forge).ok_or_else(|| lacking("the forge"))?;
        let token = self.vault.token(runner).ok_or_else(|| lacking("the runner's token"))?;
        Ok(Launch {
            url: url.to_owned(),
            uuid: runner.clone(),
            token,
            labels: pool.policy.labels.iter().map(ToString::to_string).collect(),
            handle: key.job.handle.clone(),
            attempt: key.attempt,
            at,
            fetch_interval: pool.fetch_interval,
        })
    }

    /// A client and the runner's own credentials.
    fn as_runner(&self, forge: &ForgeId, runner: &RunnerUuid) -> Result<(&Client, Credentials), Answer> {
        let client = self.forges.any(forge).ok_or_else(|| unknown("forge"))?;
        let token = self.vault.token(runner).ok_or_else(|| Answer::Failed(lacking("the runner's token")))?;
        Ok((client, Credentials { uuid: runner.as_str().to_owned(), token }))
    }

    async fn fence(&self, forge: &ForgeId, runner: &RunnerUuid) -> Answer {
        let (client, credentials) = match self.as_runner(forge, runner) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        match client.fence(&credentials).await {
            Ok(FenceAnswer::Fenced) => Answer::Fenced,
            Ok(FenceAnswer::RegistrationGone) => Answer::RunnerGone,
            Err(error) => failed(&error),
        }
    }

    async fn ask_whose(&self, forge: &ForgeId, runner: &RunnerUuid, task: i64) -> Answer {
        let (client, credentials) = match self.as_runner(forge, runner) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        match client.whose_task(&credentials, task).await {
            Ok(TaskOwner::Ours { .. }) => Answer::Ours,
            Ok(TaskOwner::Another) => Answer::Another,
            Ok(TaskOwner::RegistrationGone) => Answer::RunnerGone,
            Err(error) => failed(&error),
        }
    }

    async fn end_early(&self, forge: &ForgeId, runner: &RunnerUuid, task: i64, reason: &str) -> Answer {
        let (client, credentials) = match self.as_runner(forge, runner) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        match client.end_early(&credentials, task, reason).await {
            Ok(EarlyEnd::Ended { .. }) => Answer::EndedEarly,
            Ok(EarlyEnd::Another) => Answer::Another,
            Ok(EarlyEnd::RegistrationGone) => Answer::RunnerGone,
            Err(error) => failed(&error),
        }
    }

    async fn look_up(&self, scope: &ScopeKey, id: RunnerId) -> Answer {
        let Some(of) = self.forges.scope(scope) else { return unknown("scope") };
        match of.get_runner(scope, id).await {
            Ok(Some(runner)) => Answer::RunnerExists { declared: !runner.labels.is_empty() },
            Ok(None) => Answer::RunnerGone,
            Err(error) => failed(&error),
        }
    }

    async fn delete(&self, scope: &ScopeKey, id: RunnerId) -> Answer {
        let Some(of) = self.forges.scope(scope) else { return unknown("scope") };
        match of.delete_runner(scope, id).await {
            Ok(Deletion::Deleted) => Answer::Deleted,
            Ok(Deletion::NotFound) => Answer::RunnerGone,
            Err(error) => failed(&error),
        }
    }

    async fn check_scope(&self, key: &ScopeKey) -> Answer {
        let Some(of) = self.forges.scope(key) else { return unknown("scope") };
        match of.client.scope_id(&of.scope).await {
            Ok(Some(id)) => Answer::ScopeId { id },
            Ok(None) => unknown("scope's id"),
            Err(error) => failed(&error),
        }
    }
}

fn answered(result: Result<Answer, backend::BackendError>) -> Answer {
    result.unwrap_or_else(|error| Answer::Failed(error.failure()))
}

fn failed(error: &forgejo::Error) -> Answer {
    Answer::Failed(convert::failure(error))
}

fn too_late(deadline: Duration) -> Failure {
    Failure {
        class: ErrorClass::Transient,
        acted: Acted::Maybe,
        concerns: Concerns::All,
        message: format!("no answer within {} s", deadline.as_secs_f64()),
    }
}

/// What a call needs was there once, or never: no call can be made.
fn lacking(what: &str) -> Failure {
    let message = format!("{what} is not at hand (any more)");
    Failure { class: ErrorClass::Permanent, acted: Acted::No, concerns: Concerns::All, message }
}

/// The planner named something that the configuration does not have: no call can be made.
fn unknown(what: &str) -> Answer {
    let message = format!("there is no such {what}");
    Answer::Failed(Failure { class: ErrorClass::Permanent, acted: Acted::No, concerns: Concerns::All, message })
}

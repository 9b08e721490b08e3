//! The forge of a world: the model, who lives there, and what a daemon's calls come to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forge_model::rest::{LabelFilter, RunnerQuery};
use forge_model::rpc::{Credentials, RpcRefusal, TaskReport};
use forge_model::{
    Area, Forge, Handle as ModelHandle, Moment, OwnerId, RepoId, RunId, RunnerId as ModelRunner, Settings, Status,
    TaskId, Version,
};
use planner::error_class::{Acted, Concerns, ErrorClass, Failure};
use planner::event::Answer;
use planner::ids::{DeploymentId, ForgeId, Handle, JobName, RunnerId, RunnerUuid, ScopeKey, TaskId as PlannerTask};
use planner::overlap::ForeignRunner;
use planner::seen::{JobSeen, JobState, RunnerSeen, RunnerStatus};

/// The label that no job asks for.
const FENCE: &str = "forgescale-fenced";
/// How far the id of a scope is from its own while its name means another.
const ANOTHER: i64 = 100_000;

/// A forge and its surroundings.
#[derive(Debug)]
pub(crate) struct ForgeSide {
    pub(crate) id: ForgeId,
    pub(crate) model: Forge,
    pub(crate) version: Version,
    pub(crate) owner: OwnerId,
    pub(crate) repositories: Vec<RepoId>,
    pub(crate) areas: BTreeMap<ScopeKey, Area>,
    /// Until when it answers nobody.
    pub(crate) down_until: u64,
    /// Whether it runs at all: one that is only away for a while does.
    pub(crate) is_up: bool,
    /// Scopes whose calls are refused, with the class of the refusal.
    pub(crate) refused: BTreeMap<ScopeKey, ErrorClass>,
    /// Scopes in whose token file stands the token of somebody else.
    pub(crate) strange_tokens: BTreeSet<ScopeKey>,
    /// Those of them whose token the daemon has begun with: they mean another scope.
    pub(crate) swapped: BTreeSet<ScopeKey>,
    /// Runs with a job that nobody can serve.
    pub(crate) unservable: BTreeSet<RunId>,
    /// The credentials of the rival's persistent runner, and its name in lists.
    pub(crate) rival: (String, String),
    /// Whether the rival has a job.
    pub(crate) rival_is_busy: bool,
    /// Registrations that are not ours.
    pub(crate) foreign: BTreeSet<ModelRunner>,
}

/// A moment of the model.
pub(crate) fn moment(now: u64) -> Moment {
    Moment::from_millis(now)
}

impl ForgeSide {
    pub(crate) fn new(seed: u64, number: u64, version: Version, repositories: u64) -> Self {
        let url = if number == 0 { "http://forge.example".to_owned() } else { format!("http://forge{number}.example") };
        let mut settings = Settings::new(version, &url);
        settings.zombie_timeout = Duration::from_mins(3);
        settings.cron_periods.zombie = Some(Duration::from_mins(1));
        settings.cron_periods.endless = None;
        settings.cron_periods.abandoned = None;
        let mut model = Forge::new(settings, seed, moment(0));
        let owner = model.create_user("acme", true);
        let repositories: Vec<RepoId> =
            (0..repositories).filter_map(|n| model.create_repository(owner, &format!("r{n}"), false).ok()).collect();
        let mut side = Self {
            id: ForgeId::new(url),
            version,
            model,
            owner,
            repositories,
            areas: BTreeMap::new(),
            down_until: 0,
            is_up: true,
            refused: BTreeMap::new(),
            strange_tokens: BTreeSet::new(),
            swapped: BTreeSet::new(),
            unservable: BTreeSet::new(),
            rival: (String::new(), String::new()),
            rival_is_busy: false,
            foreign: BTreeSet::new(),
        };
        side.settle_neighbours();
        side
    }

    /// Somebody else's runners: a persistent one, and ones that look almost like ours.
    fn settle_neighbours(&mut self) {
        let lookalike = "forgescale deployment=ci2 pool=pool-0 try=1 ordinal=1 handle=x";
        for (name, description, ephemeral) in
            [("rival", "a persistent runner", false), ("fs-0000000000000000-1", lookalike, true)]
        {
            let area = Area::Owner(self.owner);
            let Ok(made) = self.model.register_runner(moment(0), area, name, description, ephemeral) else { continue };
            self.foreign.insert(made.id);
            if !ephemeral {
                let labels = ["debian".to_owned(), "gpu".to_owned()];
                let credentials = Credentials { uuid: &made.uuid, token: &made.token };
                let _ = self.model.declare(moment(0), credentials, "rival", &labels);
                self.rival = (made.uuid, made.token);
            }
        }
    }

    pub(crate) fn advance(&mut self, now: u64) {
        if self.is_up && self.model.next_due().is_some_and(|due| due <= moment(now)) {
            self.model.advance(moment(now));
        }
    }

    /// Faults end; one that is down starts up by itself.
    pub(crate) fn calm(&mut self) {
        if self.is_up {
            self.down_until = 0;
        }
        self.refused.clear();
    }

    pub(crate) fn is_down(&self, now: u64) -> bool {
        now < self.down_until
    }

    /// Whether a scope means another one now.
    pub(crate) fn is_swapped(&self, place: &ScopeKey) -> bool {
        self.swapped.contains(&place.watched())
    }

    /// How calls with the token of a scope are refused now, if they are.
    pub(crate) fn refuses(&self, place: &ScopeKey) -> Option<ErrorClass> {
        self.refused.get(&place.watched()).copied()
    }

    /// The status of a handle's attempt.
    pub(crate) fn status_of(&self, handle: &str) -> Option<Status> {
        self.model.books().attempt(&ModelHandle(handle.to_owned())).map(|attempt| attempt.status)
    }

    /// Persistent runners in reach, as whoever lists all runners sees them.
    pub(crate) fn persistent(&self, now: u64) -> Vec<ForeignRunner> {
        let page = self.model.list_runners(
            moment(now),
            Area::Instance,
            RunnerQuery { visible: true, ..RunnerQuery::default() },
        );
        let persistent = page.rows.into_iter().filter(|row| !row.ephemeral);
        persistent
            .map(|row| ForeignRunner {
                id: RunnerId(row.id.0),
                name: row.name,
                labels: row.labels.unwrap_or_default(),
                ephemeral: row.ephemeral,
                status: status(row.status),
            })
            .collect()
    }

    /// What a scope, or a repository within one, is to the model.
    fn area(&self, place: &ScopeKey) -> Option<Area> {
        match place.repository() {
            Some(repository) => Some(Area::Repository(RepoId(repository))),
            None => self.areas.get(place).copied(),
        }
    }

    /// The rows of a job list.
    pub(crate) fn jobs(&self, scope: &ScopeKey) -> Vec<JobSeen> {
        if self.is_swapped(scope) {
            return Vec::new();
        }
        let Some(area) = self.areas.get(scope) else { return Vec::new() };
        let rows = self.model.list_jobs(*area, &LabelFilter::Absent);
        rows.into_iter()
            .map(|row| JobSeen {
                handle: Handle::new(row.handle.as_str()),
                id: row.id.0,
                repository: row.repo_id.0,
                run: None,
                name: JobName::new(row.name),
                runs_on: row.runs_on.into(),
                state: match (row.status, row.task_id) {
                    (Status::Waiting, 0) => JobState::Waiting,
                    (Status::Running, task) => JobState::Running { task: PlannerTask(task) },
                    _ => JobState::Unknown,
                },
            })
            .collect()
    }

    /// The rows of a runner list that are ours.
    pub(crate) fn runners(&self, now: u64, deployment: &DeploymentId, scope: &ScopeKey) -> Vec<RunnerSeen> {
        if self.is_swapped(scope) {
            return Vec::new();
        }
        let Some(area) = self.area(scope) else { return Vec::new() };
        let page = self.model.list_runners(moment(now), area, RunnerQuery::default());
        let ours = |name: &str, description: &str| {
            planner::identity::RunnerIdentity::read(deployment, &self.id, name, description)
        };
        page.rows
            .into_iter()
            .filter_map(|row| {
                let identity = ours(&row.name, &row.description)?;
                Some(RunnerSeen {
                    id: RunnerId(row.id.0),
                    uuid: RunnerUuid::new(row.uuid),
                    identity,
                    declared: row.labels.is_some(),
                    fenced: row.labels.is_some_and(|labels| labels == [FENCE]),
                    status: status(row.status),
                })
            })
            .collect()
    }

    /// Registers; with the token.
    pub(crate) fn register(
        &mut self,
        now: u64,
        scope: &ScopeKey,
        name: &str,
        description: &str,
    ) -> Option<(RunnerId, RunnerUuid, String)> {
        if self.is_swapped(scope) {
            return None;
        }
        let area = self.area(scope)?;
        let made = self.model.register_runner(moment(now), area, name, description, true).ok()?;
        Some((RunnerId(made.id.0), RunnerUuid::new(made.uuid), made.token))
    }

    pub(crate) fn look_up(&self, now: u64, scope: &ScopeKey, id: RunnerId) -> Answer {
        if self.is_swapped(scope) {
            return Answer::RunnerGone;
        }
        let area = self.area(scope).unwrap_or(Area::Instance);
        self.model
            .get_runner(moment(now), area, ModelRunner(id.0))
            .map_or(Answer::RunnerGone, |row| Answer::RunnerExists { declared: row.labels.is_some() })
    }

    pub(crate) fn delete(&mut self, now: u64, scope: &ScopeKey, id: RunnerId) -> Answer {
        if self.is_swapped(scope) {
            return Answer::RunnerGone;
        }
        let area = self.area(scope).unwrap_or(Area::Instance);
        self.model.delete_runner(moment(now), area, ModelRunner(id.0)).map_or(Answer::RunnerGone, |()| Answer::Deleted)
    }

    pub(crate) fn fence(&mut self, now: u64, uuid: &RunnerUuid, token: &str) -> Answer {
        let credentials = Credentials { uuid: uuid.as_str(), token };
        match self.model.declare(moment(now), credentials, "fence", &[FENCE.to_owned()]) {
            Ok(_) => Answer::Fenced,
            Err(refusal) => refused(&refusal),
        }
    }

    pub(crate) fn ask_whose(&mut self, now: u64, uuid: &RunnerUuid, token: &str, task: PlannerTask) -> Answer {
        let credentials = Credentials { uuid: uuid.as_str(), token };
        match self.model.update_log(moment(now), credentials, TaskId(task.0), 0, &[], false) {
            Ok(_) => Answer::Ours,
            Err(refusal) => refused(&refusal),
        }
    }

    pub(crate) fn end_early(
        &mut self,
        now: u64,
        uuid: &RunnerUuid,
        token: &str,
        task: PlannerTask,
        reason: &str,
    ) -> Answer {
        let credentials = Credentials { uuid: uuid.as_str(), token };
        let row = [reason.to_owned()];
        let written = self.model.update_log(moment(now), credentials, TaskId(task.0), 0, &row, false);
        let report = TaskReport { task: TaskId(task.0), result: Some(Status::Failure), outputs: BTreeMap::new() };
        match written.and_then(|_| self.model.update_task(moment(now), credentials, &report)) {
            Ok(_) => Answer::EndedEarly,
            Err(refusal) => refused(&refusal),
        }
    }

    pub(crate) fn scope_id(&self, scope: &ScopeKey) -> Answer {
        let another = if self.is_swapped(scope) { ANOTHER } else { 0 };
        match self.areas.get(scope) {
            Some(Area::Owner(OwnerId(id)) | Area::Repository(RepoId(id))) => Answer::ScopeId { id: *id + another },
            Some(Area::Instance) | None => failed(ErrorClass::NotFound, Acted::No, "the instance has no id"),
        }
    }

    /// Whether a registration exists, and whether it has labels that a job could fit.
    pub(crate) fn door(&self, now: u64, uuid: &str) -> Door {
        let page = self.model.list_runners(
            moment(now),
            Area::Instance,
            RunnerQuery { visible: true, ..RunnerQuery::default() },
        );
        match page.rows.into_iter().find(|row| row.uuid == uuid) {
            None => Door::Gone,
            Some(row) => match row.labels {
                None => Door::Undeclared,
                Some(labels) if labels == [FENCE] => Door::Fenced,
                Some(_) => Door::Open,
            },
        }
    }
}

fn status(status: forge_model::RunnerStatus) -> RunnerStatus {
    match status {
        forge_model::RunnerStatus::Offline => RunnerStatus::Offline,
        forge_model::RunnerStatus::Idle => RunnerStatus::Idle,
        forge_model::RunnerStatus::Active => RunnerStatus::Active,
    }
}

/// What the forge would do for a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// It has no registration.
    Gone,
    /// It has not declared labels yet.
    Undeclared,
    /// It may be given its job.
    Open,
    /// No job fits it.
    Fenced,
}

fn refused(refusal: &RpcRefusal) -> Answer {
    match refusal {
        RpcRefusal::Unregistered => Answer::RunnerGone,
        RpcRefusal::Internal(_) => Answer::Another,
        RpcRefusal::Invalid(_) | RpcRefusal::LogArchived => failed(ErrorClass::Permanent, Acted::No, "refused"),
    }
}

/// A failed call.
pub(crate) fn failed(class: ErrorClass, acted: Acted, message: &str) -> Answer {
    Answer::Failed(Failure { class, acted, concerns: Concerns::All, message: message.to_owned() })
}

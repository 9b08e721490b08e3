//! Registrations through REST (protocol 1.4 to 1.7).

use std::cmp::Reverse;

use super::refusal::Refusal;
use crate::books::{RegistrationEnd, RegistrationRecord};
use crate::forge::Forge;
use crate::ids::RunnerId;
use crate::moment::Moment;
use crate::runner::{Area, Runner, RunnerStatus, stored_name};

/// One row of the runner list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerRow {
    /// Runner.
    pub id: RunnerId,
    /// Its UUID.
    pub uuid: String,
    /// Where it was registered.
    pub area: Area,
    /// Name.
    pub name: String,
    /// Liveness at the time of the question.
    pub status: RunnerStatus,
    /// What it declared; empty before.
    pub version: String,
    /// Label names that it declared; `None` before.
    pub labels: Option<Vec<String>>,
    /// Description.
    pub description: String,
    /// Whether it takes one task only.
    pub ephemeral: bool,
}

/// Parameters of the runner list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunnerQuery {
    /// Show superior scopes' runners, too.
    pub visible: bool,
    /// Page from 1. Without a positive page the limit is ignored and all rows come.
    pub page: Option<i64>,
    /// Rows per page.
    pub limit: Option<i64>,
}

/// A runner list, or one page of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerPage {
    /// The rows.
    pub rows: Vec<RunnerRow>,
    /// How many there are on all pages.
    pub total: usize,
    /// Rows per page as far as links are concerned; the rows may ignore it.
    pub page_size: usize,
}

/// What a registration answers, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Runner.
    pub id: RunnerId,
    /// Its UUID.
    pub uuid: String,
    /// Its secret: 40 hexadecimal digits.
    pub token: String,
}

impl Forge {
    /// Lists runners. Order: last online first; what was never online comes as it was measured, narrow scopes first.
    pub fn list_runners(&self, now: Moment, area: Area, query: RunnerQuery) -> RunnerPage {
        let all = area == Area::Instance && query.visible;
        let mut found: Vec<&Runner> = if all {
            self.runners.values().rev().collect()
        } else {
            self.runners.values().filter(|runner| self.is_within(runner, area, query.visible)).collect()
        };
        found.sort_by_key(|runner| {
            let rank = if all { Reverse(Area::Instance) } else { Reverse(runner.area) };
            (Reverse(runner.last_online), rank)
        });
        let total = found.len();
        let page_size = self.settings.page_size(query.limit);
        let (skip, take) = self.settings.page(query.page, query.limit, total);
        let rows = found.into_iter().skip(skip).take(take).map(|runner| row(runner, now)).collect();
        RunnerPage { rows, total, page_size }
    }

    /// Registers a runner: never the same one twice, however often it is asked (protocol 1.5).
    pub fn register_runner(
        &mut self,
        now: Moment,
        area: Area,
        name: &str,
        description: &str,
        ephemeral: bool,
    ) -> Result<Registration, Refusal> {
        if name.is_empty() {
            return Err(Refusal::NameRequired);
        }
        self.check_database()?;
        self.last_runner += 1;
        let runner = Runner {
            id: RunnerId(self.last_runner),
            uuid: self.ids.uuid(),
            token: self.ids.secret(),
            area,
            name: stored_name(name),
            description: description.to_owned(),
            ephemeral,
            version: String::new(),
            labels: None,
            created: now,
            last_online: None,
            last_active: None,
            had_task: false,
        };
        self.books.registered(RegistrationRecord {
            id: runner.id,
            uuid: runner.uuid.clone(),
            name: runner.name.clone(),
            description: runner.description.clone(),
            area,
            ephemeral,
            at: now,
            contacted: None,
            end: RegistrationEnd::StillThere,
        });
        let answer = Registration { id: runner.id, uuid: runner.uuid.clone(), token: runner.token.clone() };
        self.runner_of_uuid.insert(runner.uuid.clone(), runner.id);
        self.runners.insert(runner.id, runner);
        Ok(answer)
    }

    /// UUID and secret of a registration that never came to be: what version 15 answers after a database error.
    pub fn unused_credentials(&mut self) -> (String, String) {
        (self.ids.uuid(), self.ids.secret())
    }

    /// One runner, of this scope or a superior one (protocol 1.6).
    pub fn get_runner(&self, now: Moment, area: Area, id: RunnerId) -> Result<RunnerRow, Refusal> {
        self.visible_runner(area, id).map(|runner| row(runner, now))
    }

    /// Deletes a registration of this scope. A job that it runs is not touched (protocol 1.7).
    pub fn delete_runner(&mut self, now: Moment, area: Area, id: RunnerId) -> Result<(), Refusal> {
        let runner = self.visible_runner(area, id)?;
        if area != Area::Instance && runner.area != area {
            return Err(Refusal::NotEditable);
        }
        self.check_database()?;
        self.unregister(id, RegistrationEnd::Deleted(now));
        Ok(())
    }

    /// The registration token of an area, made when there is none: the deprecated way to register.
    pub fn registration_token(&mut self, area: Area) -> String {
        if let Some(token) = self.registration_tokens.get(&area) {
            return token.clone();
        }
        let token = self.ids.secret();
        self.registration_tokens.insert(area, token.clone());
        token
    }

    fn check_database(&self) -> Result<(), Refusal> {
        self.settings.database_error.clone().map_or(Ok(()), |text| Err(Refusal::Internal(text)))
    }

    fn visible_runner(&self, area: Area, id: RunnerId) -> Result<&Runner, Refusal> {
        self.runners
            .get(&id)
            .filter(|runner| area == Area::Instance || self.is_within(runner, area, true))
            .ok_or(Refusal::NoRunner { id })
    }

    /// The table of protocol 1.4, but for the administrator's view of everything.
    fn is_within(&self, runner: &Runner, area: Area, superior: bool) -> bool {
        if runner.area == area {
            return true;
        }
        if !superior {
            return false;
        }
        match (area, runner.area) {
            (Area::Owner(_) | Area::Repository(_), Area::Instance) => true,
            (Area::Repository(repo), Area::Owner(owner)) => {
                self.repository(repo).is_some_and(|repository| repository.owner == owner)
            }
            _ => false,
        }
    }
}

fn row(runner: &Runner, now: Moment) -> RunnerRow {
    RunnerRow {
        id: runner.id,
        uuid: runner.uuid.clone(),
        area: runner.area,
        name: runner.name.clone(),
        status: runner.status(now),
        version: runner.version.clone(),
        labels: runner.labels.clone(),
        description: runner.description.clone(),
        ephemeral: runner.ephemeral,
    }
}

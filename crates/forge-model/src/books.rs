//! What really happened: for tests and demonstrations, which must not take our own records for the truth.

use std::collections::BTreeMap;

use crate::ids::{Handle, JobId, RepoId, RunId, RunnerId, TaskId};
use crate::moment::Moment;
use crate::runner::Area;
use crate::status::Status;

/// How a registration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationEnd {
    /// Not yet.
    StillThere,
    /// Deleted through REST.
    Deleted(Moment),
    /// Removed by the forge because its one task ended: by report, cancellation or timeout.
    UsedUp(Moment),
    /// Removed by the forge for another reason: clean-up, or its repository or owner was deleted.
    Swept(Moment),
}

/// One registration, ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationRecord {
    /// Runner.
    pub id: RunnerId,
    /// UUID as issued.
    pub uuid: String,
    /// Name as stored.
    pub name: String,
    /// Description as stored.
    pub description: String,
    /// Where it was registered.
    pub area: Area,
    /// Whether it takes one task only.
    pub ephemeral: bool,
    /// When it was registered.
    pub at: Moment,
    /// When the runner first called, if it ever did.
    pub contacted: Option<Moment>,
    /// How it ended.
    pub end: RegistrationEnd,
}

/// One hand-out of one attempt to one runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOut {
    /// The attempt's handle.
    pub handle: Handle,
    /// Attempt, from 1.
    pub attempt: i64,
    /// Who got it.
    pub runner: RunnerId,
    /// The task made for it.
    pub task: TaskId,
    /// When.
    pub at: Moment,
}

/// The life of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// The attempt's handle.
    pub handle: Handle,
    /// Its job.
    pub job: JobId,
    /// Its run.
    pub run: RunId,
    /// Its repository.
    pub repo: RepoId,
    /// Display name of the job.
    pub name: String,
    /// Attempt, from 1.
    pub attempt: i64,
    /// When it first became waiting.
    pub waiting_at: Option<Moment>,
    /// When a runner took it.
    pub started_at: Option<Moment>,
    /// When it got a final status.
    pub ended_at: Option<Moment>,
    /// Its status now; final once `ended_at` is set.
    pub status: Status,
    /// To how many tasks it was handed out: more than one is a defect.
    pub hand_outs: u32,
}

/// The record of everything since the forge was made.
#[derive(Clone, Debug, Default)]
pub struct Books {
    registrations: Vec<RegistrationRecord>,
    hand_outs: Vec<HandOut>,
    attempts: Vec<AttemptRecord>,
    registration_of: BTreeMap<RunnerId, usize>,
    attempt_of: BTreeMap<Handle, usize>,
    limit: usize,
    dropped: u64,
}

impl Books {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Every registration ever made, oldest first.
    pub fn registrations(&self) -> &[RegistrationRecord] {
        &self.registrations
    }

    /// Every hand-out, oldest first.
    pub fn hand_outs(&self) -> &[HandOut] {
        &self.hand_outs
    }

    /// Every attempt ever made, oldest first.
    pub fn attempts(&self) -> &[AttemptRecord] {
        &self.attempts
    }

    /// The attempt with this handle.
    pub fn attempt(&self, handle: &Handle) -> Option<&AttemptRecord> {
        self.attempt_of.get(handle).map(|&index| &self.attempts[index])
    }

    /// The registration of this runner.
    pub fn registration(&self, runner: RunnerId) -> Option<&RegistrationRecord> {
        self.registration_of.get(&runner).map(|&index| &self.registrations[index])
    }

    /// Records that were not kept because a list was full ([`crate::Settings::books_limit`]).
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many attempts were handed to more than one task. Must be 0.
    pub fn double_handouts(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.hand_outs > 1).count()
    }

    pub(crate) fn registered(&mut self, record: RegistrationRecord) {
        if self.registrations.len() >= self.limit {
            self.dropped += 1;
            return;
        }
        self.registration_of.insert(record.id, self.registrations.len());
        self.registrations.push(record);
    }

    pub(crate) fn contacted(&mut self, runner: RunnerId, now: Moment) {
        if let Some(&index) = self.registration_of.get(&runner) {
            self.registrations[index].contacted.get_or_insert(now);
        }
    }

    pub(crate) fn unregistered(&mut self, runner: RunnerId, end: RegistrationEnd) {
        if let Some(&index) = self.registration_of.get(&runner) {
            self.registrations[index].end = end;
        }
    }

    pub(crate) fn attempt_made(&mut self, record: AttemptRecord) {
        if self.attempts.len() >= self.limit {
            self.dropped += 1;
            return;
        }
        self.attempt_of.insert(record.handle.clone(), self.attempts.len());
        self.attempts.push(record);
    }

    pub(crate) fn attempt_became(&mut self, handle: &Handle, status: Status, now: Moment) {
        let Some(&index) = self.attempt_of.get(handle) else { return };
        let attempt = &mut self.attempts[index];
        attempt.status = status;
        match status {
            Status::Waiting => _ = attempt.waiting_at.get_or_insert(now),
            Status::Running => attempt.started_at = Some(now),
            Status::Success | Status::Failure | Status::Cancelled | Status::Skipped => attempt.ended_at = Some(now),
            Status::Blocked => {}
        }
    }

    pub(crate) fn handed_out(&mut self, hand_out: HandOut) {
        if let Some(&index) = self.attempt_of.get(&hand_out.handle) {
            self.attempts[index].hand_outs += 1;
        }
        if self.hand_outs.len() >= self.limit {
            self.dropped += 1;
            return;
        }
        self.hand_outs.push(hand_out);
    }
}

//! What rows stand on: a deployment of their own, the usual calls, and patience.

use std::time::{Duration, Instant};

use planner::ids::{DeploymentId, ForgeId, MachineName, PoolId, ScopeId, ScopeKey};
use planner::seen::{BoundAt, Exit, MachineSeen, MachineState, MachineTags, WarmTags};

use super::{Behaviour, Harness, usual};
use crate::{Backend, BackendError, CreateRequest, Destroyed, Launch, Machines, chain};

/// The token of every launch: 40 characters, and found nowhere by chance.
pub const TOKEN: &str = "c0nf0rmancec0nf0rmancec0nf0rmance471word";

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// How much of a run's name is part of names of machines.
const RUN_CHARACTERS: usize = 8;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Enough for a runner that obeys, on a busy machine.
pub(super) const STOP: Duration = Duration::from_secs(30);

/// What a row has to itself.
pub(super) struct Ground<'h, H: Harness> {
    harness: &'h H,
    deployment: DeploymentId,
    other: DeploymentId,
    machine: MachineName,
}

impl<'h, H: Harness> Ground<'h, H> {
    pub(super) fn new(harness: &'h H, word: &str) -> Self {
        let deployment = format!("{}-{word}", harness.name());
        // It begins like the first one: whoever compares only the beginning sees both.
        let other = DeploymentId::new(format!("{deployment}-other"));
        // The row's own: an engine may have one name once, and what comes late must stand in no other row's way.
        let run = harness.name().len().saturating_sub(RUN_CHARACTERS);
        let machine = MachineName::new(format!("fs-{word}-{}", &harness.name()[run..]));
        Self { harness, deployment: DeploymentId::new(deployment), other, machine }
    }

    /// The machine that most rows are about.
    pub(super) fn name(&self) -> MachineName {
        self.machine.clone()
    }

    /// Another one beside it.
    pub(super) fn name_of(&self, word: &str) -> MachineName {
        MachineName::new(format!("{}-{word}", self.machine))
    }

    /// What a daemon has that was just started.
    pub(super) async fn daemon(&self) -> Daemon<H::Backend> {
        Daemon { backend: self.harness.backend(&self.deployment).await }
    }

    /// The same of another deployment.
    pub(super) async fn other_daemon(&self) -> Daemon<H::Backend> {
        Daemon { backend: self.harness.backend(&self.other).await }
    }

    pub(super) async fn spoil(&self) {
        self.harness.spoil(&self.deployment).await;
    }

    pub(super) async fn unspoil(&self) {
        self.harness.unspoil(&self.deployment).await;
    }

    pub(super) async fn token_is_nowhere(&self) -> Result<(), String> {
        let places = self.harness.places_of_token(&self.deployment, TOKEN).await;
        if places.is_empty() { Ok(()) } else { Err(format!("the token is in {}", places.join(", "))) }
    }

    /// Destroys everything, then looks for what is left.
    pub(super) async fn clear(&self) -> Result<(), String> {
        for deployment in [&self.deployment, &self.other] {
            let daemon = Daemon { backend: self.harness.backend(deployment).await };
            let mut left = Vec::new();
            let cleared = until("nothing is left", async || {
                let rows = daemon.list().await?.rows;
                for row in &rows {
                    daemon.destroy(&row.name, Duration::ZERO).await?;
                }
                left = self.harness.leftovers(deployment).await;
                Ok(rows.is_empty() && left.is_empty())
            })
            .await;
            cleared.map_err(|why| format!("{why}: {}", left.join(", ")))?;
        }
        Ok(())
    }
}

/// One life of a daemon, as far as a backend is concerned.
pub(super) struct Daemon<B> {
    pub(super) backend: B,
}

impl<B: Backend> Daemon<B> {
    pub(super) async fn create(&self, name: &MachineName, behaviour: Behaviour) -> Result<(), String> {
        said(self.backend.create(request(name, behaviour)).await)
    }

    pub(super) async fn start(&self, name: &MachineName, behaviour: Behaviour) -> Result<(), String> {
        said(self.backend.start(name, launch(behaviour)).await)
    }

    /// Creates, waits until the machine is ready, and starts.
    pub(super) async fn run(&self, name: &MachineName, behaviour: Behaviour) -> Result<(), String> {
        self.create(name, behaviour).await?;
        self.until_state(name, |state| state == MachineState::Ready).await?;
        self.start(name, behaviour).await
    }

    /// Makes a machine without a job, and waits until it is ready.
    pub(super) async fn keep_warm(&self, name: &MachineName) -> Result<(), String> {
        said(self.backend.create(warm_request(name)).await)?;
        let seen = self.until_state(name, |state| state == MachineState::Ready).await?;
        ensure(seen.binding.is_none(), || format!("it is ready and bound: {seen:?}"))
    }

    /// Starts a runner on a machine that was made without a job.
    pub(super) async fn bind(&self, name: &MachineName, behaviour: Behaviour) -> Result<(), String> {
        said(self.backend.start(name, warm_launch(behaviour)).await)
    }

    pub(super) async fn release(&self, name: &MachineName) -> Result<(), String> {
        said(self.backend.release(name).await)
    }

    pub(super) async fn list(&self) -> Result<Machines, String> {
        said(self.backend.list().await)
    }

    /// The one row of this name, if there is one.
    pub(super) async fn seen(&self, name: &MachineName) -> Result<Option<MachineSeen>, String> {
        let mut rows = self.list().await?.rows;
        rows.retain(|row| row.name == *name);
        if rows.len() > 1 {
            return Err(format!("{} machines of one name are listed", rows.len()));
        }
        Ok(rows.pop())
    }

    pub(super) async fn destroy(&self, name: &MachineName, stop: Duration) -> Result<Destroyed, String> {
        said(self.backend.destroy(name, stop).await)
    }

    /// Destroys, again and again as the planner does, until it is listed no more.
    pub(super) async fn remove(&self, name: &MachineName, stop: Duration) -> Result<(), String> {
        until("the machine is gone", async || {
            Ok(self.destroy(name, stop).await? == Destroyed::Gone && self.seen(name).await?.is_none())
        })
        .await
    }

    pub(super) async fn logs(&self, name: &MachineName) -> Result<Vec<String>, String> {
        said(self.backend.logs(name).await)
    }

    pub(super) async fn until_state(
        &self,
        name: &MachineName,
        is_it: impl Fn(MachineState) -> bool,
    ) -> Result<MachineSeen, String> {
        let mut last = None;
        let waited = until("the machine is as it should be", async || {
            last = self.seen(name).await?;
            Ok(last.as_ref().is_some_and(|seen| is_it(seen.state)))
        })
        .await;
        waited.map_err(|why| format!("{why}; last seen: {last:?}"))?;
        last.ok_or_else(|| "it is not listed".to_owned())
    }

    /// How it ended, once it has.
    pub(super) async fn ended(&self, name: &MachineName) -> Result<Exit, String> {
        let seen = self.until_state(name, |state| matches!(state, MachineState::Ended { .. })).await?;
        let MachineState::Ended { exit } = seen.state else { return Err(format!("it has not ended: {seen:?}")) };
        Ok(exit)
    }
}

pub(super) fn request(name: &MachineName, behaviour: Behaviour) -> CreateRequest {
    let mut request = usual::request(name.clone(), STOP);
    if let MachineTags::Job(tags) = &mut request.tags {
        tags.scope.scope = ScopeId::new("repo:tools/site#17");
        tags.handle = behaviour.handle();
        tags.scope_id = Some(42);
    }
    request
}

pub(super) fn launch(behaviour: Behaviour) -> Launch {
    Launch { labels: vec!["lab:host".to_owned()], handle: behaviour.handle(), ..usual::launch(TOKEN) }
}

pub(super) fn warm_request(name: &MachineName) -> CreateRequest {
    let tags = WarmTags { pool: PoolId::new("pool"), image: None, made_of: "0123abcd".to_owned() };
    CreateRequest { tags: tags.into(), ..usual::request(name.clone(), STOP) }
}

/// The launch of a machine that was made without a job: only this one tells where its runner is registered.
pub(super) fn warm_launch(behaviour: Behaviour) -> Launch {
    let forge = ForgeId::new("https://forge.example:3000/git");
    let scope = ScopeKey { forge, scope: ScopeId::new("repo:tools/site#17") };
    Launch { at: Some(BoundAt { scope, scope_id: Some(42) }), ..launch(behaviour) }
}

/// Polls until it holds.
pub(super) async fn until(what: &str, mut holds: impl AsyncFnMut() -> Result<bool, String>) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await? {
        if Instant::now() > deadline {
            return Err(format!("waited in vain until {what}"));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// An error with its causes.
pub(super) fn said<T>(answer: Result<T, BackendError>) -> Result<T, String> {
    answer.map_err(|error| chain(&error))
}

/// Fails a row with these words unless it holds.
pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

//! One backend on the engine, and the usual calls.

use std::time::Duration;

pub(crate) use backend::conformance::until;
use backend::{Backend as _, BackendError, CreateRequest, Launch, conformance};
use backend_docker::{DockerBackend, DockerSettings, WithCaches};
use planner::ids::{DeploymentId, MachineName};
use planner::seen::{Exit, MachineSeen, MachineState};
use uuid::Uuid;

use crate::engine::Engine;

/// Longer than anything takes on a busy machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// The token of every launch.
pub(crate) const TOKEN: &str = "0123456789012345678901234567890123456789";

pub(crate) struct Ground {
    pub(crate) engine: Engine,
    pub(crate) settings: DockerSettings,
    pub(crate) backend: DockerBackend,
}

impl Ground {
    /// A deployment of its own whose runner is this shell script.
    pub(crate) fn new(engine: Engine, script: &str, change: impl FnOnce(&mut DockerSettings)) -> Self {
        let deployment = DeploymentId::new(format!("test-{}", Uuid::new_v4().simple()));
        let mut settings = engine.settings(&deployment, &format!("#!/bin/sh\n{script}\n"));
        change(&mut settings);
        Self { engine, backend: DockerBackend::new(settings.clone()).unwrap(), settings }
    }

    pub(crate) fn deployment(&self) -> &DeploymentId {
        &self.settings.deployment
    }

    /// The machine's name: the engine has one name for each container, whoever's it is.
    pub(crate) fn name(&self, short: &str) -> MachineName {
        MachineName::new(format!("{short}-{}", self.deployment()))
    }

    pub(crate) async fn create(&self, name: &str) -> Result<(), BackendError> {
        self.backend.create(request(self.name(name))).await
    }

    pub(crate) async fn start(&self, name: &str) -> Result<(), BackendError> {
        self.backend.start(&self.name(name), launch()).await
    }

    pub(crate) async fn run(&self, name: &str) {
        self.create(name).await.unwrap();
        self.start(name).await.unwrap();
    }

    pub(crate) async fn seen(&self, name: &str) -> Option<MachineSeen> {
        let machines = self.backend.list().await.unwrap();
        assert!(machines.complete);
        machines.rows.into_iter().find(|row| row.name == self.name(name))
    }

    /// Waits until the machine has ended.
    pub(crate) async fn ended(&self, name: &str) -> Exit {
        let mut exit = None;
        until("the machine has ended", async || {
            if let Some(MachineState::Ended { exit: how }) = self.seen(name).await.map(|seen| seen.state) {
                exit = Some(how);
            }
            exit.is_some()
        })
        .await;
        exit.unwrap()
    }

    pub(crate) async fn log(&self, name: &str) -> Vec<String> {
        self.backend.logs(&self.name(name)).await.unwrap()
    }

    pub(crate) async fn destroy(&self, name: &str) {
        self.remove(&self.name(name)).await;
    }

    async fn remove(&self, name: &MachineName) {
        until("the machine is gone", async || {
            self.backend.destroy(name, Duration::ZERO).await.unwrap();
            self.backend.list().await.unwrap().rows.iter().all(|row| row.name != *name)
        })
        .await;
    }

    /// Destroys every machine and ends as a daemon does, then checks that nothing is left.
    pub(crate) async fn finish(self) {
        // What a killed daemon asked for may come late.
        until("nothing is left", async || {
            for row in self.backend.list().await.unwrap().rows {
                self.remove(&row.name).await;
            }
            self.backend.close(WithCaches::Remove).await.unwrap();
            self.engine.things(self.deployment()).await.is_empty()
        })
        .await;
    }
}

pub(crate) fn request(name: MachineName) -> CreateRequest {
    conformance::request(name, PATIENCE)
}

pub(crate) fn launch() -> Launch {
    conformance::launch(TOKEN)
}

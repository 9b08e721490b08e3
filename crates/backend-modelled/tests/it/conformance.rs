//! The suite that every backend runs, on machines that exist in memory alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use backend::conformance::{self, Behaviour, Harness, Row};
use backend_modelled::ModelledBackend;
use planner::ids::DeploymentId;

/// One backend for each deployment, and none ever anew.
#[derive(Default)]
struct Memory {
    backends: Mutex<BTreeMap<DeploymentId, ModelledBackend>>,
}

impl Harness for Memory {
    type Backend = ModelledBackend;

    fn name(&self) -> &'static str {
        "modelled"
    }

    async fn backend(&self, deployment: &DeploymentId) -> ModelledBackend {
        let mut backends = self.backends.lock().unwrap();
        backends.entry(deployment.clone()).or_insert_with(playing).clone()
    }

    fn not_applicable(&self, row: Row) -> Option<&'static str> {
        match row {
            Row::AskedToEnd | Row::Killed => Some("there is no process to end"),
            Row::LogsBounded => Some("there is no output"),
            Row::PartialList => Some("all of memory is readable"),
            Row::RestartCreated | Row::RestartRunning | Row::RestartEnded | Row::RestartStopping => {
                Some("machines end with the daemon")
            }
            _ => None,
        }
    }

    async fn spoil(&self, _: &DeploymentId) {}

    async fn unspoil(&self, _: &DeploymentId) {}

    async fn leftovers(&self, deployment: &DeploymentId) -> Vec<String> {
        let backend = self.backend(deployment).await;
        let machines = backend::Backend::list(&backend).await.unwrap();
        machines.rows.into_iter().map(|row| row.name.to_string()).collect()
    }

    async fn places_of_token(&self, deployment: &DeploymentId, token: &str) -> Vec<String> {
        let backend = self.backend(deployment).await;
        let machines = backend::Backend::list(&backend).await.unwrap();
        let listed = format!("{machines:?} {backend:?}");
        if listed.contains(token) { vec![listed] } else { Vec::new() }
    }
}

/// A backend whose runners behave as their handles say.
fn playing() -> ModelledBackend {
    let own: Arc<Mutex<Option<ModelledBackend>>> = Arc::default();
    let backend = ModelledBackend::new({
        let own = Arc::clone(&own);
        move |machine, launch| {
            let backend = own.lock().unwrap().clone().unwrap();
            match Behaviour::of(&launch.handle).unwrap() {
                Behaviour::Exit(code) => backend.end(machine, code.into()),
                Behaviour::Speak => backend.end(machine, 0),
                Behaviour::Live | Behaviour::Stubborn => {}
            }
        }
    });
    *own.lock().unwrap() = Some(backend.clone());
    backend
}

#[tokio::test]
async fn the_modelled_backend_conforms() {
    let table = conformance::run(&Memory::default()).await;
    println!("{table}");
    assert_eq!(table.failed().count(), 0, "{table}");
}

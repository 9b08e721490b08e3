//! Machines that exist in memory alone: each call is answered at once and starts nothing.
//!
//! ```text
//! create ─► ready ─start─► running ─end─► ended ─destroy─► gone
//! ```
//!
//! For measurements of what is around a backend, and for tests that need a thousand machines. Whoever made it is told of
//! each start, plays the runner, and says when it has ended.
//!
//! Promises: the interface's contract (design section 4), but for one thing: machines end with this process.
//!
//! Deliberately absent: a way to choose it in a configuration file, delays, failures, logs.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backend::{Backend, BackendError, Capabilities, CreateRequest, Destroyed, Launch, Machines};
use planner::error_class::{Acted, Concerns, ErrorClass};
use planner::ids::MachineName;
use planner::seen::{Exit, MachineSeen, MachineState};
use tokio::sync::watch;

/// As many as the configuration allows at most: a call takes no time.
const PARALLEL_CREATES: usize = 256;

/// Told of each start, while the call is answered: it must be quick.
type OnStart = dyn Fn(&MachineName, &Launch) + Send + Sync;

/// The backend. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct ModelledBackend {
    shared: Arc<Shared>,
}

struct Shared {
    machines: Mutex<BTreeMap<MachineName, MachineSeen>>,
    made: AtomicUsize,
    changes: watch::Sender<u64>,
    on_start: Box<OnStart>,
}

impl fmt::Debug for ModelledBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelledBackend").field("machines", &self.machines().len()).finish_non_exhaustive()
    }
}

impl ModelledBackend {
    /// No machines yet. `on_start` is called for each start, while the call is answered.
    pub fn new(on_start: impl Fn(&MachineName, &Launch) + Send + Sync + 'static) -> Self {
        let shared = Shared {
            machines: Mutex::default(),
            made: AtomicUsize::new(0),
            changes: watch::Sender::new(0),
            on_start: Box::new(on_start),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The runner process of a machine has ended with this code. Nothing for a machine that does not run.
    pub fn end(&self, machine: &MachineName, code: i32) {
        if let Some(seen) = self.machines().get_mut(machine).filter(|seen| seen.state == MachineState::Running) {
            seen.state = MachineState::Ended { exit: Exit::Code(code) };
        }
        self.changed();
    }

    /// How many machines were ever made.
    pub fn made(&self) -> usize {
        self.shared.made.load(Ordering::Relaxed)
    }

    /// Tells when a listing has probably changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    fn changed(&self) {
        self.shared.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn machines(&self) -> MutexGuard<'_, BTreeMap<MachineName, MachineSeen>> {
        self.shared.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(doing: String, class: ErrorClass) -> BackendError {
    BackendError { doing, class, acted: Acted::No, concerns: Concerns::All, source: None }
}

impl Backend for ModelledBackend {
    fn describe(&self) -> Capabilities {
        Capabilities {
            warm: true,
            boot_hint: Duration::ZERO,
            parallel_creates: PARALLEL_CREATES,
            list_interval: Duration::from_secs(1),
        }
    }

    async fn create(&self, request: CreateRequest) -> Result<(), BackendError> {
        let name = request.name;
        let fresh = MachineSeen { name: name.clone(), tags: request.tags, binding: None, state: MachineState::Ready };
        let ended = {
            let mut machines = self.machines();
            let machine = machines.entry(name.clone()).or_insert_with(|| {
                self.shared.made.fetch_add(1, Ordering::Relaxed);
                fresh
            });
            matches!(machine.state, MachineState::Ended { .. })
        };
        if ended {
            return Err(refused(format!("create machine {name}: the name was used"), ErrorClass::Permanent));
        }
        self.changed();
        Ok(())
    }

    async fn start(&self, machine: &MachineName, launch: Launch) -> Result<(), BackendError> {
        {
            let mut machines = self.machines();
            let ready = machines.get_mut(machine).filter(|seen| seen.state == MachineState::Ready);
            let Some(seen) = ready else {
                let doing = format!("start the runner on machine {machine}: it is not ready");
                return Err(refused(doing, ErrorClass::Permanent));
            };
            seen.state = MachineState::Running;
            seen.binding = Some(launch.binding());
        }
        (self.shared.on_start)(machine, &launch);
        self.changed();
        Ok(())
    }

    async fn release(&self, machine: &MachineName) -> Result<(), BackendError> {
        {
            let mut machines = self.machines();
            let warm = machines.get_mut(machine).filter(|seen| seen.tags.warm().is_some());
            let Some(seen) = warm.filter(|seen| matches!(seen.state, MachineState::Ready | MachineState::Running))
            else {
                let doing = format!("take the runner back from machine {machine}: it is no warm one that lives");
                return Err(refused(doing, ErrorClass::Permanent));
            };
            seen.state = MachineState::Ready;
            seen.binding = None;
        }
        self.changed();
        Ok(())
    }

    async fn list(&self) -> Result<Machines, BackendError> {
        Ok(Machines { complete: true, rows: self.machines().values().cloned().collect() })
    }

    async fn destroy(&self, machine: &MachineName, _: Duration) -> Result<Destroyed, BackendError> {
        self.machines().remove(machine);
        self.changed();
        Ok(Destroyed::Gone)
    }

    async fn logs(&self, _: &MachineName) -> Result<Vec<String>, BackendError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use planner::ids::{ForgeId, Handle, PoolId, RunnerUuid, ScopeId, ScopeKey, Try};
    use planner::seen::{JobTags, WarmTags};

    use super::*;

    fn request(name: &str) -> CreateRequest {
        let scope = ScopeKey { forge: ForgeId::new("http://forge.example"), scope: ScopeId::new("org:acme") };
        let tags = JobTags { pool: PoolId::new("p"), scope, handle: Handle::new("h"), attempt: Try(1), scope_id: None };
        let (name, image, caches) = (MachineName::new(name), None, Vec::new());
        CreateRequest { name, tags: tags.into(), image, caches, stop_grace: Duration::ZERO }
    }

    fn launch() -> Launch {
        Launch {
            url: "http://forge.example".to_owned(),
            uuid: RunnerUuid::new("u"),
            token: "secret".to_owned().into(),
            labels: Vec::new(),
            handle: Handle::new("h"),
            attempt: Try(1),
            at: None,
            fetch_interval: Duration::from_secs(1),
        }
    }

    async fn states(backend: &ModelledBackend) -> Vec<MachineState> {
        backend.list().await.unwrap().rows.iter().map(|row| row.state).collect()
    }

    #[tokio::test]
    async fn a_machine_lives_from_create_to_destroy_and_is_started_once() {
        let starts = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&starts);
        let backend = ModelledBackend::new(move |machine, launch| {
            noted.lock().unwrap().push((machine.clone(), launch.handle.clone()));
        });
        let name = MachineName::new("fs-1");
        backend.create(request("fs-1")).await.unwrap();
        backend.create(request("fs-1")).await.unwrap();
        assert_eq!(states(&backend).await, [MachineState::Ready]);
        backend.start(&name, launch()).await.unwrap();
        assert_eq!(states(&backend).await, [MachineState::Running]);
        assert_eq!(backend.start(&name, launch()).await.unwrap_err().class, ErrorClass::Permanent);
        assert_eq!(*starts.lock().unwrap(), [(name.clone(), Handle::new("h"))]);
        backend.end(&name, 0);
        assert_eq!(states(&backend).await, [MachineState::Ended { exit: Exit::Code(0) }]);
        assert_eq!(backend.create(request("fs-1")).await.unwrap_err().class, ErrorClass::Permanent);
        assert_eq!(backend.destroy(&name, Duration::ZERO).await.unwrap(), Destroyed::Gone);
        assert_eq!(backend.destroy(&name, Duration::ZERO).await.unwrap(), Destroyed::Gone);
        assert_eq!(states(&backend).await, []);
    }

    #[tokio::test]
    async fn a_warm_machine_is_bound_released_and_bound_to_another_job() {
        let backend = ModelledBackend::new(|_, _| {});
        let name = MachineName::new("fs-1");
        let tags = WarmTags { pool: PoolId::new("p"), image: None, made_of: "x".to_owned() };
        backend.create(CreateRequest { tags: tags.into(), ..request("fs-1") }).await.unwrap();
        backend.start(&name, launch()).await.unwrap();
        let other = Launch { uuid: RunnerUuid::new("v"), ..launch() };
        assert_eq!(backend.start(&name, other.clone()).await.unwrap_err().class, ErrorClass::Permanent);
        backend.release(&name).await.unwrap();
        backend.release(&name).await.unwrap();
        assert_eq!(states(&backend).await, [MachineState::Ready]);
        backend.start(&name, other.clone()).await.unwrap();
        assert_eq!(backend.list().await.unwrap().rows[0].binding, Some(other.binding()));
        backend.end(&name, 0);
        assert_eq!(backend.release(&name).await.unwrap_err().class, ErrorClass::Permanent);
    }

    #[tokio::test]
    async fn one_that_was_made_for_a_job_is_not_released() {
        let backend = ModelledBackend::new(|_, _| {});
        backend.create(request("fs-1")).await.unwrap();
        assert_eq!(backend.release(&MachineName::new("fs-1")).await.unwrap_err().class, ErrorClass::Permanent);
    }

    #[tokio::test]
    async fn whatever_happens_to_a_machine_is_a_reason_to_list() {
        let backend = ModelledBackend::new(|_, _| {});
        let mut changes = backend.changes();
        let name = MachineName::new("fs-1");
        backend.create(request("fs-1")).await.unwrap();
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        backend.start(&name, launch()).await.unwrap();
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        backend.end(&name, 0);
        assert!(changes.has_changed().unwrap());
    }
}

//! What the engine itself tells of containers while it happens: the judge of limits and leftovers.
//!
//! A container of our own, made and removed, marks beginning and end: once its removal is told, all before it was.

use std::collections::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, EventMessage};
use bollard::query_parameters::{CreateContainerOptions, EventsOptionsBuilder, RemoveContainerOptions};
use futures_util::StreamExt as _;
use planner::ids::DeploymentId;
use tokio::task::JoinHandle;

use super::{Engine, blocking, runtime};
use crate::e2e::world::wait_for;
use crate::real_engine::filter;

/// The label by which machines are told from what else is made.
const ROLE: &str = "forgescale.role";

/// How long the engine may take to tell of a mark.
const PATIENCE: Duration = Duration::from_mins(1);

/// Something that happened to a container.
#[derive(Debug, Clone)]
struct Told {
    what: String,
    id: String,
    labels: HashMap<String, String>,
}

/// All that is told of the containers of a deployment, from before its daemon starts.
pub(super) struct Events {
    engine: Engine,
    deployment: String,
    told: Arc<Mutex<Vec<Told>>>,
    listening: JoinHandle<()>,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// Machines that existed at once, at most: from their creation to their removal.
    pub(super) most_at_once: usize,
    /// Machines that ran at once, at most.
    pub(super) most_running: usize,
    /// Machines that were made.
    pub(super) created: usize,
    /// Machines that were started.
    pub(super) started: usize,
    /// Machines that ended.
    pub(super) ended: usize,
    /// Machines that were never removed.
    pub(super) left: Vec<String>,
    /// Machines that were started more than once.
    pub(super) started_again: Vec<String>,
}

impl Events {
    /// Begins to listen; the engine tells all that happens from the return on.
    pub(super) fn listen(engine: &Engine, deployment: &str) -> Self {
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let mut filter = filter(&DeploymentId::new(deployment));
        filter.insert("type".to_owned(), vec!["container".to_owned()]);
        let options = EventsOptionsBuilder::default().filters(&filter).build();
        let (client, into) = (engine.real.client.clone(), Arc::clone(&told));
        let listening = runtime().spawn(async move {
            let mut events = std::pin::pin!(client.events(Some(options)));
            while let Some(event) = events.next().await {
                let event = event.expect("the engine tells of its containers");
                into.lock().expect("no panic").push(Told::new(event));
            }
        });
        let events = Self { engine: engine.clone(), deployment: deployment.to_owned(), told, listening };
        let heard = wait_for(PATIENCE, Duration::from_millis(200), || events.mark());
        assert!(heard, "the engine tells nothing");
        events
    }

    /// Judges all until now.
    pub(super) fn judged(&self) -> Judged {
        assert!(self.mark(), "the engine tells nothing any more");
        assert!(!self.listening.is_finished(), "the engine has ended the stream");
        judge(&self.told.lock().expect("no panic"))
    }

    /// Makes and removes a container of our own; whether that was told within a moment.
    fn mark(&self) -> bool {
        let labels = [("forgescale.deployment", self.deployment.as_str()), (ROLE, "mark")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let body = ContainerCreateBody {
            image: Some(self.engine.image.clone()),
            cmd: Some(vec!["true".to_owned()]),
            labels: Some(labels),
            ..ContainerCreateBody::default()
        };
        let id = blocking(async {
            let client = &self.engine.real.client;
            let made = client.create_container(None::<CreateContainerOptions>, body).await;
            let id = made.expect("a container").id;
            client.remove_container(&id, None::<RemoveContainerOptions>).await.expect("a removed container");
            id
        });
        let is_told = |told: &Told| told.what == "destroy" && told.id == id;
        wait_for(Duration::from_secs(5), Duration::from_millis(20), || {
            self.told.lock().expect("no panic").iter().any(is_told)
        })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Told {
    fn new(event: EventMessage) -> Self {
        let actor = event.actor.unwrap_or_default();
        Self {
            what: event.action.unwrap_or_default(),
            id: actor.id.unwrap_or_default(),
            labels: actor.attributes.unwrap_or_default(),
        }
    }
}

fn judge(told: &[Told]) -> Judged {
    let machines = told.iter().filter(|told| told.labels.get(ROLE).is_some_and(|role| role == "machine"));
    let (mut there, mut running) = (BTreeSet::new(), BTreeSet::new());
    let mut starts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut judged = Judged::default();
    for Told { what, id, .. } in machines {
        match what.as_str() {
            "create" => {
                there.insert(id.as_str());
                judged.created += 1;
            }
            "start" => {
                running.insert(id.as_str());
                *starts.entry(id).or_default() += 1;
            }
            "die" => {
                running.remove(id.as_str());
                judged.ended += 1;
            }
            "destroy" => {
                there.remove(id.as_str());
            }
            // Renamed, attached to, killed, executed in: what follows from it is told by itself.
            _ => {}
        }
        judged.most_at_once = judged.most_at_once.max(there.len());
        judged.most_running = judged.most_running.max(running.len());
    }
    judged.started = starts.len();
    judged.left = there.into_iter().map(str::to_owned).collect();
    judged.started_again = starts.into_iter().filter(|(_, starts)| *starts > 1).map(|(id, _)| id.to_owned()).collect();
    judged
}

#[test]
fn the_judge_counts_what_is_there_at_once_and_sees_what_is_left_or_started_again() {
    let told = |what: &str, id: &str, role: &str| Told {
        what: what.to_owned(),
        id: id.to_owned(),
        labels: HashMap::from([(ROLE.to_owned(), role.to_owned())]),
    };
    let machine = |what: &str, id: &str| told(what, id, "machine");
    let all = [
        machine("create", "a"),
        machine("create", "b"),
        told("create", "f", "filler"),
        machine("start", "a"),
        machine("rename", "a"),
        machine("die", "a"),
        machine("start", "a"),
        machine("die", "a"),
        machine("destroy", "a"),
        machine("create", "c"),
        machine("start", "c"),
        machine("die", "c"),
        machine("destroy", "c"),
    ];
    let expected = Judged {
        most_at_once: 2,
        most_running: 1,
        created: 3,
        started: 2,
        ended: 3,
        left: vec!["b".to_owned()],
        started_again: vec!["a".to_owned()],
    };
    assert_eq!(judge(&all), expected);
}

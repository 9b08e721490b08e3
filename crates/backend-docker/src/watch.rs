//! Events of the engine, as hints to list. Nothing depends on one being seen.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt as _;

use crate::backend::Docker;
use crate::labels::{self, Role};

/// Before it is tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// How long the engine may be silent before we look whether anybody is still interested.
const SILENCE: Duration = Duration::from_secs(30);

/// Hints at every event of our machines, until the backend is gone.
pub(crate) async fn watch(docker: Weak<Docker>) {
    while let Some(of) = docker.upgrade() {
        follow(of, &docker).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Follows the events until their stream ends. The backend is not kept alive by waiting for one.
async fn follow(docker: Arc<Docker>, still: &Weak<Docker>) {
    let Ok(client) = docker.engine.client().await else { return };
    let mut filter = labels::filter(&docker.whose, Role::Machine, None);
    filter.insert("type".to_owned(), vec!["container".to_owned()]);
    let options = EventsOptionsBuilder::default().filters(&filter).build();
    let client = client.clone();
    // What happened before the stream began is found by looking.
    docker.changed();
    drop(docker);
    let mut events = std::pin::pin!(client.events(Some(options)));
    loop {
        let event = tokio::time::timeout(SILENCE, events.next()).await;
        let Some(docker) = still.upgrade() else { return };
        match event {
            Ok(Some(Ok(_))) => docker.changed(),
            Ok(Some(Err(_)) | None) => return,
            Err(_) => {}
        }
    }
}

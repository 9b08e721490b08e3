//! What tests of backends ask for where it does not matter what, and how they wait.

use std::time::{Duration, Instant};

use planner::ids::{ForgeId, Handle, MachineName, PoolId, RunnerUuid, ScopeId, ScopeKey, Try};
use planner::seen::JobTags;
use secrecy::SecretString;

use crate::{CreateRequest, Launch};

/// Longer than anything takes on a busy machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A machine of this name for the job `handle-1`.
pub fn request(name: MachineName, stop_grace: Duration) -> CreateRequest {
    let scope = ScopeKey { forge: ForgeId::new("http://127.0.0.1:9"), scope: ScopeId::new("instance") };
    let tags =
        JobTags { pool: PoolId::new("pool"), scope, handle: Handle::new("handle-1"), attempt: Try(1), scope_id: None };
    CreateRequest { name, tags: tags.into(), image: None, caches: Vec::new(), stop_grace }
}

/// A launch of that job with this token.
pub fn launch(token: &str) -> Launch {
    Launch {
        url: "http://127.0.0.1:9".to_owned(),
        uuid: RunnerUuid::new("d4637a60-7fea-4075-a81c-7e4ae01bdf0d"),
        token: SecretString::from(token),
        labels: vec!["lab:host".to_owned(), "deb:docker://node:22".to_owned()],
        handle: Handle::new("handle-1"),
        attempt: Try(1),
        at: None,
        fetch_interval: Duration::from_secs(2),
    }
}

/// Polls until it holds. Panics after a minute in vain.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

//! A daemon for the tests to kill: it makes one machine, starts the runner if told so, says `done` and waits.
//!
//! Arguments: directory, deployment, machine, supervisor, shell script in the runner's place, `create` or `start`; then any number of `NAME=VALUE`
//! for the runner's environment.

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use backend::{Backend as _, CreateRequest, Launch};
use backend_host::{HostBackend, HostSettings, Limits, Program, RunAs};
use planner::ids::{DeploymentId, ForgeId, Handle, MachineName, PoolId, RunnerUuid, ScopeId, ScopeKey, Try};
use planner::seen::JobTags;
use secrecy::SecretString;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, deployment, machine, supervisor, script, phase, environment @ ..] = arguments.as_slice() else {
        return Err("too few arguments".into());
    };
    let pairs = environment.iter().filter_map(|pair| pair.split_once('='));
    let backend = HostBackend::new(HostSettings {
        directory: directory.into(),
        deployment: DeploymentId::new(deployment),
        supervisor: Program { path: supervisor.into(), arguments: Vec::new() },
        runner: Program { path: "/bin/sh".into(), arguments: vec![script.clone()] },
        run_as: RunAs::Daemon,
        limits: Limits::default(),
        cache: None,
        path: "/usr/local/bin:/usr/bin:/bin".to_owned(),
        environment: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        log_limit: 1 << 20,
    })?;
    let name = MachineName::new(machine);
    let handle = Handle::new("handle-1");
    let scope = ScopeKey { forge: ForgeId::new("http://127.0.0.1:9"), scope: ScopeId::new("instance") };
    let tags = JobTags { pool: PoolId::new("pool"), scope, handle: handle.clone(), attempt: Try(1), scope_id: None };
    backend
        .create(CreateRequest {
            name: name.clone(),
            tags: tags.into(),
            image: None,
            caches: Vec::new(),
            stop_grace: Duration::from_mins(1),
        })
        .await?;
    if phase == "start" {
        let launch = Launch {
            url: "http://127.0.0.1:9".to_owned(),
            uuid: RunnerUuid::new("d4637a60-7fea-4075-a81c-7e4ae01bdf0d"),
            token: SecretString::from("0123456789012345678901234567890123456789"),
            labels: vec!["lab:host".to_owned()],
            handle,
            attempt: Try(1),
            at: None,
            fetch_interval: Duration::from_secs(2),
        };
        backend.start(&name, launch).await?;
    }
    let mut out = std::io::stdout();
    writeln!(out, "done")?;
    out.flush()?;
    std::future::pending().await
}

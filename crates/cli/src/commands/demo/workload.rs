//! The work: small, but with everything that can happen to a job.

use std::time::Duration;

use forge_model::script::{Concurrency, JobSpec, RunSpec};
use forge_model::{Forge, Moment, RepoId, RunId, Status};

use super::stage::Stage;

/// A run to push, and what is done to it later.
pub(super) struct Scene {
    pub(super) spec: RunSpec,
    pub(super) then: Then,
}

/// What is done to a run later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// It is cancelled while its job waits, once the job named here runs.
    CancelWaiting(&'static str),
    /// It is cancelled while its job runs.
    CancelRunning,
    /// It runs again after it failed.
    Rerun,
}

/// How an attempt of a job must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expectation {
    pub(super) repository: &'static str,
    pub(super) job: String,
    pub(super) attempt: i64,
    pub(super) status: Status,
}

/// How long the job runs that is cancelled while it runs.
const BEFORE_CANCEL: Duration = Duration::from_secs(1);

/// Kills the supervisor of its own machine: the runner is the parent of the step, the supervisor the runner's.
const DIE: &str = "echo 'pulling the plug'; kill -9 $(awk '/^PPid:/ {print $2}' /proc/$PPID/status); sleep 60";

/// The same where the machine is a container: its first process cannot be killed from inside, but the runner can.
const DIE_IN_A_CONTAINER: &str = "echo 'pulling the plug'; kill -9 $PPID; sleep 60";

/// All runs, in the order in which they are pushed.
pub(super) fn scenes(stage: &Stage, singles: u16) -> Vec<Scene> {
    let repositories = stage.repositories;
    let mut scenes: Vec<Scene> = (1..=singles)
        .map(|number| {
            let script = format!("echo 'hello from job {number}'; sleep 0.5");
            plain(repositories.site, "ci.yaml", vec![single("build", &number.to_string(), &script)])
        })
        .collect();
    let matrix = [20, 22, 24].map(|node| single("test", &format!("node {node}"), "echo testing; sleep 1"));
    scenes.push(plain(repositories.site, "test.yaml", matrix.to_vec()));
    scenes.push(plain(
        repositories.api,
        "release.yaml",
        vec![
            JobSpec::shell("compile", &["debian"], "echo compiled; sleep 0.5"),
            JobSpec::shell("package", &["debian"], "echo packaged").needing(&["compile"]),
            JobSpec::shell("publish", &["docker", "debian"], "echo published").needing(&["compile", "package"]),
        ],
    ));
    scenes.push(plain(
        repositories.api,
        "lint.yaml",
        vec![JobSpec::shell("lint", &["debian"], "echo 'line 3: no'; exit 1")],
    ));
    scenes.push(plain(
        repositories.solo,
        "train.yaml",
        vec![JobSpec::shell("train", &["gpu"], "echo training; sleep 6")],
    ));
    scenes.push(Scene {
        then: Then::CancelWaiting("train"),
        ..plain(repositories.solo, "tune.yaml", vec![JobSpec::shell("tune", &["gpu"], "echo never")])
    });
    scenes.push(Scene {
        then: Then::CancelRunning,
        ..plain(
            repositories.tools,
            "endless.yaml",
            vec![JobSpec::shell("endless", &["debian"], "echo begun; sleep 600")],
        )
    });
    scenes.push(Scene {
        then: Then::Rerun,
        ..plain(
            repositories.tools,
            "flaky.yaml",
            vec![JobSpec::shell(
                "flaky",
                &["debian"],
                "echo attempt $GITHUB_RUN_ATTEMPT; test $GITHUB_RUN_ATTEMPT -gt 1",
            )],
        )
    });
    for (job, script) in [("deploy blue", "echo deploying; sleep 11"), ("deploy green", "echo deploying; sleep 1")] {
        let spec = RunSpec::new(
            repositories.api,
            "deploy.yaml",
            vec![JobSpec::shell("deploy", &["debian"], script).named(job)],
        );
        scenes.push(Scene { spec: spec.with_concurrency(Concurrency::queue("production")), then: Then::Nothing });
    }
    scenes.push(plain(
        repositories.tools,
        "windows.yaml",
        vec![JobSpec::shell("installer", &["windows"], "echo never")],
    ));
    let die = if stage.engine.is_some() { DIE_IN_A_CONTAINER } else { DIE };
    scenes.push(plain(repositories.tools, "doomed.yaml", vec![JobSpec::shell("doomed", &["debian"], die)]));
    scenes
}

/// How each attempt of [`scenes`] must end.
pub(super) fn expectations(singles: u16) -> Vec<Expectation> {
    let expect =
        |repository, job: &str, attempt, status| Expectation { repository, job: job.to_owned(), attempt, status };
    let mut all: Vec<Expectation> =
        (1..=singles).map(|number| expect("acme/site", &format!("build ({number})"), 1, Status::Success)).collect();
    all.extend([20, 22, 24].map(|node| expect("acme/site", &format!("test (node {node})"), 1, Status::Success)));
    all.extend(["compile", "package", "publish"].map(|job| expect("acme/api", job, 1, Status::Success)));
    all.extend([
        expect("acme/api", "lint", 1, Status::Failure),
        expect("dana/solo", "train", 1, Status::Success),
        expect("dana/solo", "tune", 1, Status::Cancelled),
        expect("acme/tools", "endless", 1, Status::Cancelled),
        expect("acme/tools", "flaky", 1, Status::Failure),
        expect("acme/tools", "flaky", 2, Status::Success),
        expect("acme/api", "deploy blue", 1, Status::Success),
        expect("acme/api", "deploy green", 1, Status::Success),
        expect("acme/tools", "installer", 1, Status::Waiting),
        expect("acme/tools", "doomed", 1, Status::Failure),
    ]);
    all
}

/// A job of a matrix.
fn single(key: &str, of: &str, script: &str) -> JobSpec {
    JobSpec::shell(key, &["debian"], script).named(&format!("{key} ({of})"))
}

/// A run that nothing is done to and that waits for no other.
fn plain(repository: RepoId, workflow: &str, jobs: Vec<JobSpec>) -> Scene {
    let spec = RunSpec::new(repository, workflow, jobs).with_concurrency(Concurrency::unlimited());
    Scene { spec, then: Then::Nothing }
}

/// Whether a job of that name has this status, in its latest attempt.
pub(super) fn is(forge: &Forge, job: &str, status: Status) -> bool {
    forge
        .books()
        .attempts()
        .iter()
        .rev()
        .find(|attempt| attempt.name == job)
        .is_some_and(|attempt| attempt.status == status)
}

/// Whether a job of a run has run for a moment, so that there is something to cancel.
fn has_run_a_while(forge: &Forge, now: Moment, run: RunId) -> bool {
    let attempts = forge.books().attempts().iter().filter(|attempt| attempt.run == run);
    attempts.filter_map(|attempt| attempt.started_at).any(|started_at| now.since(started_at) >= BEFORE_CANCEL)
}

/// Does to a run what is to be done, once it is time; whether it was time.
pub(super) fn act(forge: &mut Forge, now: Moment, run: RunId, then: Then) -> bool {
    let status = forge.run_status(run);
    match then {
        Then::Nothing => true,
        Then::CancelWaiting(other) => {
            let due = is(forge, other, Status::Running);
            due && forge.cancel_run(now, run).is_ok()
        }
        Then::CancelRunning => has_run_a_while(forge, now, run) && forge.cancel_run(now, run).is_ok(),
        Then::Rerun => status == Some(Status::Failure) && forge.rerun_run(now, run).is_ok(),
    }
}

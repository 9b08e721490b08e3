//! A job that people cancel. An ephemeral runner is never told of it (protocol 2.7).

use super::stage::{Scope, Stage, until};
use crate::e2e::processes;

/// Without a group a newer push cancels what runs (protocol 2.5). What the step starts aside leaves its session and
/// ignores what is polite.
const WORKFLOW: &str = r#"
on:
  push:
    paths: [.forgejo/workflows/long.yaml, again]
jobs:
  long:
    runs-on: LABEL
    steps:
      - run: |
          if [ -e 'PLACE/quick' ]; then exit 0; fi
          setsid sh -c 'trap "" TERM INT HUP; while :; do sleep 0.2; done' &
          touch 'PLACE/begun'
          sleep 600
"#;

#[test]
#[ignore = "needs a Forgejo: see FORGESCALE_TEST_FORGEJO_URL in CONTRIBUTING.md"]
fn a_job_that_is_cancelled_is_stopped_with_all_that_it_started() {
    let Some(mut stage) = Stage::new(Scope::Organization) else { return };
    stage.start();
    stage.commit_workflow("long.yaml", WORKFLOW);
    let run = stage.run_after(0, "long.yaml");
    until("it has begun", || stage.file("begun").exists() && processes_of(&stage, "trap") > 0);
    stage.let_go("quick");
    if stage.forge.has_run_calls() {
        stage.forge.cancel(&stage.repository(), run);
        stage.until_is(run, "long", "cancelled");
    } else {
        stage.forge.commit(&stage.repository(), &[("again", "")]);
        stage.until_is(run, "long", "cancelled");
        let newer = stage.run_after(1, "long.yaml");
        stage.until_results(newer, &[("long", "success")]);
    }
    until("it is stopped", || processes_of(&stage, "trap") == 0 && processes_of(&stage, "sleep 600") == 0);
    stage.check_nothing_left();
}

fn processes_of(stage: &Stage, words: &str) -> usize {
    processes::of_deployment(&stage.name).iter().filter(|process| process.command.contains(words)).count()
}

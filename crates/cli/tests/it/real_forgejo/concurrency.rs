//! Jobs that the server holds back although it lists them as waiting.

use serde_json::json;

use super::stage::{LIMIT, PAUSE, Scope, Stage, until};
use crate::e2e::leftovers::names;
use crate::e2e::world::wait_for;

const DEPLOY: &str = r"
on:
  workflow_dispatch:
concurrency:
  group: production
  cancel-in-progress: false
jobs:
  deploy:
    runs-on: LABEL
    steps:
      - run: |
          until [ -e 'PLACE/gate' ]; do sleep 0.1; done
          echo deployed
";

const OTHER: &str = r"
on:
  workflow_dispatch:
jobs:
  other:
    runs-on: LABEL
    steps:
      - run: echo not held back
";

#[test]
#[ignore = "needs a Forgejo: see FORGESCALE_TEST_FORGEJO_URL in CONTRIBUTING.md"]
fn a_job_that_its_concurrency_group_holds_back_keeps_no_machine_and_runs_in_its_turn() {
    let Some(mut stage) = Stage::new(Scope::Organization) else { return };
    stage.commit_workflow("deploy.yaml", DEPLOY);
    stage.commit_workflow("other.yaml", OTHER);
    stage.start();
    let first = stage.dispatch("deploy.yaml", &json!({}));
    stage.until_is(first, "deploy", "running");
    let second = stage.dispatch("deploy.yaml", &json!({}));
    until("the second has a machine", || check_count(&stage) == (2, 2));
    until("it has given it back", || check_count(&stage) == (1, 1));

    // There are two machines at most: one is free although the second goes on waiting.
    let other = stage.dispatch("other.yaml", &json!({}));
    stage.until_results(other, &[("other", "success")]);
    assert_eq!(stage.forge.hand_outs(&stage.repository(), second).len(), 0, "the second was given out");

    stage.let_go("gate");
    for run in [first, second] {
        stage.until_results(run, &[("deploy", "success")]);
        stage.until_logged(run, &["deployed"]);
    }
    stage.check_nothing_left();
}

/// Machines and registrations of ours.
fn check_count(stage: &Stage) -> (usize, usize) {
    let mut registrations = None;
    let reached = wait_for(LIMIT, PAUSE, || {
        registrations = stage.forge.registrations(&stage.scope_path(), &stage.name).ok();
        registrations.is_some()
    });
    assert!(reached, "the server lists no runners");
    (names(&stage.machines()).len(), registrations.map_or(0, |rows| rows.len()))
}

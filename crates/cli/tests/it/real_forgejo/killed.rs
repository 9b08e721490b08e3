//! kill -9 of the daemon.

use serde_json::json;

use super::stage::{Scope, Stage};

/// Ends when its gate is there; also a job that nobody has started yet, so both wait for the same.
pub(super) const HELD: &str = r"
on:
  workflow_dispatch:
jobs:
  held:
    runs-on: LABEL
    steps:
      - run: |
          until [ -e 'PLACE/gate' ]; do sleep 0.1; done
          echo held and let go
";

#[test]
#[ignore = "needs a Forgejo: see FORGESCALE_TEST_FORGEJO_URL in CONTRIBUTING.md"]
fn a_job_survives_the_daemon_and_is_cleared_up_by_the_next() {
    let Some(mut stage) = Stage::new(Scope::Instance) else { return };
    stage.commit_workflow("held.yaml", HELD);
    stage.start();
    let run = stage.dispatch("held.yaml", &json!({}));
    stage.until_is(run, "held", "running");
    stage.take_daemon().kill();
    let later = stage.dispatch("held.yaml", &json!({}));
    stage.let_go("gate");
    stage.until_results(run, &[("held", "success")]);
    assert_eq!(stage.forge.hand_outs(&stage.repository(), later).len(), 0, "somebody else serves this label");
    stage.start();
    stage.until_results(later, &[("held", "success")]);
    for run in [run, later] {
        stage.until_logged(run, &["held and let go"]);
    }
    stage.check_nothing_left();
}

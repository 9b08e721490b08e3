//! The same workflow again and again, by dispatch.

use serde_json::json;

use super::stage::{Scope, Stage};

const WORKFLOW: &str = r#"
on:
  workflow_dispatch:
    inputs:
      colour:
        type: string
        required: true
jobs:
  paint:
    runs-on: LABEL
    steps:
      - run: echo "painted ${{ inputs.colour }}"
"#;

#[test]
#[ignore = "needs a Forgejo: see FORGESCALE_TEST_FORGEJO_URL in CONTRIBUTING.md"]
fn a_workflow_that_is_dispatched_again_runs_again() {
    let Some(mut stage) = Stage::new(Scope::Repository) else { return };
    stage.commit_workflow("paint.yaml", WORKFLOW);
    stage.start();
    for colour in ["blue", "green"] {
        let run = stage.dispatch("paint.yaml", &json!({ "colour": colour }));
        stage.until_results(run, &[("paint", "success")]);
        stage.until_logged(run, &[&format!("painted {colour}")]);
    }
    stage.check_nothing_left();
}

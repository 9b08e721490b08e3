//! Results and logs of one workflow with a bit of everything, in each scope.

use super::stage::{Scope, Stage};

const WORKFLOW: &str = r#"
on:
  push:
    paths: [.forgejo/workflows/ci.yaml]
jobs:
  test:
    strategy:
      matrix:
        flavour: [sweet, sour]
    runs-on: LABEL
    steps:
      - run: echo "it tastes ${{ matrix.flavour }}"
  compile:
    runs-on: LABEL
    outputs:
      tag: ${{ steps.mark.outputs.tag }}
    steps:
      - id: mark
        run: echo "tag=v42" >> "$GITHUB_OUTPUT"
  publish:
    needs: [compile]
    runs-on: [LABEL]
    steps:
      - run: echo "publishing ${{ needs.compile.outputs.tag }}"
  lint:
    runs-on: LABEL
    steps:
      - run: |
          echo "line 3 is odd"
          exit 1
  report:
    needs: [lint]
    if: always()
    runs-on: LABEL
    steps:
      - run: echo "lint was a ${{ needs.lint.result }}"
  never:
    needs: [lint]
    runs-on: LABEL
    steps:
      - run: echo never
"#;

const RESULTS: [(&str, &str); 6] = [
    ("compile", "success"),
    ("lint", "failure"),
    ("publish", "success"),
    ("report", "success"),
    ("test (sour)", "success"),
    ("test (sweet)", "success"),
];

const LOGGED: [&str; 5] =
    ["it tastes sweet", "it tastes sour", "publishing v42", "line 3 is odd", "lint was a failure"];

#[test]
#[ignore = "needs a Forgejo: see FORGESCALE_TEST_FORGEJO_URL in CONTRIBUTING.md"]
fn results_and_logs_of_a_workflow_served_by_instance() {
    check_workflow(Scope::Instance);
}

#[test]
#[ignore = "needs a Forgejo: see FORGESCALE_TEST_FORGEJO_URL in CONTRIBUTING.md"]
fn results_and_logs_of_a_workflow_served_by_organization() {
    check_workflow(Scope::Organization);
}

#[test]
#[ignore = "needs a Forgejo: see FORGESCALE_TEST_FORGEJO_URL in CONTRIBUTING.md"]
fn results_and_logs_of_a_workflow_served_by_repository() {
    check_workflow(Scope::Repository);
}

#[test]
#[ignore = "needs a Forgejo: see FORGESCALE_TEST_FORGEJO_URL in CONTRIBUTING.md"]
fn results_and_logs_of_a_workflow_served_by_user() {
    check_workflow(Scope::User);
}

#[track_caller]
fn check_workflow(scope: Scope) {
    let Some(mut stage) = Stage::new(scope) else { return };
    stage.start();
    stage.commit_workflow("ci.yaml", WORKFLOW);
    let run = stage.run_after(0, "ci.yaml");
    stage.until_results(run, &RESULTS);
    stage.until_logged(run, &LOGGED);
    stage.check_nothing_left();
}

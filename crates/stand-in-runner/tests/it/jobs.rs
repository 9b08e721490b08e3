//! What jobs can do, seen from the forge: logs, states of steps, outputs, results.

use std::collections::HashMap;

use runner_rpc::messages::{StepState, TaskNeed, TaskState};
use runner_rpc::outcome::Result as Outcome;
use runner_rpc::outcome::Result::{Failure, Skipped, Success};

use crate::forge::Forge;
use crate::runner::start;

/// What the forge has of a job that was run.
struct Done {
    log: Vec<String>,
    state: TaskState,
    outputs: HashMap<String, String>,
}

impl Done {
    fn steps(&self) -> Vec<Outcome> {
        self.state.steps.iter().map(StepState::result).collect()
    }

    fn has(&self, line: &str) -> bool {
        self.log.iter().any(|logged| logged == line)
    }

    fn tells(&self, text: &str) -> bool {
        self.log.iter().any(|logged| logged.contains(text))
    }

    /// The log rows that a step claims.
    fn rows_of(&self, step: usize) -> &[String] {
        let step = self.state.steps[step];
        let range = |number: i64| usize::try_from(number).unwrap();
        &self.log[range(step.log_index)..range(step.log_index + step.log_length)]
    }
}

fn check(job: &str, expected: Outcome) -> Done {
    let forge = Forge::with_job(&format!("runs-on: [other, lab]\n{job}"));
    let end = start(&forge, &["--handle", "h1", "--wait"]).end();
    let books = forge.books();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(books.result(), expected, "{:#?}", books.log);
    assert!(books.archived);
    Done { log: books.log.clone(), state: books.states.last().unwrap().clone(), outputs: books.outputs.clone() }
}

#[test]
fn steps_talk_to_each_other_and_to_the_forge() {
    let done = check(
        r#"
env: {LEVEL: job, REGION: "${{ vars.REGION }}"}
outputs: {tag: "v-${{ steps.set.outputs.number }}"}
steps:
  - id: set
    env: {LEVEL: step}
    run: |
      echo "level=$LEVEL region=$REGION repository=$GITHUB_REPOSITORY=$FORGEJO_REPOSITORY"
      echo "number=7" >> "$GITHUB_OUTPUT"
      printf 'LONG<<END\nfirst\nlast\nEND\n' >> "$GITHUB_ENV"
      mkdir bin; printf '#!/bin/sh\necho found\n' > bin/tool; chmod +x bin/tool
      echo "$PWD/bin" >> "$GITHUB_PATH"
      echo summary > "$GITHUB_STEP_SUMMARY"
  - run: |
      echo "number ${{ steps.set.outputs.number }}, level $LEVEL, ${{ github.sha }}"
      echo "$LONG"
      tool
  - working-directory: bin
    run: ls
"#,
        Outcome::Success,
    );
    for line in [
        "level=step region=eu repository=acme/app=acme/app",
        "number 7, level job, abc123",
        "first",
        "last",
        "found",
        "tool",
    ] {
        assert!(done.has(line), "{line}: {:#?}", done.log);
    }
    assert_eq!(done.outputs, HashMap::from([("tag".to_owned(), "v-7".to_owned())]));
    assert_eq!(done.steps(), [Outcome::Success; 3]);
    assert_eq!(done.rows_of(2), ["Step 3 of 3: ls", "tool"]);
    assert!(done.state.started_at.is_some() && done.state.stopped_at.is_some());
}

#[test]
fn a_failed_step_skips_the_rest_except_where_an_if_says_otherwise() {
    let done = check(
        r"
steps:
  - {id: soft, run: exit 3, continue-on-error: true}
  - run: echo ${{ steps.soft.outcome }} ${{ steps.soft.conclusion }}
  - {run: 'false; echo unreachable'}
  - run: echo skipped
  - {if: failure(), run: echo after failure}
  - {if: '${{ always() }}', run: echo always}
  - {if: cancelled(), run: echo cancelled}
",
        Outcome::Failure,
    );
    assert_eq!(done.steps(), [Failure, Success, Failure, Skipped, Success, Success, Skipped]);
    assert!(done.has("failure success") && done.has("after failure") && done.has("always"), "{:#?}", done.log);
    assert!(done.has("The step failed: exit code 3") && done.has("The step failed: exit code 1"));
    assert!(!done.has("unreachable"));
}

#[test]
fn secrets_do_not_reach_the_log() {
    let done = check(
        r#"
steps:
  - run: |
      echo "password ${{ secrets.PASSWORD }} token ${{ github.token }}"
      echo "::add-mask::swordfish"
      echo "a swordfish" >&2
"#,
        Outcome::Success,
    );
    assert!(done.has("password *** token ***") && done.has("a ***"), "{:#?}", done.log);
    for value in ["geheim-4711", "job-token-value", "swordfish"] {
        assert!(!done.tells(value), "{value}");
    }
}

#[test]
fn steps_inherit_the_environment_of_the_runner() {
    let done = check("steps: [{run: 'echo own=$OF_THE_RUNNER; echo home=${HOME:+set}'}]", Outcome::Success);
    assert!(done.has("own=inherited") && done.has("home=set"), "{:#?}", done.log);
}

#[test]
fn time_limits_kill() {
    let done = check(
        "steps: [{run: sleep 300, timeout-minutes: 0.002, continue-on-error: true}, {run: echo next}]",
        Outcome::Success,
    );
    assert_eq!(done.steps(), [Outcome::Failure, Outcome::Success]);
    assert!(done.tells("its timeout-minutes are over"), "{:#?}", done.log);
    let done =
        check("timeout-minutes: 0.002\nsteps: [{run: sleep 300}, {if: always(), run: echo next}]", Outcome::Failure);
    assert!(done.tells("the job's timeout-minutes are over") && !done.has("next"), "{:#?}", done.log);
}

#[test]
fn what_the_stand_in_cannot_do_fails_with_a_reason() {
    for (job, reason) in [
        ("steps: [{uses: actions/checkout@v4}]", "does not execute actions, such as actions/checkout@v4"),
        ("container: node:22\nsteps: [{run: echo x}]", "does not execute a job with a container"),
        ("services: {db: {image: x}}\nsteps: []", "does not execute a job with services"),
        ("steps: [{run: echo x, shell: python}]", "scripts in the shell \"python\""),
        ("steps: [{name: nothing}]", "does not execute a step without run"),
        ("steps: [{run: \"echo ${{ contains('ab', 'a') }}\"}]", "this one is not: contains('ab', 'a')"),
        ("steps: [{run: echo x, if: '!cancelled()'}]", "this one is not: !cancelled()"),
        ("if: a && b\nsteps: [{run: echo x}]", "this one is not: a && b"),
        ("steps: [{run: echo x, timeout-minutes: soon}]", "timeout-minutes \"soon\""),
        ("steps: [{run: 'echo nonsense >> $GITHUB_OUTPUT'}]", "neither the form name=value"),
        ("steps: {}", "workflow cannot be read"),
    ] {
        let done = check(job, Outcome::Failure);
        assert!(done.tells(reason), "{reason}: {:#?}", done.log);
        assert!(!done.has("x"), "{:#?}", done.log);
    }
}

#[test]
fn a_job_whose_if_does_not_hold_is_skipped() {
    let done = check("if: github.repository == 'other/app'\nsteps: [{run: echo x}]", Outcome::Skipped);
    assert_eq!(done.steps(), [Outcome::Skipped]);
    assert!(!done.has("x"));
}

#[test]
fn a_job_without_an_if_is_skipped_when_a_needed_job_did_not_succeed() {
    for (result, condition, expected) in [
        (Success, "", Success),
        (Failure, "", Skipped),
        (Skipped, "", Skipped),
        (Failure, "if: always()\n", Success),
        (Failure, "if: failure()\n", Success),
    ] {
        let forge = Forge::with_job(&format!("{condition}runs-on: lab\nsteps: [{{run: echo x}}]"));
        let need = TaskNeed { result: result.into(), ..TaskNeed::default() };
        forge.books().task.as_mut().unwrap().needs.insert("prepare".to_owned(), need);
        assert_eq!(start(&forge, &["--handle", "h1", "--wait"]).end().code, Some(0));
        assert_eq!(forge.books().result(), expected, "{condition} after {result:?}");
    }
}

#[test]
fn a_container_label_runs_on_the_host_and_says_so() {
    let forge = Forge::with_job("runs-on: debian\nsteps: [{run: echo hello}]");
    assert_eq!(start(&forge, &["--label", "debian:docker://node:22"]).end().code, Some(0));
    assert!(forge.books().logged("means docker, but the stand-in runner runs its jobs on the host"));
}

#[test]
fn a_long_log_arrives_whole_and_in_order() {
    let done =
        check("steps: [{run: 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done'}]", Outcome::Success);
    let lines: Vec<&String> = done.log.iter().filter(|line| line.starts_with("line ")).collect();
    let expected: Vec<String> = (1..=20_000).map(|number| format!("line {number}")).collect();
    assert!(lines.into_iter().eq(&expected));
    assert_eq!(done.state.steps[0].log_length, 20_001);
}

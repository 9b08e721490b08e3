//! Tokens are nowhere but in the memory of the processes that need them (invariant 11).

use std::fs;

use serde_json::json;

use super::settings::TOKEN;
use super::stage::{Scope, Stage, until};
use crate::e2e::processes;
use crate::e2e::secrets::{check_files, files, holds};

const WORKFLOW: &str = r"
on:
  workflow_dispatch:
jobs:
  show:
    runs-on: LABEL
    steps:
      - run: |
          env
          until [ -e 'PLACE/gate' ]; do sleep 0.1; done
          echo shown
";

#[test]
#[ignore = "needs a Forgejo: see FORGESCALE_TEST_FORGEJO_URL in CONTRIBUTING.md"]
fn tokens_are_in_no_argument_environment_log_or_file() {
    let Some(mut stage) = Stage::new(Scope::Organization) else { return };
    stage.commit_workflow("show.yaml", WORKFLOW);
    stage.start_talkative();
    let run = stage.dispatch("show.yaml", &json!({}));
    stage.until_is(run, "show", "running");
    let kept = files(&stage.credentials());
    let mut tokens = vec![stage.token.clone()];
    tokens.extend(kept.iter().map(|file| fs::read_to_string(file).expect("credentials")));
    assert_eq!(tokens.len(), 2, "{kept:?}");
    check(&stage, &tokens);

    // A daemon that found the job again has its token in memory as well.
    stage.take_daemon().kill();
    stage.start_talkative();
    until("it has found the job again", || {
        let log = fs::read_to_string(stage.log()).unwrap_or_default();
        log.matches("\"message\":\"started\"").count() == 2
    });
    check(&stage, &tokens);
    stage.let_go("gate");
    stage.until_results(run, &[("show", "success")]);
    stage.until_logged(run, &["shown"]);
    for log in stage.forge.logs(&stage.repository(), run) {
        assert!(!holds(log.as_bytes(), &tokens), "a token is in the job's log");
    }
    stage.check_nothing_left();
    check(&stage, &tokens);
    let in_memory = files(stage.memory.path());
    assert!(in_memory.is_empty(), "left in memory: {in_memory:?}");
}

#[track_caller]
fn check(stage: &Stage, tokens: &[String]) {
    check_files(stage.place.path(), tokens);
    check_processes(&stage.name, tokens);
}

/// No process shows a token in its arguments or its environment, but for the variable that those who run this test have
/// it in.
#[track_caller]
fn check_processes(deployment: &str, tokens: &[String]) {
    let ours: Vec<i32> = processes::of_deployment(deployment).iter().map(|process| process.id).collect();
    for (id, folder) in processes::all() {
        let arguments = fs::read(folder.join("cmdline")).unwrap_or_default();
        assert!(!holds(&arguments, tokens), "a token is in the arguments of process {id}");
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        let is_tester = !ours.contains(&id) && !is_forgescale(&arguments);
        let shown =
            environment.split(|&byte| byte == 0).filter(|pair| !(is_tester && pair.starts_with(TOKEN.as_bytes())));
        for pair in shown {
            assert!(!holds(pair, tokens), "a token is in the environment of process {id}");
        }
    }
}

/// Whether a command line is of the program that is tested.
fn is_forgescale(arguments: &[u8]) -> bool {
    arguments.starts_with(env!("CARGO_BIN_EXE_forgescale").as_bytes())
}

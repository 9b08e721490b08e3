//! The server is restarted while a job runs.

use std::process::{Command, Stdio};

use serde_json::json;

use super::killed::HELD;
use super::settings;
use super::stage::{Scope, Stage, until};

#[test]
#[ignore = "needs a Forgejo: see FORGESCALE_TEST_FORGEJO_URL in CONTRIBUTING.md"]
fn a_restart_of_the_server_disturbs_no_job_and_later_ones_are_launched() {
    let Some(command) = settings::restart_command() else { return };
    let Some(mut stage) = Stage::alone(Scope::Organization) else { return };
    stage.commit_workflow("held.yaml", HELD);
    stage.start();
    let run = stage.dispatch("held.yaml", &json!({}));
    stage.until_is(run, "held", "running");
    let status = Command::new("sh").args(["-c", &command]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.expect("a shell").success(), "the restart failed: {command}");
    until("the server answers", || stage.forge.version_text().is_some());
    stage.let_go("gate");
    stage.until_results(run, &[("held", "success")]);
    let later = stage.dispatch("held.yaml", &json!({}));
    stage.until_results(later, &[("held", "success")]);
    for run in [run, later] {
        stage.until_logged(run, &["held and let go"]);
    }
    stage.check_nothing_left();
}

//! A forge that ends the job, forgets the runner, or goes away while a job runs.

use runner_rpc::outcome::Result as Outcome;

use crate::forge::{Forge, Reply, eventually};
use crate::runner::start;

/// A job that goes on once there is a file `go`, and then leaves a mark in its log.
const HELD: &str = "runs-on: lab\nsteps: [{run: 'touch ready; until test -e go; do sleep 0.01; done; echo went; touch ../../finished; sleep 0.1'}]";

#[test]
fn a_job_that_the_forge_has_ended_is_killed() {
    for stored in [Outcome::Cancelled, Outcome::Failure] {
        let forge = Forge::with_job(HELD);
        let runner = start(&forge, &[]);
        eventually("the step", || runner.workspace().join("ready").exists());
        forge.books().stored = stored;
        let end = runner.end();
        assert_eq!(end.code, Some(0), "{end:?}");
        let books = forge.books();
        assert_eq!(books.result(), stored);
        assert!(books.logged("the forge ended the job"), "{:?}", books.log);
    }
}

#[test]
fn a_runner_that_was_deleted_works_to_the_end_and_gives_up_reporting() {
    let forge = Forge::with_job(HELD);
    let runner = start(&forge, &[]);
    let finished = runner.directory.path().join("finished");
    eventually("the step", || runner.workspace().join("ready").exists());
    forge.books().update_log = Reply::Refuse(401, "unauthenticated");
    forge.books().update_task = Reply::Refuse(401, "unauthenticated");
    let calls = forge.books().task_calls;
    forge.until("refused reports", |books| books.task_calls >= calls + 3);
    std::fs::write(runner.workspace().join("go"), "").unwrap();
    eventually("the job's end", || finished.exists());
    std::fs::remove_file(&finished).unwrap();
    let end = runner.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.errors.contains("0 tries left") && end.errors.contains("never reached"), "{}", end.errors);
    assert_eq!(forge.books().result(), Outcome::Unspecified);
}

#[test]
fn a_forge_that_is_away_at_the_end_is_tried_ten_times() {
    let mut forge = Forge::with_job(HELD);
    let runner = start(&forge, &[]);
    eventually("the step", || runner.workspace().join("ready").exists());
    forge.vanish();
    std::fs::write(runner.workspace().join("go"), "").unwrap();
    let finished = runner.directory.path().join("finished");
    eventually("the job's end", || finished.exists());
    std::fs::remove_file(&finished).unwrap();
    let end = runner.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(end.errors.matches("tries left").count(), 10, "{}", end.errors);
}

#[test]
fn log_and_result_arrive_when_the_forge_comes_back_in_time() {
    let forge = Forge::with_job("runs-on: lab\nsteps: [{run: 'echo one; echo two'}]");
    forge.books().update_log = Reply::Refuse(503, "unavailable");
    let runner = start(&forge, &[]);
    forge.until("some tries", |books| books.log_calls >= 3);
    forge.books().update_log = Reply::Well;
    assert_eq!(runner.end().code, Some(0));
    let books = forge.books();
    assert!(books.logged("one") && books.logged("two") && books.archived);
    assert_eq!(books.result(), Outcome::Success);
}

#[test]
fn the_result_comes_after_the_last_rows_also_when_the_job_ends_during_a_failing_report() {
    let forge = Forge::with_job(HELD);
    let runner = start(&forge, &[]);
    eventually("the step", || runner.workspace().join("ready").exists());
    forge.until("a report", |books| !books.states.is_empty());
    forge.books().update_log = Reply::Hold;
    let root = runner.workspace().parent().unwrap().to_owned();
    std::fs::write(runner.workspace().join("go"), "").unwrap();
    eventually("the job's end", || !root.exists());
    let calls = forge.books().log_calls;
    forge.books().update_log = Reply::Refuse(503, "unavailable");
    forge.until("the held call and another one", |books| books.log_calls >= calls + 2);
    forge.books().update_log = Reply::Well;
    std::fs::remove_file(runner.directory.path().join("finished")).unwrap();
    let end = runner.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(forge.books().result(), Outcome::Success);
}

//! What signals do, in every phase.

use runner_rpc::messages::StepState;
use runner_rpc::outcome::Result as Outcome;
use rustix::process::{Pid, Signal, kill_process};

use crate::forge::{Forge, Reply, eventually};
use crate::runner::{lives, number_in, start};

const SLEEPY: &str = "runs-on: lab\nsteps: [{run: 'sleep 300 & echo $! > child; wait'}, {run: echo never}]";

#[test]
fn a_signal_ends_a_waiting_runner() {
    for (signal, code, killed) in [
        (Signal::TERM, Some(0), None),
        (Signal::INT, Some(0), None),
        (Signal::QUIT, Some(2), None),
        (Signal::HUP, None, Some(Signal::HUP.as_raw())),
    ] {
        let forge = Forge::start();
        let runner = start(&forge, &["--wait"]);
        forge.until("a fetch", |books| !books.fetched.is_empty());
        runner.signal(signal);
        let end = runner.end();
        assert_eq!((end.code, end.signal), (code, killed), "{end:?}");
    }
}

#[test]
fn a_signal_ends_a_fetch_that_hangs() {
    let forge = Forge::start();
    forge.books().fetches.push_back(Reply::Hang);
    let runner = start(&forge, &["--wait"]);
    forge.until("a fetch", |books| !books.fetched.is_empty());
    runner.signal(Signal::TERM);
    assert_eq!(runner.end().code, Some(0));
}

#[test]
fn a_signal_during_declare_ends_it_with_1() {
    let forge = Forge::start();
    forge.books().declare = Reply::Hang;
    let runner = start(&forge, &["--wait"]);
    forge.until("Declare", |books| !books.declared.is_empty());
    runner.signal(Signal::TERM);
    assert_eq!(runner.end().code, Some(1));
}

#[test]
fn a_signal_during_the_job_kills_the_step_and_reports_failure() {
    for signal in [Signal::TERM, Signal::INT] {
        let forge = Forge::with_job(SLEEPY);
        let runner = start(&forge, &[]);
        let file = runner.workspace().join("child");
        eventually("the step's child", || number_in(&file).is_some());
        let child = number_in(&file).unwrap();
        runner.signal(signal);
        let end = runner.end();
        assert_eq!(end.code, Some(0), "{end:?}");
        eventually("the child's end", || !lives(child));
        let books = forge.books();
        assert_eq!(books.result(), Outcome::Failure);
        assert!(
            books.archived && books.logged("told to stop by a signal") && !books.logged("never"),
            "{:?}",
            books.log
        );
        let steps = &books.states.last().unwrap().steps;
        assert_eq!(steps.iter().map(StepState::result).collect::<Vec<_>>(), [Outcome::Failure, Outcome::Skipped]);
    }
}

#[test]
fn signals_during_the_last_report_change_nothing() {
    let forge = Forge::with_job("runs-on: lab\nsteps: [{run: echo hello}]");
    forge.books().update_task = Reply::Refuse(503, "unavailable");
    let runner = start(&forge, &[]);
    forge.until("the last log rows", |books| books.archived);
    runner.signal(Signal::TERM);
    runner.signal(Signal::INT);
    forge.books().update_task = Reply::Well;
    assert_eq!(runner.end().code, Some(0));
    assert_eq!(forge.books().result(), Outcome::Success);
}

#[test]
fn a_process_left_in_the_background_does_not_hold_up_the_end() {
    let forge = Forge::with_job("runs-on: lab\nsteps: [{run: 'sleep 300 & echo left $!'}]");
    assert_eq!(start(&forge, &[]).end().code, Some(0));
    let books = forge.books();
    let line = books.log.iter().find_map(|line| line.strip_prefix("left ")).unwrap();
    let left: i32 = line.parse().unwrap();
    assert!(lives(left), "ending it is not the runner's business");
    kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
    assert_eq!(books.result(), Outcome::Success);
}

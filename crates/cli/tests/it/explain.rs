//! `explain`, against reports that are written here.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use daemon::report_file::{ReportFile, RepositoryName, VERSION};
use planner::ids::{
    BackendId, DeploymentId, ForgeId, Handle, JobName, MachineName, PoolId, RunnerId, ScopeId, ScopeKey, TaskId, Try,
};
use planner::report::{
    Alert, BackendReport, JobReport, MachineReason, MachineReport, PoolReport, Reason, Report, RunnerReason,
    RunnerReport, ScopeReport,
};
use planner::seen::JobState;
use planner::time::Tick;
use tempfile::TempDir;

use crate::{Ran, check_quiet, forgescale, run};

const FULL: &str = "33ba7d51-59c6-44f8-9d2b-1b94f4033973";
const SUSPECT: &str = "33ba7d51-0000-44f8-9d2b-1b94f4033973";
const RUNNING: &str = "a0000000-59c6-44f8-9d2b-1b94f4033973";

fn forge() -> ForgeId {
    ForgeId::new("https://forge.example")
}

fn scope() -> ScopeKey {
    ScopeKey { forge: forge(), scope: ScopeId::new("org:acme") }
}

fn job(handle: &str, repository: i64, state: JobState, reason: Reason) -> JobReport {
    JobReport {
        forge: forge(),
        scope: scope().scope,
        handle: Handle::new(handle),
        id: 1,
        repository,
        run: (repository == 7).then_some(311),
        name: JobName::new(format!("build\u{1b}[2J of {repository}")),
        runs_on: vec!["debian".to_owned(), "gpu".to_owned()].into(),
        state,
        reason,
    }
}

fn report() -> Report {
    let pool = PoolId::new("debian");
    let machine = MachineName::new("fs-1234");
    let remaining = Duration::from_secs(12);
    let full = Reason::PoolFull { pool: pool.clone(), used: 4, max: 4 };
    let suspect = Reason::Suspect { probe: None, releases: 2, remaining };
    let running = Reason::Running { machine: machine.clone(), ran: Duration::from_mins(3) };
    Report {
        at: Tick(60_000),
        jobs: vec![
            job(FULL, 7, JobState::Waiting, full),
            job(SUSPECT, 8, JobState::Waiting, suspect),
            job(RUNNING, 7, JobState::Running { task: TaskId(3) }, running),
        ],
        machines: vec![MachineReport {
            name: machine,
            backend: BackendId::new("here"),
            pool: pool.clone(),
            handle: Some(Handle::new(RUNNING)),
            attempt: Some(Try(1)),
            reason: MachineReason::Running,
        }],
        runners: vec![RunnerReport {
            scope: scope(),
            id: RunnerId(55),
            handle: Handle::new("gone-0000"),
            attempt: Try(2),
            reason: RunnerReason::Deleting,
        }],
        pools: vec![PoolReport { pool, used: 4, max: 4, warm_wanted: 0, warm_ready: 0 }],
        scopes: vec![ScopeReport {
            scope: scope(),
            listed_at: Some(Tick(58_000)),
            failures: 0,
            last_error: None,
            runners_failures: 0,
            runners_last_error: None,
        }],
        backends: vec![BackendReport {
            backend: BackendId::new("here"),
            listed_at: Some(Tick(59_000)),
            failures: 0,
            last_error: None,
            away_since: None,
        }],
        alerts: vec![Alert::KillsHeld { count: 40 }],
    }
}

/// A state directory with the report of a process, written so long ago.
fn place(pid: u32, age: Duration) -> TempDir {
    place_of(report(), pid, age)
}

fn place_of(report: Report, pid: u32, age: Duration) -> TempDir {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let file = ReportFile {
        version: VERSION,
        written_at_ms: u64::try_from(now.saturating_sub(age).as_millis()).expect("a time in range"),
        pid,
        deployment: DeploymentId::new("ci-berlin"),
        repositories: vec![
            RepositoryName { forge: forge(), id: 7, name: Some("acme/web".to_owned()) },
            RepositoryName { forge: forge(), id: 8, name: None },
        ],
        report,
    };
    let place = TempDir::new().expect("a folder");
    file.write(place.path()).expect("a written report");
    place
}

fn explain(place: &TempDir, arguments: &[&str]) -> Ran {
    run(forgescale(["explain"]).args(arguments).arg("--state-directory").arg(place.path()))
}

/// A fresh report of a living process, and what is explained of it.
fn explain_fresh(arguments: &[&str]) -> Ran {
    explain(&place(std::process::id(), Duration::ZERO), arguments)
}

#[test]
fn without_a_subject_there_is_a_summary() {
    let ran = explain_fresh(&[]);
    check_quiet(&ran);
    let (head, rest) = ran.out.split_once('\n').unwrap();
    assert!(head.starts_with(&format!("deployment ci-berlin, as process {} saw it ", std::process::id())), "{head}");
    let expected = "
scopes
  org:acme at https://forge.example: listed 2.0s before the report

pools
  debian: 4 of 4 machines

jobs: 3
  pool full: 1
  running: 1
  suspect: 1

machines: 1
stray runners: 1

alerts
  40 jobs vanished at once: their processes are kept until the forge's lists have agreed for a while, or until `forgescale confirm`
";
    assert_eq!(rest, expected);
}

#[test]
fn a_job_is_found_by_its_handle_or_the_beginning_of_it() {
    for word in [FULL, "33ba7d51-5"] {
        let ran = explain_fresh(&[word]);
        check_quiet(&ran);
        for line in [
            FULL,
            "  repository: acme/web at https://forge.example",
            "  run:        id 311",
            "  seen in:    org:acme",
            "  runs on:    debian, gpu",
            "  state:      waiting",
            "  why:        pool debian is full: 4 of 4 machines",
        ] {
            assert!(ran.out.lines().any(|found| found == line), "{line}\n{}", ran.out);
        }
        assert!(!ran.out.contains(SUSPECT) && !ran.out.contains("fs-1234"), "{}", ran.out);
        assert!(!ran.out.contains('\u{1b}'), "a job's name reaches the terminal as it is");
    }
}

#[test]
fn a_running_job_comes_with_its_machine() {
    let ran = explain_fresh(&["a00000"]);
    check_quiet(&ran);
    assert!(ran.out.contains("\nmachines\n  fs-1234 (backend here, pool debian) for a0000000"), "{}", ran.out);
    assert!(ran.out.contains("runs on fs-1234, seen running for 3m 0s"), "{}", ran.out);
}

#[test]
fn an_ambiguous_beginning_is_answered_with_the_candidates() {
    let ran = explain_fresh(&["33ba7d51"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.starts_with("error: 2 handles begin with `33ba7d51`\nhint: "), "{}", ran.err);
    assert!(ran.err.contains(FULL) && ran.err.contains(SUSPECT), "{}", ran.err);
}

#[test]
fn a_beginning_that_is_too_short_is_refused() {
    let ran = explain_fresh(&["33ba"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.starts_with("error: `33ba` is no pool, and too short"), "{}", ran.err);
}

#[test]
fn a_job_that_is_not_there_is_explained_as_such() {
    let ran = explain_fresh(&["ffffffff-0000"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    for words in ["is not in the report", "finished, cancelled", "needs", "approval"] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let ran = explain_fresh(&["gone-0000"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.contains("something of it is left"), "{}", ran.err);
}

#[test]
fn a_repository_is_found_by_name_or_id() {
    for (word, jobs) in
        [("acme/web", [true, false, true]), ("Acme/Web", [true, false, true]), ("8", [false, true, false])]
    {
        let ran = explain_fresh(&[word]);
        check_quiet(&ran);
        assert_eq!([FULL, SUSPECT, RUNNING].map(|handle| ran.out.contains(handle)), jobs, "{word}: {}", ran.out);
    }
    for (word, why) in [("other/web", "no configured scope covers other/web"), ("9", "no job of repository 9")] {
        let ran = explain_fresh(&[word]);
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
        assert!(ran.err.starts_with(&format!("error: {why}")), "{}", ran.err);
    }
}

#[test]
fn jobs_whose_repository_has_no_known_name_are_shown_where_they_may_be_meant() {
    for word in ["acme/other", "Acme/api"] {
        let ran = explain_fresh(&[word]);
        assert_eq!(
            [FULL, SUSPECT, RUNNING].map(|handle| ran.out.contains(handle)),
            [false, true, false],
            "{}",
            ran.out
        );
        assert!(ran.out.contains("  repository: id 8 at https://forge.example (for names"), "{}", ran.out);
        assert_eq!(ran.status, Some(0));
        let warning = format!("warning: which jobs are of {word} is not known");
        assert!(ran.err.starts_with(&warning) && ran.err.contains("read:repository"), "{}", ran.err);
    }
}

#[test]
fn a_repository_that_is_a_scope_is_known_by_the_name_of_the_scope() {
    let mut report = report();
    report.jobs[1].scope = ScopeId::new("repo:tools/site");
    let place = place_of(report, std::process::id(), Duration::ZERO);
    let ran = explain(&place, &["Tools/Site"]);
    check_quiet(&ran);
    assert_eq!([FULL, SUSPECT, RUNNING].map(|handle| ran.out.contains(handle)), [false, true, false], "{}", ran.out);
    assert!(ran.out.contains("  repository: tools/site at https://forge.example\n"), "{}", ran.out);
    let ran = explain(&place, &["acme/other"]);
    assert_eq!(ran.status, Some(1), "every job is known to be of another: {}", ran.out);
}

#[test]
fn in_the_queue_of_an_instance_any_unnamed_repository_may_be_meant() {
    let mut report = report();
    report.jobs[1].scope = ScopeId::new("instance");
    let ran = explain(&place_of(report, std::process::id(), Duration::ZERO), &["who/ever"]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(ran.out.contains(SUSPECT) && !ran.out.contains(FULL), "{}", ran.out);
}

#[test]
fn a_pool_is_shown_with_its_room_its_machines_and_its_jobs() {
    let ran = explain_fresh(&["debian"]);
    check_quiet(&ran);
    assert!(ran.out.contains("\npools\n  debian: 4 of 4 machines\n"), "{}", ran.out);
    assert!(ran.out.contains("\nmachines\n  fs-1234 (backend here, pool debian)"), "{}", ran.out);
    assert_eq!([FULL, SUSPECT, RUNNING].map(|handle| ran.out.contains(handle)), [true, false, true], "{}", ran.out);
}

#[test]
fn a_backend_whose_listings_fail_is_shown_with_the_error_and_since_when_it_is_away() {
    for subject in [&[][..], &["all"]] {
        let ran = explain_fresh(subject);
        check_quiet(&ran);
        assert!(!ran.out.contains("not seen"), "{}", ran.out);
        let mut report = report();
        let here = &mut report.backends[0];
        (here.failures, here.last_error, here.away_since) = (2, Some("no connection".to_owned()), Some(Tick(15_000)));
        let ran = explain(&place_of(report, std::process::id(), Duration::ZERO), subject);
        check_quiet(&ran);
        let line = "\nbackends that are not seen\n  \
                    here: away for 45s; listed 1.0s before the report; 2 failures since: no connection\n";
        assert!(ran.out.contains(line), "{}", ran.out);
    }
}

#[test]
fn a_scope_is_shown_with_its_jobs_their_machines_and_what_is_wrong_there() {
    let mut report = report();
    let elsewhere = ScopeKey { forge: forge(), scope: ScopeId::new("user") };
    report.scopes.push(ScopeReport { scope: elsewhere.clone(), ..report.scopes[0].clone() });
    report.jobs[1].scope = ScopeId::new("user");
    report.alerts.push(Alert::ScopeChanged { scope: elsewhere });
    let place = place_of(report, std::process::id(), Duration::ZERO);
    for (word, jobs, of_user) in [("Org:Acme", [true, false, true], false), ("user", [false, true, false], true)] {
        let ran = explain(&place, &[word]);
        check_quiet(&ran);
        assert_eq!([FULL, SUSPECT, RUNNING].map(|handle| ran.out.contains(handle)), jobs, "{word}: {}", ran.out);
        assert_eq!(ran.out.contains("has another id than before"), of_user, "{}", ran.out);
        assert_eq!(
            ran.out.contains("\n  fs-1234 (") && ran.out.contains("\n  55 in org:acme"),
            !of_user,
            "{}",
            ran.out
        );
        assert!(ran.out.contains(": listed 2.0s before the report\n") && !ran.out.contains("40 jobs"), "{}", ran.out);
    }
    let ran = explain(&place, &["repo:acme/web"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    for words in ["no scope repo:acme/web is watched", "`forgescale explain acme/web`", "scopes are: org:acme, user"] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
}

#[test]
fn a_pool_that_was_removed_is_shown_as_long_as_it_has_machines() {
    let mut report = report();
    report.pools[0].pool = PoolId::new("other");
    let ran = explain(&place_of(report, std::process::id(), Duration::ZERO), &["debian"]);
    check_quiet(&ran);
    let line = "\npools\n  debian: is not configured any more; machines that go on: 1\n";
    assert!(ran.out.contains(line) && ran.out.contains("\n  fs-1234 (backend here, pool debian)"), "{}", ran.out);
}

#[test]
fn a_machine_is_found_by_a_beginning_of_its_name_that_no_other_has() {
    let mut report = report();
    report.machines.push(MachineReport { name: MachineName::new("fs-1235"), ..report.machines[0].clone() });
    report.machines.push(MachineReport { name: MachineName::new("fs-9876"), ..report.machines[0].clone() });
    let place = place_of(report, std::process::id(), Duration::ZERO);
    let ran = explain(&place, &["fs-987"]);
    check_quiet(&ran);
    assert!(ran.out.contains("\n  fs-9876 (") && !ran.out.contains("\n  fs-1234 ("), "{}", ran.out);
    let ran = explain(&place, &["fs-123"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("2 machines' names begin with `fs-123`\nhint: give more of it"), "{}", ran.err);
    assert!(ran.err.contains("fs-1234, fs-1235"), "{}", ran.err);
    let ran = explain(&place, &["fs-12"]);
    assert_eq!(ran.status, Some(1), "too little of it: {}", ran.out);
}

#[test]
fn a_machine_is_shown_with_its_job() {
    let ran = explain_fresh(&["fs-1234"]);
    check_quiet(&ran);
    assert!(ran.out.contains("\nmachines\n  fs-1234 (backend here, pool debian) for a0000000"), "{}", ran.out);
    assert_eq!([FULL, SUSPECT, RUNNING].map(|handle| ran.out.contains(handle)), [false, false, true], "{}", ran.out);
    let ran = explain_fresh(&["fs-9999"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("machine fs-9999 is not in the report\nhint: it was removed"), "{}", ran.err);
}

#[test]
fn a_name_that_is_being_looked_up_is_not_said_to_need_a_right() {
    let mut report = report();
    report.jobs[1].repository = 9;
    let ran = explain(&place_of(report, std::process::id(), Duration::ZERO), &["acme/other"]);
    assert!(
        ran.out.contains("  repository: id 9 at https://forge.example (its name is being looked up)"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("these may be: its name is being looked up"), "{}", ran.err);
}

#[test]
fn a_pool_that_may_have_no_machine_is_not_said_to_be_full() {
    let mut report = report();
    report.pools[0].max = 0;
    report.jobs[0].reason = Reason::PoolFull { pool: PoolId::new("debian"), used: 0, max: 0 };
    let ran = explain(&place_of(report, std::process::id(), Duration::ZERO), &["debian"]);
    assert!(ran.out.contains("  debian: launches nothing (max = 0); machines that go on: 4\n"), "{}", ran.out);
    assert!(ran.out.contains("  why:        pool debian launches nothing: its max is 0\n"), "{}", ran.out);
}

#[test]
fn what_is_nothing_is_answered_with_what_can_be_asked_about() {
    for (word, status) in [("debbian", 1), ("deb", 2)] {
        let ran = explain_fresh(&[word]);
        assert_eq!((ran.status, ran.out.as_str()), (Some(status), ""));
        for words in ["hint: ask about a job", "a pool by its name", "hint: pools are: debian\n"] {
            assert!(ran.err.contains(words), "{words}: {}", ran.err);
        }
    }
}

#[test]
fn all_shows_jobs_machines_and_stray_runners() {
    let ran = explain_fresh(&["all"]);
    check_quiet(&ran);
    for handle in [FULL, SUSPECT, RUNNING] {
        assert!(ran.out.contains(&format!("\n\n{handle}\n")), "{handle}: {}", ran.out);
    }
    assert!(ran.out.contains("  repository: id 8 at"), "{}", ran.out);
    let stray = "stray runners\n  55 in org:acme at https://forge.example for gone-0000 try 2: being deleted\n";
    assert!(ran.out.contains(stray), "{}", ran.out);
}

#[test]
fn json_is_the_report_cut_down_to_the_subject() {
    let ran = explain_fresh(&["33ba7d51-5", "--json"]);
    check_quiet(&ran);
    let file: ReportFile = serde_json::from_str(&ran.out).unwrap();
    let handles: Vec<&str> = file.report.jobs.iter().map(|job| job.handle.as_str()).collect();
    assert_eq!(handles, [FULL]);
    assert!(file.report.machines.is_empty());
    let whole: ReportFile = serde_json::from_str(&explain_fresh(&["--json"]).out).unwrap();
    assert_eq!(whole.report, report());
}

#[test]
fn a_doubtful_report_is_shown_with_a_warning() {
    let mut child = forgescale(["version"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let gone = child.id();
    child.wait().unwrap();
    for (pid, age, words) in
        [(gone, Duration::ZERO, "is gone"), (std::process::id(), Duration::from_secs(90), "the report is old")]
    {
        let ran = explain(&place(pid, age), &[]);
        assert_eq!(ran.status, Some(0));
        assert!(ran.err.starts_with("warning: ") && ran.err.contains(words), "{}", ran.err);
        assert!(ran.out.starts_with("deployment ci-berlin"), "{}", ran.out);
    }
}

#[test]
fn no_report_is_said_with_a_hint() {
    let ran = explain(&TempDir::new().unwrap(), &["all"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    assert!(
        ran.err.contains("there is no report at ") && ran.err.contains("\nhint: the daemon writes it"),
        "{}",
        ran.err
    );
}

#[test]
fn the_configuration_leads_to_the_report_even_if_its_token_cannot_be_read() {
    let place = place(std::process::id(), Duration::ZERO);
    let file = place.path().join("c.toml");
    fs::write(&file, "state_directory = \".\"\n[[forge]]\ntoken_file = \"/nonexistent\"\n").unwrap();
    let ran = run(forgescale(["explain", "--config"]).arg(&file));
    check_quiet(&ran);
    assert!(ran.out.contains("jobs: 3"), "{}", ran.out);
}

#[test]
fn machines_that_wait_for_a_job_are_shown_with_their_pool_and_by_name() {
    let waiting = |name: &str, reason| MachineReport {
        name: MachineName::new(name),
        handle: None,
        attempt: None,
        reason,
        ..report().machines.remove(0)
    };
    let mut report = report();
    report.machines.push(waiting("fs-5678", MachineReason::Warm));
    report.machines.push(waiting("fs-9abc", MachineReason::WarmCreating));
    (report.pools[0].warm_wanted, report.pools[0].warm_ready) = (2, 1);
    let place = place_of(report, std::process::id(), Duration::ZERO);
    for subject in [&[][..], &["debian"]] {
        let ran = explain(&place, subject);
        check_quiet(&ran);
        assert!(ran.out.contains("\n  debian: 4 of 4 machines; warm: 1 of 2 ready\n"), "{}", ran.out);
    }
    let line = "  fs-5678 (backend here, pool debian) without a job: ready, waits for a job\n";
    for subject in ["debian", "all", "fs-5678"] {
        let ran = explain(&place, &[subject]);
        check_quiet(&ran);
        assert!(ran.out.contains(line), "{subject}: {}", ran.out);
        assert_eq!(ran.out.contains("fs-9abc"), subject != "fs-5678", "{subject}: {}", ran.out);
    }
    let ran = explain(&place, &["fs-5678", "--json"]);
    check_quiet(&ran);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let machine = &json["report"]["machines"][0];
    assert_eq!((machine["name"].as_str(), machine["reason"]["reason"].as_str()), (Some("fs-5678"), Some("warm")));
    assert!(machine.get("handle").is_none() && json["report"]["jobs"] == serde_json::json!([]), "{json}");
}

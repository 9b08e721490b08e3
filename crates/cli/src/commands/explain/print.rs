//! The report as text.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use daemon::report_file::ReportFile;
use planner::ids::PoolId;
use planner::report::{BackendReport, JobReport, MachineReport, PoolReport, RunnerReport, ScopeReport, short};
use planner::time::Tick;

use super::named;
use super::sentence::{kind, plain, state};

/// Numbers: scopes, pools, jobs by kind of reason, alerts.
pub(super) fn summary(file: &ReportFile, age: Duration, out: &mut impl Write) -> io::Result<()> {
    let report = &file.report;
    head(file, age, out)?;
    scopes(file, out)?;
    pools(file, out)?;
    backends_unseen(file, out)?;
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for job in &report.jobs {
        *kinds.entry(kind(&job.reason)).or_default() += 1;
    }
    writeln!(out, "\njobs: {}", report.jobs.len())?;
    for (kind, count) in kinds {
        writeln!(out, "  {kind}: {count}")?;
    }
    writeln!(out, "\nmachines: {}", report.machines.len())?;
    writeln!(out, "stray runners: {}", report.runners.len())?;
    alerts(file, out)
}

/// What could not be looked at, one block for each job, then machines and stray runners.
pub(super) fn each(file: &ReportFile, age: Duration, out: &mut impl Write) -> io::Result<()> {
    head(file, age, out)?;
    unseen(file, out)?;
    backends_unseen(file, out)?;
    things(file, "no job waits or runs, as far as the scopes were listed", out)?;
    alerts(file, out)
}

/// What is known of one pool: its room, its machines, the jobs that they are for or that wait for it.
pub(super) fn pool(pool: &PoolId, file: &ReportFile, age: Duration, out: &mut impl Write) -> io::Result<()> {
    head(file, age, out)?;
    pools(file, out)?;
    if file.report.pools.is_empty() {
        let machines = file.report.machines.iter().filter(|machine| machine.pool == *pool).count();
        writeln!(out, "  {pool}: is not configured any more; machines that go on: {machines}")?;
    }
    things(file, "no job has a machine of it or a reason that names it: `forgescale explain all` has all jobs", out)
}

/// What is known of one scope: when it was listed, its jobs with their machines, its stray runners, what is wrong.
pub(super) fn scope(file: &ReportFile, age: Duration, out: &mut impl Write) -> io::Result<()> {
    head(file, age, out)?;
    scopes(file, out)?;
    runners_unseen(&file.report.scopes, out)?;
    things(file, "no job is served in it: those of a narrower scope are shown there", out)?;
    alerts(file, out)
}

/// One machine with its job.
pub(super) fn machine(file: &ReportFile, age: Duration, out: &mut impl Write) -> io::Result<()> {
    head(file, age, out)?;
    things(file, "its job is not listed (any more)", out)?;
    alerts(file, out)
}

fn pools(file: &ReportFile, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\npools")?;
    let mut pools = file.report.pools.iter();
    pools.try_for_each(|pool| {
        let warm = warm(pool);
        match (pool.max, pool.used) {
            (0, 0) => writeln!(out, "  {}: launches nothing (max = 0)", pool.pool),
            (0, used) => writeln!(out, "  {}: launches nothing (max = 0); machines that go on: {used}", pool.pool),
            (max, used) => writeln!(out, "  {}: {used} of {max} machines{warm}", pool.pool),
        }
    })
}

/// What a pool keeps ready without a job, if anything.
fn warm(pool: &PoolReport) -> String {
    match (pool.warm_wanted, pool.warm_ready) {
        (0, 0) => String::new(),
        (wanted, ready) => format!("; warm: {ready} of {wanted} ready"),
    }
}

fn scopes(file: &ReportFile, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nscopes")?;
    let mut scopes = file.report.scopes.iter();
    scopes
        .try_for_each(|scope| writeln!(out, "  {}: {}", plain(&scope.scope.to_string()), listed(scope, file.report.at)))
}

/// Jobs, or what is said where there is none; machines and stray runners.
fn things(file: &ReportFile, no_job: &str, out: &mut impl Write) -> io::Result<()> {
    if file.report.jobs.is_empty() {
        writeln!(out, "\n{no_job}")?;
    }
    file.report.jobs.iter().try_for_each(|job| self::job(job, file, out))?;
    if !file.report.machines.is_empty() {
        writeln!(out, "\nmachines")?;
    }
    file.report.machines.iter().try_for_each(|machine| machine_line(machine, out))?;
    if !file.report.runners.is_empty() {
        writeln!(out, "\nstray runners")?;
    }
    file.report.runners.iter().try_for_each(|runner| self::runner(runner, out))
}

fn head(file: &ReportFile, age: Duration, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "deployment {}, as process {} saw it {} ago", file.deployment, file.pid, short(age))
}

/// Scopes whose jobs are not known (any more): what follows says nothing about those.
fn unseen(file: &ReportFile, out: &mut impl Write) -> io::Result<()> {
    let unseen: Vec<&ScopeReport> =
        file.report.scopes.iter().filter(|scope| scope.failures > 0 || scope.listed_at.is_none()).collect();
    if !unseen.is_empty() {
        writeln!(out, "\nscopes that are not seen")?;
    }
    unseen.iter().try_for_each(|scope| {
        writeln!(out, "  {}: {}", plain(&scope.scope.to_string()), listed(scope, file.report.at))
    })?;
    runners_unseen(&file.report.scopes, out)
}

/// Scopes whose runners are not known (any more).
fn runners_unseen(scopes: &[ScopeReport], out: &mut impl Write) -> io::Result<()> {
    let mut failing = scopes.iter().filter(|scope| scope.runners_failures > 0).peekable();
    if failing.peek().is_some() {
        writeln!(out, "\nscopes whose runners are not seen")?;
    }
    failing.try_for_each(|scope| {
        let error = scope.runners_last_error.as_deref().unwrap_or_default();
        writeln!(out, "  {}: {}: {}", plain(&scope.scope.to_string()), failures(scope.runners_failures), plain(error))
    })
}

/// Backends whose machines are not known (any more).
fn backends_unseen(file: &ReportFile, out: &mut impl Write) -> io::Result<()> {
    let mut failing = file.report.backends.iter().filter(|backend| backend.failures > 0).peekable();
    if failing.peek().is_some() {
        writeln!(out, "\nbackends that are not seen")?;
    }
    failing.try_for_each(|backend| {
        let BackendReport { backend, listed_at, failures, last_error, away_since } = backend;
        let now = file.report.at;
        let away = away_since.map(|since| format!("away for {}; ", short(now.since(since)))).unwrap_or_default();
        writeln!(out, "  {backend}: {away}{}", since_listed(*listed_at, *failures, last_error.as_deref(), now))
    })
}

fn listed(scope: &ScopeReport, now: Tick) -> String {
    since_listed(scope.listed_at, scope.failures, scope.last_error.as_deref(), now)
}

/// When something was listed last, and what has come of it since.
fn since_listed(listed_at: Option<Tick>, count: u32, last_error: Option<&str>, now: Tick) -> String {
    let last = listed_at
        .map_or_else(|| "not listed yet".to_owned(), |at| format!("listed {} before the report", short(now.since(at))));
    match (count, last_error) {
        (0, _) => last,
        (count, Some(error)) => format!("{last}; {} since: {}", failures(count), plain(error)),
        (count, None) => format!("{last}; {} since", failures(count)),
    }
}

fn failures(count: u32) -> String {
    if count == 1 { "1 failure".to_owned() } else { format!("{count} failures") }
}

fn job(job: &JobReport, file: &ReportFile, out: &mut impl Write) -> io::Result<()> {
    let (name, forge) = (named::name(job, file), &job.forge);
    let repository = match name {
        Some(name) => format!("{} at {forge}", plain(name)),
        None => format!("id {} at {forge} ({})", job.repository, named::why_not(job, file)),
    };
    let runs_on = if job.runs_on.is_empty() { "(nothing)".to_owned() } else { job.runs_on.join(", ") };
    writeln!(out, "\n{}", plain(job.handle.as_str()))?;
    writeln!(out, "  job:        {}", plain(job.name.as_str()))?;
    writeln!(out, "  repository: {repository}")?;
    if let Some(run) = job.run {
        writeln!(out, "  run:        id {run}")?;
    }
    writeln!(out, "  seen in:    {}", plain(job.scope.as_str()))?;
    writeln!(out, "  runs on:    {}", plain(&runs_on))?;
    writeln!(out, "  state:      {}", state(job.state))?;
    writeln!(out, "  why:        {}", plain(&job.reason.to_string()))
}

fn machine_line(machine: &MachineReport, out: &mut impl Write) -> io::Result<()> {
    let MachineReport { name, backend, pool, handle, attempt, reason } = machine;
    let whose = match (handle, attempt) {
        (Some(handle), Some(attempt)) => format!("for {} try {}", plain(handle.as_str()), attempt.0),
        _ => "without a job".to_owned(),
    };
    writeln!(out, "  {name} (backend {backend}, pool {pool}) {whose}: {}", plain(&reason.to_string()))
}

fn runner(runner: &RunnerReport, out: &mut impl Write) -> io::Result<()> {
    let RunnerReport { scope, id, handle, attempt, reason } = runner;
    let (scope, handle) = (plain(&scope.to_string()), plain(handle.as_str()));
    writeln!(out, "  {} in {scope} for {handle} try {}: {}", id.0, attempt.0, plain(&reason.to_string()))
}

fn alerts(file: &ReportFile, out: &mut impl Write) -> io::Result<()> {
    if !file.report.alerts.is_empty() {
        writeln!(out, "\nalerts")?;
    }
    file.report.alerts.iter().try_for_each(|found| writeln!(out, "  {}", plain(&found.to_string())))
}

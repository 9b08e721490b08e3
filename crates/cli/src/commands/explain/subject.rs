//! What the question is about, and the part of the report that answers it.
//!
//! ```text
//! nothing ─► summary      all ─► all      kind:name ─► scope      owner/name ─► repository
//! a word ─► pool, scope or machine, exactly ─► job by handle ─► repository by id ─► not listed
//! ```
//!
//! Promise: a repository whose jobs may be in the report is answered with these jobs, even when the forge does not tell
//! its name to our token.

use std::collections::BTreeSet;

use anyhow::anyhow;
use daemon::report_file::ReportFile;
use planner::ids::{ForgeId, Handle, MachineName, PoolId, ScopeKey};
use planner::report::{Alert, MachineReport};

use super::named::{self, Meant};
use crate::failure::Failure;

/// Fewer characters of a handle say too little.
const SHORTEST_PREFIX: usize = 6;

/// How many candidates an ambiguous question is answered with.
const MOST_CANDIDATES: usize = 5;

/// What can be asked about.
const SUBJECTS: &str = "ask about a job (its handle or at least 6 characters of it), a repository (`owner/name` or its id), \
                        a pool by its name, a scope (`org:acme`), a machine (`fs-…`), or `all`";

/// What the names of machines begin with.
const MACHINE: &str = "fs-";

/// What was asked for, as found in a report.
pub(super) enum Subject {
    /// Numbers only.
    Summary,
    /// Everything.
    All,
    /// Some jobs, with their machines and runners.
    Jobs(Jobs),
    /// A pool, with its machines and the jobs that they are for or that wait for it.
    Pool(PoolId),
    /// A scope (of several forges, perhaps), with the jobs that are served in it.
    Scope(BTreeSet<ScopeKey>),
    /// A machine, with the job that it is for.
    Machine(MachineName, Option<Handle>),
}

/// Jobs, and what is doubtful about them as the answer.
#[derive(Default)]
pub(super) struct Jobs {
    found: BTreeSet<(ForgeId, Handle)>,
    /// Said on standard error.
    pub(super) doubt: Option<String>,
}

impl Subject {
    /// Finds what `text` names.
    pub(super) fn find(text: Option<&str>, file: &ReportFile) -> Result<Self, Failure> {
        match text {
            None => Ok(Self::Summary),
            Some("all") => Ok(Self::All),
            Some(name) if name.contains(':') => scope(name, file).map(Self::Scope),
            Some(name) if name.contains('/') => repository(name, file).map(Self::Jobs),
            Some(word) => Self::word(word, file),
        }
    }

    fn word(word: &str, file: &ReportFile) -> Result<Self, Failure> {
        let configured = file.report.pools.iter().map(|pool| &pool.pool);
        let with_machines = file.report.machines.iter().map(|machine| &machine.pool);
        if let Some(pool) = configured.chain(with_machines).find(|pool| pool.as_str() == word) {
            return Ok(Self::Pool(pool.clone()));
        }
        let named = scopes_named(word, file);
        if !named.is_empty() {
            return Ok(Self::Scope(named));
        }
        if let Some(machine) = machine(word, file)? {
            return Ok(machine);
        }
        if let Some(jobs) = handle(word, file)? {
            return Ok(Self::Jobs(jobs));
        }
        if word.starts_with(MACHINE) {
            return Err(Failure::not_done(anyhow!("machine {word} is not in the report"))
                .hint("it was removed after its job, or is another deployment's: see `forgescale explain all`"));
        }
        match word.parse::<i64>() {
            Ok(id) => repository_by_id(id, file).map(Self::Jobs),
            Err(_) if word.len() < SHORTEST_PREFIX => {
                let error = anyhow!("`{word}` is no pool, and too short for a handle");
                Err(pools(Failure::usage(error).hint(SUBJECTS), file))
            }
            Err(_) => Err(pools(not_listed(word).hint(SUBJECTS), file)),
        }
    }

    /// The report with only what is asked for in its lists.
    pub(super) fn cut(&self, mut file: ReportFile) -> ReportFile {
        let report = &mut file.report;
        let handles: BTreeSet<Handle> = match self {
            Self::Scope(scopes) => return cut_to_scopes(file, scopes),
            Self::Machine(name, handle) => {
                report.machines.retain(|machine| machine.name == *name);
                report
                    .alerts
                    .retain(|alert| matches!(alert, Alert::MachineNotRemoved { machine, .. } if machine == name));
                handle.iter().cloned().collect()
            }
            Self::Summary | Self::All => return file,
            Self::Jobs(jobs) => {
                let handles: BTreeSet<Handle> = jobs.found.iter().map(|(_, handle)| handle.clone()).collect();
                report.machines.retain(|machine| is_for(machine, &handles));
                handles
            }
            Self::Pool(pool) => {
                report.pools.retain(|known| known.pool == *pool);
                report.machines.retain(|machine| machine.pool == *pool);
                let served = report.machines.iter().filter_map(|machine| machine.handle.clone());
                let wait = report.jobs.iter().filter(|job| job.reason.pool() == Some(pool));
                served.chain(wait.map(|job| job.handle.clone())).collect()
            }
        };
        report.jobs.retain(|job| handles.contains(&job.handle));
        report.runners.retain(|runner| handles.contains(&runner.handle));
        file
    }
}

/// Whether a machine is for one of these jobs.
fn is_for(machine: &MachineReport, handles: &BTreeSet<Handle>) -> bool {
    machine.handle.as_ref().is_some_and(|handle| handles.contains(handle))
}

fn cut_to_scopes(mut file: ReportFile, scopes: &BTreeSet<ScopeKey>) -> ReportFile {
    let report = &mut file.report;
    report.scopes.retain(|of| scopes.contains(&of.scope));
    report.jobs.retain(|job| scopes.contains(&ScopeKey { forge: job.forge.clone(), scope: job.scope.clone() }));
    let handles: BTreeSet<Handle> = report.jobs.iter().map(|job| job.handle.clone()).collect();
    report.machines.retain(|machine| is_for(machine, &handles));
    report.runners.retain(|runner| scopes.contains(&runner.scope.watched()));
    report.alerts.retain(|alert| match alert {
        Alert::ScopeChanged { scope }
        | Alert::TokenUnknown { scope, .. }
        | Alert::TokenLacksScope { scope, .. }
        | Alert::Overlap { scope, .. }
        | Alert::RunnerNotRemoved { scope, .. } => scopes.contains(&scope.watched()),
        Alert::IncompleteListing { of } => scopes.iter().any(|scope| of.ends_with(&format!(" of {scope}"))),
        Alert::JobParked { forge, handle, .. } => {
            scopes.iter().any(|scope| scope.forge == *forge) && handles.contains(handle)
        }
        Alert::KillsHeld { .. }
        | Alert::PoolFails { .. }
        | Alert::BackendAway { .. }
        | Alert::EnvironmentFails { .. }
        | Alert::WarmFails { .. }
        | Alert::MachineNotRemoved { .. } => false,
    });
    file
}

/// The watched scopes of that name, on whichever forge. Names differ by more than case.
fn scopes_named(name: &str, file: &ReportFile) -> BTreeSet<ScopeKey> {
    let scopes = file.report.scopes.iter().map(|scope| &scope.scope);
    scopes.filter(|scope| scope.scope.as_str().eq_ignore_ascii_case(name)).cloned().collect()
}

fn scope(name: &str, file: &ReportFile) -> Result<BTreeSet<ScopeKey>, Failure> {
    let named = scopes_named(name, file);
    if !named.is_empty() {
        return Ok(named);
    }
    let failure = Failure::not_done(anyhow!("no scope {name} is watched"));
    let failure = match name.strip_prefix("repo:") {
        Some(repository) => failure.hint(format!("ask about a repository as `forgescale explain {repository}`")),
        None => failure,
    };
    Err(scopes(failure, file))
}

/// The machine whose name is `word` or begins with it.
fn machine(word: &str, file: &ReportFile) -> Result<Option<Subject>, Failure> {
    let subject = |machine: &MachineReport| Subject::Machine(machine.name.clone(), machine.handle.clone());
    let machines = &file.report.machines;
    if let Some(machine) = machines.iter().find(|machine| machine.name.as_str() == word) {
        return Ok(Some(subject(machine)));
    }
    let is_long_enough = word.starts_with(MACHINE) && word.len() >= SHORTEST_PREFIX;
    let begin = machines.iter().filter(|machine| is_long_enough && machine.name.as_str().starts_with(word));
    match begin.collect::<Vec<_>>()[..] {
        [] => Ok(None),
        [machine] => Ok(Some(subject(machine))),
        ref several => Err(ambiguous("machines' names", word, several.iter().map(|machine| machine.name.as_str()))),
    }
}

/// Several things whose names begin with `word`.
fn ambiguous<'a>(what: &str, word: &str, names: impl ExactSizeIterator<Item = &'a str>) -> Failure {
    let error = anyhow!("{} {what} begin with `{word}`", names.len());
    let shown: Vec<&str> = names.take(MOST_CANDIDATES).collect();
    Failure::not_done(error).hint(format!("give more of it; for example: {}", shown.join(", ")))
}

/// The job whose handle is `word` or begins with it.
fn handle(word: &str, file: &ReportFile) -> Result<Option<Jobs>, Failure> {
    let jobs = file.report.jobs.iter().map(|job| (&job.forge, &job.handle));
    let machines = file.report.machines.iter().filter_map(|machine| machine.handle.as_ref());
    let runners = file.report.runners.iter().map(|runner| &runner.handle);
    let fits = |handle: &&Handle| {
        handle.as_str() == word || (word.len() >= SHORTEST_PREFIX && handle.as_str().starts_with(word))
    };
    let found: BTreeSet<(ForgeId, Handle)> =
        jobs.filter(|(_, handle)| fits(handle)).map(|(forge, handle)| (forge.clone(), handle.clone())).collect();
    let left: BTreeSet<&Handle> = machines.chain(runners).filter(fits).collect();
    let handles: BTreeSet<&Handle> = found.iter().map(|(_, handle)| handle).collect();
    match handles.len() {
        0 if left.is_empty() => Ok(None),
        0 => Err(not_listed(word).hint("something of it is left: see `forgescale explain all`")),
        1 => Ok(Some(Jobs { found, doubt: None })),
        _ => Err(ambiguous("handles", word, handles.iter().map(|handle| handle.as_str()))),
    }
}

/// The jobs of a repository by its name; those that may be of it where none is known to be.
fn repository(name: &str, file: &ReportFile) -> Result<Jobs, Failure> {
    let having = |wanted: Meant| -> BTreeSet<(ForgeId, Handle)> {
        let jobs = file.report.jobs.iter().filter(|job| named::meant(job, name, file) == wanted);
        jobs.map(|job| (job.forge.clone(), job.handle.clone())).collect()
    };
    let found = having(Meant::Yes);
    if !found.is_empty() {
        return Ok(Jobs { found, doubt: None });
    }
    let found = having(Meant::Perhaps);
    if found.is_empty() {
        let is_covered = file.report.scopes.iter().any(|scope| named::covers(scope.scope.scope.as_str(), name));
        let uncovered = || scopes(Failure::not_done(anyhow!("no configured scope covers {name}")), file);
        return Err(if is_covered { none_of(name) } else { uncovered() });
    }
    let mut jobs = file.report.jobs.iter().filter(|job| found.contains(&(job.forge.clone(), job.handle.clone())));
    let why = jobs.next().map(|job| named::why_not(job, file)).unwrap_or_default();
    let doubt = format!("which jobs are of {name} is not known, these may be: {why}");
    Ok(Jobs { found, doubt: Some(doubt) })
}

fn repository_by_id(id: i64, file: &ReportFile) -> Result<Jobs, Failure> {
    let jobs = file.report.jobs.iter().filter(|job| job.repository == id);
    let found: BTreeSet<_> = jobs.map(|job| (job.forge.clone(), job.handle.clone())).collect();
    if found.is_empty() { Err(none_of(&id.to_string())) } else { Ok(Jobs { found, doubt: None }) }
}

fn none_of(repository: &str) -> Failure {
    Failure::not_done(anyhow!("no job of repository {repository} is in the report"))
        .hint("only jobs that wait or run are: see `forgescale explain all`")
}

/// What it means that a job is not there (protocol 1.3: the forge lists what waits or runs, nothing else).
fn not_listed(word: &str) -> Failure {
    Failure::not_done(anyhow!("job {word} is not in the report"))
        .hint("the forge lists only jobs that wait or run: this one may be finished, cancelled or skipped")
        .hint("a job that waits for other jobs (needs) or for an approval is not listed before they are through")
        .hint("a job of a repository that no configured scope covers is not seen")
}

/// With the names of some scopes.
fn scopes(failure: Failure, file: &ReportFile) -> Failure {
    let scopes = file.report.scopes.iter().take(MOST_CANDIDATES);
    let names: Vec<&str> = scopes.map(|scope| scope.scope.scope.as_str()).collect();
    failure.hint(format!("scopes are: {}", names.join(", ")))
}

/// With the names of some pools, for whom meant one.
fn pools(failure: Failure, file: &ReportFile) -> Failure {
    let names: Vec<&str> = file.report.pools.iter().take(MOST_CANDIDATES).map(|pool| pool.pool.as_str()).collect();
    if names.is_empty() { failure } else { failure.hint(format!("pools are: {}", names.join(", "))) }
}

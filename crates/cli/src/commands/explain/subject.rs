//! What the question is about, and the part of the report that answers it.

use std::collections::BTreeSet;

use anyhow::anyhow;
use daemon::report_file::ReportFile;
use planner::ids::{ForgeId, Handle};

use crate::failure::Failure;

/// Fewer characters of a handle say too little.
const SHORTEST_PREFIX: usize = 6;

/// How many candidates an ambiguous question is answered with.
const MOST_CANDIDATES: usize = 5;

/// What was asked for, as found in a report.
pub(super) enum Subject {
    /// Numbers only.
    Summary,
    /// Everything.
    All,
    /// Some jobs, with their machines and runners.
    Jobs(BTreeSet<(ForgeId, Handle)>),
}

impl Subject {
    /// Finds what `text` names.
    pub(super) fn find(text: Option<&str>, file: &ReportFile) -> Result<Self, Failure> {
        match text {
            None => Ok(Self::Summary),
            Some("all") => Ok(Self::All),
            Some(name) if name.contains('/') => Self::repository(name, file, |job, named| {
                named.iter().any(|(forge, id)| (*forge, *id) == (&job.forge, job.repository))
            }),
            Some(word) => match Self::handle(word, file)? {
                Some(found) => Ok(found),
                None => match word.parse::<i64>() {
                    Ok(id) => Self::repository(word, file, |job, _| job.repository == id),
                    Err(_) if word.len() < SHORTEST_PREFIX => Err(Failure::usage(anyhow!("`{word}` is too short"))
                        .hint(
                            "give at least 6 characters of a handle, `owner/name` or the id of a repository, or `all`",
                        )),
                    Err(_) => Err(not_listed(word)),
                },
            },
        }
    }

    /// The job whose handle is `word` or begins with it.
    fn handle(word: &str, file: &ReportFile) -> Result<Option<Self>, Failure> {
        let jobs = file.report.jobs.iter().map(|job| (&job.forge, &job.handle));
        let machines = file.report.machines.iter().map(|machine| &machine.handle);
        let runners = file.report.runners.iter().map(|runner| &runner.handle);
        let fits = |handle: &&Handle| {
            handle.as_str() == word || (word.len() >= SHORTEST_PREFIX && handle.as_str().starts_with(word))
        };
        let listed: BTreeSet<(ForgeId, Handle)> =
            jobs.filter(|(_, handle)| fits(handle)).map(|(forge, handle)| (forge.clone(), handle.clone())).collect();
        let left: BTreeSet<&Handle> = machines.chain(runners).filter(fits).collect();
        let handles: BTreeSet<&Handle> = listed.iter().map(|(_, handle)| handle).collect();
        match handles.len() {
            0 if left.is_empty() => Ok(None),
            0 => Err(not_listed(word).hint("something of it is left: see `forgescale explain all`")),
            1 => Ok(Some(Self::Jobs(listed))),
            count => {
                let shown: Vec<&str> = handles.iter().take(MOST_CANDIDATES).map(|handle| handle.as_str()).collect();
                let error = anyhow!("{count} handles begin with `{word}`");
                Err(Failure::not_done(error).hint(format!("give more of it; for example: {}", shown.join(", "))))
            }
        }
    }

    /// The jobs of a repository.
    fn repository(
        word: &str,
        file: &ReportFile,
        belongs: impl Fn(&planner::report::JobReport, &[(&ForgeId, i64)]) -> bool,
    ) -> Result<Self, Failure> {
        // Names of owners and repositories differ by more than case.
        let named: Vec<(&ForgeId, i64)> = file
            .repositories
            .iter()
            .filter(|repository| repository.name.eq_ignore_ascii_case(word))
            .map(|repository| (&repository.forge, repository.id))
            .collect();
        let jobs = file.report.jobs.iter().filter(|job| belongs(job, &named));
        let found: BTreeSet<_> = jobs.map(|job| (job.forge.clone(), job.handle.clone())).collect();
        if found.is_empty() {
            return Err(Failure::not_done(anyhow!("no job of repository {word} is in the report"))
                .hint("only jobs that wait or run are: see `forgescale explain all`")
                .hint("a repository whose name the forge did not tell is known by its id only"));
        }
        Ok(Self::Jobs(found))
    }

    /// The report with only what is asked for in its lists of jobs, machines and runners.
    pub(super) fn cut(&self, mut file: ReportFile) -> ReportFile {
        let Self::Jobs(wanted) = self else { return file };
        let handles: BTreeSet<&Handle> = wanted.iter().map(|(_, handle)| handle).collect();
        file.report.jobs.retain(|job| handles.contains(&job.handle));
        file.report.machines.retain(|machine| handles.contains(&machine.handle));
        file.report.runners.retain(|runner| handles.contains(&runner.handle));
        file
    }
}

/// What it means that a job is not there (protocol 1.3: the forge lists what waits or runs, nothing else).
fn not_listed(word: &str) -> Failure {
    Failure::not_done(anyhow!("job {word} is not in the report"))
        .hint("the forge lists only jobs that wait or run: this one may be finished, cancelled or skipped")
        .hint("a job that waits for other jobs (needs) or for an approval is not listed before they are through")
        .hint("a job of a repository that no configured scope covers is not seen")
}

//! The trace of a world: what happened, in words. Written only where somebody will read it.

use std::collections::BTreeMap;
use std::fmt;
use std::mem::Discriminant;

use planner::ids::JobKey;
use planner::report::{Reason, Report};

/// Lines of what happened, with their time.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: Option<Vec<String>>,
    /// What each job was last told.
    told: BTreeMap<JobKey, Discriminant<Reason>>,
}

impl Trace {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { lines: wanted.then(Vec::new), told: BTreeMap::new() }
    }

    pub(crate) fn note(&mut self, at: u64, what: fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>4}.{:03} {what}", at / 1000, at % 1000));
        }
    }

    /// What jobs are told, where it changes to something of another kind.
    pub(crate) fn note_reasons(&mut self, at: u64, report: &Report) {
        let jobs = if self.lines.is_some() { &report.jobs[..] } else { &[] };
        for job in jobs {
            let key = JobKey { forge: job.forge.clone(), handle: job.handle.clone() };
            let kind = std::mem::discriminant(&job.reason);
            if self.told.insert(key, kind) != Some(kind) {
                self.note(at, format_args!("  told {}: {}", job.handle, job.reason));
            }
        }
    }

    /// What was written down until now.
    pub(crate) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}

//! The keys of a backend of the kind host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use backend_host::{CacheServer, Limits, Program, RunAs};

use super::{environment, limits, runner, user};
use crate::config::Surroundings;
use crate::config::problem::Complaint;
use crate::config::read::Section;
use crate::config::size::Size;
use crate::config::value::{Readable as _, as_written};

/// The runner says little by itself; its job's output goes to the forge.
const LOG_LIMIT: Size = Size(4 << 20);

/// A log shorter than this does not even hold the runner's greeting.
const LEAST_LOG: Size = Size(4 << 10);

/// What a host backend needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSettings {
    /// The runner program: the path of an executable file.
    pub runner: PathBuf,
    /// The first arguments of the runner program, before those of Forgejo Runner.
    pub runner_arguments: Vec<String>,
    /// Who runners and their jobs run as.
    pub run_as: RunAs,
    /// What a machine may use at most.
    pub limits: Limits,
    /// Where jobs get their caches from, if they do.
    pub cache: Option<CacheServer>,
    /// The PATH of runners and of their host jobs.
    pub path: String,
    /// Further variables of runners and of their host jobs.
    pub environment: BTreeMap<String, String>,
    /// How many bytes of a runner's output are kept.
    pub log_limit: u64,
}

impl HostSettings {
    /// The runner with its first arguments.
    pub fn program(&self) -> Program {
        Program { path: self.runner.clone(), arguments: self.runner_arguments.clone() }
    }
}

/// The settings, and how many machines they have room for, if that is limited.
pub(super) fn read(
    section: &Section<'_>,
    surroundings: &Surroundings,
    max: Option<u32>,
) -> Option<(HostSettings, Option<u32>)> {
    let inherited = surroundings.path();
    let path = section.optional("path", |path: &String| as_written(path)).unwrap_or(inherited);
    let run_as = user::read(section, surroundings, max);
    let limits = limits::read(section);
    let cache = cache(section);
    let environment = environment::read(section, surroundings);
    let log_limit = section.or("log_limit", LOG_LIMIT, |size: &Size| {
        if *size >= LEAST_LOG {
            return Ok(());
        }
        let least = LEAST_LOG.shown();
        Err(Complaint::new(format!("is less than {least}")).hint(format!("write {least} or more")))
    });
    let runner = runner::read(section, &path);
    let ((runner, runner_arguments), (run_as, room)) = (runner?, run_as?);
    let log_limit = log_limit.0;
    Some((HostSettings { runner, runner_arguments, run_as, limits, cache, path, environment, log_limit }, room))
}

fn cache(section: &Section<'_>) -> Option<CacheServer> {
    let url = section.optional("cache_url", |url: &String| {
        let known = ["http://", "https://"].iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme));
        if known {
            return Ok(());
        }
        Err(Complaint::new("is neither http nor https").hint("write it like \"http://cache.example:8080/\""))
    });
    let secret_file = section.optional("cache_secret_file", |file: &PathBuf| {
        let found = std::fs::metadata(file);
        found.map(drop).map_err(|error| {
            Complaint::new(format!("cannot find {}: {error}", file.display()))
                .hint("write the secret, alone, into a file that runners can read, and name it here")
        })
    });
    let pairs = [("cache_url", "cache_secret_file"), ("cache_secret_file", "cache_url")];
    for (there, missing) in pairs {
        if section.get(there).is_some() && section.get(missing).is_none() {
            let reason = format!("is missing, but `{there}` is there");
            section.complain(missing, Complaint::new(reason).hint("an external cache server needs both"));
        }
    }
    Some(CacheServer { url: url?, secret_file: secret_file? })
}

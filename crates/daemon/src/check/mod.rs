//! Looks at everything that the daemon will need, before it needs it.
//!
//! ```text
//! file ─► Reading ─► mistakes and doubts ┬ forge, forge, … ┬ backend, … ┬ directories ─► findings, in this order
//!                                        │  └ greeting, scopes, runners in reach, the runners' way: side by side
//! ```
//!
//! Of a configuration with mistakes, what is whole is looked at all the same.
//!
//! Promises: nothing is changed at a forge or on a disk, so that it can be asked beside a running daemon; every call has
//! a deadline; no secret is in a finding; one failure hides no other.
//!
//! Deliberately absent: what only the daemon can see (`explain` tells that), and repairs.

mod access;
mod backend;
mod caches;
mod clock;
mod configuration;
mod containers;
mod directories;
mod docker;
mod finding;
mod forge;
mod jobs;
mod limits;
mod lxc;
mod machines;
mod open_file;
mod reach;
mod registries;
mod repositories;
mod runner;
mod runners;
mod scope;
mod service;
mod static_program;
mod warm;
mod way;

use std::path::Path;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream;

pub use finding::{Finding, Verdict};
pub use static_program::{Kind as ProgramKind, kind as program_kind};

use crate::config::{Config, Surroundings};
use machines::Machines;

/// How many things are looked at side by side; each forge counts as one and asks for as many of its scopes.
const SIDE_BY_SIDE: usize = 8;

/// The findings about one thing, to come.
type Findings<'a> = Pin<Box<dyn Future<Output = Vec<Finding>> + 'a>>;

/// Looks at a configuration and at everything that it leads to. Blocks for the files that the configuration names.
pub async fn check(file: &Path, surroundings: &Surroundings) -> Vec<Finding> {
    let reading = match Config::read_from(file, surroundings) {
        Ok(reading) => reading,
        Err(error) => return vec![configuration::unreadable(&error)],
    };
    let mut findings = configuration::check(file, &reading);
    if let Some(config) = &reading.config {
        findings.extend(led_to(config).await);
    }
    findings
}

/// What a configuration leads to.
async fn led_to(config: &Config) -> Vec<Finding> {
    let machines = &Machines::of(config);
    let mut checks: Vec<Findings<'_>> = Vec::new();
    checks.extend(config.forges.iter().map(|it| Box::pin(forge::check(it, config, machines)) as Findings<'_>));
    checks.extend(config.backends.iter().map(|(id, it)| Box::pin(backend::check(id, it, config)) as Findings<'_>));
    checks.push(Box::pin(async { directories::check(config, machines) }));
    in_order(checks).await
}

/// Runs checks side by side; what they find comes in the order of the checks.
async fn in_order(checks: Vec<Findings<'_>>) -> Vec<Finding> {
    stream::iter(checks).buffered(SIDE_BY_SIDE).collect::<Vec<_>>().await.concat()
}

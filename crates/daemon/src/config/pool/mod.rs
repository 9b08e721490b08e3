//! `[[pool]]`: labels, the backend that serves them, limits, clocks, what is kept ready and what outlives its machines.

mod cache;
mod warm;
mod week;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use planner::ids::{BackendId, PoolId};
use planner::label::{Environment, Label};
use planner::policy::{Clocks, PoolPolicy};
use toml::de::DeValue;

use super::backend::Backend;
use super::forge::CODEBERG_INTERVAL;
use super::problem::Complaint;
use super::read::{Section, Value, any};
use super::shape::Shape;
use super::value::{Readable, at_least, name, positive, quoted, quoted_list, unknown};
use crate::hours::Schedule;

pub use cache::{Per, PoolCache};
pub(super) use warm::timezone;

/// How often a runner asks for its job: the default of Forgejo Runner itself (protocol 3.6).
const FETCH_INTERVAL: Duration = Duration::from_secs(2);

/// The shortest that a clock or an interval of a pool may be.
const SHORTEST: Duration = Duration::from_millis(100);

/// More machines than one Forgejo can feed; a larger number is a slip of the finger.
const MOST_MACHINES: u32 = 100_000;

/// One kind of machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// What decisions need of it.
    pub policy: PoolPolicy,
    /// How often its runners ask for their job.
    pub fetch_interval: Duration,
    /// When another count of its machines is kept ready than `policy.warm` says.
    pub schedule: Schedule,
    /// Folders of its machines that outlive them.
    pub caches: Vec<PoolCache>,
}

/// All `[[pool]]` tables, as far as they are usable, in the order of the file. `max` is the most machines over all of them.
pub(super) fn read(root: &Section<'_>, around: &Around<'_>, max: Option<u32>) -> Vec<Pool> {
    let sections = root.sections("pool");
    if root.get("pool").is_none() {
        root.missing("pool", "[[pool]] with name, labels, backend and max");
    }
    let mut seen = BTreeSet::new();
    let read = sections.into_iter().filter_map(|section| {
        let offset = section.offset;
        pool(section, &mut seen, around).map(|pool| (pool, offset))
    });
    let pools: Vec<(Pool, usize)> = read.collect();
    warm::warn_of_room(root.notes, &pools, around.backends, max);
    pools.into_iter().map(|(pool, _)| pool).collect()
}

/// What a pool refers to.
pub(super) struct Around<'a> {
    /// The usable backends.
    pub(super) backends: &'a BTreeMap<BackendId, Backend>,
    /// All whose name is there, so that one mistake in a backend is not followed by others in its pools.
    pub(super) named: &'a BTreeSet<&'a str>,
    /// The time zone of hours that name none.
    pub(super) zone: Option<&'a TimeZone>,
    /// Whether a forge is codeberg.org.
    pub(super) codeberg: bool,
}

fn pool(section: Section<'_>, seen: &mut BTreeSet<String>, around: &Around<'_>) -> Option<Pool> {
    let Around { backends, named, zone, codeberg } = *around;
    let id: Option<String> = section.required("name", "name = \"debian\"", |text: &String| {
        name(text)?;
        if seen.insert(text.clone()) {
            return Ok(());
        }
        Err(Complaint::new(format!("{} is there twice", quoted(text))).hint("give each [[pool]] a name of its own"))
    });
    let labels = labels(&section);
    let backend: Option<String> = section.required("backend", "backend = \"here\"", |text: &String| {
        if named.contains(text.as_str()) { Ok(()) } else { Err(unknown("backend", text, named.iter().copied())) }
    });
    let max: Option<u32> = section.required("max", "max = 4", |number: &u32| machines(*number));
    if let (Some(0), Some(value)) = (max, section.get("max")) {
        let complaint = Complaint::new("this pool makes no machine: its jobs wait").hint("max = 1 or more");
        section.notes.warn(value.offset, &value.key, complaint);
    }
    let priority = section.or("priority", 0_i32, any);
    let max_per_repository = section.optional("max_per_repository", positive::<u32>);
    let fetch_interval = fetch_interval(&section, codeberg);
    let usable = backend.as_ref().and_then(|name| backends.get(&BackendId::new(name.as_str())));
    let clocks = clocks(&section, fetch_interval, usable.map(Backend::default_boot));
    let (mut warm, schedule) = warm::read(&section, max, usable, zone);
    let caches = cache::read(&section, usable, warm.count.max(schedule.peak()) > 0);
    warm.made_of = cache::made_of(&warm.made_of, &caches);
    section.close();
    let policy = PoolPolicy {
        id: PoolId::new(id?),
        labels,
        backend: BackendId::new(backend?),
        max: max?,
        priority,
        max_per_repository,
        clocks,
        warm,
    };
    Some(Pool { policy, fetch_interval, schedule, caches })
}

/// Accepts numbers of machines that somebody may mean.
pub(super) fn machines(number: u32) -> Result<(), Complaint> {
    if number <= MOST_MACHINES {
        return Ok(());
    }
    Err(Complaint::new(format!("{number} is more than {MOST_MACHINES} machines"))
        .hint(format!("write {MOST_MACHINES} or less")))
}

fn fetch_interval(section: &Section<'_>, codeberg: bool) -> Duration {
    let span =
        section.or("fetch_interval", if codeberg { CODEBERG_INTERVAL } else { FETCH_INTERVAL }, at_least(SHORTEST));
    if let (true, Some(value)) = (codeberg && span < CODEBERG_INTERVAL, section.get("fetch_interval")) {
        let complaint = Complaint::new("runners of this pool may serve codeberg.org, which asks for 30s or more");
        section.notes.warn(value.offset, &value.key, complaint.hint("write \"30s\", or leave it out"));
    }
    span
}

fn clocks(section: &Section<'_>, fetch_interval: Duration, boot: Option<Duration>) -> Clocks {
    let defaults = Clocks::default();
    let claim_default = defaults.claim.max(fetch_interval * 3);
    Clocks {
        boot: section.or("boot", boot.unwrap_or(defaults.boot), at_least(SHORTEST)),
        claim: section.or("claim", claim_default, |claim| {
            at_least(fetch_interval)(claim)
                .map_err(|complaint| complaint.hint("a runner must be able to ask for its job once (fetch_interval)"))
        }),
        run: section.or("run", defaults.run, at_least(SHORTEST)),
        grace: section.or("grace", defaults.grace, any),
        stop: section.or("stop", defaults.stop, at_least(SHORTEST)),
    }
}

fn labels(section: &Section<'_>) -> Vec<Label> {
    let example = "labels = [\"debian:docker://node:22-bookworm\", \"tools:host\"]";
    let Some(list) = section.get("labels") else {
        section.missing("labels", example);
        return Vec::new();
    };
    let elements = list.elements();
    if elements.is_empty() && matches!(list.raw, DeValue::Array(_)) {
        list.complain(Complaint::new("is empty: such a pool serves no job").hint(format!("for example: {example}")));
    }
    let mut names = BTreeSet::new();
    let once = |label: &Label| {
        if names.insert(label.name().to_owned()) {
            return Ok(());
        }
        Err(Complaint::new(format!("label {} is there twice", quoted(label.name())))
            .hint("keep one: jobs ask for the name alone, without the schema"))
    };
    let mut once = once;
    let read = |value: &Value<'_>| value.read(&mut once).inspect(|label| warn_of_image(value, label));
    let labels: Vec<Label> = elements.iter().filter_map(read).collect();
    section.notes.set(&list.key, Some(quoted_list(labels.iter().map(Label::to_string))), list.origin());
    labels
}

/// Forgejo Runner takes two slashes off an argument, if they are there, and the rest for the image: with one slash each
/// job of the label fails.
fn warn_of_image(value: &Value<'_>, label: &Label) {
    let Environment::Docker(Some(argument)) = label.environment() else { return };
    let image = argument.strip_prefix("//").unwrap_or(argument);
    if !image.is_empty() && !image.starts_with('/') {
        return;
    }
    let meant = image.trim_start_matches('/');
    let meant = if meant.is_empty() { "node:22-bookworm" } else { meant };
    let complaint = Complaint::new(format!("label {} names no image: {} is none", quoted(label.name()), quoted(image)));
    let hint = format!("write \"{}:docker://{meant}\"", label.name());
    value.notes.warn(value.offset, &value.key, complaint.hint(hint));
}

impl Readable for Label {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let text = String::read(value)?;
        Self::parse(&text).map_err(|error| {
            Complaint::new(error.to_string())
                .hint("write NAME:SCHEMA, like \"debian:docker://node:22\" or \"tools:host\"")
        })
    }

    fn shown(&self) -> String {
        quoted(&self.to_string())
    }
}

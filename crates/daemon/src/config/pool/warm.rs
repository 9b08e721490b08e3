//! `warm`, `warm_max_age` and `[[pool.warm_schedule]]`: machines that are kept ready without a job.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use planner::ids::BackendId;
use planner::policy::WarmPolicy;
use planner::report::counted;

use super::Pool;
use super::week::{At, On, Zone};
use crate::config::backend::Backend;
use crate::config::problem::Complaint;
use crate::config::read::{Notes, Section, any};
use crate::config::value::{at_least, quoted};
use crate::hours::{Days, Schedule, Window};

/// What a waiting machine holds ages with the outside alone: an image's tag is moved, a runner is updated. For an hour the old
/// one may still be used, and a machine's making costs little once an hour.
const MAX_AGE: Duration = Duration::from_hours(1);

/// Renewed more often, machines would hardly be there before they are made again.
const LEAST_AGE: Duration = Duration::from_mins(1);

/// More windows than a week has hours are no plan of a person.
const MOST_WINDOWS: usize = 168;

/// The zone of hours that name none.
pub(in crate::config) fn timezone(section: &Section<'_>) -> Option<TimeZone> {
    section.optional("timezone", any).map(|Zone(zone)| zone)
}

/// What is kept ready in a pool. `backend` is its own, if that is usable, and `zone` the one of hours that name none.
pub(super) fn read(
    section: &Section<'_>,
    max: Option<u32>,
    backend: Option<&Backend>,
    zone: Option<&TimeZone>,
) -> (WarmPolicy, Schedule) {
    let fits = |count: &u32| room(*count, max, backend);
    let count = section.or("warm", 0_u32, fits);
    let max_age = section.or("warm_max_age", MAX_AGE, at_least(LEAST_AGE));
    let sections = section.sections("warm_schedule");
    if let Some(one_too_many) = sections.get(MOST_WINDOWS) {
        let complaint = Complaint::new(format!("is more than {MOST_WINDOWS} windows"));
        one_too_many.complain("", complaint.hint("say more by days: [\"mon-fri\"]"));
    }
    let windows = sections.into_iter().take(MOST_WINDOWS).filter_map(|section| window(section, fits, zone)).collect();
    let made_of = backend.map(|backend| backend.made_of.clone()).unwrap_or_default();
    (WarmPolicy { count, max_age, made_of }, Schedule { windows })
}

/// Whether so many can be ready in a pool.
fn room(count: u32, max: Option<u32>, backend: Option<&Backend>) -> Result<(), Complaint> {
    if count == 0 {
        return Ok(());
    }
    if backend.is_some_and(|backend| !backend.can_be_warm()) {
        return Err(Complaint::new(
            "a backend of the kind host makes a machine for one job only when that job is there",
        )
        .hint("leave it out, or use a backend of the kind docker or podman"));
    }
    match max {
        Some(max) if count > max => {
            Err(Complaint::new(format!("{count} is more than `max` of the pool, which is {max}"))
                .hint(format!("write {max} or less, or raise `max`")))
        }
        Some(_) | None => Ok(()),
    }
}

fn window(
    section: Section<'_>,
    fits: impl Fn(&u32) -> Result<(), Complaint>,
    zone: Option<&TimeZone>,
) -> Option<Window> {
    let On(days) = section.or("days", On(Days::ALL), any);
    let from = section.required("from", "from = \"08:00\"", |At(from): &At| match from.parts() {
        (24, _) => Err(Complaint::new("no day begins at 24:00").hint("write \"00:00\" for its beginning")),
        _ => Ok(()),
    });
    let to = section.required("to", "to = \"18:00\"", |At(to): &At| match &from {
        Some(At(from)) if from == to => Err(Complaint::new("is the same as `from`")
            .hint("write from = \"00:00\" and to = \"24:00\" for the whole day, and leave out what never holds")),
        _ => Ok(()),
    });
    let own = section.optional("timezone", any).map(|Zone(zone)| zone);
    let is_unknown = section.get("timezone").is_some() && own.is_none();
    let zone = own.or_else(|| zone.cloned());
    if zone.is_none() && !is_unknown {
        let complaint = Complaint::new("is missing, and so is `timezone` at the top")
            .hint("for example: timezone = \"Europe/Berlin\", here or above all tables; or \"UTC\"");
        section.complain("timezone", complaint);
    }
    let warm = section.required("warm", "warm = 3", fits);
    section.close();
    Some(Window { days, from: from?.0, to: to?.0, zone: zone?, warm: warm? })
}

/// Warns where more machines are to be ready than there may be at all: what is lacking then is made for no job either.
pub(in crate::config) fn warn_of_room(
    notes: &Notes<'_>,
    pools: &[(Pool, usize)],
    backends: &BTreeMap<BackendId, Backend>,
    max: Option<u32>,
) {
    let peak = |pool: &Pool| pool.policy.warm.count.max(pool.schedule.peak());
    let mut of_all = 0_u32;
    let mut of_backends: BTreeMap<&BackendId, u32> = BTreeMap::new();
    for (pool, offset) in pools {
        let peak = peak(pool);
        let id = &pool.policy.backend;
        let of_backend = of_backends.entry(id).or_default();
        let before = (*of_backend, of_all);
        *of_backend = of_backend.saturating_add(peak);
        of_all = of_all.saturating_add(peak);
        let limit = backends.get(id).and_then(|backend| backend.max);
        let limits = [
            (limit, before.0, *of_backend, format!("backend {}", quoted(id.as_str()))),
            (max, before.1, of_all, "all pools together".to_owned()),
        ];
        for (limit, before, after, of) in limits {
            if let Some(limit) = limit.filter(|limit| before <= *limit && after > *limit) {
                let kept = counted(after as usize, "machine");
                let complaint = Complaint::new(format!(
                    "with this pool {kept} may be kept ready, and the `max` of {of} is {limit}"
                ));
                notes.warn(*offset, "pool.warm", complaint.hint("raise that `max`, or keep fewer machines ready"));
            }
        }
    }
}

//! What the hour asks for: the counts of machines without a job, pool by pool, as events when they change.
//!
//! The planner knows no hour and no time zone. The owner asks here before each plan, which is several times a second: so no
//! timer has to be right, and a clock that jumps, either way, is noticed by the next plan. All is worked out anew only when a
//! window begins or ends, or when the clock went back.
//!
//! Deliberately absent: the clock, and any decision. How many machines there are is the planner's.

mod schedule;

use std::collections::BTreeMap;

use jiff::Timestamp;
use planner::event::Event;
use planner::ids::PoolId;

use crate::config::Pool;

pub use schedule::{Days, OfDay, Schedule, Window};

/// The hours of all pools that have some.
#[derive(Debug)]
pub(crate) struct Hours {
    /// The count outside of all windows, and the windows.
    pools: BTreeMap<PoolId, (u32, Schedule)>,
    /// The counts that the planner was told.
    told: BTreeMap<PoolId, u32>,
    /// When it was looked last, and when what was found then is over.
    looked: Option<(Timestamp, Option<Timestamp>)>,
}

impl Hours {
    /// Those of pools as they are configured. Nothing is told yet, as is so after [`Event::PolicyReplaced`], too.
    pub(crate) fn new<'p>(pools: impl IntoIterator<Item = &'p Pool>) -> Self {
        let scheduled = pools.into_iter().filter(|pool| !pool.schedule.windows.is_empty());
        let pools = scheduled.map(|pool| (pool.policy.id.clone(), (pool.policy.warm.count, pool.schedule.clone())));
        Self { pools: pools.collect(), told: BTreeMap::new(), looked: None }
    }

    /// The counts that are others than those told before, now that it is `now`.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Event> {
        if let Some((looked, until)) = &mut self.looked
            && *looked <= now
            && until.is_none_or(|until| now < until)
        {
            *looked = now;
            return Vec::new();
        }
        let until = self.pools.values().filter_map(|(_, schedule)| schedule.next_change(now)).min();
        self.looked = Some((now, until));
        let mut due = Vec::new();
        for (pool, (usual, schedule)) in &self.pools {
            let count = schedule.count(*usual, now);
            if self.told.insert(pool.clone(), count) != Some(count) {
                due.push(Event::WarmCount { pool: pool.clone(), count });
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::civil::Weekday;
    use jiff::tz::TimeZone;
    use planner::ids::BackendId;
    use planner::policy::{Clocks, PoolPolicy, WarmPolicy};

    use super::*;

    fn pool(name: &str, usual: u32, windows: Vec<Window>) -> Pool {
        let warm = WarmPolicy { count: usual, max_age: Duration::from_hours(1), made_of: String::new() };
        let policy = PoolPolicy {
            id: PoolId::new(name),
            labels: Vec::new(),
            backend: BackendId::new("engine"),
            max: 9,
            priority: 0,
            max_per_repository: None,
            clocks: Clocks::default(),
            warm,
        };
        Pool { policy, fetch_interval: Duration::from_secs(2), schedule: Schedule { windows }, caches: Vec::new() }
    }

    fn by_day(warm: u32) -> Window {
        let [from, to] = [8, 18].map(|hour| OfDay::new(hour, 0).unwrap());
        Window { days: Days::ALL, from, to, zone: TimeZone::get("Europe/Berlin").unwrap(), warm }
    }

    fn told(hours: &mut Hours, now: &str) -> Vec<(String, u32)> {
        let counts = hours.due(now.parse().unwrap()).into_iter().filter_map(|event| match event {
            Event::WarmCount { pool, count } => Some((pool.to_string(), count)),
            _ => None,
        });
        counts.collect()
    }

    fn counts<const N: usize>(counts: [(&str, u32); N]) -> Vec<(String, u32)> {
        counts.map(|(pool, count)| (pool.to_owned(), count)).into()
    }

    #[test]
    fn each_count_is_told_at_the_start_and_when_it_changes() {
        let mut hours = Hours::new(&[
            pool("plain", 5, Vec::new()),
            pool("day", 1, vec![by_day(3)]),
            pool("same", 2, vec![by_day(2), Window { days: Days::default().with(Weekday::Sunday), ..by_day(4) }]),
        ]);
        assert_eq!(told(&mut hours, "2026-07-31T05:59:59Z"), counts([("day", 1), ("same", 2)]));
        assert_eq!(told(&mut hours, "2026-07-31T05:59:59.9Z"), []);
        // A window begins in which as many are kept as before: that is no news.
        assert_eq!(told(&mut hours, "2026-07-31T06:00:00Z"), counts([("day", 3)]));
        assert_eq!(told(&mut hours, "2026-07-31T15:59:59Z"), []);
        assert_eq!(told(&mut hours, "2026-07-31T16:00:00Z"), counts([("day", 1)]));
        // Nobody looked for a day and a half.
        assert_eq!(told(&mut hours, "2026-08-02T12:00:00Z"), counts([("day", 3), ("same", 4)]));
    }

    #[test]
    fn a_clock_that_jumps_is_noticed_by_the_next_look() {
        let mut hours = Hours::new(&[pool("day", 0, vec![by_day(3)])]);
        assert_eq!(told(&mut hours, "2026-07-31T12:00:00Z"), counts([("day", 3)]));
        assert_eq!(told(&mut hours, "2026-07-31T03:00:00Z"), counts([("day", 0)]));
        assert_eq!(told(&mut hours, "2030-07-31T12:00:00Z"), counts([("day", 3)]));
        assert_eq!(told(&mut hours, "1970-01-01T00:00:00Z"), counts([("day", 0)]));
    }

    #[test]
    fn another_configuration_is_told_anew() {
        let now = "2026-07-31T12:00:00Z";
        let mut hours = Hours::new(&[pool("day", 0, vec![by_day(3)])]);
        assert_eq!(told(&mut hours, now), counts([("day", 3)]));
        hours = Hours::new(&[pool("day", 0, vec![by_day(3)])]);
        assert_eq!(told(&mut hours, now), counts([("day", 3)]), "the planner has forgotten it");
    }
}

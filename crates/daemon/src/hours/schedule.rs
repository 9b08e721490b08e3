//! Windows of the week in which a pool keeps another number of machines ready, and what they come to at a given moment.
//!
//! ```text
//! days, from ─► begins ──────────► ends ◄─ to (on the next day, where it is not later than from)
//! ```
//!
//! A window belongs to the day on which it begins. It begins when the clocks of its zone reach `from` for the first time, and
//! ends when they reach `to` for the last time: an hour that comes twice in autumn is in it twice, and a moment that is skipped
//! in spring is the moment of the skip. Where several windows hold, the last one does.
//!
//! Pure: what the time is, is said.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// All windows of a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// In the order of the file: the last that holds counts.
    pub windows: Vec<Window>,
}

/// One window of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The days on which it begins.
    pub days: Days,
    /// When it begins.
    pub from: OfDay,
    /// When it ends: on the next day, if that is not later than `from`.
    pub to: OfDay,
    /// Whose clocks.
    pub zone: TimeZone,
    /// How many machines are kept ready in it.
    pub warm: u32,
}

/// Days of the week.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// These and `day`.
    #[must_use]
    pub fn with(self, day: Weekday) -> Self {
        Self(self.0 | bit(day))
    }

    /// Whether `day` is one of them.
    pub fn has(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

/// A minute of the day, up to its end at 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfDay(u16);

impl OfDay {
    /// Of hour and minute; nothing for what no clock shows, but for 24:00.
    pub fn new(hour: u16, minute: u16) -> Option<Self> {
        let minutes = hour.checked_mul(60)?.checked_add(minute)?;
        (minute < 60 && minutes <= DAY).then_some(Self(minutes))
    }

    /// Hour and minute.
    pub fn parts(self) -> (u16, u16) {
        (self.0 / 60, self.0 % 60)
    }

    /// On a day, or on a later one.
    fn on(self, day: Date, later: i64) -> Option<DateTime> {
        let days = later + i64::from(self.0 / DAY);
        let minutes = i64::from(self.0 % DAY);
        day.checked_add(days.days())
            .ok()?
            .to_datetime(jiff::civil::Time::midnight())
            .checked_add(minutes.minutes())
            .ok()
    }
}

impl Schedule {
    /// How many machines are to be kept ready at a moment, where outside of all windows it is `usual`.
    pub fn count(&self, usual: u32, at: Timestamp) -> u32 {
        let holding = self.windows.iter().rev().find(|window| window.holds(at));
        holding.map_or(usual, |window| window.warm)
    }

    /// The first moment after `after` at which a window begins or ends; the count may stay the same.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let changes =
            self.windows.iter().flat_map(|window| window.spans(after, -2..=8)).flat_map(<[Timestamp; 2]>::from);
        changes.filter(|change| *change > after).min()
    }

    /// The most that it ever asks for.
    pub fn peak(&self) -> u32 {
        self.windows.iter().map(|window| window.warm).max().unwrap_or_default()
    }
}

impl Window {
    fn holds(&self, at: Timestamp) -> bool {
        // It began today or yesterday. Or tomorrow: where the clocks go back over midnight, the day before comes again.
        self.spans(at, -1..=1).any(|(begin, end)| begin <= at && at < end)
    }

    /// Begin and end of those that begin on days around a moment.
    fn spans(
        &self,
        around: Timestamp,
        days: std::ops::RangeInclusive<i64>,
    ) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.zone.to_datetime(around).date();
        days.filter_map(move |away| self.span(today.checked_add(away.days()).ok()?))
    }

    fn span(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.days.has(day.weekday()) {
            return None;
        }
        let begin = moment(&self.zone, self.from.on(day, 0)?, Twice::First)?;
        let end = moment(&self.zone, self.to.on(day, i64::from(self.to <= self.from))?, Twice::Last)?;
        Some((begin, end))
    }
}

/// Which one is meant of two moments at which clocks show the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twice {
    First,
    Last,
}

/// When the clocks of a zone show that; the moment at which they skip it, where they do.
fn moment(zone: &TimeZone, shown: DateTime, twice: Twice) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(shown);
    match (ambiguous.offset(), twice) {
        (AmbiguousOffset::Gap { .. }, _) => {
            // By the offset after the skip it would be before the skip.
            let before = ambiguous.earlier().ok()?;
            zone.following(before).next().map(|skip| skip.timestamp())
        }
        (AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. }, Twice::First) => ambiguous.earlier().ok(),
        (AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. }, Twice::Last) => ambiguous.later().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKDAYS: [Weekday; 5] =
        [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];

    fn of_day(text: &str) -> OfDay {
        let (hour, minute) = text.split_once(':').unwrap();
        OfDay::new(hour.parse().unwrap(), minute.parse().unwrap()).unwrap()
    }

    fn window(days: &[Weekday], from: &str, to: &str, zone: &str, warm: u32) -> Window {
        let days = days.iter().fold(Days::default(), |days, day| days.with(*day));
        Window { days, from: of_day(from), to: of_day(to), zone: TimeZone::get(zone).unwrap(), warm }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Checks the count at moments, outside of all windows 0, and that no change is missed in between.
    fn check(windows: &[Window], expected: &[(&str, u32)]) {
        let schedule = Schedule { windows: windows.to_vec() };
        // Whoever looks again at each change only is told the same.
        let mut looked = at(expected[0].0);
        let mut seen = schedule.count(0, looked);
        for (moment, count) in expected {
            let moment = at(moment);
            assert_eq!(schedule.count(0, moment), *count, "{moment}");
            while let Some(next) = schedule.next_change(looked).filter(|next| *next <= moment) {
                assert!(next > looked);
                (looked, seen) = (next, schedule.count(0, next));
            }
            assert_eq!(seen, *count, "{moment}: a change was missed");
        }
    }

    #[test]
    fn a_window_holds_on_its_days_from_its_first_minute_to_before_its_last() {
        // 2026-07-31 is a Friday; Berlin is two hours ahead.
        check(
            &[window(&WORKDAYS, "08:00", "18:00", "Europe/Berlin", 3)],
            &[
                ("2026-07-31T05:59:59.999Z", 0),
                ("2026-07-31T06:00:00Z", 3),
                ("2026-07-31T15:59:59.999Z", 3),
                ("2026-07-31T16:00:00Z", 0),
                ("2026-08-01T10:00:00Z", 0),
                ("2026-08-02T10:00:00Z", 0),
                ("2026-08-03T06:00:00Z", 3),
            ],
        );
    }

    #[test]
    fn a_window_that_passes_midnight_belongs_to_the_day_on_which_it_begins() {
        check(
            &[window(&[Weekday::Friday, Weekday::Sunday], "22:00", "06:00", "UTC", 2)],
            &[
                ("2026-07-31T05:00:00Z", 0),
                ("2026-07-31T22:00:00Z", 2),
                ("2026-08-01T05:59:00Z", 2),
                ("2026-08-01T06:00:00Z", 0),
                ("2026-08-01T23:00:00Z", 0),
                ("2026-08-02T22:00:00Z", 2),
                ("2026-08-03T05:59:00Z", 2),
                ("2026-08-03T22:00:00Z", 0),
            ],
        );
    }

    #[test]
    fn whole_days_follow_each_other_without_a_gap() {
        let weekend = [Weekday::Saturday, Weekday::Sunday];
        check(
            &[window(&weekend, "00:00", "24:00", "Asia/Kolkata", 1)],
            &[
                ("2026-07-31T18:29:59Z", 0),
                ("2026-07-31T18:30:00Z", 1),
                ("2026-08-01T18:30:00Z", 1),
                ("2026-08-02T18:29:59Z", 1),
                ("2026-08-02T18:30:00Z", 0),
            ],
        );
    }

    #[test]
    fn the_last_window_that_holds_counts() {
        check(
            &[
                window(&WORKDAYS, "08:00", "18:00", "UTC", 3),
                window(&WORKDAYS, "12:00", "13:00", "UTC", 1),
                window(&[Weekday::Friday], "12:30", "24:00", "UTC", 0),
            ],
            &[
                ("2026-07-30T11:59:00Z", 3),
                ("2026-07-30T12:30:00Z", 1),
                ("2026-07-30T13:00:00Z", 3),
                ("2026-07-31T12:15:00Z", 1),
                ("2026-07-31T12:30:00Z", 0),
                ("2026-07-31T17:00:00Z", 0),
            ],
        );
    }

    #[test]
    fn an_hour_that_is_skipped_is_the_moment_of_the_skip() {
        // Berlin, 2026-03-29: at 01:00Z clocks go from 02:00 to 03:00.
        let sunday = [Weekday::Sunday];
        check(
            &[window(&sunday, "02:30", "04:00", "Europe/Berlin", 2)],
            &[("2026-03-29T00:59:59Z", 0), ("2026-03-29T01:00:00Z", 2), ("2026-03-29T02:00:00Z", 0)],
        );
        check(
            &[window(&sunday, "01:00", "02:00", "Europe/Berlin", 2)],
            &[("2026-03-29T00:00:00Z", 2), ("2026-03-29T00:59:59Z", 2), ("2026-03-29T01:00:00Z", 0)],
        );
        // All of it is skipped: it holds at no moment.
        check(
            &[window(&sunday, "02:00", "03:00", "Europe/Berlin", 2)],
            &[("2026-03-29T00:59:59Z", 0), ("2026-03-29T01:00:00Z", 0), ("2026-03-29T01:30:00Z", 0)],
        );
        // Samoa had no 30 December 2011.
        check(
            &[window(&[Weekday::Friday], "08:00", "18:00", "Pacific/Apia", 2)],
            &[("2011-12-30T05:00:00Z", 0), ("2011-12-30T10:00:00Z", 0), ("2011-12-30T22:00:00Z", 0)],
        );
    }

    #[test]
    fn an_hour_that_comes_twice_is_in_the_window_twice() {
        // Berlin, 2026-10-25: at 01:00Z clocks go from 03:00 back to 02:00.
        let sunday = [Weekday::Sunday];
        check(
            &[window(&sunday, "02:15", "02:45", "Europe/Berlin", 2)],
            &[
                ("2026-10-25T00:14:59Z", 0),
                ("2026-10-25T00:15:00Z", 2),
                ("2026-10-25T00:59:59Z", 2),
                ("2026-10-25T01:00:00Z", 2),
                ("2026-10-25T01:44:59Z", 2),
                ("2026-10-25T01:45:00Z", 0),
            ],
        );
        // Where the day before comes again: in Newfoundland clocks went from 00:01 back to 23:01 of the Saturday, at 02:31Z.
        check(
            &[window(&sunday, "00:00", "01:00", "America/St_Johns", 2)],
            &[
                ("2010-11-07T02:29:59Z", 0),
                ("2010-11-07T02:30:00Z", 2),
                ("2010-11-07T03:00:00Z", 2),
                ("2010-11-07T04:29:59Z", 2),
                ("2010-11-07T04:30:00Z", 0),
            ],
        );
    }

    #[test]
    fn without_windows_nothing_ever_changes() {
        let schedule = Schedule::default();
        assert_eq!((schedule.count(4, at("2026-07-31T00:00:00Z")), schedule.next_change(Timestamp::MIN)), (4, None));
    }

    #[test]
    fn the_ends_of_all_time_are_no_trouble() {
        let schedule = Schedule { windows: vec![window(&WORKDAYS, "08:00", "07:00", "UTC", 3)] };
        for end in [Timestamp::MIN, Timestamp::MAX] {
            let _ = (schedule.count(0, end), schedule.next_change(end));
        }
    }

    #[test]
    fn what_no_clock_shows_is_no_time_of_day() {
        assert_eq!(OfDay::new(24, 0).map(OfDay::parts), Some((24, 0)));
        for (hour, minute) in [(24, 1), (25, 0), (0, 60), (u16::MAX, 0)] {
            assert_eq!(OfDay::new(hour, minute), None, "{hour}:{minute}");
        }
    }
}

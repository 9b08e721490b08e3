//! How long a forge takes to answer, lately: what was under way when something was answered may take as long again.

use std::time::Duration;

use crate::time::Tick;

/// What counts as lately: the slowest answer is remembered for one to two such spans.
const SPAN: Duration = Duration::from_mins(1);

/// The slowest answers of the current span and of the one before. Calls that were given up are no answers: what they did
/// shows in listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AnswerTimes {
    /// When the current span began.
    since: Tick,
    slowest: Duration,
    before: Duration,
}

impl AnswerTimes {
    /// Takes note of an answer.
    pub(crate) fn note(&mut self, took: Duration, now: Tick) {
        if now.since(self.since) >= SPAN {
            *self = Self { since: now, slowest: Duration::ZERO, before: self.slowest(now) };
        }
        self.slowest = self.slowest.max(took);
    }

    /// The slowest lately.
    pub fn slowest(&self, now: Tick) -> Duration {
        match now.since(self.since) {
            passed if passed < SPAN => self.slowest.max(self.before),
            passed if passed < SPAN * 2 => self.slowest,
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_answer_is_remembered_for_one_to_two_minutes() {
        let seconds = Duration::from_secs;
        let at = |seconds: u64| Tick(seconds * 1_000);
        let mut times = AnswerTimes::default();
        times.note(seconds(4), at(100));
        times.note(seconds(1), at(101));
        assert_eq!(times.slowest(at(159)), seconds(4));
        assert_eq!(times.slowest(at(219)), seconds(4));
        assert_eq!(times.slowest(at(220)), seconds(0), "without any answer it is forgotten too");
        times.note(seconds(1), at(170));
        assert_eq!(times.slowest(at(229)), seconds(4));
        times.note(seconds(1), at(231));
        assert_eq!(times.slowest(at(231)), seconds(1));
    }
}

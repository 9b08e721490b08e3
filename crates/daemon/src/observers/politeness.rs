//! Politeness: the slower a forge answers, the less often it is asked.
//!
//! What counts is what its answers usually take. One that is slow by chance (a restart, a backup, a paused machine) must
//! not keep us away: jobs would wait for nothing.

use std::collections::VecDeque;
use std::time::Duration;

/// Never more than 2 % of the server's time: the pause is at least this many times its answer time (design section 8).
const POLITENESS: u32 = 50;

/// The longest pause for politeness' sake.
const LONGEST: Duration = Duration::from_mins(1);

/// How many answers tell what is usual.
const ANSWERS: usize = 5;

/// Before so many answers nothing is usual: the first one opens the connection.
const FEWEST: usize = 3;

/// What the latest answers took.
#[derive(Debug, Default)]
pub(super) struct Politeness {
    latest: VecDeque<Duration>,
}

impl Politeness {
    /// Takes note of what an answer took.
    pub(super) fn answered(&mut self, took: Duration) {
        if self.latest.len() == ANSWERS {
            self.latest.pop_front();
        }
        self.latest.push_back(took);
    }

    /// The shortest pause that is polite: by the middle one of the latest answers.
    pub(super) fn pause(&self) -> Duration {
        if self.latest.len() < FEWEST {
            return Duration::ZERO;
        }
        let mut sorted: Vec<Duration> = self.latest.iter().copied().collect();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) / 2].saturating_mul(POLITENESS).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause_after(answers: &[u64]) -> Duration {
        let mut politeness = Politeness::default();
        for took in answers {
            politeness.answered(Duration::from_millis(*took));
        }
        politeness.pause()
    }

    #[test]
    fn a_forge_that_is_always_slow_is_asked_less_often() {
        assert_eq!(pause_after(&[200, 200, 200]), Duration::from_secs(10));
        assert_eq!(pause_after(&[5, 5, 5, 5, 5, 200, 200, 200]), Duration::from_secs(10));
        assert_eq!(pause_after(&[9_000; 5]), LONGEST);
    }

    #[test]
    fn one_slow_answer_changes_nothing() {
        assert_eq!(pause_after(&[3_000]), Duration::ZERO);
        assert_eq!(pause_after(&[3_000, 5, 5]), Duration::from_millis(250));
        assert_eq!(pause_after(&[5, 5, 5, 5, 4_000]), Duration::from_millis(250));
    }
}

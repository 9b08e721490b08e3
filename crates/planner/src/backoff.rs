//! Growing spans between tries, each a little different for each thing, so that a crowd does not come back at once.

use std::time::Duration;

use crate::error_class::{ErrorClass, Failure};
use crate::policy::Limits;
use crate::sabotage::{self, Sabotage};
use crate::time::millis;

/// The span before the next try after `failures` failures: `first`, doubling up to `most`, times 0.75 to 1.25. The jitter
/// is drawn from `whose`, so that the same decision made twice is the same.
pub(crate) fn backoff(first: Duration, most: Duration, failures: u32, whose: &str) -> Duration {
    if sabotage::is(Sabotage::NoBackoff) {
        return Duration::ZERO;
    }
    let doublings = failures.saturating_sub(1).min(20);
    let span = first.saturating_mul(1 << doublings).min(most);
    let spread = 750 + hash(whose, failures) % 501;
    Duration::from_millis(millis(span).saturating_mul(spread) / 1000)
}

/// The span before the next call after `failures` failed ones, no shorter than the last of them asks for.
pub(crate) fn after_failure(limits: &Limits, failures: u32, last: &Failure, whose: &str) -> Duration {
    let span = backoff(limits.backoff, limits.backoff_max, failures, whose);
    match last.class {
        ErrorClass::RateLimited { retry_after: Some(retry_after) } => span.max(retry_after),
        ErrorClass::RateLimited { retry_after: None }
        | ErrorClass::Capacity
        | ErrorClass::Quota
        | ErrorClass::Auth
        | ErrorClass::Forbidden
        | ErrorClass::Permanent
        | ErrorClass::Transient
        | ErrorClass::NotFound => span,
    }
}

/// FNV-1a: spreads well enough for jitter and is the same for ever.
fn hash(text: &str, salt: u32) -> u64 {
    text.bytes()
        .chain(salt.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_most_and_spreads_by_a_quarter() {
        let (first, most) = (Duration::from_secs(30), Duration::from_mins(10));
        for (failures, expected) in [(0, 30), (1, 30), (2, 60), (3, 120), (6, 600), (60, 600)] {
            let span = backoff(first, most, failures, "h").as_secs_f64();
            assert!((0.75..=1.25).contains(&(span / f64::from(expected))), "{failures}: {span}");
        }
        assert_ne!(backoff(first, most, 1, "a"), backoff(first, most, 1, "b"));
    }
}

//! The forge's clock against ours. Decisions use neither (they count monotonic time), but people lay logs of both side by
//! side, and certificates are judged by it.

use std::time::{Duration, SystemTime};

use super::finding::Finding;

/// A difference that nobody should have to do sums with when reading logs.
const DOUBTFUL: Duration = Duration::from_secs(30);

/// Judges what the forge's clock showed in an answer that was asked for and came at these moments of ours. The answer has
/// whole seconds: up to one more may have passed.
pub(super) fn judged(subject: &str, forge: SystemTime, asked: SystemTime, answered: SystemTime) -> Option<Finding> {
    let latest = forge + Duration::from_secs(1);
    let (difference, direction) = match (asked.duration_since(latest), forge.duration_since(answered)) {
        (Ok(behind), _) => (behind, "behind"),
        (_, Ok(ahead)) => (ahead, "ahead of"),
        _ => return None,
    };
    (difference >= DOUBTFUL).then(|| {
        let message = format!("its clock is {} s {direction} this machine's", difference.as_secs());
        Finding::warning(subject, message).hint("let both take their time from the same source (NTP)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_difference_that_cannot_be_the_way_of_the_answer_is_told() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + seconds);
        let said = |forge, asked, answered| judged("forge", forge, asked, answered).map(|finding| finding.message);
        assert_eq!(said(at(0), at(0), at(0)), None);
        assert_eq!(said(at(50), at(0), at(60)), None, "somewhere on a slow way");
        assert_eq!(said(at(0), at(30), at(40)), None);
        assert_eq!(said(at(0), at(31), at(40)).unwrap(), "its clock is 30 s behind this machine's");
        assert_eq!(said(at(70), at(0), at(40)).unwrap(), "its clock is 30 s ahead of this machine's");
    }
}

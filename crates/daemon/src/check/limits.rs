//! Whether limits of machines can hold here, in the words of a start that refuses them.
//!
//! Whether the daemon may use what the kernel has is not seen from here: a service gets its own group and rights
//! (`Delegate=yes`), and whoever runs `check` has others.

use backend_host::{HostError, Limits, limits_hindrance};

use super::finding::Finding;
use crate::chain;

/// What is said about limits; nothing when none is set.
pub(super) fn check(subject: &str, limits: &Limits) -> Option<Finding> {
    (*limits != Limits::default()).then(|| judged(subject, limits_hindrance(limits)))
}

fn judged(subject: &str, hindrance: Option<HostError>) -> Finding {
    match hindrance {
        None => {
            Finding::ok(subject, "the kernel can hold the limits of machines; a service needs Delegate=yes for them")
        }
        Some(error) => {
            let finding = Finding::error(subject, chain(&error));
            error.hint().into_iter().fold(finding, Finding::hint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn limits_that_a_start_would_refuse_are_an_error_in_its_words() {
        assert_eq!(check("backend", &Limits::default()), None);
        assert_eq!(judged("backend", None).verdict, Verdict::Ok);
        let refused = judged("backend", Some(HostError::NoLimits { reason: "no controller pids".to_owned() }));
        assert_eq!(refused.verdict, Verdict::Error);
        assert_eq!(refused.message, "memory, cpus or pids cannot be limited here: no controller pids");
        assert!(check("backend", &Limits { pids: Some(64), ..Limits::default() }).is_some());
    }
}

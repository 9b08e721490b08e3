//! Whether limits of machines can hold here: the kernel must have control groups of version 2 with the controllers.
//!
//! Whether the daemon may use them is not seen from here: a service gets its own group and rights (`Delegate=yes`), and
//! whoever runs `check` has others.

use backend_host::{Limits, lacking_controllers, offered_controllers};

use super::finding::Finding;

/// What is said about limits; nothing when none is set.
pub(super) fn check(subject: &str, limits: &Limits) -> Option<Finding> {
    let wanted = limits.controllers();
    if wanted.is_empty() {
        return None;
    }
    Some(judged(subject, &wanted, &offered_controllers()))
}

fn judged(subject: &str, wanted: &[&str], offered: &str) -> Finding {
    let missing = lacking_controllers(wanted, offered);
    if missing.is_empty() {
        return Finding::ok(subject, "the kernel can hold the limits of machines; the service needs Delegate=yes");
    }
    let message =
        format!("the limits of machines cannot hold: control groups of version 2 lack here: {}", missing.join(", "));
    Finding::error(subject, message)
        .hint("boot with systemd.unified_cgroup_hierarchy=1, or take memory, cpus and pids out of the backend")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn each_limit_needs_its_controller() {
        assert_eq!(check("backend", &Limits::default()), None);
        assert_eq!(judged("backend", &["memory", "pids"], "cpu io memory pids\n").verdict, Verdict::Ok);
        let lacking = judged("backend", &["memory", "pids"], "memory\n");
        assert!(lacking.verdict == Verdict::Error && lacking.message.ends_with("lack here: pids"), "{lacking:?}");
        assert_eq!(judged("backend", &["cpu"], "cpuset").verdict, Verdict::Error);
    }
}

//! What labels with the schema `lxc` need: Forgejo Runner makes such a container itself, as root and with the LXC tools.
//!
//! Deliberately absent: whether LXC works here. Only a job shows that.

use std::path::Path;

use backend_host::RunAs;
use planner::label::Environment;

use super::finding::Finding;
use crate::config::{HostSettings, Pool};

/// One of the LXC tools.
const TOOL: &str = "lxc-create";

/// Says what is known; nothing where no label needs it.
pub(super) fn check<'a>(subject: &str, host: &HostSettings, pools: impl Iterator<Item = &'a Pool>) -> Option<Finding> {
    let mut labels = pools.flat_map(|pool| &pool.policy.labels);
    let label = labels.find(|label| matches!(label.environment(), Environment::Lxc(_)))?;
    let is_root = host.run_as == RunAs::Daemon && rustix::process::geteuid().is_root();
    let has_tool = host.path.split(':').any(|place| Path::new(place).join(TOOL).is_file());
    Some(judged(subject, label.name(), is_root, has_tool))
}

fn judged(subject: &str, label: &str, is_root: bool, has_tool: bool) -> Finding {
    let needs = format!("the label {label} needs LXC");
    let elsewhere =
        "install LXC and serve the label by a backend of its own with user = \"root\", or use docker:// or host";
    if !has_tool {
        return Finding::error(subject, format!("{needs}, and there is no {TOOL} on the PATH of runners"))
            .hint(elsewhere);
    }
    if !is_root {
        let message = format!("{needs}, for which runners must be root or become it by sudo without a password");
        return Finding::warning(subject, message).hint(elsewhere);
    }
    Finding::warning(subject, format!("{needs}, and whether that works here is not looked at"))
        .hint("run one job with the label before you rely on it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn lxc_needs_root_and_its_tools_and_is_never_vouched_for() {
        let judged = |is_root, has_tool| judged("backend", "vm", is_root, has_tool);
        assert!(judged(false, true).message.contains("must be root"));
        assert!(judged(true, false).message.contains("lxc-create"));
        let verdicts = [judged(true, false), judged(false, true), judged(true, true)].map(|finding| finding.verdict);
        assert_eq!(verdicts, [Verdict::Error, Verdict::Warning, Verdict::Warning]);
    }
}

//! What is left of machines whose supervisor is gone: found and ended by control group, by user, and by marker.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use rustix::process::Signal;

use crate::backend::Host;
use crate::control_group::ControlGroup;
use crate::kept;
use crate::marked;
use crate::process::{self, Process};
use crate::records::MachineRecord;
use crate::shared_places;
use crate::user::User;

/// How often a kill is repeated at once before the next call goes on with it.
const ROUNDS: usize = 50;

/// Between two rounds: what is killed is gone within this, as a rule.
const ROUND: Duration = Duration::from_millis(2);

/// The markers of those among these machines that have a process left.
pub(crate) fn of(host: &Host, machines: &[&MachineRecord]) -> io::Result<BTreeSet<String>> {
    let mut left = BTreeSet::new();
    let mut unclear = BTreeSet::new();
    for record in machines {
        let marker = host.marker(&record.name);
        let populated = host.control_group(record).map_or(Ok(false), |group| group.is_populated())?;
        let known = if populated { &mut left } else { &mut unclear };
        known.insert(marker);
    }
    left.extend(marked::find(&unclear)?.into_keys());
    for record in machines {
        let marker = host.marker(&record.name);
        if !left.contains(&marker) && !of_own_user(host, record)?.is_empty() {
            left.insert(marker);
        }
    }
    Ok(left)
}

/// Kills every process that is left of a machine. True if none was left at the end.
pub(crate) fn kill(host: &Host, record: &MachineRecord) -> io::Result<bool> {
    let group = host.control_group(record);
    for _ in 0..ROUNDS {
        if let Some(group) = &group {
            group.kill()?;
        }
        let users = of_own_user(host, record)?;
        for process in &users {
            process.signal(Signal::KILL)?;
        }
        let unmarked = marked::kill(&host.marker(&record.name))?;
        let populated = group.as_ref().map_or(Ok(false), ControlGroup::is_populated)?;
        if users.is_empty() && unmarked && !populated {
            return Ok(true);
        }
        std::thread::sleep(ROUND);
    }
    Ok(false)
}

/// The living processes of the user that only this machine has. (Those of another deployment are not known here.)
fn of_own_user(host: &Host, record: &MachineRecord) -> io::Result<Vec<Process>> {
    own_user(host, record).map_or_else(|| Ok(Vec::new()), |user| process::of_user(user.uid))
}

/// Removes what the user of a machine left in places that all users share, when nothing of the machine runs any more. False
/// if there is more to do in another call.
pub(crate) fn clear_shared_places(host: &Host, record: &MachineRecord) -> bool {
    own_user(host, record).is_none_or(shared_places::clear)
}

/// The user that this machine alone has; none where that is not certain. A machine made under an earlier configuration may
/// have the same one, and so may one whose record cannot be read: then what is whose cannot be told by user.
fn own_user<'a>(host: &Host, record: &'a MachineRecord) -> Option<&'a User> {
    let user = record.user.as_ref().filter(|user| record.own_user && !user.is_root() && !user.is_ours())?;
    let others = kept::users(&host.settings.directory, Some(&record.name)).ok()?;
    (!others.contains(&user.uid)).then_some(user)
}

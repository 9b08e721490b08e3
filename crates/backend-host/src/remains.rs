//! What is left of machines whose supervisor is gone: found and ended by control group, by user, and by marker.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use rustix::process::Signal;

use crate::backend::Host;
use crate::control_group::ControlGroup;
use crate::kept;
use crate::marked;
use crate::process;
use crate::records::MachineRecord;
use crate::shared_places;
use crate::user::User;
use crate::user_claim::{MOMENT, UserClaim};

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
        if !left.contains(&marker) && has_process_of_own_user(host, record)? {
            left.insert(marker);
        }
    }
    Ok(left)
}

/// Kills every process that is left of a machine. True if none was left at the end.
pub(crate) fn kill(host: &Host, record: &MachineRecord) -> io::Result<bool> {
    let group = host.control_group(record);
    let _choosing = host.choosing();
    let user = claimed(own_user(host, record))?;
    for _ in 0..ROUNDS {
        if let Some(group) = &group {
            group.kill()?;
        }
        let users = user.as_ref().map_or_else(|| Ok(Vec::new()), |(user, _)| process::of_user(user.uid))?;
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

/// Whether a process is left of the user that only this machine has. Claims it only for as long as it looks, and only when
/// there is a process, which is rare.
fn has_process_of_own_user(host: &Host, record: &MachineRecord) -> io::Result<bool> {
    let Some(user) = own_user(host, record) else { return Ok(false) };
    if process::of_user(user.uid)?.is_empty() {
        return Ok(false);
    }
    // Not while another call of ours has the claim.
    let _choosing = host.choosing();
    let claimed = claimed(Some(user))?;
    Ok(claimed.is_some() && !process::of_user(user.uid)?.is_empty())
}

/// Removes what the user of a machine left in places that all users share, when nothing of the machine runs any more. False
/// if there is more to do in another call.
pub(crate) fn clear_shared_places(host: &Host, record: &MachineRecord) -> io::Result<bool> {
    let _choosing = host.choosing();
    let user = claimed(own_user(host, record))?;
    Ok(user.is_none_or(|(user, _)| shared_places::clear(user)))
}

/// A user with the claim on it; none where another machine on this host has it by now.
fn claimed(user: Option<&User>) -> io::Result<Option<(&User, UserClaim)>> {
    let Some(user) = user else { return Ok(None) };
    Ok(UserClaim::of(user.uid, MOMENT)?.map(|claim| (user, claim)))
}

/// The user that only this machine of its directory has; none where that is not certain. A machine made under an earlier
/// configuration may have the same one, and so may one whose record cannot be read: then what is whose cannot be told by
/// user.
fn own_user<'a>(host: &Host, record: &'a MachineRecord) -> Option<&'a User> {
    let user = record.user.as_ref().filter(|user| record.own_user && !user.is_root() && !user.is_ours())?;
    let others = kept::users(&host.settings.directory, Some(&record.name)).ok()?;
    (!others.contains(&user.uid)).then_some(user)
}

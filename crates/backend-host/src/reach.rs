//! That another user can reach the folders of its machines, and only pass through the rest.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::error::{At as _, HostError};
use crate::settings::{HostSettings, RunAs};
use crate::user::User;

/// Opens the directory to be passed through, and checks the way to it.
pub(crate) fn prepare(settings: &HostSettings) -> Result<(), HostError> {
    let users = match &settings.run_as {
        RunAs::Daemon => return Ok(()),
        RunAs::One(user) => std::slice::from_ref(user),
        RunAs::OnePerMachine(users) => users,
    };
    if let Some(user) = users.iter().find(|user| !user.is_ours())
        && !rustix::process::geteuid().is_root()
    {
        return Err(HostError::CannotSwitch { user: user.name.clone() });
    }
    let directory = &settings.directory;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o711)).at(directory)?;
    for user in users.iter().filter(|user| !user.is_root()) {
        for folder in directory.ancestors() {
            if !may_enter(user, folder)? {
                return Err(HostError::Unreachable { user: user.name.clone(), path: folder.to_owned() });
            }
        }
    }
    Ok(())
}

/// By the mode alone: lists of further rights are not looked at.
fn may_enter(user: &User, folder: &Path) -> Result<bool, HostError> {
    let metadata = fs::metadata(folder).at(folder)?;
    let mode = metadata.mode();
    let bit = if metadata.uid() == user.uid {
        0o100
    } else if metadata.gid() == user.gid || user.groups.contains(&metadata.gid()) {
        0o010
    } else {
        0o001
    };
    Ok(mode & bit != 0)
}

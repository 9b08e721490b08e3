//! That another user can reach the folders of its machines, and only pass through the rest.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::error::{At as _, HostError};
use crate::settings::HostSettings;

/// Opens the directory to be passed through, and checks the way to it.
pub(crate) fn prepare(settings: &HostSettings) -> Result<(), HostError> {
    let users = settings.run_as.users();
    if users.is_empty() {
        return Ok(());
    }
    if let Some(user) = users.iter().find(|user| !user.is_ours())
        && !rustix::process::geteuid().is_root()
    {
        return Err(HostError::CannotSwitch { user: user.name.clone() });
    }
    let directory = &settings.directory;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o711)).at(directory)?;
    for user in users {
        if let Some(folder) = user.closed(directory).at(directory)? {
            return Err(HostError::Unreachable { user: user.name.clone(), path: folder.to_owned() });
        }
    }
    Ok(())
}

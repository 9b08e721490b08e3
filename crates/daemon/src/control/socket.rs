//! Where the socket is, without the kernel's limit on its path.
//!
//! A socket's address has room for 108 bytes of path (`unix(7)`), and state directories may be deeper than that. So the
//! directory is opened and the socket is named through `/proc/self/fd`, which is always short.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::NAME;

/// Listens, in the place of a socket that an earlier daemon has left. Only whoever holds the directory's lock may.
pub(super) fn bind(directory: &Path) -> io::Result<UnixListener> {
    let (_folder, short) = short(directory)?;
    match fs::remove_file(&short) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&short)?;
    fs::set_permissions(&short, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Connects to the daemon that listens there.
pub(super) fn connect(directory: &Path) -> io::Result<UnixStream> {
    let (_folder, short) = short(directory)?;
    UnixStream::connect(short)
}

/// The socket's path for as long as the directory is held open.
fn short(directory: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let folder = rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()));
    Ok((folder, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_any_depth_has_a_socket_that_is_ours_alone() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("d".repeat(200));
        fs::create_dir(&deep).unwrap();
        for _ in 0..2 {
            let listener = bind(&deep).unwrap();
            assert_eq!(fs::metadata(deep.join(NAME)).unwrap().permissions().mode() & 0o777, 0o600);
            connect(&deep).unwrap();
            drop(listener);
            assert_eq!(
                connect(&deep).unwrap_err().kind(),
                io::ErrorKind::ConnectionRefused,
                "it is left, and replaced"
            );
        }
    }
}

//! How much room the disk of an engine has. That is seen where the engine keeps its files on this host, and nowhere else.

use std::path::PathBuf;

use crate::address::Address;
use crate::backend::Docker;
use crate::error::DockerError;

/// The disk of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Where the engine keeps images and containers.
    pub folder: PathBuf,
    /// How many bytes are free there.
    pub free_bytes: u64,
}

impl Disk {
    /// The disk on which an engine keeps its files; none where that is on another host, as far as can be told.
    pub(crate) fn of_engine(address: &Address, folder: Option<String>) -> Option<Self> {
        let folder = folder.filter(|_| address.socket().is_some())?;
        Self::of(folder.into())
    }

    fn of(folder: PathBuf) -> Option<Self> {
        let about = rustix::fs::statvfs(&folder).ok()?;
        Some(Self { folder, free_bytes: about.f_bavail.saturating_mul(about.f_frsize) })
    }
}

/// Looks at it.
pub(crate) async fn look(docker: &Docker) -> Result<Option<Disk>, DockerError> {
    let engine = &docker.engine;
    let said = engine.call("describe itself", engine.client().await?.info()).await?;
    Ok(Disk::of_engine(&docker.settings.address, said.docker_root_dir))
}

/// A size for people: `3.2 GiB`.
pub fn shown_bytes(bytes: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB")] {
        if bytes >= unit {
            return format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit);
        }
    }
    format!("{} KiB", bytes >> 10)
}

/// Whether a disk is nearly full, with a little between the two, so that not every megabyte is news.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    is_nearly_full: bool,
}

impl Judged {
    /// What is news of it: that it is nearly full now, or is not any more.
    pub(crate) fn news(&mut self, free_bytes: u64, wanted_bytes: u64) -> Option<bool> {
        let enough = if self.is_nearly_full { wanted_bytes.saturating_add(wanted_bytes / 10) } else { wanted_bytes };
        let is_nearly_full = free_bytes < enough;
        let is_news = is_nearly_full != self.is_nearly_full;
        self.is_nearly_full = is_nearly_full;
        is_news.then_some(is_nearly_full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_is_told_once_and_so_is_its_end() {
        let mut judged = Judged::default();
        let told: Vec<_> = [200, 99, 50, 105, 99, 111, 105, 99].map(|free| judged.news(free, 100)).into();
        assert_eq!(told, [None, Some(true), None, None, None, Some(false), None, Some(true)]);
        assert_eq!(Judged::default().news(0, 0), None, "nothing wanted is never too little");
    }

    #[test]
    fn room_is_seen_where_the_folder_is_and_shown_in_large_units() {
        assert_eq!(Disk::of("/nowhere/at/all".into()), None);
        let elsewhere = Address::read("tcp://127.0.0.1:2375").unwrap();
        assert_eq!(Disk::of_engine(&elsewhere, Some("/".to_owned())), None);
        assert!(Disk::of("/".into()).is_some_and(|disk| disk.folder.as_os_str() == "/"));
        let shown = [0, 1 << 20, 1_600_000, 3 << 30, (3 << 30) + (1 << 29)].map(shown_bytes);
        assert_eq!(shown, ["0 KiB", "1.0 MiB", "1.5 MiB", "3.0 GiB", "3.5 GiB"]);
    }
}

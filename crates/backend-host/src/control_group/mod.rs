//! Control groups (version 2): limits of a machine, a kill of all that is in its group, and proof that nothing is left.
//!
//! ```text
//! OWN or, if that is called "daemon", the one above
//! ├─ daemon/                  the daemon and the supervisors: moved here when limits need controllers
//! └─ forgescale.DEPLOYMENT/   no process of its own, so that it may hand controllers down
//!    └─ MACHINE/              the runner and all that it starts; never its supervisor
//! ```
//!
//! What keeps a job in its group is that the groups belong to the daemon's user. A job that runs as another user cannot
//! leave it, so the kill misses nothing. One that runs as the daemon's own user can move its processes to any group that
//! the daemon can use, and change its own limits: then parents and markers are what finds them.
//!
//! Without rights, without version 2, or in a mixed hierarchy whose controllers belong to version 1, machines work
//! without: their end is then proven by parents and markers alone. Limits that cannot be set are an error at the start,
//! never ignored.

mod emptied;
mod hierarchy;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use planner::ids::{DeploymentId, MachineName};

use crate::error::{At as _, HostError};
use crate::settings::Limits;
use hierarchy::{base, enabling, hand_down};

pub(crate) use hierarchy::Hierarchy;

/// How often the group of a machine is tried to be made: another machine can take the parent along each time. A try takes
/// microseconds, and a busy host can let many in a row fail.
const TRIES: usize = 1_000;

/// Where the groups of our machines are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ControlGroups {
    /// `forgescale.DEPLOYMENT`.
    parent: PathBuf,
    limits: Limits,
}

impl ControlGroups {
    /// Finds our place in the hierarchy and tries it. An error says, for people, why there can be none.
    pub(crate) fn find(deployment: &DeploymentId, limits: &Limits) -> Result<Self, String> {
        hierarchy::hindrance(&limits.controllers()).map_or(Ok(()), Err)?;
        Self::below(&base()?, deployment, limits)
    }

    fn below(base: &Path, deployment: &DeploymentId, limits: &Limits) -> Result<Self, String> {
        let groups = Self { parent: base.join(parent_name(deployment)), limits: *limits };
        let wanted = limits.controllers();
        if !wanted.is_empty() {
            hand_down(base, &wanted)?;
        }
        groups.make_parent().map_err(|error| {
            format!("cannot make a control group in {}: {error} (a service needs Delegate=yes)", base.display())
        })?;
        // Tried; the first machine makes it again.
        let _ = fs::remove_dir(&groups.parent);
        Ok(groups)
    }

    /// The group of a machine of this name, whether there is one or not.
    pub(crate) fn of(&self, name: &MachineName) -> ControlGroup {
        ControlGroup { path: self.parent.join(name.as_str()) }
    }

    fn make_parent(&self) -> io::Result<()> {
        match fs::create_dir(&self.parent) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        match self.limits.controllers().as_slice() {
            [] => Ok(()),
            wanted => fs::write(self.parent.join("cgroup.subtree_control"), enabling(wanted)),
        }
    }

    /// Makes the group of a machine and sets its limits.
    pub(crate) fn make(&self, name: &MachineName) -> Result<ControlGroup, HostError> {
        let group = self.of(name);
        for tried in 1..=TRIES {
            self.make_parent().at(&self.parent)?;
            match fs::create_dir(&group.path) {
                // The machine that was the last one until now has just taken the parent along.
                Err(error) if error.kind() == ErrorKind::NotFound && tried < TRIES => {}
                // Of a machine of this name that is long gone: empty, or creating it would have been refused.
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error).at(&group.path),
                _ => break,
            }
        }
        self.limits.set(&group.path)?;
        Ok(group)
    }
}

/// The group of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ControlGroup {
    path: PathBuf,
}

impl ControlGroup {
    /// The group at a path that can be trusted.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The group that a record names, if it can be that of this machine: a record may have been written by a job.
    pub(crate) fn recorded(
        path: &Path,
        hierarchies: &[Hierarchy],
        deployment: &DeploymentId,
        name: &MachineName,
    ) -> Option<Self> {
        let plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
        let parent = path.parent().and_then(Path::file_name);
        let ours = path.file_name() == Some(OsStr::new(name.as_str()))
            && parent == Some(OsStr::new(&parent_name(deployment)))
            && hierarchies.iter().any(|hierarchy| hierarchy.holds(path));
        (plain && ours).then(|| Self { path: path.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file that a process joins by.
    pub(crate) fn members(&self) -> io::Result<fs::File> {
        fs::File::options().write(true).open(self.path.join("cgroup.procs"))
    }

    /// Whether any process is in it or below. A group that is gone has none.
    pub(crate) fn is_populated(&self) -> io::Result<bool> {
        match fs::read_to_string(self.path.join("cgroup.events")) {
            Ok(events) => Ok(!events.lines().any(|line| line == "populated 0")),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Kills every process in it and below, forks under way included (Linux 5.14; false before). Not those that had the
    /// right to leave it.
    pub(crate) fn kill(&self) -> io::Result<bool> {
        match fs::File::options().write(true).open(self.path.join("cgroup.kill")) {
            Ok(mut file) => io::Write::write_all(&mut file, b"1").map(|()| true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes it with what a job made below. False while something lives in it, or if there is more to do.
    pub(crate) fn remove(&self) -> Result<bool, HostError> {
        if !emptied::empty(&self.path).at(&self.path)? {
            return Ok(false);
        }
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy => return Ok(false),
            Err(error) if !is_gone(&error) => return Err(error).at(&self.path),
            _ => {}
        }
        if let Some(parent) = self.path.parent() {
            // The last machine takes it along; otherwise it is not empty, and the kernel refuses.
            let _ = fs::remove_dir(parent);
        }
        Ok(true)
    }
}

/// Why limits cannot hold on this host, as [`HostBackend::new`](crate::HostBackend::new) would refuse them; nothing if
/// the kernel can hold them, or none is set. Whether the daemon may use what the kernel has is not seen from here: a
/// service gets a group and rights of its own.
pub fn limits_hindrance(limits: &Limits) -> Option<HostError> {
    hierarchy::hindrance(&limits.controllers()).map(|reason| HostError::NoLimits { reason })
}

fn parent_name(deployment: &DeploymentId) -> String {
    format!("forgescale.{deployment}")
}

fn is_gone(error: &io::Error) -> bool {
    // A group that is removed while its file is open answers ENODEV.
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use planner::ids::{DeploymentId, MachineName};

    use super::{ControlGroup, ControlGroups, hierarchy};
    use crate::settings::Limits;

    #[test]
    fn limits_are_written_as_the_kernel_reads_them() {
        let place = tempfile::tempdir().unwrap();
        for file in ["memory.max", "memory.swap.max", "cpu.max", "pids.max"] {
            fs::write(place.path().join(file), "max").unwrap();
        }
        let limits = Limits { memory_bytes: Some(4 << 30), cpu_quota_us: Some(250_000), pids: Some(4096) };
        limits.set(place.path()).unwrap();
        let read = |file: &str| fs::read_to_string(place.path().join(file)).unwrap();
        assert_eq!([read("memory.max"), read("memory.swap.max")], ["4294967296", "0"]);
        assert_eq!([read("cpu.max"), read("pids.max")], ["250000 100000", "4096"]);
        assert_eq!(limits.controllers(), ["memory", "cpu", "pids"]);
        // A kernel without accounting of swap has no such file, and nothing to limit.
        fs::remove_file(place.path().join("memory.swap.max")).unwrap();
        limits.set(place.path()).unwrap();
        fs::remove_file(place.path().join("pids.max")).unwrap();
        assert!(limits.set(place.path()).is_err(), "a limit that is not there is no limit");
    }

    #[test]
    fn a_group_is_made_while_another_machine_takes_the_parent_along() {
        let place = tempfile::tempdir().unwrap();
        // Plain directories behave as groups do here.
        let groups = ControlGroups { parent: place.path().join("forgescale.a"), limits: Limits::default() };
        std::thread::scope(|scope| {
            for name in ["fs-1", "fs-2"] {
                let groups = &groups;
                scope.spawn(move || {
                    for _ in 0..500 {
                        assert!(groups.make(&MachineName::new(name)).unwrap().remove().unwrap());
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_record_cannot_name_a_foreign_group() {
        let (deployment, name) = (DeploymentId::new("a"), MachineName::new("fs-1"));
        let hierarchies = hierarchy::mounted("30 23 0:26 / /run/groups rw - cgroup2 cgroup2 rw\n");
        let recorded = |path: &str| ControlGroup::recorded(Path::new(path), &hierarchies, &deployment, &name).is_some();
        assert!(recorded("/run/groups/x.service/forgescale.a/fs-1"));
        for foreign in [
            "/run/groups/x.service/forgescale.b/fs-1",
            "/run/groups/x.service/forgescale.a/fs-2",
            "/run/groups/x.service/forgescale.a",
            "/run/groups-of-others/forgescale.a/fs-1",
            "/sys/fs/cgroup/forgescale.a/fs-1",
            "/run/groups/../../home/forgescale.a/fs-1",
        ] {
            assert!(!recorded(foreign), "{foreign}");
        }
    }
}

//! Control groups (version 2): limits of a machine, a kill that nothing escapes, and proof that nothing is left.
//!
//! ```text
//! OWN or, if that is called "daemon", the one above
//! ├─ daemon/                  the daemon and the supervisors: moved here when limits need controllers
//! └─ forgescale.DEPLOYMENT/   no process of its own, so that it may hand controllers down
//!    └─ MACHINE/              the runner and all that it starts; never its supervisor
//! ```
//!
//! Without rights, without version 2, or in a mixed hierarchy whose controllers belong to version 1, machines work
//! without: their end is then proven by parents and markers alone. Limits that cannot be set are an error at the start,
//! never ignored.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use planner::ids::{DeploymentId, MachineName};

use crate::error::{At as _, HostError};
use crate::settings::Limits;

/// The leaf for the daemon. systemd is told the same name: `DelegateSubgroup=daemon`.
const LEAF: &str = "daemon";

/// The file of a group that lists the controllers that it can use.
const CONTROLLERS: &str = "cgroup.controllers";

/// How deep groups below a machine's are removed: a job may make some of its own.
const DEPTH: usize = 16;

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
        let read = |file: &str| fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"));
        let base = base(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?)?;
        Self::below(&base, deployment, limits)
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
        if wanted.is_empty() {
            // Tried; the first machine makes it again.
            let _ = fs::remove_dir(&groups.parent);
        }
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
        for is_last in [false, true] {
            self.make_parent().at(&self.parent)?;
            match fs::create_dir(&group.path) {
                // The machine that was the last one until now has just taken the parent along.
                Err(error) if error.kind() == ErrorKind::NotFound && !is_last => {}
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
    pub(crate) fn recorded(path: &Path, deployment: &DeploymentId, name: &MachineName) -> Option<Self> {
        let plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
        let parent = path.parent().and_then(Path::file_name);
        let ours = path.file_name() == Some(OsStr::new(name.as_str()))
            && parent == Some(OsStr::new(&parent_name(deployment)))
            && path.starts_with("/sys/fs/cgroup");
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

    /// Kills every process in it and below, forks under way included (Linux 5.14; false before).
    pub(crate) fn kill(&self) -> io::Result<bool> {
        match fs::File::options().write(true).open(self.path.join("cgroup.kill")) {
            Ok(mut file) => io::Write::write_all(&mut file, b"1").map(|()| true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes it with what a job made below. False while something lives in it.
    pub(crate) fn remove(&self) -> Result<bool, HostError> {
        let removed = remove(&self.path, DEPTH).at(&self.path)?;
        if let Some(parent) = self.path.parent().filter(|_| removed) {
            // The last machine takes it along; otherwise it is not empty, and the kernel refuses.
            let _ = fs::remove_dir(parent);
        }
        Ok(removed)
    }
}

fn parent_name(deployment: &DeploymentId) -> String {
    format!("forgescale.{deployment}")
}

fn is_gone(error: &io::Error) -> bool {
    // A group that is removed while its file is open answers ENODEV.
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}

fn remove(path: &Path, depth: usize) -> io::Result<bool> {
    let entries = match fs::read_dir(path) {
        Err(error) if is_gone(&error) => return Ok(true),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if depth > 0 && entry.file_type()?.is_dir() && !remove(&entry.path(), depth - 1)? {
            return Ok(false);
        }
    }
    match fs::remove_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if is_gone(&error) => Ok(true),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => Ok(false),
        Err(error) => Err(error),
    }
}

/// The controllers of version 2 that the kernel offers here, as `cgroup.controllers` lists them; none without the hierarchy.
pub fn offered_controllers() -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let listed = mounted(&mounts).map(|(_, mount)| fs::read_to_string(Path::new(mount).join(CONTROLLERS)));
    listed.and_then(Result::ok).unwrap_or_default()
}

/// Those of the wanted controllers that are not listed, in the way of `cgroup.controllers`.
pub fn lacking_controllers<'a>(wanted: &[&'a str], listed: &str) -> Vec<&'a str> {
    wanted.iter().copied().filter(|name| !listed.split_whitespace().any(|listed| listed == *name)).collect()
}

/// Which group is mounted as the hierarchy of version 2, and where (`proc_pid_mountinfo(5)`).
fn mounted(mounts: &str) -> Option<(&str, &str)> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let fields: Vec<&str> = before.split(' ').collect();
        (after.split(' ').next() == Some("cgroup2")).then(|| Some((*fields.get(3)?, *fields.get(4)?))).flatten()
    })
}

/// Below which group ours are made, from `/proc/self/mountinfo` and `/proc/self/cgroup` (cgroups(7)).
fn base(mounts: &str, own: &str) -> Result<PathBuf, String> {
    let (root, mount) = mounted(mounts).ok_or("control groups of version 2 are not mounted")?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::"));
    let own = own.ok_or("this process is in no control group of version 2")?;
    // What is mounted may itself be a group further down, in a container.
    let own = own.strip_prefix(root.trim_end_matches('/')).unwrap_or(own).trim_start_matches('/');
    let own = Path::new(mount).join(own);
    let above = own.parent().filter(|_| own.file_name() == Some(OsStr::new(LEAF)));
    Ok(above.map_or_else(|| own.clone(), Path::to_owned))
}

fn enabling(controllers: &[&str]) -> String {
    controllers.iter().map(|name| format!("+{name}")).collect::<Vec<_>>().join(" ")
}

/// Lets the groups below use these controllers. The kernel wants a group that hands controllers down to have no processes
/// of its own, so this process goes to a leaf; with others in the group, it is not ours to empty.
fn hand_down(base: &Path, wanted: &[&str]) -> Result<(), String> {
    let failed = |doing: &str, error: &io::Error| format!("cannot {doing} in {}: {error}", base.display());
    let available = fs::read_to_string(base.join(CONTROLLERS));
    let available = available.map_err(|error| failed("read cgroup.controllers", &error))?;
    let missing = lacking_controllers(wanted, &available);
    if !missing.is_empty() {
        return Err(format!(
            "{} has no controller {} (a service needs Delegate=yes; in a mixed hierarchy version 1 has it)",
            base.display(),
            missing.join(", ")
        ));
    }
    let enabled = fs::read_to_string(base.join("cgroup.subtree_control")).unwrap_or_default();
    if lacking_controllers(wanted, &enabled).is_empty() {
        return Ok(());
    }
    step_aside(base)?;
    fs::write(base.join("cgroup.subtree_control"), enabling(wanted))
        .map_err(|error| failed("hand down controllers", &error))
}

fn step_aside(base: &Path) -> Result<(), String> {
    let members = fs::read_to_string(base.join("cgroup.procs"));
    let members = members.map_err(|error| format!("cannot read {}: {error}", base.join("cgroup.procs").display()))?;
    let own = rustix::process::getpid().as_raw_nonzero().get().to_string();
    let others: Vec<&str> = members.lines().filter(|id| *id != own).collect();
    // The root of the hierarchy is exempt from the rule, and full of others.
    if base.join("cgroup.type").exists() && !others.is_empty() {
        return Err(format!(
            "{} holds other processes too ({} of them), so it cannot hand down limits: run as a service with Delegate=yes",
            base.display(),
            others.len()
        ));
    }
    if members.lines().all(|id| id != own) || !base.join("cgroup.type").exists() {
        return Ok(());
    }
    let leaf = base.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(format!("cannot make {}: {error}", leaf.display()));
        }
        _ => {}
    }
    fs::write(leaf.join("cgroup.procs"), own).map_err(|error| format!("cannot move to {}: {error}", leaf.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use planner::ids::{DeploymentId, MachineName};

    use super::{ControlGroup, base, hand_down};
    use crate::settings::Limits;

    const UNIFIED: &str =
        "24 1 0:21 / /proc rw - proc proc rw\n30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
    const MIXED: &str = "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        31 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const CONTAINER: &str = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";

    #[test]
    fn our_place_is_found_in_each_kind_of_hierarchy() {
        let service = "0::/system.slice/forgescale.service\n";
        for (mounts, own, expected) in [
            (UNIFIED, service, "/sys/fs/cgroup/system.slice/forgescale.service"),
            (UNIFIED, "0::/system.slice/forgescale.service/daemon\n", "/sys/fs/cgroup/system.slice/forgescale.service"),
            (MIXED, "4:memory:/a\n0::/\n", "/sys/fs/cgroup/unified"),
            (CONTAINER, "0::/docker/abc/x\n", "/sys/fs/cgroup/x"),
            (CONTAINER, "0::/\n", "/sys/fs/cgroup"),
        ] {
            assert_eq!(base(mounts, own), Ok(PathBuf::from(expected)), "{own}");
        }
        assert!(base("", service).unwrap_err().contains("not mounted"));
        assert!(base(UNIFIED, "4:memory:/a\n").unwrap_err().contains("no control group"));
    }

    /// A folder with the files of a group.
    fn group(controllers: &str, members: &str) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        let files = [("cgroup.controllers", controllers), ("cgroup.procs", members), ("cgroup.type", "domain\n")];
        for (file, text) in files.into_iter().chain([("cgroup.subtree_control", "")]) {
            fs::write(place.path().join(file), text).unwrap();
        }
        place
    }

    #[test]
    fn a_missing_controller_and_a_shared_group_are_said_clearly() {
        let place = group("cpu pids\n", "");
        let error = hand_down(place.path(), &["memory", "pids"]).unwrap_err();
        assert!(error.contains("no controller memory") && error.contains("Delegate=yes"), "{error}");
        let place = group("cpu memory pids\n", "1\n2\n");
        let error = hand_down(place.path(), &["memory"]).unwrap_err();
        assert!(error.contains("2 of them"), "{error}");
    }

    #[test]
    fn controllers_are_handed_down_from_a_group_that_only_we_are_in() {
        let own = std::process::id().to_string();
        let place = group("cpu memory pids\n", &format!("{own}\n"));
        hand_down(place.path(), &["memory", "pids"]).unwrap();
        let read = |file: &str| fs::read_to_string(place.path().join(file)).unwrap();
        assert_eq!(read("daemon/cgroup.procs"), own);
        assert_eq!(read("cgroup.subtree_control"), "+memory +pids");
        // The next daemon finds them handed down, and moves nothing.
        fs::write(place.path().join("cgroup.subtree_control"), "memory pids\n").unwrap();
        fs::write(place.path().join("cgroup.procs"), "1\n").unwrap();
        hand_down(place.path(), &["pids"]).unwrap();
    }

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
    fn a_record_cannot_name_a_foreign_group() {
        let (deployment, name) = (DeploymentId::new("a"), MachineName::new("fs-1"));
        let recorded = |path: &str| ControlGroup::recorded(Path::new(path), &deployment, &name).is_some();
        assert!(recorded("/sys/fs/cgroup/x.service/forgescale.a/fs-1"));
        for foreign in [
            "/sys/fs/cgroup/x.service/forgescale.b/fs-1",
            "/sys/fs/cgroup/x.service/forgescale.a/fs-2",
            "/sys/fs/cgroup/x.service/forgescale.a",
            "/home/x/forgescale.a/fs-1",
            "/sys/fs/cgroup/../../home/forgescale.a/fs-1",
        ] {
            assert!(!recorded(foreign), "{foreign}");
        }
    }
}

//! Where the hierarchy of version 2 is, what the kernel offers in it, and which place in it is ours.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The leaf for the daemon. systemd is told the same name: `DelegateSubgroup=daemon`.
const LEAF: &str = "daemon";

/// The file of a group that lists the controllers that it can use.
const CONTROLLERS: &str = "cgroup.controllers";

/// The mounts of this process.
const MOUNTS: &str = "/proc/self/mountinfo";

/// The groups of this process.
const GROUPS: &str = "/proc/self/cgroup";

/// A mount of the hierarchy: of all of it, or of the part below a group, as a container may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// Which group is mounted.
    root: PathBuf,
    /// Where.
    mount: PathBuf,
}

impl Hierarchy {
    /// All of this process.
    pub(crate) fn all() -> Vec<Self> {
        mounted(&fs::read_to_string(MOUNTS).unwrap_or_default())
    }

    /// Whether a path is within it.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.mount)
    }

    /// The controllers that the kernel offers at its top, as `cgroup.controllers` lists them.
    fn offered(&self) -> String {
        fs::read_to_string(self.mount.join(CONTROLLERS)).unwrap_or_default()
    }
}

/// Every mount of the hierarchy (`proc_pid_mountinfo(5)`).
pub(super) fn mounted(mounts: &str) -> Vec<Hierarchy> {
    let parse = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let fields: Vec<&str> = before.split(' ').collect();
        let (root, mount) = (PathBuf::from(*fields.get(3)?), PathBuf::from(*fields.get(4)?));
        (after.split(' ').next() == Some("cgroup2")).then_some(Hierarchy { root, mount })
    };
    mounts.lines().filter_map(parse).collect()
}

/// Why the kernel cannot hold limits of these controllers here, whoever asks; nothing if it can.
pub(super) fn hindrance(wanted: &[&str]) -> Option<String> {
    if wanted.is_empty() {
        return None;
    }
    match own_groups() {
        Ok(own) => lacking_in(wanted, &Hierarchy::all(), &own),
        Err(reason) => Some(reason),
    }
}

/// The same, from mounts and `/proc/self/cgroup`.
fn lacking_in(wanted: &[&str], hierarchies: &[Hierarchy], own: &str) -> Option<String> {
    let hierarchy = match seat(hierarchies, own) {
        Ok((hierarchy, _)) => hierarchy,
        Err(reason) => return Some(reason),
    };
    let missing = lacking(wanted, &hierarchy.offered());
    (!missing.is_empty()).then(|| format!("control groups of version 2 have no controller {}", missing.join(", ")))
}

const NOT_MOUNTED: &str = "control groups of version 2 are not mounted";

/// Those of the wanted controllers that are not listed, in the way of `cgroup.controllers`.
fn lacking<'a>(wanted: &[&'a str], listed: &str) -> Vec<&'a str> {
    wanted.iter().copied().filter(|name| !listed.split_whitespace().any(|listed| listed == *name)).collect()
}

/// The group below which ours are made.
pub(super) fn base() -> Result<PathBuf, String> {
    base_of(&Hierarchy::all(), &own_groups()?)
}

fn own_groups() -> Result<String, String> {
    fs::read_to_string(GROUPS).map_err(|error| format!("cannot read {GROUPS}: {error}"))
}

/// The same, from mounts and `/proc/self/cgroup` (cgroups(7)).
fn base_of(hierarchies: &[Hierarchy], own: &str) -> Result<PathBuf, String> {
    let (_, own) = seat(hierarchies, own)?;
    let above = own.parent().filter(|_| own.file_name() == Some(OsStr::new(LEAF)));
    Ok(above.map_or_else(|| own.clone(), Path::to_owned))
}

/// The first mount that shows the group of this process, and where.
fn seat<'a>(hierarchies: &'a [Hierarchy], own: &str) -> Result<(&'a Hierarchy, PathBuf), String> {
    if hierarchies.is_empty() {
        return Err(NOT_MOUNTED.to_owned());
    }
    let own = own.lines().find_map(|line| line.strip_prefix("0::"));
    let own = Path::new(own.ok_or("this process is in no control group of version 2")?);
    let seen = |it: &'a Hierarchy| Some((it, it.mount.join(own.strip_prefix(&it.root).ok()?)));
    hierarchies.iter().find_map(seen).ok_or_else(|| {
        format!("the control group of this process, {}, is outside of what is mounted of them", own.display())
    })
}

/// Enables controllers, as `cgroup.subtree_control` wants it written.
pub(super) fn enabling(controllers: &[&str]) -> String {
    controllers.iter().map(|name| format!("+{name}")).collect::<Vec<_>>().join(" ")
}

/// Lets the groups below use these controllers. The kernel wants a group that hands controllers down to have no processes
/// of its own, so this process goes to a leaf; with others in the group, it is not ours to empty.
pub(super) fn hand_down(base: &Path, wanted: &[&str]) -> Result<(), String> {
    let failed = |doing: &str, error: &io::Error| format!("cannot {doing} in {}: {error}", base.display());
    let available = fs::read_to_string(base.join(CONTROLLERS));
    let available = available.map_err(|error| failed("read cgroup.controllers", &error))?;
    let missing = lacking(wanted, &available);
    if !missing.is_empty() {
        return Err(format!(
            "{} has no controller {} (a service needs Delegate=yes)",
            base.display(),
            missing.join(", ")
        ));
    }
    let enabled = fs::read_to_string(base.join("cgroup.subtree_control")).unwrap_or_default();
    if lacking(wanted, &enabled).is_empty() {
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
    use std::path::PathBuf;

    use super::{Hierarchy, base_of, hand_down, hindrance, lacking_in, mounted};

    const UNIFIED: &str =
        "24 1 0:21 / /proc rw - proc proc rw\n30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
    const MIXED: &str = "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        31 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const CONTAINER: &str = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    const TWICE: &str = "30 23 0:26 /docker/abc /mnt/part ro - cgroup2 cgroup rw\n\
        31 23 0:26 / /mnt/all rw - cgroup2 cgroup rw\n";

    #[test]
    fn our_place_is_found_in_each_kind_of_hierarchy() {
        let service = "0::/system.slice/forgescale.service\n";
        for (mounts, own, expected) in [
            (UNIFIED, service, "/sys/fs/cgroup/system.slice/forgescale.service"),
            (UNIFIED, "0::/system.slice/forgescale.service/daemon\n", "/sys/fs/cgroup/system.slice/forgescale.service"),
            (MIXED, "4:memory:/a\n0::/\n", "/sys/fs/cgroup/unified"),
            (CONTAINER, "0::/docker/abc/x\n", "/sys/fs/cgroup/x"),
            (CONTAINER, "0::/docker/abc\n", "/sys/fs/cgroup"),
            (TWICE, "0::/x\n", "/mnt/all/x"),
        ] {
            assert_eq!(base_of(&mounted(mounts), own), Ok(PathBuf::from(expected)), "{own}");
        }
        assert!(base_of(&[], service).unwrap_err().contains("not mounted"));
        assert!(base_of(&mounted(UNIFIED), "4:memory:/a\n").unwrap_err().contains("no control group"));
    }

    #[test]
    fn a_group_that_is_not_mounted_is_not_taken_for_one_with_a_longer_name() {
        for own in ["0::/docker/abcdef/x\n", "0::/docker/abcdef\n", "0::/\n"] {
            assert!(base_of(&mounted(CONTAINER), own).unwrap_err().contains("outside of what is mounted"), "{own}");
        }
    }

    #[test]
    fn a_path_is_held_by_the_hierarchy_that_is_mounted_there() {
        let [unified] = &mounted(UNIFIED)[..] else { panic!("one hierarchy") };
        assert!(unified.holds("/sys/fs/cgroup/a".as_ref()) && !unified.holds("/sys/fs/cgroups/a".as_ref()));
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
    fn each_limit_needs_its_controller() {
        let offering = |controllers: &str| {
            let place = group(controllers, "");
            let hierarchy = Hierarchy { root: "/".into(), mount: place.path().to_owned() };
            lacking_in(&["memory", "pids"], &[hierarchy], "0::/\n")
        };
        assert_eq!(offering("cpu io memory pids\n"), None);
        assert!(offering("cpu memory\n").unwrap().ends_with("no controller pids"));
        assert!(offering("cpuset mem pid\n").unwrap().ends_with("no controller memory, pids"));
        assert!(lacking_in(&["cpu"], &[], "0::/\n").unwrap().ends_with("not mounted"));
        assert_eq!(hindrance(&[]), None);
    }

    #[test]
    fn the_mount_that_shows_our_own_group_is_the_one_that_is_judged() {
        let (part, all) = (group("", ""), group("memory pids\n", ""));
        let hierarchies = [("/docker/abc", &part), ("/", &all)]
            .map(|(root, place)| Hierarchy { root: root.into(), mount: place.path().to_owned() });
        assert_eq!(lacking_in(&["pids"], &hierarchies, "0::/system.slice\n"), None);
        assert!(lacking_in(&["pids"], &hierarchies, "0::/docker/abc/x\n").is_some());
        assert!(lacking_in(&["pids"], &hierarchies[..1], "0::/x\n").unwrap().contains("outside of what is mounted"));
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
}

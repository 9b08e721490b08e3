//! Processes as `/proc` shows them, told apart from later ones with the same id.
//!
//! An id is free again as soon as its process was reaped. So a process is always meant by id *and* start time, and a
//! signal goes through a pidfd that was opened before the start time was compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// One process of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) id: i32,
    /// Its start, in clock ticks since boot.
    pub(crate) started: u64,
}

/// What `/proc/ID/stat` says that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) process: Process,
    pub(crate) parent: i32,
    /// Whether it still runs: not a zombie.
    pub(crate) alive: bool,
}

impl Process {
    /// This process.
    pub(crate) fn current() -> io::Result<Self> {
        let id = rustix::process::getpid().as_raw_nonzero().get();
        stat(id).map(|stat| stat.process).ok_or_else(|| io::Error::other("/proc does not show this process"))
    }

    /// Whether it still runs. A zombie does not.
    pub(crate) fn is_alive(self) -> bool {
        stat(self.id).is_some_and(|stat| stat.alive && stat.process == self)
    }

    /// Opens it for signals and for waiting; `None` if it has ended.
    pub(crate) fn open(self) -> io::Result<Option<OwnedFd>> {
        let Some(id) = Pid::from_raw(self.id) else { return Ok(None) };
        match pidfd_open(id, PidfdFlags::empty()) {
            Ok(handle) => Ok(self.is_alive().then_some(handle)),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a signal to exactly this process; false if it has ended.
    pub(crate) fn signal(self, signal: Signal) -> io::Result<bool> {
        let Some(handle) = self.open()? else { return Ok(false) };
        match pidfd_send_signal(&handle, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The boot that is running, as text to compare.
pub(crate) fn boot() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned())
}

/// One process, if there is one with this id.
pub(crate) fn stat(id: i32) -> Option<Stat> {
    parse_stat(id, &fs::read(format!("/proc/{id}/stat")).ok()?)
}

/// Every process that can be seen.
pub(crate) fn all() -> io::Result<Vec<Stat>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(|name| name.parse().ok()).and_then(stat));
    }
    Ok(found)
}

/// Every living process of a user: those whose real, effective or saved user it is.
pub(crate) fn of_user(uid: u32) -> io::Result<Vec<Process>> {
    let living = all()?.into_iter().filter(|stat| stat.alive).map(|stat| stat.process);
    Ok(living.filter(|process| users_of(process.id).contains(&uid)).collect())
}

/// Every user that has a living process.
pub(crate) fn users() -> io::Result<BTreeSet<u32>> {
    Ok(all()?.into_iter().filter(|stat| stat.alive).flat_map(|stat| users_of(stat.process.id)).collect())
}

/// The real, effective, saved and file system user of a process (`proc_pid_status(5)`).
fn users_of(id: i32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Every living process below one in the tree of parents.
pub(crate) fn descendants(ancestor: i32) -> io::Result<Vec<Process>> {
    let mut children = BTreeMap::<i32, Vec<Stat>>::new();
    for stat in all()? {
        children.entry(stat.parent).or_default().push(stat);
    }
    let (mut found, mut seen, mut open) = (Vec::new(), BTreeSet::from([ancestor]), vec![ancestor]);
    while let Some(parent) = open.pop() {
        for stat in children.get(&parent).into_iter().flatten() {
            // Parents were read at different moments, so a reused id could close a circle.
            if seen.insert(stat.process.id) {
                open.push(stat.process.id);
                found.extend(stat.alive.then_some(stat.process));
            }
        }
    }
    Ok(found)
}

/// The command name, second field, is in parentheses and may itself hold spaces and parentheses: count from the last.
fn parse_stat(id: i32, text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // proc_pid_stat(5): state is field 3, ppid field 4, starttime field 22.
    let alive = !matches!(*fields.first()?, "Z" | "X" | "x");
    let parent = fields.get(1)?.parse().ok()?;
    let started = fields.get(19)?.parse().ok()?;
    Some(Stat { process: Process { id, started }, parent, alive })
}

#[cfg(test)]
mod tests {
    use super::{Process, parse_stat};
    use rustix::process::Signal;

    #[test]
    fn a_command_name_may_hold_parentheses_and_spaces() {
        let text = b"7 (a) Z 1 (b) S 42 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1";
        let stat = parse_stat(7, text).unwrap();
        assert_eq!((stat.parent, stat.process.started, stat.alive), (42, 987_654, true));
    }

    #[test]
    fn a_zombie_is_not_alive() {
        let text = b"7 (sh) Z 42 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1";
        assert!(!parse_stat(7, text).unwrap().alive);
    }

    #[test]
    fn a_cut_line_is_no_process() {
        assert_eq!(parse_stat(7, b"7 (sh) S 42 7"), None);
        assert_eq!(parse_stat(7, b""), None);
    }

    #[test]
    fn a_later_process_with_the_same_id_gets_no_signal() {
        let current = Process::current().unwrap();
        assert!(current.is_alive());
        let earlier = Process { started: current.started - 1, ..current };
        assert!(!earlier.is_alive());
        // Were it sent, it would end this test.
        assert!(!earlier.signal(Signal::KILL).unwrap());
    }
}

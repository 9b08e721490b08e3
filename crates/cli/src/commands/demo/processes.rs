//! The process table, as far as it concerns the demo's machines: by the marker in the environment of their processes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;

use super::stage::Stage;

/// How many machines have left something behind: a process that carries a machine's marker, or a folder.
pub(super) fn machines(stage: &Stage) -> usize {
    let mut names = with_processes(&stage.deployment);
    names.extend(with_folders(stage));
    names.len()
}

fn with_processes(deployment: &str) -> BTreeSet<OsString> {
    let marker = format!("{}={deployment}/", backend_host::MARKER);
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name != own && name.parse::<u32>().is_ok()))
        .filter_map(|entry| fs::read(entry.path().join("environ")).ok())
        .filter_map(|environment| {
            let name = environment.split(|&byte| byte == 0).find_map(|pair| pair.strip_prefix(marker.as_bytes()))?;
            Some(OsString::from_vec(name.to_vec()))
        })
        .collect()
}

fn with_folders(stage: &Stage) -> BTreeSet<OsString> {
    let backends = fs::read_dir(stage.machines()).into_iter().flatten().flatten();
    let machines = backends.flat_map(|backend| fs::read_dir(backend.path()).into_iter().flatten().flatten());
    machines.map(|machine| machine.file_name()).collect()
}

//! The process table, as far as it concerns the demo's machines: by the marker in the environment of their processes.

use std::fs;

use super::stage::Stage;

/// How many machines have left something behind: a process that carries a machine's marker, or a folder.
pub(super) fn machines(stage: &Stage) -> usize {
    processes(&stage.deployment) + folders(stage)
}

fn processes(deployment: &str) -> usize {
    let marker = format!("{}={deployment}/", backend_host::MARKER);
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name != own && name.parse::<u32>().is_ok()))
        .filter_map(|entry| fs::read(entry.path().join("environ")).ok())
        .filter(|environment| environment.split(|&byte| byte == 0).any(|pair| pair.starts_with(marker.as_bytes())))
        .count()
}

fn folders(stage: &Stage) -> usize {
    let backends = fs::read_dir(stage.machines()).into_iter().flatten().flatten();
    backends.map(|backend| fs::read_dir(backend.path()).into_iter().flatten().count()).sum()
}

//! The container of a machine: what runs in it, what it may do and what it may use.

use std::collections::HashMap;

use ::backend::CreateRequest;
use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, HostConfig, HostConfigLogConfig, Mount, MountType,
    MountVolumeOptions, ResourcesUlimits,
};

use crate::error::DockerError;
use crate::labels;
use crate::runner_volume::{PROGRAM, TARGET};
use crate::settings::{DockerSettings, Gpus};

/// What a job can still do as root of its container: own and read its files, become another user, signal its processes and
/// listen on low ports. Package managers work; `sudo`, `mount`, raw sockets and device nodes do not.
pub const CAPABILITIES_KEPT: [&str; 8] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];

/// Where everything is that is written, where the rest is for reading only.
const TEMPORARY: &str = "/tmp";

/// The runner's own output, kept by the engine: it says little, its job's output goes to the forge.
const LOG_SIZE: &str = "1m";

/// How many files of that size.
const LOG_FILES: &str = "2";

/// What a machine needs that was prepared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prepared<'p> {
    pub(crate) image: &'p str,
    pub(crate) runner_volume: &'p str,
    /// A network's id, or one of the engine's own words.
    pub(crate) network: &'p str,
}

/// The whole container.
pub(crate) fn of(
    settings: &DockerSettings,
    request: &CreateRequest,
    prepared: Prepared<'_>,
) -> Result<ContainerCreateBody, DockerError> {
    let handle = request.tags.handle.as_str();
    if handle.is_empty() {
        return Err(DockerError::NoHandle);
    }
    let labels =
        labels::of_machine(&settings.deployment, &request.name, &request.tags).ok_or(DockerError::BindingTooLong)?;
    let mut program = vec![PROGRAM.to_owned()];
    program.extend(settings.runner.arguments.iter().cloned());
    program.extend(["-c", "/dev/stdin", "one-job", "--wait"].map(str::to_owned));
    program.push(format!("--handle={handle}"));
    let mut environment: Vec<String> =
        settings.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if settings.read_only {
        environment.push(format!("HOME={TEMPORARY}"));
    }
    Ok(ContainerCreateBody {
        image: Some(prepared.image.to_owned()),
        entrypoint: Some(program),
        // Not what the image would run.
        cmd: Some(Vec::new()),
        env: Some(environment),
        user: settings.user.clone(),
        working_dir: settings.read_only.then(|| TEMPORARY.to_owned()),
        labels: Some(labels),
        attach_stdin: Some(true),
        open_stdin: Some(true),
        // Its end is the end of the launch.
        stdin_once: Some(true),
        tty: Some(false),
        stop_signal: Some("SIGTERM".to_owned()),
        host_config: Some(host(settings, prepared)),
        ..ContainerCreateBody::default()
    })
}

fn host(settings: &DockerSettings, prepared: Prepared<'_>) -> HostConfig {
    let limits = &settings.limits;
    let memory = limits.memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let temporary = || HashMap::from([(TEMPORARY.to_owned(), "rw,exec,nosuid,nodev,mode=1777".to_owned())]);
    HostConfig {
        init: Some(true),
        privileged: Some(false),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(capabilities(settings)),
        memory,
        // No swap on top of it.
        memory_swap: memory,
        nano_cpus: limits.milli_cpus.map(|thousandths| i64::from(thousandths) * 1_000_000),
        pids_limit: limits.pids.map(i64::from),
        ulimits: Some(limits.ulimits.iter().map(ulimit).collect()),
        network_mode: Some(prepared.network.to_owned()),
        mounts: Some(vec![runner(prepared.runner_volume, true)]),
        log_config: Some(log()),
        readonly_rootfs: Some(settings.read_only),
        tmpfs: settings.read_only.then(temporary),
        runtime: settings.runtime.clone(),
        userns_mode: settings.user_namespace.clone(),
        devices: Some(settings.devices.iter().map(|path| device(path)).collect()),
        device_requests: settings.gpus.map(|gpus| vec![gpu(gpus)]),
        ..HostConfig::default()
    }
}

/// The runner's volume in a container.
pub(crate) fn runner(volume: &str, read_only: bool) -> Mount {
    Mount {
        target: Some(TARGET.to_owned()),
        source: Some(volume.to_owned()),
        typ: Some(MountType::VOLUME),
        read_only: Some(read_only),
        // Nothing of the image belongs into it.
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        ..Mount::default()
    }
}

fn capabilities(settings: &DockerSettings) -> Vec<String> {
    let kept = CAPABILITIES_KEPT.into_iter().map(str::to_owned);
    kept.chain(settings.more_capabilities.iter().cloned()).collect()
}

fn log() -> HostConfigLogConfig {
    let bounds = [("max-size", LOG_SIZE), ("max-file", LOG_FILES)];
    let config = bounds.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(config) }
}

fn ulimit(limit: &crate::settings::Ulimit) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(limit.name.clone()), soft: Some(limit.soft), hard: Some(limit.hard) }
}

fn device(path: &str) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(path.to_owned()),
        path_in_container: Some(path.to_owned()),
        cgroup_permissions: Some("rwm".to_owned()),
    }
}

fn gpu(gpus: Gpus) -> DeviceRequest {
    let count = match gpus {
        Gpus::All => -1,
        Gpus::Count(count) => i64::from(count),
    };
    DeviceRequest { count: Some(count), capabilities: Some(vec![vec!["gpu".to_owned()]]), ..DeviceRequest::default() }
}

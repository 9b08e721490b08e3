//! The container of a machine: what runs in it, what it may do and what it may use.

use ::backend::CreateRequest;
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions,
};

use crate::company::Company;
use crate::error::DockerError;
use crate::labels::{self, Role, Whose};
use crate::runner_volume::{PROGRAM, TARGET};
use crate::settings::{DockerSettings, Mode};
use crate::warm;

/// What a job can still do as root of its container: own and read its files, become another user, signal its processes and
/// listen on low ports. Package managers work; `sudo`, `mount`, raw sockets and device nodes do not.
pub const CAPABILITIES_KEPT: [&str; 8] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];

/// The runner's own output, kept by the engine: it says little, its job's output goes to the forge.
const LOG_SIZE: &str = "1m";

/// How many files of that size.
const LOG_FILES: &str = "2";

/// What a machine needs that was prepared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prepared<'p> {
    pub(crate) image: &'p str,
    pub(crate) runner_volume: &'p str,
    pub(crate) caches: &'p [Mount],
    pub(crate) company: &'p Company,
}

/// The whole container.
pub(crate) fn of(
    settings: &DockerSettings,
    whose: &Whose,
    request: &CreateRequest,
    prepared: Prepared<'_>,
) -> Result<ContainerCreateBody, DockerError> {
    let handle = request.tags.job().map(|tags| tags.handle.as_str());
    if handle == Some("") {
        return Err(DockerError::NoHandle);
    }
    let mut labels = labels::of_machine(whose, &request.name, &request.tags).ok_or(DockerError::BindingTooLong)?;
    if matches!(settings.mode, Mode::Nested { .. }) {
        labels.insert(labels::NESTED.to_owned(), "true".to_owned());
    }
    let mut program = vec![PROGRAM.to_owned()];
    program.extend(settings.runner.arguments.iter().cloned());
    program.extend(["-c", "/dev/stdin", "one-job", "--wait"].map(str::to_owned));
    match handle {
        Some(handle) => program.push(format!("--handle={handle}")),
        None => program = warm::waiting_for_its_launch(program),
    }
    let given = settings.environment.iter().map(|(name, value)| format!("{name}={value}"));
    // What stands first holds for those who read it twice; what an operator says comes last.
    let environment = prepared.company.environment.iter().cloned().chain(given).collect();
    Ok(ContainerCreateBody {
        image: Some(prepared.image.to_owned()),
        entrypoint: Some(program),
        // Not what the image would run.
        cmd: Some(Vec::new()),
        env: Some(environment),
        labels: Some(labels),
        attach_stdin: Some(true),
        open_stdin: Some(true),
        // Its end is the end of the launch.
        stdin_once: Some(true),
        tty: Some(false),
        stop_signal: Some("SIGTERM".to_owned()),
        // What the image would have run beside the job, for a service that is not started here.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        host_config: Some(host(settings, whose, prepared)),
        ..ContainerCreateBody::default()
    })
}

fn host(settings: &DockerSettings, whose: &Whose, prepared: Prepared<'_>) -> HostConfig {
    let mut mounts = vec![runner(whose, prepared.runner_volume, true)];
    mounts.extend(prepared.caches.iter().chain(&prepared.company.mounts).cloned());
    settings.hardening.applied(HostConfig {
        init: Some(true),
        privileged: Some(false),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(CAPABILITIES_KEPT.map(str::to_owned).into()),
        network_mode: Some(prepared.company.network.clone()),
        mounts: Some(mounts),
        log_config: Some(log()),
        runtime: settings.runtime.clone(),
        ..limited(settings)
    })
}

/// What a container may use at most.
pub(crate) fn limited(settings: &DockerSettings) -> HostConfig {
    let limits = &settings.limits;
    let memory = limits.memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    HostConfig {
        memory,
        // No swap on top of it.
        memory_swap: memory,
        nano_cpus: limits.milli_cpus.map(|thousandths| i64::from(thousandths) * 1_000_000),
        pids_limit: limits.pids.map(i64::from),
        ..HostConfig::default()
    }
}

/// The runner's volume in a container.
pub(crate) fn runner(whose: &Whose, volume: &str, read_only: bool) -> Mount {
    let options = MountVolumeOptions {
        // Nothing of the image belongs into it.
        no_copy: Some(true),
        // Should somebody have removed it, the engine makes an empty one: that is ours as well.
        labels: Some(labels::of(whose, Role::Runner)),
        ..MountVolumeOptions::default()
    };
    Mount {
        target: Some(TARGET.to_owned()),
        source: Some(volume.to_owned()),
        typ: Some(MountType::VOLUME),
        read_only: Some(read_only),
        volume_options: Some(options),
        ..Mount::default()
    }
}

pub(crate) fn log() -> HostConfigLogConfig {
    let bounds = [("max-size", LOG_SIZE), ("max-file", LOG_FILES)];
    let config = bounds.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(config) }
}

//! Stronger walls around machines, and ways through them, for those who ask: what an operator may set beyond the defaults.

use std::collections::HashMap;

use bollard::models::{DeviceMapping, DeviceRequest, HostConfig, ResourcesUlimits};

/// How a folder in memory is mounted unless its options say so: programs of a job run there, whoever it runs as.
const TMPFS_OPTIONS: &str = "exec,mode=1777";

/// What an operator may set of it. Nothing of it holds by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hardening {
    /// Whether the image cannot be written to.
    pub read_only: bool,
    /// Folders in memory, which are empty at first.
    pub tmpfs: Vec<Tmpfs>,
    /// Limits of each process.
    pub ulimits: Vec<Ulimit>,
    /// Devices of the engine's host.
    pub devices: Vec<Device>,
    /// Graphics processors.
    pub gpus: Option<Gpus>,
    /// The user namespace, in the engine's words.
    pub user_namespace: Option<String>,
}

/// A folder in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tmpfs {
    /// Where it is in the container.
    pub path: String,
    /// How it is mounted, in the kernel's words: `size=1g,noexec`.
    pub options: Option<String>,
}

/// A limit of each process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// In the engine's words: `nofile`.
    pub name: String,
    /// What a process begins with; -1 is none.
    pub soft: i64,
    /// What it may raise that to; -1 is none.
    pub hard: i64,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its path on the engine's host.
    pub host: String,
    /// Its path in the container.
    pub container: String,
    /// Reading, writing, making nodes of it: of `rwm`.
    pub permissions: String,
}

/// Graphics processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gpus {
    /// All of the host's.
    All,
    /// So many of them.
    Count(u32),
    /// Those with these numbers or names.
    These(Vec<String>),
}

impl Hardening {
    /// The same, written for the engine.
    pub(crate) fn applied(&self, host: HostConfig) -> HostConfig {
        let folder =
            |tmpfs: &Tmpfs| (tmpfs.path.clone(), tmpfs.options.clone().unwrap_or_else(|| TMPFS_OPTIONS.to_owned()));
        HostConfig {
            readonly_rootfs: Some(self.read_only),
            tmpfs: (!self.tmpfs.is_empty()).then(|| self.tmpfs.iter().map(folder).collect()),
            devices: Some(self.devices.iter().map(device).collect()),
            device_requests: self.gpus.as_ref().map(|gpus| vec![request(gpus)]),
            userns_mode: self.user_namespace.clone(),
            ..self.with_ulimits(host)
        }
    }

    /// The limits of processes alone.
    pub(crate) fn with_ulimits(&self, host: HostConfig) -> HostConfig {
        let limit = |ulimit: &Ulimit| ResourcesUlimits {
            name: Some(ulimit.name.clone()),
            soft: Some(ulimit.soft),
            hard: Some(ulimit.hard),
        };
        let ulimits = (!self.ulimits.is_empty()).then(|| self.ulimits.iter().map(limit).collect());
        HostConfig { ulimits, ..host }
    }
}

fn device(device: &Device) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(device.host.clone()),
        path_in_container: Some(device.container.clone()),
        cgroup_permissions: Some(device.permissions.clone()),
    }
}

/// As `docker run --gpus` asks for them.
fn request(gpus: &Gpus) -> DeviceRequest {
    let (count, device_ids) = match gpus {
        Gpus::All => (Some(-1), None),
        Gpus::Count(number) => (Some(i64::from(*number)), None),
        Gpus::These(ids) => (None, Some(ids.clone())),
    };
    DeviceRequest {
        driver: Some(String::new()),
        count,
        device_ids,
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        options: Some(HashMap::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphics_processors_are_asked_for_in_the_engines_words() {
        let asked = |gpus| {
            let hardening = Hardening { gpus: Some(gpus), ..Hardening::default() };
            let request = hardening.applied(HostConfig::default()).device_requests.unwrap().remove(0);
            assert_eq!(request.capabilities, Some(vec![vec!["gpu".to_owned()]]));
            (request.count, request.device_ids)
        };
        assert_eq!(asked(Gpus::All), (Some(-1), None));
        assert_eq!(asked(Gpus::Count(2)), (Some(2), None));
        assert_eq!(asked(Gpus::These(vec!["0".to_owned()])), (None, Some(vec!["0".to_owned()])));
    }
}

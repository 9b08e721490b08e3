//! What a configuration becomes: a policy for the planner, clients for the forges, and backends. Made at the start and
//! again at each reload.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use backend_host::Program;
use planner::ids::{BackendId, PoolId};
use planner::policy::{Limits, Policy};

use crate::config::{self, Config, Pool};
use crate::daemon::StartError;
use crate::forges::{ForgeError, Forges};
use crate::fresh_start::FreshStart;
use crate::machines::{Backend, ForWhat};
use crate::made::Made;
use crate::tending::Images;

/// All that follows from a configuration.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    pub(crate) pools: BTreeMap<PoolId, Pool>,
    pub(crate) forges: Arc<Forges>,
    pub(crate) backends: BTreeMap<BackendId, Backend>,
    /// What they are to have ready.
    pub(crate) images: Images,
    /// What was made for them on the disk, which goes with this unless it is kept.
    pub(crate) made: Made,
    /// How the pools are configured, for the memory.
    pub(crate) configured: FreshStart,
}

impl Parts {
    /// With backends that are made already. Calls nobody; blocks for files with certificates.
    pub(crate) fn new(config: &Config, Backends { backends, made }: Backends) -> Result<Self, ForgeError> {
        Ok(Self {
            policy: config.policy(),
            limits: config.limits,
            pools: config.pools.iter().map(|pool| (pool.policy.id.clone(), pool.clone())).collect(),
            forges: Arc::new(Forges::new(&config.forges, config.limits.forge_deadline)?),
            backends,
            images: config.images(),
            made,
            configured: FreshStart::new(&[], config),
        })
    }
}

/// Backends that were made.
#[derive(Debug, Default)]
pub(crate) struct Backends {
    pub(crate) backends: BTreeMap<BackendId, Backend>,
    /// What was made for them on the disk.
    pub(crate) made: Made,
}

/// The backends of a configuration, each with its folder in `machines`. Those for which `known` has one are that: they hold
/// pipes to machines that are being made, or know what is under way.
pub(crate) fn backends(
    config: &Config,
    machines: &Path,
    supervisor: &Program,
    what: ForWhat,
    known: impl Fn(&BackendId, &config::Backend) -> Option<Backend>,
) -> Result<Backends, StartError> {
    let Backends { mut backends, mut made } = Backends::default();
    for (id, configured) in &config.backends {
        let backend = if let Some(backend) = known(id, configured) {
            backend
        } else {
            let folder = machines.join(id.as_str());
            Backend::new(id, configured, &config.deployment, (&folder, &mut made), supervisor.clone(), what)
                .map_err(|source| StartError::Backend { backend: id.clone(), source })?
        };
        backends.insert(id.clone(), backend);
    }
    Ok(Backends { backends, made })
}

//! Volumes of ours, by what they are for.

use bollard::models::Volume;
use bollard::query_parameters::ListVolumesOptionsBuilder;

use crate::engine::Engine;
use crate::error::DockerError;
use crate::labels::{self, Role, Whose};

/// All of one role.
pub(crate) async fn found(engine: &Engine, whose: &Whose, role: Role) -> Result<Vec<Volume>, DockerError> {
    let filter = labels::filter(whose, role, None);
    let options = ListVolumesOptionsBuilder::default().filters(&filter).build();
    let listed = engine.call("list volumes", engine.client().await?.list_volumes(Some(options))).await?;
    let is_ours = |volume: &Volume| labels::are_ours(whose, role, &volume.labels);
    Ok(listed.volumes.unwrap_or_default().into_iter().filter(is_ours).collect())
}

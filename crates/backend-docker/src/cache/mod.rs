//! Caches: volumes that outlive the machines which they are mounted into.
//!
//! ```text
//! machine asked for ─► its volumes made, or found by their names ─► mounted ─► machine removed, volumes stay
//!                            └ noted: asked for just now (`uses`) ─► long not asked for ─► removed (`prune`)
//! ```
//!
//! The name follows from deployment, backend, pool, path and owner, and from nothing else: two owners never have the same. What
//! it stands for is in its labels, for people; nothing reads them back. The engine fills a volume that is new with what the
//! image has at the path, so that it belongs to the user of the image.
//!
//! Promises: a volume that a container has is not removed, to which the engine sees.

mod prune;
mod sizes;
mod uses;

use std::collections::HashMap;

use ::backend::{Cache, CreateRequest};
use bollard::models::{Mount, MountType, MountVolumeOptions, VolumeCreateRequest};
use planner::ids::PoolId;
use sha2::{Digest as _, Sha256};

use crate::backend::Docker;
use crate::error::DockerError;
use crate::labels::{self, Whose};

pub use prune::CachesSeen;
pub(crate) use prune::{found, remove_all, shown};
pub(crate) use uses::Uses;

/// Makes the caches of a machine, or finds them: what is mounted into it.
pub(crate) async fn made(docker: &Docker, request: &CreateRequest) -> Result<Vec<Mount>, DockerError> {
    let mut mounts = Vec::with_capacity(request.caches.len());
    for cache in &request.caches {
        let name = name(&docker.whose, request.tags.pool(), cache);
        docker.caches.asked(&name);
        let labels = labels::of_cache(&docker.whose, request.tags.pool(), cache);
        let wanted =
            VolumeCreateRequest { name: Some(name.clone()), labels: Some(labels.clone()), ..Default::default() };
        // One that is there stays what it is.
        docker.engine.call("make a volume", docker.engine.client().await?.create_volume(wanted)).await?;
        mounts.push(mount(cache, name, labels));
    }
    Ok(mounts)
}

/// The name of a cache's volume.
fn name(whose: &Whose, pool: &PoolId, cache: &Cache) -> String {
    let Cache { path, repository } = cache;
    // As JSON, in which no two look alike.
    let of = serde_json::json!([pool.as_str(), path, repository]);
    let digest = Sha256::digest(of.to_string().as_bytes());
    // Half of it: nobody finds two owners with the same.
    let number = digest.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{}-cache-{number:032x}", whose.prefix())
}

fn mount(cache: &Cache, volume: String, labels: HashMap<String, String>) -> Mount {
    Mount {
        target: Some(cache.path.clone()),
        source: Some(volume),
        typ: Some(MountType::VOLUME),
        // Should somebody remove it just now, the engine makes an empty one: that is ours as well.
        volume_options: Some(MountVolumeOptions { labels: Some(labels), ..MountVolumeOptions::default() }),
        ..Mount::default()
    }
}

#[cfg(test)]
mod tests {
    use planner::ids::{BackendId, DeploymentId, ForgeId, RepositoryKey};

    use super::*;

    fn named(deployment: &str, pool: &str, path: &str, repository: Option<(&str, i64)>) -> String {
        let whose = Whose { deployment: DeploymentId::new(deployment), backend: BackendId::new("b") };
        let repository = repository.map(|(forge, id)| RepositoryKey { forge: ForgeId::new(forge), id });
        name(&whose, &PoolId::new(pool), &Cache { path: path.to_owned(), repository })
    }

    #[test]
    fn no_two_owners_have_the_same_volume_and_each_finds_its_own() {
        let of = |pool, path, repository| named("d", pool, path, repository);
        let names = [
            of("p", "/c", None),
            of("p", "/c", Some(("https://f", 1))),
            of("p", "/c", Some(("https://f", 11))),
            of("p", "/c", Some(("https://f#1", 1))),
            of("p", "/c1", Some(("https://f", 1))),
            of("q", "/c", Some(("https://f", 1))),
            of("q", "/c", None),
            named("e", "p", "/c", None),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:#?}");
        assert_eq!(of("p", "/c", Some(("https://f", 1))), names[1]);
        assert!(names[0].starts_with("forgescale-d.b-cache-"), "{}", names[0]);
    }
}

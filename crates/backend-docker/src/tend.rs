//! What is done for an engine from time to time, whether there are jobs or not: a look at its disk, and the removal of images
//! and caches of ours that nobody needs. Nothing waits for it, and nothing rests on it.

use std::time::{Duration, Instant};

use ::backend::chain;
use tokio::time::MissedTickBehavior;

use crate::backend::{Docker, DockerBackend};
use crate::disk::{self, Judged, shown_bytes};

/// How often the disk is looked at, and what is known of images and caches written down.
const LOOK: Duration = Duration::from_mins(1);

/// How often images and caches are removed. The first time a minute after the start: a daemon may be started anew every day.
const BETWEEN_REMOVALS: Duration = Duration::from_hours(1);

impl DockerBackend {
    /// Looks after the engine, without end.
    pub async fn tend(&self) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut judged = Judged::default();
        looks.tick().await;
        loop {
            self.look_at_disk(&mut judged).await;
            self.docker.images.ours().write_down().await;
            self.docker.caches.write_down().await;
            looks.tick().await;
            if self.docker.images.ours().is_time(BETWEEN_REMOVALS, Instant::now()) {
                self.remove_unused_images().await;
                self.remove_unused_caches().await;
            }
        }
    }

    /// Removes images that we have pulled and that no job has asked for in the time that the settings say.
    pub async fn remove_unused_images(&self) {
        let Docker { engine, images, settings, whose, .. } = &*self.docker;
        let Some(span) = settings.prune_images else { return };
        for removed in images.ours().remove_unused(engine, span).await {
            tracing::info!(
                backend = %whose.backend,
                image = removed.image,
                size = shown_bytes(removed.bytes),
                "removed an image that no job has asked for lately"
            );
        }
    }

    async fn look_at_disk(&self, judged: &mut Judged) {
        let docker = &self.docker;
        if docker.settings.disk_free == 0 {
            return;
        }
        let backend = &docker.whose.backend;
        let disk = match disk::look(docker).await {
            Ok(Some(disk)) => disk,
            // It is on another host.
            Ok(None) => return,
            // Listings tell that the engine is away.
            Err(error) => return tracing::debug!(%backend, error = chain(&error), "the engine's disk is not known"),
        };
        let (folder, free) = (disk.folder.display(), shown_bytes(disk.free_bytes));
        match judged.news(disk.free_bytes, docker.settings.disk_free) {
            Some(true) => {
                let wanted = shown_bytes(docker.settings.disk_free);
                tracing::warn!(%backend, %folder, free, wanted, "the disk of the container engine is nearly full");
            }
            Some(false) => tracing::info!(%backend, %folder, free, "the disk of the container engine has room again"),
            None => {}
        }
    }
}

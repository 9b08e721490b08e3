//! The volume with the runner: filled once, then mounted into every machine for reading only.
//!
//! Copying a runner of 80 MB into each container was seen to cost two seconds of a busy engine, and its size again on disk; a
//! volume costs a machine nothing. It is filled through a container that never runs. The mark is written last, so that a
//! volume which was left half filled is filled again.
//!
//! The volume's name carries the size and time of the runner's file, so that another runner has another volume. Machines that
//! still live keep theirs; a volume that no container uses any more is removed when the next one is filled.

use std::fs::Metadata;
use std::io;
use std::time::UNIX_EPOCH;

use bollard::models::{ContainerCreateBody, HostConfig, Volume, VolumeCreateRequest};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, CreateContainerOptions, RemoveContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use bollard::{body_full, body_try_stream};
use futures_util::stream;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;

use crate::archive;
use crate::engine::{Engine, if_there};
use crate::error::DockerError;
use crate::labels::{self, Role, Whose};
use crate::settings::Program;
use crate::{specification, volumes};

/// Where the runner is in a machine.
pub const TARGET: &str = "/.forgescale";

/// The runner in a machine.
pub(crate) const PROGRAM: &str = "/.forgescale/forgejo-runner";

/// The runner in its volume.
const FILE: &str = "forgejo-runner";

/// In the volume, when all of the runner is.
const MARK: &str = "complete";

/// How much of the runner is in memory at a time.
const CHUNK: usize = 1 << 20;

/// The largest program that is taken for a runner: the real one has 45 to 85 MB.
const MOST_BYTES: u64 = 1 << 30;

/// The volume, once it is known to be filled.
#[derive(Debug, Default)]
pub(crate) struct RunnerVolume {
    name: Mutex<Option<String>>,
}

impl RunnerVolume {
    /// The name of a filled volume. One that somebody removed is filled again: the engine would make an empty one.
    pub(crate) async fn filled(
        &self,
        engine: &Engine,
        whose: &Whose,
        runner: &Program,
        image: &str,
    ) -> Result<String, DockerError> {
        // Held meanwhile: the others need it as well.
        let mut known = self.name.lock().await;
        if let Some(name) = known.clone()
            && is_there(engine, &name).await?
        {
            return Ok(name);
        }
        let unreadable = |source| DockerError::Runner { path: runner.path.clone(), source };
        let (file, size, name) = opened(whose, runner).await.map_err(unreadable)?;
        let request = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(labels::of(whose, Role::Runner)),
            ..VolumeCreateRequest::default()
        };
        engine.call("make a volume", engine.client().await?.create_volume(request)).await?;
        remove_fillers(engine, whose).await?;
        let through = filler(engine, whose, &name, image).await?;
        let outcome = fill(engine, &through, file, size).await;
        remove_fillers(engine, whose).await?;
        outcome?;
        remove_others(engine, whose, &name).await?;
        Ok(known.insert(name).clone())
    }

    /// Looks into it again the next time.
    pub(crate) async fn forget(&self) {
        *self.name.lock().await = None;
    }

    /// Removes every volume with a runner that no container uses.
    pub(crate) async fn remove(&self, engine: &Engine, whose: &Whose) -> Result<(), DockerError> {
        let mut known = self.name.lock().await;
        *known = None;
        remove_fillers(engine, whose).await?;
        remove_others(engine, whose, "").await
    }
}

/// The runner's file, its size, and the name of its volume.
async fn opened(whose: &Whose, runner: &Program) -> io::Result<(File, u64, String)> {
    let file = File::open(&runner.path).await?;
    let metadata = file.metadata().await?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file of a program's size"));
    }
    let (size, modified) = file_identity(&metadata)?;
    let name = format!("{}-runner-{size:x}-{modified:x}", whose.prefix());
    Ok((file, size, name))
}

/// By which one runner's file is told from another: its size in bytes, and when it was changed, in nanoseconds since 1970.
pub fn file_identity(metadata: &Metadata) -> io::Result<(u64, u128)> {
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((metadata.len(), modified.as_nanos()))
}

async fn is_there(engine: &Engine, name: &str) -> Result<bool, DockerError> {
    let inspected = engine.client().await?.inspect_volume(name);
    Ok(if_there(engine.call("look for the volume", inspected).await)?.is_some())
}

/// A container that never runs, with the volume for writing.
async fn filler(engine: &Engine, whose: &Whose, volume: &str, image: &str) -> Result<String, DockerError> {
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec![PROGRAM.to_owned()]),
        labels: Some(labels::of(whose, Role::Filler)),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            mounts: Some(vec![specification::runner(whose, volume, false)]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let client = engine.client().await?;
    // Without a name of ours: it could be taken by one that a killed daemon asked for and that came late.
    let created = client.create_container(None::<CreateContainerOptions>, body);
    let created = engine.call("create a container", created).await?;
    Ok(created.id)
}

async fn fill(engine: &Engine, filler: &str, file: File, size: u64) -> Result<(), DockerError> {
    let client = engine.client().await?;
    let mark = ContainerArchiveInfoOptionsBuilder::default().path(&format!("{TARGET}/{MARK}")).build();
    let mark = engine.call("look into the volume", client.get_container_archive_info(filler, Some(mark))).await;
    if if_there(mark)?.is_some() {
        return Ok(());
    }
    let into = || UploadToContainerOptionsBuilder::default().path(TARGET).build();
    let program = body_try_stream(tar(file, size));
    engine.long_call("take the runner", client.upload_to_container(filler, Some(into()), program)).await?;
    let mut mark = archive::header(MARK, 0).to_vec();
    mark.extend(archive::END);
    engine.call("take the mark", client.upload_to_container(filler, Some(into()), body_full(mark.into()))).await
}

/// What of the archive comes next.
enum Next {
    Header,
    Content { left: u64 },
    End,
    Nothing,
}

/// The runner as an archive, piece by piece.
fn tar<B: From<Vec<u8>>>(file: File, size: u64) -> impl futures_util::Stream<Item = io::Result<B>> + Send + 'static {
    stream::try_unfold((file, Next::Header), move |(mut file, next)| async move {
        Ok(match next {
            Next::Header => Some((archive::header(FILE, size).to_vec().into(), (file, Next::Content { left: size }))),
            Next::Content { left: 0 } | Next::End => {
                let end = [vec![0; archive::padding(size)], archive::END.to_vec()].concat();
                Some((end.into(), (file, Next::Nothing)))
            }
            Next::Content { left } => {
                let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
                let mut piece = vec![0; most];
                file.read_exact(&mut piece).await?;
                let left = left - most as u64;
                Some((piece.into(), (file, if left == 0 { Next::End } else { Next::Content { left } })))
            }
            Next::Nothing => None,
        })
    })
}

/// Removes containers through which a volume was filled, also those of a daemon that was killed meanwhile.
async fn remove_fillers(engine: &Engine, whose: &Whose) -> Result<(), DockerError> {
    let client = engine.client().await?;
    for filler in engine.containers(whose, Role::Filler, None).await? {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        // Going already: another daemon, or one that was killed, has asked for it.
        let removed = client.remove_container(&filler.id, Some(options));
        gone_or_kept(engine.long_call("remove a container", removed).await)?;
    }
    Ok(())
}

/// Removes the volumes of other runners. Those that a machine uses stay.
async fn remove_others(engine: &Engine, whose: &Whose, kept: &str) -> Result<(), DockerError> {
    let client = engine.client().await?;
    for volume in found(engine, whose).await?.iter().filter(|volume| volume.name != kept) {
        let removed = client.remove_volume(&volume.name, None::<bollard::query_parameters::RemoveVolumeOptions>);
        gone_or_kept(engine.call("remove a volume", removed).await)?;
    }
    Ok(())
}

/// The volumes with runners of ours.
pub(crate) async fn found(engine: &Engine, whose: &Whose) -> Result<Vec<Volume>, DockerError> {
    volumes::found(engine, whose, Role::Runner).await
}

/// What came of a removal where it is as well that the thing is gone, going or in use.
fn gone_or_kept(removed: Result<(), DockerError>) -> Result<(), DockerError> {
    match removed {
        Err(error) if matches!(error.status(), Some(404 | 409)) => Ok(()),
        removed => removed,
    }
}

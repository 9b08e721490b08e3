//! `[[pool.cache]]`: folders of a pool's machines that outlive them.

use std::collections::BTreeSet;

use backend::Cache;
use backend_docker::{Mode, RUNNER_FOLDER, SOCKET_IN_JOBS};
use planner::ids::RepositoryKey;

use crate::config::backend::{Backend, BackendKind, DockerSettings, is_inside};
use crate::config::fingerprint::fingerprint;
use crate::config::problem::Complaint;
use crate::config::read::{Section, Value, any};
use crate::config::shape::Shape;
use crate::config::value::{Readable, quoted};

/// Each is a volume for every repository; more are a slip of the finger.
const MOST: usize = 16;

/// A longer path is none that a tool has.
const LONGEST: usize = 256;

/// A folder that the next machine finds as the last one left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolCache {
    /// Where it is in the machines: an absolute path.
    pub path: String,
    /// Among whom it is shared.
    pub per: Per,
}

/// Among whom a cache is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Each repository has its own.
    Repository,
    /// All jobs of the pool have the same.
    Pool,
}

impl PoolCache {
    /// The cache of a machine that serves this repository and no other one, or of one that may serve any: that gets none of
    /// a repository's.
    pub(crate) fn of(&self, repository: Option<&RepositoryKey>) -> Option<Cache> {
        let path = self.path.clone();
        match self.per {
            Per::Pool => Some(Cache { path, repository: None }),
            Per::Repository => Some(Cache { path, repository: Some(repository?.clone()) }),
        }
    }
}

/// The caches of a pool. `backend` is its own, if that is usable; `is_warm`, whether it ever keeps machines without a job.
pub(super) fn read(section: &Section<'_>, backend: Option<&Backend>, is_warm: bool) -> Vec<PoolCache> {
    let sections = section.sections("cache");
    if let (Some(first), Some(reason)) = (sections.first(), backend.and_then(why_none)) {
        first.complain("", reason);
    }
    if let Some(one_too_many) = sections.get(MOST) {
        let complaint = Complaint::new(format!("is more than {MOST} caches"));
        one_too_many.complain("", complaint.hint("take a folder above several of them"));
    }
    let mut paths = BTreeSet::new();
    let read = sections.into_iter().take(MOST).filter_map(|section| cache(section, &mut paths, backend, is_warm));
    read.collect()
}

/// Why machines of a backend have no caches.
fn why_none(backend: &Backend) -> Option<Complaint> {
    match &backend.kind {
        BackendKind::Host(_) => Some(
            Complaint::new("a backend of the kind host has no volumes for caches")
                .hint("use a backend of the kind docker or podman, or `cache_url` of this one"),
        ),
        BackendKind::Docker(docker) if matches!(docker.mode, Mode::Nested { .. }) => Some(
            Complaint::new("in mode = \"nested\" jobs run in containers of their own engine, which do not see it")
                .hint("use a pool whose backend has mode = \"direct\", or leave it out"),
        ),
        BackendKind::Docker(_) => None,
    }
}

fn cache(
    section: Section<'_>,
    paths: &mut BTreeSet<String>,
    backend: Option<&Backend>,
    is_warm: bool,
) -> Option<PoolCache> {
    let path: Option<String> = section.required("path", "path = \"/usr/local/cargo/registry\"", |path: &String| {
        may_be_at(path, backend)?;
        if paths.insert(path.clone()) {
            return Ok(());
        }
        Err(Complaint::new(format!("{} is there twice", quoted(path))).hint("keep one: a folder is one cache"))
    });
    let per = section.or("per", Per::Repository, any);
    if per == Per::Repository && is_warm {
        let complaint =
            Complaint::new("a machine that is kept ready is made before it is known which repository's job it gets");
        section.complain(
            "per",
            complaint.hint("write per = \"pool\" if all of its jobs may share it, or leave out `warm`"),
        );
    }
    section.close();
    Some(PoolCache { path: path?, per })
}

fn may_be_at(path: &str, backend: Option<&Backend>) -> Result<(), Complaint> {
    let is_plain = path.split('/').skip(1).all(|part| !part.is_empty() && part != ".");
    let is_folder = is_inside(path) && is_plain && path.len() <= LONGEST;
    if !is_folder {
        return Err(Complaint::new(format!("{} is no folder of a container", quoted(path)))
            .hint("write the whole path, without a slash at its end, like \"/usr/local/cargo/registry\""));
    }
    if is_at_or_below(path, RUNNER_FOLDER) {
        return Err(Complaint::new(format!("{} is where the runner is", quoted(path))).hint("take another folder"));
    }
    let docker = backend.and_then(|backend| match &backend.kind {
        BackendKind::Docker(docker) => Some(docker.as_ref()),
        BackendKind::Host(_) => None,
    });
    if docker.is_some_and(|docker| docker.mode == Mode::Socket) && is_at_or_below(path, SOCKET_IN_JOBS) {
        return Err(Complaint::new(format!(
            "{} is where jobs find the engine's socket, in mode = \"socket\"",
            quoted(path)
        ))
        .hint("take another folder"));
    }
    let is_tmpfs =
        |docker: &DockerSettings| docker.hardening.tmpfs.iter().any(|tmpfs| tmpfs.path.trim_end_matches('/') == path);
    if docker.is_some_and(is_tmpfs) {
        return Err(Complaint::new(format!("{} is in memory, by `tmpfs` of the backend", quoted(path)))
            .hint("leave it out there, or here"));
    }
    Ok(())
}

fn is_at_or_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The fingerprint of what a pool's machines are made from, by that of its backend: another one where the pool has caches.
pub(super) fn made_of(backend: &str, caches: &[PoolCache]) -> String {
    if caches.is_empty() {
        return backend.to_owned();
    }
    fingerprint(&format!("{backend}\n{caches:?}"))
}

impl Readable for Per {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        match String::read(value)?.as_str() {
            "repository" => Ok(Self::Repository),
            "pool" => Ok(Self::Pool),
            other => Err(Complaint::new(format!("{} says not who shares a cache", quoted(other)))
                .hint("write \"repository\" or \"pool\"")),
        }
    }

    fn shown(&self) -> String {
        quoted(match self {
            Self::Repository => "repository",
            Self::Pool => "pool",
        })
    }
}

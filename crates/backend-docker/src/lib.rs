//! Machines as containers of a Docker engine: one fresh container for each job, and the job runs inside it.
//!
//! ```text
//!            create                     start                                 end
//! image ─► container "fs-1" ─► renamed "fs-1.TRY.RUNNER.HANDLE", attached ─► exited ─► removed
//!              │ (created)       launch ─► standard input, started (running)
//!              └ /.forgescale/forgejo-runner: a volume for reading only, filled once, shared by all
//! ```
//!
//! Any image will do, unchanged: the static `forgejo-runner` comes in a volume, and it is told that every label of its pool
//! means "here" (`debian:docker://image` becomes `debian:host`). No nesting, no socket of the engine in a job.
//!
//! - What a machine was made with is in its container's labels. Labels cannot change, so what was started on it is in its
//!   container's *name*: it is renamed before the launch is handed over, and a renamed container is never given another one.
//!   A rename is one call, written down by the engine before it answers, and shows in the same list as all the rest; names
//!   of more than a thousand characters were tried.
//! - The launch is the runner's configuration file, and that is its standard input (`-c /dev/stdin`): address, uuid, labels
//!   and token, through a pipe that ends with it. It is in no argument, variable, label, layer or volume. Only the handle is
//!   an argument, known since the container was made.
//! - It is attached before it is started. A daemon that dies in between leaves a container that was never started, or one
//!   that has all of its launch: never a runner with half of it.
//! - A killed daemon changes nothing: containers belong to the engine, and exit codes are the engine's to keep.
//! - Process 1 is the engine's own small init, so that strays are reaped; when the runner ends, all in the container does.
//!
//! What a job finds by default: no new privileges, the few capabilities of [`CAPABILITIES_KEPT`], a limit of processes, and a
//! network of the backend's own in which containers do not reach each other. They do reach the addresses of the host, and
//! what listens there: an engine that listens on TCP without TLS is open to every job.
//!
//! | Module | Subject |
//! |---|---|
//! | `backend` | the calls, one at a time for each machine |
//! | `engine` | the calls, deadlines |
//! | `address`, `connection`, `tls` | where an engine is, and the way to it |
//! | `look` | what the engine says of containers, in Docker's words and in Podman's |
//! | `create`, `start`, `destroy`, `listing`, `logs` | the verbs of the interface |
//! | `unstarted` | what a killed daemon left between bound and started |
//! | `warm` | machines without a job: how they wait for one, and are taken back |
//! | `ended` | how a container ended, by what the engine says of it |
//! | `memory` | what is remembered of machines, also beyond a change of settings |
//! | `labels`, `binding` | what is written where |
//! | `specification` | the container of a machine |
//! | `hardening` | what an operator may set of its walls |
//! | `launch` | the runner's configuration |
//! | `facts` | what an engine is and has, for checks |
//! | `reference`, `registry` | names of images, and credentials for where they come from |
//! | `image`, `runner_volume`, `network` | what must be there before a container |
//! | `cache` | volumes that outlive the machines which have them |
//! | `company`, `companions` | what a machine is connected to, and what is made for it alone |
//! | `archive` | one file as a tar |
//! | `volumes` | volumes of ours, by what they are for |
//! | `record` | what is remembered in files |
//! | `tend`, `disk` | what is done from time to time: unused images and caches, and a look at the disk |
//! | `watch` | events of the engine, as hints to list |
//!
//! Deliberately absent: retries and decisions; a limit on the size of the engine's answers other than lists, which
//! are limited by deadlines alone: whoever controls the engine controls its host, and the jobs.
#![forbid(unsafe_code)]

mod address;
mod archive;
mod backend;
mod binding;
mod cache;
mod companions;
mod company;
mod connection;
mod create;
mod destroy;
mod disk;
mod ended;
mod engine;
mod error;
mod facts;
mod hardening;
mod image;
mod labels;
mod launch;
mod listing;
mod logs;
mod look;
mod machines;
mod memory;
mod network;
mod record;
mod reference;
mod registry;
mod runner_volume;
mod settings;
mod shared;
mod specification;
mod start;
mod tend;
mod tls;
mod unstarted;
mod volumes;
mod warm;
mod watch;

pub use crate::address::{Address, PODMAN_SOCKET, TlsFiles, USUAL_SOCKET};
pub use crate::backend::{CAPABILITIES, DockerBackend};
pub use crate::cache::CachesSeen;
pub use crate::company::SOCKET as SOCKET_IN_JOBS;
pub use crate::disk::{Disk, shown_bytes};
pub use crate::error::DockerError;
pub use crate::facts::EngineFacts;
pub use crate::hardening::{Device, Gpus, Hardening, Tmpfs, Ulimit};
pub use crate::reference::is_image_reference;
pub use crate::registry::CredentialsError;
pub use crate::runner_volume::{TARGET as RUNNER_FOLDER, file_identity};
pub use crate::settings::{DockerSettings, Limits, Mode, NESTED_IMAGE, Network, Program, Pull, WithUnstarted};
pub use crate::shared::WithCaches;
pub use crate::specification::CAPABILITIES_KEPT;
pub use crate::tls::{TlsError, check_tls_files};

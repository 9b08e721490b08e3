//! What can go wrong, and which class it is for back-off.

use std::io;
use std::path::PathBuf;

use ::backend::BackendError;
use bollard::errors::Error as EngineError;
use planner::error_class::{Acted, Concerns, ErrorClass};

use crate::connection::NotConnected;
use crate::registry::CredentialsError;
use crate::tls::{self, TlsError};

/// An error of the Docker backend. Inside a [`BackendError`] it is the source, and says what stood in the way.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// The deployment cannot become part of names.
    #[error(
        "a deployment has 1 to 63 letters, digits, dots, dashes and underscores, and begins with a letter or digit"
    )]
    BadDeployment,
    /// The name cannot be that of a container.
    #[error("a machine's name has 2 to 128 letters, digits and dashes, and begins with a letter or digit")]
    BadName,
    /// There was no connection.
    #[error("the container engine could not be reached")]
    Connect {
        /// The cause.
        #[source]
        source: Box<EngineError>,
    },
    /// The engine refused, or failed.
    #[error("the container engine did not {call}")]
    Engine {
        /// What it was to do.
        call: &'static str,
        /// The cause.
        #[source]
        source: Box<EngineError>,
    },
    /// The engine did not answer.
    #[error("the container engine did not {call} within {seconds} s")]
    Late {
        /// What it was to do.
        call: &'static str,
        /// For how long it was waited.
        seconds: u64,
    },
    /// A job can be given a socket of the engine's own host alone.
    #[error("mode = \"socket\" needs an engine that is called through a socket of its host")]
    NoSocket,
    /// Neither the label nor the backend names an image.
    #[error("the job's first label names no image, and neither does the backend")]
    NoImage,
    /// The engine does not have the image, and it is not to be pulled.
    #[error("the container engine has no image {image}")]
    ImageMissing {
        /// Its name.
        image: String,
    },
    /// What was prepared for machines is there no more.
    #[error("the network or the volume of the machines is gone; the next machine makes it again")]
    PreparedGone {
        /// The cause.
        #[source]
        source: Box<DockerError>,
    },
    /// The image could not be pulled.
    #[error("the image {image} could not be pulled")]
    NotPulled {
        /// Its name.
        image: String,
        /// Whether the registry was shown credentials.
        with_credentials: bool,
        /// The cause.
        #[source]
        source: Box<EngineError>,
    },
    /// The credentials for an image's registry could not be had.
    #[error("the image {image} was not pulled, for want of credentials for its registry")]
    Credentials {
        /// Its name.
        image: String,
        /// The cause.
        #[source]
        source: Box<CredentialsError>,
    },
    /// The image took too long.
    #[error("the image {image} was not pulled within {minutes} min")]
    PulledTooLong {
        /// Its name.
        image: String,
        /// For how long it was waited.
        minutes: u64,
    },
    /// Nobody can have an image of such a name.
    #[error("{image} cannot be the name of an image")]
    BadImage {
        /// What was written.
        image: String,
    },
    /// The image is on its way.
    #[error("the image {image} is still being pulled{}", in_brackets(progress))]
    Pulling {
        /// Its name.
        image: String,
        /// How far it has come, or nothing.
        progress: String,
    },
    /// A nested engine has ended, instead of listening.
    #[error("the machine's own engine has ended: {said}")]
    NestedEnded {
        /// The last line of its output.
        said: String,
    },
    /// A nested engine does not listen yet.
    #[error("the machine's own engine does not listen after {seconds} s")]
    NestedLate {
        /// For how long it was waited.
        seconds: u64,
    },
    /// The runner's program could not be read.
    #[error("the runner {} could not be read", path.display())]
    Runner {
        /// Its file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A name can be used once.
    #[error("the name is used by a machine that has ended or is stopping")]
    AlreadyUsed,
    /// The container's name is taken.
    #[error("the name is used by a container that is not of this backend")]
    NotOurs,
    /// There is no such machine, or none any more.
    #[error("there is no such machine, or it has ended")]
    NoMachine,
    /// A machine takes one launch.
    #[error("the machine was started for another job, try or runner")]
    OtherBinding,
    /// The machine was made for one job, which is among its arguments.
    #[error("the machine was made for another job")]
    OtherJob,
    /// Without a handle the runner would take any job (protocol 3.6).
    #[error("there is no handle, or one of several lines")]
    NoHandle,
    /// What waits for a launch in a warm machine is a shell.
    #[error("the image {image} has no /bin/sh, which waits for the job in a machine that is kept warm")]
    NoShell {
        /// Its name.
        image: String,
    },
    /// Its handle is among its arguments.
    #[error("the machine was made for one job and cannot be given to another")]
    NotWarm,
    /// What binds the machine does not fit a name.
    #[error("the handle, the runner's uuid, the forge's address or the scope is too long for a container's name")]
    BindingTooLong,
    /// The launch was handed over, and nobody knows what came of it.
    #[error("the launch was handed over before, and the machine has not started since")]
    HandedOver,
    /// The launch was not taken.
    #[error("the launch could not be handed over")]
    LaunchNotTaken {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The work was cut short by the end of the runtime, or nobody waited for it any more.
    #[error("the work was abandoned")]
    Abandoned,
}

impl DockerError {
    /// What may help where only an operator can.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoImage => {
                Some("write the label with an image, `debian:docker://IMAGE`, or give the backend an `image`")
            }
            Self::ImageMissing { .. } => Some("load it on the engine's host, or let it be pulled: pull = \"missing\""),
            Self::NoShell { .. } => Some("take an image with a shell, or leave `warm` out for this pool"),
            Self::BadImage { .. } => {
                Some("write it as `docker pull` takes it: node:22-bookworm, registry.example/image@sha256:…")
            }
            Self::NotPulled { source, with_credentials: false, .. } if refused(source) => Some(
                "is the name right, and may everybody pull it? Credentials come from the file that registry_auth_file names",
            ),
            Self::NotPulled { source, .. } if refused(source) => {
                Some("is the name right, and may the user in registry_auth_file pull it?")
            }
            Self::Credentials { source, .. } => Some(source.hint()),
            Self::Connect { source } if denied(source) => Some(
                "whoever may use this socket owns the host: add the daemon's user to its group if that is what you want",
            ),
            Self::Connect { source } if let Some(hint) = proof(source) => Some(hint),
            Self::Connect { .. } => Some("is the engine running, and is `host` the right address?"),
            _ => None,
        }
    }

    /// A call has failed, or was never made for want of a connection.
    pub(crate) fn of_call(call: &'static str, source: EngineError) -> Self {
        let source = Box::new(source);
        if is_not_connected(&source) { Self::Connect { source } } else { Self::Engine { call, source } }
    }

    /// The same after an earlier call of the same work was sent: that one may have acted.
    pub(crate) fn once_asked(self) -> Self {
        match self {
            Self::Connect { source } => Self::Engine { call: "go on with what it was asked for", source },
            other => other,
        }
    }

    /// As the trait wants it, with what was being done, to follow "could not".
    pub(crate) fn doing(self, doing: String) -> BackendError {
        let (class, acted, concerns) = (self.class(), self.acted(), self.concerns());
        BackendError { doing, class, acted, concerns, source: Some(Box::new(self)) }
    }

    /// The engine's answer, by the status of HTTP.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Engine { source, .. } | Self::Connect { source } | Self::NotPulled { source, .. } => status(source),
            _ => None,
        }
    }

    fn class(&self) -> ErrorClass {
        match self {
            Self::BadDeployment
            | Self::BadName
            | Self::NoSocket
            | Self::NoImage
            | Self::ImageMissing { .. }
            | Self::BadImage { .. }
            | Self::AlreadyUsed
            | Self::NotOurs
            | Self::OtherBinding
            | Self::OtherJob
            | Self::NoHandle
            | Self::NoShell { .. }
            | Self::NotWarm
            | Self::BindingTooLong
            | Self::Runner { .. } => ErrorClass::Permanent,
            Self::NoMachine => ErrorClass::NotFound,
            Self::Pulling { .. } => ErrorClass::Capacity,
            Self::Connect { source } | Self::Engine { source, .. } if denied(source) || proof(source).is_some() => {
                ErrorClass::Auth
            }
            Self::NotPulled { source, .. } | Self::Engine { source, .. } if is_full(source) => ErrorClass::Capacity,
            Self::NotPulled { source, .. } if refused(source) => ErrorClass::Permanent,
            Self::Credentials { .. } => ErrorClass::Auth,
            Self::Connect { source } | Self::Engine { source, .. } | Self::NotPulled { source, .. } => {
                status(source).map_or(ErrorClass::Transient, class_of)
            }
            Self::PreparedGone { .. }
            | Self::NestedEnded { .. }
            | Self::NestedLate { .. }
            | Self::PulledTooLong { .. }
            | Self::Late { .. }
            | Self::HandedOver
            | Self::LaunchNotTaken { .. }
            | Self::Abandoned => ErrorClass::Transient,
        }
    }

    /// Whatever stands in the way of an image stands in no other one's, but for a full disk.
    fn concerns(&self) -> Concerns {
        match self {
            Self::NotPulled { source, .. } if is_full(source) => Concerns::All,
            Self::NoImage
            | Self::ImageMissing { .. }
            | Self::BadImage { .. }
            | Self::NoShell { .. }
            | Self::NotPulled { .. }
            | Self::Credentials { .. }
            | Self::PulledTooLong { .. }
            | Self::Pulling { .. } => Concerns::Environment,
            _ => Concerns::All,
        }
    }

    fn acted(&self) -> Acted {
        match self {
            Self::Engine { source, .. } => match status(source) {
                Some(400..=499) => Acted::No,
                _ => Acted::Maybe,
            },
            Self::Connect { .. } => Acted::Unasked,
            Self::Late { .. } | Self::HandedOver | Self::LaunchNotTaken { .. } | Self::Abandoned => Acted::Maybe,
            _ => Acted::No,
        }
    }
}

fn in_brackets(progress: &str) -> String {
    if progress.is_empty() { String::new() } else { format!(" ({progress})") }
}

fn status(error: &EngineError) -> Option<u16> {
    match error {
        EngineError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// The class of an answer. The engine says 500 for most that goes wrong on its side.
fn class_of(status: u16) -> ErrorClass {
    match status {
        401 => ErrorClass::Auth,
        403 => ErrorClass::Forbidden,
        404 => ErrorClass::NotFound,
        429 => ErrorClass::RateLimited { retry_after: None },
        409 | 500.. => ErrorClass::Transient,
        _ => ErrorClass::Permanent,
    }
}

/// What registries, and engines that speak for them, say in words alone of an image that is not there or not for us. Once a
/// pull has begun the engine has no status left to tell it with.
const REFUSALS: [&str; 6] =
    ["manifest unknown", "not found", "does not exist", "denied", "unauthorized", "no basic auth credentials"];

/// Whether a registry will not give an image.
fn refused(error: &EngineError) -> bool {
    matches!(error, EngineError::DockerResponseServerError { status_code: 401 | 403 | 404, .. })
        || REFUSALS.iter().any(|words| said(error).contains(words))
}

/// Whether the disk of the engine is full. It has no other word for it than the operating system's, and no status.
fn is_full(error: &EngineError) -> bool {
    said(error).contains("no space left on device")
}

/// What the engine said in words.
fn said(error: &EngineError) -> &str {
    match error {
        EngineError::DockerResponseServerError { message: said, .. }
        | EngineError::DockerStreamError { error: said } => said,
        _ => "",
    }
}

/// Whether there was no connection.
fn is_not_connected(error: &EngineError) -> bool {
    io_errors(error).any(|error| error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<NotConnected>))
}

/// Whether the operating system kept us from the socket.
fn denied(error: &EngineError) -> bool {
    io_errors(error).any(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// What to do where one side did not take the other's certificate, or there is none to show.
fn proof(error: &EngineError) -> Option<&'static str> {
    io_errors(error).find_map(|error| {
        let error = error.get_ref()?;
        error.downcast_ref::<TlsError>().map(TlsError::hint).or_else(|| error.downcast_ref().and_then(tls::hint))
    })
}

/// The operating system's errors among the causes, and what is handed on as such.
fn io_errors(error: &EngineError) -> impl Iterator<Item = &io::Error> {
    // What is shown as one error with its cause hides the cause.
    let first: &(dyn std::error::Error + 'static) = match error {
        EngineError::IOError { err } => err,
        other => other,
    };
    std::iter::successors(Some(first), |error| error.source()).filter_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status_code: u16) -> DockerError {
        let source = EngineError::DockerResponseServerError { status_code, message: "x".to_owned() };
        DockerError::Engine { call: "create a container", source: Box::new(source) }
    }

    #[test]
    fn classes_come_from_the_engines_status() {
        let cases = [
            (400, ErrorClass::Permanent, Acted::No),
            (404, ErrorClass::NotFound, Acted::No),
            (409, ErrorClass::Transient, Acted::No),
            (403, ErrorClass::Forbidden, Acted::No),
            (500, ErrorClass::Transient, Acted::Maybe),
            (503, ErrorClass::Transient, Acted::Maybe),
        ];
        for (status, class, acted) in cases {
            let error = answered(status).doing("create machine x".to_owned());
            assert_eq!((error.class, error.acted), (class, acted), "{status}");
        }
    }

    #[test]
    fn once_something_was_asked_a_lack_of_a_connection_is_a_lost_answer() {
        let error = || DockerError::Connect { source: Box::new(std::io::Error::other("gone").into()) };
        assert_eq!(error().doing("create machine x".to_owned()).acted, Acted::Unasked);
        assert_eq!(error().once_asked().doing("create machine x".to_owned()).acted, Acted::Maybe);
        assert_eq!(answered(409).once_asked().doing("create machine x".to_owned()).acted, Acted::No);
    }

    #[test]
    fn what_an_engine_says_in_words_alone_has_a_class_too() {
        let streamed = |said: &str| DockerError::NotPulled {
            image: "debian:13".to_owned(),
            with_credentials: false,
            source: Box::new(EngineError::DockerStreamError { error: said.to_owned() }),
        };
        let full = "write /var/lib/docker/tmp/x: no space left on device";
        let source = EngineError::DockerResponseServerError { status_code: 500, message: full.to_owned() };
        let create = DockerError::Engine { call: "create a container", source: Box::new(source) };
        let cases = [
            (streamed("manifest unknown"), ErrorClass::Permanent, Concerns::Environment),
            (streamed("pull access denied for x"), ErrorClass::Permanent, Concerns::Environment),
            (streamed("connection reset by peer"), ErrorClass::Transient, Concerns::Environment),
            (streamed(full), ErrorClass::Capacity, Concerns::All),
            (create, ErrorClass::Capacity, Concerns::All),
        ];
        for (error, class, concerns) in cases {
            let said = ::backend::chain(&error);
            let error = error.doing("create machine x".to_owned());
            assert_eq!((error.class, error.concerns), (class, concerns), "{said}");
        }
    }

    #[test]
    fn a_missing_image_will_not_get_better_and_says_what_to_do() {
        let error = DockerError::ImageMissing { image: "debian:13".to_owned() };
        assert!(error.hint().is_some_and(|hint| hint.contains("pull")));
        assert_eq!(error.doing("create machine x".to_owned()).class, ErrorClass::Permanent);
    }
}

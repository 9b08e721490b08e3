//! Why credentials for a registry could not be had. Nothing of a secret is in any of it.

use std::io;
use std::path::PathBuf;

/// What is wrong with the file of credentials, or with a helper that it names.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is something else.
    #[error("{} is no configuration file of Docker: {what}", path.display())]
    NotOne {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, without a word of what stands in it.
        what: String,
    },
    /// An entry says nothing that could be used.
    #[error("{}: the entry for {key} {what}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// Under which address it stands.
        key: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A helper is called something that is no program's name.
    #[error("{} names a helper that can be no program: {name:?}", path.display())]
    HelperName {
        /// The file.
        path: PathBuf,
        /// What stands there, cut.
        name: String,
    },
    /// A helper did not run.
    #[error("docker-credential-{name} could not be run")]
    HelperNotRun {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A helper said that it cannot.
    #[error("docker-credential-{name} gave no credentials: {said}")]
    HelperRefused {
        /// Its name.
        name: String,
        /// What it said, cut.
        said: String,
    },
    /// A helper did not end.
    #[error("docker-credential-{name} has not answered within {seconds} s")]
    HelperLate {
        /// Its name.
        name: String,
        /// For how long it was waited.
        seconds: u64,
    },
    /// A helper said something else than credentials.
    #[error("docker-credential-{name} answered with something that is no credentials")]
    HelperAnswer {
        /// Its name.
        name: String,
    },
}

impl CredentialsError {
    /// What may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "name in registry_auth_file a file as docker login writes it, which the daemon's user can read"
            }
            Self::NotOne { .. } | Self::Entry { .. } => "write it anew: docker --config DIRECTORY login REGISTRY",
            Self::HelperName { .. } => "credsStore and credHelpers name X of a program docker-credential-X",
            Self::HelperNotRun { .. } => "install it where the daemon's PATH finds it, or log in without a helper",
            Self::HelperRefused { .. } | Self::HelperLate { .. } | Self::HelperAnswer { .. } => {
                "try it as the daemon's user: echo REGISTRY | docker-credential-… get"
            }
        }
    }
}

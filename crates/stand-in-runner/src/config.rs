//! The runner's configuration file, as far as a connection to a forge stands in it (protocol 3.6); the rest is for containers
//! and caches, which are absent here.
//!
//! Promise: it is read once, so a pipe such as `/dev/stdin` will do.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use secrecy::SecretString;
use serde::Deserialize;

use crate::error::Error;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 64 << 10;

/// A connection as a file says it, unchecked.
#[derive(Deserialize)]
pub(crate) struct Given {
    pub(crate) url: Option<String>,
    pub(crate) uuid: Option<String>,
    token: Option<String>,
    #[serde(default)]
    pub(crate) labels: Vec<String>,
    pub(crate) fetch_interval: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Whole {
    server: Server,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Server {
    connections: BTreeMap<String, Given>,
}

impl Given {
    /// The token, as it stands there.
    pub(crate) fn token(&mut self) -> Option<SecretString> {
        self.token.take().map(SecretString::from)
    }
}

/// The one connection of a file; nothing if there is none in it.
pub(crate) fn read(path: &Path) -> Result<Option<Given>, Error> {
    let unreadable = |source| Error::ConfigRead { path: path.to_owned(), source };
    let mut text = String::new();
    File::open(path).map_err(unreadable)?.take(LONGEST).read_to_string(&mut text).map_err(unreadable)?;
    // What is wrong with it could quote what is in it, a token say.
    let whole: Option<Whole> =
        serde_saphyr::from_str(&text).map_err(|_| Error::ConfigContent { path: path.to_owned() })?;
    let mut connections = whole.unwrap_or_default().server.connections.into_values();
    match (connections.next(), connections.next()) {
        (given, None) => Ok(given),
        (_, Some(_)) => Err(Error::ConfigConnections { path: path.to_owned() }),
    }
}

//! Where an engine is.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The socket of most engines.
pub const USUAL_SOCKET: &str = "/var/run/docker.sock";

/// The socket of Podman where it runs as root; that of a user is `podman/podman.sock` in the user's runtime directory.
pub const PODMAN_SOCKET: &str = "/run/podman/podman.sock";

/// The ports that engines are given with TLS and without it.
const TLS_PORT: u16 = 2376;
const PLAIN_PORT: u16 = 2375;

/// The address of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket of this host.
    Socket(PathBuf),
    /// A port, perhaps of another host.
    Tcp {
        /// A name, or an address without brackets.
        host: String,
        /// The usual one unless it is given.
        port: Option<u16>,
        /// What both sides prove themselves with; none in plain text, to whoever comes.
        tls: Option<TlsFiles>,
    },
}

/// Certificates and a key, each in PEM. They are read anew when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities by one of which the engine's certificate is to be signed.
    pub ca: PathBuf,
    /// Our certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// The key of the first of these.
    pub key: PathBuf,
}

impl Address {
    /// Reads `unix:///path` or `tcp://host:port`, the latter without TLS. The error is for people.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Socket(path.into())),
            Some(("tcp", rest)) => {
                tcp(rest).ok_or("write a name or an address and a port: tcp://build.example:2376, tcp://[fd00::1]:2376")
            }
            Some(("ssh", _)) => Err("ssh is not spoken here. Have ssh forward the socket (ssh -N -L \
                /run/forgescale/build.sock:/var/run/docker.sock build.example) and write \
                unix:///run/forgescale/build.sock, or use tcp:// with TLS"),
            Some(("http" | "https", _)) => {
                Err("write tcp:// instead, with tls_ca_file, tls_cert_file and tls_key_file")
            }
            _ => Err("an engine is at unix:///path/of/socket, or at tcp://host:port"),
        }
    }

    /// The socket, if it is one.
    pub fn socket(&self) -> Option<&Path> {
        match self {
            Self::Socket(path) => Some(path),
            Self::Tcp { .. } => None,
        }
    }

    /// Whether nobody else on the way reads along or can be somebody else: this host, or TLS.
    pub fn is_guarded(&self) -> bool {
        match self {
            Self::Socket(_) | Self::Tcp { tls: Some(_), .. } => true,
            Self::Tcp { host, tls: None, .. } => is_loopback(host),
        }
    }
}

/// The port that is meant.
pub(crate) fn port_of(given: Option<u16>, has_tls: bool) -> u16 {
    given.unwrap_or(if has_tls { TLS_PORT } else { PLAIN_PORT })
}

/// As it is written: `tcp://build.example:2376`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port, tls } => write!(f, "tcp://{}", authority(host, port_of(*port, tls.is_some()))),
        }
    }
}

/// A host with a port.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn tcp(rest: &str) -> Option<Address> {
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    let is_host = !host.is_empty() && host.bytes().all(is_plain) && (rest.starts_with('[') || !host.contains(':'));
    let port = port.map(|port| port.parse().ok().filter(|port| *port > 0));
    // A port that is none is a mistake, not the usual one.
    let port = match port {
        None => None,
        Some(port) => Some(port?),
    };
    is_host.then(|| Address::Tcp { host: host.to_owned(), port, tls: None })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_at_a_socket_or_a_port() {
        for (text, shown) in [
            ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
            ("tcp://build.example:1234", "tcp://build.example:1234"),
            ("tcp://build.example", "tcp://build.example:2375"),
            ("tcp://10.0.0.7:2376", "tcp://10.0.0.7:2376"),
            ("tcp://[fd00::1]:2376", "tcp://[fd00::1]:2376"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
        ] {
            assert_eq!(Address::read(text).unwrap().to_string(), shown);
        }
        let Ok(Address::Tcp { host, port: None, .. }) = Address::read("tcp://b") else { panic!() };
        let files = TlsFiles { ca: "a".into(), certificate: "b".into(), key: "c".into() };
        assert_eq!(Address::Tcp { host, port: None, tls: Some(files) }.to_string(), "tcp://b:2376");
    }

    #[test]
    fn whatever_else_is_written_is_told_what_to_write() {
        for (text, word) in [
            ("ssh://ops@build.example", "ssh -N -L"),
            ("https://build.example:2376", "tcp://"),
            ("tcp://", "tcp://build.example:2376"),
            ("tcp://build.example:port", "tcp://build.example:2376"),
            ("tcp://build.example:0", "tcp://build.example:2376"),
            ("tcp://build.example:2376/x", "tcp://build.example:2376"),
            ("tcp://u@build.example", "tcp://build.example:2376"),
            ("tcp://fd00::1:2376", "tcp://build.example:2376"),
            ("tcp://[nonsense]:2376", "tcp://build.example:2376"),
            ("tcp://[::1]2376", "tcp://build.example:2376"),
            ("/var/run/docker.sock", "unix:///"),
            ("unix://docker.sock", "unix:///"),
            ("", "unix:///"),
        ] {
            let refused = Address::read(text).unwrap_err();
            assert!(refused.contains(word), "{text}: {refused}");
        }
    }

    #[test]
    fn plain_text_is_guarded_on_the_loopback_alone() {
        let is_guarded = |text: &str| Address::read(text).unwrap().is_guarded();
        for text in ["unix:///a", "tcp://localhost:2375", "tcp://127.0.0.9:2375", "tcp://[::1]:2375"] {
            assert!(is_guarded(text), "{text}");
        }
        for text in
            ["tcp://build.example:2375", "tcp://10.0.0.1:2375", "tcp://localhost.example:2375", "tcp://0.0.0.0:1"]
        {
            assert!(!is_guarded(text), "{text}");
        }
    }
}

//! The connection to the engine. Every call has a deadline; the version of the interface is agreed on once.

use std::path::PathBuf;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::sync::OnceCell;

use crate::error::DockerError;

/// Calls that only look, or change a record of the engine's. An idle engine answers in milliseconds, one that starts twenty
/// containers at once on two processors was seen to take ten seconds.
const CALL_DEADLINE: Duration = Duration::from_secs(20);

/// Calls that end processes or remove files.
pub(crate) const LONG_DEADLINE: Duration = Duration::from_mins(1);

/// Where the engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket on this host.
    Unix(PathBuf),
    /// Another host, `HOST:PORT`. Nothing but TLS with certificates for both keeps others from owning that host.
    Tcp {
        /// Host and port.
        address: String,
        /// Certificates; none for a network that is trusted entirely.
        tls: Option<Tls>,
    },
}

/// Certificates, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Who signs the engine's.
    pub authority: PathBuf,
    /// Ours.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Endpoint {
    /// Where most engines are.
    pub const DEFAULT: &str = "unix:///var/run/docker.sock";

    /// Reads `unix:///path` or `tcp://host:port`. The error is for people.
    pub fn parse(text: &str, tls: Option<Tls>) -> Result<Self, &'static str> {
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') && tls.is_none() => Ok(Self::Unix(path.into())),
            Some(("unix", path)) if path.starts_with('/') => Err("certificates are for tcp:// alone"),
            Some(("tcp", address)) if address.rsplit_once(':').is_some_and(|(host, port)| is_place(host, port)) => {
                Ok(Self::Tcp { address: address.to_owned(), tls })
            }
            Some(("tcp", _)) => Err("tcp:// needs a host and a port"),
            Some(("ssh", _)) => {
                Err("engines are not reached over ssh; forward the socket (ssh -L), or use tcp:// with TLS")
            }
            _ => Err("an engine is at unix:///path/of/socket or tcp://host:port"),
        }
    }
}

fn is_place(host: &str, port: &str) -> bool {
    !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// The engine. It is connected to with the first call, so that one that is away keeps no daemon from starting.
#[derive(Debug)]
pub(crate) struct Engine {
    endpoint: Endpoint,
    connected: OnceCell<Docker>,
}

impl Engine {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, connected: OnceCell::new() }
    }

    /// A client that speaks a version of the interface which the engine knows.
    pub(crate) async fn client(&self) -> Result<&Docker, DockerError> {
        let connect = async {
            let client = self.connect().map_err(|source| DockerError::Connect { source: Box::new(source) })?;
            let agreed = tokio::time::timeout(CALL_DEADLINE, client.negotiate_version()).await;
            let late = |_| DockerError::Late { call: "agree on a version", seconds: CALL_DEADLINE.as_secs() };
            agreed.map_err(late)?.map_err(|source| DockerError::Connect { source: Box::new(source) })
        };
        self.connected.get_or_try_init(|| connect).await
    }

    fn connect(&self) -> Result<Docker, bollard::errors::Error> {
        let seconds = LONG_DEADLINE.as_secs();
        match &self.endpoint {
            Endpoint::Unix(path) => Docker::connect_with_unix(&path.to_string_lossy(), seconds, API_DEFAULT_VERSION),
            Endpoint::Tcp { address, tls: None } => Docker::connect_with_http(address, seconds, API_DEFAULT_VERSION),
            Endpoint::Tcp { address, tls: Some(tls) } => Docker::connect_with_ssl(
                address,
                &tls.key,
                &tls.certificate,
                &tls.authority,
                seconds,
                API_DEFAULT_VERSION,
            ),
        }
    }

    /// A short call.
    pub(crate) async fn call<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, bollard::errors::Error>> + Send,
    ) -> Result<T, DockerError> {
        within(call, CALL_DEADLINE, answer).await
    }

    /// A call that ends processes or removes files.
    pub(crate) async fn long_call<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, bollard::errors::Error>> + Send,
    ) -> Result<T, DockerError> {
        within(call, LONG_DEADLINE, answer).await
    }
}

async fn within<T>(
    call: &'static str,
    deadline: Duration,
    answer: impl Future<Output = Result<T, bollard::errors::Error>> + Send,
) -> Result<T, DockerError> {
    match tokio::time::timeout(deadline, answer).await {
        Ok(answer) => answer.map_err(|source| DockerError::Engine { call, source: Box::new(source) }),
        Err(_) => Err(DockerError::Late { call, seconds: deadline.as_secs() }),
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn an_endpoint_is_a_socket_or_a_host_with_a_port() {
        assert_eq!(Endpoint::parse(Endpoint::DEFAULT, None), Ok(Endpoint::Unix("/var/run/docker.sock".into())));
        let tcp = Endpoint::Tcp { address: "[::1]:2376".to_owned(), tls: None };
        assert_eq!(Endpoint::parse("tcp://[::1]:2376", None), Ok(tcp));
        for (text, word) in [
            ("ssh://ops@build.example", "ssh"),
            ("/var/run/docker.sock", "unix:///"),
            ("unix://docker.sock", "unix:///"),
            ("tcp://build.example", "port"),
            ("tcp://build.example:0", "port"),
            ("tcp://build.example/v1:2375", "port"),
            ("", "unix:///"),
        ] {
            let refused = Endpoint::parse(text, None).unwrap_err();
            assert!(refused.contains(word), "{text}: {refused}");
        }
    }
}

//! Connections to the engine: one for each question, and it ends with the answer. Used for answers that the usual client
//! cannot read, for what it cannot send, and for whatever goes to a port instead of a socket.

use std::io;
use std::time::Duration;

use bollard::errors::Error as EngineError;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::address::{Address, authority, port_of};
use crate::tls::Tls;

/// How much of a refusal is read: engines say a sentence.
const MOST_OF_A_REFUSAL: usize = 64 << 10;

/// How much of a refusal that is no JSON is kept.
const KEPT_OF_A_REFUSAL: usize = 1000;

/// After how long a silence another host is asked whether it is still there, how often, and how many times. A stream of events
/// is silent for hours.
const SILENCE: Duration = Duration::from_secs(30);
const BETWEEN_PROBES: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;

/// How long connecting may take: where a host is gone nobody answers. Shorter than any call, so that one for which there was
/// no connection is told from one whose answer was lost.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// There was no connection, so that nothing was sent. It is the cause of an error of the operating system, with its kind.
#[derive(Debug, thiserror::Error)]
#[error("no connection to {address}")]
pub(crate) struct NotConnected {
    address: String,
    #[source]
    source: io::Error,
}

/// The way to an engine.
#[derive(Debug)]
pub(crate) struct Way {
    address: Address,
    tls: Option<Tls>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Way {
    /// Connects to nothing, and reads no file.
    pub(crate) fn new(address: Address) -> Self {
        let tls = match &address {
            Address::Tcp { tls: Some(files), .. } => Some(Tls::new(files.clone())),
            Address::Tcp { tls: None, .. } | Address::Socket(_) => None,
        };
        Self { address, tls }
    }

    /// A connection, over which nothing was sent yet.
    async fn opened(&self) -> io::Result<Box<dyn Stream>> {
        let connected = tokio::time::timeout(CONNECT_DEADLINE, self.connected()).await;
        connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|source| {
            let kind = source.kind();
            io::Error::new(kind, NotConnected { address: self.address.to_string(), source })
        })
    }

    async fn connected(&self) -> io::Result<Box<dyn Stream>> {
        let (host, port) = match &self.address {
            Address::Socket(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Address::Tcp { host, port, tls } => (host.as_str(), port_of(*port, tls.is_some())),
        };
        // Before anybody is told that we come.
        let config = self.tls.as_ref().map(Tls::config).transpose().map_err(io::Error::other)?;
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        watched(&stream)?;
        let Some(config) = config else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?))
    }

    /// The answer, whatever its status. It may be an upgrade.
    pub(crate) async fn sent<B>(&self, mut request: Request<B>) -> Result<Response<Incoming>, EngineError>
    where
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
        B::Data: Send,
    {
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.opened().await?)).await?;
        // It ends when the answer was read, or nobody wants it any more.
        tokio::spawn(connection.with_upgrades());
        let host = match &self.address {
            Address::Socket(_) => "engine".to_owned(),
            Address::Tcp { host, port, tls } => authority(host, port_of(*port, tls.is_some())),
        };
        let host = HeaderValue::try_from(host).map_err(|error| io::Error::other(error.to_string()))?;
        request.headers_mut().insert(HOST, host);
        if let Some(path) = request.uri().path_and_query() {
            *request.uri_mut() = path.clone().into();
        }
        Ok(sender.send_request(request).await?)
    }

    /// A successful answer, whose body is still to be read. What is no success is an error with what the engine said.
    pub(crate) async fn ask(&self, request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, EngineError> {
        let response = self.sent(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = limited(response, MOST_OF_A_REFUSAL).await?;
        Err(EngineError::DockerResponseServerError { status_code: status.as_u16(), message: refusal(&body) })
    }
}

/// Has the kernel find out when the other host is gone.
fn watched(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, SILENCE)?;
    sockopt::set_tcp_keepintvl(stream, BETWEEN_PROBES)?;
    Ok(sockopt::set_tcp_keepcnt(stream, PROBES)?)
}

/// A body that may be no longer than this.
pub(crate) async fn limited(response: Response<Incoming>, most_bytes: usize) -> Result<Bytes, EngineError> {
    let body = Limited::new(response.into_body(), most_bytes).collect().await;
    Ok(body.map_err(|cause| io::Error::other(cause.to_string()))?.to_bytes())
}

/// Why a question was refused.
fn refusal(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    match serde_json::from_slice(body) {
        Ok(Refusal { message }) => message,
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(KEPT_OF_A_REFUSAL)]).trim().to_owned(),
    }
}

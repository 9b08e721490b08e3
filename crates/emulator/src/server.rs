//! Connections, the way of one request through faults and forge, and the ticking of the forge.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, State, connect_info::Connected};
use axum::http::StatusCode;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use forge_model::Forge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::answer::Answer;
use crate::calls::Calls;
use crate::clock::EmulatorClock;
use crate::faults::{Effect, Faults};
use crate::latency::AnswerTimes;
use crate::request::Request;
use crate::route::{self, Route};
use crate::{rest, rpc};

/// Longest body of a request: many outputs of 1 MiB each fit (protocol 3.4).
const BODY_BYTES: usize = 32 << 20;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) forge: Mutex<Forge>,
    pub(crate) calls: Mutex<Calls>,
    pub(crate) faults: Faults,
    pub(crate) clock: EmulatorClock,
    pub(crate) latency: AnswerTimes,
}

impl Shared {
    pub(crate) fn forge(&self) -> MutexGuard<'_, Forge> {
        self.forge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the forge act on one request.
    fn act(&self, request: &Request, route: &Route) -> Answer {
        let now = self.clock.now();
        let mut forge = self.forge();
        forge.advance(now);
        match route {
            Route::Rpc(kind) => rpc::answer(&mut forge, now, request, *kind),
            other => rest::answer(&mut forge, now, request, other),
        }
    }
}

/// Serves one request, with whatever fault strikes it.
pub(crate) async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let route = route::find(parts.uri.path());
    let kind = route.kind(parts.method.as_str());
    shared.calls().count(kind);
    let target = parts.uri.path_and_query().map_or("", axum::http::uri::PathAndQuery::as_str);
    let fault = shared.faults.next(kind, parts.method.as_str(), target);
    let Ok(body) = to_bytes(body, BODY_BYTES).await else {
        return to_response(Answer::empty(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let request = Request { method: parts.method.as_str().to_owned(), uri: parts.uri, headers: parts.headers, body };
    match &fault {
        Some(Effect::Answer { status, headers, body }) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut answer = Answer::empty(status);
            answer.headers.clone_from(headers);
            answer.body = body.clone().into_bytes();
            return to_response(answer);
        }
        Some(Effect::DropRequest) => return connection.sever(),
        Some(Effect::DelayRequest(span)) => tokio::time::sleep(*span).await,
        Some(Effect::DropAnswer | Effect::DelayAnswer(_) | Effect::CutBody | Effect::Rewrite(_)) | None => {}
    }
    let mut answer = shared.act(&request, &route);
    let mut wait = shared.latency.of(kind, answer.rows);
    match fault {
        Some(Effect::DropAnswer) => return connection.sever(),
        Some(Effect::DelayAnswer(span)) => wait += span,
        Some(Effect::CutBody) => return cut(answer),
        Some(Effect::Rewrite(change)) => answer.body = change.apply(answer.body),
        _ => {}
    }
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    to_response(answer)
}

fn to_response(answer: Answer) -> Response {
    build(answer.status, &answer.headers, Body::from(answer.body))
}

fn build(status: StatusCode, headers: &[(String, String)], body: Body) -> Response {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(body).unwrap_or_else(|_| Response::new(Body::empty()))
}

/// Announces the whole body, sends half of it, then breaks.
fn cut(answer: Answer) -> Response {
    let half = Bytes::copy_from_slice(&answer.body[..answer.body.len() / 2]);
    let mut headers = answer.headers;
    headers.push(("Content-Length".to_owned(), answer.body.len().to_string()));
    let body = futures_util::stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) if !half.is_empty() => Some((Ok(half), Some(Bytes::new()))),
            _ => {
                // Gives the connection a chance to write what it has before the body fails.
                tokio::time::sleep(Duration::from_millis(1)).await;
                Some((Err(io::Error::other("cut on purpose")), None))
            }
        }
    });
    build(answer.status, &headers, Body::from_stream(body))
}

/// Lets the forge do by itself what is due, until the task is aborted.
pub(crate) async fn tick(shared: Arc<Shared>, period: Duration) {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let now = shared.clock.now();
        shared.forge().advance(now);
    }
}

/// One connection, as its requests see it.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    severed: Arc<AtomicBool>,
}

impl Connection {
    /// Makes every further write fail, so that the answer given here never leaves.
    fn sever(&self) -> Response {
        self.severed.store(true, Ordering::SeqCst);
        Response::new(Body::empty())
    }
}

impl Connected<IncomingStream<'_, SeverableListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, SeverableListener>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A listener whose connections can be broken from within a request.
pub(crate) struct SeverableListener(pub(crate) TcpListener);

impl Listener for SeverableListener {
    type Io = Severable;
    type Addr = Connection;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, _): (TcpStream, SocketAddr) = Listener::accept(&mut self.0).await;
        // Small answers must not wait for more: a poll would take 40 ms longer.
        let _ = stream.set_nodelay(true);
        let connection = Connection { severed: Arc::new(AtomicBool::new(false)) };
        (Severable { stream, connection: connection.clone() }, connection)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(Connection { severed: Arc::new(AtomicBool::new(false)) })
    }
}

/// A stream that fails to write once its connection is severed.
pub(crate) struct Severable {
    stream: TcpStream,
    connection: Connection,
}

impl Severable {
    fn check(&self) -> io::Result<()> {
        if self.connection.severed.load(Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "severed on purpose"));
        }
        Ok(())
    }
}

impl AsyncRead for Severable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Severable {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

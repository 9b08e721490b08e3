//! A forge by script: a TCP server on loopback that gives the next reply of its list to each request and keeps what it
//! was asked. Raw, so that answers can be cut or never come. Shared with the tests of the REST client.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does with one request.
pub(crate) enum Reply {
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8>, missing: usize },
    Silence,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self::Answer { status, headers, body: body.into(), missing: 0 }
    }

    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::new(status, "application/json;charset=utf-8", body)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The connection ends before the announced end of the body.
    pub(crate) fn cut(mut self) -> Self {
        if let Self::Answer { missing, .. } = &mut self {
            *missing = 100;
        }
        self
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let url = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let replies: Vec<Reply> = replies.into_iter().collect();
        let task = tokio::spawn(serve(listener, replies, Arc::clone(&seen)));
        Self { url, seen, task }
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The only request.
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}

async fn serve(listener: TcpListener, replies: Vec<Reply>, seen: Arc<Mutex<Vec<Seen>>>) {
    let unexpected = std::iter::repeat_with(|| Reply::json(418, r#"{"message":"not in the script"}"#));
    let mut silent = Vec::new();
    for reply in replies.into_iter().chain(unexpected) {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        let Some(request) = read_request(&mut stream).await else { continue };
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        match reply {
            Reply::Silence => silent.push(stream),
            Reply::Answer { status, headers, body, missing } => {
                let mut head = vec![format!("HTTP/1.1 {status} Scripted"), "Connection: close".to_owned()];
                head.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
                head.push(format!("Content-Length: {}\r\n\r\n", body.len() + missing));
                let mut bytes = head.join("\r\n").into_bytes();
                bytes.extend_from_slice(&body);
                // A client that has seen enough may be gone before the end.
                if stream.write_all(&bytes).await.is_ok() {
                    drop(stream.shutdown().await);
                }
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(Some(0), |(_, value)| value.parse().ok())?;
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { method, target, headers, body })
}

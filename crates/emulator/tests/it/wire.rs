//! The smallest HTTP client that can send exactly what was recorded.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer, read until the connection closed.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request on its own connection. No answer at all is `Ok(None)`; a body shorter than announced is an error.
pub(crate) async fn send(
    url: &str,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: Option<&[u8]>,
) -> io::Result<Option<Reply>> {
    let exchange = exchange(url, method, path, headers, body);
    tokio::time::timeout(Duration::from_secs(10), exchange).await.map_err(io::Error::other)?
}

async fn exchange(
    url: &str,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: Option<&[u8]>,
) -> io::Result<Option<Reply>> {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if let Some(body) = body {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.unwrap_or_default()).await?;
    let mut received = Vec::new();
    let end = stream.read_to_end(&mut received).await;
    if received.is_empty() {
        return Ok(None);
    }
    end?;
    parse(&received).map(Some)
}

fn parse(received: &[u8]) -> io::Result<Reply> {
    let bad = || io::Error::other("not an HTTP answer");
    let split = received.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(bad)?;
    let head = std::str::from_utf8(&received[..split]).map_err(io::Error::other)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let reply = Reply { status: status.ok_or_else(bad)?, headers, body: received[split + 4..].to_vec() };
    let announced: usize = reply.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    if reply.body.len() < announced {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body is cut"));
    }
    Ok(reply)
}

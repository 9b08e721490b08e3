//! An engine whose answers a test chooses, for what a real one cannot be brought to.

use std::sync::{Arc, Mutex, PoisonError};

use backend_docker::{Address, DockerSettings};
use planner::ids::DeploymentId;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{UnixListener, UnixStream};

use crate::engine::settings;

/// What it says to a question: a status, and a body.
pub(crate) type Answer = (u16, String);

/// Told of every path that is asked for a look at.
const LOOKED_AT: &str =
    "X-Docker-Container-Path-Stat: eyJuYW1lIjoieCIsInNpemUiOjAsIm1vZGUiOjAsIm10aW1lIjoiIiwibGlua1RhcmdldCI6IiJ9";

pub(crate) struct Scripted {
    asked: Arc<Mutex<Vec<String>>>,
    place: TempDir,
}

impl Scripted {
    /// One that answers questions like `DELETE /volumes/x?force=false`, and is gone before its answer to the first one that
    /// contains `last` is read.
    pub(crate) fn open(last: Option<&'static str>, answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let engine = Self { asked: Arc::default(), place: TempDir::new().unwrap() };
        let mut listener = Some(UnixListener::bind(engine.place.path().join("engine.sock")).unwrap());
        let asked = Arc::clone(&engine.asked);
        tokio::spawn(async move {
            while let Some(listens) = &listener {
                let mut stream = BufStream::new(listens.accept().await.unwrap().0);
                let Some(question) = question(&mut stream).await else { continue };
                asked.lock().unwrap_or_else(PoisonError::into_inner).push(question.clone());
                if last.is_some_and(|last| question.contains(last)) {
                    listener = None;
                }
                let (status, body) = match question.as_str() {
                    "GET /version" => (200, r#"{"ApiVersion":"1.41","Version":"20.10"}"#.to_owned()),
                    other => answer(other),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{LOOKED_AT}\r\n\r\n"
                );
                let body = if question.starts_with("HEAD") { "" } else { &body };
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
        });
        engine
    }

    /// Settings for it, with an empty runner.
    pub(crate) fn settings(&self) -> DockerSettings {
        let runner = self.place.path().join("runner");
        std::fs::write(&runner, "").unwrap();
        settings(Address::Socket(self.place.path().join("engine.sock")), &DeploymentId::new("d"), runner)
    }

    /// A file in a place that goes with it.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.place.path().join(name)
    }

    /// What was asked since the last time, as far as it begins like this; the rest of it.
    pub(crate) fn asked(&self, beginning: &str) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        asked.iter().filter_map(|question| question.strip_prefix(beginning)).map(str::to_owned).collect()
    }
}

/// The method, and the path without the version of the interface.
async fn question(stream: &mut BufStream<UnixStream>) -> Option<String> {
    let (mut line, mut first, mut length) = (String::new(), None, 0);
    while stream.read_line(&mut line).await.ok()? > 2 {
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().unwrap();
        }
        first.get_or_insert_with(|| line.clone());
        line.clear();
    }
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    let first = first?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let path = path.strip_prefix("/v1.41").unwrap_or(path);
    Some(format!("{method} {path}"))
}

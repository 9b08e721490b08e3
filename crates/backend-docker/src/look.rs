//! What an engine says of containers when it is asked, read by ourselves.
//!
//! The usual client knows the states of Docker alone, and refuses a whole list for one word of Podman's: `stopped`, between
//! the end of a container and its tidying up. Here only what is needed is read, and a container in an unknown state spoils
//! nothing but itself.
//!
//! Promises: no answer is longer than [`MOST_BYTES`]. Deadlines are the caller's.

use std::collections::HashMap;

use bollard::errors::Error as EngineError;
use http_body_util::Empty;
use hyper::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::connection::{self, Way};

/// A listed container takes some 3 KB, so that this is for ten thousand.
const MOST_BYTES: usize = 32 << 20;

/// A container in a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listed {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) names: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) labels: Option<HashMap<String, String>>,
    #[serde(default)]
    pub(crate) state: Status,
}

/// A container by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspected {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) state: State,
    #[serde(default)]
    pub(crate) config: Config,
}

/// How it is with a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State {
    #[serde(default)]
    pub(crate) status: Status,
    #[serde(default)]
    pub(crate) exit_code: Option<i64>,
    /// Why it could not be started.
    #[serde(default)]
    pub(crate) error: Option<String>,
}

/// What a container was made with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) labels: Option<HashMap<String, String>>,
}

/// The states of containers, in the words of Docker and of Podman.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Nothing of it was started. Podman prepares a container for whoever attaches to it: nothing of ours runs then.
    #[serde(alias = "configured", alias = "initialized")]
    Created,
    /// It has processes.
    #[serde(alias = "paused", alias = "restarting", alias = "stopping")]
    Running,
    /// It has none any more.
    #[serde(alias = "dead", alias = "stopped")]
    Exited,
    /// It is being removed.
    Removing,
    /// Something else.
    #[default]
    #[serde(other)]
    Unknown,
}

/// All containers that a filter lets through.
pub(crate) async fn list(
    way: &Way,
    version: &str,
    filter: &HashMap<String, Vec<String>>,
) -> Result<Vec<Listed>, EngineError> {
    let filter = serde_json::to_string(filter)?;
    let filter = utf8_percent_encode(&filter, NON_ALPHANUMERIC);
    get(way, &format!("/v{version}/containers/json?all=true&filters={filter}")).await
}

/// A container by its id or name.
pub(crate) async fn inspect(way: &Way, version: &str, id: &str) -> Result<Inspected, EngineError> {
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
    get(way, &format!("/v{version}/containers/{id}/json")).await
}

/// An answer as JSON.
pub(crate) async fn get<T: DeserializeOwned>(way: &Way, path: &str) -> Result<T, EngineError> {
    let request = Request::get(path).body(Empty::new())?;
    let answer = connection::limited(way.ask(request).await?, MOST_BYTES).await?;
    Ok(serde_json::from_slice(&answer)?)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    use super::*;
    use crate::address::Address;

    #[test]
    fn both_engines_words_are_understood_and_an_unknown_one_spoils_nothing_else() {
        let cases = [
            ("created", Status::Created),
            ("initialized", Status::Created),
            ("running", Status::Running),
            ("paused", Status::Running),
            ("stopping", Status::Running),
            ("stopped", Status::Exited),
            ("exited", Status::Exited),
            ("dead", Status::Exited),
            ("removing", Status::Removing),
            ("dreaming", Status::Unknown),
        ];
        let text = cases.map(|(word, _)| format!("{{\"Id\":\"i\",\"Names\":null,\"State\":\"{word}\",\"Other\":1}}"));
        let listed: Vec<Listed> = serde_json::from_str(&format!("[{}]", text.join(","))).unwrap();
        let read: Vec<Status> = listed.iter().map(|container| container.state).collect();
        assert_eq!(read, cases.map(|(_, status)| status));
    }

    /// What comes of one question to an engine that gives this answer.
    async fn answered(answer: &str) -> Result<Vec<Listed>, EngineError> {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let engine = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let length = connection.read(&mut asked).await.unwrap();
            connection.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        };
        let way = Way::new(Address::Socket(socket));
        let filter = HashMap::from([("label".to_owned(), vec!["a=b".to_owned()])]);
        let (asked, listed) = tokio::join!(engine, list(&way, "1.41", &filter));
        let path = "GET /v1.41/containers/json?all=true&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D HTTP/1.1\r\n";
        assert!(asked.starts_with(path), "{asked}");
        listed
    }

    #[tokio::test]
    async fn an_answer_is_read_however_it_comes_and_a_refusal_says_why() {
        let listed =
            answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n").await.unwrap();
        assert!(listed.is_empty());
        let refused =
            answered("HTTP/1.1 404 No\r\nContent-Length: 18\r\n\r\n{\"message\":\"none\"}").await.unwrap_err();
        let EngineError::DockerResponseServerError { status_code: 404, message } = refused else { panic!("{refused}") };
        assert_eq!(message, "none");
        let cut = answered("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[").await;
        assert!(cut.is_err(), "{cut:?}");
    }
}

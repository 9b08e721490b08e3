//! One pull: the call, with the credentials for the image's registry, and the engine's report of it.
//!
//! Made by ourselves: the usual client writes credentials in an alphabet that engines take for no credentials, whenever a
//! letter of it is one of two. And lines get a limit.

use std::io;
use std::sync::{Mutex, PoisonError};

use bollard::errors::Error as EngineError;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::progress::{Line, Progress};
use crate::connection::Way;
use crate::engine::Engine;
use crate::error::DockerError;
use crate::registry::{Credentials, RegistryAuth};

/// The longest line of a report: one layer's name and numbers, or why a pull has failed.
const MOST_OF_A_LINE: usize = 64 << 10;

/// Has an engine pull an image, to the end.
pub(super) async fn pull(
    engine: &Engine,
    auth: Option<&RegistryAuth>,
    image: &str,
    progress: &Mutex<Progress>,
) -> Result<(), DockerError> {
    let credentials = match auth {
        Some(auth) => {
            let found = auth.of(image).await;
            found.map_err(|source| DockerError::Credentials { image: image.to_owned(), source: Box::new(source) })?
        }
        None => None,
    };
    let version = engine.client().await?.client_version().to_string();
    let pulled = asked(engine.way(), &version, image, credentials.as_ref(), progress).await;
    pulled.map_err(|source| DockerError::NotPulled {
        image: image.to_owned(),
        with_credentials: credentials.is_some(),
        source: Box::new(source),
    })
}

async fn asked(
    way: &Way,
    version: &str,
    image: &str,
    credentials: Option<&Credentials>,
    progress: &Mutex<Progress>,
) -> Result<(), EngineError> {
    // Without a tag the engine would pull all there are.
    let is_exact = image.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    let exact = if is_exact { image.to_owned() } else { format!("{image}:latest") };
    let exact = utf8_percent_encode(&exact, NON_ALPHANUMERIC);
    let mut request = Request::post(format!("/v{version}/images/create?fromImage={exact}"));
    if let Some(credentials) = credentials {
        request = request.header("X-Registry-Auth", credentials.header());
    }
    let answer = way.ask(request.body(Empty::<Bytes>::new())?).await?;
    report(answer.into_body(), progress).await
}

/// Reads a report to its end, which says nothing where all went well.
async fn report(mut body: Incoming, progress: &Mutex<Progress>) -> Result<(), EngineError> {
    let mut rest: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        rest.extend_from_slice(&data);
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            line(&rest[..end], progress)?;
            rest.drain(..=end);
        }
        if rest.len() > MOST_OF_A_LINE {
            return Err(io::Error::other("a line of the engine's report has no end").into());
        }
    }
    line(&rest, progress)
}

fn line(text: &[u8], progress: &Mutex<Progress>) -> Result<(), EngineError> {
    // Something else than a report is nothing to go by.
    let Ok(line) = serde_json::from_slice::<Line>(text) else { return Ok(()) };
    if let Some(error) = line.error {
        return Err(EngineError::DockerStreamError { error });
    }
    progress.lock().unwrap_or_else(PoisonError::into_inner).told(&line);
    Ok(())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    use super::*;
    use crate::address::Address;
    use crate::registry::Secret;

    /// What comes of a pull from an engine that gives these pieces of an answer, what it was asked, and how far it came.
    async fn answered(pieces: &[&str]) -> (Result<(), EngineError>, String, String) {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let way = Way::new(Address::Socket(socket));
        let engine = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let length = connection.read(&mut asked).await.unwrap();
            for piece in pieces {
                // Whoever has heard enough hangs up.
                let _ = connection.write_all(piece.as_bytes()).await;
                let _ = connection.flush().await;
            }
            String::from_utf8_lossy(&asked[..length]).into_owned()
        };
        let secret = Secret::Password { user: "u".to_owned(), password: SecretString::from("p~~~?") };
        let credentials = Credentials::new("registry.example", &secret);
        let progress = Mutex::default();
        let image = "registry.example/a/b:1";
        let (asked, pulled) = tokio::join!(engine, asked(&way, "1.41", image, Some(&credentials), &progress));
        (pulled, asked, progress.into_inner().unwrap().to_string())
    }

    const HEAD: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn an_engine_is_asked_with_credentials_and_its_report_is_read_to_the_end() {
        let pieces = [
            HEAD,
            "{\"status\":\"Pulling fs layer\",\"id\":\"a\"}\r\n{\"status\":\"Pull co",
            "mplete\",\"id\":\"a\"}\r\nnonsense\r\n",
            "{\"status\":\"Waiting\",\"id\":\"b\"}",
        ];
        let (pulled, asked, progress) = answered(&pieces).await;
        pulled.unwrap();
        let path = "POST /v1.41/images/create?fromImage=registry%2Eexample%2Fa%2Fb%3A1 HTTP/1.1\r\n";
        assert!(asked.starts_with(path), "{asked}");
        let header = asked.lines().find_map(|line| line.strip_prefix("x-registry-auth: ")).unwrap();
        let decoded = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE, header).unwrap();
        let decoded = String::from_utf8(decoded).unwrap();
        assert_eq!(decoded, r#"{"password":"p~~~?","serveraddress":"registry.example","username":"u"}"#);
        assert_eq!(progress, "1 of 2 layers");
    }

    #[tokio::test]
    async fn an_engine_says_in_its_report_or_before_it_that_a_pull_has_failed() {
        let error =
            "{\"errorDetail\":{\"message\":\"no\"},\"error\":\"manifest unknown\"}\r\n{\"status\":\"Waiting\"}\n";
        let (pulled, ..) = answered(&[HEAD, error]).await;
        let Err(EngineError::DockerStreamError { error }) = pulled else { panic!("{pulled:?}") };
        assert_eq!(error, "manifest unknown");
        let refusal = "HTTP/1.1 404 Not Found\r\nContent-Length: 20\r\n\r\n{\"message\":\"denied\"}";
        let (pulled, ..) = answered(&[refusal]).await;
        let Err(EngineError::DockerResponseServerError { status_code: 404, message }) = pulled else { panic!() };
        assert_eq!(message, "denied");
        let cut = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc";
        let (pulled, ..) = answered(&[cut]).await;
        assert!(pulled.is_err(), "an answer that was cut is no end");
        let endless = "x".repeat(2 * MOST_OF_A_LINE);
        let (pulled, ..) = answered(&[HEAD, &endless]).await;
        assert!(pulled.unwrap_err().to_string().contains("no end"));
    }
}

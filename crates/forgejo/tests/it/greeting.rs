//! Version, clock, and why there is no answer.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use forgejo::{Client, NoAnswer};

use crate::scripted::{Reply, Server};
use crate::{client, self_signed, settings};

#[tokio::test]
async fn a_forge_tells_its_version_and_its_time() {
    let version = || Reply::json(200, r#"{"version":"16.1.0+gitea-1.22.0"}"#);
    let dated = version().header("Date", "Thu, 01 Jan 1970 00:01:30 GMT");
    let server = Server::start([dated, version().header("Date", "soon")]).await;
    let greeting = client(&server.url).greet().await.unwrap();
    assert_eq!(greeting.version.minor, 1);
    assert_eq!(greeting.clock, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(90)));
    assert_eq!(client(&server.url).greet().await.unwrap().clock, None);
}

async fn no_answer(client: &Client) -> Option<NoAnswer> {
    client.greet().await.expect_err("no answer").no_answer()
}

#[tokio::test]
async fn an_unknown_name_a_closed_port_and_silence_are_told_apart() {
    // A label of more than 63 letters cannot even be asked for.
    let unknown = format!("http://{}.invalid", "x".repeat(70));
    assert_eq!(no_answer(&client(&unknown)).await, Some(NoAnswer::Name));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(no_answer(&client(&format!("http://{free}"))).await, Some(NoAnswer::Refused));
    let server = Server::start([Reply::Silence]).await;
    let mut settings = settings(&server.url);
    settings.call_deadline = Duration::from_millis(300);
    assert_eq!(no_answer(&Client::new(&settings).unwrap()).await, Some(NoAnswer::Deadline));
    let server = Server::start([Reply::json(500, "{}")]).await;
    assert_eq!(no_answer(&client(&server.url)).await, None);
}

/// A URL that promises TLS where a server speaks plain HTTP.
fn without_tls() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a test server or its client");
    let url = format!("https://{}", listener.local_addr().expect("a test server or its client"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a test server or its client");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("a test server or its client");
        // Until the client breaks it off: closed too early, the answer could be lost.
        drop(stream.read(&mut [0; 4096]).and_then(|_| stream.read(&mut [0; 1])));
    });
    url
}

#[tokio::test]
async fn trouble_with_tls_is_named() {
    // Some other certificate to trust: a machine without any cannot even begin.
    let with_authorities = |url: &str| {
        let mut settings = settings(url);
        settings.ca_pem = Some(self_signed::CERTIFICATE.to_vec());
        Client::new(&settings).unwrap()
    };
    assert_eq!(no_answer(&with_authorities(&without_tls())).await, Some(NoAnswer::NotTls));

    let url = self_signed::server();
    let by_another_name = with_authorities(&url.replace("127.0.0.1", "localhost"));
    let Some(NoAnswer::Certificate(why)) = no_answer(&by_another_name).await else { panic!("it is trusted") };
    assert!(!why.is_empty());
}

//! An engine behind a port with TLS, which asks for a certificate: before the socket of the engine stands one of our own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backend::{Backend as _, BackendError, chain};
use backend_docker::{Address, DockerBackend, DockerError, Pull, TlsFiles};
use planner::error_class::ErrorClass;
use planner::ids::DeploymentId;
use planner::seen::Exit;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::engine::{engine, root, settings, static_busybox};
use crate::machine::{Ground, TOKEN, launch, request};
use crate::registry::Registry;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

fn certificates(name: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(data(name)).unwrap().map(Result::unwrap).collect()
}

/// Takes connections with TLS from those whose certificate the authority has signed, and hands them on to a socket.
/// Its port. It listens on the whole loopback, of which its certificate names one address.
pub(crate) async fn guarded(socket: PathBuf) -> u16 {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(certificates("ca.pem"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(certificates("engine.pem"), PrivateKeyDer::from_pem_file(data("engine.key")).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = TcpListener::bind(("127.0.0.2", first.local_addr().unwrap().port())).await.unwrap();
    let listeners = [first, second];
    let port = listeners[0].local_addr().unwrap().port();
    for listener in listeners {
        let (acceptor, socket) = (acceptor.clone(), socket.clone());
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let (acceptor, socket) = (acceptor.clone(), socket.clone());
                tokio::spawn(async move {
                    let mut caller = acceptor.accept(caller).await?;
                    copy_bidirectional(&mut caller, &mut UnixStream::connect(socket).await?).await
                });
            }
        });
    }
    port
}

/// An engine there, whose authority and whose client's certificate are these.
pub(crate) fn at(host: &str, port: u16, ca: &str, client: &str) -> Address {
    let tls = TlsFiles {
        ca: data(&format!("{ca}.pem")),
        certificate: data(&format!("{client}.pem")),
        key: data(&format!("{client}.key")),
    };
    Address::Tcp { host: host.to_owned(), port: Some(port), tls: Some(tls) }
}

fn hint(error: &BackendError) -> &'static str {
    error.source.as_ref().and_then(|source| source.downcast_ref::<DockerError>()?.hint()).unwrap_or_default()
}

#[tokio::test]
async fn a_certificate_that_one_side_does_not_take_is_told_with_what_to_do() {
    // Nobody comes as far as the socket.
    let port = guarded("/nowhere/docker.sock".into()).await;
    for (address, word) in [
        (at("127.0.0.1", port, "other-ca", "client"), "not signed by an authority in tls_ca_file"),
        (at("127.0.0.1", port, "ca", "other-client"), "did not take tls_cert_file"),
        (at("127.0.0.2", port, "ca", "client"), "subjectAltName"),
        (at("127.0.0.1", port, "nothing", "client"), "must be able to read tls_ca_file"),
    ] {
        let settings = settings(address, &DeploymentId::new("d"), "/nowhere/runner".into());
        let refused = DockerBackend::new(settings).unwrap().list().await.unwrap_err();
        let said = format!("{} {}", chain(&refused), hint(&refused));
        assert!(said.contains(word), "{said}");
        assert_eq!(refused.class, ErrorClass::Auth, "{said}");
    }
}

#[tokio::test]
async fn an_engine_that_speaks_no_tls_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut caller, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut caller, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let settings = settings(at("127.0.0.1", port, "ca", "client"), &DeploymentId::new("d"), "/nowhere/runner".into());
    let refused = DockerBackend::new(settings).unwrap().list().await.unwrap_err();
    assert!(hint(&refused).contains("does not speak TLS"), "{} {}", chain(&refused), hint(&refused));
}

#[tokio::test]
async fn a_job_runs_on_an_engine_behind_tls_from_the_pull_to_the_last_line() {
    let Some(engine) = engine().await else { return };
    let port = guarded(engine.socket.clone()).await;
    let registry = Registry::open(root(&static_busybox().unwrap(), &[]), None).await;
    let image = registry.image("far");
    let ground = Ground::new(engine, "echo \"got: $(cat)\"; echo the last line", |settings| {
        settings.address = at("localhost", port, "ca", "client");
        settings.pull = Pull::Missing;
    });
    let mut wanted = request(ground.name("fs-1"));
    wanted.image = Some(image.clone());
    ground.backend.create(wanted).await.unwrap();
    ground.backend.start(&ground.name("fs-1"), launch()).await.unwrap();
    assert_eq!(ground.ended("fs-1").await, Exit::Code(0));
    let log = ground.log("fs-1").await;
    assert!(log.iter().any(|line| line.contains(TOKEN)), "the launch came through, to its end: {log:?}");
    assert_eq!(log.last().map(String::as_str), Some("the last line"));
    let client = ground.engine.client.clone();
    ground.finish().await;
    client.remove_image(&image, None::<bollard::query_parameters::RemoveImageOptions>, None).await.unwrap();
}

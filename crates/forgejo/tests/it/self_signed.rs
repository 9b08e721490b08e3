//! A server whose certificate nobody has signed. The tests of the program include this file, too.

use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificate and its key, made for tests.
pub(crate) const CERTIFICATE: &[u8] = include_bytes!("../data/self-signed.pem");
const KEY: &[u8] = include_bytes!("../data/self-signed.key");

/// The URL of a server that offers this certificate to whoever comes.
pub(crate) fn server() -> String {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    let config = Arc::new(config.expect("they fit"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config));
            // The client breaks it off.
            drop(connection.map(|mut connection| connection.complete_io(&mut { stream })));
        }
    });
    url
}

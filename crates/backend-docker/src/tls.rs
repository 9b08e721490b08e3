//! What both sides of a connection to an engine on another host prove themselves with.
//!
//! Read from files, and read anew when one of them has changed, so that certificates can be replaced while the daemon runs.
//! The engine proves itself to the authorities that are named, and to no others.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::address::TlsFiles;

/// Why the files are of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// One holds something else.
    #[error("there is no {wanted} in PEM in {}", path.display())]
    Holds {
        /// Which.
        path: PathBuf,
        /// What it should.
        wanted: &'static str,
    },
    /// Certificate and key do not go together, or are of a kind that is not used.
    #[error("{} and {} cannot be used together", certificate.display(), key.display())]
    Unfit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

impl TlsError {
    /// What may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "the daemon's user must be able to read tls_ca_file, tls_cert_file and tls_key_file"
            }
            Self::Holds { .. } => "tls_ca_file and tls_cert_file hold certificates, tls_key_file a key, all in PEM",
            Self::Unfit { .. } => "tls_key_file is to be the key of the first certificate in tls_cert_file",
        }
    }
}

/// What to do where one side did not take the other's certificate.
pub(crate) fn hint(error: &rustls::Error) -> Option<&'static str> {
    match error {
        rustls::Error::InvalidCertificate(what) => Some(match what {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the engine's certificate is not signed by an authority in tls_ca_file"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "`host` is to be a name or an address that the engine's certificate is for (subjectAltName)"
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                "look at the clocks of both hosts, and for how long the engine's certificate holds"
            }
            _ => "the engine's certificate cannot be used: have a new one signed for it",
        }),
        rustls::Error::AlertReceived(_) => {
            Some("the engine did not take tls_cert_file: is it signed by the authority that the engine asks for?")
        }
        rustls::Error::InvalidMessage(_) => Some("what listens there does not speak TLS: is it the right port?"),
        _ => None,
    }
}

/// The files, and what was read from them last.
#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    read: Mutex<Option<(Stamps, Arc<ClientConfig>)>>,
}

/// By which a changed file is told: time and size of each.
type Stamps = [Option<(SystemTime, u64)>; 3];

impl Tls {
    /// Reads nothing yet.
    pub(crate) fn new(files: TlsFiles) -> Self {
        Self { files, read: Mutex::default() }
    }

    /// What a connection is made with. Blocks for files, of which there are few and small ones.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.files);
        if let Some((before, config)) = &*read
            && *before == stamps
        {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(load(&self.files)?);
        *read = Some((stamps, Arc::clone(&config)));
        Ok(config)
    }
}

/// Whether the files can be used: for whoever looks before there is a connection. Blocks for files.
pub fn check_tls_files(files: &TlsFiles) -> Result<(), TlsError> {
    load(files).map(drop)
}

fn stamps(files: &TlsFiles) -> Stamps {
    [&files.ca, &files.certificate, &files.key].map(|file| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn load(files: &TlsFiles) -> Result<ClientConfig, TlsError> {
    let mut authorities = RootCertStore::empty();
    let given = certificates(&files.ca)?;
    if authorities.add_parsable_certificates(given).0 == 0 {
        return Err(TlsError::Holds { path: files.ca.clone(), wanted: "certificate of an authority" });
    }
    let unfit = |source| TlsError::Unfit { certificate: files.certificate.clone(), key: files.key.clone(), source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_root_certificates(authorities)
        .with_client_auth_cert(certificates(&files.certificate)?, key(&files.key)?)
        .map_err(unfit)
}

/// As much is read of a file: whole chains take a few kilobytes.
const MOST_BYTES: u64 = 1 << 20;

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    // Opening a pipe would wait for its writer, perhaps for ever.
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(unreadable(io::Error::other("it is no regular file of its size")));
    }
    std::fs::read(path).map_err(unreadable)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let holds = || TlsError::Holds { path: path.to_owned(), wanted: "certificate" };
    let bytes = bytes(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    read.ok().filter(|certificates| !certificates.is_empty()).ok_or_else(holds)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let wanted = "key without a passphrase";
    PrivateKeyDer::from_pem_slice(&bytes(path)?).map_err(|_| TlsError::Holds { path: path.to_owned(), wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
    }

    fn files(ca: &str, certificate: &str, key: &str) -> TlsFiles {
        TlsFiles { ca: data(ca), certificate: data(certificate), key: data(key) }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_name_and_without_its_content() {
        check_tls_files(&files("ca.pem", "client.pem", "client.key")).unwrap();
        for (files, words) in [
            (files("nothing.pem", "client.pem", "client.key"), "cannot read"),
            (files("client.key", "client.pem", "client.key"), "no certificate in PEM in"),
            (files("ca.pem", "make.sh", "client.key"), "no certificate in PEM in"),
            (files("ca.pem", "client.pem", "client.pem"), "no key without a passphrase in PEM in"),
            (files("ca.pem", "client.pem", "other-client.key"), "cannot be used together"),
        ] {
            let error = check_tls_files(&files).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("BEGIN"), "{error}");
        }
    }

    #[test]
    fn files_are_read_anew_when_they_change_and_only_then() {
        let place = tempfile::tempdir().unwrap();
        let names = ["ca.pem", "client.pem", "client.key"];
        let [ca, certificate, key] = names.map(|name| {
            std::fs::copy(data(name), place.path().join(name)).unwrap();
            place.path().join(name)
        });
        let tls = Tls::new(TlsFiles { ca: ca.clone(), certificate, key });
        let first = tls.config().unwrap();
        assert!(Arc::ptr_eq(&first, &tls.config().unwrap()));
        // Longer by the second: whatever the clock says.
        let both = [std::fs::read(&ca).unwrap(), std::fs::read(data("other-ca.pem")).unwrap()].concat();
        std::fs::write(&ca, both).unwrap();
        assert!(!Arc::ptr_eq(&first, &tls.config().unwrap()));
        std::fs::remove_file(&ca).unwrap();
        assert!(matches!(tls.config(), Err(TlsError::Unreadable { .. })));
    }
}

//! `host` and what belongs to it: where an engine is, and what both sides prove themselves with.

use std::path::PathBuf;

use backend_docker::{Address, Mode, TlsFiles};

use crate::config::problem::Complaint;
use crate::config::read::{Section, Value, any};
use crate::config::shape::Shape;
use crate::config::value::{Readable, as_written, quoted};

/// The keys of TLS. All of them are given, or none.
const TLS: [&str; 3] = ["tls_ca_file", "tls_cert_file", "tls_key_file"];

/// The address, at which an engine is usually found at that socket.
pub(super) fn read(section: &Section<'_>, usual_socket: PathBuf, mode: &Mode) -> Address {
    let At(address) = section.or("host", At(Address::Socket(usual_socket)), any);
    // Looked at when they are needed: whoever replaces one may be at it just now.
    let files: [Option<PathBuf>; 3] = TLS.map(|key| section.optional(key, any));
    let insecure = section.or("insecure", false, any);
    let address = match address {
        Address::Socket(path) => beside_a_socket(section, path, &files),
        Address::Tcp { host, port, .. } => {
            if *mode == Mode::Socket {
                let complaint =
                    Complaint::new("\"socket\" needs an engine that is called through a socket of its host");
                section.complain("mode", complaint.hint("name one with host = \"unix:///…\", or use \"nested\""));
            }
            Address::Tcp { host, port, tls: tls(section, files) }
        }
    };
    let is_guarded = address.is_guarded();
    if !is_guarded && !insecure && TLS.iter().all(|key| section.get(key).is_none()) {
        let complaint = Complaint::new(format!(
            "{address} would be called in plain text: whoever is on the way, or reaches that port, is root of the engine's host"
        ));
        section.complain("host", complaint.hint(
            "give tls_ca_file, tls_cert_file and tls_key_file, or insecure = true where nobody else is on that network, jobs \
             included",
        ));
    }
    if is_guarded && insecure {
        let complaint = Complaint::new("has no meaning for an engine on this host, or with TLS");
        section.complain("insecure", complaint.hint("remove it"));
    }
    address
}

fn beside_a_socket(section: &Section<'_>, path: PathBuf, files: &[Option<PathBuf>; 3]) -> Address {
    if let Some((key, _)) = TLS.iter().zip(files).find(|(_, file)| file.is_some()) {
        let complaint = Complaint::new("has no meaning for an engine at a socket of this host");
        section
            .complain(key, complaint.hint("remove it, or name the engine's port: host = \"tcp://build.example:2376\""));
    }
    Address::Socket(path)
}

/// The files, if all are there.
fn tls(section: &Section<'_>, files: [Option<PathBuf>; 3]) -> Option<TlsFiles> {
    let given = files.iter().filter(|file| file.is_some()).count();
    if let [Some(ca), Some(certificate), Some(key)] = files {
        return Some(TlsFiles { ca, certificate, key });
    }
    for key in TLS.iter().filter(|key| given > 0 && section.get(key).is_none()) {
        let complaint = Complaint::new("is missing: TLS needs all three of its files");
        section.complain(key, complaint.hint("what docker calls ca.pem, cert.pem and key.pem"));
    }
    None
}

/// The address alone.
struct At(Address);

impl Readable for At {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let text = String::read(value)?;
        as_written(&text)?;
        Address::read(&text)
            .map(Self)
            .map_err(|reason| Complaint::new(format!("{} is no address of an engine", quoted(&text))).hint(reason))
    }

    fn shown(&self) -> String {
        quoted(&self.0.to_string())
    }
}

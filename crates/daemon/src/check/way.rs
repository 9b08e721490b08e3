//! The way to an engine that is not at a socket: whether it is guarded, and by files that can be used.

use backend_docker::{Address, check_tls_files};

use super::finding::Finding;
use super::open_file;
use crate::chain;

/// What is to be said of it.
pub(super) fn check(subject: &str, address: &Address) -> Vec<Finding> {
    let Address::Tcp { tls, .. } = address else { return Vec::new() };
    let Some(files) = tls else {
        let whose = if address.is_guarded() {
            "every process of this host, jobs with the host's network included, can become root through it"
        } else {
            "whoever is on the way or reaches that port, jobs included, is root of the engine's host"
        };
        let message = format!("{address} is called in plain text: {whose}");
        let hint = "have the engine listen with TLS: tls_ca_file, tls_cert_file and tls_key_file";
        return vec![Finding::warning(subject, message).hint(hint)];
    };
    let mut findings = Vec::new();
    if let Err(error) = check_tls_files(files) {
        findings.push(Finding::error(subject, chain(&error)).hint(error.hint()));
    }
    findings.extend(open_file::check(subject, &files.key, ", and is root of the engine's host with it"));
    findings
}

#[cfg(test)]
mod tests {
    use super::super::containers::tests::docker;
    use super::*;
    use crate::check::Verdict;
    use crate::config::tests::Place;

    /// What is said of an engine that is written so.
    fn said(lines: &str) -> Vec<(Verdict, String)> {
        let place = Place::new();
        let docker = docker(&place, lines, "a:docker://a:1").0;
        check("backend b", &docker.address).into_iter().map(|finding| (finding.verdict, finding.message)).collect()
    }

    #[test]
    fn plain_text_is_a_warning_that_says_what_it_means_and_files_that_are_none_are_an_error() {
        assert!(said("").is_empty());
        let [(Verdict::Warning, message)] = &said("host = \"tcp://127.0.0.1:2375\"")[..] else { panic!() };
        assert!(message.contains("every process of this host"), "{message}");
        let [(Verdict::Warning, message)] = &said("host = \"tcp://build.example\"\ninsecure = true")[..] else {
            panic!()
        };
        assert!(message.contains("tcp://build.example:2375 is called in plain text"), "{message}");
        let files = "host = \"tcp://build.example\"\ntls_ca_file = \"ca.pem\"\ntls_cert_file = \"token\"\n";
        let [(Verdict::Error, message)] = &said(&format!("{files}tls_key_file = \"token-site\""))[..] else { panic!() };
        assert!(message.contains("no certificate in PEM in") && message.contains("ca.pem"), "{message}");
        assert!(!message.contains("t0ken"), "{message}");
    }
}

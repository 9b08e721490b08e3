//! Why a forge gave no answer, or none of a forge: in words, with a way out.

use std::path::Path;

use forgejo::{Error, ErrorClass, NoAnswer};
use reqwest::Url;

use super::finding::Finding;
use crate::chain;

/// The finding that a call to an address of a forge failed. `authorities` is the hint where a
/// certificate is not trusted: what adds authorities for this address.
pub(super) fn failed(subject: &str, url: &Url, error: &Error, authorities: &str) -> Finding {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    match error.no_answer() {
        Some(NoAnswer::Name) => Finding::error(subject, format!("the name {host} is unknown"))
            .hint("look for a slip in the url, and at this machine's name servers"),
        Some(NoAnswer::Refused) => Finding::error(subject, format!("{host} refuses connections to port {port}"))
            .hint("is the forge running, and is this its port?"),
        Some(NoAnswer::Deadline) => Finding::error(subject, format!("{host} did not answer in time"))
            .hint("look at firewalls on the way and at the forge's load; limits.forge_deadline is how long we wait"),
        Some(NoAnswer::Certificate(why)) => {
            Finding::error(subject, format!("the certificate of {host} is not trusted: {why}")).hint(authorities)
        }
        Some(NoAnswer::NotTls) => Finding::error(subject, format!("{host} does not speak TLS at port {port}"))
            .hint("write http:// if that is meant, or the port of its HTTPS"),
        Some(NoAnswer::Other) => Finding::error(subject, chain(error)).hint(proxy_hint()),
        None => answered(subject, error),
    }
}

/// There was an answer, and it was not a forge's, or it said no.
fn answered(subject: &str, error: &Error) -> Finding {
    let finding = Finding::error(subject, chain(error));
    match (error.class(), error) {
        (ErrorClass::Redirected, Error::Redirected { location, .. }) => {
            Finding::error(subject, format!("it redirects to {location}"))
                .hint("write the address in the configuration that it redirects to")
        }
        (ErrorClass::NotFound, _) => finding.hint("is this the address of a Forgejo, with its sub-path if it has one?"),
        (ErrorClass::RateLimited { .. }, _) => finding.hint("it asks for a pause: try again later"),
        (_, Error::Malformed { .. }) => {
            finding.hint("something else answers there: a login page or a proxy in front of the forge?")
        }
        _ => finding.hint("look into the forge's own log"),
    }
}

/// What adds authorities for our own calls.
pub(super) fn ca_file_hint(ca_file: Option<&Path>) -> String {
    match ca_file {
        None => "if an authority of your own has signed it, name that one's certificate: ca_file = \"/…\"".to_owned(),
        Some(path) => format!("is {} the certificate of the authority that has signed it?", path.display()),
    }
}

fn proxy_hint() -> &'static str {
    let variables = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    if variables.iter().any(|name| std::env::var_os(name).is_some()) {
        "a proxy is set in the environment: does it let this through? NO_PROXY names exceptions"
    } else {
        "try it from this machine: curl -v, with the address of the forge"
    }
}

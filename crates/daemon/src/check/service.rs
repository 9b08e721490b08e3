//! The way of the runners to the forge: the service that they speak with, at the address that they are given.
//!
//! Our token is never sent there: it is not known whose address it is. That it is the same forge shows in the address
//! that a forge gives itself.

use forgejo::{Error, NoAnswer, Stranger};

use super::finding::Finding;
use super::reach;
use crate::chain;
use crate::config::{BackendKind, Config, Forge};
use crate::forges::{USER_AGENT, authorities};

/// What Go, in which Forgejo Runner is written, reads further authorities from.
const CERTIFICATES: &str = "SSL_CERT_FILE";

/// The runners' way to one forge.
pub(super) async fn check(forge: &Forge, config: &Config) -> Vec<Finding> {
    // Named as what is in the file.
    let key = if forge.runner_url == forge.url { "runners' way to" } else { "runner_url" };
    let subject = format!("{key} {}", forge.runner_url.as_str().trim_end_matches('/'));
    let with_authorities = forge.ca_file.as_ref().and_then(|path| authorities(path).ok());
    let asking =
        |url: &str, ca_pem: Option<&[u8]>| Stranger::new(url, USER_AGENT, ca_pem, config.limits.forge_deadline);
    let as_runner = match asking(forge.runner_url.as_str(), None) {
        Ok(stranger) => stranger,
        Err(error) => {
            let hint = error.hint().unwrap_or("runners need authorities that they trust");
            return vec![Finding::error(subject, chain(&error)).hint(hint)];
        }
    };
    let mut found = match as_runner.ping().await {
        Ok(()) => vec![Finding::ok(&subject, "runners reach the forge there")],
        Err(error) => vec![unreached(&subject, forge, config, &error)],
    };
    if forge.runner_url == forge.url {
        return found;
    }
    let Ok(trusting) = asking(forge.runner_url.as_str(), with_authorities.as_deref()) else { return found };
    let Ok(ours) = asking(forge.url.as_str(), with_authorities.as_deref()) else { return found };
    match tokio::join!(trusting.root_url(), ours.root_url()) {
        (Ok(theirs), Ok(ours)) if theirs != ours => {
            let message = format!("it is another forge: it calls itself {theirs}, and that of url {ours}");
            found.push(Finding::error(&subject, message).hint("both must lead to the same forge"));
        }
        // Who does not answer at all has been told of already.
        (Err(error), Ok(_)) if error.no_answer().is_none() => {
            let message = format!("it is not known whether it is the same forge: {}", chain(&error));
            found.push(Finding::warning(&subject, message).hint("it should let /api/v1 through, as the forge does"));
        }
        _ => {}
    }
    found
}

fn unreached(subject: &str, forge: &Forge, config: &Config, error: &Error) -> Finding {
    let gives_certificates = config.backends.values().all(|backend| match &backend.kind {
        BackendKind::Host(host) => host.environment.contains_key(CERTIFICATES),
        BackendKind::Docker(docker) => docker.environment.contains_key(CERTIFICATES),
    });
    match error.no_answer() {
        Some(NoAnswer::Certificate(_)) if gives_certificates => Finding::ok(
            subject,
            format!("runners get authorities of their own by {CERTIFICATES}, which were not tried"),
        ),
        Some(_) => {
            let hint = format!(
                "ca_file is not for runners: install the authority on this machine, or give {CERTIFICATES} in `environment`"
            );
            reach::failed(subject, &forge.runner_url, error, &hint)
        }
        None => Finding::error(subject, format!("runners do not reach the forge there: {}", chain(error)))
            .hint("a proxy in front of the forge must let /api/actions through, with POST"),
    }
}

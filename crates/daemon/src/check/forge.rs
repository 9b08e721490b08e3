//! One forge: whether it answers, which version it is, its clock; then its scopes, runners and the runners' way to it.

use std::time::SystemTime;

use forgejo::{Client, Error, ErrorClass, Greeting};

use super::finding::Finding;
use super::machines::Machines;
use super::{Findings, clock, in_order, reach, runners, scope, service};
use crate::chain;
use crate::config::{Config, Forge};
use crate::forges::{Forges, ScopeClient};

/// The first version that has what is needed here (protocol 1.2).
const LEAST: u32 = 15;

/// How many tokens are tried for the greeting when the forge does not know them.
const MOST_GREETINGS: usize = 3;

/// Everything about one forge.
pub(super) async fn check(forge: &Forge, config: &Config, machines: &Machines) -> Vec<Finding> {
    let subject = format!("forge {}", forge.id);
    let clients = match Forges::new(std::slice::from_ref(forge), config.limits.forge_deadline) {
        Ok(forges) => forges,
        Err(error) => return vec![Finding::error(subject, chain(&error)).hint(error.hint())],
    };
    // In the order of the file.
    let clients: Vec<&ScopeClient> = forge.scopes.iter().filter_map(|watched| clients.scope(&watched.key)).collect();
    let scopes = forge.scopes.iter().zip(&clients);
    let scopes = scopes.map(|(watched, of)| Box::pin(scope::check(&watched.key, of, machines)) as Findings<'_>);
    let (greeted, scopes, runners, service) = tokio::join!(
        greeting(&subject, forge, &clients),
        in_order(scopes.collect()),
        runners::check(forge, &clients, config),
        service::check(forge, config),
    );
    // A forge that is not there or too old makes everything else about it wrong, and nothing more is learnt from that.
    if greeted.is_all {
        return greeted.findings;
    }
    [greeted.findings, scopes, runners, service].concat()
}

/// What the greeting tells.
struct Greeted {
    findings: Vec<Finding>,
    /// Whether there is nothing more to be learnt about this forge.
    is_all: bool,
}

impl Greeted {
    fn all(finding: Finding) -> Self {
        Self { findings: vec![finding], is_all: true }
    }

    fn first(findings: Vec<Finding>) -> Self {
        Self { findings, is_all: false }
    }
}

/// Answer, version and clock.
async fn greeting(subject: &str, forge: &Forge, clients: &[&ScopeClient]) -> Greeted {
    let asked = SystemTime::now();
    let greeting = match greet(clients.iter().map(|of| &of.client)).await {
        Some(Ok(greeting)) => greeting,
        Some(Err(error)) if error.class() == ErrorClass::Auth => {
            // Every scope has a finding about its token; this is only about what is not known because of that.
            let message = "it answers, and its version is not known: it refuses every token";
            return Greeted::first(vec![Finding::warning(subject, message).hint("see the scopes")]);
        }
        Some(Err(error)) => {
            let hint = reach::ca_file_hint(forge.ca_file.as_deref());
            let finding = reach::failed(subject, &forge.url, &error, &hint);
            // Whoever answers can have a bad moment, and what it says of its scopes is worth as much.
            return if error.no_answer().is_some() { Greeted::all(finding) } else { Greeted::first(vec![finding]) };
        }
        None => return Greeted::first(Vec::new()),
    };
    let answered = SystemTime::now();
    let version = &greeting.version;
    if version.major < LEAST {
        let message = format!("it is Forgejo {version}, which has no handles of jobs yet: {LEAST} is the least");
        return Greeted::all(Finding::error(subject, message).hint(format!("upgrade it to Forgejo {LEAST} or newer")));
    }
    let message = format!("it answers, and is Forgejo {version}");
    let skew = greeting.clock.and_then(|clock| clock::judged(subject, clock, asked, answered));
    Greeted::first(std::iter::once(Finding::ok(subject, message)).chain(skew).collect())
}

/// The greeting with the first token that is known; the last refusal if there is none.
async fn greet(clients: impl Iterator<Item = &Client>) -> Option<Result<Greeting, Error>> {
    let mut last = None;
    for client in clients.take(MOST_GREETINGS) {
        let greeting = client.greet().await;
        let refused = greeting.as_ref().is_err_and(|error| error.class() == ErrorClass::Auth);
        last = Some(greeting);
        if !refused {
            break;
        }
    }
    last
}

//! Replays exchanges recorded against real servers.
//!
//! The data are all recorded exchanges in the order sent; the `event` of job contexts and of runs is emptied. Cases that are not
//! modelled are listed in `not-modelled.txt` with the reason; of them the data hold no more than the name and the place,
//! [`scenario`] brings the emulator into the state that a case was recorded in; then the recorded request is
//! sent and the answers are compared: status, headers, shape and values of the body. Numbers and random identifiers are
//! compared through a [`mapping`], which is one to one.

mod compare;
mod listed;
mod mapping;
mod scenario;

use std::collections::BTreeMap;

use base64::Engine as _;
use emulator::{Emulator, EmulatorClock, EmulatorSettings};
use forge_model::{CronPeriods, Moment, Version};
use serde::Deserialize;
use serde_json::Value;

use crate::wire;
use mapping::{Kind, Mapping};

/// Headers that matter to a client.
const HEADERS: [&str; 7] =
    ["Content-Type", "X-Total-Count", "Link", "Access-Control-Expose-Headers", "Allow", "Location", "Warning"];

/// One recorded exchange.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    #[serde(rename = "case")]
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) request_headers: BTreeMap<String, String>,
    pub(crate) request_body: Option<String>,
    /// 0 in the data of a case that is not replayed.
    #[serde(default)]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) response_headers: BTreeMap<String, String>,
    pub(crate) body: Option<String>,
}

impl Case {
    pub(crate) fn json(&self) -> Option<Value> {
        self.body.as_deref().and_then(|body| serde_json::from_str(body).ok())
    }

    pub(crate) fn request_json(&self) -> Option<Value> {
        self.request_body.as_deref().and_then(|body| serde_json::from_str(body).ok())
    }

    /// The number at the end of `…/runners/{id}`.
    pub(crate) fn runner_in_path(&self) -> Option<&str> {
        let (_, tail) = self.path.split_once("/actions/runners/")?;
        tail.parse::<i64>().is_ok().then_some(tail)
    }

    /// The number after `…/actions/runs/`.
    pub(crate) fn run_in_path(&self) -> Option<&str> {
        let (_, tail) = self.path.split_once("/actions/runs/")?;
        tail.split('/').next().filter(|number| number.parse::<i64>().is_ok())
    }
}

#[tokio::test]
async fn version_15_answers_as_recorded() {
    replay(Version::V15, "15", listed::V15, "http://127.0.0.1:3115/").await;
}

#[tokio::test]
async fn version_16_answers_as_recorded() {
    replay(Version::V16, "16", listed::V16, "http://127.0.0.1:3117/").await;
}

#[expect(clippy::print_stdout, reason = "the count of replayed cases is part of the test's report")]
async fn replay(version: Version, short: &str, data: &str, root_url: &str) {
    let cases = listed::cases(data);
    let not_modelled = listed::not_modelled(short);
    let mut settings = EmulatorSettings::new(version);
    settings.forge.root_url = root_url.to_owned();
    settings.keep_root_url = true;
    // The clean-ups of a real server would strike between the cases as the clock is moved: they run when a case says so.
    settings.forge.cron_periods = CronPeriods { zombie: None, endless: None, abandoned: None };
    settings.clock = EmulatorClock::frozen(Moment::from_millis(1_795_474_000_000));
    let emulator = Emulator::start(settings).await.expect("a free port");
    let mut mapping = Mapping::default();
    let mut scenario = scenario::Scenario::new(&emulator, &cases);
    let mut mismatches = Vec::new();
    let mut replayed = 0;
    for case in cases.iter().filter(|case| !not_modelled.contains_key(&case.name)) {
        scenario.before(case, &mut mapping);
        for mismatch in exchange(&emulator, case, &mut mapping, &scenario).await {
            mismatches.push(format!("{}: {mismatch}", case.name));
        }
        replayed += 1;
    }
    println!("{version:?}: {replayed} cases replayed, {} not modelled", not_modelled.len());
    assert!(mismatches.is_empty(), "{} mismatches:\n{}", mismatches.len(), mismatches.join("\n"));
    assert_eq!(replayed + not_modelled.len(), cases.len());
    assert_eq!(emulator.with_forge(|forge, _| forge.double_handouts()), 0);
    emulator.stop().await;
}

async fn exchange(
    emulator: &Emulator,
    case: &Case,
    mapping: &mut Mapping,
    scenario: &scenario::Scenario<'_>,
) -> Vec<String> {
    let path = path_to_send(case, mapping);
    let headers = headers_to_send(case, mapping, scenario);
    let body = body_to_send(case, mapping, scenario);
    let sent = wire::send(&emulator.url(), &case.method, &path, &headers, body.as_deref().map(str::as_bytes)).await;
    let reply = match sent {
        Ok(Some(reply)) => reply,
        Ok(None) => return vec!["no answer".to_owned()],
        Err(error) => return vec![error.to_string()],
    };
    let mut mismatches = Vec::new();
    if reply.status != case.status {
        mismatches.push(format!("status {} instead of {}: {}", reply.status, case.status, reply.text()));
    }
    for name in HEADERS {
        let recorded = case.response_headers.get(name).map(String::as_str);
        if reply.header(name) != recorded {
            mismatches.push(format!("{name} {:?} instead of {recorded:?}", reply.header(name)));
        }
    }
    compare::body(case, &path, &reply.text(), mapping, &mut mismatches);
    mismatches
}

fn path_to_send(case: &Case, mapping: &Mapping) -> String {
    match case.runner_in_path().and_then(|recorded| Some((recorded, mapping.emulated(Kind::Runner, recorded)?))) {
        Some((recorded, ours)) => format!("{}{ours}", case.path.strip_suffix(recorded).unwrap_or(&case.path)),
        None => {
            match case.run_in_path().and_then(|recorded| Some((recorded, mapping.emulated(Kind::Run, recorded)?))) {
                Some((recorded, ours)) => case.path.replace(&format!("/runs/{recorded}"), &format!("/runs/{ours}")),
                None => case.path.clone(),
            }
        }
    }
}

fn headers_to_send(case: &Case, mapping: &Mapping, scenario: &scenario::Scenario<'_>) -> Vec<(String, String)> {
    let uuid = case.request_headers.get("x-runner-uuid").and_then(|uuid| mapping.emulated(Kind::Uuid, uuid));
    let credentials = base64::engine::general_purpose::STANDARD.encode(user_and_password(case));
    case.request_headers
        .iter()
        .map(|(name, value)| {
            let value = match name.as_str() {
                "x-runner-uuid" => uuid.unwrap_or(value).to_owned(),
                "x-runner-token" if value.starts_with("RUNNER-TOKEN") => {
                    uuid.and_then(|uuid| scenario.token_of(uuid, mapping)).unwrap_or_else(|| value.clone())
                }
                "Authorization" => {
                    let value =
                        value.replace("BASIC-CREDENTIALS", &credentials).replace("JOB-TOKEN", &scenario.job_token);
                    made_token(&value, mapping).unwrap_or(value)
                }
                _ => value.clone(),
            };
            (name.clone(), value)
        })
        .collect()
}

/// What stood for the user's name and password, or for a token in the place of one of them.
fn user_and_password(case: &Case) -> String {
    match case.name.as_str() {
        "auth.token-as-user" => "PAT-alice_read_repository:".to_owned(),
        "token.create.site-admin-repo-scoped" => format!("boss:{}", scenario::password("boss")),
        name if name == "auth.password" || name.starts_with("token.create.") => {
            format!("alice:{}", scenario::password("alice"))
        }
        _ => "alice:PAT-alice_read_repository".to_owned(),
    }
}

/// The header with a token that an earlier case made.
fn made_token(header: &str, mapping: &Mapping) -> Option<String> {
    let case = match header {
        "token PAT-repo-scoped-repo-scoped" => "token.create.repo-scoped",
        "token PAT-repo-scoped-repo-scoped-org-repo" => "token.create.repo-scoped-org-repo",
        "token PAT-boss-repo-scoped" => "token.create.site-admin-repo-scoped",
        _ => return None,
    };
    Some(format!("token {}", mapping.made_tokens.get(case)?))
}

/// The recorded body, with handles and tasks that are known by now.
fn body_to_send(case: &Case, mapping: &Mapping, scenario: &scenario::Scenario<'_>) -> Option<String> {
    if let Some(body) = case.request_body.as_ref().filter(|body| body.contains("REGISTRATION-TOKEN")) {
        return Some(body.replace("REGISTRATION-TOKEN", &scenario.registration_token));
    }
    let Some(mut body) = case.request_json() else { return case.request_body.clone() };
    for (pointer, kind) in [("/handle", Kind::Handle), ("/state/id", Kind::Task), ("/taskId", Kind::Task)] {
        if let Some(value) = body.pointer_mut(pointer)
            && let Some(ours) = value.as_str().and_then(|recorded| mapping.emulated(kind, recorded))
        {
            *value = Value::String(ours.to_owned());
        }
    }
    Some(if body == case.request_json()? { case.request_body.clone()? } else { body.to_string() })
}

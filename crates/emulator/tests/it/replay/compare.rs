//! Comparing bodies: shape and values, with identifiers through the mapping.

use serde_json::Value;

use super::Case;
use super::mapping::{Kind, Mapping};

/// Compares the body of a reply with the recorded one.
pub(super) fn body(case: &Case, sent_path: &str, ours: &str, mapping: &mut Mapping, mismatches: &mut Vec<String>) {
    let recorded = case.body.as_deref().unwrap_or_default();
    if recorded.starts_with("<!DOCTYPE html>") {
        if !ours.starts_with("<!DOCTYPE html>") {
            mismatches.push(format!("no HTML page but {ours}"));
        }
        return;
    }
    let (Some(theirs), Some(mine)) = (documents(recorded), documents(ours)) else {
        if recorded != ours {
            mismatches.push(format!("body {ours:?} instead of {recorded:?}"));
        }
        return;
    };
    if theirs.len() != mine.len() {
        mismatches.push(format!("{} documents instead of {}: {ours}", mine.len(), theirs.len()));
    }
    if recorded.ends_with('\n') != ours.ends_with('\n') {
        mismatches.push("the newline at the end differs".to_owned());
    }
    let mut walk = Walk { case, sent_path, mapping, mismatches };
    for (recorded, ours) in theirs.iter().zip(&mine) {
        walk.value("", recorded, ours, None);
        walk.remember_token(ours);
    }
}

/// The JSON documents of a body: one, or two after a database error (protocol 1.5). `None`: it is no JSON, or empty.
fn documents(body: &str) -> Option<Vec<Value>> {
    let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(body).into_iter().collect();
    documents.ok().filter(|documents| !documents.is_empty())
}

struct Walk<'a> {
    case: &'a Case,
    sent_path: &'a str,
    mapping: &'a mut Mapping,
    mismatches: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn value(&mut self, place: &str, recorded: &Value, ours: &Value, kind: Option<Kind>) {
        match (recorded, ours) {
            // The recorded event was emptied; ours is shorter than a real one.
            (Value::Object(_), Value::Object(_)) if place.ends_with("/context/event") => {}
            (Value::String(theirs), Value::String(mine)) if place.ends_with("/event_payload") => {
                let is_object = |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|event| event.is_object());
                if !is_object(theirs) || !is_object(mine) {
                    self.mismatches.push(format!("{place} is {mine} instead of {theirs}"));
                }
            }
            (Value::Object(theirs), Value::Object(mine)) => {
                for key in theirs.keys().filter(|key| !mine.contains_key(*key)) {
                    self.mismatches.push(format!("{place}/{key} is missing"));
                }
                for key in mine.keys().filter(|key| !theirs.contains_key(*key)) {
                    self.mismatches.push(format!("{place}/{key} is too much"));
                }
                for (key, value) in theirs {
                    if let Some(other) = mine.get(key) {
                        let kind = kind_of(place, key, theirs);
                        self.value(&format!("{place}/{key}"), value, other, kind);
                    }
                }
            }
            // A dispatch names its jobs in random order.
            (Value::Array(theirs), Value::Array(mine)) if place == "/jobs" => {
                let sorted = |items: &[Value]| items.iter().map(text).collect::<std::collections::BTreeSet<_>>();
                if theirs.len() != mine.len() || sorted(theirs) != sorted(mine) {
                    self.mismatches.push(format!("{place} is {ours} instead of {recorded}"));
                }
            }
            (Value::Array(theirs), Value::Array(mine)) => {
                if theirs.len() != mine.len() {
                    self.mismatches.push(format!("{place} has {} items instead of {}", mine.len(), theirs.len()));
                }
                for (index, (value, other)) in theirs.iter().zip(mine).enumerate() {
                    self.value(&format!("{place}/{index}"), value, other, None);
                }
            }
            _ => self.leaf(place, recorded, ours, kind),
        }
    }

    fn leaf(&mut self, place: &str, recorded: &Value, ours: &Value, kind: Option<Kind>) {
        let same = match kind {
            _ if is_secret(place) => recorded.is_string() && ours.as_str().is_some_and(is_hex40),
            _ if place.ends_with("/avatar_url") => avatar(recorded) == avatar(ours),
            _ if place == "/token_last_eight" => ours.as_str().is_some_and(|text| text.len() == 8),
            None if is_time(recorded) => is_time(ours) && is_unset(recorded) == is_unset(ours),
            Some(kind) if is_alike(recorded, ours) => {
                text(recorded) == "0" || self.mapping.agrees(kind, &text(recorded), &text(ours))
            }
            None if place == "/message" && is_of_body_library(&text(recorded)) => is_of_body_library(&text(ours)),
            None if place == "/message" => self.message(&text(recorded)) == text(ours),
            _ => recorded == ours,
        };
        if !same {
            self.mismatches.push(format!("{place} is {ours} instead of {recorded}"));
        }
    }

    /// The recorded message with our runner's number; the text of the JSON library is nobody's promise.
    fn message(&self, recorded: &str) -> String {
        if recorded.starts_with("unmarshal message: unmarshal into") {
            return "unmarshal message: expected value at line 1 column 1".to_owned();
        }
        let number = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let (theirs, mine) = (number(&self.case.path), number(self.sent_path));
        ["ID", "id"].iter().fold(recorded.to_owned(), |message, word| {
            message.replace(&format!("{word} {theirs}:"), &format!("{word} {mine}:"))
        })
    }

    fn remember_token(&mut self, ours: &Value) {
        if let Some(token) = ours["sha1"].as_str() {
            self.mapping.made_tokens.insert(self.case.name.clone(), token.to_owned());
        }
        if let (Some(uuid), Some(token)) = (ours["uuid"].as_str(), ours["token"].as_str()) {
            self.mapping.tokens.insert(uuid.to_owned(), token.to_owned());
        }
    }
}

/// What the identifier at this place names.
fn kind_of(place: &str, key: &str, fields: &serde_json::Map<String, Value>) -> Option<Kind> {
    let has = |field: &str| fields.contains_key(field);
    let in_task = place.ends_with("task") || place.ends_with("state") || place.starts_with("/additionalTasks/");
    match key {
        "run_id" => Some(Kind::Run),
        "task_id" => Some(Kind::Task),
        "handle" => Some(Kind::Handle),
        "uuid" => Some(Kind::Uuid),
        "id" if has("handle") => Some(Kind::Job),
        "id" if in_task || has("head_sha") => Some(Kind::Task),
        "id" if has("run_number") && has("jobs") || has("index_in_repo") => Some(Kind::Run),
        "id" if has("sha1") => Some(Kind::AccessToken),
        // Users, repositories and webhooks are made in the recorded order.
        "id" if has("full_name") || has("login") || has("branch_filter") => None,
        "id" => Some(Kind::Runner),
        _ => None,
    }
}

/// Secrets, and what the forge draws anew for every run.
fn is_secret(place: &str) -> bool {
    ["/token", "/runner/token", "/sha1"].contains(&place)
        || place.ends_with("/head_sha")
        || place.ends_with("/commit_sha")
        || place.contains("/secrets/")
        || ["/context/token", "/context/gitea_runtime_token", "/context/sha"].iter().any(|end| place.ends_with(end))
}

/// The words of the library that reads bodies are nobody's promise; that it was the body is. The forge's own words about
/// content types are compared.
fn is_of_body_library(message: &str) -> bool {
    message.starts_with("[]: ") && !message.ends_with("Content-Type")
}

/// The address of an avatar: what follows the directory is drawn from the address of somebody's mail.
fn avatar(value: &Value) -> Option<(&str, bool)> {
    let (directory, name) = value.as_str()?.rsplit_once('/').unwrap_or(("", ""));
    Some((directory, name.is_empty() || name.len() == 32))
}

/// A time in the form of RFC 3339 in UTC.
fn is_time(value: &Value) -> bool {
    let shape =
        |text: &str| text.chars().map(|digit| if digit.is_ascii_digit() { '0' } else { digit }).collect::<String>();
    value.as_str().is_some_and(|text| shape(text) == "0000-00-00T00:00:00Z")
}

/// A time that says that there is none.
fn is_unset(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with("1970-01-01T") || text.starts_with("0001-"))
}

fn is_hex40(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Same type, and zero only with zero: "no task" is not a task of another number.
fn is_alike(recorded: &Value, ours: &Value) -> bool {
    (recorded.is_string() && ours.is_string() || recorded.is_number() && ours.is_number())
        && (text(recorded) == "0") == (text(ours) == "0")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

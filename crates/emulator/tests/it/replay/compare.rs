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
    let (Some(recorded_json), Ok(our_json)) = (case.json(), serde_json::from_str::<Value>(ours)) else {
        if recorded != ours {
            mismatches.push(format!("body {ours:?} instead of {recorded:?}"));
        }
        return;
    };
    if recorded.ends_with('\n') != ours.ends_with('\n') {
        mismatches.push("the newline at the end differs".to_owned());
    }
    let mut walk = Walk { case, sent_path, mapping, mismatches };
    walk.value("", &recorded_json, &our_json, None);
    walk.remember_token(&our_json);
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
            (Value::Object(_), Value::Object(_)) if place == "/task/context/event" => {}
            (Value::Object(theirs), Value::Object(mine)) => {
                for key in theirs.keys().filter(|key| !mine.contains_key(*key)) {
                    self.mismatches.push(format!("{place}/{key} is missing"));
                }
                for key in mine.keys().filter(|key| !theirs.contains_key(*key)) {
                    self.mismatches.push(format!("{place}/{key} is too much"));
                }
                for (key, value) in theirs {
                    if let Some(other) = mine.get(key) {
                        let kind = kind_of(place, key, theirs.contains_key("handle"));
                        self.value(&format!("{place}/{key}"), value, other, kind);
                    }
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
            Some(kind) if is_alike(recorded, ours) => {
                text(recorded) == "0" || self.mapping.agrees(kind, &text(recorded), &text(ours))
            }
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
        recorded.replace(&format!("ID {}:", number(&self.case.path)), &format!("ID {}:", number(self.sent_path)))
    }

    fn remember_token(&mut self, ours: &Value) {
        if let (Some(uuid), Some(token)) = (ours["uuid"].as_str(), ours["token"].as_str()) {
            self.mapping.tokens.insert(uuid.to_owned(), token.to_owned());
        }
    }
}

/// What the identifier at this place names.
fn kind_of(place: &str, key: &str, in_job: bool) -> Option<Kind> {
    match key {
        "run_id" => Some(Kind::Run),
        "task_id" => Some(Kind::Task),
        "handle" => Some(Kind::Handle),
        "uuid" => Some(Kind::Uuid),
        "id" if in_job => Some(Kind::Job),
        "id" if place.ends_with("task") || place.ends_with("state") => Some(Kind::Task),
        "id" => Some(Kind::Runner),
        _ => None,
    }
}

/// Secrets, and what the forge draws anew for every run.
fn is_secret(place: &str) -> bool {
    place == "/token"
        || place.starts_with("/task/secrets/")
        || ["/task/context/token", "/task/context/gitea_runtime_token", "/task/context/sha"].contains(&place)
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

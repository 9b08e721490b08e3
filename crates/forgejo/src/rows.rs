//! Rows of the job list and of the runner list (protocol 1.3 and 1.4).
//!
//! Lists may be `null`, statuses are open, unknown fields are ignored. What something decides on must be there.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::listing::BadRow;

/// Status of a job in the queue. Open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Waits for a runner; perhaps not runnable yet (protocol 2.5).
    Waiting,
    /// A runner has it.
    Running,
    /// A status that this program does not know.
    Other(String),
}

impl From<String> for JobStatus {
    fn from(text: String) -> Self {
        match text.as_str() {
            "waiting" => Self::Waiting,
            "running" => Self::Running,
            _ => Self::Other(text),
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Other(text) => text,
        })
    }
}

/// Status of a runner, computed by the forge when it is read. Open, and no more than a hint (protocol 1.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RunnerStatus {
    /// Not in touch for 60 s, or never.
    Offline,
    /// In touch, without work in the last 10 s.
    Idle,
    /// Worked in the last 10 s.
    Active,
    /// A status that this program does not know.
    Other(String),
}

impl From<String> for RunnerStatus {
    fn from(text: String) -> Self {
        match text.as_str() {
            "offline" => Self::Offline,
            "idle" => Self::Idle,
            "active" => Self::Active,
            _ => Self::Other(text),
        }
    }
}

impl fmt::Display for RunnerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offline => "offline",
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Other(text) => text,
        })
    }
}

/// A job of the queue: one attempt, waiting or running.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Job {
    /// Row of the job; the same for each attempt.
    pub id: i64,
    /// Run of the job; Forgejo 16 and later.
    #[serde(default)]
    pub run_id: Option<i64>,
    /// Number of the attempt, from 1; 0 in rows that are older than attempts.
    #[serde(default)]
    pub attempt: i64,
    /// The attempt's key. Empty for jobs that are older than handles: those cannot be asked for.
    pub handle: String,
    /// Repository.
    pub repo_id: i64,
    /// Owner of the repository when the run was created.
    pub owner_id: i64,
    /// Name for people; not unique.
    pub name: String,
    /// Keys of the needed jobs.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub needs: Vec<String>,
    /// Labels that a runner must have; without any the job can never run.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub runs_on: Vec<String>,
    /// The task, 0 until a runner has fetched this attempt.
    pub task_id: i64,
    /// Status.
    #[serde(deserialize_with = "open")]
    pub status: JobStatus,
}

/// A registration as the forge lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Runner {
    /// Id, for reading and deleting.
    pub id: i64,
    /// Uuid, the public half of its credentials.
    pub uuid: String,
    /// Owner, 0 for none.
    #[serde(default)]
    pub owner_id: i64,
    /// Repository, 0 for none.
    #[serde(default)]
    pub repo_id: i64,
    /// Name; not unique.
    pub name: String,
    /// Status.
    #[serde(deserialize_with = "open")]
    pub status: RunnerStatus,
    /// Version that the runner told; empty until then.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub version: String,
    /// Label names; empty until the runner has declared itself.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub labels: Vec<String>,
    /// Free text of whoever registered it.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub description: String,
    /// Whether it may take one task only.
    #[serde(default)]
    pub ephemeral: bool,
}

fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn open<'de, D: Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<T, D::Error> {
    Ok(T::from(String::deserialize(deserializer)?))
}

/// The field that identifies a row. A value of another kind is no key: it would make the row look like some other thing,
/// and the thing itself look absent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyField {
    /// A text that is not empty.
    Text(&'static str),
    /// A number.
    Number(&'static str),
}

impl KeyField {
    fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Number(name) => name,
        }
    }

    fn read(self, value: KeyValue) -> Option<String> {
        match (self, value) {
            (Self::Text(_), KeyValue::Text(text)) if !text.is_empty() => Some(text),
            (Self::Number(_), KeyValue::Number(number)) => Some(number.to_string()),
            (Self::Text(_) | Self::Number(_), _) => None,
        }
    }
}

/// A kind of row that a listing is made of.
pub(crate) trait Row: Sized + for<'de> Deserialize<'de> {
    /// The field that identifies a row.
    const KEY: KeyField;

    /// The identity of a good row.
    fn key(&self) -> String;

    /// Reads one row. A row that fails keeps its key if that much can be read.
    fn decode(text: &[u8]) -> Result<Self, BadRow> {
        serde_json::from_slice(text).map_err(|error| BadRow::new(complete_key(text, Self::KEY), &error.to_string()))
    }

    /// What is known of a row that is too long to be read: its key, if it comes within the beginning.
    fn of_beginning(text: &[u8], limit: usize) -> BadRow {
        BadRow::new(first_key(text, Self::KEY), &format!("the row is longer than {limit} bytes"))
    }
}

impl Row for Job {
    const KEY: KeyField = KeyField::Text("handle");

    fn key(&self) -> String {
        self.handle.clone()
    }
}

impl Row for Runner {
    const KEY: KeyField = KeyField::Number("id");

    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// The key of a row that is a whole JSON object.
fn complete_key(text: &[u8], field: KeyField) -> Option<String> {
    let mut found = None;
    if read_key(text, field, &mut found) { found } else { None }
}

/// The key of a row of which only the beginning is there.
fn first_key(text: &[u8], field: KeyField) -> Option<String> {
    let mut found = None;
    // Fails at the end of the beginning, as it must; what counts is whether the key came before.
    read_key(text, field, &mut found);
    found
}

/// Puts the key into `found` as soon as it is read; true if the text is a whole object.
fn read_key(text: &[u8], field: KeyField, found: &mut Option<String>) -> bool {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    deserializer.deserialize_map(KeyVisitor { field, found }).is_ok() && deserializer.end().is_ok()
}

/// Walks over an object and keeps the value of one field.
struct KeyVisitor<'found> {
    field: KeyField,
    found: &'found mut Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum KeyValue {
    Text(String),
    Number(i64),
    Other(IgnoredAny),
}

impl<'de> Visitor<'de> for KeyVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name != self.field.name() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            *self.found = self.field.read(map.next_value()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Job, JobStatus, Row, Runner, RunnerStatus};

    #[test]
    fn a_job_tolerates_null_lists_new_fields_and_new_statuses() {
        let text = br#"{"id":1,"attempt":1,"handle":"h","repo_id":2,"owner_id":3,"name":"n","needs":null,
            "runs_on":null,"task_id":0,"status":"paused","colour":{"red":[1]}}"#;
        let job = Job::decode(text).unwrap();
        assert_eq!((job.needs.len(), job.runs_on.len(), job.run_id), (0, 0, None));
        assert_eq!(job.status, JobStatus::Other("paused".into()));
    }

    #[test]
    fn a_runner_that_never_declared_has_no_labels() {
        let text = br#"{"id":41,"uuid":"u","owner_id":0,"repo_id":17,"name":"n","status":"offline","version":"",
            "labels":null,"description":"","ephemeral":true}"#;
        let runner = Runner::decode(text).unwrap();
        assert_eq!((runner.labels.len(), runner.status), (0, RunnerStatus::Offline));
    }

    #[test]
    fn a_bad_row_keeps_its_key_if_it_can_be_read() {
        assert_eq!(Job::decode(br#"{"id":"x","handle":"h"}"#).unwrap_err().key.as_deref(), Some("h"));
        assert_eq!(Runner::decode(br#"{"name":[],"id":41}"#).unwrap_err().key.as_deref(), Some("41"));
        for unreadable in
            [r#"{"id":1}"#, r#"{"handle":""}"#, r#"{"handle":{}}"#, r#"{"handle":7}"#, "7", r#"{"handle":"h"}}"#, ""]
        {
            assert_eq!(Job::decode(unreadable.as_bytes()).unwrap_err().key, None, "{unreadable}");
        }
    }

    #[test]
    fn the_beginning_of_a_row_is_enough_for_a_key_before_its_end() {
        assert_eq!(Job::of_beginning(br#"{"id":1,"handle":"h","name":"cut he"#, 9).key.as_deref(), Some("h"));
        assert_eq!(Job::of_beginning(br#"{"id":1,"handle":"cut he"#, 9).key, None);
    }
}

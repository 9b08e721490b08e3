//! What the paths of expressions lead to: `github`, `env`, `secrets`, `vars`, `needs`, `steps`, `matrix`, `inputs`.
//!
//! Promise: the whole cannot be printed, as it holds the job's secrets.

use std::collections::{BTreeMap, HashMap};

use runner_rpc::messages::{Task, TaskNeed};
use runner_rpc::outcome::Result as Outcome;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// The values that a job's expressions can reach.
pub(crate) struct Contexts {
    github: Map<String, Value>,
    needs: Map<String, Value>,
    secrets: BTreeMap<String, SecretString>,
    vars: BTreeMap<String, String>,
    matrix: Value,
    /// Variables of workflow, job and step, and those that earlier steps have set.
    pub(crate) env: BTreeMap<String, String>,
    steps: Map<String, Value>,
}

impl Contexts {
    /// The values of a task at its start. `server_url` replaces what the forge says of itself (protocol 3.5).
    pub(crate) fn new(task: &Task, server_url: &str, workspace: &str, matrix: Value) -> Self {
        let fields = task.context.iter().flat_map(|context| &context.fields);
        let mut github: Map<String, Value> = fields.map(|(key, value)| (key.clone(), json_of(value))).collect();
        github.insert("server_url".to_owned(), json!(server_url));
        github.insert("api_url".to_owned(), json!(format!("{server_url}/api/v1")));
        github.insert("workspace".to_owned(), json!(workspace));
        Self {
            github,
            needs: needs(&task.needs),
            secrets: task.secrets.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect(),
            vars: task.vars.clone().into_iter().collect(),
            matrix,
            env: BTreeMap::new(),
            steps: Map::new(),
        }
    }

    /// A text of the `github` context; empty if it is not there.
    pub(crate) fn github_text(&self, key: &str) -> &str {
        self.github.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Records how a step ended, for `steps.<id>`.
    pub(crate) fn record_step(
        &mut self,
        id: &str,
        outputs: Vec<(String, String)>,
        outcome: Outcome,
        conclusion: Outcome,
    ) {
        let outputs: Map<String, Value> =
            outputs.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        let entry = json!({ "outputs": outputs, "outcome": word(outcome), "conclusion": word(conclusion) });
        self.steps.insert(id.to_owned(), entry);
    }

    /// How the jobs ended that this one needs.
    pub(crate) fn need_results(&self) -> impl Iterator<Item = &str> {
        self.needs.values().filter_map(|need| need["result"].as_str())
    }

    /// The value at a path; `None` if the path's first name is no context. A value that is missing is null.
    pub(crate) fn lookup(&self, path: &[&str]) -> Option<Value> {
        let (context, rest) = path.split_first()?;
        let inputs = &self.github.get("event").unwrap_or(&Value::Null)["inputs"];
        Some(match *context {
            "github" | "forgejo" | "gitea" => within(&Value::Object(self.github.clone()), rest),
            "needs" => within(&Value::Object(self.needs.clone()), rest),
            "steps" => within(&Value::Object(self.steps.clone()), rest),
            "matrix" => within(&self.matrix, rest),
            "inputs" => within(inputs, rest),
            "env" => named(&self.env, rest, String::clone),
            "vars" => named(&self.vars, rest, String::clone),
            "secrets" => named(&self.secrets, rest, |value| value.expose_secret().to_owned()),
            _ => return None,
        })
    }
}

/// Every value of a task that must not appear in the log: the secrets, and the tokens that the context carries.
pub(crate) fn hidden_values(task: &Task) -> Vec<&str> {
    let fields = task.context.iter().flat_map(|context| &context.fields);
    let tokens = fields.filter(|(key, _)| key.ends_with("token")).filter_map(|(_, value)| match &value.kind {
        Some(prost_types::value::Kind::StringValue(token)) => Some(token.as_str()),
        _ => None,
    });
    task.secrets.values().map(String::as_str).chain(tokens).collect()
}

/// Follows names through objects. Names differ only in more than the case of their letters, as on GitHub.
fn within(value: &Value, path: &[&str]) -> Value {
    let Some((name, rest)) = path.split_first() else { return value.clone() };
    let Value::Object(fields) = value else { return Value::Null };
    let found = fields
        .get(*name)
        .or_else(|| fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.map_or(Value::Null, |value| within(value, rest))
}

fn named<V>(values: &BTreeMap<String, V>, path: &[&str], text: impl Fn(&V) -> String) -> Value {
    let [name] = path else { return Value::Null };
    let found = values
        .get(*name)
        .or_else(|| values.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.map_or(Value::Null, |value| Value::String(text(value)))
}

fn needs(needs: &HashMap<String, TaskNeed>) -> Map<String, Value> {
    needs
        .iter()
        .map(|(job, need)| (job.clone(), json!({ "outputs": need.outputs, "result": word(need.result()) })))
        .collect()
}

/// A result as workflows write it.
pub(crate) const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unspecified => "unknown",
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Cancelled => "cancelled",
        Outcome::Skipped => "skipped",
    }
}

fn json_of(value: &prost_types::Value) -> Value {
    use prost_types::value::Kind;
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(truth)) => Value::Bool(*truth),
        Some(Kind::NumberValue(number)) => json!(number),
        Some(Kind::StringValue(text)) => Value::String(text.clone()),
        Some(Kind::ListValue(list)) => list.values.iter().map(json_of).collect(),
        Some(Kind::StructValue(fields)) => {
            Value::Object(fields.fields.iter().map(|(key, value)| (key.clone(), json_of(value))).collect())
        }
    }
}

//! Trivial expressions: one dotted path, one literal, two of these compared by `==` or `!=`; in an `if` also
//! `success()`, `failure()`, `always()` and `cancelled()`.
//!
//! Promise: anything else is an error that names the expression; nothing is guessed. Deliberately absent: functions,
//! indexes, `!`, `&&`, `||`, brackets.

use serde_json::Value;

use crate::contexts::Contexts;
use crate::error::Error;

/// How the job stands when an `if` is decided. There is no "cancelled": a stopped job begins no further step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing has failed.
    Good,
    /// Something has failed.
    Failed,
    /// Nothing has failed, but a needed job was skipped or cancelled: neither `success()` nor `failure()`.
    Incomplete,
}

impl Standing {
    /// Of a job, after these results of the jobs that it needs.
    pub(crate) fn after<'a>(results: impl Iterator<Item = &'a str>) -> Self {
        results.fold(Self::Good, |standing, result| match (standing, result) {
            (_, "failure") => Self::Failed,
            (standing, "success") | (standing @ Self::Failed, _) => standing,
            (Self::Good | Self::Incomplete, _) => Self::Incomplete,
        })
    }
}

#[derive(Debug, PartialEq)]
enum Operand<'a> {
    Literal(Value),
    Path(Vec<&'a str>),
    Status(Status),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Success,
    Failure,
    Always,
    Cancelled,
}

#[derive(Debug, PartialEq)]
struct Expression<'a> {
    left: Operand<'a>,
    /// Whether the two should be equal, and the other one.
    compared: Option<(bool, Operand<'a>)>,
}

/// The text with every `${{ … }}` replaced by its value.
pub(crate) fn interpolate(text: &str, contexts: &Contexts) -> Result<String, Error> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${{") {
        result.push_str(&rest[..start]);
        let inner = &rest[start + 3..];
        let end = closing(inner).ok_or_else(|| Error::NotTrivial { expression: rest[start..].to_owned() })?;
        let expression = inner[..end].trim();
        let value = evaluate(expression, contexts, None)?;
        result.push_str(&text_of(&value).ok_or_else(|| Error::NotTrivial { expression: expression.to_owned() })?);
        rest = &inner[end + 2..];
    }
    result.push_str(rest);
    Ok(result)
}

/// Whether an `if` holds. Without a status function in it, it also demands that nothing has failed.
pub(crate) fn condition(text: &str, contexts: &Contexts, standing: Standing) -> Result<bool, Error> {
    let text = text.trim();
    let whole = text.strip_prefix("${{").filter(|inner| closing(inner) == Some(inner.len().saturating_sub(2)));
    let expression = whole.map_or(text, |inner| inner[..inner.len() - 2].trim());
    if expression.is_empty() {
        return Ok(standing == Standing::Good);
    }
    let value = evaluate(expression, contexts, Some(standing))?;
    Ok(truth(&value) && (standing == Standing::Good || asks_for_status(expression)))
}

/// Where the `}}` is that ends an expression; one within a text literal does not.
fn closing(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(index, character)| {
        quoted ^= character == '\'';
        (!quoted && text[index..].starts_with("}}")).then_some(index)
    })
}

fn asks_for_status(expression: &str) -> bool {
    parse(expression).is_some_and(|expression| {
        let is_status = |operand: &Operand<'_>| matches!(operand, Operand::Status(_));
        is_status(&expression.left) || expression.compared.is_some_and(|(_, right)| is_status(&right))
    })
}

fn evaluate(text: &str, contexts: &Contexts, standing: Option<Standing>) -> Result<Value, Error> {
    let not_trivial = || Error::NotTrivial { expression: text.to_owned() };
    let expression = parse(text).ok_or_else(not_trivial)?;
    let value = |operand: Operand<'_>| match operand {
        Operand::Literal(value) => Ok(value),
        Operand::Status(status) => {
            standing.map(|standing| Value::Bool(holds(status, standing))).ok_or_else(not_trivial)
        }
        Operand::Path(path) => contexts
            .lookup(&path)
            .ok_or_else(|| Error::UnknownContext { context: path[0].to_owned(), expression: text.to_owned() }),
    };
    let left = value(expression.left)?;
    match expression.compared {
        None => Ok(left),
        Some((wanted, right)) => Ok(Value::Bool(equal(&left, &value(right)?) == wanted)),
    }
}

fn holds(status: Status, standing: Standing) -> bool {
    match status {
        Status::Success => standing == Standing::Good,
        Status::Failure => standing == Standing::Failed,
        Status::Always => true,
        Status::Cancelled => false,
    }
}

fn parse(text: &str) -> Option<Expression<'_>> {
    let (left, rest) = operand(text)?;
    let rest = rest.trim_start();
    if rest.is_empty() {
        return Some(Expression { left, compared: None });
    }
    let (wanted, rest) = match rest.strip_prefix("==") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix("!=")?),
    };
    let (right, rest) = operand(rest)?;
    rest.trim_start().is_empty().then_some(Expression { left, compared: Some((wanted, right)) })
}

/// Reads one operand and gives the text after it.
fn operand(text: &str) -> Option<(Operand<'_>, &str)> {
    let text = text.trim_start();
    if text.starts_with('\'') {
        return literal_text(text);
    }
    let end =
        text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.' | '+')).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if let Some(rest) = rest.strip_prefix("()") {
        let status = match word {
            "success" => Status::Success,
            "failure" => Status::Failure,
            "always" => Status::Always,
            "cancelled" => Status::Cancelled,
            _ => return None,
        };
        return Some((Operand::Status(status), rest));
    }
    let operand = match word {
        "true" => Operand::Literal(Value::Bool(true)),
        "false" => Operand::Literal(Value::Bool(false)),
        "null" => Operand::Literal(Value::Null),
        _ if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.')) => {
            Operand::Literal(word.parse::<f64>().ok()?.into())
        }
        _ => Operand::Path(path(word)?),
    };
    Some((operand, rest))
}

fn literal_text(text: &str) -> Option<(Operand<'_>, &str)> {
    let mut value = String::new();
    let mut rest = text.strip_prefix('\'')?;
    loop {
        let end = rest.find('\'')?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        // Two quotes in a row stand for one within the text.
        match rest.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Some((Operand::Literal(Value::String(value)), rest)),
        }
    }
}

fn path(word: &str) -> Option<Vec<&str>> {
    let is_name = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    let names: Vec<&str> = word.split('.').collect();
    names.iter().all(is_name).then_some(names)
}

/// A value within a text; `None` for lists and objects.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(_) => number_of(value) != 0.0,
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// GitHub's loose comparison: texts without regard to case, values of different kinds as numbers, NaN equals nothing.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left.to_lowercase() == right.to_lowercase(),
        (Value::Null, Value::Null) => true,
        _ => {
            let (left, right) = (number_of(left), number_of(right));
            left.partial_cmp(&right).is_some_and(std::cmp::Ordering::is_eq)
        }
    }
}

fn number_of(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) if text.trim().is_empty() => 0.0,
        Value::String(text) => text.trim().parse().unwrap_or(f64::NAN),
        Value::Array(_) | Value::Object(_) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use prost_types::Struct;
    use prost_types::value::Kind;
    use runner_rpc::messages::{Task, TaskNeed};
    use runner_rpc::outcome::Result as Outcome;
    use serde_json::json;

    use super::{Standing, condition, interpolate};
    use crate::contexts::{Contexts, hidden_values};
    use crate::error::Error;

    fn task() -> Task {
        let value = |kind| prost_types::Value { kind: Some(kind) };
        let event = Struct {
            fields: BTreeMap::from([(
                "inputs".to_owned(),
                value(Kind::StructValue(Struct {
                    fields: BTreeMap::from([("level".to_owned(), value(Kind::NumberValue(3.0)))]),
                })),
            )]),
        };
        let context = BTreeMap::from([
            ("repository".to_owned(), value(Kind::StringValue("acme/app".to_owned()))),
            ("token".to_owned(), value(Kind::StringValue("job-token".to_owned()))),
            ("event".to_owned(), value(Kind::StructValue(event))),
            ("ref_protected".to_owned(), value(Kind::BoolValue(false))),
        ]);
        let need =
            TaskNeed { outputs: HashMap::from([("tag".to_owned(), "v1".to_owned())]), result: Outcome::Success.into() };
        Task {
            context: Some(Struct { fields: context }),
            secrets: HashMap::from([("PASSWORD".to_owned(), "geheim".to_owned())]),
            vars: HashMap::from([("REGION".to_owned(), "eu".to_owned())]),
            needs: HashMap::from([("prepare".to_owned(), need)]),
            ..Task::default()
        }
    }

    fn contexts() -> Contexts {
        let mut contexts = Contexts::new(&task(), "http://forge.example", "/w", json!({"os": "linux", "go": 1.5}));
        contexts.env.insert("MODE".to_owned(), "fast".to_owned());
        contexts.record_step("a", vec![("x".to_owned(), "7".to_owned())], Outcome::Failure, Outcome::Success);
        contexts
    }

    #[test]
    fn paths_lead_to_values() {
        let cases = [
            ("${{ github.repository }}", "acme/app"),
            ("${{ forgejo.Repository }}", "acme/app"),
            ("${{github.server_url}}/x", "http://forge.example/x"),
            ("${{ github.nothing }}${{ github.sha.more }}", ""),
            ("${{ github.ref_protected }}", "false"),
            ("${{ secrets.PASSWORD }}-${{ vars.region }}", "geheim-eu"),
            ("${{ needs.prepare.outputs.tag }} ${{ needs.prepare.result }}", "v1 success"),
            ("${{ steps.a.outputs.x }} ${{ steps.a.outcome }} ${{ steps.a.conclusion }}", "7 failure success"),
            ("${{ env.MODE }} ${{ matrix.os }} ${{ matrix.go }} ${{ inputs.level }}", "fast linux 1.5 3"),
            ("${{ 'it''s }} fine' }}", "it's }} fine"),
            ("${{ vars.REGION == 'EU' }}", "true"),
            ("no expression: $HOME {{ x }}", "no expression: $HOME {{ x }}"),
        ];
        for (text, expected) in cases {
            assert_eq!(interpolate(text, &contexts()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_trivial_is_named_in_the_error() {
        for expression in [
            "contains(github.ref, 'x')",
            "github.event.commits[0]",
            "!cancelled()",
            "env.A && env.B",
            "format('{0}', env.A)",
            "env.A == 'x' || true",
            "(env.A)",
            "env.A ==",
            "env..A",
            "'open",
            "github.event",
            "success()",
        ] {
            let error = interpolate(&format!("${{{{ {expression} }}}}"), &contexts()).unwrap_err();
            assert!(matches!(error, Error::NotTrivial { .. }), "{expression}: {error}");
            assert!(error.to_string().contains(expression), "{error}");
        }
        assert!(matches!(interpolate("${{ runner.os }}", &contexts()), Err(Error::UnknownContext { .. })));
        assert!(matches!(interpolate("${{ env.A", &contexts()), Err(Error::NotTrivial { .. })));
    }

    #[test]
    fn a_job_stands_as_its_needs_ended() {
        let after = |results: &[&'static str]| Standing::after(results.iter().copied());
        assert_eq!(after(&[]), Standing::Good);
        assert_eq!(after(&["success", "success"]), Standing::Good);
        assert_eq!(after(&["success", "skipped"]), Standing::Incomplete);
        assert_eq!(after(&["cancelled", "success"]), Standing::Incomplete);
        assert_eq!(after(&["skipped", "failure", "success", "cancelled"]), Standing::Failed);
        for (text, wanted) in [("", false), ("failure()", false), ("always()", true), ("true", false)] {
            assert_eq!(condition(text, &contexts(), Standing::Incomplete).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn conditions_hold_or_not() {
        let cases = [
            ("", true, false),
            ("success()", true, false),
            ("${{ failure() }}", false, true),
            ("always()", true, true),
            ("cancelled()", false, false),
            ("cancelled() == false", true, true),
            ("true", true, false),
            ("${{ false }}", false, false),
            ("vars.REGION == 'eu'", true, false),
            ("${{ vars.REGION != 'eu' }}", false, false),
            ("steps.a.outcome == 'failure'", true, false),
            ("steps.a.outputs.x == 7", true, false),
            ("env.NOTHING", false, false),
            ("env.NOTHING == ''", true, false),
            ("env.NOTHING == null", true, false),
            ("'x' == 0", false, false),
        ];
        for (text, good, failed) in cases {
            assert_eq!(condition(text, &contexts(), Standing::Good).unwrap(), good, "{text}");
            assert_eq!(condition(text, &contexts(), Standing::Failed).unwrap(), failed, "{text} after a failure");
        }
        for text in ["${{ true }} == ${{ true }}", "!failure()", "success() && true"] {
            assert!(condition(text, &contexts(), Standing::Good).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_and_tokens_are_hidden_values() {
        let task = task();
        let mut hidden = hidden_values(&task);
        hidden.sort_unstable();
        assert_eq!(hidden, ["geheim", "job-token"]);
    }
}

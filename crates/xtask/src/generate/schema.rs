//! The configuration as a JSON schema, for editors that complete and check TOML by one.
//!
//! It says which keys there are and how each is written. It says nothing about what only a look at the whole, or at files,
//! can tell: that is `forgescale check`.

use std::collections::BTreeMap;

use daemon::config::{Key, Shape};
use serde_json::{Map, Value, json};

/// Durations: numbers with falling units, each at most once, and at least one.
const DURATION: &str = "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

/// Sizes: one number with its unit.
const SIZE: &str = "^[0-9]+([kKMGT]i?)?B$";

/// A key with what is below it.
#[derive(Default)]
struct Node<'a> {
    key: Option<&'a Key>,
    below: BTreeMap<&'a str, Node<'a>>,
}

/// The schema of these keys.
pub(super) fn schema(keys: &[Key]) -> Value {
    let mut root = Node::default();
    for key in keys {
        let mut node = &mut root;
        for step in steps(&key.path) {
            node = node.below.entry(step).or_default();
        }
        node.key = Some(key);
    }
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("Configuration of Forgescale"));
    schema.extend(table(&root));
    Value::Object(schema)
}

/// `a[].b.*` as `a`, `[]`, `b`, `*`.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('.').flat_map(|part| {
        let name = part.trim_end_matches("[]");
        let lists = (part.len() - name.len()) / 2;
        std::iter::once(name).chain(std::iter::repeat_n("[]", lists))
    })
}

fn value(node: &Node<'_>) -> Value {
    let mut ways: Vec<Value> = node.key.iter().flat_map(|key| &key.shapes).map(|shape| written(*shape)).collect();
    if let Some(element) = node.below.get("[]") {
        ways.push(json!({ "type": "array", "items": value(element) }));
    } else if !node.below.is_empty() {
        ways.push(Value::Object(table(node)));
    }
    let mut schema = match (ways.pop(), ways.is_empty()) {
        (Some(Value::Object(only)), true) => only,
        (last, _) => Map::from_iter([("anyOf".to_owned(), ways.into_iter().chain(last).collect())]),
    };
    let Some(key) = node.key else { return Value::Object(schema) };
    if !key.words.is_empty() {
        schema.insert("description".to_owned(), json!(key.words));
    }
    // A default that is no JSON stands in the words.
    let default = key.default.as_ref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    schema.extend(default.map(|default| ("default".to_owned(), default)));
    Value::Object(schema)
}

/// A table: with the keys that it may have, or with one sort of value for every name.
fn table(node: &Node<'_>) -> Map<String, Value> {
    let mut schema = Map::from_iter([("type".to_owned(), json!("object"))]);
    let free = node.below.get("*").map_or(Value::Bool(false), value);
    schema.insert("additionalProperties".to_owned(), free);
    let named = || node.below.iter().filter(|(name, _)| **name != "*");
    let properties: Map<String, Value> = named().map(|(name, below)| ((*name).to_owned(), value(below))).collect();
    if !properties.is_empty() {
        schema.insert("properties".to_owned(), Value::Object(properties));
    }
    let required: Vec<&str> =
        named().filter(|(_, below)| below.key.is_some_and(|key| key.required)).map(|(name, _)| *name).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

fn written(shape: Shape) -> Value {
    match shape {
        Shape::Text | Shape::Path => json!({ "type": "string", "minLength": 1 }),
        Shape::Duration => json!({ "type": "string", "pattern": DURATION }),
        Shape::Truth => json!({ "type": "boolean" }),
        Shape::Size => json!({ "type": "string", "pattern": SIZE }),
        Shape::Whole { least, most: Some(most) } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Whole { least, most: None } => json!({ "type": "integer", "minimum": least }),
        Shape::Number => json!({ "type": "number", "exclusiveMinimum": 0 }),
        Shape::List(element) => json!({ "type": "array", "items": written(*element) }),
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().copied().map(written).collect::<Vec<_>>() }),
    }
}

#[cfg(test)]
mod tests {
    use daemon::config::{example, keys, uncommented};
    use serde_json::Value;

    use super::schema;

    /// Whether a value of a configuration fits a schema, as far as our schemas go. Patterns are left to real validators.
    fn fits(value: &toml::Value, schema: &Value) -> Result<(), String> {
        if let Some(ways) = schema["anyOf"].as_array() {
            let tries: Vec<_> = ways.iter().map(|way| fits(value, way)).collect();
            return if tries.iter().any(Result::is_ok) { Ok(()) } else { Err(format!("{value}: {tries:?}")) };
        }
        match (schema["type"].as_str(), value) {
            (Some("string"), toml::Value::String(text)) if !text.is_empty() => Ok(()),
            (Some("integer"), toml::Value::Integer(number)) => {
                let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
                let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
                if (least..=most).contains(number) { Ok(()) } else { Err(format!("{number} is out of range")) }
            }
            (Some("boolean"), toml::Value::Boolean(_)) => Ok(()),
            (Some("number"), toml::Value::Float(number)) if *number > 0.0 => Ok(()),
            (Some("number"), toml::Value::Integer(number)) if *number > 0 => Ok(()),
            (Some("array"), toml::Value::Array(elements)) => {
                elements.iter().try_for_each(|element| fits(element, &schema["items"]))
            }
            (Some("object"), toml::Value::Table(table)) => fits_table(table, schema),
            (wanted, other) => Err(format!("{other} is no {wanted:?}")),
        }
    }

    fn fits_table(table: &toml::Table, schema: &Value) -> Result<(), String> {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            table.get(name).ok_or_else(|| format!("{name} is missing"))?;
        }
        table.iter().try_for_each(|(name, value)| {
            let known = schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
            if *known == Value::Bool(false) {
                return Err(format!("{name} is not known"));
            }
            fits(value, known).map_err(|error| format!("{name}: {error}"))
        })
    }

    fn check(text: &str) -> Result<(), String> {
        let table: toml::Table = text.parse().unwrap();
        fits_table(&table, &schema(&keys()))
    }

    #[test]
    fn the_example_fits_the_schema() {
        assert_eq!(check(example()), Ok(()));
        assert!(uncommented(false).len() + 60 < example().len(), "nothing was uncommented");
        assert_eq!(check(&uncommented(false)), Ok(()));
    }

    #[test]
    fn what_is_wrong_does_not_fit() {
        for (right, wrong, words) in [
            ("deployment = ", "deploiment = ", "deployment is missing"),
            ("interval = \"2s\"", "interval = 2", "interval"),
            ("mass_left = 10", "mass_left = -1", "out of range"),
            ("[limits]", "[limit]", "limit is not known"),
            ("{ scope = \"user\"", "{ scop = \"user\"", "scope is missing"),
        ] {
            let text = uncommented(false);
            assert!(text.contains(right), "{right}");
            let error = check(&text.replace(right, wrong)).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}

//! The configuration as a page to look things up.

use std::fmt::Write as _;

use daemon::config::{Key, Shape};

/// What the page begins with.
const HEAD: &str = "\
# Configuration

<!-- Made by `cargo xtask generate` from the program and its commented example; do not edit it by hand. -->

One TOML file. `forgescale config init` writes an example with every key, `forgescale config show --config FILE` checks one
and prints every value with its origin. An editor that takes a JSON schema can use [config.schema.json](config.schema.json).

- Durations are texts with units: `\"500ms\"`, `\"90s\"`, `\"1m30s\"`, `\"3h\"`, `\"2d\"`.
- Sizes are texts with a unit: `\"64KiB\"`, `\"10MB\"`, `\"2GiB\"`.
- A path is absolute, or starts at the folder of the configuration file, or with `${CREDENTIALS_DIRECTORY}/`, where systemd
  puts the credentials of a unit (`LoadCredential=`). No other variable is looked at.
- Unknown keys are mistakes. All mistakes are reported at once, each with its line.
";

/// The page about these keys.
pub(super) fn page(keys: &[Key]) -> String {
    let mut page = HEAD.to_owned();
    let mut table = None;
    // The keys of a table stand together in the example; those of the file itself stand first there.
    let mut sorted: Vec<&Key> = keys.iter().filter(|key| !is_structure(key)).collect();
    let tables: Vec<&str> = keys.iter().map(|key| table_of(&key.path)).collect();
    sorted.sort_by_key(|key| tables.iter().position(|table| *table == table_of(&key.path)));
    for key in sorted {
        let of = table_of(&key.path);
        if table != Some(of) {
            table = Some(of);
            let words = keys.iter().find(|key| key.path == of).map(|key| key.words.as_str()).unwrap_or_default();
            let words = if words.is_empty() { String::new() } else { format!("{words}\n\n") };
            let _ = write!(page, "\n## {}\n\n{words}", heading(of));
        }
        page.push_str(&line(key, of, keys));
    }
    page
}

/// Whether it only holds others: a table that has a heading, or an element that its list tells.
fn is_structure(key: &Key) -> bool {
    let is_element = key.path.ends_with("[]") || key.path.ends_with('*');
    is_element || (key.shapes.is_empty() && !key.path.contains('.') && key.path != "deployment")
}

/// The path of the table with a heading of its own that a key is in; empty for the file itself.
fn table_of(path: &str) -> &str {
    let end = if path.starts_with("backend.*") { "backend.*".len() } else { path.find('.').unwrap_or(0) };
    &path[..end]
}

/// As it is written in the file.
fn heading(table: &str) -> String {
    match (table, table.strip_suffix("[]"), table.strip_suffix(".*")) {
        ("", ..) => "Outside of any table".to_owned(),
        (_, Some(list), _) => format!("`[[{list}]]`"),
        (_, _, Some(outer)) => format!("`[{outer}.NAME]`"),
        _ => format!("`[{table}]`"),
    }
}

/// One key with all that is known of it.
fn line(key: &Key, table: &str, keys: &[Key]) -> String {
    let name = key.path[table.len()..].trim_start_matches('.');
    let mut facts = kinds(key, keys);
    if key.required {
        facts.push("required".to_owned());
    }
    facts.extend(key.default.as_ref().map(|default| format!("default `{default}`")));
    let words = if key.words.is_empty() { String::new() } else { format!(": {}", key.words) };
    format!("- **`{name}`** ({}){words}\n", facts.join(", "))
}

/// Every way to write it, in words.
fn kinds(key: &Key, keys: &[Key]) -> Vec<String> {
    let below = |suffix: &str| keys.iter().find(|other| other.path == format!("{}{suffix}", key.path));
    if let Some(element) = below("[]") {
        let table = keys.iter().any(|other| other.path.starts_with(&format!("{}.", element.path)));
        let ways = element.shapes.iter().map(|shape| kind(*shape)).chain(table.then(|| "table".to_owned()));
        return vec![format!("list of {}", ways.collect::<Vec<_>>().join(" or "))];
    }
    if let Some(named) = below(".*") {
        return vec![format!(
            "table of {}",
            named.shapes.iter().map(|shape| kind(*shape)).collect::<Vec<_>>().join(" or ")
        )];
    }
    key.shapes.iter().map(|shape| kind(*shape)).collect()
}

fn kind(shape: Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Path => "path".to_owned(),
        Shape::Duration => "duration".to_owned(),
        Shape::Size => "size".to_owned(),
        Shape::Whole { .. } | Shape::Number => "number".to_owned(),
        Shape::Truth => "true or false".to_owned(),
        Shape::List(element) => format!("list of {}", kind(*element)),
        Shape::Either(shapes) => shapes.iter().copied().map(kind).collect::<Vec<_>>().join(" or "),
    }
}

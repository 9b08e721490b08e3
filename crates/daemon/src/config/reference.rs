//! Every key that a configuration may have, for the reference and the schema.
//!
//! The commented example, with every setting in use, is read as any configuration is; what the reading calls say about
//! their keys is the list, and the comments of the example are the words. That files of the example are missing here does
//! no harm: a key is known as soon as it is asked for.

use std::collections::BTreeMap;
use std::path::Path;

use backend_host::User;

use super::example::{ALTERNATIVE, example, setting, table, uncommented};
use super::read::Section;
use super::shape::{Facts, Shape};
use super::{Config, Surroundings, document, notes};

/// Configurations that lack all that can be lacking: they show what is required.
const BARE: [&str; 2] = [
    "",
    "[[forge]]\nscopes = [{}]\n[[forge]]\n[[pool]]\n[[pool.warm_schedule]]\n[backend.a]\n[backend.b]\nkind = \"host\"\n[backend.c]\nkind = \"docker\"\n",
];

/// The runner of the example, and a program that is there on every Linux: some defaults follow from a usable backend.
const RUNNER: &str = "runner = \"forgejo-runner\"";
const PROGRAM: &str = "runner = \"/proc/self/exe\"";

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name with all tables around it, with `[]` for an element of a list and `*` for a name that is chosen freely:
    /// `forge[].url`, `backend.*.kind`.
    pub path: String,
    /// Every way to write it; none for a table and for a list whose elements have keys of their own.
    pub shapes: Vec<Shape>,
    /// What holds without it, as TOML.
    pub default: Option<String>,
    /// Whether a configuration without it is wrong.
    pub required: bool,
    /// What the example says about it; empty where it says nothing.
    pub words: String,
}

/// All keys in the order of the example; those that the example does not speak about come behind.
pub fn keys() -> Vec<Key> {
    let mut facts: BTreeMap<String, Facts> = BTreeMap::new();
    let examples = [uncommented(false), uncommented(true)];
    for text in examples.iter().map(String::as_str).chain(BARE) {
        for (path, found) in survey(text) {
            let known = facts.entry(path).or_default();
            found.shapes.into_iter().for_each(|shape| known.shape(shape));
            known.default = known.default.take().or(found.default);
            known.required |= found.required;
        }
    }
    let words = words(example());
    let place = |path: &str| words.iter().position(|(described, _)| described == path);
    let mut keys: Vec<Key> = facts
        .into_iter()
        .map(|(path, Facts { shapes, default, required })| {
            let words = place(&path).map(|index| words[index].1.clone()).unwrap_or_default();
            Key { path, shapes, default, required, words }
        })
        .collect();
    keys.sort_by_key(|key| place(&key.path).unwrap_or(usize::MAX));
    keys
}

/// What reading a text says about its keys.
fn survey(text: &str) -> BTreeMap<String, Facts> {
    // Whoever the example names is taken to be there: defaults that follow from a usable backend are shown then.
    let users = |name: &str| Ok(User { name: name.to_owned(), uid: 1, gid: 1, groups: Vec::new() });
    let surroundings = Surroundings::new(|_| None, true).with_users(users);
    let text = text.replace(RUNNER, PROGRAM);
    let notes = notes(&text, Path::new("/"), &surroundings);
    let table = document(&text, &notes);
    if let Some(table) = &table {
        Config::read(Section::new(&notes, String::new(), 0, table), &surroundings);
    }
    notes.facts.take()
}

/// The words above each setting and each table, with its path, in the order of the example.
fn words(example: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut within = String::new();
    let mut words: Vec<&str> = Vec::new();
    let mut is_spent = false;
    for line in example.lines() {
        let alternative = line.strip_prefix(ALTERNATIVE);
        if let Some((key, _)) = setting(alternative.unwrap_or(line)) {
            found.push((format!("{within}{key}"), words.join(" ")));
            is_spent = true;
        } else if let Some(path) = table(line).and_then(header) {
            found.push((path.clone(), words.join(" ")));
            // A list within a table is a key of that, which is told there.
            found.extend(within_table(&path).map(|list| (list.to_owned(), words.join(" "))));
            within = format!("{path}.");
            words.clear();
        } else if let Some(text) = line.strip_prefix('#') {
            if std::mem::take(&mut is_spent) {
                words.clear();
            }
            words.push(text.trim());
        } else if line.is_empty() {
            words.clear();
            is_spent = false;
        }
    }
    found
}

/// The path of the table that a line opens. A table below another has a name that is chosen freely; a list of tables below
/// another list is in each table of that.
fn header(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
        return Some(format!("{}[]", name.replace('.', "[].")));
    }
    let name = line.strip_prefix('[')?.strip_suffix(']')?;
    Some(name.split_once('.').map_or_else(|| name.to_owned(), |(outer, _)| format!("{outer}.*")))
}

/// The list of tables that a path of one of its tables is in, if that list is within a table itself.
fn within_table(path: &str) -> Option<&str> {
    path.strip_suffix("[]").filter(|list| list.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::{Key, Shape, keys};

    fn key(path: &str) -> Key {
        keys().into_iter().find(|key| key.path == path).unwrap_or_else(|| panic!("no {path}"))
    }

    #[test]
    fn a_key_has_its_type_default_and_words_from_where_it_is_read() {
        let interval = key("forge[].interval");
        assert_eq!((interval.shapes.as_slice(), interval.default.as_deref()), (&[Shape::Duration][..], Some("\"3s\"")));
        assert!(interval.words.starts_with("How often the jobs of each scope are listed"), "{}", interval.words);
        assert!(!interval.required);
        assert_eq!(key("limits.backend_deadline").words, key("limits.forge_deadline").words);
        assert!(key("pool[].warm_schedule").words.starts_with("Windows of the week"));
        assert!(key("pool[].warm_schedule[].days").words.starts_with("The days on which it begins"));
        assert_eq!(key("pool[].warm_schedule[].days").default.as_deref(), Some("[\"mon-sun\"]"));
        assert_eq!(key("backend.*.runner").default.as_deref(), Some("\"forgejo-runner\""));
    }

    #[test]
    fn what_cannot_be_left_out_is_required() {
        let required: Vec<String> = keys().into_iter().filter(|key| key.required).map(|key| key.path).collect();
        for path in [
            "deployment",
            "forge",
            "forge[].url",
            "forge[].scopes",
            "forge[].scopes[].scope",
            "pool[].max",
            "pool[].warm_schedule[].from",
        ] {
            assert!(required.iter().any(|other| other == path), "{path} of {required:?}");
        }
        assert!(!required.iter().any(|path| path.contains("token") || path.starts_with("limits")), "{required:?}");
    }

    #[test]
    fn every_setting_of_the_example_has_words() {
        for key in keys() {
            // Elements of lists that are written in one line with their key are told there.
            let is_part =
                key.path.starts_with("forge[].scopes[]") || key.path.ends_with("[]") || key.path.ends_with('*');
            let is_outer = ["forge", "pool", "backend"].contains(&key.path.as_str());
            assert!(is_part || is_outer || !key.words.is_empty(), "{} has no words", key.path);
        }
    }
}

//! A reader of TOML that collects problems instead of stopping at the first.
//!
//! A [`Section`] is a table being read. Every key is asked for by name, and each answer is also noted as a [`Setting`] with
//! its origin; what was never asked for is an unknown key ([`Section::close`]). What is asked for, as what, and with which
//! default is noted, too ([`Facts`]). So `config show`, the unknown keys, the example's test, the reference and the schema
//! all rest on the very calls that read the values, and no list of keys is kept beside them.
//!
//! Deliberately absent: serde. It stops at the first mistake and knows no lines.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Complaint, Problem};
use super::settings::{Origin, Setting};
use super::shape::Facts;
use super::suggest;
use super::value::Readable;

/// How every complaint about an absent key begins.
pub(super) const MISSING: &str = "is missing";

/// What reading gathers, and what it needs to know to do so.
pub(super) struct Notes<'a> {
    text: &'a str,
    /// Relative paths start here.
    pub(super) directory: &'a Path,
    /// Where the service manager put the service's credentials, if it did.
    pub(super) credentials: Option<PathBuf>,
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) warnings: RefCell<Vec<Problem>>,
    pub(super) settings: RefCell<Vec<Setting>>,
    /// What is known of each key, under its general name (`forge[].url`, `backend.*.kind`).
    pub(super) facts: RefCell<BTreeMap<String, Facts>>,
}

impl<'a> Notes<'a> {
    pub(super) fn new(text: &'a str, directory: &'a Path, credentials: Option<PathBuf>) -> Self {
        Self {
            text,
            directory,
            credentials,
            problems: RefCell::default(),
            warnings: RefCell::default(),
            settings: RefCell::default(),
            facts: RefCell::default(),
        }
    }

    fn learn(&self, general: &str, learn: impl FnOnce(&mut Facts)) {
        learn(self.facts.borrow_mut().entry(general.to_owned()).or_default());
    }

    /// Line and column, both from 1, of a byte offset.
    fn place(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    fn problem(&self, offset: usize, key: &str, complaint: Complaint) -> Problem {
        let (line, column) = self.place(offset);
        Problem { line, column, key: key.to_owned(), reason: complaint.reason, hint: complaint.hint }
    }

    pub(super) fn complain(&self, offset: usize, key: &str, complaint: Complaint) {
        self.problems.borrow_mut().push(self.problem(offset, key, complaint));
    }

    pub(super) fn warn(&self, offset: usize, key: &str, complaint: Complaint) {
        self.warnings.borrow_mut().push(self.problem(offset, key, complaint));
    }

    pub(super) fn set(&self, key: &str, value: Option<String>, origin: Origin) {
        self.settings.borrow_mut().push(Setting { key: key.to_owned(), value, origin });
    }

    /// How many problems there are so far.
    pub(super) fn count(&self) -> usize {
        self.problems.borrow().len()
    }
}

/// A value where it stands.
#[derive(Clone)]
pub(super) struct Value<'a> {
    pub(super) notes: &'a Notes<'a>,
    pub(super) key: String,
    /// Its key with `[]` for the number of an element and `*` for a name that is chosen freely.
    general: String,
    pub(super) offset: usize,
    pub(super) raw: &'a DeValue<'a>,
}

impl<'a> Value<'a> {
    fn new(notes: &'a Notes<'a>, key: String, general: String, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { notes, key, general, offset: value.span().start, raw: value.get_ref() }
    }

    pub(super) fn complain(&self, complaint: Complaint) {
        self.notes.complain(self.offset, &self.key, complaint);
    }

    pub(super) fn origin(&self) -> Origin {
        Origin::File { line: self.notes.place(self.offset).0 }
    }

    /// The complaint that something else was expected here.
    pub(super) fn wrong_type(&self, expected: &str) -> Complaint<()> {
        Complaint::new(format!("expected {expected}, found {}", described(self.raw)))
    }

    /// Reads it as `T`, which must also pass `check`; a problem is noted when it does not.
    pub(super) fn read<T: Readable>(&self, check: impl FnOnce(&T) -> Result<(), Complaint>) -> Option<T> {
        self.notes.learn(&self.general, |facts| facts.shape(T::SHAPE));
        let read = T::read(self).and_then(|value| check(&value).map(|()| value));
        read.map_err(|complaint| self.complain(complaint)).ok()
    }

    /// The elements, if it is an array; a problem otherwise.
    pub(super) fn elements(&self) -> Vec<Value<'a>> {
        let DeValue::Array(array) = self.raw else {
            self.complain(self.wrong_type("a list").hint("write it in brackets, like [\"…\", \"…\"]"));
            return Vec::new();
        };
        let element = |(index, value)| {
            Value::new(self.notes, format!("{}[{index}]", self.key), format!("{}[]", self.general), value)
        };
        array.iter().enumerate().map(element).collect()
    }

    /// The table, if it is one; a problem otherwise.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        let DeValue::Table(table) = self.raw else {
            self.complain(
                self.wrong_type("a table").hint(format!("write [{}] above its settings, or {{ … }}", self.key)),
            );
            return None;
        };
        let general = self.general.clone();
        self.notes.learn(&general, |_| {});
        Some(Section { general, ..Section::new(self.notes, self.key.clone(), self.offset, table) })
    }
}

/// Where a key belongs that stands in a wrong table.
fn elsewhere(name: &str) -> Option<String> {
    let keys = super::reference::keys();
    let of_the_name = |path: &str| match path.rsplit_once('.') {
        Some((table, key)) => (key == name).then(|| shown_table(table)),
        None => (path == name).then(|| "the top, above all tables".to_owned()),
    };
    let mut tables: Vec<String> = keys.iter().filter_map(|key| of_the_name(&key.path)).collect();
    tables.sort();
    tables.dedup();
    (!tables.is_empty()).then(|| format!("it belongs to {}", tables.join(" or ")))
}

/// A table as it is written in a file: `forge[]` is `[[forge]]`, `backend.*` is `[backend.NAME]`.
fn shown_table(path: &str) -> String {
    match path.strip_suffix("[]") {
        Some(list) if list.contains('.') => format!("an element of `{}`", list.replace("[]", "")),
        Some(list) => format!("[[{list}]]"),
        None => format!("[{}]", path.replace('*', "NAME")),
    }
}

fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::String(_) => "a string".to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        other => format!("a {}", other.type_str()),
    }
}

/// Accepts every value.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the checks, and those may refuse")]
pub(super) fn any<T>(_: &T) -> Result<(), Complaint> {
    Ok(())
}

/// A table being read.
pub(super) struct Section<'a> {
    pub(super) notes: &'a Notes<'a>,
    table: &'a DeTable<'a>,
    path: String,
    general: String,
    pub(super) offset: usize,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(notes: &'a Notes<'a>, path: String, offset: usize, table: &'a DeTable<'a>) -> Self {
        Self { notes, table, general: path.clone(), path, offset, asked: RefCell::default() }
    }

    fn general(&self, key: &str) -> String {
        if self.general.is_empty() { key.to_owned() } else { format!("{}.{key}", self.general) }
    }

    /// Notes what kind of value a key has, and its default as TOML.
    pub(super) fn declare<T: Readable>(&self, key: &'static str, default: Option<String>) {
        self.notes.learn(&self.general(key), |facts| {
            facts.shape(T::SHAPE);
            facts.default = default.or(facts.default.take());
        });
    }

    /// The full name of a key in it; of the table itself when the key is empty.
    pub(super) fn key(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }

    /// The value of a key, which is known from now on.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        self.asked.borrow_mut().insert(key);
        self.notes.learn(&self.general(key), |_| {});
        self.table.get(key).map(|value| Value::new(self.notes, self.key(key), self.general(key), value))
    }

    /// All entries in the order of the file, for tables whose keys are names.
    pub(super) fn entries(&self) -> Vec<(&'a str, Value<'a>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| {
                let value = Value::new(self.notes, self.key(key.get_ref()), self.general("*"), value);
                let place = Value { offset: key.span().start, ..value };
                (key.get_ref().as_ref(), place)
            })
            .collect()
    }

    /// Reports that something is wrong with the table as a whole, or with a key that is not there.
    pub(super) fn complain(&self, key: &str, complaint: Complaint) {
        self.notes.complain(self.offset, &self.key(key), complaint);
    }

    /// A value that may be absent.
    pub(super) fn optional<T: Readable>(
        &self,
        key: &'static str,
        check: impl FnOnce(&T) -> Result<(), Complaint>,
    ) -> Option<T> {
        self.declare::<T>(key, None);
        let Some(found) = self.get(key) else {
            self.notes.set(&self.key(key), None, Origin::Default);
            return None;
        };
        let value = found.read(check)?;
        self.notes.set(&found.key, Some(value.shown()), found.origin());
        Some(value)
    }

    /// A value that must be there.
    pub(super) fn required<T: Readable>(
        &self,
        key: &'static str,
        example: &str,
        check: impl FnOnce(&T) -> Result<(), Complaint>,
    ) -> Option<T> {
        if self.get(key).is_none() {
            self.declare::<T>(key, None);
            self.missing(key, example);
            return None;
        }
        self.optional(key, check)
    }

    /// Reports that a required key is not there.
    pub(super) fn missing(&self, key: &str, example: &str) {
        self.notes.learn(&self.general(key), |facts| facts.required = true);
        self.complain(key, Complaint::new(MISSING).hint(format!("for example: {example}")));
    }

    /// A value with a default; the default, too, when the value is wrong (which is noted).
    pub(super) fn or<T: Readable>(
        &self,
        key: &'static str,
        default: T,
        check: impl FnOnce(&T) -> Result<(), Complaint>,
    ) -> T {
        self.declare::<T>(key, Some(default.shown()));
        if self.get(key).is_none() {
            self.notes.set(&self.key(key), Some(default.shown()), Origin::Default);
            return default;
        }
        self.optional(key, check).unwrap_or(default)
    }

    /// The tables of a list of tables (`[[key]]`).
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let elements = self.get(key).map(|list| {
            if matches!(list.raw, DeValue::Table(_)) {
                let path = self.general(key).replace("[]", "");
                let hint = format!("write [[{path}]] instead of [{path}]: there may be several");
                list.complain(list.wrong_type("a list of tables").hint(hint));
                return Vec::new();
            }
            list.elements()
        });
        elements.unwrap_or_default().iter().filter_map(Value::section).collect()
    }

    /// Reports every key that was never asked for. A misspelt key that is missed under its right name is one mistake.
    pub(super) fn close(self) {
        let asked = self.asked.borrow();
        let known: Vec<&str> = asked.iter().copied().collect();
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if asked.contains(name) {
                continue;
            }
            let near = suggest::nearest(name, known.iter().copied());
            if let Some(near) = near {
                let meant = self.key(near);
                self.notes
                    .problems
                    .borrow_mut()
                    .retain(|other| other.key != meant || !other.reason.starts_with(MISSING));
            }
            let hint = near.map(|near| format!("did you mean `{near}`?")).or_else(|| elsewhere(name));
            let hint = hint.unwrap_or_else(|| format!("known here: {}", known.join(", ")));
            self.notes.complain(key.span().start, &self.key(name), Complaint::new("is not a known key").hint(hint));
        }
    }
}

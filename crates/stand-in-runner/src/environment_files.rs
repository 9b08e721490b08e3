//! The files through which a step talks back: `GITHUB_OUTPUT`, `GITHUB_ENV`, `GITHUB_PATH`, `GITHUB_STEP_SUMMARY`.
//!
//! Entries are `name=value` or a here-document: `name<<END`, lines, `END`. Deliberately absent: the summary is
//! accepted and dropped, since the runner's RPC has no place for it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Most bytes that are read of one file: some outputs of the size that Forgejo accepts (1 MiB, protocol 3.4).
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The files of one step.
#[derive(Debug)]
pub(crate) struct EnvironmentFiles {
    directory: PathBuf,
}

impl EnvironmentFiles {
    const OUTPUT: &str = "output";
    const ENV: &str = "env";
    const PATH: &str = "path";
    const SUMMARY: &str = "summary";

    /// Creates empty files in a directory that must not exist yet.
    pub(crate) fn create(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir(&directory)?;
        for name in [Self::OUTPUT, Self::ENV, Self::PATH, Self::SUMMARY] {
            File::create_new(directory.join(name))?;
        }
        Ok(Self { directory })
    }

    /// Where the step's script goes.
    pub(crate) fn script(&self) -> PathBuf {
        self.directory.join("script")
    }

    /// The variables that tell the step where the files are, without the prefix `GITHUB_` or `FORGEJO_`.
    pub(crate) fn variables(&self) -> [(&'static str, PathBuf); 4] {
        let place = |name| self.directory.join(name);
        [
            ("OUTPUT", place(Self::OUTPUT)),
            ("ENV", place(Self::ENV)),
            ("PATH", place(Self::PATH)),
            ("STEP_SUMMARY", place(Self::SUMMARY)),
        ]
    }

    /// The outputs that the step has set, in order.
    pub(crate) fn outputs(&self) -> Result<Vec<(String, String)>, Error> {
        entries(&self.read("GITHUB_OUTPUT", Self::OUTPUT)?)
    }

    /// The variables that the step has set for the steps after it, in order.
    pub(crate) fn environment(&self) -> Result<Vec<(String, String)>, Error> {
        entries(&self.read("GITHUB_ENV", Self::ENV)?)
    }

    /// The directories that the step puts before `PATH` of the steps after it, in order.
    pub(crate) fn paths(&self) -> Result<Vec<String>, Error> {
        let content = self.read("GITHUB_PATH", Self::PATH)?;
        Ok(content.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    fn read(&self, variable: &'static str, name: &str) -> Result<String, Error> {
        read_limited(&self.directory.join(name)).map_err(|source| Error::EnvironmentFile { variable, source })
    }
}

/// Reads a plain file. The step may have put anything in its place, also something that blocks a reader.
fn read_limited(path: &Path) -> io::Result<String> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file any more"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 4 MiB"));
    }
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// Reads entries; the first bad one makes all of them an error.
fn entries(content: &str) -> Result<Vec<(String, String)>, Error> {
    let mut found = Vec::new();
    let mut lines = content.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let refuse = || Error::EnvironmentEntry { line: line.to_owned() };
        let (name, value) = match (line.find('='), line.find("<<")) {
            (Some(equals), here) if here.is_none_or(|here| equals < here) => {
                (&line[..equals], line[equals + 1..].to_owned())
            }
            (_, Some(here)) => (&line[..here], here_document(&mut lines, &line[here + 2..]).ok_or_else(refuse)?),
            _ => return Err(refuse()),
        };
        if name.trim().is_empty() {
            return Err(refuse());
        }
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

/// The lines up to the delimiter; `None` if it never comes or is empty.
fn here_document<'a>(lines: &mut impl Iterator<Item = &'a str>, delimiter: &str) -> Option<String> {
    let mut value = Vec::new();
    loop {
        match lines.next() {
            Some(line) if line == delimiter && !delimiter.is_empty() => return Some(value.join("\n")),
            Some(line) => value.push(line),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{EnvironmentFiles, entries};

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn both_forms_of_an_entry_are_read() {
        let content = "plain=a=b<<c\n\nempty=\nlong<<END\nfirst=1\n\nlast\nEND\nafter=x\n";
        let expected =
            [pair("plain", "a=b<<c"), pair("empty", ""), pair("long", "first=1\n\nlast"), pair("after", "x")];
        assert_eq!(entries(content).unwrap(), expected);
        assert_eq!(entries("").unwrap(), []);
    }

    #[test]
    fn a_bad_entry_is_an_error() {
        for content in ["no separator", "=value", "open<<END\nvalue", "<<END\nEND", "name<<\nvalue\n"] {
            assert!(entries(content).is_err(), "{content:?}");
        }
    }

    #[test]
    fn what_is_not_a_plain_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let files = EnvironmentFiles::create(directory.path().join("step")).unwrap();
        assert_eq!(files.paths().unwrap(), [""; 0]);
        let path = directory.path().join("step/path");
        fs::write(&path, "/opt/a\n\n/opt/b\n").unwrap();
        assert_eq!(files.paths().unwrap(), ["/opt/a", "/opt/b"]);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(files.paths().is_err());
    }
}

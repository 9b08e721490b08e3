//! Secrets: read from a file or an environment variable, kept in a type that cannot be printed.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::Surroundings;
use super::problem::Complaint;
use super::read::{Section, any};
use super::settings::Origin;
use crate::private::is_readable_by_all;

/// No token of a forge comes near this; a larger file is some other file.
const LONGEST: usize = 4096;

/// As much is read of a file: room for a token with blanks around it, and enough to see that it is something else.
const MOST_READ: u64 = 2 * LONGEST as u64;

/// What to do when there is no token yet.
const MAKE_A_TOKEN: &str = "make an access token in Forgejo (Settings, Applications) and write it there";

/// What to do when the file is there and closed.
const READABLE: &str = "run this as the user that the daemon runs as, whose file it must be: chown it, chmod 600";

/// What to do when something else is there, or more than a token.
const ALONE: &str = "the token alone must be in there";

/// The token of a table with `token_file` or `token_env`: nothing when neither is given or it cannot be used (a problem is
/// noted then).
pub(super) enum Token {
    /// Neither key is there.
    Absent,
    /// Something is wrong with it, and noted.
    Wrong,
    /// Here it is.
    Given {
        /// The token.
        token: SecretString,
        /// The file that it was read from, if it was one.
        file: Option<PathBuf>,
    },
}

/// Reads `token_file` or `token_env` of a table.
pub(super) fn token(section: &Section<'_>, surroundings: &Surroundings) -> Token {
    let before = section.notes.count();
    let file: Option<PathBuf> = section.optional("token_file", any);
    let variable: Option<String> = section.optional("token_env", any);
    if section.notes.count() > before {
        return Token::Wrong;
    }
    let (key, read, origin) = match (file.clone(), variable) {
        (None, None) => return Token::Absent,
        (Some(_), Some(_)) => {
            let complaint = Complaint::new("stands beside token_file: only one of the two can be meant");
            section.get("token_env").inspect(|value| value.complain(complaint.hint("remove one of them")));
            return Token::Wrong;
        }
        (Some(path), None) => ("token_file", from_file(&path, section), Origin::SecretFile { path }),
        (None, Some(variable)) => {
            ("token_env", from_variable(&variable, surroundings), Origin::Environment { variable })
        }
    };
    match read {
        Ok(secret) => {
            section.notes.set(&section.key("token"), Some("<hidden>".to_owned()), origin);
            Token::Given { token: secret, file }
        }
        Err(complaint) => {
            section.get(key).inspect(|value| value.complain(complaint));
            Token::Wrong
        }
    }
}

/// Reads a token again from its file. Blocks. The error is for people and says nothing of what stands in there.
pub(crate) fn read_again(path: &Path) -> Result<SecretString, String> {
    read_token(path).map(|(token, _)| token).map_err(|complaint| complaint.reason)
}

fn from_file(path: &Path, section: &Section<'_>) -> Result<SecretString, Complaint> {
    let (token, mode) = read_token(path)?;
    if is_readable_by_all(mode) {
        let shown = path.display();
        let complaint = Complaint::new(format!("everybody on this machine can read {shown}"));
        let offset = section.get("token_file").map_or(section.offset, |value| value.offset);
        section.notes.warn(offset, &section.key("token_file"), complaint.hint(format!("chmod 600 {shown}")));
    }
    Ok(token)
}

/// The token in a file, and the file's mode.
fn read_token(path: &Path) -> Result<(SecretString, u32), Complaint> {
    let shown = path.display();
    let unreadable = |error: io::Error| {
        Complaint::new(format!("cannot read {shown}: {error}")).hint(match error.kind() {
            io::ErrorKind::NotFound => MAKE_A_TOKEN,
            _ => READABLE,
        })
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    // Opening a pipe would wait for its writer, perhaps for ever.
    if !metadata.is_file() {
        return Err(Complaint::new(format!("{shown} is not a regular file")).hint(MAKE_A_TOKEN));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MOST_READ).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| Complaint::new(format!("{shown} is not text")).hint(ALONE))?;
    checked(&text, &format!("{shown}")).map(|token| (token, metadata.permissions().mode()))
}

fn from_variable(variable: &str, surroundings: &Surroundings) -> Result<SecretString, Complaint> {
    let text = surroundings.variable(variable).ok_or_else(|| {
        Complaint::new(format!("the environment variable {variable} is not set (or not text)"))
            .hint("set it for the daemon, or give the token in a file: token_file")
    })?;
    checked(&text, &format!("the environment variable {variable}"))
}

/// Takes off the blanks around it, which editors and terminals leave there; what remains must be able to stand in a header.
fn checked(text: &str, place: &str) -> Result<SecretString, Complaint> {
    let token = text.trim();
    let reason = if token.is_empty() {
        return Err(Complaint::new(format!("{place} is empty")).hint(MAKE_A_TOKEN));
    } else if token.len() > LONGEST {
        format!("{place} is longer than {LONGEST} bytes: that is no token")
    } else if token.contains(char::is_whitespace) {
        format!("{place} holds more than one word: that is no token")
    } else if !token.chars().all(|c| c.is_ascii_graphic()) {
        format!("{place} holds characters that no token has")
    } else {
        return Ok(SecretString::from(token));
    };
    Err(Complaint::new(reason).hint(ALONE))
}

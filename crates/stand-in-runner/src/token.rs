//! The runner's token, read from a `file:` address.
//!
//! Promises: the content is not trimmed (a trailing newline is an error, as with the real runner, protocol 3.6); the
//! file is read once, so a pipe such as `/dev/stdin` or `/dev/fd/5` will do.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use crate::error::Error;

/// Most bytes that are read. Forgejo's tokens have 40 (protocol 1.5); the rest is room for other forges' tokens.
const MAX_TOKEN_BYTES: u64 = 4096;

/// Reads the token behind an address like `file:/run/token`, `file:///run/token` or `file:/dev/stdin`.
pub(crate) fn read(address: &str) -> Result<SecretString, Error> {
    let path = path_of(address)?;
    let unreadable = |source| Error::TokenRead { path: path.clone(), source };
    let mut content = Vec::new();
    File::open(&path).map_err(unreadable)?.take(MAX_TOKEN_BYTES + 1).read_to_end(&mut content).map_err(unreadable)?;
    if !is_token(&content) {
        return Err(Error::TokenContent { path });
    }
    String::from_utf8(content).map(SecretString::from).map_err(|_| Error::TokenContent { path })
}

/// A token that was read from elsewhere, if it can be one.
pub(crate) fn checked(token: SecretString) -> Result<SecretString, Error> {
    if is_token(token.expose_secret().as_bytes()) { Ok(token) } else { Err(Error::TokenInConfig) }
}

fn is_token(content: &[u8]) -> bool {
    let fits = !content.is_empty() && content.len() as u64 <= MAX_TOKEN_BYTES;
    fits && content.iter().all(u8::is_ascii_graphic)
}

fn path_of(address: &str) -> Result<PathBuf, Error> {
    let refuse = || Error::TokenUrl { address: address.to_owned() };
    let path = address.strip_prefix("file:").ok_or_else(refuse)?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if !Path::new(path).is_absolute() {
        return Err(refuse());
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use secrecy::ExposeSecret as _;

    use super::read;

    #[test]
    fn the_content_is_the_token_untrimmed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::write(&path, "abc123").unwrap();
        for form in ["file:", "file://"] {
            let token = read(&format!("{form}{}", path.display())).unwrap();
            assert_eq!(token.expose_secret(), "abc123");
        }
        for content in ["abc123\n", "", "abc 123", "käse"] {
            fs::write(&path, content).unwrap();
            assert!(read(&format!("file:{}", path.display())).is_err(), "{content:?}");
        }
    }

    #[test]
    fn only_absolute_file_addresses_are_taken() {
        for address in ["/etc/hostname", "file:token", "https://forge.example/token", "file:", "file:/nowhere/at/all"] {
            assert!(read(address).is_err(), "{address}");
        }
    }
}

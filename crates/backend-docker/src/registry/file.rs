//! The file that `docker login` writes, as far as it says how to get at a registry.
//!
//! ```json
//! { "auths": { "registry.example": { "auth": "BASE64 OF USER:PASSWORD" } },
//!   "credHelpers": { "cloud.example": "NAME" }, "credsStore": "NAME" }
//! ```
//!
//! A helper of the registry comes before the one for all, and that before an entry, as in Docker's own client. Of entries the
//! one with the longest path wins that the image is below, as in Podman's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use super::credentials::Secret;
use super::error::CredentialsError;
use crate::reference::HUB;

/// Some hundred registries with tokens.
const MOST_BYTES: u64 = 1 << 20;

/// The longest name of a helper.
const MOST_OF_A_HELPER: usize = 64;

/// Hosts under which Docker's own registry is known.
const HUB_HOSTS: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// With or without the signs at its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file that was read.
pub(super) struct File {
    path: PathBuf,
    content: Content,
}

/// What a file says of a registry.
pub(super) enum Entry {
    Nothing,
    Here(Secret),
    /// Ask the helper of this name.
    Helper(String),
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    auths: BTreeMap<String, Written>,
    #[serde(rename = "credHelpers", default)]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore", default)]
    helper: Option<String>,
}

/// An entry as it is written. Not printable, like all that it becomes.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Written {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// Reads a file.
pub(super) async fn read(path: &Path) -> Result<File, CredentialsError> {
    let unreadable = |source| CredentialsError::Unreadable { path: path.to_owned(), source };
    let metadata = tokio::fs::metadata(path).await.map_err(unreadable)?;
    // Opening a pipe would wait for its writer, perhaps for ever.
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        let what = "it is no regular file of its size".to_owned();
        return Err(CredentialsError::NotOne { path: path.to_owned(), what });
    }
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).await.map_err(unreadable)?;
    parsed(path, &bytes)
}

fn parsed(path: &Path, bytes: &[u8]) -> Result<File, CredentialsError> {
    let content = serde_json::from_slice(bytes).map_err(|error| {
        // Its own words would quote what stands there.
        let kind = if error.is_data() { "holds something unexpected" } else { "is no JSON" };
        let what = format!("line {}, column {} {kind}", error.line(), error.column());
        CredentialsError::NotOne { path: path.to_owned(), what }
    })?;
    Ok(File { path: path.to_owned(), content })
}

impl File {
    /// What it says of a registry, for an image with this path in it.
    pub(super) fn of(&self, registry: &str, path: &str) -> Result<Entry, CredentialsError> {
        let of_registry = self.content.helpers.iter().find(|(key, _)| depth(key, registry, "").is_some());
        let helper = of_registry.map(|(_, name)| name).or(self.content.helper.as_ref()).filter(|name| !name.is_empty());
        if let Some(name) = helper {
            return self.helper(name);
        }
        let entries =
            self.content.auths.iter().filter_map(|(key, entry)| Some((depth(key, registry, path)?, key, entry)));
        match entries.max_by_key(|(depth, ..)| *depth) {
            Some((_, key, entry)) => self.entry(key, entry),
            None => Ok(Entry::Nothing),
        }
    }

    fn helper(&self, name: &str) -> Result<Entry, CredentialsError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.len() <= MOST_OF_A_HELPER && name.bytes().all(is_plain) {
            return Ok(Entry::Helper(name.to_owned()));
        }
        let name = name.chars().take(MOST_OF_A_HELPER).collect();
        Err(CredentialsError::HelperName { path: self.path.clone(), name })
    }

    fn entry(&self, key: &str, entry: &Written) -> Result<Entry, CredentialsError> {
        let wrong = |what| CredentialsError::Entry { path: self.path.clone(), key: key.to_owned(), what };
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&entry.identitytoken) {
            return Ok(Entry::Here(Secret::IdentityToken(SecretString::from(token))));
        }
        if let Some(token) = given(&entry.registrytoken) {
            return Ok(Entry::Here(Secret::RegistryToken(SecretString::from(token))));
        }
        if let Some(auth) = given(&entry.auth) {
            let decoded = BASE64.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded = decoded.ok_or_else(|| wrong("has an auth that is no base64 of text"))?;
            let (user, password) =
                decoded.split_once(':').ok_or_else(|| wrong("has an auth without a colon after the user"))?;
            // Old clients have filled it up.
            let password = SecretString::from(password.trim_matches('\0'));
            return Ok(Entry::Here(Secret::Password { user: user.to_owned(), password }));
        }
        match (given(&entry.username), given(&entry.password)) {
            (Some(user), Some(password)) => {
                Ok(Entry::Here(Secret::Password { user, password: SecretString::from(password) }))
            }
            (None, None) => Ok(Entry::Nothing),
            _ => Err(wrong("has a user or a password alone")),
        }
    }
}

/// How much of an image's place a key names, if it names it: its registry, or the beginning of its path there as well.
fn depth(key: &str, registry: &str, path: &str) -> Option<usize> {
    let (host, below) = match key.split_once("://") {
        // An address of the registry's interface, whatever its path.
        Some((_, rest)) => (rest.split('/').next().unwrap_or(rest), ""),
        None => key.split_once('/').map_or((key, ""), |(host, below)| (host, below.trim_end_matches('/'))),
    };
    // What old clients wrote without "https://".
    let below = if matches!(below, "v1" | "v2") { "" } else { below };
    let is_hub = registry == HUB && HUB_HOSTS.contains(&host);
    if host != registry && !is_hub {
        return None;
    }
    let is_below = path.strip_prefix(below).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (below.is_empty() || is_below).then_some(below.len())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::reference::registry_and_path;

    /// What a file with this content says of an image, in short.
    fn said(content: &Value, image: &str) -> String {
        let file = parsed(Path::new("/config.json"), content.to_string().as_bytes()).unwrap();
        let (registry, path) = registry_and_path(image);
        match file.of(registry, path) {
            Ok(Entry::Nothing) => "nothing".to_owned(),
            Ok(Entry::Helper(name)) => format!("helper {name}"),
            Ok(Entry::Here(Secret::Password { user, password })) => format!("{user}:{}", password.expose_secret()),
            Ok(Entry::Here(Secret::IdentityToken(token))) => format!("identity {}", token.expose_secret()),
            Ok(Entry::Here(Secret::RegistryToken(token))) => format!("registry {}", token.expose_secret()),
            Err(error) => format!("wrong: {error}"),
        }
    }

    fn auth(text: &str) -> Value {
        json!({ "auth": base64::engine::general_purpose::STANDARD.encode(text) })
    }

    #[test]
    fn a_registry_is_found_under_whichever_address_was_logged_in_to() {
        let hub = ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"];
        for key in hub {
            let content = json!({ "auths": { key: auth("u:p") } });
            for image in ["node:22", "team/node", "docker.io/library/node", "index.docker.io/team/node"] {
                assert_eq!(said(&content, image), "u:p", "{key} {image}");
            }
            assert_eq!(said(&content, "registry.example/node"), "nothing", "{key}");
            assert_eq!(said(&content, "localhost/node"), "nothing", "{key}");
        }
        for key in [
            "registry.example:5000",
            "https://registry.example:5000",
            "http://registry.example:5000/v2/",
            "registry.example:5000/v1/",
        ] {
            let content = json!({ "auths": { key: auth("u:p") } });
            assert_eq!(said(&content, "registry.example:5000/a/b:1"), "u:p", "{key}");
            for other in ["registry.example/a/b:1", "registry.example:5001/a", "a/b", "evil-registry.example:5000/a"] {
                assert_eq!(said(&content, other), "nothing", "{key} {other}");
            }
        }
    }

    #[test]
    fn the_longest_path_above_an_image_wins() {
        let content = json!({ "auths": {
            "r.example": auth("all:1"), "r.example/team": auth("team:2"), "r.example/team/app": auth("app:3"),
        } });
        for (image, user) in [
            ("other/x", "all:1"),
            ("team/x", "team:2"),
            ("team/app", "app:3"),
            ("team/app/x", "app:3"),
            ("team/application", "team:2"),
            ("teams/x", "all:1"),
        ] {
            assert_eq!(said(&content, &format!("r.example/{image}:1")), user, "{image}");
        }
    }

    #[test]
    fn an_entry_is_a_password_in_two_ways_or_a_token_in_two() {
        let entries = [
            (auth("u:p:q\0\0"), "u:p:q"),
            (json!({ "username": "u", "password": "p" }), "u:p"),
            (json!({ "auth": "dTpw", "identitytoken": "i" }), "identity i"),
            (json!({ "registrytoken": "r" }), "registry r"),
            (json!({}), "nothing"),
            (json!({ "auth": "", "email": "x" }), "nothing"),
            (json!({ "auth": "dTpwcA" }), "u:pp"),
        ];
        for (entry, expected) in entries {
            assert_eq!(said(&json!({ "auths": { "r.example": entry } }), "r.example/x"), expected, "{entry}");
        }
    }

    #[test]
    fn a_helper_of_the_registry_comes_before_the_one_for_all_and_that_before_an_entry() {
        let content = json!({
            "auths": { "a.example": auth("u:p"), "b.example": {} },
            "credHelpers": { "b.example": "cloud", "https://index.docker.io/v1/": "hub" }, "credsStore": "pass",
        });
        assert_eq!(said(&content, "a.example/x"), "helper pass");
        assert_eq!(said(&content, "b.example/x"), "helper cloud");
        assert_eq!(said(&content, "node"), "helper hub");
        let without = json!({ "auths": { "a.example": auth("u:p") }, "credsStore": "", "credHelpers": {} });
        assert_eq!(said(&without, "a.example/x"), "u:p");
    }

    #[test]
    fn what_is_wrong_is_told_without_a_word_of_what_stands_there() {
        for (content, word) in [
            (json!({ "auths": { "r.example": { "auth": "hunter2!" } } }), "no base64"),
            (json!({ "auths": { "r.example": auth("hunter2") } }), "without a colon"),
            (json!({ "auths": { "r.example": { "password": "hunter2" } } }), "alone"),
            (json!({ "credsStore": "../../bin/sh" }), "can be no program"),
        ] {
            let said = said(&content, "r.example/x");
            assert!(said.starts_with("wrong: /config.json") && said.contains(word), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        for text in ["{\"auths\": \"hunter2\"}", "hunter2", "{\"auths\": {\"r\": {\"auth\": 2}}, \"hunter2", "[2]"] {
            let Err(error) = parsed(Path::new("/config.json"), text.as_bytes()) else { panic!("{text}") };
            assert!(error.to_string().contains("line 1, column"), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_file_is_read_anew_each_time_and_only_a_regular_one() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("config.json");
        assert!(matches!(read(&path).await, Err(CredentialsError::Unreadable { .. })));
        assert!(matches!(read(place.path()).await, Err(CredentialsError::NotOne { .. })));
        for user in ["one", "two"] {
            let content = json!({ "auths": { "r.example": { "username": user, "password": "p" } } });
            std::fs::write(&path, content.to_string()).unwrap();
            let Ok(Entry::Here(Secret::Password { user: read, .. })) = read(&path).await.unwrap().of("r.example", "x")
            else {
                panic!()
            };
            assert_eq!(read, user);
        }
        std::fs::write(&path, " ".repeat(1 << 21)).unwrap();
        assert!(matches!(read(&path).await, Err(CredentialsError::NotOne { .. })));
    }
}

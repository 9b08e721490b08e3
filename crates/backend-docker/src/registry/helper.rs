//! A helper that keeps credentials: `docker-credential-NAME get` is told the registry's address on its standard input, and
//! says user and secret as JSON.
//!
//! It runs as the daemon's user and with its environment, like the daemon's own work. It gets a deadline and little room.

use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::credentials::Secret;
use super::error::CredentialsError;

/// Some of them ask a service on the network for a token.
const DEADLINE: Duration = Duration::from_secs(20);

/// A token of a cloud takes a few kilobytes.
const MOST_BYTES: u64 = 64 << 10;

/// How much of its complaint is kept.
const SAID_CHARACTERS: usize = 200;

/// What helpers say when they know nothing of a registry, which is no error.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// The user's name that stands for none: the secret is an identity token then.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// What a helper has for this address.
pub(super) async fn get(name: &str, address: &str) -> Result<Option<Secret>, CredentialsError> {
    let mut helper = Command::new(format!("docker-credential-{name}"));
    helper.arg("get");
    asked(helper, name, address, DEADLINE).await
}

async fn asked(
    helper: Command,
    name: &str,
    address: &str,
    deadline: Duration,
) -> Result<Option<Secret>, CredentialsError> {
    match tokio::time::timeout(deadline, answered(helper, name, address)).await {
        Ok(answer) => answer,
        Err(_) => Err(CredentialsError::HelperLate { name: name.to_owned(), seconds: deadline.as_secs() }),
    }
}

async fn answered(mut helper: Command, name: &str, address: &str) -> Result<Option<Secret>, CredentialsError> {
    let not_run = |source| CredentialsError::HelperNotRun { name: name.to_owned(), source };
    // It is not waited for after its deadline.
    helper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut helper = helper.spawn().map_err(not_run)?;
    if let Some(mut input) = helper.stdin.take() {
        // One that reads nothing may end first.
        let _ = input.write_all(address.as_bytes()).await;
    }
    let mut said = Vec::new();
    if let Some(output) = helper.stdout.take() {
        output.take(MOST_BYTES).read_to_end(&mut said).await.map_err(not_run)?;
    }
    let ended = helper.wait().await.map_err(not_run)?;
    if !ended.success() {
        return refused(name, &String::from_utf8_lossy(&said));
    }
    let answer: Answer =
        serde_json::from_slice(&said).map_err(|_| CredentialsError::HelperAnswer { name: name.to_owned() })?;
    let secret = SecretString::from(answer.secret);
    Ok(Some(match answer.user {
        user if user == TOKEN_USER => Secret::IdentityToken(secret),
        user => Secret::Password { user, password: secret },
    }))
}

/// What it means that a helper has ended with an error.
fn refused(name: &str, said: &str) -> Result<Option<Secret>, CredentialsError> {
    if said.contains(NOT_FOUND) {
        return Ok(None);
    }
    let said = said.trim().chars().take(SAID_CHARACTERS).filter(|letter| !letter.is_control()).collect();
    Err(CredentialsError::HelperRefused { name: name.to_owned(), said })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    /// Time that a script of these tests never needs.
    const PLENTY: Duration = Duration::from_mins(1);

    /// What comes of asking a helper that is this script.
    async fn said_by(script: &str, deadline: Duration) -> Result<Option<Secret>, CredentialsError> {
        let mut helper = Command::new("sh");
        helper.args(["-c", script]);
        asked(helper, "x", "registry.example", deadline).await
    }

    #[tokio::test]
    async fn a_helper_is_told_the_address_and_says_a_password_or_a_token() {
        let script = r#"read -r address; printf '{"ServerURL":"x","Username":"u","Secret":"for %s"}' "$address""#;
        let Ok(Some(Secret::Password { user, password })) = said_by(script, PLENTY).await else { panic!() };
        assert_eq!((user.as_str(), password.expose_secret()), ("u", "for registry.example"));
        let script = r#"echo '{"Username":"<token>","Secret":"t"}'"#;
        let Ok(Some(Secret::IdentityToken(token))) = said_by(script, PLENTY).await else { panic!() };
        assert_eq!(token.expose_secret(), "t");
    }

    #[tokio::test]
    async fn a_helper_that_knows_nothing_is_no_error_and_every_other_end_is() {
        let nothing = said_by("echo 'credentials not found in native keychain'; exit 1", PLENTY).await;
        assert!(matches!(nothing, Ok(None)));
        let refused = said_by("echo 'the keyring is locked'; exit 1", PLENTY).await;
        let Err(CredentialsError::HelperRefused { said, .. }) = refused else { panic!() };
        assert_eq!(said, "the keyring is locked");
        for script in ["echo hello", "exit 0", r#"echo '{"Username":"u"}'"#, "exec yes"] {
            let answer = said_by(script, PLENTY).await;
            assert!(
                matches!(answer, Err(CredentialsError::HelperAnswer { .. } | CredentialsError::HelperRefused { .. })),
                "{script}"
            );
        }
        let late = said_by("exec sleep 1000", Duration::from_millis(10)).await;
        assert!(matches!(late, Err(CredentialsError::HelperLate { .. })));
        let absent = get("forgescale-test-no-such-helper", "registry.example").await;
        assert!(matches!(absent, Err(CredentialsError::HelperNotRun { .. })));
    }
}

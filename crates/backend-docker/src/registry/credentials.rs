//! Credentials on their way to an engine: a header, and nothing that could be printed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hyper::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

/// What a registry is shown.
pub(crate) enum Secret {
    /// A user and a password.
    Password { user: String, password: SecretString },
    /// A token, for which the registry gives others.
    IdentityToken(SecretString),
    /// A token that is handed on as it is.
    RegistryToken(SecretString),
}

/// For one registry, as an engine takes them with a pull.
pub(crate) struct Credentials {
    header: HeaderValue,
}

impl Credentials {
    /// Those for this address.
    pub(crate) fn new(address: &str, secret: &Secret) -> Self {
        let said = match secret {
            Secret::Password { user, password } => {
                json!({ "username": user, "password": password.expose_secret(), "serveraddress": address })
            }
            Secret::IdentityToken(token) => json!({ "identitytoken": token.expose_secret(), "serveraddress": address }),
            Secret::RegistryToken(token) => json!({ "registrytoken": token.expose_secret(), "serveraddress": address }),
        };
        // In the alphabet for addresses: engines take what is written in the other one for no credentials at all.
        let encoded = URL_SAFE.encode(said.to_string());
        let mut header = HeaderValue::try_from(encoded).unwrap_or_else(|_| HeaderValue::from_static(""));
        header.set_sensitive(true);
        Self { header }
    }

    /// The value of `X-Registry-Auth`.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(<hidden>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_read_them_whatever_is_in_a_password_and_nobody_prints_them() {
        // Both letters in which the two alphabets differ.
        let password = "a?b>c~ü\"";
        let secret = Secret::Password { user: "u".to_owned(), password: SecretString::from(password) };
        let credentials = Credentials::new("registry.example", &secret);
        let encoded = credentials.header();
        assert!(!encoded.to_str().unwrap().contains(['+', '/']), "{:?}", encoded.to_str());
        let read: serde_json::Value = serde_json::from_slice(&URL_SAFE.decode(encoded.as_bytes()).unwrap()).unwrap();
        assert_eq!(read, json!({ "username": "u", "password": password, "serveraddress": "registry.example" }));
        let shown = format!("{credentials:?} {encoded:?}");
        assert_eq!(shown, "Credentials(<hidden>) Sensitive");
    }
}

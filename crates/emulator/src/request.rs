//! A request, read completely, and what its headers and query say.

use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use base64::Engine as _;
use forge_model::rest::Caller;

/// One request.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type, without parameters.
    pub(crate) fn content_type(&self) -> Option<&str> {
        self.header("content-type").map(|value| value.split(';').next().unwrap_or(value).trim())
    }

    /// Parameters of the query, in order.
    pub(crate) fn query(&self) -> Vec<(String, String)> {
        axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&self.uri).map(|query| query.0).unwrap_or_default()
    }

    /// Who asks, by any of the ways of protocol 1.1.
    pub(crate) fn credentials(&self) -> Credentials {
        let query = self.query();
        let sudo = self.header("sudo").map(str::to_owned).or_else(|| first(&query, "sudo").map(str::to_owned));
        let Some(value) = self.header("authorization") else {
            let token = first(&query, "token").or_else(|| first(&query, "access_token")).map(str::to_owned);
            return Credentials { in_query: token.is_some(), token, password: None, sudo };
        };
        let (scheme, rest) = value.split_once(' ').unwrap_or_default();
        let (token, password) = match scheme.to_ascii_lowercase().as_str() {
            "token" | "bearer" => (Some(rest.trim().to_owned()), None),
            "basic" => basic(rest.trim()),
            _ => (None, None),
        };
        Credentials { token, password, sudo, in_query: false }
    }
}

/// What a request says about who asks.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    token: Option<String>,
    password: Option<(String, String)>,
    sudo: Option<String>,
    /// The token came in the query, which is deprecated.
    pub(crate) in_query: bool,
}

impl Credentials {
    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller {
            token: self.token.as_deref(),
            password: self.password.as_ref().map(|(user, password)| (user.as_str(), password.as_str())),
            sudo: self.sudo.as_deref(),
        }
    }
}

/// A token as password with any user, or as user with an empty or marked password; or really user and password.
fn basic(encoded: &str) -> (Option<String>, Option<(String, String)>) {
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((user, password)) = text.as_deref().and_then(|text| text.split_once(':')) else { return (None, None) };
    let token = if password.is_empty() || password == "x-oauth-basic" { user } else { password };
    (Some(token.to_owned()), Some((user.to_owned(), password.to_owned())))
}

/// The first value of a parameter.
pub(crate) fn first<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", header.parse().expect("a header value"));
        let uri = Uri::from_static("/api/v1/version?token=q");
        Request { method: "GET".to_owned(), uri, headers, body: Bytes::new() }.credentials().token
    }

    #[test]
    fn a_token_comes_in_every_documented_way() {
        for header in ["token T", "Bearer T", "TOKEN T", "Basic eDpU", "Basic VDo=", "Basic VDp4LW9hdXRoLWJhc2lj"] {
            assert_eq!(token(header).as_deref(), Some("T"), "{header}");
        }
        assert_eq!(token("T"), None);
    }
}

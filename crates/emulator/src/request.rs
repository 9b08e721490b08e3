//! A request, read completely, and what its headers and query say.

use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use base64::Engine as _;

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

    /// The access token, by any of the ways of protocol 1.1.
    pub(crate) fn token(&self) -> Option<String> {
        if let Some(value) = self.header("authorization") {
            let (scheme, rest) = value.split_once(' ')?;
            return match scheme.to_ascii_lowercase().as_str() {
                "token" | "bearer" => Some(rest.trim().to_owned()),
                "basic" => basic(rest.trim()),
                _ => None,
            };
        }
        self.query().into_iter().find(|(key, _)| key == "token" || key == "access_token").map(|(_, value)| value)
    }
}

/// A token as password with any user, or as user with an empty or marked password.
fn basic(encoded: &str) -> Option<String> {
    let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    let token = if password.is_empty() || password == "x-oauth-basic" { user } else { password };
    Some(token.to_owned())
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
        Request { method: "GET".to_owned(), uri, headers, body: Bytes::new() }.token()
    }

    #[test]
    fn a_token_comes_in_every_documented_way() {
        for header in ["token T", "Bearer T", "TOKEN T", "Basic eDpU", "Basic VDo=", "Basic VDp4LW9hdXRoLWJhc2lj"] {
            assert_eq!(token(header).as_deref(), Some("T"), "{header}");
        }
        assert_eq!(token("T"), None);
    }
}

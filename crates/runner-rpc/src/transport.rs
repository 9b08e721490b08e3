//! How both clients of a forge reach it: base URL, TLS trust, proxy, redirects.
//!
//! Promises: no redirect is followed behind the caller's back (a redirected POST would become a GET, protocol 1.1);
//! nothing is sent twice; a forge on this very machine is never asked through a proxy; a forge spoken to in plain HTTP
//! needs no certificates on this machine.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Certificate, Url, redirect, retry};

use crate::Error;

/// The root URL of a forge, checked: http or https, with a host, without user, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    url: Url,
    /// The URL without trailing slashes.
    root: String,
}

impl BaseUrl {
    /// Checks the text of a root URL. It may have a sub-path, and any number of trailing slashes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::BaseUrl { reason };
        let url = Url::parse(text.trim()).map_err(|error| refuse(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse(format!("the scheme is {}, not http or https", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("user and password do not belong into it".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must end with the path, without query and fragment".to_owned()));
        }
        let root = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, root })
    }

    /// The root URL without trailing slash.
    pub fn as_str(&self) -> &str {
        &self.root
    }

    /// The URL of a path below the root. The path begins with `/` and is encoded already.
    pub fn join(&self, path: &str) -> Result<Url, Error> {
        Url::parse(&format!("{}{path}", self.root)).map_err(|error| Error::BaseUrl { reason: error.to_string() })
    }

    fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        address.map_or(host == "localhost" || host.ends_with(".localhost"), |address| address.is_loopback())
    }
}

/// Builds the HTTP client for one forge.
///
/// `ca_pem` holds certificates that are trusted besides the system's. The proxy comes from the environment
/// (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), except for loopback addresses: the same rule as the runner's.
pub fn http_client(
    base: &BaseUrl,
    user_agent: &str,
    ca_pem: Option<&[u8]>,
    connect_deadline: Duration,
) -> Result<reqwest::Client, Error> {
    // Ring unless the program chose another provider before; an error only says that there is one already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder()
        .user_agent(user_agent)
        .connect_timeout(connect_deadline)
        .redirect(redirect::Policy::none())
        .retry(retry::never());
    if base.is_loopback() {
        builder = builder.no_proxy();
    }
    let extra = ca_pem.map(Certificate::from_pem_bundle).transpose().map_err(|source| Error::CaFile { source })?;
    match (base.url.scheme(), extra) {
        (_, Some(certificates)) if certificates.is_empty() => return Err(Error::CaFileEmpty),
        ("http", _) => builder = builder.tls_certs_only([]),
        (_, Some(certificates)) => builder = builder.tls_certs_merge(certificates),
        (_, None) => {}
    }
    builder.build().map_err(|source| Error::Client { source })
}

#[cfg(test)]
mod tests {
    use super::{BaseUrl, http_client};
    use crate::Error;
    use std::time::Duration;

    #[test]
    fn paths_go_below_the_sub_path_of_the_root() {
        let base = BaseUrl::parse("https://forge.example/git//").unwrap();
        assert_eq!(base.join("/api/v1/version").unwrap().as_str(), "https://forge.example/git/api/v1/version");
    }

    #[test]
    fn a_root_url_with_more_than_a_place_is_refused() {
        for text in
            ["forge.example", "ftp://forge.example", "https://me:pw@forge.example", "https://forge.example/?a=b"]
        {
            let error = BaseUrl::parse(text).unwrap_err();
            assert!(matches!(error, Error::BaseUrl { .. }) && !error.to_string().contains("pw"), "{text}: {error}");
        }
    }

    #[test]
    fn loopback_is_recognised() {
        for (text, expected) in [
            ("http://127.0.0.9:3000", true),
            ("http://[::1]:3000/x", true),
            ("http://localhost", true),
            ("http://forge.example", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn a_ca_file_without_certificates_is_an_error() {
        let base = BaseUrl::parse("https://forge.example").unwrap();
        let built = http_client(&base, "test", Some(b"nothing here"), Duration::from_secs(1));
        assert!(matches!(built, Err(Error::CaFileEmpty | Error::CaFile { .. })));
    }
}

//! The runner's own configuration file.

use crate::containers;
use crate::settings::CacheServer;

/// What the runner of one machine reads. Strings are written as JSON, which is YAML too.
///
/// Without a cache server its cache is off: it would open a server on all interfaces (protocol 3.6).
pub(crate) fn text(cache: Option<&CacheServer>, marker: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let cache = cache.map_or_else(
        || "cache:\n  enabled: false\n".to_owned(),
        |cache| {
            let secret = quoted(&format!("file:{}", cache.secret_file.display()));
            let url = quoted(&cache.url);
            format!("cache:\n  enabled: true\n  external_server: {url}\n  secret_url: {secret}\n")
        },
    );
    let options = quoted(&format!("--label {}={marker}", containers::LABEL));
    format!("{cache}container:\n  options: {options}\n")
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::settings::CacheServer;

    #[test]
    fn the_cache_is_off_unless_a_server_is_named() {
        let label = "container:\n  options: \"--label forgescale.machine=ci/fs-1\"\n";
        assert_eq!(text(None, "ci/fs-1"), format!("cache:\n  enabled: false\n{label}"));
        let cache = CacheServer { url: "http://cache:1/".into(), secret_file: "/etc/a \"b\"".into() };
        let expected = "cache:\n  enabled: true\n  external_server: \"http://cache:1/\"\n  \
            secret_url: \"file:/etc/a \\\"b\\\"\"\n";
        assert_eq!(text(Some(&cache), "ci/fs-1"), format!("{expected}{label}"));
    }
}

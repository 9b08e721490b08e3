//! The `Link` header of the runner list (protocol 1.4).

use std::fmt::Write as _;

use forge_model::rest::RunnerPage;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a query leaves unescaped.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Links to the neighbours of a page; `None` when all rows fit on one. Built from the forge's own idea of its address,
/// with all parameters of the request, sorted by name.
pub(super) fn link(
    root_url: &str,
    path: &str,
    parameters: &[(String, String)],
    page: &RunnerPage,
    asked: Option<i64>,
) -> Option<String> {
    let last = page.total.div_ceil(page.page_size.max(1)).max(1);
    if last == 1 {
        return None;
    }
    let current = asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(1).clamp(1, last);
    let mut targets = Vec::new();
    if current < last {
        targets.extend([(current + 1, "next"), (last, "last")]);
    }
    if current > 1 {
        targets.extend([(1, "first"), (current - 1, "prev")]);
    }
    let base = format!("{}{}", root_url, path.trim_start_matches('/'));
    let links: Vec<String> = targets
        .into_iter()
        .map(|(number, name)| format!("<{base}?{}>; rel=\"{name}\"", with_page(parameters, number)))
        .collect();
    Some(links.join(","))
}

fn with_page(parameters: &[(String, String)], page: usize) -> String {
    let mut all: Vec<(&str, String)> = parameters
        .iter()
        .filter(|(key, _)| key != "page")
        .map(|(key, value)| (key.as_str(), value.clone()))
        .chain([("page", page.to_string())])
        .collect();
    all.sort();
    let mut query = String::new();
    for (key, value) in all {
        let separator = if query.is_empty() { "" } else { "&" };
        let _ = write!(query, "{separator}{}={}", utf8_percent_encode(key, QUERY), utf8_percent_encode(&value, QUERY));
    }
    query
}

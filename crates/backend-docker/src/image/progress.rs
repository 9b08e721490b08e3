//! How far a pull has come, from what an engine reports line by line.
//!
//! Docker tells bytes of each layer, of three at a time: the whole grows while it works. Podman tells less. What is not told
//! is left out.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// No image has as many layers: an engine that reports more is not counted on.
const MOST_LAYERS: usize = 1000;

const MB: u64 = 1_000_000;

/// A line of an engine's report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Line {
    pub(super) status: String,
    pub(super) id: Option<String>,
    #[serde(rename = "progressDetail")]
    pub(super) detail: Option<Detail>,
    /// Why the pull has failed: an answer that has begun well has no other place for it.
    pub(super) error: Option<String>,
}

/// Bytes of one layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Detail {
    pub(super) current: Option<u64>,
    pub(super) total: Option<u64>,
}

/// How far it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    layers: BTreeMap<String, Layer>,
}

/// A layer that was not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Layer {
    got: u64,
    total: u64,
    is_done: bool,
}

impl Progress {
    /// Takes in a line.
    pub(super) fn told(&mut self, line: &Line) {
        let Some(id) = &line.id else { return };
        if self.layers.len() >= MOST_LAYERS && !self.layers.contains_key(id) {
            return;
        }
        let detail = line.detail.unwrap_or_default();
        match line.status.as_str() {
            "Pulling fs layer" | "Waiting" => drop(self.layers.entry(id.clone()).or_default()),
            "Downloading" => {
                let layer = self.layers.entry(id.clone()).or_default();
                layer.got = detail.current.unwrap_or(layer.got);
                layer.total = detail.total.unwrap_or(layer.total).max(layer.got);
            }
            "Verifying Checksum" | "Download complete" | "Extracting" => {
                let layer = self.layers.entry(id.clone()).or_default();
                layer.got = layer.total;
            }
            "Pull complete" => {
                let layer = self.layers.entry(id.clone()).or_default();
                *layer = Layer { got: layer.total, is_done: true, ..*layer };
            }
            _ => {}
        }
    }
}

/// Empty as long as nothing is known: "34 %, 120 of 350 MB, 2 of 7 layers".
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.layers.is_empty() {
            return Ok(());
        }
        let sum = |of: fn(&Layer) -> u64| self.layers.values().map(of).fold(0, u64::saturating_add);
        let (got, total) = (sum(|layer| layer.got), sum(|layer| layer.total));
        if total > 0 {
            // Rounded down: what says 100 has all of it.
            let percent = u128::from(got) * 100 / u128::from(total);
            write!(f, "{percent} %, {} of {} MB, ", got / MB, total.div_ceil(MB))?;
        }
        let done = self.layers.values().filter(|layer| layer.is_done).count();
        write!(f, "{done} of {} layers", self.layers.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&str]) -> String {
        let mut progress = Progress::default();
        for line in lines {
            progress.told(&serde_json::from_str(line).unwrap());
        }
        progress.to_string()
    }

    #[test]
    fn what_docker_tells_adds_up_to_bytes_and_layers() {
        let lines = [
            r#"{"status":"Pulling from library/node","id":"22"}"#,
            r#"{"status":"Already exists","progressDetail":{},"id":"a"}"#,
            r#"{"status":"Pulling fs layer","progressDetail":{},"id":"b"}"#,
            r#"{"status":"Pulling fs layer","progressDetail":{},"id":"c"}"#,
            r#"{"status":"Waiting","progressDetail":{},"id":"d"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":20000000,"total":300000000},"progress":"x","id":"b"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":5000,"total":50000000},"id":"c"}"#,
            r#"{"status":"Download complete","progressDetail":{},"id":"c"}"#,
            r#"{"status":"Extracting","progressDetail":{"current":1,"total":50000000},"id":"c"}"#,
            r#"{"status":"Pull complete","progressDetail":{},"id":"c"}"#,
        ];
        assert_eq!(after(&lines[..2]), "");
        assert_eq!(after(&lines[..5]), "0 of 3 layers");
        assert_eq!(after(&lines[..7]), "5 %, 20 of 350 MB, 0 of 3 layers");
        assert_eq!(after(&lines), "20 %, 70 of 350 MB, 1 of 3 layers");
    }

    #[test]
    fn what_podman_tells_and_what_nobody_should_does_no_harm() {
        let podman = [
            r#"{"stream":"Trying to pull registry.example/a:1...\n"}"#,
            r#"{"status":"Pulling fs layer","progressDetail":{},"id":"b"}"#,
            r#"{"status":"Download complete","progressDetail":{},"id":"b"}"#,
        ];
        assert_eq!(after(&podman), "0 of 1 layers");
        let odd = [
            r#"{"status":"Downloading","progressDetail":{"current":18446744073709551615},"id":"b"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":18446744073709551615,"total":1},"id":"c"}"#,
            r#"{"status":"Downloading","progressDetail":null,"id":"d"}"#,
        ];
        assert!(after(&odd).starts_with("100 %"), "{}", after(&odd));
        let mut progress = Progress::default();
        for number in 0..2 * MOST_LAYERS {
            let status = "Waiting".to_owned();
            progress.told(&Line { status, id: Some(number.to_string()), ..Line::default() });
        }
        assert_eq!(progress.layers.len(), MOST_LAYERS);
    }
}

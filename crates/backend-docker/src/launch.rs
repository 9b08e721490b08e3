//! The runner's configuration file, which is its standard input: the whole launch, but for the handle.

use ::backend::Launch;
use secrecy::{ExposeSecret as _, SecretString};

/// A label as the runner in a machine is told it: whatever environment it names, the machine is it.
fn here(label: &str) -> String {
    let name = label.split(':').next().unwrap_or(label);
    format!("{name}:host")
}

/// The configuration (protocol 3.6). Strings are written as JSON, which is YAML too. Without an external server the cache is
/// off: it would listen on all interfaces, for nobody. The token comes last, so that a launch that was cut is none.
///
/// Beside a nested engine labels mean what they say, and jobs in its containers get its socket.
pub(crate) fn configuration(launch: &Launch, is_nested: bool) -> SecretString {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let labels: Vec<String> =
        launch.labels.iter().map(|label| if is_nested { quoted(label) } else { quoted(&here(label)) }).collect();
    let text = format!(
        "cache:\n  enabled: false\n{}server:\n  connections:\n    forge:\n      url: {}\n      uuid: {}\n      \
         labels: [{}]\n      fetch_interval: {}ms\n      token: {}\n",
        if is_nested { "container:\n  docker_host: automount\n" } else { "" },
        quoted(&launch.url),
        quoted(launch.uuid.as_str()),
        labels.join(", "),
        launch.fetch_interval.as_millis().max(1),
        quoted(launch.token.expose_secret()),
    );
    SecretString::from(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use planner::ids::{Handle, RunnerUuid, Try};

    use super::*;

    #[test]
    fn every_label_means_this_machine_and_the_handle_is_not_in_it() {
        let launch = Launch {
            url: "https://forge.example".to_owned(),
            uuid: RunnerUuid::new("u"),
            token: SecretString::from("secret"),
            labels: ["debian:docker://node:22", "gpu:host", "plain", "vm:lxc://debian:bookworm"]
                .map(str::to_owned)
                .into(),
            handle: Handle::new("the-handle"),
            attempt: Try(1),
            at: None,
            fetch_interval: Duration::from_millis(500),
        };
        let expected = "cache:\n  enabled: false\nserver:\n  connections:\n    forge:\n      \
            url: \"https://forge.example\"\n      uuid: \"u\"\n      \
            labels: [\"debian:host\", \"gpu:host\", \"plain:host\", \"vm:host\"]\n      fetch_interval: 500ms\n      \
            token: \"secret\"\n";
        assert_eq!(configuration(&launch, false).expose_secret(), expected);
    }
}

//! What the environment says of the server, or that there is none.

use std::env;

use crate::skipped::skip;

const URL: &str = "FORGESCALE_TEST_FORGEJO_URL";
pub(super) const TOKEN: &str = "FORGESCALE_TEST_FORGEJO_TOKEN";
const RUNNER: &str = "FORGESCALE_TEST_RUNNER";
const RESTART: &str = "FORGESCALE_TEST_FORGEJO_RESTART";

/// Where the server is and what may be done with it.
pub(super) struct Settings {
    /// Root URL, without a final `/`.
    pub(super) url: String,
    /// Of a site administrator, with all scopes.
    pub(super) token: String,
    /// A Forgejo Runner; else the stand-in runs the jobs.
    pub(super) runner: Option<String>,
}

/// The settings; nothing, after a word about why, where there is no server.
pub(super) fn read() -> Option<Settings> {
    match (read_one(URL), read_one(TOKEN)) {
        (Some(url), Some(token)) => {
            let url = url.trim_end_matches('/').to_owned();
            Some(Settings { url, token, runner: read_one(RUNNER) })
        }
        (url, _) => {
            say_skipped(if url.is_none() { URL } else { TOKEN });
            None
        }
    }
}

/// The command that restarts the server; nothing, after a word about why, where there is none.
pub(super) fn restart_command() -> Option<String> {
    let command = read_one(RESTART);
    if command.is_none() {
        say_skipped(RESTART);
    }
    command
}

fn read_one(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn say_skipped(missing: &str) {
    skip(&format!("{missing} is not set"));
}

//! The flags of `one-job`: first as typed by the user, then checked.
//!
//! The flags are all optional text for the command line parser, because a bad or missing value must end with exit code
//! 1 before any call (protocol 3.6), while the parser's own errors end with 2, which here means "no task".

use std::path::PathBuf;
use std::time::Duration;

use runner_rpc::Credentials;
use runner_rpc::transport::BaseUrl;
use secrecy::SecretString;
use uuid::Uuid;

use crate::error::Error;
use crate::label::Label;
use crate::{config, go_duration, token};

/// The real runner's default (protocol 3.6).
const DEFAULT_FETCH_INTERVAL: Duration = Duration::from_secs(2);

/// Takes one job from a Forgejo server, runs it and exits: the flags of the real runner's `one-job` (protocol 3.6).
#[derive(Clone, Debug, Default, clap::Args)]
pub struct OneJob {
    /// Address of the forge, as the job must reach it
    #[arg(long)]
    pub url: Option<String>,
    /// Uuid of the runner's registration
    #[arg(long)]
    pub uuid: Option<String>,
    /// Where the runner's token is: `file:/absolute/path`, also `file:/dev/stdin`; its content is not trimmed
    #[arg(long)]
    pub token_url: Option<String>,
    /// A label, name[:schema[:argument]]; may be repeated
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// The job attempt to take; without it any job that fits
    #[arg(long)]
    pub handle: Option<String>,
    /// Keep asking until there is a task
    #[arg(long, short = 'w')]
    pub wait: bool,
    /// Time between two requests for a task, such as 500ms, 2s or 1m; 2s unless given
    #[arg(long)]
    pub fetch_interval: Option<String>,
    /// The configuration file, in which a connection may stand instead of the flags
    #[arg(skip)]
    pub config: Option<PathBuf>,
}

/// The checked flags, with the token read.
pub(crate) struct Connection {
    pub(crate) url: BaseUrl,
    pub(crate) credentials: Credentials,
    pub(crate) labels: Vec<Label>,
    /// `None` means any job; an empty handle on the command line means the same.
    pub(crate) handle: Option<String>,
    pub(crate) wait: bool,
    pub(crate) fetch_interval: Duration,
}

impl OneJob {
    /// Checks every flag, then reads the token: nothing is asked of a pipe when a flag is wrong anyway. Without any flag of a
    /// connection it is the one of the configuration file.
    pub(crate) fn check(&self) -> Result<Connection, Error> {
        match self.config.as_deref().map(config::read).transpose()?.flatten() {
            None => self.connection(|address| token::read(required("token-url", address)?)),
            Some(_) if self.has_connection() => Err(Error::ConfigConflict),
            Some(mut given) => {
                let token = given.token().ok_or(Error::TokenMissing)?;
                let config::Given { url, uuid, labels, fetch_interval, .. } = given;
                let (handle, wait) = (self.handle.clone(), self.wait);
                let whole = Self { url, uuid, labels, handle, wait, fetch_interval, ..Self::default() };
                whole.connection(|_| token::checked(token))
            }
        }
    }

    /// Whether a flag says something of a connection.
    fn has_connection(&self) -> bool {
        let texts = [&self.url, &self.uuid, &self.token_url, &self.fetch_interval];
        texts.into_iter().any(Option::is_some) || !self.labels.is_empty()
    }

    fn connection(&self, token: impl FnOnce(Option<&str>) -> Result<SecretString, Error>) -> Result<Connection, Error> {
        let url = BaseUrl::parse(required("url", self.url.as_deref())?).map_err(|source| Error::Url { source })?;
        let uuid = required("uuid", self.uuid.as_deref())?;
        let uuid = Uuid::parse_str(uuid).map_err(|source| Error::Uuid { uuid: uuid.to_owned(), source })?;
        let labels = self.labels.iter().map(|label| Label::parse(label)).collect::<Result<_, _>>()?;
        let fetch_interval = self.fetch_interval.as_deref().map_or(Ok(DEFAULT_FETCH_INTERVAL), |text| {
            go_duration::parse(text).ok_or_else(|| Error::FetchInterval { text: text.to_owned() })
        })?;
        let token = token(self.token_url.as_deref())?;
        let handle = self.handle.clone().filter(|handle| !handle.is_empty());
        let credentials = Credentials { uuid: uuid.to_string(), token };
        Ok(Connection { url, credentials, labels, handle, wait: self.wait, fetch_interval })
    }
}

fn required<'a>(flag: &'static str, value: Option<&'a str>) -> Result<&'a str, Error> {
    value.filter(|value| !value.is_empty()).ok_or(Error::FlagMissing { flag })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::ExposeSecret as _;

    use super::OneJob;
    use crate::error::Error;

    fn flags(token_url: &str) -> OneJob {
        OneJob {
            url: Some("http://127.0.0.1:9/".to_owned()),
            uuid: Some("d4637a60-7fea-4075-a81c-7e4ae01bdf0d".to_owned()),
            token_url: Some(token_url.to_owned()),
            labels: vec!["lab:host".to_owned()],
            fetch_interval: Some("500ms".to_owned()),
            ..OneJob::default()
        }
    }

    #[test]
    fn an_empty_handle_means_any_job() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret").unwrap();
        let flags = OneJob { handle: Some(String::new()), ..flags(&format!("file:{}", file.path().display())) };
        let connection = flags.check().unwrap();
        assert_eq!(connection.handle, None);
        assert_eq!(connection.fetch_interval, Duration::from_millis(500));
    }

    #[test]
    fn a_connection_may_stand_in_the_configuration_file_instead() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let written = |text: &str| std::fs::write(file.path(), text).unwrap();
        let only_file = OneJob {
            handle: Some("h".to_owned()),
            wait: true,
            config: Some(file.path().to_owned()),
            ..OneJob::default()
        };
        let connection = "cache:\n  enabled: false\nserver:\n  connections:\n    forge:\n      url: \"http://127.0.0.1:9\"\n      \
            uuid: \"d4637a60-7fea-4075-a81c-7e4ae01bdf0d\"\n      labels: [\"lab:host\"]\n      fetch_interval: 500ms\n      \
            token: \"s3cret\"\n";
        written(connection);
        let checked = only_file.check().unwrap();
        assert_eq!((checked.handle.as_deref(), checked.wait), (Some("h"), true));
        assert_eq!((checked.labels[0].name.as_str(), checked.fetch_interval), ("lab", Duration::from_millis(500)));
        assert_eq!(checked.credentials.token.expose_secret(), "s3cret");
        let both = OneJob { labels: vec!["lab:host".to_owned()], ..only_file.clone() };
        assert!(matches!(both.check(), Err(Error::ConfigConflict)));
        let without_token = connection.rsplit_once("token").unwrap().0.trim_end();
        for (text, words) in [
            (without_token.to_owned(), "has no token"),
            (connection.replace("s3cret", "s3c ret"), "is none"),
            (format!("{connection}    other:\n      url: \"http://127.0.0.1:9\"\n"), "several"),
            (connection.replace("[\"lab", "[[\"lab"), "is no configuration"),
        ] {
            written(&text);
            let error = only_file.check().err().unwrap().to_string();
            assert!(error.contains(words) && !error.contains("s3c"), "{error}");
        }
        // The rest of a configuration is nobody's business here.
        written("cache:\n  enabled: false\n");
        assert!(matches!(only_file.check(), Err(Error::FlagMissing { flag: "url" })));
        written("");
        assert!(matches!(only_file.check(), Err(Error::FlagMissing { flag: "url" })));
        std::fs::remove_file(file.path()).unwrap();
        assert!(matches!(only_file.check(), Err(Error::ConfigRead { .. })));
    }

    #[test]
    fn a_bad_flag_is_found_before_the_token_is_read() {
        let good = flags("file:/nowhere/at/all");
        let bad = [
            OneJob { url: None, ..good.clone() },
            OneJob { url: Some("127.0.0.1:9".to_owned()), ..good.clone() },
            OneJob { url: Some("file:/etc".to_owned()), ..good.clone() },
            OneJob { uuid: None, ..good.clone() },
            OneJob { uuid: Some("bad".to_owned()), ..good.clone() },
            OneJob { token_url: None, ..good.clone() },
            OneJob { labels: vec!["lab:foo".to_owned()], ..good.clone() },
            OneJob { fetch_interval: Some("often".to_owned()), ..good.clone() },
        ];
        for flags in bad {
            let error = flags.check().err().unwrap();
            assert!(!matches!(error, Error::TokenRead { .. }), "{error}");
        }
        assert!(matches!(good.check(), Err(Error::TokenRead { .. })));
    }
}

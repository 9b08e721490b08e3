//! What an operator of a forge can set, and the release that is modelled.

use std::time::Duration;

/// Which release is modelled; releases differ in few places (protocol 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Forgejo 15.0.x, the line with long support.
    V15,
    /// Forgejo 16 and later.
    V16,
}

impl Version {
    /// What `GET /version` answers (protocol 1.8).
    pub const fn text(self) -> &'static str {
        match self {
            Self::V15 => "15.0.3+gitea-1.22.0",
            Self::V16 => "17.0.0-dev-38-d883bd8f12+gitea-1.22.0",
        }
    }
}

/// How often the forge's own clean-up runs (protocol 2.7). `None`: only when asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CronPeriods {
    /// `stop_zombie_tasks`.
    pub zombie: Option<Duration>,
    /// `stop_endless_tasks`.
    pub endless: Option<Duration>,
    /// `cancel_abandoned_jobs`.
    pub abandoned: Option<Duration>,
}

/// Settings of one forge. [`Settings::new`] gives Forgejo's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The release to behave like.
    pub version: Version,
    /// The forge's own idea of its address, ending in `/`. Links in answers are built from it (protocol 1.4).
    pub root_url: String,
    /// A running task that is silent for longer fails (protocol 2.7).
    pub zombie_timeout: Duration,
    /// A task that runs for longer fails.
    pub endless_timeout: Duration,
    /// A waiting or blocked job untouched for longer is cancelled.
    pub abandoned_timeout: Duration,
    /// How often clean-up runs by itself.
    pub cron_periods: CronPeriods,
    /// Whether runs of a queueing concurrency group wait for each other (protocol 2.5).
    pub concurrency_queue: bool,
    /// How long after the end of a needed job its dependents become waiting: 0.3-2 s when measured (protocol 2.3).
    pub emitter_delay: Duration,
    /// Whether rows of jobs and runners carry a field that no client knows yet, as those of a later release may.
    pub unknown_fields: bool,
    /// The text with which the database refuses to write registrations; `None`: it works.
    pub database_error: Option<String>,
    /// Rows per page when the caller names no limit.
    pub default_paging: usize,
    /// Most rows per page, whatever the caller asks for.
    pub max_response_items: usize,
    /// Most entries that each list of the books keeps; what is beyond is counted, not kept.
    pub books_limit: usize,
    /// Most log rows kept per task; further ones are counted and acknowledged, not kept.
    pub log_rows_limit: usize,
}

impl Settings {
    /// Rows per page, whatever the caller asks for.
    pub(crate) fn page_size(&self, limit: Option<i64>) -> usize {
        match limit {
            Some(limit) if limit > 0 => usize::try_from(limit).unwrap_or(usize::MAX).min(self.max_response_items),
            _ => self.default_paging,
        }
    }

    /// How many rows to skip and to take. Without a positive page the limit is ignored (protocol 1.4).
    pub(crate) fn page(&self, page: Option<i64>, limit: Option<i64>, total: usize) -> (usize, usize) {
        let size = self.page_size(limit);
        let page = page.and_then(|page| usize::try_from(page).ok()).filter(|page| *page > 0);
        page.map_or((0, total), |page| ((page - 1).saturating_mul(size), size))
    }

    /// Forgejo's defaults for a forge that believes to live at `root_url` (a missing final `/` is added).
    pub fn new(version: Version, root_url: &str) -> Self {
        Self {
            version,
            root_url: format!("{}/", root_url.trim_end_matches('/')),
            zombie_timeout: Duration::from_mins(10),
            endless_timeout: Duration::from_hours(3),
            abandoned_timeout: Duration::from_hours(24),
            cron_periods: CronPeriods {
                zombie: Some(Duration::from_mins(5)),
                endless: Some(Duration::from_mins(30)),
                abandoned: Some(Duration::from_hours(6)),
            },
            concurrency_queue: true,
            emitter_delay: Duration::from_millis(300),
            unknown_fields: false,
            database_error: None,
            default_paging: 30,
            max_response_items: 50,
            books_limit: 1_000_000,
            log_rows_limit: 10_000,
        }
    }
}

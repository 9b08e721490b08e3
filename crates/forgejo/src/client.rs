//! The REST calls.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use runner_rpc::transport::{BaseUrl, http_client};
use runner_rpc::{Acted, CallLimits, Credentials, RunnerClient};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::answer::{expect, listing, missing, value};
use crate::request::Requests;
use crate::rows::Row;
use crate::{Error, Job, Listing, Runner, Scope};

/// Most pages that one listing of runners asks for: 25,000 runners at Forgejo's default maximum of 50 a page.
const PAGE_LIMIT: usize = 500;

/// When asking for further pages is given up: whoever lists a scope's runners also lists its jobs, which must not wait.
const PAGING_TIME: Duration = Duration::from_mins(1);

/// Bounds of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest answer that is one value, in bytes.
    pub answer: usize,
    /// Longest row of a list in bytes; a longer one counts as bad.
    pub row: usize,
    /// Longest list in bytes; what comes after is missing.
    pub list: usize,
    /// Most rows of a list. Of a longer one the last are kept: job lists begin with the newest (protocol 1.3), and the
    /// oldest jobs have waited longest.
    pub rows: usize,
}

impl Default for Limits {
    /// A row has about 185 bytes on the wire and no list is paged (protocol 1.3): 256 MiB are more than a million jobs,
    /// read as they come. 100,000 of them are what there is memory for (64 MiB), and what a report can hold.
    fn default() -> Self {
        Self { answer: 1 << 20, row: 64 << 10, list: 256 << 20, rows: 100_000 }
    }
}

/// What a client needs to know of its forge.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Root URL of the forge.
    pub url: String,
    /// Access token.
    pub token: SecretString,
    /// Certificates to trust besides the system's, in PEM form.
    pub ca_pem: Option<Vec<u8>>,
    /// How the client names itself.
    pub user_agent: String,
    /// From the beginning of a call to the last byte of its answer. Half of it is for getting connected, so that a forge
    /// that cannot be reached is told from one that may have got the request.
    pub call_deadline: Duration,
    /// Bounds of answers.
    pub limits: Limits,
}

/// A new registration. Its token is shown this one time.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Id, for reading and deleting.
    pub id: i64,
    /// Uuid, the public half of the credentials.
    pub uuid: String,
    /// Token, the secret half.
    pub token: SecretString,
}

impl Registration {
    /// What the runner proves itself with.
    pub fn credentials(&self) -> Credentials {
        Credentials { uuid: self.uuid.clone(), token: self.token.clone() }
    }
}

/// How a deletion ended. Both ways the registration is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It was there.
    Deleted,
    /// It was gone already.
    NotFound,
}

/// A repository in a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Repository {
    /// Its id, which survives renames and transfers.
    pub id: i64,
    /// Whose it is, when the list tells.
    pub owner: Option<RepositoryOwner>,
}

impl Repository {
    /// Whether it belongs to this one, as far as is known.
    pub fn is_owned_by(&self, owner: Option<i64>) -> bool {
        match (self.owner, owner) {
            (Some(own), Some(asked)) => own.id == asked,
            (None, _) | (_, None) => true,
        }
    }
}

/// The user or organization that a repository belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct RepositoryOwner {
    /// Its id.
    pub id: i64,
}

/// Client of one forge. Clones share connections and the token.
#[derive(Clone)]
pub struct Client {
    base: BaseUrl,
    pub(crate) requests: Requests,
    pub(crate) runners: RunnerClient,
    pub(crate) limits: Limits,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.base.as_str()).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct RegisterBody<'a> {
    name: &'a str,
    description: &'a str,
    ephemeral: bool,
}

#[derive(Deserialize)]
struct RegisterAnswer {
    id: i64,
    uuid: String,
    token: String,
}

#[derive(Deserialize)]
struct RepositoryAnswer {
    full_name: String,
}

#[derive(Deserialize)]
struct IdAnswer {
    id: i64,
}

impl Client {
    /// Sets up a client; sends nothing.
    pub fn new(settings: &ClientSettings) -> Result<Self, Error> {
        let deadline = settings.call_deadline;
        let base = BaseUrl::parse(&settings.url)?;
        let http = http_client(&base, &settings.user_agent, settings.ca_pem.as_deref(), deadline / 2)?;
        let requests = Requests::new(http.clone(), base.clone(), deadline, &settings.token)?;
        let runners = RunnerClient::new(http, base.clone(), CallLimits { deadline, answer: settings.limits.answer });
        Ok(Self { base, requests, runners, limits: settings.limits })
    }

    /// Root URL of the forge, without trailing slash.
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    /// Uses another token from the next call on, in all clones.
    pub fn set_token(&self, token: &SecretString) -> Result<(), Error> {
        self.requests.set_token(token)
    }

    /// The same client with another token; neither changes the other's.
    pub fn with_token(&self, token: &SecretString) -> Result<Self, Error> {
        Ok(Self { requests: self.requests.with_token(token)?, ..self.clone() })
    }

    /// All jobs of a scope that wait or run, newest first (protocol 1.3).
    pub async fn list_jobs(&self, scope: &Scope) -> Result<Listing<Job>, Error> {
        let call = "list jobs";
        let path = format!("{}/actions/runners/jobs", scope.path_prefix());
        let response = expect(call, self.requests.get(call, &path).await?, StatusCode::OK).await?;
        listing(call, response, &self.limits).await
    }

    /// All runners registered in a scope itself, not those of wider scopes (protocol 1.4).
    ///
    /// One call without `page` gives all of them at one moment. Only if it shows fewer than the forge counts, the rest
    /// is looked for page by page; since the order changes meanwhile, that may leave the listing incomplete.
    pub async fn list_runners(&self, scope: &Scope) -> Result<Listing<Runner>, Error> {
        self.runners_of(format!("{}/actions/runners?visible=false", scope.path_prefix())).await
    }

    /// All runners that could be given jobs of a scope: its own and those of what it belongs to; for the instance, every
    /// runner of the forge. [`Scope::owns`] tells which are its own.
    pub async fn list_runners_in_reach(&self, scope: &Scope) -> Result<Listing<Runner>, Error> {
        self.runners_of(format!("{}/actions/runners?visible=true", scope.path_prefix())).await
    }

    async fn runners_of(&self, path: String) -> Result<Listing<Runner>, Error> {
        let (rows, total) = self.runner_rows(&path).await?;
        let mut merge = Merge::new();
        merge.add(rows);
        if merge.listing.complete && merge.falls_short_of(total) {
            self.page_runners(&path, &mut merge, total).await;
        }
        Ok(merge.listing)
    }

    async fn page_runners(&self, path: &str, merge: &mut Merge, mut total: Option<usize>) {
        let begun = Instant::now();
        for page in 1..=PAGE_LIMIT {
            if begun.elapsed() >= PAGING_TIME {
                return merge.listing.lacks(format!("the time was over before page {page}"));
            }
            let (rows, counted) = match self.runner_rows(&format!("{path}&page={page}&limit=50")).await {
                Ok(answer) => answer,
                Err(error) => return merge.listing.lacks(format!("page {page} failed: {error}")),
            };
            total = counted.or(total);
            let is_last = rows.is_empty();
            merge.add(rows);
            if !merge.falls_short_of(total) {
                return;
            }
            if is_last {
                break;
            }
        }
        let (seen, total) = (merge.seen.len(), total.unwrap_or_default());
        merge.listing.lacks(format!("the forge counts {total} runners but shows {seen}"));
    }

    async fn runner_rows(&self, path: &str) -> Result<(Listing<Runner>, Option<usize>), Error> {
        let call = "list runners";
        let response = expect(call, self.requests.get(call, path).await?, StatusCode::OK).await?;
        let total = total_count(&response);
        Ok((listing(call, response, &self.limits).await?, total))
    }

    /// Registers an ephemeral runner (protocol 1.5). Not idempotent: after an error that may have acted there can be a
    /// registration that nobody has the token of.
    pub async fn register(&self, scope: &Scope, name: &str, description: &str) -> Result<Registration, Error> {
        let call = "register runner";
        let path = format!("{}/actions/runners", scope.path_prefix());
        let body = RegisterBody { name, description, ephemeral: true };
        let response = expect(call, self.requests.post(call, &path, &body).await?, StatusCode::CREATED).await?;
        let answer: RegisterAnswer = value(call, response, &self.limits, Acted::Maybe).await?;
        if answer.id <= 0 || answer.uuid.is_empty() || answer.token.is_empty() {
            let reason = "id, uuid or token are empty".to_owned();
            return Err(Error::Malformed { call, reason, acted: Acted::Maybe });
        }
        Ok(Registration { id: answer.id, uuid: answer.uuid, token: answer.token.into() })
    }

    /// One runner; `None` when the forge says that it does not exist. A 404 about the scope itself, or from a proxy, is
    /// an error instead: it proves nothing about the runner.
    pub async fn get_runner(&self, scope: &Scope, id: i64) -> Result<Option<Runner>, Error> {
        let call = "get runner";
        let response = self.requests.get(call, &runner_path(scope, id)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return missing(call, response).await.map(|()| None);
        }
        let response = expect(call, response, StatusCode::OK).await?;
        value(call, response, &self.limits, Acted::No).await.map(Some)
    }

    /// Deletes a registration (protocol 1.7). Takes no regard of a running job: fence first.
    pub async fn delete_runner(&self, scope: &Scope, id: i64) -> Result<Deletion, Error> {
        let call = "delete runner";
        let response = self.requests.delete(call, &runner_path(scope, id)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return missing(call, response).await.map(|()| Deletion::NotFound);
        }
        expect(call, response, StatusCode::NO_CONTENT).await.map(|_| Deletion::Deleted)
    }

    /// `owner/name` of a repository (protocol 1.8). Needs `read:repository`, which a token for another scope may lack: then
    /// the error is of the class `Forbidden`. `NotFound`: it is gone, or the token may not see it.
    pub async fn repository(&self, id: i64) -> Result<String, Error> {
        let answer: RepositoryAnswer = self.get_value("get repository", &format!("/repositories/{id}")).await?;
        Ok(answer.full_name)
    }

    /// One page of the repositories within an organization, or of those that the token's user owns or works on: at most 50,
    /// from page 1; none when the last page is behind. Other scopes have no such list: none.
    pub async fn list_repositories(&self, scope: &Scope, page: usize) -> Result<Vec<Repository>, Error> {
        match scope {
            Scope::Organization(_) | Scope::User => {
                let path = format!("{}/repos?page={page}&limit=50", scope.path_prefix());
                self.get_value("list repositories", &path).await
            }
            Scope::Instance | Scope::Repository { .. } => Ok(Vec::new()),
        }
    }

    /// Id that the forge has for a scope: of the user, organization or repository. The instance has none.
    pub async fn scope_id(&self, scope: &Scope) -> Result<Option<i64>, Error> {
        if *scope == Scope::Instance {
            return Ok(None);
        }
        // The prefix of the Actions endpoints is itself the address of the thing.
        let answer: IdAnswer = self.get_value("get scope", &scope.path_prefix()).await?;
        Ok(Some(answer.id))
    }

    pub(crate) async fn get_value<T: serde::de::DeserializeOwned>(
        &self,
        call: &'static str,
        path: &str,
    ) -> Result<T, Error> {
        let response = expect(call, self.requests.get(call, path).await?, StatusCode::OK).await?;
        value(call, response, &self.limits, Acted::No).await
    }
}

fn runner_path(scope: &Scope, id: i64) -> String {
    format!("{}/actions/runners/{id}", scope.path_prefix())
}

fn total_count(response: &Response) -> Option<usize> {
    response.headers().get("x-total-count")?.to_str().ok()?.parse().ok()
}

/// Puts several answers of the runner list together; the first row of each id stays.
struct Merge {
    listing: Listing<Runner>,
    seen: BTreeSet<String>,
}

impl Merge {
    fn new() -> Self {
        Self { listing: Listing::empty(), seen: BTreeSet::new() }
    }

    fn add(&mut self, answer: Listing<Runner>) {
        if let Some(problem) = answer.problem {
            self.listing.lacks(problem);
        }
        for row in answer.rows {
            if self.seen.insert(row.key()) {
                self.listing.push(Ok(row));
            }
        }
        for bad in answer.bad_rows {
            if bad.key.clone().is_none_or(|key| self.seen.insert(key)) {
                self.listing.push(Err(bad));
            }
        }
    }

    fn falls_short_of(&self, total: Option<usize>) -> bool {
        total.is_some_and(|total| self.seen.len() < total)
    }
}

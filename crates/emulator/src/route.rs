//! From method and path to what is asked.

use forge_model::rest::Scope;
use percent_encoding::percent_decode_str;

/// What a request asks: the unit of counters and fault rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    /// `GET S/actions/runners/jobs` and the deprecated path.
    ListJobs,
    /// `GET S/actions/runners`.
    ListRunners,
    /// `POST S/actions/runners`.
    RegisterRunner,
    /// `GET S/actions/runners/{id}`.
    GetRunner,
    /// `DELETE S/actions/runners/{id}`.
    DeleteRunner,
    /// `GET S/actions/runners/registration-token` and the deprecated path.
    RegistrationToken,
    /// `GET /version`.
    Version,
    /// `GET /settings/api`.
    ApiSettings,
    /// `GET /repositories/{id}`.
    RepositoryById,
    /// `GET /user`, `/orgs/{org}`, `/repos/{owner}/{repo}`: who a scope is.
    ScopeId,
    /// `GET /orgs/{org}/repos`, `/user/repos`.
    ListRepositories,
    /// `GET /repos/{owner}/{repo}/actions/runs/{id}/jobs`, since version 16.
    RunJobs,
    /// `POST /repos/{owner}/{repo}/actions/runs/{id}/cancel`, since version 16.
    CancelRun,
    /// `GET /repos/{owner}/{repo}/actions/runs`.
    ListRuns,
    /// `GET /repos/{owner}/{repo}/actions/runs/{id}`.
    GetRun,
    /// `DELETE /repos/{owner}/{repo}/actions/runs/{id}`, since version 16.
    DeleteRun,
    /// `GET /repos/{owner}/{repo}/actions/tasks`.
    ListTasks,
    /// `POST /repos/{owner}/{repo}/actions/workflows/{file}/dispatches`.
    Dispatch,
    /// `GET S/hooks`.
    ListHooks,
    /// `POST S/hooks`.
    CreateHook,
    /// `POST /users/{user}/tokens`.
    CreateToken,
    /// `POST /admin/cron/{task}`.
    Cron,
    /// The RPC's `Ping`.
    Ping,
    /// The RPC's deprecated `Register`.
    RpcRegister,
    /// `Declare`.
    Declare,
    /// `FetchTask`.
    FetchTask,
    /// `FetchSingleTask`.
    FetchSingleTask,
    /// `UpdateTask`.
    UpdateTask,
    /// `UpdateLog`.
    UpdateLog,
    /// Anything else.
    Unknown,
}

impl RouteKind {
    /// Whether it belongs to the runner's RPC.
    pub const fn is_rpc(self) -> bool {
        matches!(
            self,
            Self::Ping
                | Self::RpcRegister
                | Self::Declare
                | Self::FetchTask
                | Self::FetchSingleTask
                | Self::UpdateTask
                | Self::UpdateLog
        )
    }
}

/// A request's place, with the names in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Jobs(Scope),
    Runners(Scope),
    Runner(Scope, String),
    RegistrationToken(Scope),
    Version,
    ApiSettings,
    RepositoryById(String),
    ScopeId(Scope),
    Repositories(Scope),
    RunJobs { owner: String, repo: String, run: String },
    CancelRun { owner: String, repo: String, run: String },
    Runs { owner: String, repo: String },
    Run { owner: String, repo: String, run: String },
    Tasks { owner: String, repo: String },
    Dispatch { owner: String, repo: String, file: String },
    Hooks(Scope),
    Tokens(String),
    Cron(String),
    Rpc(RouteKind),
    UnknownApi,
    UnknownPage,
}

/// Finds the place of a path, without its query.
pub(crate) fn find(path: &str) -> Route {
    if let Some(kind) = rpc(path) {
        return Route::Rpc(kind);
    }
    let Some(rest) = path.strip_prefix("/api/v1/") else { return Route::UnknownPage };
    let parts: Vec<String> =
        rest.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["version"] => Route::Version,
        ["settings", "api"] => Route::ApiSettings,
        ["repositories", id] => Route::RepositoryById((*id).to_owned()),
        ["user"] => Route::ScopeId(Scope::User),
        ["orgs", name] => Route::ScopeId(Scope::Organization((*name).to_owned())),
        ["repos", owner, name] => Route::ScopeId(repository(owner, name)),
        ["user", "repos"] => Route::Repositories(Scope::User),
        ["orgs", name, "repos"] => Route::Repositories(Scope::Organization((*name).to_owned())),
        ["admin", "cron", task] => Route::Cron((*task).to_owned()),
        ["admin", "runners", tail @ ..] | ["admin", "actions", "runners", tail @ ..] => {
            runners(Scope::Instance, tail, parts[1] == "actions")
        }
        ["user", "actions", "runners", tail @ ..] => runners(Scope::User, tail, true),
        ["orgs", name, "actions", "runners", tail @ ..] => runners(Scope::Organization((*name).to_owned()), tail, true),
        ["repos", owner, name, "actions", "runners", tail @ ..] => runners(repository(owner, name), tail, true),
        ["repos", owner, name, "hooks"] => Route::Hooks(repository(owner, name)),
        ["repos", owner, repo, "actions", tail @ ..] => of_repository(owner, repo, tail),
        ["orgs", name, "hooks"] => Route::Hooks(Scope::Organization((*name).to_owned())),
        ["user", "hooks"] => Route::Hooks(Scope::User),
        ["admin", "hooks"] => Route::Hooks(Scope::Instance),
        ["users", user, "tokens"] => Route::Tokens((*user).to_owned()),
        _ => Route::UnknownApi,
    }
}

/// What follows `actions` of a repository, but for its runners.
fn of_repository(owner: &str, repo: &str, tail: &[&str]) -> Route {
    let (owner, repo) = (owner.to_owned(), repo.to_owned());
    match tail {
        ["runs"] => Route::Runs { owner, repo },
        ["runs", run] => Route::Run { owner, repo, run: (*run).to_owned() },
        ["runs", run, "jobs"] => Route::RunJobs { owner, repo, run: (*run).to_owned() },
        ["runs", run, "cancel"] => Route::CancelRun { owner, repo, run: (*run).to_owned() },
        ["tasks"] => Route::Tasks { owner, repo },
        ["workflows", file, "dispatches"] => Route::Dispatch { owner, repo, file: (*file).to_owned() },
        _ => Route::UnknownApi,
    }
}

fn repository(owner: &str, name: &str) -> Scope {
    Scope::Repository { owner: owner.to_owned(), name: name.to_owned() }
}

/// What follows `runners`; the deprecated admin path has two of these only.
fn runners(scope: Scope, tail: &[&str], current: bool) -> Route {
    match tail {
        ["jobs"] => Route::Jobs(scope),
        ["registration-token"] => Route::RegistrationToken(scope),
        [] if current => Route::Runners(scope),
        [id] if current => Route::Runner(scope, (*id).to_owned()),
        _ => Route::UnknownApi,
    }
}

fn rpc(path: &str) -> Option<RouteKind> {
    use runner_rpc::wire;
    [
        (wire::PING, RouteKind::Ping),
        (wire::REGISTER, RouteKind::RpcRegister),
        (wire::DECLARE, RouteKind::Declare),
        (wire::FETCH_TASK, RouteKind::FetchTask),
        (wire::FETCH_SINGLE_TASK, RouteKind::FetchSingleTask),
        (wire::UPDATE_TASK, RouteKind::UpdateTask),
        (wire::UPDATE_LOG, RouteKind::UpdateLog),
    ]
    .into_iter()
    .find_map(|(known, kind)| (known == path).then_some(kind))
}

impl Route {
    /// A method that the place knows, for the answer to one that it does not; the real router names one only.
    pub(crate) const fn allowed(&self) -> Option<&'static str> {
        match self {
            Self::Runners(_) | Self::Hooks(_) | Self::Cron(_) | Self::Dispatch { .. } | Self::Tokens(_) => Some("POST"),
            Self::Runner(..) => Some("DELETE"),
            Self::UnknownApi | Self::UnknownPage | Self::Rpc(_) | Self::CancelRun { .. } => None,
            _ => Some("GET"),
        }
    }

    /// What is asked by this method at this place.
    pub(crate) fn kind(&self, method: &str) -> RouteKind {
        match (self, method) {
            (Self::Jobs(_), "GET") => RouteKind::ListJobs,
            (Self::Runners(_), "GET") => RouteKind::ListRunners,
            (Self::Runners(_), "POST") => RouteKind::RegisterRunner,
            (Self::Runner(..), "GET") => RouteKind::GetRunner,
            (Self::Runner(..), "DELETE") => RouteKind::DeleteRunner,
            (Self::RegistrationToken(_), "GET") => RouteKind::RegistrationToken,
            (Self::Version, "GET") => RouteKind::Version,
            (Self::ApiSettings, "GET") => RouteKind::ApiSettings,
            (Self::RepositoryById(_), "GET") => RouteKind::RepositoryById,
            (Self::ScopeId(_), "GET") => RouteKind::ScopeId,
            (Self::Repositories(_), "GET") => RouteKind::ListRepositories,
            (Self::RunJobs { .. }, "GET") => RouteKind::RunJobs,
            (Self::CancelRun { .. }, "POST") => RouteKind::CancelRun,
            (Self::Runs { .. }, "GET") => RouteKind::ListRuns,
            (Self::Run { .. }, "GET") => RouteKind::GetRun,
            (Self::Run { .. }, "DELETE") => RouteKind::DeleteRun,
            (Self::Tasks { .. }, "GET") => RouteKind::ListTasks,
            (Self::Dispatch { .. }, "POST") => RouteKind::Dispatch,
            (Self::Hooks(_), "GET") => RouteKind::ListHooks,
            (Self::Hooks(_), "POST") => RouteKind::CreateHook,
            (Self::Tokens(_), "POST") => RouteKind::CreateToken,
            (Self::Cron(_), "POST") => RouteKind::Cron,
            (Self::Rpc(kind), _) => *kind,
            _ => RouteKind::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, kind: RouteKind) {
        assert_eq!(find(path).kind(method), kind, "{method} {path}");
    }

    #[test]
    fn every_scope_has_the_same_routes() {
        for scope in ["admin", "user", "orgs/acme", "repos/alice/app"] {
            check("GET", &format!("/api/v1/{scope}/actions/runners"), RouteKind::ListRunners);
            check("POST", &format!("/api/v1/{scope}/actions/runners"), RouteKind::RegisterRunner);
            check("GET", &format!("/api/v1/{scope}/actions/runners/jobs"), RouteKind::ListJobs);
            check("GET", &format!("/api/v1/{scope}/actions/runners/7"), RouteKind::GetRunner);
            check("DELETE", &format!("/api/v1/{scope}/actions/runners/7"), RouteKind::DeleteRunner);
            check("PUT", &format!("/api/v1/{scope}/actions/runners"), RouteKind::Unknown);
        }
        check("GET", "/api/v1/admin/runners/jobs", RouteKind::ListJobs);
        check("GET", "/api/v1/admin/runners/7", RouteKind::Unknown);
        check("GET", "/metrics", RouteKind::Unknown);
    }

    #[test]
    fn names_in_paths_are_decoded() {
        let Route::Jobs(scope) = find("/api/v1/orgs/a%20b/actions/runners/jobs") else { panic!("no job list") };
        assert_eq!(scope, Scope::Organization("a b".to_owned()));
    }
}

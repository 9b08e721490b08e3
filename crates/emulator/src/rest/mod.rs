//! The REST API: from a request and its route to an answer (protocol 1).

mod dispatch;
mod hooks;
mod paging;
mod register;
mod rows;
mod runs;
mod tokens;
mod whole;

use axum::http::StatusCode;
use forge_model::rest::{Access, Caller, LabelFilter, Refusal, RunnerQuery, Scope};
use forge_model::script::CronTask;
use forge_model::{Area, Forge, Moment, RepoId, RunnerId};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::request::{Request, first};
use crate::route::{Route, RouteKind};

/// What the forge says about a token in the query.
const DEPRECATED_QUERY: &str = "token and access_token API authentication is deprecated and will be removed in Forgejo \
                                v13.0.0. Please use AuthorizationHeaderToken instead. Existing queries will continue to \
                                work but without authorization.";

/// Answers one request.
pub(crate) fn answer(forge: &mut Forge, now: Moment, request: &Request, route: &Route) -> Answer {
    let credentials = request.credentials();
    let caller = credentials.caller();
    let answer = match dispatch(forge, now, request, route, caller) {
        Ok(answer) => answer,
        Err(Refusal::Moved { owner, repository }) => moved(forge, request, owner, repository),
        // The text of an internal error is shown to site administrators only (protocol 1.9).
        Err(Refusal::Internal(_)) if !forge.asks_as_site_admin(caller) => {
            Answer::refusal(forge, &Refusal::Internal(String::new()))
        }
        Err(refusal) => Answer::refusal(forge, &refusal),
    };
    if credentials.in_query { answer.header("Warning", DEPRECATED_QUERY) } else { answer }
}

fn dispatch(
    forge: &mut Forge,
    now: Moment,
    request: &Request,
    route: &Route,
    caller: Caller<'_>,
) -> Result<Answer, Refusal> {
    match (route.kind(&request.method), route) {
        (RouteKind::ListJobs, Route::Jobs(scope)) => list_jobs(forge, request, caller, scope),
        (RouteKind::ListRunners, Route::Runners(scope)) => list_runners(forge, now, request, caller, scope),
        (RouteKind::RegisterRunner, Route::Runners(scope)) => {
            let area = forge.authorise(caller, scope, Access::Write)?;
            register::register(forge, now, request, caller, area)
        }
        (RouteKind::GetRunner, Route::Runner(scope, id)) => {
            let area = forge.authorise(caller, scope, Access::Read)?;
            let row = forge.get_runner(now, area, runner_id(id))?;
            Ok(Answer::json(StatusCode::OK, &rows::runner(&row, forge.settings())))
        }
        (RouteKind::DeleteRunner, Route::Runner(scope, id)) => {
            let area = forge.authorise(caller, scope, Access::Write)?;
            forge.delete_runner(now, area, runner_id(id))?;
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        (RouteKind::RegistrationToken, Route::RegistrationToken(scope)) => {
            let area = forge.authorise(caller, scope, Access::Read)?;
            Ok(Answer::json(StatusCode::OK, &json!({ "token": forge.registration_token(area) })))
        }
        (RouteKind::ScopeId, Route::ScopeId(scope)) => scope_id(forge, caller, scope),
        (RouteKind::ListRepositories, Route::Repositories(scope)) => list_repositories(forge, request, caller, scope),
        (RouteKind::RepositoryById, Route::RepositoryById(id)) => {
            let repository = forge.repository_by_id(caller, RepoId(number(id)))?;
            let viewer = forge.user_of(caller)?;
            Ok(Answer::json(StatusCode::OK, &whole::repository(forge, repository, viewer)))
        }
        (RouteKind::Version, _) => {
            forge.check_token(caller)?;
            Ok(Answer::json(StatusCode::OK, &json!({ "version": forge.settings().version.text() })))
        }
        (RouteKind::ApiSettings, _) => {
            forge.check_token(caller)?;
            Ok(Answer::json(StatusCode::OK, &api_settings(forge)))
        }
        (RouteKind::Cron, Route::Cron(name)) => {
            forge.authorise(caller, &Scope::Instance, Access::Write)?;
            let task = CronTask::named(name).ok_or(Refusal::TargetNotFound)?;
            forge.run_cron(now, task);
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        (RouteKind::CreateHook, Route::Hooks(scope)) => {
            let area = forge.hook_area(caller, scope, Access::Write)?;
            Ok(hooks::create(forge, now, request, area))
        }
        (RouteKind::ListHooks, Route::Hooks(scope)) => {
            let area = forge.hook_area(caller, scope, Access::Read)?;
            Ok(hooks::list(forge, area))
        }
        (RouteKind::CreateToken, Route::Tokens(user)) => tokens::create(forge, now, request, caller, user),
        (RouteKind::Dispatch, Route::Dispatch { owner, repo, file }) => {
            let repository = forge.writable_repository(caller, owner, repo)?;
            dispatch::dispatch(forge, now, request, caller, repository, file)
        }
        _ => runs::answer(forge, now, request, caller, route),
    }
}

/// A path that nobody serves, or a method that its path does not know.
fn unrouted(route: &Route) -> Answer {
    match route.allowed() {
        None => Answer::no_page(),
        Some(method) => Answer::empty(StatusCode::METHOD_NOT_ALLOWED).header("Allow", method),
    }
}

fn list_jobs(forge: &Forge, request: &Request, caller: Caller<'_>, scope: &Scope) -> Result<Answer, Refusal> {
    let area = forge.authorise(caller, scope, Access::Read)?;
    let labels = LabelFilter::parse(first(&request.query(), "labels"));
    let rows: Vec<Value> = forge.list_jobs(area, &labels).iter().map(|row| rows::job(row, forge.settings())).collect();
    let count = rows.len();
    // An empty job list is the document `null` (protocol 1.3).
    let body = if rows.is_empty() { Value::Null } else { Value::Array(rows) };
    let mut answer = Answer::json(StatusCode::OK, &body);
    answer.rows = count;
    Ok(answer)
}

fn list_runners(
    forge: &Forge,
    now: Moment,
    request: &Request,
    caller: Caller<'_>,
    scope: &Scope,
) -> Result<Answer, Refusal> {
    let area: Area = forge.authorise(caller, scope, Access::Read)?;
    let parameters = request.query();
    let parsed = |name: &str| first(&parameters, name).and_then(|text| text.parse::<i64>().ok());
    let query = RunnerQuery {
        visible: first(&parameters, "visible").is_some_and(is_true),
        page: parsed("page"),
        limit: parsed("limit"),
    };
    let page = forge.list_runners(now, area, query);
    let rows: Vec<Value> = page.rows.iter().map(|row| rows::runner(row, forge.settings())).collect();
    let link = paging::link(&forge.settings().root_url, request.uri.path(), &parameters, &page, query.page);
    let exposed = if link.is_some() { "Link, X-Total-Count" } else { "X-Total-Count" };
    let mut answer = Answer::json(StatusCode::OK, &Value::Array(rows))
        .header("Access-Control-Expose-Headers", exposed)
        .header("X-Total-Count", page.total.to_string());
    if let Some(link) = link {
        answer = answer.header("Link", link);
    }
    Ok(answer)
}

fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True" | "on")
}

fn scope_id(forge: &Forge, caller: Caller<'_>, scope: &Scope) -> Result<Answer, Refusal> {
    let viewer = forge.user_of(caller)?;
    let body = match scope {
        Scope::User => whole::user(forge, forge.who(caller)?, viewer, true),
        Scope::Organization(name) => rows::organization(forge.organization(caller, name)?),
        Scope::Repository { owner, name } => {
            whole::repository(forge, forge.visible_repository(caller, owner, name)?, viewer)
        }
        Scope::Instance => return Ok(Answer::no_page()),
    };
    Ok(Answer::json(StatusCode::OK, &body))
}

/// Repositories of an organization, or those that the token's user owns or works on, page by page. (The right is that of the scope's runners, which
/// is more than a forge asks for.)
fn list_repositories(forge: &Forge, request: &Request, caller: Caller<'_>, scope: &Scope) -> Result<Answer, Refusal> {
    let Area::Owner(owner) = forge.authorise(caller, scope, Access::Read)? else { return Ok(Answer::no_page()) };
    let parameters = request.query();
    let parsed = |name: &str| first(&parameters, name).and_then(|text| text.parse::<usize>().ok());
    let (page, limit) = (parsed("page").unwrap_or(1).max(1), parsed("limit").unwrap_or(30).clamp(1, 50));
    let viewer = forge.user_of(caller)?;
    let all: Vec<_> = match scope {
        Scope::User => forge.repositories_worked_on(owner).collect(),
        Scope::Instance | Scope::Organization(_) | Scope::Repository { .. } => forge.repositories_of(owner).collect(),
    };
    let shown = all.into_iter().skip((page - 1) * limit).take(limit);
    Ok(Answer::json(StatusCode::OK, &Value::Array(shown.map(|row| whole::repository(forge, row, viewer)).collect())))
}

fn api_settings(forge: &Forge) -> Value {
    json!({
        "max_response_items": forge.settings().max_response_items,
        "default_paging_num": forge.settings().default_paging,
        "default_git_trees_per_page": 1000,
        "default_max_blob_size": 10_485_760,
    })
}

fn moved(forge: &Forge, request: &Request, owner: forge_model::OwnerId, repository: RepoId) -> Answer {
    let (Some(owner), Some(repository)) = (forge.owner(owner), forge.repository(repository)) else {
        return Answer::no_page();
    };
    let path = request.uri.path_and_query().map_or("", axum::http::uri::PathAndQuery::as_str);
    let tail = path.splitn(6, '/').nth(5).and_then(|rest| rest.split_once('/')).map_or("", |(_, tail)| tail);
    let location = format!("/api/v1/repos/{}/{}/{tail}", owner.name, repository.name);
    Answer::moved(&request.method, location.trim_end_matches('/'))
}

/// A number in a path; what is none reads as 0, as on the real forge.
fn number(text: &str) -> i64 {
    text.parse().unwrap_or(0)
}

fn runner_id(text: &str) -> RunnerId {
    RunnerId(number(text))
}

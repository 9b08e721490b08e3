//! The REST API: from a request and its route to an answer (protocol 1).

mod paging;
mod register;
mod rows;

use axum::http::StatusCode;
use forge_model::rest::{Access, LabelFilter, Refusal, RunnerQuery, Scope};
use forge_model::script::CronTask;
use forge_model::{Area, Forge, Moment, RepoId, RunId, RunnerId, Version};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::request::{Request, first};
use crate::route::{Route, RouteKind};

/// Answers one request.
pub(crate) fn answer(forge: &mut Forge, now: Moment, request: &Request, route: &Route) -> Answer {
    let token = request.token();
    match dispatch(forge, now, request, route, token.as_deref()) {
        Ok(answer) => answer,
        Err(Refusal::Moved { owner, repository }) => moved(forge, request, owner, repository),
        Err(refusal) => Answer::refusal(forge, &refusal),
    }
}

fn dispatch(
    forge: &mut Forge,
    now: Moment,
    request: &Request,
    route: &Route,
    token: Option<&str>,
) -> Result<Answer, Refusal> {
    match (route.kind(&request.method), route) {
        (RouteKind::ListJobs, Route::Jobs(scope)) => list_jobs(forge, request, token, scope),
        (RouteKind::ListRunners, Route::Runners(scope)) => list_runners(forge, now, request, token, scope),
        (RouteKind::RegisterRunner, Route::Runners(scope)) => {
            let area = forge.authorise(token, scope, Access::Write)?;
            register::register(forge, now, request, area)
        }
        (RouteKind::GetRunner, Route::Runner(scope, id)) => {
            let area = forge.authorise(token, scope, Access::Read)?;
            let row = forge.get_runner(now, area, runner_id(id))?;
            Ok(Answer::json(StatusCode::OK, &rows::runner(&row, forge.settings())))
        }
        (RouteKind::DeleteRunner, Route::Runner(scope, id)) => {
            let area = forge.authorise(token, scope, Access::Write)?;
            forge.delete_runner(now, area, runner_id(id))?;
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        (RouteKind::RegistrationToken, Route::RegistrationToken(scope)) => {
            let area = forge.authorise(token, scope, Access::Read)?;
            Ok(Answer::json(StatusCode::OK, &json!({ "token": forge.registration_token(area) })))
        }
        (RouteKind::ScopeId, Route::ScopeId(scope)) => scope_id(forge, token, scope),
        (RouteKind::RepositoryById, Route::RepositoryById(id)) => {
            let repository = forge.repository_by_id(token, RepoId(number(id)))?;
            Ok(Answer::json(StatusCode::OK, &rows::repository(forge, repository)))
        }
        (RouteKind::Version, _) => {
            forge.check_token(token)?;
            Ok(Answer::json(StatusCode::OK, &json!({ "version": forge.settings().version.text() })))
        }
        (RouteKind::ApiSettings, _) => {
            forge.check_token(token)?;
            Ok(Answer::json(StatusCode::OK, &api_settings(forge)))
        }
        (RouteKind::Cron, Route::Cron(name)) => {
            forge.authorise(token, &Scope::Instance, Access::Write)?;
            let task = CronTask::named(name).ok_or(Refusal::TargetNotFound)?;
            forge.run_cron(now, task);
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        (RouteKind::RunJobs | RouteKind::CancelRun, _) if forge.settings().version == Version::V15 => {
            Ok(Answer::no_page())
        }
        (RouteKind::RunJobs, Route::RunJobs { owner, repo, run }) => {
            let repository = forge.visible_repository(token, owner, repo)?.id;
            let jobs = forge.list_run_jobs(repository, RunId(number(run)))?;
            let rows: Vec<Value> = jobs.iter().map(|row| rows::job(row, forge.settings())).collect();
            Ok(Answer::json(StatusCode::OK, &Value::Array(rows)))
        }
        (RouteKind::CancelRun, Route::CancelRun { owner, repo, run }) => {
            cancel_run(forge, now, token, owner, repo, RunId(number(run)))
        }
        _ => Ok(unrouted(route)),
    }
}

/// A path that nobody serves, or a method that its path does not know.
fn unrouted(route: &Route) -> Answer {
    match route {
        Route::UnknownApi | Route::UnknownPage => Answer::no_page(),
        _ => Answer::empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn list_jobs(forge: &Forge, request: &Request, token: Option<&str>, scope: &Scope) -> Result<Answer, Refusal> {
    let area = forge.authorise(token, scope, Access::Read)?;
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
    token: Option<&str>,
    scope: &Scope,
) -> Result<Answer, Refusal> {
    let area: Area = forge.authorise(token, scope, Access::Read)?;
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

fn scope_id(forge: &Forge, token: Option<&str>, scope: &Scope) -> Result<Answer, Refusal> {
    let body = match scope {
        Scope::User => rows::user(forge.who(token)?),
        Scope::Organization(name) => rows::organization(forge.organization(token, name)?),
        Scope::Repository { owner, name } => rows::repository(forge, forge.visible_repository(token, owner, name)?),
        Scope::Instance => return Ok(Answer::no_page()),
    };
    Ok(Answer::json(StatusCode::OK, &body))
}

fn cancel_run(
    forge: &mut Forge,
    now: Moment,
    token: Option<&str>,
    owner: &str,
    repo: &str,
    run: RunId,
) -> Result<Answer, Refusal> {
    let scope = Scope::Repository { owner: owner.to_owned(), name: repo.to_owned() };
    let Area::Repository(repository) = forge.authorise(token, &scope, Access::Write)? else {
        return Err(Refusal::TargetNotFound);
    };
    if !forge.run_is_of(run, repository) {
        return Err(Refusal::TargetNotFound);
    }
    forge.cancel_run(now, run).map_err(|_| Refusal::TargetNotFound)?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
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

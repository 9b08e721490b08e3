//! Runs and tasks of a repository (protocol 1.8).

use axum::http::StatusCode;
use forge_model::rest::{Caller, Refusal};
use forge_model::{Forge, Moment, RunId, Version};
use serde_json::{Value, json};

use super::{number, rows, unrouted};
use crate::answer::Answer;
use crate::request::Request;
use crate::route::{Route, RouteKind};

/// Answers what is asked about runs; everything else is unknown. Version 15 does not know the places that came later.
pub(super) fn answer(
    forge: &mut Forge,
    now: Moment,
    request: &Request,
    caller: Caller<'_>,
    route: &Route,
) -> Result<Answer, Refusal> {
    let kind = route.kind(&request.method);
    let older = forge.settings().version == Version::V15;
    match (kind, route) {
        (RouteKind::ListTasks, Route::Tasks { owner, repo }) => {
            let repository = forge.visible_repository(caller, owner, repo)?.id;
            Ok(tasks(forge, repository, &format!("{owner}/{repo}")))
        }
        (RouteKind::RunJobs | RouteKind::CancelRun, _) if older => Ok(Answer::no_page()),
        (RouteKind::RunJobs, Route::RunJobs { owner, repo, run }) => {
            let repository = forge.visible_repository(caller, owner, repo)?.id;
            let jobs = forge.list_run_jobs(repository, RunId(number(run)))?;
            let rows: Vec<Value> = jobs.iter().map(|row| rows::job(row, forge.settings())).collect();
            Ok(Answer::json(StatusCode::OK, &Value::Array(rows)))
        }
        (RouteKind::CancelRun, Route::CancelRun { owner, repo, run }) => {
            let repository = forge.writable_repository(caller, owner, repo)?;
            forge.cancel_run_of(now, repository, RunId(number(run)))?;
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        (RouteKind::DeleteRun, Route::Run { owner, repo, run }) if !older => {
            let repository = forge.writable_repository(caller, owner, repo)?;
            forge.delete_run(now, repository, RunId(number(run)))?;
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        _ => Ok(unrouted(route)),
    }
}

fn tasks(forge: &Forge, repository: forge_model::RepoId, path: &str) -> Answer {
    let root = &forge.settings().root_url;
    let rows: Vec<Value> = forge
        .list_tasks(repository)
        .iter()
        .map(|row| {
            json!({
                "id": row.id.0,
                "name": row.name,
                "head_branch": row.reference.splitn(3, '/').nth(2).unwrap_or_default(),
                "head_sha": row.sha,
                "run_number": row.run_number,
                "event": row.event,
                "display_title": format!(".forgejo/workflows/{}", row.workflow),
                "status": row.status.word(),
                "workflow_id": row.workflow,
                "url": format!("{root}{path}/actions/runs/{}", row.run_number),
                "created_at": rows::time(row.started),
                "updated_at": rows::time(row.updated),
                "run_started_at": rows::time(row.started),
            })
        })
        .collect();
    let count = rows.len();
    Answer::json(StatusCode::OK, &json!({ "workflow_runs": rows, "total_count": count }))
}

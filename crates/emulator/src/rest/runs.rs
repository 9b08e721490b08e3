//! Runs and tasks of a repository (protocol 1.8).

use axum::http::StatusCode;
use forge_model::rest::{Caller, Refusal, RunQuery, RunRow};
use forge_model::script::Event;
use forge_model::{Forge, Moment, OwnerId, RepoId, RunId, Version};
use serde_json::{Value, json};

use super::{number, rows, unrouted, whole};
use crate::answer::Answer;
use crate::request::{Request, first};
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
        (RouteKind::ListRuns, Route::Runs { owner, repo }) => {
            let repository = forge.visible_repository(caller, owner, repo)?.id;
            let (runs, total) = forge.list_runs(repository, &query(&request.query()))?;
            let viewer = forge.user_of(caller)?;
            let rows: Vec<Value> = runs.iter().map(|row| run(forge, repository, row, viewer)).collect();
            Ok(Answer::json(StatusCode::OK, &json!({ "workflow_runs": rows, "total_count": total })))
        }
        (RouteKind::GetRun, Route::Run { owner, repo, run: id }) => {
            let repository = forge.visible_repository(caller, owner, repo)?.id;
            let row = forge.get_run(repository, RunId(number(id)))?;
            Ok(Answer::json(StatusCode::OK, &run(forge, repository, &row, forge.user_of(caller)?)))
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

fn query(parameters: &[(String, String)]) -> RunQuery {
    let all = |name: &str| parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect();
    let whole = |name: &str| first(parameters, name).and_then(|text| text.parse().ok());
    RunQuery {
        statuses: all("status"),
        events: all("event"),
        number: whole("run_number"),
        workflow: first(parameters, "workflow_id").map(str::to_owned),
        page: whole("page"),
        limit: whole("limit"),
    }
}

/// A run with its repository and who caused it. The event is shorter than a real one.
fn run(forge: &Forge, repository: RepoId, row: &RunRow, viewer: Option<OwnerId>) -> Value {
    let Some(repository) = forge.repository(repository) else { return Value::Null };
    let path = forge.owner(repository.owner).map_or("", |owner| &owner.name);
    let moment = |at: Option<Moment>| rows::time(at.unwrap_or(Moment::from_millis(0)));
    let in_full = viewer.is_some_and(|viewer| viewer == row.actor || forge.is_site_admin(viewer));
    let mut body = json!({
        "id": row.id.0,
        "title": title(row),
        "repository": whole::repository(forge, repository, viewer),
        "workflow_id": row.workflow,
        "index_in_repo": row.number,
        "trigger_user": forge.owner(row.actor).map(|actor| whole::user(forge, actor, viewer, in_full)),
        "ScheduleID": 0,
        "prettyref": row.reference.splitn(3, '/').nth(2).unwrap_or_default(),
        "is_ref_deleted": false,
        "commit_sha": row.sha,
        "is_fork_pull_request": false,
        "need_approval": false,
        "approved_by": 0,
        "event": if row.event == Event::Dispatch.word() { "" } else { row.event },
        "event_payload": json!({ "ref": row.reference }).to_string(),
        "trigger_event": row.event,
        "status": row.status.word(),
        "started": moment(row.started),
        "stopped": moment(row.stopped),
        "created": rows::time(row.created),
        "updated": rows::time(row.updated),
        "html_url": format!("{}{path}/{}/actions/runs/{}", forge.settings().root_url, repository.name, row.number),
    });
    // Nanoseconds; a run without any has no such field (protocol 1.8).
    let ran = row.started.zip(row.stopped).map(|(started, stopped)| stopped.since(started).as_nanos());
    if let Some(nanoseconds) = ran.and_then(|span| u64::try_from(span).ok()).filter(|span| *span > 0) {
        body["duration"] = json!(nanoseconds);
    }
    body
}

/// A run that no commit caused is named after its file; the subject of a commit is not modelled.
fn title(row: &RunRow) -> String {
    let file = format!(".forgejo/workflows/{}", row.workflow);
    let by_commit = [Event::Push.word(), Event::PullRequest.word()].contains(&row.event);
    if by_commit { format!("update {file}") } else { file }
}

fn tasks(forge: &Forge, repository: RepoId, path: &str) -> Answer {
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

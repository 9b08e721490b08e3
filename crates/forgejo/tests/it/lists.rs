//! Listings: what is in them and whether they are complete.

use forgejo::{Client, Error, Job, JobStatus, Limits, Listing, Runner, Scope};

use crate::scripted::{Reply, Server};
use crate::{client, settings};

fn job(id: i64) -> String {
    format!(
        r#"{{"id":{id},"attempt":1,"handle":"handle-{id}","repo_id":1,"owner_id":1,"name":"build","needs":null,
        "runs_on":["debian"],"task_id":0,"status":"waiting"}}"#
    )
}

fn runner(id: i64) -> String {
    format!(
        r#"{{"id":{id},"uuid":"u{id}","owner_id":0,"repo_id":1,"name":"n","status":"offline","version":"",
        "labels":null,"description":"","ephemeral":true}}"#
    )
}

async fn jobs_of(reply: Reply, limits: Limits) -> Result<Listing<Job>, Error> {
    let server = Server::start([reply]).await;
    let mut settings = settings(&server.url);
    settings.limits = limits;
    Client::new(&settings)?.list_jobs(&Scope::Instance).await
}

/// What one body gives: ids of the rows, keys of the bad rows, and the problem.
async fn check(body: &str, rows: &[i64], bad: &[Option<&str>], problem: Option<&str>) {
    let listing = jobs_of(Reply::json(200, body), Limits::default()).await.expect("a listing");
    expect(&listing, rows, bad, problem);
}

fn expect(listing: &Listing<Job>, rows: &[i64], bad: &[Option<&str>], problem: Option<&str>) {
    assert_eq!(listing.rows.iter().map(|job| job.id).collect::<Vec<_>>(), rows);
    assert_eq!(listing.bad_rows.iter().map(|bad| bad.key.as_deref()).collect::<Vec<_>>(), bad);
    assert_eq!(listing.complete, problem.is_none(), "{:?}", listing.problem);
    let told = listing.problem.as_deref().unwrap_or_default();
    assert!(told.contains(problem.unwrap_or_default()), "{told}");
}

#[tokio::test]
async fn an_empty_queue_is_null() {
    check("null\n", &[], &[], None).await;
    check("[]", &[], &[], None).await;
}

#[tokio::test]
async fn jobs_are_read() {
    let body = format!("[{},{}]", job(2), job(1).replace("waiting", "running"));
    let listing = jobs_of(Reply::json(200, &body), Limits::default()).await.unwrap();
    expect(&listing, &[2, 1], &[], None);
    assert_eq!(listing.rows[1].status, JobStatus::Running);
    assert_eq!(listing.rows[0].runs_on, ["debian"]);
}

#[tokio::test]
async fn a_bad_row_with_a_handle_makes_only_itself_unknown() {
    let body = format!(r#"[{},{{"id":"two","handle":"h2"}},{}]"#, job(3), job(1));
    check(&body, &[3, 1], &[Some("h2")], None).await;
}

#[tokio::test]
async fn a_row_without_a_handle_makes_the_list_incomplete() {
    let body = format!(r#"[{},{{"id":2,"name":"old"}},{}]"#, job(3), job(1));
    check(&body, &[3, 1], &[None], Some("without a readable key")).await;
}

#[tokio::test]
async fn a_cut_list_keeps_the_rows_that_came() {
    let body = format!("[{},{},{}", job(3), job(2), &job(1)[..20]);
    let listing = jobs_of(Reply::json(200, &body).cut(), Limits::default()).await.unwrap();
    expect(&listing, &[3, 2], &[], Some("broke off"));
    check(&body, &[3, 2], &[], Some("no end")).await;
}

#[tokio::test]
async fn a_broken_list_keeps_the_rows_before_the_break() {
    check(&format!("[{},,{}]", job(3), job(1)), &[3], &[], Some("broken")).await;
    check(&format!("[{}]{{\"id\":0}}", job(3)), &[3], &[], Some("follows")).await;
}

#[tokio::test]
async fn what_is_no_list_at_all_is_an_error() {
    for reply in [
        Reply::new(200, "text/html", "<h1>log in</h1>"),
        Reply::json(200, "<h1>log in</h1>"),
        Reply::json(200, r#"{"jobs":[]}"#),
        Reply::json(200, ""),
    ] {
        let error = jobs_of(reply, Limits::default()).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
        assert_eq!(error.class(), forgejo::ErrorClass::Transient);
    }
    let cut = jobs_of(Reply::json(200, "").cut(), Limits::default()).await.unwrap_err();
    assert!(matches!(cut, Error::Transport { .. }), "{cut:?}");
}

#[tokio::test]
async fn each_limit_makes_the_list_incomplete_when_it_is_passed_and_not_before() {
    let body = format!("[{},{},{}]", job(3), job(2), job(1));
    let within = Limits { row: job(1).len(), list: body.len(), rows: 3, ..Limits::default() };
    let listing = jobs_of(Reply::json(200, &body), within).await.unwrap();
    expect(&listing, &[3, 2, 1], &[], None);

    let listing = jobs_of(Reply::json(200, &body), Limits { rows: 2, ..within }).await.unwrap();
    expect(&listing, &[2, 1], &[], Some("more than 2 rows"));

    let listing = jobs_of(Reply::json(200, &body), Limits { list: body.len() - 1, ..within }).await.unwrap();
    assert!(!listing.complete && listing.problem.unwrap().contains("larger than"));

    // The handle comes early, so a row that is too long is known all the same.
    let listing = jobs_of(Reply::json(200, &body), Limits { row: job(1).len() - 1, ..within }).await.unwrap();
    expect(&listing, &[], &[Some("handle-3"), Some("handle-2"), Some("handle-1")], None);

    let listing = jobs_of(Reply::json(200, &body), Limits { row: 12, ..within }).await.unwrap();
    expect(&listing, &[], &[None; 3], Some("longer than 12 bytes"));
}

#[tokio::test]
async fn of_a_list_beyond_the_limit_the_oldest_jobs_are_kept() {
    let body = format!("[{}]", (1..=1_000).rev().map(job).collect::<Vec<_>>().join(","));
    let listing = jobs_of(Reply::json(200, &body), Limits { rows: 100, ..Limits::default() }).await.unwrap();
    expect(&listing, &(1..=100).rev().collect::<Vec<_>>(), &[], Some("more than 100 rows"));
}

#[tokio::test]
async fn a_list_of_80_megabytes_is_read_to_its_end_within_its_limit() {
    let rows = format!(",{}", job(1).split_whitespace().collect::<String>()).repeat(600_000);
    assert!(rows.len() > 80_000_000, "{}", rows.len());
    let body = format!("[{}{rows}]", job(2));
    let listing = jobs_of(Reply::json(200, &body), Limits::default()).await.unwrap();
    assert_eq!((listing.rows.len(), listing.complete), (100_000, false));
}

#[tokio::test]
async fn bad_rows_are_bounded_by_themselves() {
    let body = format!("[{}]", vec![r#"{"handle":"h"}"#; 1_001].join(","));
    let listing = jobs_of(Reply::json(200, &body), Limits::default()).await.unwrap();
    assert_eq!((listing.bad_rows.len(), listing.complete), (1_000, false));
}

#[tokio::test]
async fn a_long_list_is_read_whole() {
    let body = format!("[{}]", (1..=20_000).map(job).collect::<Vec<_>>().join(","));
    let listing = jobs_of(Reply::json(200, &body), Limits::default()).await.unwrap();
    assert!(listing.complete, "{:?}", listing.problem);
    assert_eq!(listing.rows.len(), 20_000);
    assert_eq!(listing.rows[19_999].handle, "handle-20000");
}

/// The runner list by script; one reply is (ids, total count).
async fn runners_of(script: &[(&[i64], usize)]) -> (Listing<Runner>, Vec<String>) {
    let server = Server::start(script.iter().map(|(ids, total)| {
        let rows = ids.iter().map(|id| runner(*id)).collect::<Vec<_>>().join(",");
        Reply::json(200, &format!("[{rows}]")).header("X-Total-Count", &total.to_string())
    }))
    .await;
    let listing = client(&server.url).list_runners(&Scope::Instance).await.expect("a listing");
    (listing, server.seen().into_iter().map(|seen| seen.target).collect())
}

fn ids(listing: &Listing<Runner>) -> Vec<i64> {
    listing.rows.iter().map(|runner| runner.id).collect()
}

#[tokio::test]
async fn runners_are_listed_in_one_call() {
    let (listing, targets) = runners_of(&[(&[3, 1, 2], 3)]).await;
    assert_eq!((ids(&listing), listing.complete), (vec![3, 1, 2], true));
    assert_eq!(targets, ["/api/v1/admin/actions/runners?visible=false"]);
}

#[tokio::test]
async fn runners_that_one_call_lacks_are_paged_for_and_not_doubled() {
    let (listing, targets) = runners_of(&[(&[1, 2], 4), (&[2, 1], 4), (&[2, 3], 5), (&[4, 5], 5)]).await;
    assert_eq!((ids(&listing), listing.complete), (vec![1, 2, 3, 4, 5], true));
    assert_eq!(targets[3], "/api/v1/admin/actions/runners?visible=false&page=3&limit=50");
    assert_eq!(targets.len(), 4);
}

#[tokio::test]
async fn runners_that_no_page_shows_leave_the_list_incomplete() {
    let (listing, targets) = runners_of(&[(&[1, 2], 4), (&[1, 2], 4), (&[3], 4), (&[], 4)]).await;
    assert_eq!((ids(&listing), listing.complete), (vec![1, 2, 3], false));
    assert_eq!(listing.problem.as_deref(), Some("the forge counts 4 runners but shows 3"));
    assert_eq!(targets.len(), 4);
}

#[tokio::test]
async fn a_page_that_fails_leaves_the_list_incomplete() {
    let first = Reply::json(200, &format!("[{}]", runner(1))).header("X-Total-Count", "2");
    let server = Server::start([first, Reply::json(502, "{}")]).await;
    let listing = client(&server.url).list_runners(&Scope::Instance).await.unwrap();
    assert_eq!((ids(&listing), listing.complete), (vec![1], false));
}

#[tokio::test]
async fn a_bad_runner_is_known_by_its_id_and_counted() {
    let body = format!(r#"[{},{{"id":9,"name":null}}]"#, runner(1));
    let server = Server::start([Reply::json(200, &body).header("X-Total-Count", "2")]).await;
    let listing = client(&server.url).list_runners(&Scope::User).await.unwrap();
    assert!(listing.complete);
    assert_eq!(listing.bad_rows[0].key.as_deref(), Some("9"));
}

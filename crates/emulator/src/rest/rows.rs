//! JSON of rows, with the names and quirks of protocol 1.3, 1.4 and 1.8.

use forge_model::rest::{JobRow, RunnerRow};
use forge_model::{Moment, Owner, Settings, Version};
use serde_json::{Value, json};

pub(super) fn job(row: &JobRow, settings: &Settings) -> Value {
    let mut body = json!({
        "id": row.id.0,
        "attempt": row.attempt,
        "handle": row.handle.as_str(),
        "repo_id": row.repo_id.0,
        "owner_id": row.owner_id.0,
        "name": row.name,
        "needs": if row.needs.is_empty() { Value::Null } else { json!(row.needs) },
        "runs_on": row.runs_on,
        "task_id": row.task_id,
        "status": row.status_word(),
    });
    if settings.version == Version::V16 {
        body["run_id"] = json!(row.run_id.0);
    }
    with_unknown_fields(body, settings)
}

pub(super) fn runner(row: &RunnerRow, settings: &Settings) -> Value {
    let body = json!({
        "id": row.id.0,
        "uuid": row.uuid,
        "owner_id": row.area.owner_id(),
        "repo_id": row.area.repo_id(),
        "name": row.name,
        "status": row.status.word(),
        "version": row.version,
        "labels": row.labels,
        "description": row.description,
        "ephemeral": row.ephemeral,
    });
    with_unknown_fields(body, settings)
}

/// A moment as REST shows it: whole seconds in UTC.
pub(super) fn time(moment: Moment) -> String {
    let seconds = i64::try_from(moment.as_millis() / 1000).unwrap_or(i64::MAX);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a number of days since 1970, by counting in eras of 400 years that begin on the first of March.
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

/// What a later release may add, if that is wanted.
fn with_unknown_fields(mut body: Value, settings: &Settings) -> Value {
    if settings.unknown_fields {
        body["of_a_later_release"] = json!({ "nested": [1, null, "text"] });
    }
    body
}

pub(super) fn organization(owner: &Owner) -> Value {
    json!({ "id": owner.id.0, "name": owner.name, "username": owner.name, "full_name": "", "visibility": "public" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        for (seconds, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_474_271, "2026-11-23T22:51:11Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
        ] {
            assert_eq!(time(Moment::from_millis(seconds * 1000)), shown);
        }
    }
}

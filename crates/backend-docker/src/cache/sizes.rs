//! What volumes take on the engine's disk. The engine goes through all of their files for the answer.

use std::collections::HashMap;

use bollard::errors::Error as EngineError;
use serde::Deserialize;

use crate::connection::Way;
use crate::look;

/// The answer, as engines give it before and since version 1.52 of their interface. The usual client reads the latter alone.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Usage {
    #[serde(default)]
    volumes: Option<Vec<Row>>,
    #[serde(default)]
    volume_usage: Option<Rows>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rows {
    #[serde(default)]
    items: Option<Vec<Row>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    name: String,
    #[serde(default)]
    usage_data: Option<UsageData>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UsageData {
    /// -1 where the engine does not know.
    #[serde(default)]
    size: i64,
}

/// Bytes by the names of all volumes whose size the engine knows.
pub(super) async fn of_volumes(way: &Way, version: &str) -> Result<HashMap<String, u64>, EngineError> {
    let usage: Usage = look::get(way, &format!("/v{version}/system/df?type=volume&verbose=true")).await?;
    Ok(read(usage))
}

fn read(usage: Usage) -> HashMap<String, u64> {
    let newer = usage.volume_usage.and_then(|rows| rows.items);
    let rows = usage.volumes.into_iter().chain(newer).flatten();
    rows.filter_map(|row| Some((row.name, u64::try_from(row.usage_data?.size).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_and_newer_engines_tell_sizes_in_other_words() {
        let rows = r#"[{"Name":"a","UsageData":{"RefCount":1,"Size":7}},{"Name":"b","UsageData":{"Size":-1}},
            {"Name":"c","UsageData":null},{"Name":"d"}]"#;
        for text in
            [format!(r#"{{"Volumes":{rows},"Images":null}}"#), format!(r#"{{"VolumeUsage":{{"Items":{rows}}}}}"#)]
        {
            assert_eq!(read(serde_json::from_str(&text).unwrap()), HashMap::from([("a".to_owned(), 7)]));
        }
        assert!(read(serde_json::from_str(r#"{"Volumes":null}"#).unwrap()).is_empty());
    }
}

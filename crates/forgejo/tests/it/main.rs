//! The client against scripted answers.

mod calls;
mod errors;
mod greeting;
mod lists;
mod recorded;
mod rights;
mod runner_calls;
#[path = "../../../runner-rpc/tests/it/scripted.rs"]
mod scripted;
mod self_signed;
mod stranger;

use std::time::Duration;

use forgejo::{Client, ClientSettings, Limits, Scope};

const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        url: url.to_owned(),
        token: TOKEN.to_owned().into(),
        ca_pem: None,
        user_agent: "test/1".to_owned(),
        call_deadline: Duration::from_secs(10),
        limits: Limits::default(),
    }
}

fn client(url: &str) -> Client {
    Client::new(&settings(url)).expect("good settings")
}

fn repository() -> Scope {
    Scope::Repository { owner: "acme".to_owned(), name: "web".to_owned() }
}

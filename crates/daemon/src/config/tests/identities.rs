//! A forge and its scopes are the same however they are written: machines carry these identities.

use super::{SMALL, parse, problems};

/// Checks which forge and scope machines carry that are made with this URL and this scope.
#[track_caller]
fn check(url: &str, scope: &str, expected: (&str, &str)) {
    let text = SMALL.replace("https://forge.example/", url).replace("org:acme", scope);
    let config = parse(&text).unwrap_or_else(|problems| panic!("{url}: {problems:#?}"));
    let forge = &config.forges[0];
    assert_eq!((forge.id.as_str(), forge.scopes[0].key.scope.as_str()), expected, "{url} {scope}");
    assert_eq!(forge.scopes[0].key.forge, forge.id, "{url}");
    assert!(!forge.runner_url.path().ends_with("//"), "{}", forge.runner_url);
}

#[test]
fn every_way_to_write_one_forge_is_the_same_forge() {
    let alike: [(&str, &[&str]); 4] = [
        (
            "https://forge.example",
            &[
                "https://forge.example",
                "https://forge.example//",
                "HTTPS://Forge.Example",
                "https://forge.example:443/",
                "https:forge.example/.",
            ],
        ),
        ("http://forge.example", &["http://forge.example:80", "http://FORGE.example/"]),
        ("https://forge.example:3000", &["https://forge.EXAMPLE:3000/", "https://forge.example:03000"]),
        ("https://forge.example/Git", &["https://forge.example:443/Git/", "https://forge.example/a/../Git"]),
    ];
    for (id, urls) in alike {
        for url in urls {
            check(url, "org:acme", (id, "org:acme"));
        }
    }
}

#[test]
fn a_path_in_another_letter_case_and_another_port_or_scheme_are_other_forges() {
    for id in ["https://forge.example/git", "https://forge.example:80", "http://forge.example:443"] {
        check(id, "org:acme", (id, "org:acme"));
    }
}

#[test]
fn letter_case_makes_no_other_scope() {
    check("https://forge.example", "org:ACME", ("https://forge.example", "org:acme"));
    check("https://forge.example", "repo:Acme/Site", ("https://forge.example", "repo:acme/site"));
}

#[test]
fn a_forge_that_is_written_twice_in_two_ways_is_there_twice() {
    let other = "scopes = [\"org:acme\"]\n[[forge]]\nurl = \"https://FORGE.example:443\"\ntoken_file = \"token\"\n\
                 scopes = [\"org:other\"]";
    let found = problems(&[("scopes = [\"org:acme\", \"repo:tools/site\"]", other)]);
    let [(line, key, reason)] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((*line, key.as_str()), (7, "forge[1].url"));
    assert!(reason.contains("is there twice"), "{reason}");
}

//! The name of an image as engines and registries write it: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
//!
//! Looked at before an engine is asked for it, since it becomes part of an address there: `a/../b` would be another image.

/// The longest name without tag and digest, and the longest tag.
const MOST_OF_A_NAME: usize = 255;
const MOST_OF_A_TAG: usize = 128;

/// The fewest hexadecimal digits of a digest.
const FEWEST_DIGITS: usize = 32;

/// The registry of images that name none, and what it was called before.
pub(crate) const HUB: &str = "docker.io";
const OLD_HUB: &str = "index.docker.io";

/// Whether there can be an image of this name.
pub fn is_image_reference(text: &str) -> bool {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[last..].find(':') {
        Some(colon) => (&rest[..last + colon], Some(&rest[last + colon + 1..])),
        None => (rest, None),
    };
    is_name(name) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

/// The registry that an image comes from, and its path there, without tag and digest. The text is one of an image.
pub(crate) fn registry_and_path(text: &str) -> (&str, &str) {
    let rest = text.split_once('@').map_or(text, |(rest, _)| rest);
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let name = rest[last..].find(':').map_or(rest, |colon| &rest[..last + colon]);
    match name.split_once('/') {
        Some((first, path)) if is_host(first) => (if first == OLD_HUB { HUB } else { first }, path),
        _ => (HUB, name),
    }
}

fn is_name(name: &str) -> bool {
    let path = match name.split_once('/') {
        Some((first, path)) if is_host(first) => path,
        _ => name,
    };
    name.len() <= MOST_OF_A_NAME && path.split('/').all(is_component)
}

/// Whether what comes before the first slash is a host: what is not written as a name of an image.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (text, None),
    };
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !part.is_empty() && part.bytes().all(is_inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    let is_address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_written_as_one = host.contains('.') || host == "localhost" || port.is_some_and(|port| !port.is_empty());
    let is_ip = is_address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    is_ip || (is_written_as_one || host.bytes().any(|byte| byte.is_ascii_uppercase())) && host.split('.').all(is_part)
}

/// Small letters and digits, parted by one dot, one or two underscores, or dashes.
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let parts: Vec<&str> = text.split(|letter: char| letter.is_ascii() && is_word(letter as u8)).collect();
    let (first, last) = (parts.first().copied(), parts.last().copied());
    let is_between = |part: &&str| matches!(*part, "" | "." | "_" | "__") || part.bytes().all(|byte| byte == b'-');
    !text.is_empty() && first == Some("") && last == Some("") && parts.iter().all(is_between)
}

fn is_tag(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    begins && text.len() <= MOST_OF_A_TAG && text.bytes().all(is_inner)
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, digits)) = text.split_once(':') else { return false };
    let begins = algorithm.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+.".contains(&byte);
    let are_digits = digits.len() >= FEWEST_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    begins && algorithm.bytes().all(is_inner) && are_digits
}

#[cfg(test)]
mod tests {
    use super::{is_image_reference, registry_and_path};

    #[test]
    fn an_image_names_its_registry_or_means_dockers_own() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let cases = [
            ("debian", ("docker.io", "debian")),
            ("team/debian:13", ("docker.io", "team/debian")),
            ("docker.io/library/debian:13", ("docker.io", "library/debian")),
            ("index.docker.io/debian", ("docker.io", "debian")),
            ("registry.example/debian:13", ("registry.example", "debian")),
            ("registry.example:5000/a/b", ("registry.example:5000", "a/b")),
            ("localhost/debian", ("localhost", "debian")),
            ("[::1]:5000/debian:1", ("[::1]:5000", "debian")),
            (&format!("registry.example:5000/a@{digest}"), ("registry.example:5000", "a")),
            (&format!("debian:13@{digest}"), ("docker.io", "debian")),
        ];
        for (image, expected) in cases {
            assert_eq!(registry_and_path(image), expected, "{image}");
        }
    }

    #[test]
    fn names_of_images_are_told_from_what_can_be_none() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let good = [
            "debian",
            "debian:13",
            "node:22-bookworm",
            "a_b.c-d__e/f",
            "library/debian:Tag_1.0",
            "registry.example/team/image:1",
            "registry.example:5000/image",
            "localhost/image",
            "localhost:5000/image:1",
            "[::1]:5000/image",
            "Host/image",
            &format!("debian@{digest}"),
            &format!("registry.example/debian:13@{digest}"),
            &digest,
        ];
        for name in good {
            assert!(is_image_reference(name), "{name}");
        }
        let bad = [
            "",
            "UPPER",
            "UPPER:1",
            "a//b",
            "a/../b",
            "/a",
            "a/",
            "a b",
            "a:",
            "a:b:c",
            "a:-1",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "ä",
            "a?b=c",
            "a%2fb",
            "a@",
            "a@sha256:12",
            "https://registry.example/a",
            &format!("a:{}", "1".repeat(129)),
            &"a".repeat(256),
        ];
        for name in bad {
            assert!(!is_image_reference(name), "{name}");
        }
    }
}

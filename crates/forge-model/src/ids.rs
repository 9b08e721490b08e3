//! Identifiers, and the seeded source from which random-looking ones are drawn.

use std::fmt;

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

row_id! {
    /// A user or an organization: both live in one number space, as in Forgejo.
    OwnerId
}
row_id! {
    /// A repository.
    RepoId
}
row_id! {
    /// One run of one workflow.
    RunId
}
row_id! {
    /// A job's row. It survives reruns; a [`Handle`] does not.
    JobId
}
row_id! {
    /// What a runner works on: one attempt of a job, handed out once.
    TaskId
}
row_id! {
    /// A runner's registration.
    RunnerId
}

/// Names one attempt of a job for ever (protocol 1.3). Looks like a version 4 UUID.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub String);

impl Handle {
    /// The text as it goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Draws identifiers that look random and are the same for the same seed (the `SplitMix64` recurrence).
#[derive(Clone, Debug)]
pub(crate) struct IdSource {
    state: u64,
}

impl IdSource {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A version 4 UUID in its usual lower-case form.
    pub(crate) fn uuid(&mut self) -> String {
        let high = (self.draw() & 0xffff_ffff_ffff_0fff) | 0x4000;
        let low = (self.draw() & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// A secret of 40 lower-case hexadecimal digits, as Forgejo issues them.
    pub(crate) fn secret(&mut self) -> String {
        format!("{:016x}{:016x}{:08x}", self.draw(), self.draw(), self.draw() >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_forgejos_shapes_and_repeat_with_the_seed() {
        let mut source = IdSource::new(7);
        let uuid = source.uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]));
        let secret = source.secret();
        assert_eq!(secret.len(), 40);
        assert!(secret.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()));
        assert_eq!(IdSource::new(7).uuid(), uuid);
        assert_ne!(IdSource::new(8).uuid(), uuid);
    }
}

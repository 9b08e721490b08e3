//! The program in the runner's place: it behaves as the handle of its job says.

use planner::ids::Handle;

/// How a runner behaves. The handle of its launch says so, since that reaches every runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It ends at once, with this code.
    Exit(u8),
    /// It goes on until it is asked to end, and then ends with code 0.
    Live,
    /// It goes on until it is killed.
    Stubborn,
    /// It writes [`Behaviour::LINES`] numbered lines, then ends with code 0.
    Speak,
}

impl Behaviour {
    /// More lines than any backend should give back.
    pub const LINES: usize = 20_000;

    /// The handle that asks for it.
    pub fn handle(self) -> Handle {
        Handle::new(match self {
            Self::Exit(code) => format!("exit-{code}"),
            Self::Live => "live".to_owned(),
            Self::Stubborn => "stubborn".to_owned(),
            Self::Speak => "speak".to_owned(),
        })
    }

    /// What a handle asks for.
    pub fn of(handle: &Handle) -> Option<Self> {
        match handle.as_str() {
            "live" => Some(Self::Live),
            "stubborn" => Some(Self::Stubborn),
            "speak" => Some(Self::Speak),
            other => Some(Self::Exit(other.strip_prefix("exit-")?.parse().ok()?)),
        }
    }
}

/// The behaviours as a POSIX shell script that takes the arguments of `forgejo-runner one-job` and reads what it is given
/// on its standard input to the end, as the runner does.
pub const RUNNER_SCRIPT: &str = r#"#!/bin/sh
for argument; do
    case "$argument" in --handle=*) handle=${argument#--handle=} ;; esac
done
trap 'exit 0' TERM
[ "$handle" != stubborn ] || trap '' TERM
cat > /dev/null
case "$handle" in
    exit-*) exit "${handle#exit-}" ;;
    speak) seq 1 20000; exit 0 ;;
    live | stubborn) while :; do sleep 0.05; done ;;
    *) echo "no behaviour: $handle"; exit 99 ;;
esac
"#;

#[cfg(test)]
mod tests {
    use super::{Behaviour, RUNNER_SCRIPT};

    #[test]
    fn a_handle_says_how_to_behave() {
        for behaviour in
            [Behaviour::Exit(0), Behaviour::Exit(7), Behaviour::Live, Behaviour::Stubborn, Behaviour::Speak]
        {
            assert_eq!(Behaviour::of(&behaviour.handle()), Some(behaviour));
        }
        assert!(RUNNER_SCRIPT.contains(&format!("seq 1 {}", Behaviour::LINES)));
    }
}

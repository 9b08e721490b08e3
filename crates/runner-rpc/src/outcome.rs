//! The two enums of the protocol and their protobuf names (protocol 3.3).

/// How a task, a step or a needed job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Result {
    /// Not ended yet: in `UpdateTask` a mere sign of life.
    Unspecified = 0,
    /// Ended well.
    Success = 1,
    /// Ended badly, or timed out.
    Failure = 2,
    /// Stopped before its end.
    Cancelled = 3,
    /// Never ran.
    Skipped = 4,
}

impl Result {
    /// Every value, by number.
    pub const ALL: [Self; 5] = [Self::Unspecified, Self::Success, Self::Failure, Self::Cancelled, Self::Skipped];

    /// The name in protobuf's JSON form, like `RESULT_SUCCESS`.
    pub const fn proto_name(self) -> &'static str {
        match self {
            Self::Unspecified => "RESULT_UNSPECIFIED",
            Self::Success => "RESULT_SUCCESS",
            Self::Failure => "RESULT_FAILURE",
            Self::Cancelled => "RESULT_CANCELLED",
            Self::Skipped => "RESULT_SKIPPED",
        }
    }

    /// The value of a protobuf name; `None` for an unknown one.
    pub fn from_proto_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.proto_name() == name)
    }
}

/// What a runner is doing, as the `Runner` message says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum RunnerStatus {
    /// Not told.
    Unspecified = 0,
    /// In touch, without a task.
    Idle = 1,
    /// In touch, working on a task.
    Active = 2,
    /// Out of touch.
    Offline = 3,
}

impl RunnerStatus {
    /// Every value, by number.
    pub const ALL: [Self; 4] = [Self::Unspecified, Self::Idle, Self::Active, Self::Offline];

    /// The name in protobuf's JSON form, like `RUNNER_STATUS_IDLE`.
    pub const fn proto_name(self) -> &'static str {
        match self {
            Self::Unspecified => "RUNNER_STATUS_UNSPECIFIED",
            Self::Idle => "RUNNER_STATUS_IDLE",
            Self::Active => "RUNNER_STATUS_ACTIVE",
            Self::Offline => "RUNNER_STATUS_OFFLINE",
        }
    }

    /// The value of a protobuf name; `None` for an unknown one.
    pub fn from_proto_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.proto_name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::{Result, RunnerStatus};

    #[test]
    fn every_name_leads_back_to_its_value() {
        for value in Result::ALL {
            assert_eq!(Result::from_proto_name(value.proto_name()), Some(value));
        }
        for value in RunnerStatus::ALL {
            assert_eq!(RunnerStatus::from_proto_name(value.proto_name()), Some(value));
        }
        assert_eq!(Result::from_proto_name("SUCCESS"), None);
    }
}

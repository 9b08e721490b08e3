//! Names on the wire: paths, headers and content types of the runner's RPC (protocol 3.1 and 3.2).

/// Where the RPC is mounted below the forge's root URL.
pub const MOUNT: &str = "/api/actions";

/// Path of `Ping`, the only call that needs no credentials besides `Register`.
pub const PING: &str = "/api/actions/ping.v1.PingService/Ping";
/// Path of `Register` (deprecated by Forgejo in favour of the REST call).
pub const REGISTER: &str = "/api/actions/runner.v1.RunnerService/Register";
/// Path of `Declare`.
pub const DECLARE: &str = "/api/actions/runner.v1.RunnerService/Declare";
/// Path of `FetchTask`.
pub const FETCH_TASK: &str = "/api/actions/runner.v1.RunnerService/FetchTask";
/// Path of `FetchSingleTask`, Forgejo 15 and later.
pub const FETCH_SINGLE_TASK: &str = "/api/actions/runner.v1.RunnerService/FetchSingleTask";
/// Path of `UpdateTask`.
pub const UPDATE_TASK: &str = "/api/actions/runner.v1.RunnerService/UpdateTask";
/// Path of `UpdateLog`.
pub const UPDATE_LOG: &str = "/api/actions/runner.v1.RunnerService/UpdateLog";

/// Header with the runner's uuid.
pub const RUNNER_UUID: &str = "x-runner-uuid";
/// Header with the runner's token. Its value is a secret.
pub const RUNNER_TOKEN: &str = "x-runner-token";
/// Header that makes a fetch idempotent: the same key gives the same task again (protocol 3.4).
pub const RUNNER_REQUEST_KEY: &str = "x-runner-request-key";
/// Header with the version of the Connect protocol, always [`CONNECT_PROTOCOL`].
pub const CONNECT_PROTOCOL_VERSION: &str = "connect-protocol-version";
/// The only version of the Connect protocol.
pub const CONNECT_PROTOCOL: &str = "1";
/// Header with the caller's deadline in milliseconds.
pub const CONNECT_TIMEOUT_MS: &str = "connect-timeout-ms";

/// Content type of a binary protobuf message: what the real runner sends.
pub const CONTENT_PROTO: &str = "application/proto";
/// Content type of a JSON message, and of every error body.
pub const CONTENT_JSON: &str = "application/json";

/// Message of the `unauthenticated` error for an unknown uuid, a wrong token or a deleted runner.
pub const UNREGISTERED_RUNNER: &str = "unregistered runner";
/// Text within the `internal` error for a task that belongs to another runner.
pub const INVALID_RUNNER_FOR_TASK: &str = "invalid runner for task";

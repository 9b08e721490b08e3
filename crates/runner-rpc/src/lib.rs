//! The runner's RPC: protobuf messages and a Connect client.
#![forbid(unsafe_code)]
